/*
 * test_ws_media.c - media streams: every fault beside a call that must not notice, and the way of
 * the audio
 *
 * The store, the rings and the leg are real; the WebSocket, the loop and the speech worker are not.
 */
#include "routes/media_fault.h"

#include <errno.h>
#include <stdarg.h>

#include "config.h"
#include "fake_request.h"
#include "fake_websocket.h"
#include "gate.h"
#include "routes/routes.h"
#include "scratch.h"
#include "services/crm.h"
#include "services/fake_loop.h"
#include "services/places.h"
#include "services/services.h"
#include "services/speech.h"
#include "tap.h"
#include "utils/base64.h"
#include "utils/log.h"

#define ACCOUNT "AC00000000000000000000000000000001"

static struct loop loop;
static struct inbox *worker; /* its bell */
static struct db *db;
static struct services services;
static struct config config;

/* --- the worker's side: one leg at a time is of interest */

static struct leg *last_leg;
static char last_sid[SID_MAX], last_from[ADDRESS_MAX];
static int speech_error;

int speech_start_call(struct speech *speech, const struct speech_call *call, struct leg **ret_leg)
{
    struct leg_options options = { .n_inbound = 64,
                                   .n_outbound = 64,
                                   .loop = call->loop,
                                   .inbox = worker };

    if (speech_error)
        return speech_error;
    int r = leg_new(&options, ret_leg);
    last_leg = *ret_leg;
    snprintf(last_sid, sizeof(last_sid), "%s", call->call_sid);
    snprintf(last_from, sizeof(last_from), "%s", call->from);
    return r;
}

/* --- a call and its stream */

struct party {
    struct websocket socket;
    struct leg *leg;
    char call_sid[SID_MAX], stream_sid[SID_MAX], token[STREAM_TOKEN_MAX];
    unsigned n_said;
    bool closed;
};

static struct party party, healthy;
static unsigned n_calls;
static uint64_t now_ms = 1000000;

struct opening {
    struct db_op op;
    struct call call;
    bool stream_too, ended_too;
};

static int open_run(struct db_txn *txn, struct db_op *op)
{
    struct opening *opening = (struct opening *)op;
    int r = crm_call_open(txn, &opening->call, "972");

    if (r >= 0 && opening->stream_too)
        r = crm_call_stream(txn, opening->call.sid, "MZearlier", 2);
    if (r >= 0 && opening->ended_too)
        r = crm_call_status(txn, opening->call.sid, CALL_CANCELED, 0, NULL, 2);
    return r;
}

/* How the call stands in the store before its stream comes. */
enum before { OPENED, STREAMED, ENDED, NOWHERE };

static void call_in(struct party *who, enum before before)
{
    struct opening opening = { .op = { .run = open_run, .what = "test" },
                               .stream_too = before == STREAMED,
                               .ended_too = before == ENDED };

    memset(who, 0, sizeof(*who));
    snprintf(who->call_sid, sizeof(who->call_sid), "CA%032u", ++n_calls);
    snprintf(who->stream_sid, sizeof(who->stream_sid), "MZ%032u", n_calls);
    snprintf(who->token, sizeof(who->token), "token-of-call-%u-that-nobody-can-guess", n_calls);
    if (before == NOWHERE)
        return;
    struct call *call = &opening.call;
    snprintf(call->sid, sizeof(call->sid), "%s", who->call_sid);
    snprintf(call->stream_token, sizeof(call->stream_token), "%s", who->token);
    snprintf(call->account_sid, sizeof(call->account_sid), "%s", ACCOUNT);
    snprintf(call->from, sizeof(call->from), "+97250%07u", n_calls);
    call->started_ms = 1;
    call->sequence = -1;
    if (db_write(db, &opening.op) < 0)
        printf("Bail out! the store does not take a call\n");
    call_done(call);
}

static void say(struct party *who, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct party *who, const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    fake_say(&who->socket, text, (size_t)n);
    free(text);
}

static void connect_to(struct party *who)
{
    struct fake_request fake;
    struct http_response response = { 0 };

    fake_request(&fake, "GET", "/ws/twilio-media", NULL, &services);
    fake.request.loop = &loop;
    if (ws_media.routes[0].handler(&fake.request, &response) != HTTP_UPGRADE)
        printf("Bail out! no upgrade\n");
    fake_websocket(&who->socket, &loop, response.upgrade_ops, response.upgrade_user);
}

struct start {
    const char *call_sid, *account_sid, *token; /* NULL: the right one; token "": none */
};

static void say_start(struct party *who, const struct start *start)
{
    const char *token = start->token ? start->token : who->token;

    last_leg = who->leg;
    say(who,
        "{\"event\":\"start\",\"sequenceNumber\":\"1\",\"start\":{\"streamSid\":\"%s\","
        "\"accountSid\":\"%s\","
        "\"callSid\":\"%s\",\"tracks\":[\"inbound\"],\"customParameters\":{%s%s%s},\"mediaFormat\":"
        "{"
        "\"encoding\":\"audio/x-mulaw\",\"sampleRate\":8000,\"channels\":1}},\"streamSid\":\"%s\"}",
        who->stream_sid, start->account_sid ? start->account_sid : ACCOUNT,
        start->call_sid ? start->call_sid : who->call_sid, *token ? "\"token\":\"" : "", token,
        *token ? "\"" : "", who->stream_sid);
    who->leg = last_leg;
}

static void say_media(struct party *who, const uint8_t *ulaw, size_t n)
{
    scoped(free) char *payload = calloc(1, BASE64_SIZE(n) + 1);

    base64_encode(ulaw, n, payload);
    say(who,
        "{\"event\":\"media\",\"sequenceNumber\":\"2\",\"media\":{\"track\":\"inbound\",\"chunk\":"
        "\"1\","
        "\"timestamp\":\"%u\",\"payload\":\"%s\"},\"streamSid\":\"%s\"}",
        20 * who->n_said++, payload, who->stream_sid);
}

static void batch(struct party *who)
{
    who->socket.ops->on_batch(&who->socket, who->socket.user);
}

/* c connected, s start, m media, d dtmf, k mark, p stop, b binary, u unknown, x the row's text; 1 a
 * second, 9 nine */
static void play(struct party *who, const char *script, const struct start *start, const char *text)
{
    static const uint8_t silence[FRAME_BYTES] = { 0xff };

    for (; *script && !who->socket.code; script++)
        switch (*script) {
        case 'c':
            say(who, "{\"event\":\"connected\",\"protocol\":\"Call\",\"version\":\"1.0.0\"}");
            break;
        case 's':
            say_start(who, start);
            break;
        case 'm':
            say_media(who, silence, sizeof(silence));
            batch(who);
            break;
        case 'd':
            say(who,
                "{\"event\":\"dtmf\",\"streamSid\":\"%s\",\"dtmf\":{\"track\":\"inbound_track\","
                "\"digit\":\"5\"}}",
                who->stream_sid);
            break;
        case 'k':
            say(who, "{\"event\":\"mark\",\"streamSid\":\"%s\",\"mark\":{\"name\":\"7.1\"}}",
                who->stream_sid);
            break;
        case 'p':
            say(who,
                "{\"event\":\"stop\",\"streamSid\":\"%s\",\"stop\":{\"accountSid\":\"x\","
                "\"callSid\":\"y\"}}",
                who->stream_sid);
            break;
        case 'u':
            say(who, "{\"event\":\"tomorrow\",\"streamSid\":\"MZother\"}");
            break;
        case 'b':
            who->socket.ops->on_binary(&who->socket, who->socket.user);
            break;
        case 'x':
            say(who, "%s", text);
            break;
        default:
            for (int i = *script - '0'; i && !who->socket.code; i--)
                who->socket.ops->on_second(&who->socket, who->socket.user, now_ms += 1000);
        }
}

/* Let what the writer has been given reach the loop. */
static void settle(void)
{
    gate_settle(db);
    fake_loop_run(&loop, 0);
}

/* The socket ends, and the worker leaves its leg. Returns: the end the leg was released with, or
 * -1. */
static int hang_up(struct party *who, int code)
{
    int end = -1;

    if (who->closed)
        return -1;
    who->closed = true;
    settle();
    who->socket.ops->on_close(&who->socket, who->socket.user, code, "test");
    if (who->leg) {
        if (!leg_released(who->leg, &end))
            end = -1;
        leg_leave(who->leg);
    }
    settle();
    return end;
}

static const struct start right = { 0 };

static void begin(struct party *who)
{
    call_in(who, OPENED);
    connect_to(who);
    play(who, "cs", &right, NULL);
}

/* --- faults, in the order of the enum */

static const struct {
    enum media_fault fault; /* N_MEDIA_FAULTS: none */
    const char *what, *script, *text;
    struct start start;
    enum before before;
    int speech_error;
    int code; /* closed with; 0 not */
    int end;  /* the leg was released with; -1 it was not, or there was none */
    int lost; /* the code the WebSocket itself ends with; 0 it does not */
} rows[] = {
    { N_MEDIA_FAULTS, "a call", "csmmdkmu5mm", .end = -1 },
    { N_MEDIA_FAULTS, "a call that ends with stop", "csmp", .code = 1000, .end = CALL_END_CALLER },
    { N_MEDIA_FAULTS, "an unknown event before everything", "ucus", .end = -1 },
    { FAULT_BAD_JSON, "no JSON at first", "x", "hello", .code = 1007, .end = -1 },
    { FAULT_BAD_JSON, "no JSON in a call", "csmx", "{\"event\":\"media\"", .code = 1007,
      .end = CALL_END_PROTOCOL },
    { FAULT_BAD_JSON, "an array in a call", "csmx", "[]", .code = 1007, .end = CALL_END_PROTOCOL },
    { FAULT_BAD_START, "no event at first", "x", "{}", .code = 1008, .end = -1 },
    { FAULT_BAD_START, "start without anything", "cx",
      "{\"event\":\"start\",\"streamSid\":\"MZ1\",\"start\":{}}", .code = 1008, .end = -1 },
    { FAULT_BAD_FIELD, "no event in a call", "csxm", "{}", .end = -1 },
    { FAULT_BAD_FIELD, "a key that is none", "csxm",
      "{\"event\":\"dtmf\",\"streamSid\":\"MZ1\",\"dtmf\":{\"digit\":\"F\"}}", .end = -1 },
    { FAULT_EARLY, "start at first", "s", .code = 1008, .end = -1 },
    { FAULT_EARLY, "media before connected", "m", .code = 1008, .end = -1 },
    { FAULT_EARLY, "media before start", "cm", .code = 1008, .end = -1 },
    { FAULT_EARLY, "a key before start", "cd", .code = 1008, .end = -1 },
    { FAULT_EARLY, "a mark before start", "ck", .code = 1008, .end = -1 },
    { FAULT_EARLY, "stop before start", "cp", .code = 1008, .end = -1 },
    { FAULT_SECOND_CONNECTED, "connected twice", "cc", .code = 1008, .end = -1 },
    { FAULT_SECOND_CONNECTED, "connected in a call", "csmc", .code = 1008,
      .end = CALL_END_PROTOCOL },
    { FAULT_SECOND_START, "start in a call", "csms", .code = 1008, .end = CALL_END_PROTOCOL },
    { FAULT_WRONG_STREAM, "media of another stream", "csmx",
      "{\"event\":\"media\",\"media\":{\"payload\":\"/w==\"},\"streamSid\":\"MZother\"}",
      .code = 1008, .end = CALL_END_PROTOCOL },
    { FAULT_WRONG_STREAM, "a key of another stream", "csmx",
      "{\"event\":\"dtmf\",\"dtmf\":{\"digit\":\"1\"},\"streamSid\":\"MZother\"}", .code = 1008,
      .end = CALL_END_PROTOCOL },
    { FAULT_WRONG_STREAM, "stop of another stream", "csmx",
      "{\"event\":\"stop\",\"streamSid\":\"MZother\"}", .code = 1008, .end = CALL_END_PROTOCOL },
    { FAULT_NO_TOKEN, "no token", "cs", .start = { .token = "" }, .code = 1008, .end = -1 },
    { FAULT_WRONG_TOKEN, "another token", "cs", .start = { .token = "token" }, .code = 1008,
      .end = -1 },
    { FAULT_WRONG_TOKEN, "the token of another call", "cs", .start = { .token = healthy.token },
      .code = 1008, .end = -1 },
    { FAULT_WRONG_TOKEN, "another call's stream", "cs", .start = { .call_sid = healthy.call_sid },
      .code = 1008, .end = -1 },
    { FAULT_UNKNOWN_CALL, "a call nobody announced", "cs", .before = NOWHERE, .code = 1008,
      .end = -1 },
    { FAULT_OTHER_ACCOUNT, "another account", "cs", .start = { .account_sid = "AC2" }, .code = 1008,
      .end = -1 },
    { FAULT_ALREADY_STREAMED, "a call that had its stream", "cs", .before = STREAMED, .code = 1008,
      .end = -1 },
    { FAULT_ALREADY_STREAMED, "a call that is over", "cs", .before = ENDED, .code = 1008,
      .end = -1 },
    { FAULT_ALREADY_STREAMED, "a call that is live", "cs", .speech_error = -EEXIST, .code = 1008,
      .end = -1 },
    { FAULT_TOO_MANY_CALLS, "one call too many", "cs", .speech_error = -ENOSPC, .code = 1013,
      .end = -1 },
    { FAULT_DRAINING, "no new calls", "cs", .speech_error = -ESHUTDOWN, .code = 1001, .end = -1 },
    { FAULT_INTERNAL, "no memory for a call", "cs", .speech_error = -ENOMEM, .code = 1011,
      .end = -1 },
    { FAULT_START_TIMEOUT, "nothing at all", "9", .code = 1008, .end = -1 },
    { FAULT_START_TIMEOUT, "connected, and then nothing", "c9", .code = 1008, .end = -1 },
    { N_MEDIA_FAULTS, "a late start", "3c2sm", .end = -1 },
    { N_MEDIA_FAULTS, "audio now and then, which is the worker's to judge", "csm9m99m9",
      .end = -1 },
    { FAULT_BINARY, "a binary message", "csmb", .code = 1003, .end = CALL_END_PROTOCOL },
    { FAULT_BINARY, "a binary message at first", "b", .code = 1003, .end = -1 },
    { FAULT_OVERSIZED, "a message too long", "csm", .end = CALL_END_PROTOCOL, .lost = 1009 },
    { FAULT_FRAMING, "broken framing", "csm", .end = CALL_END_PROTOCOL, .lost = 1002 },
    { FAULT_NOT_UTF8, "text that is none", "csm", .end = CALL_END_PROTOCOL, .lost = 1007 },
    { FAULT_FLOOD, "too many pings", "csm", .end = CALL_END_PROTOCOL, .lost = 1008 },
    { FAULT_NOT_READING, "a peer that does not read", "csm", .end = CALL_END_SLOW_PEER,
      .lost = WEBSOCKET_UNREAD },
    { FAULT_VANISHED, "a connection that ends", "csm", .end = CALL_END_CALLER, .lost = 1006 },
    { N_MEDIA_FAULTS, "a caller who closes", "csm", .end = CALL_END_CALLER, .lost = 1000 },
    { N_MEDIA_FAULTS, "a caller who goes away", "cs", .end = CALL_END_CALLER, .lost = 1001 },
};

static unsigned frames_waiting(struct leg *leg, uint8_t kind)
{
    unsigned n = 0;

    for (const struct frame *frame; (frame = leg_inbound_peek(leg)); leg_inbound_pop(leg))
        n += frame->kind == kind;
    return n;
}

/* One more message each way. */
static bool is_unharmed(struct party *who)
{
    size_t n_texts = who->socket.n_texts;
    struct frame *frame = leg_outbound_slot(who->leg, FRAME_CLEAR);

    leg_outbound_commit(who->leg);
    leg_outbound_flush(who->leg);
    settle();
    play(who, "m1", &right, NULL);
    return frame && who->socket.n_texts == n_texts + 1 && !who->socket.code &&
           frames_waiting(who->leg, FRAME_AUDIO) == 1 && !leg_released(who->leg, &(int){ 0 });
}

static void faults_beside_a_call(void)
{
    begin(&healthy);
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        uint64_t before[N_MEDIA_FAULTS], after[N_MEDIA_FAULTS];
        int end = -1, n_others = 0;

        media_fault_counts(before);
        call_in(&party, rows[i].before);
        speech_error = rows[i].speech_error;
        connect_to(&party);
        play(&party, rows[i].script, &rows[i].start, rows[i].text);
        speech_error = 0;
        if (rows[i].lost)
            end = hang_up(&party, rows[i].lost);
        else if (party.leg && leg_released(party.leg, &end) == 0)
            end = -1;
        media_fault_counts(after);
        for (int k = 0; k < N_MEDIA_FAULTS; k++)
            n_others += after[k] - before[k] != (k == (int)rows[i].fault);
        ok(party.socket.code == rows[i].code && end == rows[i].end && n_others == 0, "%s: %s",
           rows[i].what,
           rows[i].fault < N_MEDIA_FAULTS ? media_faults[rows[i].fault].name : "fine");
        if (party.socket.code != rows[i].code || end != rows[i].end)
            printf("# closed with %d, ended with %d, want %d, %d\n", party.socket.code, end,
                   rows[i].code, rows[i].end);
        hang_up(&party, 1006);
        ok(is_unharmed(&healthy), "%s: the other call did not notice", rows[i].what);
    }
    is_int(hang_up(&healthy, 1000), CALL_END_CALLER, "which ends when its caller closes");
}

/* --- audio in */

static void take_in(void)
{
    static const size_t sizes[] = { 1, 2, 3, 159, 160, 161, 162, 320, 1000 };
    uint8_t ulaw[1000];

    for (size_t i = 0; i < sizeof(ulaw); i++)
        ulaw[i] = (uint8_t)(i * 7 + 1);
    begin(&party);
    for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
        size_t n = 0;
        bool whole = true, more = true;

        say_media(&party, ulaw, sizes[i]);
        for (const struct frame *frame; (frame = leg_inbound_peek(party.leg));
             leg_inbound_pop(party.leg)) {
            whole &= frame->kind == FRAME_AUDIO && more &&
                     memcmp(frame->bytes, ulaw + n, frame->n) == 0 && frame->stamp_ms == 20 * i;
            n += frame->n;
            more = frame->flags & FRAME_MORE;
        }
        ok(whole && !more && n == sizes[i], "%zu bytes come to the worker as they are", sizes[i]);
    }

    uint64_t before[N_MEDIA_FAULTS], after[N_MEDIA_FAULTS];
    media_fault_counts(before);
    say(&party, "{\"event\":\"media\",\"media\":{\"payload\":\"AA*=\"},\"streamSid\":\"%s\"}",
        party.stream_sid);
    say(&party, "{\"event\":\"media\",\"media\":{\"payload\":\"AA\"},\"streamSid\":\"%s\"}",
        party.stream_sid);
    say(&party, "{\"event\":\"media\",\"media\":{\"payload\":\"%0*d*===\"},\"streamSid\":\"%s\"}",
        400, 0, party.stream_sid);
    media_fault_counts(after);
    is_int((long long)(after[FAULT_BAD_BASE64] - before[FAULT_BAD_BASE64]), 3,
           "bad base64 is counted");
    say(&party, "{\"event\":\"media\",\"media\":{\"payload\":\"\\/w==\"},\"streamSid\":\"%s\"}",
        party.stream_sid);
    const struct frame *frame = leg_inbound_peek(party.leg);
    ok(frame && frame->n == 1 && frame->bytes[0] == 0xff && !party.socket.code,
       "dropped, and the next message is the next frame, by json-c too");
    leg_inbound_pop(party.leg);

    play(&party, "dk", &right, NULL);
    frame = leg_inbound_peek(party.leg);
    ok(frame && frame->kind == FRAME_DTMF && frame->n == 1 && frame->bytes[0] == '5',
       "a key comes to the worker");
    leg_inbound_pop(party.leg);
    frame = leg_inbound_peek(party.leg);
    ok(frame && frame->kind == FRAME_MARK && frame->n == 3 && memcmp(frame->bytes, "7.1", 3) == 0,
       "and a mark");
    leg_inbound_pop(party.leg);

    media_fault_counts(before);
    for (int i = 0; i < 60; i++)
        play(&party, "m", &right, NULL);
    play(&party, "k", &right, NULL);
    media_fault_counts(after);
    is_int((long long)(after[FAULT_OVERRUN] - before[FAULT_OVERRUN]), 60 - (64 - RING_RESERVED),
           "what the worker has no room for is counted");
    is_int(party.socket.code, 0, "and ends no call");
    unsigned n_audio = 0, n_marks = 0;
    for (; (frame = leg_inbound_peek(party.leg)); leg_inbound_pop(party.leg)) {
        n_audio += frame->kind == FRAME_AUDIO;
        n_marks += frame->kind == FRAME_MARK;
    }
    ok(n_audio == 64 - RING_RESERVED && n_marks == 1, "a mark has room even then");
    is_int(hang_up(&party, 1000), CALL_END_CALLER, "the caller hangs up");
}

/* --- audio out */

static void put(struct party *who, enum frame_kind kind, const void *bytes, size_t n, uint8_t flags)
{
    struct frame *frame = leg_outbound_slot(who->leg, kind);

    if (!frame) {
        ok(0, "there is room in the ring");
        return;
    }
    if (n)
        memcpy(frame->bytes, bytes, n);
    frame->n = (uint16_t)n;
    frame->flags = flags;
    leg_outbound_commit(who->leg);
}

static bool is_media(struct party *who, size_t at, const uint8_t *ulaw, size_t n)
{
    char want[8192];
    int n_head = snprintf(want, sizeof(want),
                          "{\"event\":\"media\",\"streamSid\":\"%s\",\"media\":{\"payload\":\"",
                          who->stream_sid);

    base64_encode(ulaw, n, want + n_head);
    strcpy(want + n_head + BASE64_SIZE(n), "\"}}");
    return strcmp(fake_text(&who->socket, at), want) == 0;
}

static void give_out(void)
{
    uint8_t ulaw[5 * FRAME_BYTES];
    char want[256];

    for (size_t i = 0; i < sizeof(ulaw); i++)
        ulaw[i] = (uint8_t)(i * 5 + 3);
    begin(&party);
    put(&party, FRAME_AUDIO, ulaw, 160, 0);
    for (int i = 0; i < 5; i++)
        put(&party, FRAME_AUDIO, ulaw + i * FRAME_BYTES, i < 4 ? FRAME_BYTES : 7,
            i < 4 ? FRAME_MORE : 0);
    put(&party, FRAME_MARK, "3.9", 3, 0);
    put(&party, FRAME_CLEAR, NULL, 0, 0);
    put(&party, FRAME_AUDIO, ulaw, 1, 0);
    is_int((long long)party.socket.n_texts, 0, "nothing is sent before the worker rings");
    leg_outbound_flush(party.leg);
    settle();
    is_int((long long)party.socket.n_texts, 5, "then all of it");
    is_int(party.socket.n_flushed, 1, "in one write");
    ok(is_media(&party, 0, ulaw, 160), "a frame is a message");
    ok(is_media(&party, 1, ulaw, 4 * FRAME_BYTES + 7), "frames of one payload are one message");
    snprintf(want, sizeof(want),
             "{\"event\":\"mark\",\"streamSid\":\"%s\",\"mark\":{\"name\":\"3.9\"}}",
             party.stream_sid);
    is_str(fake_text(&party.socket, 2), want, "a mark");
    snprintf(want, sizeof(want), "{\"event\":\"clear\",\"streamSid\":\"%s\"}", party.stream_sid);
    is_str(fake_text(&party.socket, 3), want, "clear");
    ok(is_media(&party, 4, ulaw, 1), "one byte");

    put(&party, FRAME_AUDIO, ulaw, 160, 0);
    put(&party, FRAME_END, &(uint8_t){ CALL_END_AGENT }, 1, 0);
    leg_outbound_flush(party.leg);
    settle();
    settle(); /* by way of the writer */
    is_int(party.socket.code, 1000, "the worker's end closes with 1000");
    is_int((long long)party.socket.n_texts, 6, "after what came before it");
    is_int(hang_up(&party, 1000), CALL_END_AGENT, "and is the end of the call");
}

/* The worker ends the call: with which code is the peer told? */
static void ends(void)
{
    static const struct {
        enum call_end end;
        int code;
        enum media_fault fault;
    } endings[] = {
        { CALL_END_AGENT, 1000, N_MEDIA_FAULTS },
        { CALL_END_SILENCE, 1000, N_MEDIA_FAULTS },
        { CALL_END_DRAIN, 1000, N_MEDIA_FAULTS },
        { CALL_END_NO_MEDIA, 1008, FAULT_NO_MEDIA },
    };

    for (size_t i = 0; i < ELEMENTSOF(endings); i++) {
        uint64_t before[N_MEDIA_FAULTS], after[N_MEDIA_FAULTS];
        uint8_t end = endings[i].end;
        struct gate gate;

        media_fault_counts(before);
        begin(&party);
        settle();
        gate_shut(db, &gate);
        put(&party, FRAME_END, &end, 1, 0);
        leg_outbound_flush(party.leg);
        fake_loop_run(&loop, 0);
        if (endings[i].fault == N_MEDIA_FAULTS)
            is_int(party.socket.code, 0, "not before all that the call wrote is on disk:");
        gate_open(&gate);
        settle();
        media_fault_counts(after);
        is_int(party.socket.code, endings[i].code, call_end_name(endings[i].end));
        if (endings[i].fault < N_MEDIA_FAULTS)
            is_int((long long)(after[endings[i].fault] - before[endings[i].fault]), 1,
                   "counted as a fault");
        is_int(hang_up(&party, endings[i].code), end, "which is the end of the call");
    }
}

static void waits_for_reader(void)
{
    uint8_t ulaw[FRAME_BYTES] = { 0 };
    int n_put = 0;

    begin(&party);
    party.socket.is_stuck = 1;
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < 50 && leg_outbound_room(party.leg); i++, n_put++)
            put(&party, FRAME_AUDIO, ulaw, sizeof(ulaw), 0);
        leg_outbound_flush(party.leg);
        settle();
    }
    ok(party.socket.n_waiting > 32 * KIB && party.socket.n_waiting < 34 * KIB,
       "a peer that does not read gets no more");
    size_t n_texts = party.socket.n_texts;
    ok(n_put > (int)n_texts && !leg_outbound_room(party.leg), "the rest waits in the ring");
    play(&party, "m1", &right, NULL);
    is_int((long long)party.socket.n_texts, (long long)n_texts, "also after a batch and a second");
    party.socket.n_waiting = 0;
    party.socket.is_stuck = 0;
    play(&party, "m", &right, NULL);
    is_int((long long)party.socket.n_texts, n_put, "until he has read: all of it");
    is_int(hang_up(&party, 1000), CALL_END_CALLER, "the caller hangs up");
}

/* --- what the store keeps */

static void keeps_the_beginning(void)
{
    scoped(call_done) struct call call = { 0 };
    struct db_txn *txn;

    begin(&party);
    is_str(last_sid, party.call_sid, "the worker gets the call");
    ok(strncmp(last_from, "+97250", 6) == 0, "and its caller");
    hang_up(&party, 1000);
    db_read_begin(db, &txn);
    is_int(crm_call_get(txn, party.call_sid, &call), 0, "the call is in the store");
    db_read_end(txn);
    is_str(call.stream_sid, party.stream_sid, "with its stream");
    is_int(call.status, CALL_IN_PROGRESS, "and in progress");
}

/* What the look-up could not see yet, the writer knows. */
static void loses_the_race(void)
{
    struct gate gate;
    struct opening other = { .op = { .run = open_run, .done = gate_done, .what = "test" },
                             .stream_too = true };
    uint64_t before[N_MEDIA_FAULTS], after[N_MEDIA_FAULTS];

    media_fault_counts(before);
    call_in(&party, OPENED);
    strcpy(other.call.sid, party.call_sid);
    strcpy(other.call.stream_token, party.token);
    gate_shut(db, &gate);
    is_int(db_submit(db, &other.op), 0, "another stream of the call is on its way to the store");
    connect_to(&party);
    play(&party, "csm", &right, NULL);
    is_int(party.socket.code, 0, "which the look-up does not see");
    gate_open(&gate);
    settle();
    media_fault_counts(after);
    is_int((long long)(after[FAULT_ALREADY_STREAMED] - before[FAULT_ALREADY_STREAMED]), 1,
           "but the writer does");
    is_int(party.socket.code, 1008, "and the second stream is closed");
    is_int(hang_up(&party, 1008), CALL_END_PROTOCOL, "and its call ended");
    call_done(&other.call);
}

/* The stream ends while its beginning is still with the writer: nobody may touch what is freed. */
static void outlives_its_socket(void)
{
    struct gate gate;
    int end = -1;

    call_in(&party, OPENED);
    gate_shut(db, &gate);
    connect_to(&party);
    play(&party, "csm", &right, NULL);
    party.socket.ops->on_close(&party.socket, party.socket.user, 1000, "test");
    ok(leg_released(party.leg, &end) && end == CALL_END_CALLER,
       "a caller may close before the store has answered");
    leg_leave(party.leg);
    gate_open(&gate);
    settle();
}

static void tries_again(void)
{
    enum { QUEUE = 64 };
    static struct db_op ops[QUEUE];
    scoped(call_done) struct call call = { 0 };
    struct gate gate;
    struct db_txn *txn;
    call_in(&party, OPENED);
    gate_shut(db, &gate);
    int n = gate_crowd(db, ops, QUEUE);
    connect_to(&party);
    play(&party, "csm", &right, NULL);
    gate_open(&gate);
    settle();
    play(&party, "1m", &right, NULL);
    settle();
    db_read_begin(db, &txn);
    (void)crm_call_get(txn, party.call_sid, &call);
    db_read_end(txn);
    ok(n > 0 && n < QUEUE && party.socket.code == 0, "a full queue ends no call");
    is_str(call.stream_sid, party.stream_sid, "and the stream is kept a second later");
    hang_up(&party, 1000);
}

int main(void)
{
    struct db_options options = {
        .path = scratch_file("store"), .map_mib = 16, .slow_ms = 60000, .queue_max = 32
    };

    log_setup(LOG_ERR, NULL);
    if (db_open(&options, &db) < 0 || fake_loop_init(&loop) < 0 || inbox_new(&worker) < 0) {
        printf("Bail out! no store or loop\n");
        return 1;
    }
    config = (struct config){ .app_env = "production", .default_country = "972" };
    services = (struct services){ .config = &config, .db = db };
    if (places_new(1, &services.places) < 0)
        return 1;

    is_int(ws_media.routes[0].guard, AUTH_TWILIO, "the handshake is guarded");
    faults_beside_a_call();
    take_in();
    give_out();
    ends();
    waits_for_reader();
    keeps_the_beginning();
    loses_the_race();
    outlives_its_socket();
    tries_again();

    db_close(db);
    places_free(services.places);
    inbox_unref(worker);
    fake_loop_done(&loop);
    return done_testing();
}
