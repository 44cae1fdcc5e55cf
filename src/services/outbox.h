#pragma once
/*
 * outbox.h - the thread that does what is owed: durable effects outside, however often the daemon dies
 *
 * Jobs are written by whoever owes something, in the transaction of what they are about (jobs.h); the outbox finds them
 * when that is on disk.
 */

#include <stdint.h>

#include "services/outbox_effect.h"

struct outbox;

/* services are lent. Errors: -errno. */
int outbox_new(const struct outbox_services *services, struct outbox **ret_outbox);

/*
 * Begin, or begin again. What the last daemon died over is judged before it returns, so nobody else may be at it: of the
 * processes that share a store, only who leads. Errors: -errno; it does not run then.
 */
int outbox_start(struct outbox *outbox);

/* Nothing new is begun; what is under way may end, for a moment; it is known afterwards what it was. */
void outbox_stop(struct outbox *outbox);
void outbox_free(struct outbox *outbox);
SCOPED_PTR(struct outbox, outbox_free)

/*
 * The store comes from a backup: what was owed at_ms and must not happen twice may have happened since, and is looked for
 * before it is done. For the store's next owner, before there is one. Errors: those of jobs.h.
 */
int outbox_doubt(struct db_txn *txn, uint64_t at_ms);

struct outbox_stats {
    uint64_t n_under_way, n_done, n_again, n_failed, n_uncertain;
};
void outbox_stats(const struct outbox *outbox, struct outbox_stats *ret_stats); /* any thread */
