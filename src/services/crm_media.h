#pragma once
/*
 * crm_media.h - what messages bring beside their words: what is to be fetched, what became of it, what is said in it
 *
 * A message's media are an array of objects:
 *
 *   url      where the provider has it; spool: or the name that the linked device's program gave it
 *   type     what it is: as its sender says, and once it is here, by its bytes
 *   name     of a document, made safe
 *   file     "media/MESSAGE_ID/N" below STATE_DIR, bytes and sha256 (hexadecimal): it is here
 *   error    why it is not here, and will not be
 *   unheard  why nobody could tell what is said in it
 *
 * Write functions are for db_op.run(). Errors of all: as in crm.h; -ENOENT no such message.
 */

#include "db.h"
#include "models/message.h"
#include "services/media_store.h"
#include "services/media_type.h"

/* The jobs that fetch what came with a message, and that transcribe it; none when nothing came. */
int crm_media_owe(struct db_txn *txn, const struct message *message, uint64_t now_ms);

/* The first that is neither here nor given up; -1 none. */
int crm_media_next(const struct message *message);
/* The first recording that is here; -1 none. */
int crm_media_recording(const struct message *message);

/* A file of ours that is kept already becomes what a message of ours brings. name: as it came, or "". */
int crm_media_attach(struct message *message, const char *type, const char *name, const struct media_kept *kept);

struct media_outcome {
    const char *error; /* why it will not be here; NULL it is here: */
    char type[MEDIA_TYPE_MAX];
    struct media_kept kept;
};

/* What became of fetching the n-th. Returns: 0; 1 it was known. */
int crm_media_fetched(struct db_txn *txn, const char *message_id, unsigned n, const struct media_outcome *outcome, uint64_t now_ms);

/* All that are not here will not be. */
int crm_media_given_up(struct db_txn *txn, const char *message_id, const char *error, uint64_t now_ms);

/* What is said in the n-th; text NULL: nobody could tell, and why. */
int crm_media_heard(struct db_txn *txn, const char *message_id, unsigned n, const char *text, const char *why, uint64_t now_ms);

/* The program of the linked device has let go of the n-th. */
int crm_media_unspooled(struct db_txn *txn, const char *message_id, unsigned n, uint64_t now_ms);
/* The first that is settled, and in the spool still; -1 none. */
int crm_media_spooled(const struct message *message);
