#pragma once
/*
 * outbox_policy.h - what becomes of a job after an attempt: done, later, or never
 *
 * No clock, no chance, no network and no store of its own. Thread: any.
 */

#include <stdbool.h>
#include <stdint.h>

#include "models/job.h"

/* How an attempt ended. */
enum outcome_kind {
    OUTCOME_DONE,
    OUTCOME_GO_ON,     /* a step of it is done, and the next may follow at once */
    OUTCOME_NOT_SENT,  /* nobody was asked, or whoever was asked took nothing; later it may be otherwise */
    OUTCOME_REJECTED,  /* it did not happen, and would not next time */
    OUTCOME_BROKEN,    /* whoever was asked failed over it: who knows whether it happened */
    OUTCOME_UNHEARD,   /* it left, and nobody answered: the same */
    OUTCOME_NOT_FOUND, /* of a look whether it had happened: it had not */
    OUTCOME_N_KINDS
};

struct outcome {
    enum outcome_kind kind;
    uint64_t retry_after_ms; /* as was asked for; 0 not */
    char error[JOB_ERROR_MAX]; /* a sentence for the operator; "" when nothing is wrong */
};

struct outbox_rules {
    bool is_repeatable; /* happening twice does no harm */
    uint64_t back_off_ms, back_off_max_ms; /* the first wait, doubled each time */
    uint64_t give_up_ms; /* after its writing */
};

enum verdict {
    VERDICT_DONE,  /* the job goes */
    VERDICT_AGAIN, /* it waits until due_ms */
    VERDICT_OVER,  /* it is a dead letter */
};

/*
 * What is to be tried next is said by ret_job->doubt: while there is one, only a look whether it had happened.
 *
 * random: 32 bits of chance, for the jitter. ret_job: as it is to be stored, unless it is done.
 */
enum verdict outbox_judge(const struct outbox_rules *rules, const struct job *job, const struct outcome *outcome,
                          uint64_t now_ms, uint32_t random, struct job *ret_job);

/* An attempt begins. */
void outbox_begin(const struct job *job, bool is_harmless, uint64_t now_ms, struct job *ret_job);

/* The outcome of an attempt that the daemon died in. */
void outbox_died(const struct job *job, struct outcome *ret_outcome);
