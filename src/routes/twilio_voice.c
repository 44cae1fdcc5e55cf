/*
 * twilio_voice.c - /webhook: a call comes in, its stream ends, it changes its state, has been recorded
 *
 * incoming_call is answered with one line of TwiML (voice_twiml.c) that hands the call over to a media stream, with a
 * token that only this call's stream may bring back. The call, its token and its contact are kept in one write. A
 * redelivery finds them and is answered from them, i.e. in the same bytes; the new token is thrown away.
 *
 * A call that is answered so has a place (places.h) until its stream has begun. When there is none, when those who live
 * are heard too late, or when we are about to stop, WHEN_FULL says what the caller gets: the human, a message that is
 * recorded, a few words, or the busy tone. It is kept, the last two as busy, so that a redelivery does not get through
 * either, and the business sees who tried. A stream that comes all the same when there is no room any more, after its
 * place was given up, ends, and after_stream is asked what follows.
 *
 * after_stream is asked when the stream is over, or could not be opened, and the caller is still there. What follows is
 * decided by why it ended (after_end[]): a conversation that came to its end is hung up; all else goes to a human, or
 * to a message where there is none. speech writes a call's end before it closes the stream, so the end is known here;
 * an end that is not known (the store was full, the daemon died, there never was a stream) is one of the latter: a
 * caller is rather connected once too often than hung up on. The decision is kept, and with it the answer.
 *
 * after_dial is asked when the human did not answer, or has hung up. It keeps how it went, and has a message recorded if
 * nobody was spoken to.
 *
 * call_status and handle_recording keep whatever arrives, known or not, in any order; the store sorts them out (crm.h).
 * handle_recording may be the action of a <Record>, which needs TwiML: an empty document, after which Twilio hangs up.
 */
#include "routes/routes.h"

#include <errno.h>
#include <string.h>

#include <json-c/json.h>
#include <openssl/rand.h>

#include "config.h"
#include "routes/twilio_webhook.h"
#include "routes/voice_twiml.h"
#include "services/chat.h"
#include "services/crm.h"
#include "services/places.h"
#include "services/profile.h"
#include "services/speech.h"
#include "services/stt.h"
#include "services/tts.h"
#include "utils/base64.h"
#include "utils/clock.h"
#include "utils/json.h"
#include "utils/log.h"
#include "utils/text.h"

enum { TOKEN_BYTES = 32, TOKEN_LEN = 43 };

/* --- what a caller gets instead of a stream, or after it */

static int find_host(struct webhook *webhook, const struct http_request *request)
{
    const struct services *services = webhook->services;
    char buffer[TWILIO_HOST_MAX];
    const char *host = twilio_security_host(services->security, request, buffer);

    if (!host) {
        log_limited(LOG_ERR, NULL, "a call cannot be answered: PUBLIC_HOST is not set");
        return -EDESTADDRREQ;
    }
    (void)snprintf(webhook->host, sizeof(webhook->host), "%s", host);
    return 0;
}

/* A human who can be dialled: neither the caller himself nor the number he called. */
static bool has_human(const struct webhook *webhook)
{
    const char *human = webhook->services->config->human_number;

    return human && strcmp(human, webhook_field(webhook, "From")) != 0 && strcmp(human, webhook_field(webhook, "To")) != 0;
}

static enum call_after human_or_message(const struct webhook *webhook)
{
    return has_human(webhook) ? CALL_AFTER_DIAL : CALL_AFTER_RECORD;
}

/* The call is over: nobody hears what is answered. */
static bool is_gone(const struct webhook *webhook)
{
    const char *name = webhook_field(webhook, "CallStatus");
    int status = call_status_parse(name, strlen(name));

    return status >= 0 && call_status_is_final((enum call_status)status);
}

static void dial(struct webhook *webhook)
{
    const struct config *config = webhook->services->config;
    const char *from = webhook_field(webhook, "From"), *to = webhook_field(webhook, "To");
    char number[ADDRESS_MAX];
    bool is_hidden = phone_normalise(from, config->default_country, number) < 0; /* Twilio takes telephone numbers only */

    voice_twiml_dial(webhook->text, webhook->host, config->human_number,
                     is_hidden && phone_normalise(to, "", number) == 0 ? number : NULL);
}

/* What the profile says for it; NULL nothing. */
static const char *words_of(const struct profile *profile, const char *id)
{
    const struct prompt *prompt = profile ? profile_prompt(profile, id) : NULL;

    return prompt ? prompt->text : NULL;
}

static void record(struct webhook *webhook)
{
    const struct profile *profile = webhook->services->profile;

    voice_twiml_record(webhook->text, webhook->host, words_of(profile, "leave_message"), profile ? profile->language : "");
}

static void apologise(struct webhook *webhook)
{
    const struct profile *profile = webhook->services->profile;

    voice_twiml_busy(webhook->text, words_of(profile, "lines_busy"), profile ? profile->language : "");
}

static void hang_up(struct webhook *webhook)
{
    (void)text_set(webhook->text, sizeof(webhook->text), TWIML_HANG_UP);
}

static void connect_stream(struct webhook *webhook)
{
    voice_twiml_connect(webhook->text, webhook->host, webhook->token);
}

static void answer_after(struct webhook *webhook, struct http_response *response)
{
    static void (*const writers[CALL_N_AFTER])(struct webhook *webhook) = {
        [CALL_AFTER_NONE] = connect_stream,
        [CALL_AFTER_HANG_UP] = hang_up,
        [CALL_AFTER_DIAL] = dial,
        [CALL_AFTER_RECORD] = record,
    };

    if (webhook->after == CALL_AFTER_DIAL && !webhook->services->config->human_number)
        webhook->after = CALL_AFTER_RECORD; /* it was decided before the setting was taken away */
    writers[webhook->after](webhook);
    webhook_twiml(response, webhook->text);
}

/* --- incoming_call */

/* 32 random bytes in the url-safe alphabet, without the padding. */
static int make_token(char ret_token[STREAM_TOKEN_MAX])
{
    uint8_t bytes[TOKEN_BYTES];
    char text[BASE64_SIZE(TOKEN_BYTES)];

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return -EIO;
    base64_encode(bytes, sizeof(bytes), text);
    for (size_t i = 0; i < TOKEN_LEN; i++)
        ret_token[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
    ret_token[TOKEN_LEN] = '\0';
    return 0;
}

/* A place for the call, or why there is none for it: heard too late would be one more, as are all that live. */
static enum turned_away take_place(const struct services *services, const char *sid)
{
    struct speech_stats stats;

    if (services->draining)
        return TURNED_DRAINING;
    if (speech_has_call(services->speech, sid))
        return TURNED_NOT; /* asked again */
    speech_stats(services->speech, &stats);
    if (stats.delay_ms > services->config->max_delay_ms)
        return TURNED_LATE;
    return places_take(services->places, sid, stats.n_calls_live, clock_mono_ms()) < 0 ? TURNED_FULL : TURNED_NOT;
}

static void tell_why(const struct services *services, enum turned_away why)
{
    const char *when_full = services->config->when_full;

    if (why == TURNED_FULL)
        log_limited(LOG_WARNING, NULL, "a call is turned away (WHEN_FULL=%s): MAX_CALLS %llu are live or expected", when_full,
                    (unsigned long long)services->config->max_calls);
    else if (why == TURNED_LATE)
        log_limited(LOG_WARNING, NULL, "a call is turned away (WHEN_FULL=%s): those that live are heard later than MAX_DELAY_MS", when_full);
    else
        log_limited(LOG_INFO, NULL, "a call is turned away (WHEN_FULL=%s): the daemon stops", when_full);
}

/* While Twilio opens the stream and hears the greeting, so that the first answer waits for no handshake. */
static void warm_providers(const struct services *services)
{
    if (services->stt)
        stt_warm(services->stt);
    if (services->chat)
        chat_warm(services->chat);
    if (services->tts)
        tts_warm(services->tts);
}

static int prepare_call(struct webhook *webhook, const struct http_request *request)
{
    int r = find_host(webhook, request);

    webhook->turned_away = r == 0 ? take_place(webhook->services, webhook_field(webhook, "CallSid")) : TURNED_NOT;
    webhook->busy = webhook->turned_away != TURNED_NOT;
    if (r == 0 && !webhook->busy)
        warm_providers(webhook->services);
    return r < 0 ? r : make_token(webhook->token);
}

/* Nobody of us can take it. */
static int turn_away(struct db_txn *txn, struct webhook *webhook, const char *sid)
{
    const char *when_full = webhook->services->config->when_full;
    bool is_dialled = strcmp(when_full, "human") == 0 && has_human(webhook);

    if (!is_dialled && strcmp(when_full, "record") != 0)
        return crm_call_status(txn, sid, CALL_BUSY, -1, NULL, webhook->now_ms);
    webhook->after = is_dialled ? CALL_AFTER_DIAL : CALL_AFTER_RECORD;
    return crm_call_after(txn, sid, &webhook->after, true, webhook->now_ms);
}

static int keep_call(struct db_txn *txn, struct webhook *webhook)
{
    scoped(call_done) struct call call = { .started_ms = webhook->now_ms, .sequence = -1 };

    if (!call_sid_is_plain(webhook_field(webhook, "CallSid")))
        return -EINVAL;
    text_set(call.sid, sizeof(call.sid), webhook_field(webhook, "CallSid"));
    text_set(call.account_sid, sizeof(call.account_sid), webhook_field(webhook, "AccountSid"));
    text_set(call.from, sizeof(call.from), webhook_field(webhook, "From"));
    text_set(call.to, sizeof(call.to), webhook_field(webhook, "To"));
    text_set(call.stream_token, sizeof(call.stream_token), webhook->token);
    call.params = json_object_get(webhook->params);
    webhook->after = CALL_AFTER_NONE;

    int r = crm_call_open(txn, &call, webhook->services->config->default_country);
    if (r < 0)
        return r;
    webhook->is_new = r == 0;
    if (r == 1) {
        text_set(webhook->token, sizeof(webhook->token), call.stream_token);
        webhook->busy = call.status == CALL_BUSY;
        webhook->after = call.forwarded ? call.after : CALL_AFTER_NONE;
        return 0;
    }
    return webhook->busy ? turn_away(txn, webhook, call.sid) : 0;
}

static void answer_busy(struct webhook *webhook, struct http_response *response)
{
    if (strcmp(webhook->services->config->when_full, "say") == 0)
        apologise(webhook);
    else
        (void)text_set(webhook->text, sizeof(webhook->text), TWIML_BUSY);
    webhook_twiml(response, webhook->text);
}

static void answer_call(struct webhook *webhook, struct http_response *response)
{
    const struct services *services = webhook->services;

    if (webhook->is_new && webhook->turned_away != TURNED_NOT) {
        places_count(services->places, webhook->turned_away);
        tell_why(services, webhook->turned_away);
    }
    if (webhook->busy || webhook->after != CALL_AFTER_NONE)
        places_give_back(services->places, webhook_field(webhook, "CallSid"));
    if (webhook->busy && webhook->after == CALL_AFTER_NONE)
        answer_busy(webhook, response);
    else
        answer_after(webhook, response);
}

static const struct webhook_kind call_kind = {
    .what = "an incoming call",
    .needed = { "CallSid", "From" },
    .prepare = prepare_call,
    .keep = keep_call,
    .answer = answer_call,
};

static int incoming_call(struct http_request *request, struct http_response *response)
{
    return webhook_take(request, &call_kind);
}

/* A state we do not know moves nothing: ringing is the first of all. */
static int note_status(struct db_txn *txn, struct webhook *webhook, int64_t sequence)
{
    const char *name = webhook_field(webhook, "CallStatus"), *sid = webhook_field(webhook, "CallSid");
    int status = call_status_parse(name, strlen(name));

    if (!call_sid_is_plain(sid))
        return -EINVAL;
    if (is_gone(webhook))
        places_give_back(webhook->services->places, sid);
    return crm_call_status(txn, sid, status < 0 ? CALL_RINGING : (enum call_status)status, status < 0 ? -1 : sequence,
                           webhook->params, webhook->now_ms);
}

/* --- after_stream, after_dial */

enum follow { FOLLOW_HUMAN, FOLLOW_HANG_UP };

/* The caller is still there, so where the end says that he left it was the stream that broke. */
static const enum follow after_end[CALL_N_END] = {
    [CALL_END_NONE] = FOLLOW_HUMAN,     [CALL_END_CALLER] = FOLLOW_HUMAN,    [CALL_END_AGENT] = FOLLOW_HANG_UP,
    [CALL_END_SILENCE] = FOLLOW_HANG_UP, [CALL_END_NO_MEDIA] = FOLLOW_HUMAN, [CALL_END_PROTOCOL] = FOLLOW_HUMAN,
    [CALL_END_SLOW_PEER] = FOLLOW_HUMAN, [CALL_END_DRAIN] = FOLLOW_HUMAN,    [CALL_END_LOST] = FOLLOW_HUMAN,
    [CALL_END_TOO_LONG] = FOLLOW_HANG_UP, [CALL_END_TRANSFER] = FOLLOW_HUMAN, [CALL_END_TROUBLE] = FOLLOW_HUMAN,
};

static int keep_after_stream(struct db_txn *txn, struct webhook *webhook)
{
    scoped(call_done) struct call call = { 0 };
    const char *sid = webhook_field(webhook, "CallSid");
    int r = note_status(txn, webhook, -1);

    if (r >= 0)
        r = crm_call_get(txn, sid, &call);
    if (r < 0)
        return r;
    webhook->after = is_gone(webhook) || after_end[call.end] == FOLLOW_HANG_UP ? CALL_AFTER_HANG_UP : human_or_message(webhook);
    r = crm_call_after(txn, sid, &webhook->after, false, webhook->now_ms);
    return r < 0 ? r : 0;
}

static const struct webhook_kind after_stream_kind = {
    .what = "the end of a stream",
    .needed = { "CallSid" },
    .prepare = find_host,
    .keep = keep_after_stream,
    .answer = answer_after,
};

static int after_stream(struct http_request *request, struct http_response *response)
{
    return webhook_take(request, &after_stream_kind);
}

static bool was_spoken_to(struct json_object *dial)
{
    const char *status = json_get_text(dial, "DialCallStatus") ?: "";

    return strcmp(status, "completed") == 0 || strcmp(status, "answered") == 0;
}

static int keep_after_dial(struct db_txn *txn, struct webhook *webhook)
{
    scoped(call_done) struct call call = { 0 };
    const char *sid = webhook_field(webhook, "CallSid");
    int r = note_status(txn, webhook, -1);

    if (r >= 0)
        r = crm_call_dial(txn, sid, webhook->params, webhook->now_ms);
    if (r >= 0)
        r = crm_call_get(txn, sid, &call);
    if (r < 0)
        return r;
    webhook->after = is_gone(webhook) || was_spoken_to(call.dial) ? CALL_AFTER_HANG_UP : CALL_AFTER_RECORD;
    return 0;
}

static const struct webhook_kind after_dial_kind = {
    .what = "how dialling a human went",
    .needed = { "CallSid" },
    .prepare = find_host,
    .keep = keep_after_dial,
    .answer = answer_after,
};

static int after_dial(struct http_request *request, struct http_response *response)
{
    return webhook_take(request, &after_dial_kind);
}

/* --- call_status */

/* -1 when it did not come, or is no number. */
static int64_t sequence_of(const struct webhook *webhook)
{
    const char *text = webhook_field(webhook, "SequenceNumber");
    size_t n = strspn(text, "0123456789");

    return n && n <= 9 && !text[n] ? atoll(text) : -1;
}

static int keep_status(struct db_txn *txn, struct webhook *webhook)
{
    return note_status(txn, webhook, sequence_of(webhook));
}

static void answer_status(struct webhook *webhook, struct http_response *response)
{
    response->status = 204;
}

static const struct webhook_kind status_kind = {
    .what = "a call's status",
    .needed = { "CallSid" },
    .keep = keep_status,
    .answer = answer_status,
};

static int call_status(struct http_request *request, struct http_response *response)
{
    return webhook_take(request, &status_kind);
}

/* --- handle_recording */

/* The action of a <Record> brings the URL only; its last part is the SID. */
static int prepare_recording(struct webhook *webhook, const struct http_request *request)
{
    const char *slash = strrchr(webhook_field(webhook, "RecordingUrl"), '/');

    if (*webhook_field(webhook, "RecordingSid") || !slash || strncmp(slash, "/RE", 3) != 0)
        return 0;

    size_t n = 1 + strspn(slash + 1, "REabcdef0123456789");
    struct json_object *sid = json_object_new_string_len(slash + 1, (int)n - 1);
    return sid && json_object_object_add(webhook->params, "RecordingSid", sid) == 0 ? 0 : -ENOMEM;
}

static int keep_recording(struct db_txn *txn, struct webhook *webhook)
{
    const char *sid = webhook_field(webhook, "CallSid");

    if (!call_sid_is_plain(sid))
        return -EINVAL;
    if (!*webhook_field(webhook, "RecordingSid"))
        return 0; /* a <Record> that recorded nothing */
    return crm_call_recording(txn, sid, webhook->params, webhook->now_ms);
}

static void answer_recording(struct webhook *webhook, struct http_response *response)
{
    webhook_twiml(response, TWIML_EMPTY);
}

static const struct webhook_kind recording_kind = {
    .what = "a recording",
    .needed = { "CallSid" },
    .prepare = prepare_recording,
    .keep = keep_recording,
    .answer = answer_recording,
};

static int handle_recording(struct http_request *request, struct http_response *response)
{
    return webhook_take(request, &recording_kind);
}

static const struct route routes[] = {
    { "POST", "/incoming_call", AUTH_TWILIO, WEBHOOK_BODY_MAX, incoming_call,
      "Answer a call with a media stream" },
    { "POST", "/after_stream", AUTH_TWILIO, WEBHOOK_BODY_MAX, after_stream,
      "Hang up, dial a human or record a message when a stream is over" },
    { "POST", "/after_dial", AUTH_TWILIO, WEBHOOK_BODY_MAX, after_dial,
      "Keep how dialling a human went; record a message if it did not" },
    { "POST", "/call_status", AUTH_TWILIO, WEBHOOK_BODY_MAX, call_status, "Follow a call's state" },
    { "POST", "/handle_recording", AUTH_TWILIO, WEBHOOK_BODY_MAX, handle_recording,
      "Keep a finished recording" },
};

const struct blueprint twilio_voice = BLUEPRINT("twilio_voice", "/webhook", routes);
