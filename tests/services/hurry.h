#pragma once
/* hurry.h - for daemons in tests that owe something: whatever waits is due now */

#include "services/jobs.h"

enum { HURRY_MAX = 8 };

struct hurry_op {
    struct db_op op; /* first; .run = run_hurry */
    struct job jobs[HURRY_MAX];
    unsigned n, n_live; /* n_live: what is not over yet */
};

static int hurry_collect(const struct job *job, void *arg)
{
    struct hurry_op *hurry = arg;

    hurry->n_live++;
    if (job->state == JOB_WAITING && job->due_ms > 1 && hurry->n < HURRY_MAX)
        hurry->jobs[hurry->n++] = *job;
    return 0;
}

static int run_hurry(struct db_txn *txn, struct db_op *op)
{
    struct hurry_op *hurry = (struct hurry_op *)op;

    hurry->n = hurry->n_live = 0;
    int r = jobs_each_due(txn, UINT64_MAX - 1, hurry_collect, hurry); /* those behind another, too */
    if (r == 0)
        r = jobs_each_under_way(txn, hurry_collect, hurry);
    for (unsigned i = 0; i < hurry->n && r == 0; i++) {
        struct job next = hurry->jobs[i];
        next.due_ms = 1;
        r = jobs_move(txn, &hurry->jobs[i], &next);
    }
    return r;
}
