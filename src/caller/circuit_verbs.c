/*
 * circuit_verbs.c - one call of the exchange: its webhooks, and the documents they are answered with
 *
 * A human who is dialled answers as --dial says, and talks for a few seconds that do not pass; what is said or played
 * takes no time either. A message is recorded as if the caller had spoken one.
 */
#include "caller/circuit_state.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "utils/clock.h"
#include "utils/form.h"

enum { DOCUMENTS_MAX = 10, PAIRS_MAX = 32 };

#define DIAL_SECONDS "12"
#define RECORD_SECONDS "5"

struct pair {
    const char *name, *value;
};

static char *make_form(const struct pair *pairs, size_t n_pairs, size_t *ret_n)
{
    char *body = NULL;
    FILE *out = open_memstream(&body, ret_n);

    if (!out)
        return NULL;
    for (size_t i = 0; i < n_pairs; i++)
        form_write(out, pairs[i].name, pairs[i].value);
    fclose(out);
    return body;
}

/* POST a signed form to the webhook's host. */
static void post(struct circuit *circuit, const struct url *url, const char *signed_url,
                 const struct wire_ops *ops, const struct pair *pairs, size_t n_pairs)
{
    size_t n_body = 0;
    scoped(free) char *body = make_form(pairs, n_pairs, &n_body);
    FILE *out = open_memstream(&circuit->request, &circuit->n_request);
    char idempotency[33];

    if (out) {
        circuit_random_hex(idempotency, sizeof(idempotency) - 1);
        circuit_write_head(out, circuit, "POST", url->target, circuit->shared->host, signed_url, body,
                   n_body);
        fprintf(
            out,
            "Accept: */*\r\nContent-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n"
            "I-Twilio-Idempotency-Token: %s\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
            idempotency, n_body);
        fwrite(body, 1, n_body, out);
        fclose(out);
    }
    circuit_start_request(circuit, &circuit->shared->address, ops);
}

static void no_connection(struct wire *wire, void *user, int error, const char *why)
{
    struct circuit *circuit = user;

    circuit_say(circuit, "error", why);
    circuit_conclude(circuit, OUTCOME_NO_CONNECTION);
}

/* --- the webhook and its TwiML */

static bool is_twiml_type(const char *type)
{
    static const char *const types[] = { "text/xml", "application/xml", "text/html" };
    size_t n = type ? strcspn(type, "; \t") : 0;

    for (size_t i = 0; i < ELEMENTSOF(types); i++)
        if (n == strlen(types[i]) && strncasecmp(type, types[i], n) == 0)
            return true;
    return false;
}

static void take_twiml(struct circuit *circuit, const struct answer *answer)
{
    const char *type = answer_field(answer, "content-type"), *why = "";
    char detail[64];

    if (circuit->n_documents++ == 0)
        circuit->result->webhook_status = answer->status;
    twiml_done(&circuit->twiml);
    if (answer->status / 100 != 2) {
        (void)snprintf(detail, sizeof(detail), "%d", answer->status);
        circuit_report(circuit, BREACH_WEBHOOK_STATUS, detail);
        circuit_conclude(circuit, OUTCOME_WEBHOOK);
        return;
    }
    if (!is_twiml_type(type))
        circuit_report(circuit, BREACH_WEBHOOK_TYPE, type ? type : "none");
    if (answer->n_body == 0) {
        circuit_report(circuit, BREACH_WEBHOOK_EMPTY, "");
        circuit_conclude(circuit, OUTCOME_WEBHOOK);
    } else if (answer->n_body > TWIML_BYTES_MAX) {
        circuit_report(circuit, BREACH_WEBHOOK_LONG, "");
        circuit_conclude(circuit, OUTCOME_WEBHOOK);
    } else if (twiml_parse(answer->body, answer->n_body, &circuit->twiml, &why) < 0) {
        circuit_report(circuit, BREACH_TWIML_PARSE, why);
        circuit_conclude(circuit, OUTCOME_WEBHOOK);
    } else {
        twiml_check(&circuit->twiml, answer->body, answer->n_body, circuit_report, circuit);
        circuit_say(circuit, "twiml", answer->body);
        circuit_drop_wire(circuit);
        circuit->verb = 0;
        circuit_enter(circuit, STAGE_VERB_DUE, 0);
    }
}

static size_t take_webhook_bytes(struct wire *wire, void *user, uint8_t *bytes, size_t n, bool eof)
{
    struct circuit *circuit = user;
    struct answer answer;
    size_t n_taken;

    int r = circuit_take_response(circuit, bytes, n, eof, BREACH_WEBHOOK_STATUS, &answer, &n_taken);
    if (r < 0)
        circuit_conclude(circuit, OUTCOME_WEBHOOK);
    if (r > 0) {
        take_twiml(circuit, &answer);
        answer_done(&answer);
    }
    return n_taken;
}

static const struct wire_ops webhook_ops = { circuit_send_request, take_webhook_bytes, no_connection };

/* The pairs of any webhook about the call, then those in more, up to one without a name. Returns: how many. */
static size_t fill_pairs(const struct circuit *circuit, const char *status, const struct pair *more, struct pair pairs[PAIRS_MAX])
{
    const struct exchange_options *options = circuit->shared->options;
    const struct pair all[] = {
        { "AccountSid", options->account_sid }, { "ApiVersion", "2010-04-01" }, { "CallSid", circuit->result->call_sid },
        { "CallStatus", status },               { "Called", options->to },      { "Caller", options->from },
        { "Direction", "inbound" },             { "From", options->from },      { "To", options->to },
    };
    size_t n = ELEMENTSOF(all);

    memcpy(pairs, all, sizeof(all));
    for (; more->name && n < PAIRS_MAX; more++)
        if (more->value)
            pairs[n++] = *more;
    return n;
}

void circuit_start_webhook(struct circuit *circuit)
{
    static const struct pair places[] = {
        { "CalledCity", "" }, { "CalledCountry", "" }, { "CalledState", "" }, { "CalledZip", "" }, { "CallerCity", "" },
        { "CallerCountry", "" }, { "CallerState", "" }, { "CallerZip", "" }, { "FromCity", "" }, { "FromCountry", "" },
        { "FromState", "" }, { "FromZip", "" }, { "ToCity", "" }, { "ToCountry", "" }, { "ToState", "" }, { "ToZip", "" },
        { NULL, NULL },
    };
    const struct circuit_shared *shared = circuit->shared;
    struct pair pairs[PAIRS_MAX];
    size_t n = fill_pairs(circuit, "ringing", places, pairs);

    circuit->began_us = clock_mono_us();
    circuit_enter(circuit, STAGE_WEBHOOK, ANSWER_US);
    circuit_say(circuit, "calls", circuit->result->call_sid);
    post(circuit, &shared->webhook, shared->webhook_signed, &webhook_ops, pairs, n);
}

/* --- verbs */

static const struct twiml_node *verb_of(const struct circuit *circuit)
{
    return &circuit->twiml.nodes[circuit->verb];
}

void circuit_verb_over(struct circuit *circuit)
{
    bool has_action = twiml_attribute(verb_of(circuit), "action");

    circuit_enter(circuit, has_action ? STAGE_ACTION_DUE : STAGE_VERB_DUE, 0);
}

static void run_connect(struct circuit *circuit)
{
    circuit->action = ACTION_STREAM;
    circuit->stream = twiml_find(&circuit->twiml, "Stream", circuit->verb, circuit->verb);
    if (circuit->stream < 0)
        circuit_conclude(circuit, OUTCOME_NO_STREAM);
    else
        circuit_enter(circuit, STAGE_STREAM_DUE, 0);
}

static void run_dial(struct circuit *circuit)
{
    struct exchange_result *result = circuit->result;
    int number = twiml_find(&circuit->twiml, "Number", circuit->verb, circuit->verb);

    circuit->action = ACTION_DIAL;
    (void)snprintf(result->dialled, sizeof(result->dialled), "%s",
                   number < 0 ? verb_of(circuit)->text : circuit->twiml.nodes[number].text);
    circuit_say(circuit, "dials", result->dialled);
    circuit_say(circuit, "human", circuit->shared->options->dial_status);
    circuit_verb_over(circuit);
}

static void run_record(struct circuit *circuit)
{
    circuit->action = ACTION_RECORD;
    circuit->result->n_recorded++;
    circuit_say(circuit, "records", RECORD_SECONDS " s");
    if (!twiml_attribute(verb_of(circuit), "action")) {
        circuit_report(circuit, BREACH_TWIML_SCHEMA, "a <Record> without an action asks for its own document for ever");
        circuit_conclude(circuit, OUTCOME_HANDED_OVER);
    } else if (twiml_attribute(verb_of(circuit), "recordingStatusCallback")) {
        circuit_enter(circuit, STAGE_NOTICE_DUE, 0);
    } else {
        circuit_verb_over(circuit);
    }
}

static void run_quietly(struct circuit *circuit)
{
    char detail[200];

    (void)snprintf(detail, sizeof(detail), "<%.40s> %.140s", verb_of(circuit)->name, verb_of(circuit)->text);
    circuit_say(circuit, "then", detail);
    circuit_enter(circuit, STAGE_VERB_DUE, 0);
}

static void run_hangup(struct circuit *circuit)
{
    circuit_conclude(circuit, circuit->result->dialled[0] || circuit->result->n_recorded ? OUTCOME_HANDED_OVER : OUTCOME_NO_STREAM);
}

static void run_reject(struct circuit *circuit)
{
    circuit_say(circuit, "then", "<Reject>");
    circuit_conclude(circuit, OUTCOME_REJECTED);
}

static const struct {
    const char *name;
    void (*run)(struct circuit *circuit);
} verbs[] = {
    { "Connect", run_connect }, { "Dial", run_dial },     { "Record", run_record },
    { "Hangup", run_hangup },   { "Reject", run_reject },
};

void circuit_next_verb(struct circuit *circuit)
{
    const struct twiml *twiml = &circuit->twiml;

    if (circuit->n_documents > DOCUMENTS_MAX) {
        circuit_report(circuit, BREACH_TWIML_SCHEMA, "one document leads to the next without end");
        run_hangup(circuit);
        return;
    }
    while (++circuit->verb < (int)twiml->n_nodes)
        if (twiml->nodes[circuit->verb].parent == 0)
            break;
    if (circuit->verb >= (int)twiml->n_nodes) {
        run_hangup(circuit); /* the end of the document */
        return;
    }
    for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
        if (strcmp(verbs[i].name, verb_of(circuit)->name) == 0) {
            verbs[i].run(circuit);
            return;
        }
    run_quietly(circuit);
}

/* --- actions */

/* Absolute, or from the root of the webhook's host. Returns: what is signed. */
static const char *action_url(struct circuit *circuit, const char *text, struct url *ret_url, char whole[2 * URL_MAX])
{
    const struct circuit_shared *shared = circuit->shared;
    const char *scheme = shared->options->public_host ? "https" : shared->webhook.scheme;

    (void)snprintf(whole, 2 * URL_MAX, "%s%s%s%s", text[0] == '/' ? scheme : "", text[0] == '/' ? "://" : "",
                   text[0] == '/' ? shared->host : "", text);
    if (url_parse(whole, ret_url) == 0)
        return whole;
    circuit_report(circuit, BREACH_TWIML_SCHEMA, "the URL of an action or callback is malformed");
    return NULL;
}

static void post_about(struct circuit *circuit, const char *text, const struct wire_ops *ops, const struct pair *more)
{
    struct pair pairs[PAIRS_MAX];
    char whole[2 * URL_MAX];
    struct url url;
    const char *signed_url = action_url(circuit, text, &url, whole);
    size_t n = fill_pairs(circuit, "in-progress", more, pairs);

    if (signed_url)
        post(circuit, &url, signed_url, ops, pairs, n);
    else
        circuit_conclude(circuit, OUTCOME_WEBHOOK);
}

struct facts {
    char sid[EXCHANGE_SID_LEN + 1], url[192];
    struct pair pairs[8];
};

static void fill_facts(const struct circuit *circuit, struct facts *facts)
{
    const char *account = circuit->shared->options->account_sid, *status = circuit->shared->options->dial_status;
    bool is_dial = circuit->action == ACTION_DIAL, was_answered = strcmp(status, "completed") == 0;

    /* the same in a callback and the action behind it */
    (void)snprintf(facts->sid, sizeof(facts->sid), "%s%s", is_dial ? "CA" : "RE", circuit->result->stream_sid + 2);
    (void)snprintf(facts->url, sizeof(facts->url), "https://api.twilio.com/2010-04-01/Accounts/%.40s/Recordings/%s", account, facts->sid);
    const struct pair dial[] = {
        { "DialCallStatus", status },
        { "DialCallSid", facts->sid },
        { "DialCallDuration", was_answered ? DIAL_SECONDS : NULL },
        { "DialBridged", was_answered ? "true" : "false" },
        { NULL, NULL },
    };
    const struct pair record[] = {
        { "RecordingUrl", facts->url }, { "RecordingDuration", RECORD_SECONDS }, { "Digits", "" }, { NULL, NULL },
    };

    facts->pairs[0] = (struct pair){ NULL, NULL };
    if (is_dial)
        memcpy(facts->pairs, dial, sizeof(dial));
    else if (circuit->action == ACTION_RECORD)
        memcpy(facts->pairs, record, sizeof(record));
}

void circuit_start_action(struct circuit *circuit)
{
    struct facts facts;

    fill_facts(circuit, &facts);
    circuit_enter(circuit, STAGE_WEBHOOK, ANSWER_US);
    post_about(circuit, twiml_attribute(verb_of(circuit), "action"), &webhook_ops, facts.pairs);
}

/* --- callbacks, whose answers are no documents */

static void callback_over(struct circuit *circuit)
{
    if (circuit->stage != STAGE_NOTICE) {
        circuit_finish(circuit);
        return;
    }
    circuit_drop_wire(circuit);
    circuit_enter(circuit, STAGE_ACTION_DUE, 0);
}

static void callback_ended(struct wire *wire, void *user, int error, const char *why)
{
    struct circuit *circuit = user;

    circuit_report(circuit, BREACH_STATUS_CALLBACK, why);
    callback_over(circuit);
}

static size_t take_callback_bytes(struct wire *wire, void *user, uint8_t *bytes, size_t n, bool eof)
{
    struct circuit *circuit = user;
    struct answer answer;
    char detail[16];
    size_t n_taken;

    int r = circuit_take_response(circuit, bytes, n, eof, BREACH_STATUS_CALLBACK, &answer, &n_taken);
    if (r < 0)
        callback_over(circuit);
    if (r <= 0)
        return n_taken;
    if (circuit->stage == STAGE_STATUS)
        circuit->result->callback_status = answer.status;
    (void)snprintf(detail, sizeof(detail), "%d", answer.status);
    if (answer.status / 100 != 2)
        circuit_report(circuit, BREACH_STATUS_CALLBACK, detail);
    answer_done(&answer);
    callback_over(circuit);
    return n_taken;
}

static const struct wire_ops callback_ops = { circuit_send_request, take_callback_bytes, callback_ended };

static const char *final_status(const struct exchange_result *result)
{
    if (result->opened_us || result->dialled[0] || result->n_recorded)
        return "completed";
    return result->outcome == OUTCOME_REJECTED ? "busy" : "failed";
}

void circuit_start_notice(struct circuit *circuit)
{
    struct facts facts;

    fill_facts(circuit, &facts);
    const struct pair pairs[] = {
        { "RecordingSid", facts.sid },
        { "RecordingUrl", facts.url },
        { "RecordingStatus", "completed" },
        { "RecordingDuration", RECORD_SECONDS },
        { "RecordingChannels", "1" },
        { "RecordingSource", "RecordVerb" },
        { NULL, NULL },
    };

    circuit_enter(circuit, STAGE_NOTICE, ANSWER_US);
    post_about(circuit, twiml_attribute(verb_of(circuit), "recordingStatusCallback"), &callback_ops, pairs);
}

void circuit_start_status(struct circuit *circuit)
{
    const struct circuit_shared *shared = circuit->shared;
    unsigned long long seconds = (clock_mono_us() - circuit->began_us) / 1000000;
    char timestamp[64], duration[24], minutes[24];
    struct pair pairs[PAIRS_MAX];
    time_t now = time(NULL);
    struct tm tm;

    (void)strftime(timestamp, sizeof(timestamp), "%a, %d %b %Y %H:%M:%S +0000", gmtime_r(&now, &tm));
    (void)snprintf(duration, sizeof(duration), "%llu", seconds);
    (void)snprintf(minutes, sizeof(minutes), "%llu", (seconds + 59) / 60);
    const struct pair more[] = {
        { "CallDuration", duration }, { "CallbackSource", "call-progress-events" }, { "Duration", minutes },
        { "SequenceNumber", "0" },    { "Timestamp", timestamp },                    { NULL, NULL },
    };
    size_t n = fill_pairs(circuit, final_status(circuit->result), more, pairs);

    circuit_enter(circuit, STAGE_STATUS, ANSWER_US);
    post(circuit, &shared->status, shared->status_signed, &callback_ops, pairs, n);
}
