/*
 * twilio_voice.c - /webhook: a call comes in, changes its state, has been recorded
 *
 * incoming_call is answered with one line of TwiML that hands the call over to a
 * media stream, with a token that only this call's stream may bring back:
 *
 *   <Response><Connect><Stream url="wss://PUBLIC_HOST/ws/twilio-media">
 *   <Parameter name="token" value="..."/></Stream></Connect></Response>
 *
 * Connect has no action and nothing follows it: when the stream ends, by our close
 * or because it could not be opened, the call is over and Twilio hangs up. A verb
 * behind it would run after every good conversation, too. What has to be said when
 * we cannot be reached is the fallback URL's business, which Twilio asks for every
 * answer but 2xx, 503 included.
 *
 * The call, its token and its contact are kept in one write. A redelivery finds
 * them and is answered from them, i.e. in the same bytes; the new token is thrown
 * away. When all lines are taken the caller hears the busy tone, and the call is
 * kept as busy, so that a redelivery does not get through either, and the business
 * sees who tried.
 *
 * call_status and handle_recording keep whatever arrives, known or not, in any
 * order; the store sorts them out (crm.h). handle_recording may be the action of a
 * <Record>, which needs TwiML: an empty document, after which Twilio hangs up.
 */
#include "routes/routes.h"

#include <errno.h>
#include <string.h>

#include <json-c/json.h>
#include <openssl/rand.h>

#include "config.h"
#include "routes/twilio_webhook.h"
#include "services/crm.h"
#include "services/speech.h"
#include "utils/base64.h"
#include "utils/log.h"
#include "utils/text.h"

enum { TOKEN_BYTES = 32, TOKEN_LEN = 43 };

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

static bool all_lines_taken(const struct services *services)
{
    struct speech_stats stats;

    speech_stats(services->speech, &stats);
    return services->draining || stats.n_calls_live >= services->config->max_calls;
}

static int prepare_call(struct webhook *webhook, const struct http_request *request)
{
    const struct services *services = webhook->services;
    char buffer[TWILIO_HOST_MAX];
    const char *host = twilio_security_host(services->security, request, buffer);

    if (!host) {
        log_limited(LOG_ERR, NULL, "a call cannot be answered: PUBLIC_HOST is not set");
        return -EDESTADDRREQ;
    }
    (void)snprintf(webhook->host, sizeof(webhook->host), "%s", host);
    webhook->busy = all_lines_taken(services);
    return make_token(webhook->token);
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

    int r = crm_call_open(txn, &call, webhook->services->config->default_country);
    if (r < 0)
        return r;
    if (r == 1) {
        text_set(webhook->token, sizeof(webhook->token), call.stream_token);
        webhook->busy = call.status == CALL_BUSY;
        return 0;
    }
    return webhook->busy ? crm_call_status(txn, call.sid, CALL_BUSY, -1, NULL, webhook->now_ms) : 0;
}

static void add_escaped(char *text, size_t size, size_t *n_used, const char *raw)
{
    static const struct {
        char letter;
        const char *entity;
    } entities[] = {
        { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" }, { '\'', "&apos;" },
    };

    for (; *raw; raw++) {
        const char *entity = NULL;
        for (size_t i = 0; i < ELEMENTSOF(entities); i++)
            if (entities[i].letter == *raw)
                entity = entities[i].entity;
        text_add(text, size, n_used, entity ? entity : raw, entity ? strlen(entity) : 1);
    }
}

static void answer_call(struct webhook *webhook, struct http_response *response)
{
    const char *parts[] = { TWIML_HEAD "<Response><Connect><Stream url=\"wss://", webhook->host,
                            "/ws/twilio-media\"><Parameter name=\"token\" value=\"", webhook->token,
                            "\"/></Stream></Connect></Response>" };
    size_t n = 0;

    if (webhook->busy) {
        webhook_twiml(response, TWIML_HEAD "<Response><Reject reason=\"busy\"/></Response>");
        return;
    }
    for (size_t i = 0; i < ELEMENTSOF(parts); i++)
        if (i % 2)
            add_escaped(webhook->text, sizeof(webhook->text), &n, parts[i]);
        else
            text_add(webhook->text, sizeof(webhook->text), &n, parts[i], strlen(parts[i]));
    webhook_twiml(response, webhook->text);
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

/* --- call_status */

/* -1 when it did not come, or is no number. */
static int64_t sequence_of(const struct webhook *webhook)
{
    const char *text = webhook_field(webhook, "SequenceNumber");
    size_t n = strspn(text, "0123456789");

    return n && n <= 9 && !text[n] ? atoll(text) : -1;
}

/* A state we do not know moves nothing: ringing is the first of all. */
static int keep_status(struct db_txn *txn, struct webhook *webhook)
{
    const char *name = webhook_field(webhook, "CallStatus"),
               *sid = webhook_field(webhook, "CallSid");
    int status = call_status_parse(name, strlen(name));

    if (!call_sid_is_plain(sid))
        return -EINVAL;
    return crm_call_status(txn, sid, status < 0 ? CALL_RINGING : (enum call_status)status,
                           status < 0 ? -1 : sequence_of(webhook), webhook->params,
                           webhook->now_ms);
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
    { "POST", "/call_status", AUTH_TWILIO, WEBHOOK_BODY_MAX, call_status, "Follow a call's state" },
    { "POST", "/handle_recording", AUTH_TWILIO, WEBHOOK_BODY_MAX, handle_recording,
      "Keep a finished recording" },
};

const struct blueprint twilio_voice = BLUEPRINT("twilio_voice", "/webhook", routes);
