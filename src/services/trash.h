#pragma once
/*
 * trash.h - files that are to be deleted, in the same transaction as the rows that told of them
 *
 * What is noted here is deleted by trash_empty() sooner or later, whatever dies between.
 */

#include "db.h"

/* What lies below the state directory, one folder for each id. */
enum trash_kind {
    TRASH_RECORDINGS, /* of a call, by its CallSid */
    TRASH_MEDIA,      /* of a message, by our id */
    TRASH_N_KINDS
};

/* In the caller's transaction. Errors: -EINVAL the id is not made of letters and digits; those of db.h. */
int trash_add(struct db_txn *txn, enum trash_kind kind, const char *id);

struct media_store;

/*
 * Delete what is noted. Not for loops or speech workers: it waits for the disk.
 *
 * media:   whose files they are while the daemon runs; NULL: nobody has opened them.
 * Returns: how many folders. Errors: -errno of the first that could not be deleted; it stays noted, and the others go.
 */
int trash_empty(struct db *db, const char *state_dir, struct media_store *media);
