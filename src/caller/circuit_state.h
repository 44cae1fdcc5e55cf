#pragma once
/* circuit_state.h - inside of a circuit: its state, and what its two files do for each other. See circuit.c. */

#include <stdio.h>

#include "caller/answer.h"
#include "caller/circuit.h"
#include "caller/frames.h"
#include "caller/twiml.h"

enum {
    ANSWER_US = 15 * 1000000, /* Twilio's ceiling for any request of a call */
    PARAMETERS_MAX = 16,
};

enum stage {
    STAGE_WAITING,
    STAGE_WEBHOOK, /* or the action of a verb: a document is awaited */
    STAGE_VERB_DUE,
    STAGE_ACTION_DUE,
    STAGE_NOTICE_DUE,
    STAGE_NOTICE, /* a callback whose answer is no document */
    STAGE_STREAM_DUE,
    STAGE_HANDSHAKE,
    STAGE_TALKING,
    STAGE_CLOSING,
    STAGE_STATUS_DUE,
    STAGE_STATUS,
    STAGE_OVER
};

/* What an action is told beside what every webhook is. */
enum action_kind { ACTION_STREAM, ACTION_DIAL, ACTION_RECORD };

struct circuit {
    struct circuit_shared *shared;
    struct exchange_result *result;
    unsigned number;
    enum stage stage;
    uint64_t deadline_us; /* of the stage */
    uint64_t began_us;
    struct wire *wire;
    struct wire_address stream_address; /* when it is not the webhook's */
    char *request;                      /* to be sent when the wire is open */
    size_t n_request;
    struct twiml twiml;
    int verb;   /* its node, being executed; 0 before the first */
    int stream; /* its node */
    unsigned n_documents;
    enum action_kind action;
    char key[WS_KEY_LEN + 1];
    struct frames frames;
    struct caller_parameter parameters[PARAMETERS_MAX];
    struct caller *caller;
    enum exchange_outcome ending; /* while closing: who began to */
    bool close_sent, close_came;
};

/* --- circuit.c */

void circuit_say(struct circuit *circuit, const char *what, const char *detail);
void circuit_report(void *user, enum breach breach, const char *detail); /* a breach_fn */
void circuit_random_hex(char *out, size_t n);
void circuit_enter(struct circuit *circuit, enum stage stage, uint64_t within_us);
void circuit_drop_wire(struct circuit *circuit);
void circuit_finish(struct circuit *circuit);

/* The call is over. outcome counts when it has none yet, e.g. that of its stream. */
void circuit_conclude(struct circuit *circuit, enum exchange_outcome outcome);

/* Open a wire for circuit->request. Without one the stage's deadline is at once. */
void circuit_start_request(struct circuit *circuit, const struct wire_address *address, const struct wire_ops *ops);
void circuit_send_request(struct wire *wire, void *user); /* a wire_ops.on_open */

/* The first lines of a request; url is what is signed, body the form or NULL. */
void circuit_write_head(FILE *out, const struct circuit *circuit, const char *method, const char *target, const char *host,
                        const char *url, const char *body, size_t n_body);

/*
 * One response, whole.
 *
 * Returns: 1 and *ret_answer; 0 more is needed, or nothing will come and on_end follows;
 *          -EBADMSG after reporting it as `broken`. *ret_n is how many bytes were taken.
 */
int circuit_take_response(struct circuit *circuit, const uint8_t *bytes, size_t n, bool eof, enum breach broken,
                          struct answer *ret_answer, size_t *ret_n);

/* --- circuit_verbs.c: what happens at a stage's deadline */

void circuit_start_webhook(struct circuit *circuit);
void circuit_next_verb(struct circuit *circuit);
void circuit_start_action(struct circuit *circuit); /* of circuit->verb */
void circuit_start_notice(struct circuit *circuit);
void circuit_start_status(struct circuit *circuit);

/* The verb is over, for better or worse: its action is due, else the next verb. */
void circuit_verb_over(struct circuit *circuit);
