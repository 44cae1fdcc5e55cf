#pragma once
/* gate.h - an operation that holds the store's writer until the test lets it go on, and a wait
 * until all is written */

#include <errno.h>
#include <sched.h>
#include <semaphore.h>

#include "db.h"

struct gate {
    struct db_op op;
    sem_t entered, open;
};

static int gate_run(struct db_txn *txn, struct db_op *op)
{
    struct gate *gate = (struct gate *)op;

    sem_post(&gate->entered);
    sem_wait(&gate->open);
    return 0;
}

static void gate_done(struct db_op *op, int r)
{
}

/* Returns once the writer waits in it. */
__attribute__((unused)) static void gate_shut(struct db *db, struct gate *gate)
{
    *gate = (struct gate){ .op = { .run = gate_run, .done = gate_done, .what = "gate" } };
    sem_init(&gate->entered, 0, 0);
    sem_init(&gate->open, 0, 0);
    (void)db_submit(db, &gate->op);
    sem_wait(&gate->entered);
}

__attribute__((unused)) static void gate_open(struct gate *gate)
{
    sem_post(&gate->open);
}

static int gate_pass(struct db_txn *txn, struct db_op *op)
{
    return 0;
}

/* Queue operations that do nothing until there is no room. Returns: how many, at most max. */
__attribute__((unused)) static int gate_crowd(struct db *db, struct db_op *ops, int max)
{
    int n = 0;

    do
        ops[n] = (struct db_op){ .run = gate_pass, .done = gate_done, .what = "crowd" };
    while (db_submit(db, &ops[n]) == 0 && ++n < max);
    return n;
}

/* Returns once everything that was queued before is on disk and has been told so. */
__attribute__((unused)) static void gate_settle(struct db *db)
{
    struct db_op op = { .run = gate_pass, .what = "settle" };

    while (db_write(db, &op) == -EAGAIN)
        sched_yield();
}
