/*
 * call_sweeper.c - closes calls that nobody will close any more
 *
 * One write at a time: is_under_way goes up with the one who ticks and down with the writer, when the write is done.
 */
#include "services/call_sweeper.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "services/crm.h"
#include "utils/log.h"

struct call_sweeper {
    struct db_op op; /* first */
    struct call_sweeper_options options;
    uint64_t due_ms;
    _Atomic bool is_under_way;
};

int call_sweeper_new(const struct call_sweeper_options *options, struct call_sweeper **ret_sweeper)
{
    struct call_sweeper *sweeper = calloc(1, sizeof(*sweeper));

    if (!sweeper)
        return -ENOMEM;
    sweeper->options = *options;
    *ret_sweeper = sweeper;
    return 0;
}

void call_sweeper_free(struct call_sweeper *sweeper)
{
    free(sweeper);
}

/* Writer thread, as done(). */
static int run(struct db_txn *txn, struct db_op *op)
{
    const struct call_sweeper_options *options = &((struct call_sweeper *)op)->options;

    const struct crm_lost lost = { options->is_live, options->user, SWEEP_QUIET_MS, options->real_ms(), options->sum_up };

    return crm_close_lost(txn, &lost);
}

static void done(struct db_op *op, int r)
{
    struct call_sweeper *sweeper = (struct call_sweeper *)op;

    if (r < 0)
        (void)log_err(r, "cannot close the calls of which nothing is heard any more"); /* once a minute at most */
    else if (r > 0)
        log_info("closed %d calls of which nothing was heard any more", r);
    atomic_store_explicit(&sweeper->is_under_way, false, memory_order_release);
}

void call_sweeper_tick(struct call_sweeper *sweeper, uint64_t now_ms)
{
    if (now_ms < sweeper->due_ms || atomic_load_explicit(&sweeper->is_under_way, memory_order_acquire))
        return;
    sweeper->due_ms = now_ms + SWEEP_EVERY_MS;
    sweeper->op = (struct db_op){ .run = run, .done = done, .what = "closing calls that nobody closes" };
    atomic_store_explicit(&sweeper->is_under_way, true, memory_order_relaxed);
    if (db_submit(sweeper->options.db, &sweeper->op) < 0) /* a full queue: the next time */
        atomic_store_explicit(&sweeper->is_under_way, false, memory_order_relaxed);
}
