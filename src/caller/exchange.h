#pragma once
/*
 * exchange.h - the simulated Twilio: places calls at a server and carries them through
 *
 * Each call posts the signed webhook, executes the TwiML, opens the stream, lets a caller (caller.h) talk on it,
 * follows the actions of the verbs and posts the signed status callback. All of them on one thread.
 */

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "caller/caller.h"

enum { EXCHANGE_SID_LEN = 34 };

enum exchange_outcome {
    OUTCOME_PENDING,
    OUTCOME_HUNG_UP_BY_US,
    OUTCOME_HUNG_UP_BY_SERVER,
    OUTCOME_NO_CONNECTION,
    OUTCOME_TIMEOUT,
    OUTCOME_WEBHOOK,
    OUTCOME_REJECTED,
    OUTCOME_NO_STREAM,
    OUTCOME_HANDSHAKE,
    OUTCOME_DROPPED,
    OUTCOME_HANDED_OVER,
    OUTCOME_N
};

/* Words for it; *ret_ok (may be NULL): the call went as a call should. */
const char *exchange_outcome_name(enum exchange_outcome outcome, bool *ret_ok);

struct exchange_result {
    char call_sid[EXCHANGE_SID_LEN + 1], stream_sid[EXCHANGE_SID_LEN + 1];
    enum exchange_outcome outcome;
    int webhook_status, callback_status; /* of HTTP; 0: no answer came */
    uint64_t opened_us, ended_us;        /* of the stream */
    char dialled[32];                    /* the number, "" none */
    unsigned n_recorded;                 /* messages */
    struct caller_counts counts;
    struct echo echo;
    uint32_t breaches[BREACH_N];
};

struct exchange_ops {
    /* A stage of call number `call`, in words. */
    void (*on_stage)(void *user, unsigned call, uint64_t at_us, const char *what, const char *detail);
    void (*on_event)(void *user, unsigned call, const struct caller_event *event);
    void (*on_breach)(void *user, unsigned call, uint64_t at_us, enum breach breach, const char *detail);
    void (*on_audio)(void *user, unsigned call, bool agent, uint64_t at_us, const uint8_t *ulaw, size_t n); /* may be NULL */
};

struct exchange_options {
    const char *webhook_url;
    const char *status_url;  /* NULL: call_status beside the webhook */
    const char *public_host; /* signed in place of the webhook's own host, with https; NULL: the URL is signed as it is */
    const char *token;       /* NULL: nothing is signed */
    const char *account_sid, *from, *to;
    const char *dial_status; /* how a human who is dialled answers: "completed", "busy", "no-answer", "failed" */
    bool no_stream;          /* no stream can be opened */
    bool direct;             /* connect to the host of the stream's URL instead of the webhook's */
    bool insecure;
    const char *ca_file;
    unsigned n_calls;
    uint64_t ramp_us;        /* the calls begin evenly over this time */
    uint64_t limit_us;       /* no call goes on for longer */
    struct caller_options caller; /* what is the same for all; sids, parameters and number are filled in */
    const volatile sig_atomic_t *stop; /* set: everybody hangs up */
};

/*
 * Run all calls to their ends.
 *
 * results: n_calls of them, filled in.
 * Errors:  -EINVAL a URL is bad, -ENOENT the host has no address, -ENOMEM; calls that fail are results.
 */
int exchange_run(const struct exchange_options *options, const struct exchange_ops *ops, void *user,
                 struct exchange_result *results);
