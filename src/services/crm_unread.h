#pragma once
/*
 * crm_unread.h - what a person wrote and nobody has read
 *
 * As crm.h says of all its functions. A message that came in is unread until somebody says that he has read up to it or
 * further, or a human answers. A reaction is nothing to be read. What came before this was counted was read.
 */

#include "db.h"
#include "models/message.h"

enum { UNREAD_MAX = 100, READ_TOLD_MAX = 16 };

/* Of a contact or the person he belongs to. Returns: how many, UNREAD_MAX also when there are more. */
int crm_unread(struct db_txn *txn, const char *contact_id);
/* The same, into object as "unread". */
int crm_unread_show(struct db_txn *txn, const char *contact_id, struct json_object *object);

/* What was read just now. */
struct crm_reading {
    unsigned n;
    char last[CONTACT_ID_MAX];               /* id of the last message of it */
    size_t n_told;                           /* of the last ones, */
    char told[READ_TOLD_MAX][ADDRESS_MAX];   /* how the provider calls them, in no order */
};

/*
 * All that he wrote is read, or up to a message: as the conversation is shown, itself too. The feed is told.
 *
 * message_id: "" all.
 * Returns: 0; 1 nothing was unread. Errors: -ENOENT no such contact; -ENOMSG no such message of his.
 */
int crm_read(struct db_txn *txn, const char *contact_id, const char *message_id, uint64_t now_ms, struct crm_reading *ret_reading);

/* --- for the crm_*.c alone */

/* A human of the business wrote this to him: what was written before it is read. Returns: as crm_read(). */
int unread_answered(struct db_txn *txn, const struct message *answer, uint64_t now_ms);
