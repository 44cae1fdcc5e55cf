/*
 * circuit.c - one call of the exchange: its stages and its stream
 *
 *   waiting -> webhook -> verb due -> stream due -> handshake -> talking -> closing
 *                 ^          |  ^____________________________________________|
 *                 |          |-> action due (a callback of its own before it) -.
 *                 '------------------------------------------------------------'
 *           -> status due -> status -> over
 *
 * with at most one connection at a time. A stage is left by what comes over that
 * connection or by its deadline; the stages that open a connection are begun from
 * circuit_run() only, never from inside a callback of the connection before.
 *
 * The verbs of a document are executed one behind the other (circuit_verbs.c); a verb's
 * action brings the next document. A stream that ends or cannot be opened is a verb that
 * is over. The call ends behind the last verb, or when something goes wrong, and leads to
 * the status callback if the webhook had been answered, as with Twilio.
 */
#include "caller/circuit_state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "services/twilio_security.h"
#include "utils/base64.h"
#include "utils/clock.h"

enum {
    HANDSHAKE_US = 10 * 1000000,
    CLOSE_US = 5 * 1000000,
};

/* --- telling */

void circuit_say(struct circuit *circuit, const char *what, const char *detail)
{
    struct circuit_shared *shared = circuit->shared;

    shared->ops->on_stage(shared->user, circuit->number, clock_mono_us(), what, detail);
}

void circuit_report(void *user, enum breach breach, const char *detail)
{
    struct circuit *circuit = user;
    struct circuit_shared *shared = circuit->shared;

    circuit->result->breaches[breach]++;
    shared->ops->on_breach(shared->user, circuit->number, clock_mono_us(), breach, detail);
}

void circuit_random_hex(char *out, size_t n)
{
    uint8_t bytes[16];

    (void)!getrandom(bytes, sizeof(bytes), 0);
    for (size_t i = 0; i < n; i++)
        out[i] = "0123456789abcdef"[bytes[i / 2 % sizeof(bytes)] >> (i % 2 * 4) & 15];
    out[n] = '\0';
}

static void make_sid(char out[EXCHANGE_SID_LEN + 1], const char *prefix)
{
    memcpy(out, prefix, 2);
    circuit_random_hex(out + 2, EXCHANGE_SID_LEN - 2);
}

/* --- stages */

void circuit_enter(struct circuit *circuit, enum stage stage, uint64_t within_us)
{
    circuit->stage = stage;
    circuit->deadline_us = clock_mono_us() + within_us;
}

void circuit_drop_wire(struct circuit *circuit)
{
    wire_free(circuit->wire);
    circuit->wire = NULL;
    free(circuit->request);
    circuit->request = NULL;
}

void circuit_finish(struct circuit *circuit)
{
    circuit_drop_wire(circuit);
    circuit->stage = STAGE_OVER;
    circuit->deadline_us = UINT64_MAX;
}

void circuit_conclude(struct circuit *circuit, enum exchange_outcome outcome)
{
    struct exchange_result *result = circuit->result;

    circuit_drop_wire(circuit);
    if (result->outcome == OUTCOME_PENDING)
        result->outcome = outcome;
    circuit_say(circuit, "ended", exchange_outcome_name(result->outcome, NULL));
    if (result->webhook_status / 100 == 2)
        circuit_enter(circuit, STAGE_STATUS_DUE, 0);
    else
        circuit_finish(circuit);
}

/* --- requests */

void circuit_send_request(struct wire *wire, void *user)
{
    struct circuit *circuit = user;
    uint8_t *out = wire_reserve(wire, circuit->n_request);

    if (!out)
        return;
    memcpy(out, circuit->request, circuit->n_request);
    wire_commit(wire, circuit->n_request);
}

void circuit_start_request(struct circuit *circuit, const struct wire_address *address,
                          const struct wire_ops *ops)
{
    int r = circuit->request
                ? wire_open(circuit->shared->wires, address, ops, circuit, &circuit->wire)
                : -ENOMEM;

    if (r < 0) {
        circuit_say(circuit, "error", strerror(-r));
        circuit->deadline_us = 0;
    }
}

void circuit_write_head(FILE *out, const struct circuit *circuit, const char *method,
                       const char *target, const char *host, const char *url, const char *body,
                       size_t n_body)
{
    const char *token = circuit->shared->options->token;
    char signature[TWILIO_SIGNATURE_LEN + 1];

    fprintf(out, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: TwilioProxy/1.1\r\n", method, target,
            host);
    if (token && twilio_sign(token, url, body, n_body, signature) == 0)
        fprintf(out, "%s: %s\r\n", body ? "X-Twilio-Signature" : "x-twilio-signature", signature);
}

int circuit_take_response(struct circuit *circuit, const uint8_t *bytes, size_t n, bool eof,
                         enum breach broken, struct answer *ret_answer, size_t *ret_n)
{
    const char *why;

    *ret_n = 0;
    if (n == 0)
        return 0;
    long r = answer_parse((const char *)bytes, n, eof, ret_answer, &why);
    if (r < 0) {
        circuit_report(circuit, broken, why);
        return -EBADMSG;
    }
    *ret_n = (size_t)r;
    return r > 0;
}

/* --- the stream, once it is open */

/* It ended, or could not be opened: take stock. A caller who hung up hears no more. */
static void stream_over(struct circuit *circuit, enum exchange_outcome outcome)
{
    struct exchange_result *result = circuit->result;

    circuit_drop_wire(circuit);
    if (result->outcome == OUTCOME_PENDING)
        result->outcome = outcome;
    result->ended_us = clock_mono_us();
    if (circuit->caller) {
        result->counts = *caller_counts(circuit->caller);
        result->echo = *caller_echo(circuit->caller);
    }
    if (outcome == OUTCOME_HUNG_UP_BY_US)
        circuit_conclude(circuit, outcome);
    else
        circuit_verb_over(circuit);
}

static void send_frame(void *user, enum ws_opcode opcode, const char *bytes, size_t n)
{
    struct circuit *circuit = user;
    uint8_t *out = circuit->wire ? wire_reserve(circuit->wire, WS_HEADER_MAX + n) : NULL;
    uint64_t *random = &circuit->shared->random;

    if (!out) { /* a megabyte waits: the server has stopped reading */
        circuit->deadline_us = 0;
        return;
    }
    /* xorshift will do: masks keep scripts in browsers from choosing bytes on the wire */
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    wire_commit(circuit->wire, frames_write(out, opcode, bytes, n, (uint32_t)(*random >> 32)));
}

/* Answer the server's close, or begin our own. */
static void close_stream(struct circuit *circuit, int code, enum exchange_outcome ending)
{
    const char bytes[2] = { (char)(code >> 8), (char)code };

    if (!circuit->close_sent)
        send_frame(circuit, WS_CLOSE, bytes, sizeof(bytes));
    circuit->close_sent = true;
    if (circuit->stage != STAGE_TALKING)
        return;
    circuit->ending = ending;
    circuit_enter(circuit, STAGE_CLOSING, CLOSE_US);
}

static void on_caller_event(void *user, const struct caller_event *event)
{
    struct circuit *circuit = user;
    struct circuit_shared *shared = circuit->shared;

    shared->ops->on_event(shared->user, circuit->number, event);
    if (event->kind == CALLER_HANGS_UP)
        close_stream(circuit, 1000, OUTCOME_HUNG_UP_BY_US);
}

static void on_caller_audio(void *user, bool agent, uint64_t at_us, const uint8_t *ulaw, size_t n)
{
    struct circuit *circuit = user;
    struct circuit_shared *shared = circuit->shared;

    if (shared->ops->on_audio)
        shared->ops->on_audio(shared->user, circuit->number, agent, at_us, ulaw, n);
}

static const struct caller_ops caller_ops = { send_frame, on_caller_event, circuit_report,
                                              on_caller_audio };

static void on_text(void *user, const char *text, size_t n)
{
    struct circuit *circuit = user;

    caller_text(circuit->caller, text, n, clock_mono_us());
}

static void on_ping(void *user, const uint8_t *bytes, size_t n)
{
    send_frame(user, WS_PONG, (const char *)bytes, n);
}

static void on_pong(void *user, const uint8_t *bytes, size_t n)
{
    struct circuit *circuit = user;

    caller_pong(circuit->caller, bytes, n);
}

static void on_close(void *user, int code)
{
    struct circuit *circuit = user;

    circuit->close_came = true;
    caller_server_closed(circuit->caller, code, clock_mono_us());
    close_stream(circuit, code == 1005 ? 1000 : code, OUTCOME_HUNG_UP_BY_SERVER);
}

static const struct frames_ops frames_ops = { on_text, on_ping, on_pong, on_close, circuit_report };

static size_t take_frames(struct circuit *circuit, uint8_t *bytes, size_t n)
{
    ssize_t n_taken = frames_feed(&circuit->frames, bytes, n);

    if (n_taken >= 0) {
        wire_flush(circuit->wire);
        return (size_t)n_taken;
    }
    circuit->ending = OUTCOME_DROPPED; /* Twilio ends such a stream */
    circuit->deadline_us = 0;
    return n;
}

static void stream_ended(struct wire *wire, void *user, int error, const char *why)
{
    struct circuit *circuit = user;

    if (circuit->stage == STAGE_HANDSHAKE) {
        circuit_report(circuit, BREACH_HANDSHAKE, why);
        stream_over(circuit, OUTCOME_HANDSHAKE);
        return;
    }
    if (circuit->stage == STAGE_TALKING) { /* not even a close frame */
        caller_server_closed(circuit->caller, 1006, clock_mono_us());
        stream_over(circuit, OUTCOME_DROPPED);
        return;
    }
    if (!circuit->close_came)
        circuit_report(circuit, BREACH_DROPPED, "our close frame was not answered");
    stream_over(circuit, circuit->ending);
}

/* --- the handshake */

/* What is wrong with the answer to our handshake; NULL: nothing. */
static const char *find_fault(const struct circuit *circuit, const struct answer *answer,
                              char detail[64])
{
    const char *accept = answer_field(answer, "sec-websocket-accept");
    char want[WS_ACCEPT_LEN + 1];

    ws_accept(circuit->key, want);
    (void)snprintf(detail, 64, "status %d", answer->status);
    if (answer->status != 101)
        return detail;
    if (!answer_has_token(answer, "upgrade", "websocket") ||
        !answer_has_token(answer, "connection", "upgrade"))
        return "no Upgrade: websocket, Connection: Upgrade";
    if (!accept || strcmp(accept, want) != 0)
        return "a wrong Sec-WebSocket-Accept";
    if (answer_field(answer, "sec-websocket-extensions") ||
        answer_field(answer, "sec-websocket-protocol"))
        return "an extension or protocol that was not offered";
    return NULL;
}

static void open_stream(struct circuit *circuit)
{
    const struct exchange_options *options = circuit->shared->options;
    struct exchange_result *result = circuit->result;
    struct caller_options caller = options->caller;

    caller.account_sid = options->account_sid;
    caller.call_sid = result->call_sid;
    caller.stream_sid = result->stream_sid;
    caller.number = circuit->number;
    caller.parameters = circuit->parameters;
    for (int i = circuit->stream; caller.n_parameters < PARAMETERS_MAX; i++) {
        i = twiml_find(&circuit->twiml, "Parameter", circuit->stream, i);
        if (i < 0)
            break;
        const char *name = twiml_attribute(&circuit->twiml.nodes[i], "name");
        const char *value = twiml_attribute(&circuit->twiml.nodes[i], "value");
        if (name && value)
            circuit->parameters[caller.n_parameters++] = (struct caller_parameter){ name, value };
    }
    caller_free(steal(&circuit->caller)); /* of a stream before */
    circuit->close_sent = circuit->close_came = false;
    if (caller_new(&caller, &caller_ops, circuit, &circuit->caller) < 0) {
        circuit->deadline_us = 0;
        return;
    }

    frames_done(&circuit->frames);
    frames_init(&circuit->frames, &frames_ops, circuit);
    circuit_enter(circuit, STAGE_TALKING, options->limit_us);
    result->opened_us = clock_mono_us();
    circuit_say(circuit, "stream", result->stream_sid);
    caller_open(circuit->caller, result->opened_us / CIRCUIT_SLOT_US * CIRCUIT_SLOT_US);
    wire_flush(circuit->wire);
}

static size_t take_stream_bytes(struct wire *wire, void *user, uint8_t *bytes, size_t n, bool eof)
{
    struct circuit *circuit = user;
    struct answer answer;
    char detail[64];
    size_t n_taken;

    if (circuit->stage != STAGE_HANDSHAKE)
        return circuit->caller ? take_frames(circuit, bytes, n) : n;
    int r = circuit_take_response(circuit, bytes, n, eof, BREACH_HANDSHAKE, &answer, &n_taken);
    if (r < 0)
        stream_over(circuit, OUTCOME_HANDSHAKE);
    if (r <= 0)
        return n_taken;

    const char *fault = find_fault(circuit, &answer, detail);
    if (fault) {
        circuit_report(circuit, BREACH_HANDSHAKE, fault);
        stream_over(circuit, OUTCOME_HANDSHAKE);
    } else {
        open_stream(circuit);
    }
    answer_done(&answer);
    return n_taken;
}

static const struct wire_ops stream_ops = { circuit_send_request, take_stream_bytes, stream_ended };

static int read_stream_url(struct circuit *circuit, const char *text, struct url *ret_url)
{
    if (!text || url_parse(text, ret_url) < 0) {
        circuit_report(circuit, BREACH_STREAM_URL, text ? text : "none");
        return -EINVAL;
    }
    if (strcmp(ret_url->scheme, "wss") != 0) {
        circuit_report(circuit, BREACH_STREAM_SCHEME, text);
        return -EINVAL;
    }
    char *query = strchr(ret_url->target, '?');
    if (query) { /* reported, and taken off as Twilio takes it off */
        circuit_report(circuit, BREACH_STREAM_QUERY, query);
        *query = '\0';
    }
    return 0;
}

static void start_stream(struct circuit *circuit)
{
    struct circuit_shared *shared = circuit->shared;
    const char *text = twiml_attribute(&circuit->twiml.nodes[circuit->stream], "url");
    const struct wire_address *address = &shared->address;
    uint8_t nonce[16];
    struct url url;

    circuit_enter(circuit, STAGE_HANDSHAKE, HANDSHAKE_US);
    if (shared->options->no_stream) {
        circuit_say(circuit, "error", "no stream can be opened");
        stream_over(circuit, OUTCOME_NO_CONNECTION);
        return;
    }
    if (read_stream_url(circuit, text, &url) < 0) {
        stream_over(circuit, OUTCOME_NO_STREAM);
        return;
    }
    if (shared->options->direct) {
        address = &circuit->stream_address;
        if (wire_resolve(url.host, url.port, true, &circuit->stream_address) < 0) {
            circuit_report(circuit, BREACH_STREAM_URL, "its host has no address");
            stream_over(circuit, OUTCOME_NO_CONNECTION);
            return;
        }
    }

    (void)!getrandom(nonce, sizeof(nonce), 0);
    base64_encode(nonce, sizeof(nonce), circuit->key);
    FILE *out = open_memstream(&circuit->request, &circuit->n_request);
    if (out) {
        circuit_write_head(out, circuit, "GET", url.target, url.authority, text, NULL, 0);
        fprintf(out,
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: %.*s\r\n\r\n",
                WS_KEY_LEN, circuit->key);
        fclose(out);
    }
    circuit_start_request(circuit, address, &stream_ops);
}

/* --- time */

static void too_late(struct circuit *circuit)
{
    circuit_report(circuit, BREACH_WEBHOOK_STATUS, "no answer in time");
    circuit_conclude(circuit, circuit->wire ? OUTCOME_TIMEOUT : OUTCOME_NO_CONNECTION);
}

static void handshake_too_late(struct circuit *circuit)
{
    circuit_report(circuit, BREACH_HANDSHAKE, "no answer in time");
    stream_over(circuit, circuit->wire ? OUTCOME_TIMEOUT : OUTCOME_NO_CONNECTION);
}

static void talked_enough(struct circuit *circuit)
{
    /* broken framing, or nobody reads */
    if (circuit->ending == OUTCOME_DROPPED || circuit->deadline_us == 0) {
        stream_over(circuit, OUTCOME_DROPPED);
        return;
    }
    caller_hang_up(circuit->caller, clock_mono_us());
    wire_flush(circuit->wire);
}

static void closed_too_slowly(struct circuit *circuit)
{
    if (circuit->ending != OUTCOME_DROPPED)
        circuit_report(circuit, BREACH_DROPPED, "the closing handshake did not end");
    stream_over(circuit, circuit->ending);
}

static void status_too_late(struct circuit *circuit)
{
    circuit_report(circuit, BREACH_STATUS_CALLBACK, circuit->wire ? "no answer in time" : "no connection");
    circuit_finish(circuit);
}

static void notice_too_late(struct circuit *circuit)
{
    circuit_report(circuit, BREACH_STATUS_CALLBACK, circuit->wire ? "no answer in time" : "no connection");
    circuit_drop_wire(circuit);
    circuit_enter(circuit, STAGE_ACTION_DUE, 0);
}

/* What happens when a stage's deadline has come. */
static void (*const on_deadline[])(struct circuit *circuit) = {
    [STAGE_WAITING] = circuit_start_webhook,
    [STAGE_WEBHOOK] = too_late,
    [STAGE_VERB_DUE] = circuit_next_verb,
    [STAGE_ACTION_DUE] = circuit_start_action,
    [STAGE_NOTICE_DUE] = circuit_start_notice,
    [STAGE_NOTICE] = notice_too_late,
    [STAGE_STREAM_DUE] = start_stream,
    [STAGE_HANDSHAKE] = handshake_too_late,
    [STAGE_TALKING] = talked_enough,
    [STAGE_CLOSING] = closed_too_slowly,
    [STAGE_STATUS_DUE] = circuit_start_status,
    [STAGE_STATUS] = status_too_late,
};

uint64_t circuit_run(struct circuit *circuit, uint64_t now_us)
{
    if (circuit->stage == STAGE_TALKING && caller_deadline(circuit->caller) <= now_us) {
        caller_tick(circuit->caller, now_us);
        wire_flush(circuit->wire);
    }
    while (circuit->deadline_us <= now_us)
        on_deadline[circuit->stage](circuit);
    if (circuit->stage != STAGE_TALKING)
        return circuit->deadline_us;

    uint64_t frame_us = caller_deadline(circuit->caller);
    return frame_us < circuit->deadline_us ? frame_us : circuit->deadline_us;
}

void circuit_stop(struct circuit *circuit, uint64_t now_us)
{
    if (circuit->stage == STAGE_WAITING)
        circuit_finish(circuit);
    if (circuit->stage == STAGE_TALKING)
        circuit->deadline_us = now_us;
}

int circuit_new(struct circuit_shared *shared, unsigned number, uint64_t begin_us,
                struct exchange_result *result, struct circuit **ret_circuit)
{
    struct circuit *circuit = calloc(1, sizeof(*circuit));

    if (!circuit)
        return -ENOMEM;
    circuit->shared = shared;
    circuit->number = number;
    circuit->result = result;
    circuit->deadline_us = begin_us;
    *result = (struct exchange_result){ 0 };
    make_sid(result->call_sid, "CA");
    make_sid(result->stream_sid, "MZ");
    *ret_circuit = circuit;
    return 0;
}

void circuit_free(struct circuit *circuit)
{
    if (!circuit)
        return;
    circuit_drop_wire(circuit);
    twiml_done(&circuit->twiml);
    frames_done(&circuit->frames);
    caller_free(circuit->caller);
    free(circuit);
}
