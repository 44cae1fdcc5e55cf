#pragma once
/*
 * jobs.h - the rows of what is owed: in order of time, and one after the other within a lane
 *
 * Every function works inside the caller's transaction. Errors of all: -EUCLEAN a stored row cannot be read; -ENOMEM;
 * those of db.h.
 */

#include "db.h"
#include "models/job.h"

/* Append a job to its lane: id and state are set. Due at once when due_ms is 0. */
int jobs_add(struct db_txn *txn, struct job *job);

/* Append a dead letter: id and state are set. */
int jobs_add_over(struct db_txn *txn, struct job *job);

/*
 * Write what became of a job. Once it is over, its lane goes on.
 *
 * was: as it is stored. Errors: -ENOENT it is not stored so: somebody else has settled it.
 */
int jobs_move(struct db_txn *txn, const struct job *was, const struct job *job);

/* It is done: the row goes, and its lane goes on. Errors: -ENOENT as above. */
int jobs_end(struct db_txn *txn, const struct job *was);

/*
 * What is owed to these contacts is owed no more, whoever is about it, and the lanes go on; what is over stays.
 *
 * Returns: how many there were. Work: every job that is not over is looked at, and few of them are read.
 */
int jobs_drop_of(struct db_txn *txn, const char (*contact_ids)[CONTACT_ID_MAX], size_t n_ids);

/* Errors: -ENOENT none of that id is over. */
int jobs_get_over(struct db_txn *txn, uint64_t id, struct job *ret_job);

/* Those that wait, soonest first, up to the first that is due later than now_ms. fn as of db_each(). */
typedef int jobs_fn(const struct job *job, void *arg);
int jobs_each_due(struct db_txn *txn, uint64_t now_ms, jobs_fn *fn, void *arg);
/* When the first that waits is due after now_ms; UINT64_MAX: none waits. */
int jobs_next_due(struct db_txn *txn, uint64_t now_ms, uint64_t *ret_due_ms);

int jobs_each_under_way(struct db_txn *txn, jobs_fn *fn, void *arg);
int jobs_each_over(struct db_txn *txn, jobs_fn *fn, void *arg); /* newest first */

/* How many there are, up to JOBS_COUNTED of each; more are not counted. */
enum { JOBS_COUNTED = 10000 };
struct jobs_counts {
    uint64_t n_waiting, n_under_way, n_over; /* waiting: also behind another */
    uint64_t due_ms; /* when the first one that waits was to be done; 0 none waits */
};
int jobs_count(struct db_txn *txn, struct jobs_counts *ret_counts);

/*
 * Those of a kind that are not over may have happened since at_ms, elsewhere: each is looked for before it is done.
 * For a store that comes from a backup.
 */
int jobs_doubt(struct db_txn *txn, enum job_kind kind, uint64_t at_ms);
