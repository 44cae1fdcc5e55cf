#pragma once
/*
 * tombstones.h - ids of contacts, calls and messages that were erased, so that nothing brings them back
 *
 * A provider repeats callbacks, and sends the last ones late. Without a trace they would make the call or the message
 * anew, with the number of whoever asked to be forgotten. Every function works inside the caller's transaction.
 */

#include "db.h"

enum { TOMBSTONE_KEPT_DAYS = 30 }; /* longer than any provider goes on */

/* id: "" is nobody's. Some that are older than that go with each that is set. Errors: those of db.h. */
int tombstone_set(struct db_txn *txn, const char *id, uint64_t now_ms);
/* Returns: 1 it was erased; 0. */
int tombstone_has(struct db_txn *txn, const char *id);
