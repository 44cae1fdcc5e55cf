/*
 * caller.c - one simulated call on a media stream
 *
 * Three things run beside each other:
 *
 *   the line     a frame leaves at open + k * 20 ms, whatever else happens: the
 *                20 ms before, of speech of the turn that is being said, or silence
 *   the ear      the play-out queue (playback.c) plays what the agent sends and
 *                echoes its marks; a span is a stretch of audible audio without
 *                a pause of pause_us in what is played and queued
 *   the turns    the next one begins when the agent has spoken since the last
 *                and his span is over, or barge_ms into a span, or when patience
 *                ends; decided once per frame, so that turns begin on frames
 *
 * `start` follows `connected` one frame later: in between a server may not send,
 * and this is where one that does is caught.
 */
#include "caller/caller.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "caller/message.h"
#include "caller/playback.h"
#include "utils/audio.h"
#include "utils/base64.h"

enum {
    KEY_GAP_US = 240000,
    KEY_WAIT_US = 500000,
    ECHO_GRACE_US = 3000000,
    PONG_US = 1000000,
    UNHEARD_US = 100000,
    TEXT_MAX = 512
};

static const char ping_text[] = "are you there?";

enum line { LINE_CLOSED, LINE_CONNECTED, LINE_STARTED, LINE_STOPPED };

enum doing { LISTENING, SPEAKING, KEYING, SILENT };

struct caller {
    struct caller_options options;
    const struct caller_ops *ops;
    void *user;
    struct playback *playback;
    struct caller_counts counts;
    struct echo echo;

    enum line line;
    uint64_t open_us, frame_us; /* frame_us: when the next frame is due */
    uint32_t sequence, chunk;
    bool pinged, ponged;

    enum doing doing;
    size_t turn;            /* index of the next one, or of the one under way */
    size_t position;        /* in its audio or keys */
    uint64_t next_us;       /* KEYING: the next key; SILENT: the end */
    uint64_t voice_us;      /* when our speech of this turn begins to sound */
    uint64_t said_us;       /* when the last turn was over */
    uint64_t reply_from_us; /* the reaction is measured from here; 0: no answer is awaited */
    bool answered;          /* the agent has spoken since the last turn */

    bool span; /* the agent is speaking */
    uint64_t span_from_us;
};

static void emit(struct caller *caller, enum caller_event_kind kind, uint64_t at_us,
                 uint64_t took_us, int64_t reaction_us)
{
    struct caller_event event = { kind, at_us, NULL, took_us, reaction_us };

    if (kind == CALLER_SPEAKS)
        event.turn = &caller->options.script->turns[caller->turn];
    caller->ops->on_event(caller->user, &event);
}

/* --- messages to the server */

static void send_text(struct caller *caller, const char *text, size_t n)
{
    caller->ops->send(caller->user, WS_TEXT, text, n);
}

/* For the rare ones. Takes the object. */
static void send_json(struct caller *caller, struct json_object *json)
{
    const int flags = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;
    size_t n = 0;
    const char *text = json_object_to_json_string_length(json, flags, &n);

    send_text(caller, text, n);
    json_object_put(json);
}

static void put_text(struct json_object *object, const char *key, const char *text)
{
    json_object_object_add(object, key, json_object_new_string(text));
}

/* A message of the stream, counted, with its inner object yet to be filled. */
static struct json_object *begin_json(struct caller *caller, const char *event,
                                      struct json_object *inner)
{
    struct json_object *json = json_object_new_object();
    char number[16];

    (void)snprintf(number, sizeof(number), "%u", ++caller->sequence);
    put_text(json, "event", event);
    put_text(json, "sequenceNumber", number);
    json_object_object_add(json, event, inner);
    put_text(json, "streamSid", caller->options.stream_sid);
    return json;
}

static void send_connected(struct caller *caller)
{
    static const char text[] =
        "{\"event\":\"connected\",\"protocol\":\"Call\",\"version\":\"1.0.0\"}";

    send_text(caller, text, sizeof(text) - 1);
}

static void send_start(struct caller *caller)
{
    const struct caller_options *options = &caller->options;
    struct json_object *start = json_object_new_object(), *format = json_object_new_object();
    struct json_object *parameters = json_object_new_object(), *tracks = json_object_new_array();

    put_text(start, "accountSid", options->account_sid);
    put_text(start, "streamSid", options->stream_sid);
    put_text(start, "callSid", options->call_sid);
    json_object_array_add(tracks, json_object_new_string("inbound"));
    json_object_object_add(start, "tracks", tracks);
    put_text(format, "encoding", "audio/x-mulaw");
    json_object_object_add(format, "sampleRate", json_object_new_int(8000));
    json_object_object_add(format, "channels", json_object_new_int(1));
    json_object_object_add(start, "mediaFormat", format);
    for (size_t i = 0; i < options->n_parameters; i++)
        put_text(parameters, options->parameters[i].name, options->parameters[i].value);
    json_object_object_add(start, "customParameters", parameters);
    send_json(caller, begin_json(caller, "start", start));
}

static void send_stop(struct caller *caller)
{
    struct json_object *stop = json_object_new_object();

    put_text(stop, "accountSid", caller->options.account_sid);
    put_text(stop, "callSid", caller->options.call_sid);
    send_json(caller, begin_json(caller, "stop", stop));
}

static void send_key(struct caller *caller, char key)
{
    struct json_object *dtmf = json_object_new_object();

    put_text(dtmf, "track", "inbound_track");
    put_text(dtmf, "digit", (const char[]){ key, '\0' });
    send_json(caller, begin_json(caller, "dtmf", dtmf));
    caller->counts.n_keys++;
}

static void send_mark(void *user, uint64_t at_us, const char *name)
{
    struct caller *caller = user;

    if (caller->line != LINE_STARTED)
        return;
    struct json_object *mark = json_object_new_object();
    put_text(mark, "name", name);
    send_json(caller, begin_json(caller, "mark", mark));
}

/* The one that leaves fifty times a second, in one piece. */
static void send_audio(struct caller *caller, const uint8_t ulaw[CALLER_FRAME])
{
    char text[TEXT_MAX + BASE64_SIZE(CALLER_FRAME)];
    unsigned long long timestamp_ms = caller->chunk * (CALLER_FRAME_US / 1000ull);

    int n = snprintf(text, TEXT_MAX,
                     "{\"event\":\"media\",\"sequenceNumber\":\"%u\","
                     "\"media\":{\"track\":\"inbound\",\"chunk\":\"%u\","
                     "\"timestamp\":\"%llu\",\"payload\":\"",
                     ++caller->sequence, caller->chunk + 1, timestamp_ms);
    base64_encode(ulaw, CALLER_FRAME, text + n);
    n += BASE64_SIZE(CALLER_FRAME);
    n += snprintf(text + n, sizeof(text) - (size_t)n, "\"},\"streamSid\":\"%.34s\"}",
                  caller->options.stream_sid);
    send_text(caller, text, (size_t)n);
    caller->chunk++;
    caller->counts.n_frames_sent++;
}

/* --- the ear */

static void start_span(struct caller *caller, uint64_t at_us)
{
    int64_t reaction_us = -1;

    caller->span = true;
    caller->span_from_us = at_us;
    if (caller->doing == LISTENING || at_us >= caller->reply_from_us)
        caller->answered = true;
    if (caller->reply_from_us && at_us >= caller->reply_from_us) {
        reaction_us = (int64_t)(at_us - caller->reply_from_us);
        caller->reply_from_us = 0;
    }
    emit(caller, CALLER_AGENT_STARTS, at_us, 0, reaction_us);
}

static void end_span(struct caller *caller)
{
    uint64_t end_us = playback_audible_us(caller->playback);

    caller->span = false;
    emit(caller, CALLER_AGENT_ENDS, end_us, end_us - caller->span_from_us, -1);
}

static void hear(void *user, uint64_t at_us, const uint8_t *ulaw, size_t n)
{
    struct caller *caller = user;

    if (caller->ops->on_audio)
        caller->ops->on_audio(caller->user, true, at_us, ulaw, n);
    for (size_t i = 0; !caller->span && !caller->options.echo && i < n; i++)
        if (playback_sample_audible(ulaw[i]))
            start_span(caller, at_us + i * PLAYBACK_SAMPLE_US);
}

/* Play, and notice that the agent has finished. */
static void listen(struct caller *caller, uint64_t now_us)
{
    playback_advance(caller->playback, now_us);
    if (caller->span && playback_audible_us(caller->playback) + caller->options.pause_us <= now_us)
        end_span(caller);
}

static const struct playback_ops playback_ops = { hear, send_mark };

static void take_audio(struct caller *caller, const struct message *message, uint64_t now_us)
{
    caller->counts.n_audio_messages++;
    caller->counts.n_audio_bytes += message->n_ulaw;
    if (caller->options.echo)
        echo_take(&caller->echo, message->ulaw, message->n_ulaw, now_us,
                  caller->options.round_trips);
    if (playback_audio(caller->playback, message->ulaw, message->n_ulaw, now_us) == -ENOBUFS)
        caller->ops->on_breach(caller->user, BREACH_OVERFLOW, "");
}

static void take_mark(struct caller *caller, const struct message *message, uint64_t now_us)
{
    caller->counts.n_marks++;
    (void)playback_mark(caller->playback, message->name, now_us);
}

/* What is cleared in the middle of a span ends it, and is no answer to what we said into it. */
static void take_clear(struct caller *caller, const struct message *message, uint64_t now_us)
{
    int64_t reaction_us =
        caller->voice_us && now_us > caller->voice_us ? (int64_t)(now_us - caller->voice_us) : -1;

    caller->counts.n_clears++;
    size_t n_dropped = playback_clear(caller->playback, now_us);
    caller->voice_us = 0;
    emit(caller, CALLER_CLEARED, now_us, n_dropped * PLAYBACK_SAMPLE_US, reaction_us);
    if (!caller->span)
        return;
    end_span(caller);
    caller->answered = caller->doing == LISTENING && reaction_us < 0;
}

void caller_text(struct caller *caller, const char *text, size_t n, uint64_t now_us)
{
    static void (*const takers[])(struct caller *, const struct message *, uint64_t) = {
        [MESSAGE_AUDIO] = take_audio,
        [MESSAGE_MARK] = take_mark,
        [MESSAGE_CLEAR] = take_clear,
    };
    struct message message;
    char why[MESSAGE_WHY_MAX] = "out of memory";

    if (caller->line == LINE_STOPPED) /* was under way when we hung up */
        return;
    caller->counts.n_messages++;
    if (caller->line != LINE_STARTED) {
        caller->ops->on_breach(caller->user, BREACH_EARLY, "");
        return;
    }
    listen(caller, now_us);
    if (message_parse(text, n, caller->options.stream_sid, &message, why) < 0) {
        caller->ops->on_breach(caller->user, BREACH_MESSAGE, why);
        return;
    }
    takers[message.event](caller, &message, now_us);
    message_done(&message);
}

void caller_pong(struct caller *caller, const uint8_t *bytes, size_t n)
{
    if (n == sizeof(ping_text) - 1 && memcmp(bytes, ping_text, n) == 0)
        caller->ponged = true;
}

/* --- the turns */

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t quiet_since(const struct caller *caller)
{
    return later(later(caller->open_us, caller->said_us), playback_audible_us(caller->playback));
}

static bool turn_due(struct caller *caller, uint64_t at_us)
{
    const struct script *script = caller->options.script;

    if (caller->doing != LISTENING || !script || caller->turn == script->n_turns)
        return false;

    int barge_ms = script->turns[caller->turn].barge_ms;
    if (barge_ms != SCRIPT_NO_BARGE && caller->span && caller->answered)
        return at_us >= caller->span_from_us + (uint64_t)barge_ms * 1000;
    if (caller->span)
        return false;
    if (caller->answered)
        return at_us >= quiet_since(caller) + caller->options.pause_us;
    if (at_us < quiet_since(caller) + caller->options.patience_us)
        return false;
    emit(caller, CALLER_IMPATIENT, at_us, 0, -1);
    return true;
}

static void begin_turn(struct caller *caller, uint64_t at_us)
{
    static const enum doing doings[] = {
        [SCRIPT_SPEECH] = SPEAKING,
        [SCRIPT_KEYS] = KEYING,
        [SCRIPT_SILENCE] = SILENT,
    };
    const struct script_turn *turn = &caller->options.script->turns[caller->turn];

    caller->doing = doings[turn->kind];
    caller->position = 0;
    caller->answered = false;
    caller->next_us = turn->kind == SCRIPT_SILENCE ? at_us + turn->silence_us : at_us;
    if (turn->kind == SCRIPT_SPEECH) {
        uint64_t said_from_us = at_us - CALLER_FRAME_US;
        caller->voice_us = caller->span ? said_from_us + turn->from * PLAYBACK_SAMPLE_US : 0;
        caller->reply_from_us = said_from_us + turn->to * PLAYBACK_SAMPLE_US;
    }
    emit(caller, CALLER_SPEAKS, at_us,
         turn->kind == SCRIPT_SPEECH ? turn->n_ulaw * PLAYBACK_SAMPLE_US : turn->silence_us, -1);
}

static void end_turn(struct caller *caller, uint64_t at_us)
{
    /* he began to speak over us, not we over him: that is an answer; a silence needs none */
    if ((caller->span && !caller->voice_us) || caller->doing == SILENT)
        caller->answered = true;
    caller->doing = LISTENING;
    caller->said_us = at_us;
    caller->counts.n_turns_said++;
    caller->turn++;
}

static void press_keys(struct caller *caller, const char *keys, uint64_t at_us)
{
    if (caller->next_us > at_us)
        return;
    char key = keys[caller->position];
    if (key == '\0') {
        end_turn(caller, at_us);
        return;
    }
    caller->position++;
    caller->next_us += key == 'w' ? KEY_WAIT_US : KEY_GAP_US;
    if (key == 'w')
        return;
    send_key(caller, key);
    caller->reply_from_us = at_us;
}

/* What the line carries in the frame that leaves at at_us, and was said in the 20 ms before. */
static void fill_frame(struct caller *caller, uint64_t at_us, uint8_t frame[CALLER_FRAME])
{
    memset(frame, ULAW_SILENCE, CALLER_FRAME);
    if (turn_due(caller, at_us))
        begin_turn(caller, at_us);
    if (caller->doing == LISTENING)
        return;

    const struct script_turn *turn = &caller->options.script->turns[caller->turn];
    if (caller->doing == KEYING) {
        press_keys(caller, turn->keys, at_us);
    } else if (caller->doing == SILENT) {
        if (at_us >= caller->next_us)
            end_turn(caller, at_us);
    } else {
        size_t n_left = turn->n_ulaw - caller->position;
        size_t n = n_left < CALLER_FRAME ? n_left : CALLER_FRAME;
        memcpy(frame, turn->ulaw + caller->position, n);
        caller->position += n;
        if (caller->position == turn->n_ulaw)
            end_turn(caller, at_us);
    }
}

/* --- the line */

static bool wants_to_hang_up(const struct caller *caller, uint64_t at_us)
{
    const struct caller_options *options = &caller->options;
    bool over = options->length_us && at_us >= caller->open_us + options->length_us;

    if (options->echo)
        return over && (echo_n_missing(&caller->echo) == 0 ||
                        at_us >= caller->open_us + options->length_us + ECHO_GRACE_US);
    return over || (caller->doing == LISTENING && !caller->span &&
                    (!options->script || caller->turn == options->script->n_turns) &&
                    at_us >= quiet_since(caller) + options->linger_us);
}

static void frame_of(struct caller *caller, uint64_t at_us, uint64_t now_us)
{
    const struct caller_options *options = &caller->options;
    uint8_t frame[CALLER_FRAME];

    if (wants_to_hang_up(caller, at_us)) {
        caller_hang_up(caller, now_us);
        return;
    }
    if (options->echo && options->length_us && at_us >= caller->open_us + options->length_us)
        return; /* all is said: wait for the rest to come back */
    if (options->lags)
        spread_add(options->lags, now_us - at_us);
    if (options->echo)
        echo_stamp(&caller->echo, frame, now_us);
    else
        fill_frame(caller, at_us, frame);
    send_audio(caller, frame);
    if (caller->ops->on_audio)
        caller->ops->on_audio(caller->user, false, at_us - CALLER_FRAME_US, frame, CALLER_FRAME);
}

static void send_ping(struct caller *caller)
{
    caller->ops->send(caller->user, WS_PING, ping_text, sizeof(ping_text) - 1);
    caller->pinged = true;
}

void caller_tick(struct caller *caller, uint64_t now_us)
{
    if (caller->line != LINE_CONNECTED && caller->line != LINE_STARTED)
        return;
    listen(caller, now_us);
    while (caller->line != LINE_STOPPED && caller->frame_us <= now_us) {
        if (caller->line == LINE_STARTED) {
            frame_of(caller, caller->frame_us, now_us);
        } else {
            send_start(caller);
            send_ping(caller);
            caller->line = LINE_STARTED;
        }
        caller->frame_us += CALLER_FRAME_US;
    }
}

uint64_t caller_deadline(const struct caller *caller)
{
    uint64_t mark_us = playback_deadline(caller->playback);

    if (caller->line != LINE_CONNECTED && caller->line != LINE_STARTED)
        return UINT64_MAX;
    return mark_us < caller->frame_us ? mark_us : caller->frame_us;
}

void caller_open(struct caller *caller, uint64_t now_us)
{
    caller->open_us = now_us;
    caller->frame_us = now_us + CALLER_FRAME_US;
    caller->line = LINE_CONNECTED;
    send_connected(caller);
}

static void check_pong(struct caller *caller, uint64_t now_us)
{
    if (caller->pinged && !caller->ponged && now_us > caller->open_us + PONG_US)
        caller->ops->on_breach(caller->user, BREACH_PONG, "");
}

void caller_hang_up(struct caller *caller, uint64_t now_us)
{
    if (caller->line != LINE_CONNECTED && caller->line != LINE_STARTED)
        return;
    check_pong(caller, now_us);
    if (caller->line == LINE_STARTED)
        send_stop(caller);
    caller->line = LINE_STOPPED;
    emit(caller, CALLER_HANGS_UP, now_us, 0, -1);
}

void caller_server_closed(struct caller *caller, int code, uint64_t now_us)
{
    char detail[64];

    if (caller->line != LINE_CONNECTED && caller->line != LINE_STARTED)
        return;
    listen(caller, now_us);
    caller->line = LINE_STOPPED;
    if (caller->span)
        end_span(caller);
    (void)snprintf(detail, sizeof(detail), "code %d", code);
    if (code == 1006)
        caller->ops->on_breach(caller->user, BREACH_DROPPED, "");
    else if (code != 1000)
        caller->ops->on_breach(caller->user, BREACH_CLOSE_CODE, detail);
    check_pong(caller, now_us);

    uint64_t audible_us = playback_audible_us(caller->playback);
    if (code == 1000 && !caller->options.echo && audible_us > now_us + UNHEARD_US) {
        (void)snprintf(detail, sizeof(detail), "%.1f s", (double)(audible_us - now_us) / 1e6);
        caller->ops->on_breach(caller->user, BREACH_UNHEARD, detail);
    }
}

/* --- from and to nothing */

int caller_new(const struct caller_options *options, const struct caller_ops *ops, void *user,
               struct caller **ret_caller)
{
    struct caller *caller = calloc(1, sizeof(*caller));

    if (!caller)
        return -ENOMEM;
    caller->options = *options;
    caller->ops = ops;
    caller->user = user;
    caller->echo.call = options->number;
    int r = playback_new(&playback_ops, caller, &caller->playback);
    if (r < 0) {
        caller_free(caller);
        return r;
    }
    *ret_caller = caller;
    return 0;
}

void caller_free(struct caller *caller)
{
    if (!caller)
        return;
    playback_free(caller->playback);
    free(caller);
}

const struct caller_counts *caller_counts(const struct caller *caller)
{
    return &caller->counts;
}

const struct echo *caller_echo(const struct caller *caller)
{
    return &caller->echo;
}
