/*
 * exchange.c - the simulated Twilio
 *
 * One thread runs all circuits. A single call is woken by whatever happens. From
 * GATHER_CALLS on, everybody's frames are due on a grid of CIRCUIT_SLOT_US, and the
 * thread sleeps from slot to slot and then takes all that has come: 500 wake-ups a
 * second however many calls there are. What is measured is that much coarser.
 */
#include "caller/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "caller/circuit.h"
#include "utils/clock.h"

enum { GATHER_CALLS = 16 };

static const struct {
    const char *name;
    bool ok;
} outcomes[OUTCOME_N] = {
    [OUTCOME_PENDING] = { "not placed", false },
    [OUTCOME_HUNG_UP_BY_US] = { "the caller hung up", true },
    [OUTCOME_HUNG_UP_BY_SERVER] = { "the agent hung up", true },
    [OUTCOME_NO_CONNECTION] = { "no connection", false },
    [OUTCOME_TIMEOUT] = { "no answer in time", false },
    [OUTCOME_WEBHOOK] = { "the webhook failed", false },
    [OUTCOME_REJECTED] = { "rejected", false },
    [OUTCOME_NO_STREAM] = { "no stream in the TwiML", false },
    [OUTCOME_HANDSHAKE] = { "the handshake failed", false },
    [OUTCOME_DROPPED] = { "the stream broke", false },
    [OUTCOME_HANDED_OVER] = { "handed to a human or a recording, without a stream", true },
};

const char *exchange_outcome_name(enum exchange_outcome outcome, bool *ret_ok)
{
    if (ret_ok)
        *ret_ok = outcomes[outcome].ok;
    return outcomes[outcome].name;
}

/* The status callback's place when none is given: beside the webhook. */
static int derive_status(const struct url *webhook, struct url *status)
{
    size_t n_folder = strcspn(webhook->target, "?");

    *status = *webhook;
    while (webhook->target[n_folder] != '/' && n_folder > 0)
        n_folder--;
    int n = snprintf(status->target, sizeof(status->target), "%.*s/call_status", (int)n_folder,
                     webhook->target);
    return n < (int)sizeof(status->target) ? 0 : -EINVAL;
}

static void make_signed(const struct exchange_options *options, const struct url *url, char *out,
                        size_t max)
{
    const char *scheme = options->public_host ? "https" : url->scheme;

    (void)snprintf(out, max, "%s://%s%s", scheme,
                   options->public_host ? options->public_host : url->authority, url->target);
}

static int make_shared(const struct exchange_options *options, struct circuit_shared *shared)
{
    int r = url_parse(options->webhook_url, &shared->webhook);
    if (r == 0)
        r = options->status_url ? url_parse(options->status_url, &shared->status)
                                : derive_status(&shared->webhook, &shared->status);
    if (r < 0)
        return r;

    make_signed(options, &shared->webhook, shared->webhook_signed, sizeof(shared->webhook_signed));
    make_signed(options, &shared->status, shared->status_signed, sizeof(shared->status_signed));
    shared->host = options->public_host ? options->public_host : shared->webhook.authority;
    (void)!getrandom(&shared->random, sizeof(shared->random), 0);
    shared->random |= 1;
    return wire_resolve(shared->webhook.host, shared->webhook.port, shared->webhook.tls,
                        &shared->address);
}

/* Returns: the next deadline of all; UINT64_MAX when all are over. */
static uint64_t run_circuits(struct circuit **circuits, unsigned n, bool stop)
{
    uint64_t now_us = clock_mono_us(), next_us = UINT64_MAX;

    for (unsigned i = 0; i < n; i++) {
        if (stop)
            circuit_stop(circuits[i], now_us);
        uint64_t due_us = circuit_run(circuits[i], now_us);
        next_us = due_us < next_us ? due_us : next_us;
    }
    return next_us;
}

static void run(struct circuit_shared *shared, struct circuit **circuits, unsigned n)
{
    const bool gather = n >= GATHER_CALLS;
    uint64_t next_us;

    while ((next_us = run_circuits(circuits, n, shared->options->stop && *shared->options->stop)) !=
           UINT64_MAX) {
        if (gather)
            next_us = (clock_mono_us() / CIRCUIT_SLOT_US + 1) * CIRCUIT_SLOT_US;
        wire_set_run(shared->wires, next_us, gather);
    }
}

int exchange_run(const struct exchange_options *options, const struct exchange_ops *ops, void *user,
                 struct exchange_result *results)
{
    struct circuit_shared shared = { .options = options, .ops = ops, .user = user };
    scoped(free) struct circuit **circuits = calloc(options->n_calls, sizeof(struct circuit *));
    uint64_t begin_us = clock_mono_us();
    unsigned n = 0;

    int r = circuits ? make_shared(options, &shared) : -ENOMEM;
    if (r == 0)
        r = wire_set_new(options->insecure, options->ca_file, &shared.wires);
    for (; r == 0 && n < options->n_calls; n++) {
        r = circuit_new(&shared, n, begin_us + options->ramp_us * n / options->n_calls, &results[n],
                        &circuits[n]);
        if (r < 0)
            break;
    }
    if (r == 0)
        run(&shared, circuits, n);
    for (unsigned i = 0; i < n; i++)
        circuit_free(circuits[i]);
    wire_set_free(shared.wires);
    return r;
}
