/*
 * ws_media.c - /ws/twilio-media: Media Streams in both directions
 *
 *   WANT_CONNECTED --connected--> WANT_START --start--> STREAMING --stop, end, fault--> OVER
 *
 * A stream belongs to its WebSocket's loop. start brings the token that
 * incoming_call gave out for this call; when it is the stored one, the speech
 * worker gets the call and the loop its leg. From then on nothing is allocated
 * but for the rare messages that json-c reads: audio goes from the text straight
 * into a slot of the inbound ring, and from the outbound ring straight into the
 * WebSocket's output. The worker is woken once per batch of messages.
 *
 * That the stream began is written to the store behind the call's back; only when
 * the store says that the call had its stream before, it ends. The stream lives
 * until both its WebSocket and that write are done with it.
 *
 * Outbound frames are left in the ring while over WAITING_MAX bytes wait for the
 * peer; what is left is taken up with the next batch or second. The worker sends
 * little ahead of its play-out clock, so only a peer that does not read comes so
 * far, and websocket.c drops him when the output is full or stands still.
 *
 * What a peer does wrong is answered by its row in media_fault.c, always in the
 * same way: a counter, a line, and for most the end of his stream.
 *
 * No clock is read on the way of a message: on_second() brings the time, and the
 * time-out of start is therefore up to a second late. That audio stops coming is
 * the worker's to see, who ends the call.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "config.h"
#include "routes/media_fault.h"
#include "routes/routes.h"
#include "services/crm.h"
#include "services/media.h"
#include "services/places.h"
#include "services/services.h"
#include "services/speech.h"
#include "utils/base64.h"
#include "utils/clock.h"
#include "utils/log.h"
#include "websocket.h"

enum {
    MESSAGE_MAX = 64 * KIB,
    OUTPUT_MAX = 256 * KIB,
    WAITING_MAX = 32 * KIB,
    STALL_MS = 5000, /* sooner than TCP_USER_TIMEOUT, which says less */
    START_MS = 5000, /* from the upgrade to start */
    PAYLOAD_MAX = MESSAGE_MAX / 4 * 3,
    KNOWN_MAX = 2 * KIB, /* of a caller, for who answers */
    JOINED_MAX = 100 * FRAME_BYTES, /* of one outbound message, 2 s */
};

enum state { WANT_CONNECTED, WANT_START, STREAMING, OVER, N_STATES };

struct stream {
    const struct services *services;
    struct websocket *socket; /* NULL before and after */
    struct loop *loop;
    struct leg *leg; /* NULL but while STREAMING */
    enum state state;
    bool behind; /* outbound frames may wait in the ring */
    size_t n_stream_sid;
    char stream_sid[SID_MAX], call_sid[SID_MAX];
    uint64_t opened_ms; /* 0 not known yet */

    struct db_op op; /* the stream began */
    struct loop_task task;
    bool is_recording, must_record; /* the op is with the writer; it still has to go there */
    struct db_op last_op; /* all that the call wrote is on disk */
    struct loop_task last_task;
    bool is_ending; /* last_op is with the writer */
    uint64_t began_ms;
    int recorded;
};

/* --- faults */

static void note(const struct stream *stream, enum media_fault fault, const char *detail)
{
    media_fault_note(fault, stream->call_sid[0] ? stream->call_sid : NULL, detail);
}

static void leave(struct stream *stream, int end)
{
    stream->state = OVER;
    if (stream->leg)
        leg_release(steal(&stream->leg), end);
}

static void fail(struct stream *stream, enum media_fault fault, const char *detail)
{
    note(stream, fault, detail);
    leave(stream, media_faults[fault].end);
    if (stream->socket)
        websocket_close(stream->socket, media_faults[fault].close_code, media_faults[fault].what);
}

/* --- what we send */

/* Returns: false when the output takes no more. */
static bool send_audio(struct stream *stream, const uint8_t *ulaw, size_t n)
{
    char *out = websocket_begin_text(stream->socket, media_audio_size(stream->n_stream_sid, n));

    if (out)
        media_audio_write(out, stream->stream_sid, stream->n_stream_sid, ulaw, n);
    return out;
}

/* One message of a payload that takes several frames; the ring holds all of them. */
static bool send_joined(struct stream *stream)
{
    uint8_t ulaw[JOINED_MAX];
    size_t n = 0;
    bool more = true;

    while (more && n + FRAME_BYTES <= sizeof(ulaw)) {
        const struct frame *frame = leg_outbound_peek(stream->leg);
        if (!frame || frame->kind != FRAME_AUDIO)
            break;
        memcpy(ulaw + n, frame->bytes, frame->n);
        n += frame->n;
        more = frame->flags & FRAME_MORE;
        leg_outbound_pop(stream->leg);
    }
    return send_audio(stream, ulaw, n);
}

static bool is_with_the_writer(const struct stream *stream)
{
    return stream->is_recording || stream->is_ending;
}

static void close_ended(struct loop_task *task)
{
    struct stream *stream = (struct stream *)((char *)task - offsetof(struct stream, last_task));

    stream->is_ending = false;
    if (stream->socket)
        websocket_close(stream->socket, 1000, "the call is over");
    else if (!is_with_the_writer(stream))
        free(stream);
}

static int write_nothing(struct db_txn *txn, struct db_op *op)
{
    return 0;
}

/* Writer thread. */
static void end_is_kept(struct db_op *op, int r)
{
    struct stream *stream = (struct stream *)((char *)op - offsetof(struct stream, last_op));

    loop_post(stream->loop, &stream->last_task);
}

/*
 * The call's end is in the writer's queue already. The stream is closed when it is on disk: what follows is asked then, and
 * perhaps of another process, which knows of the call what the store does.
 */
static void close_behind_the_end(struct stream *stream)
{
    stream->last_op = (struct db_op){ .run = write_nothing, .done = end_is_kept, .what = "stream ended" };
    stream->last_task.run = close_ended;
    stream->is_ending = db_submit(stream->services->db, &stream->last_op) == 0;
    if (!stream->is_ending)
        close_ended(&stream->last_task);
}

/* The worker has ended the call. */
static void take_end(struct stream *stream, enum call_end end)
{
    if (end == CALL_END_NO_MEDIA) {
        fail(stream, FAULT_NO_MEDIA, NULL);
        return;
    }
    leave(stream, (int)end);
    close_behind_the_end(stream);
}

static bool send_frame(struct stream *stream, const struct frame *frame)
{
    const char *sid = stream->stream_sid;
    size_t n_sid = stream->n_stream_sid;
    char *out = NULL;

    if (frame->kind == FRAME_AUDIO && frame->flags & FRAME_MORE)
        return send_joined(stream);

    switch (frame->kind) {
    case FRAME_AUDIO:
        out = websocket_begin_text(stream->socket, media_audio_size(n_sid, frame->n));
        if (out)
            media_audio_write(out, sid, n_sid, frame->bytes, frame->n);
        break;
    case FRAME_MARK:
        out = websocket_begin_text(stream->socket, media_mark_size(n_sid, frame->n));
        if (out)
            media_mark_write(out, sid, n_sid, (const char *)frame->bytes, frame->n);
        break;
    case FRAME_CLEAR:
        out = websocket_begin_text(stream->socket, media_clear_size(n_sid));
        if (out)
            media_clear_write(out, sid, n_sid);
        break;
    case FRAME_END:
        take_end(stream, (enum call_end)frame->bytes[0]);
        return false;
    }
    leg_outbound_pop(stream->leg);
    return out;
}

static void send_outbound(struct stream *stream)
{
    const struct frame *frame;

    stream->behind = false;
    while (stream->leg && (frame = leg_outbound_peek(stream->leg))) {
        if (websocket_n_waiting(stream->socket) > WAITING_MAX) {
            stream->behind = true;
            return;
        }
        if (!send_frame(stream, frame))
            return;
    }
}

static void on_outbound(struct leg *leg, void *user)
{
    struct stream *stream = user;

    send_outbound(stream);
    websocket_flush(stream->socket);
}

/* --- audio in */

/* Returns: 0; -EBADMSG, and nothing was taken. */
static int take_long_audio(struct stream *stream, const struct media_audio *audio)
{
    uint8_t ulaw[PAYLOAD_MAX];
    ssize_t n = base64_decode(audio->payload, audio->n_payload, ulaw, sizeof(ulaw));

    if (n < 0)
        return (int)n;
    for (size_t at = 0, n_part; at < (size_t)n; at += n_part) {
        struct frame *frame = leg_inbound_slot(stream->leg, FRAME_AUDIO);
        if (!frame) {
            note(stream, FAULT_OVERRUN, NULL);
            return 0;
        }
        n_part = (size_t)n - at < FRAME_BYTES ? (size_t)n - at : FRAME_BYTES;
        memcpy(frame->bytes, ulaw + at, n_part);
        frame->n = (uint16_t)n_part;
        frame->flags = at + n_part < (size_t)n ? FRAME_MORE : 0;
        frame->stamp_ms = audio->timestamp_ms;
        leg_inbound_commit(stream->leg);
    }
    return 0;
}

static void take_audio(struct stream *stream, const struct media_audio *audio)
{
    struct frame *frame = leg_inbound_slot(stream->leg, FRAME_AUDIO);
    ssize_t n;

    if (!frame) {
        note(stream, FAULT_OVERRUN, NULL);
        return;
    }
    n = base64_decode(audio->payload, audio->n_payload, frame->bytes, FRAME_BYTES);
    if (n > 0) {
        frame->n = (uint16_t)n;
        frame->stamp_ms = audio->timestamp_ms;
        leg_inbound_commit(stream->leg);
    } else if (n == -EMSGSIZE) {
        n = take_long_audio(stream, audio);
    }
    if (n < 0)
        note(stream, FAULT_BAD_BASE64, NULL);
}

/* --- start */

static int record_run(struct db_txn *txn, struct db_op *op)
{
    struct stream *stream = (struct stream *)((char *)op - offsetof(struct stream, op));

    return crm_call_stream(txn, stream->call_sid, stream->stream_sid, stream->began_ms);
}

/* Writer thread. */
static void record_done(struct db_op *op, int r)
{
    struct stream *stream = (struct stream *)((char *)op - offsetof(struct stream, op));

    stream->recorded = r;
    loop_post(stream->loop, &stream->task);
}

static void recorded(struct loop_task *task)
{
    struct stream *stream = (struct stream *)((char *)task - offsetof(struct stream, task));

    stream->is_recording = false;
    if (!stream->socket) {
        if (!is_with_the_writer(stream))
            free(stream);
        return;
    }
    if (stream->recorded == -EALREADY && stream->state == STREAMING)
        fail(stream, FAULT_ALREADY_STREAMED, NULL);
    else if (stream->recorded < 0 && stream->recorded != -EALREADY)
        log_limited(LOG_ERR, stream->call_sid, "the beginning of the stream could not be kept: %s",
                    strerrordesc_np(-stream->recorded) ?: "unknown error");
}

/* A queue that is full now will not be in a second. */
static void record(struct stream *stream)
{
    stream->op = (struct db_op){ .run = record_run, .done = record_done, .what = "stream began" };
    stream->task.run = recorded;
    stream->is_recording = true;
    int r = db_submit(stream->services->db, &stream->op);
    stream->is_recording = r == 0;
    stream->must_record = r == -EAGAIN;
}

static bool same_token(const char a[STREAM_TOKEN_MAX], const char b[STREAM_TOKEN_MAX])
{
    char padded_a[STREAM_TOKEN_MAX] = "", padded_b[STREAM_TOKEN_MAX] = "";

    memcpy(padded_a, a, strnlen(a, STREAM_TOKEN_MAX));
    memcpy(padded_b, b, strnlen(b, STREAM_TOKEN_MAX));
    return CRYPTO_memcmp(padded_a, padded_b, STREAM_TOKEN_MAX) == 0;
}

/* Whether start and the stored call belong together. Returns: N_MEDIA_FAULTS, or the fault. */
static enum media_fault judge_start(const struct stream *stream, const struct media_message *start,
                                    const struct call *call)
{
    const char *account_sid = stream->services->config->twilio_account_sid;

    if (!call->stream_token[0] || !same_token(start->token, call->stream_token))
        return FAULT_WRONG_TOKEN;
    if (call->account_sid[0] && strcmp(call->account_sid, start->account_sid) != 0)
        return FAULT_OTHER_ACCOUNT;
    if (account_sid && strcmp(account_sid, start->account_sid) != 0)
        return FAULT_OTHER_ACCOUNT;
    if (call->stream_sid[0] || (call_status_is_final(call->status) && call->status != CALL_LOST))
        return FAULT_ALREADY_STREAMED;
    return N_MEDIA_FAULTS;
}

/* A short read of what incoming_call kept. */
static enum media_fault look_up(const struct stream *stream, const struct media_message *start,
                                struct call *ret_call, struct contact *ret_contact,
                                char ret_known[KNOWN_MAX])
{
    scoped(db_read_end) struct db_txn *txn = NULL;

    if (!start->token[0])
        return FAULT_NO_TOKEN;
    if (db_read_begin(stream->services->db, &txn) < 0)
        return FAULT_INTERNAL;

    int r = crm_call_get(txn, start->call_sid, ret_call);
    if (r < 0)
        return r == -ENOENT ? FAULT_UNKNOWN_CALL : FAULT_INTERNAL;
    if (ret_call->contact_id[0])
        (void)crm_contact_get(txn, ret_call->contact_id,
                              ret_contact); /* without it he has no name */
    if (ret_contact->id[0])
        (void)crm_known(txn, ret_contact, ret_known, KNOWN_MAX);
    return judge_start(stream, start, ret_call);
}

static const struct {
    int error;
    enum media_fault fault;
} start_errors[] = {
    { -EEXIST, FAULT_ALREADY_STREAMED },
    { -ENOSPC, FAULT_TOO_MANY_CALLS },
    { -ESHUTDOWN, FAULT_DRAINING },
};

static enum media_fault begin_call(struct stream *stream, const struct call *call, const char *name,
                                   const char *known)
{
    struct speech_call speech_call = {
        .call_sid = stream->call_sid,
        .stream_sid = stream->stream_sid,
        .contact_id = call->contact_id,
        .from = call->from,
        .contact_name = name,
        .known = known,
        .loop = stream->loop,
    };
    int r = speech_start_call(stream->services->speech, &speech_call, &stream->leg);
    for (size_t i = 0; i < ELEMENTSOF(start_errors); i++)
        if (r == start_errors[i].error)
            return start_errors[i].fault;
    return r < 0 ? FAULT_INTERNAL : N_MEDIA_FAULTS;
}

static void on_start(struct stream *stream, const struct media_message *start)
{
    scoped(call_done) struct call call = { 0 };
    scoped(contact_done) struct contact contact = { 0 };
    char known[KNOWN_MAX] = "";

    memcpy(stream->stream_sid, start->stream_sid, SID_MAX);
    memcpy(stream->call_sid, start->call_sid, SID_MAX);
    stream->n_stream_sid = strlen(stream->stream_sid);

    enum media_fault fault = look_up(stream, start, &call, &contact, known);
    if (fault == N_MEDIA_FAULTS)
        fault = begin_call(stream, &call, contact.name, known);
    places_give_back(stream->services->places, stream->call_sid); /* it lives, or goes on without a stream */
    if (fault != N_MEDIA_FAULTS) {
        fail(stream, fault, NULL);
        return;
    }
    leg_on_outbound(stream->leg, on_outbound, stream);
    stream->state = STREAMING;
    stream->began_ms = clock_real_ms();
    record(stream);
}

/* --- the other messages */

static void on_connected(struct stream *stream, const struct media_message *message)
{
    stream->state = WANT_START;
}

static void on_media(struct stream *stream, const struct media_message *message)
{
    take_audio(stream, &message->audio);
}

static void on_dtmf(struct stream *stream, const struct media_message *message)
{
    struct frame *frame = leg_inbound_slot(stream->leg, FRAME_DTMF);

    if (!frame) {
        note(stream, FAULT_OVERRUN, NULL);
        return;
    }
    frame->bytes[0] = (uint8_t)message->digit;
    frame->n = 1;
    leg_inbound_commit(stream->leg);
}

static void on_mark(struct stream *stream, const struct media_message *message)
{
    struct frame *frame = leg_inbound_slot(stream->leg, FRAME_MARK);

    if (!frame) {
        note(stream, FAULT_OVERRUN, NULL);
        return;
    }
    frame->n = (uint16_t)strlen(message->mark);
    memcpy(frame->bytes, message->mark, frame->n);
    leg_inbound_commit(stream->leg);
}

static void on_stop(struct stream *stream, const struct media_message *message)
{
    leave(stream, CALL_END_CALLER);
    websocket_close(stream->socket, 1000, "stop");
}

enum { NO_FAULT = -1 };

/* By event; order: the fault it is in each state up to STREAMING. */
static const struct {
    void (*handle)(struct stream *stream, const struct media_message *message);
    int order[OVER];
} events[] = {
    [MEDIA_CONNECTED] = { on_connected,
                          { NO_FAULT, FAULT_SECOND_CONNECTED, FAULT_SECOND_CONNECTED } },
    [MEDIA_START] = { on_start, { FAULT_EARLY, NO_FAULT, FAULT_SECOND_START } },
    [MEDIA_AUDIO] = { on_media, { FAULT_EARLY, FAULT_EARLY, NO_FAULT } },
    [MEDIA_DTMF] = { on_dtmf, { FAULT_EARLY, FAULT_EARLY, NO_FAULT } },
    [MEDIA_MARK] = { on_mark, { FAULT_EARLY, FAULT_EARLY, NO_FAULT } },
    [MEDIA_STOP] = { on_stop, { FAULT_EARLY, FAULT_EARLY, NO_FAULT } },
};

static void take_event(struct stream *stream, const struct media_message *message)
{
    if (message->event == MEDIA_UNKNOWN)
        return;

    int fault = events[message->event].order[stream->state];
    if (fault == NO_FAULT && stream->state == STREAMING &&
        strcmp(message->stream_sid, stream->stream_sid) != 0)
        fault = FAULT_WRONG_STREAM;
    if (fault == NO_FAULT)
        events[message->event].handle(stream, message);
    else
        fail(stream, (enum media_fault)fault, NULL);
}

static void take_message(struct stream *stream, const char *text, size_t n)
{
    struct media_message message;
    const char *why;
    int r = media_parse(text, n, &message, &why);

    if (r == -EPROTO && stream->state == STREAMING) {
        note(stream, FAULT_BAD_FIELD, why);
    } else if (r < 0) {
        fail(stream, r == -EPROTO ? FAULT_BAD_START : FAULT_BAD_JSON, why);
    } else {
        take_event(stream, &message);
        media_message_done(&message);
    }
}

/* --- the WebSocket's callbacks */

static void on_open(struct websocket *socket, void *user)
{
    struct stream *stream = user;

    stream->socket = socket;
}

static void on_soon(void *user)
{
    const struct stream *stream = user;

    leg_soon(stream->leg);
}

static void on_text(struct websocket *socket, void *user, char *text, size_t n)
{
    struct stream *stream = user;
    struct media_audio audio;

    if (stream->state == OVER)
        return;
    if (stream->state == STREAMING && media_scan(text, n, &audio) == MEDIA_AUDIO) {
        if (audio.n_stream_sid == stream->n_stream_sid &&
            memcmp(audio.stream_sid, stream->stream_sid, audio.n_stream_sid) == 0)
            take_audio(stream, &audio);
        else
            fail(stream, FAULT_WRONG_STREAM, NULL);
        return;
    }
    take_message(stream, text, n);
}

static void on_binary(struct websocket *socket, void *user)
{
    struct stream *stream = user;

    if (stream->state != OVER)
        fail(stream, FAULT_BINARY, NULL);
}

static void on_batch(struct websocket *socket, void *user)
{
    struct stream *stream = user;

    if (!stream->leg)
        return;
    leg_inbound_flush(stream->leg);
    if (stream->behind)
        send_outbound(stream);
}

static void on_second(struct websocket *socket, void *user, uint64_t mono_ms)
{
    struct stream *stream = user;

    if (!stream->opened_ms)
        stream->opened_ms = mono_ms;
    if (stream->must_record)
        record(stream);
    if (stream->leg)
        send_outbound(stream);
    else if (stream->state != OVER && mono_ms - stream->opened_ms >= START_MS)
        fail(stream, FAULT_START_TIMEOUT, NULL);
}

/* Codes that the WebSocket closed with on its own account. */
static const struct {
    int code;
    enum media_fault fault;
} closings[] = {
    { 1002, FAULT_FRAMING },     { 1006, FAULT_VANISHED },  { 1007, FAULT_NOT_UTF8 },
    { 1008, FAULT_FLOOD },       { 1009, FAULT_OVERSIZED }, { WEBSOCKET_UNREAD, FAULT_NOT_READING },
};

static void on_close(struct websocket *socket, void *user, int code, const char *why)
{
    struct stream *stream = user;
    int end = CALL_END_CALLER;

    for (size_t i = 0; i < ELEMENTSOF(closings) && stream->state != OVER; i++) {
        if (code != closings[i].code)
            continue;
        note(stream, closings[i].fault, why);
        end = media_faults[closings[i].fault].end;
    }
    leave(stream, end);
    stream->socket = NULL;
    if (!is_with_the_writer(stream))
        free(stream);
}

static const struct websocket_ops ops = {
    .on_open = on_open,
    .on_soon = on_soon,
    .on_text = on_text,
    .on_binary = on_binary,
    .on_batch = on_batch,
    .on_second = on_second,
    .on_close = on_close,
    .message_max = MESSAGE_MAX,
    .output_max = OUTPUT_MAX,
    .stall_ms = STALL_MS,
};

static int open_stream(struct http_request *request, struct http_response *response)
{
    struct stream *stream = calloc(1, sizeof(*stream));

    if (!stream)
        return -ENOMEM;
    stream->services = request->context;
    stream->loop = request->loop;
    response->upgrade_ops = &ops;
    response->upgrade_user = stream;
    return HTTP_UPGRADE;
}

static const struct route routes[] = {
    { "GET", "/twilio-media", AUTH_TWILIO, 0, open_stream, "Media Streams of a call, both ways" },
};

const struct blueprint ws_media = BLUEPRINT("ws_media", "/ws", routes);
