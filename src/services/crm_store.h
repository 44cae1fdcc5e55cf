#pragma once
/*
 * crm_store.h - which rows of which table a call, turn, contact, message, note or task is
 *
 * For the crm_*.c alone. Values are JSON text; a put writes the value and every index of it.
 */

#include "db.h"
#include "models/call.h"
#include "models/contact.h"
#include "models/event.h"
#include "models/message.h"
#include "models/note.h"
#include "models/task.h"
#include "models/turn.h"

/* Errors: -ENOENT; -EUCLEAN what is stored cannot be read. To be released with x_done() / json_object_put(). */
int store_get_call(struct db_txn *txn, const char *sid, struct call *ret_call);
int store_get_contact(struct db_txn *txn, const char *id, struct contact *ret_contact);
int store_get_message(struct db_txn *txn, const char *id, struct message *ret_message);
int store_get_note(struct db_txn *txn, const char *id, struct note *ret_note);
int store_get_task(struct db_txn *txn, const char *id, struct task *ret_task);
int store_contact_id_of(struct db_txn *txn, const char *address, char ret_id[CONTACT_ID_MAX]);
int store_message_id_of(struct db_txn *txn, const char *provider_id, char ret_id[CONTACT_ID_MAX]);

/* Returns: 0 written; 1 it was stored just so. */
int store_put_call(struct db_txn *txn, const struct call *call);
int store_put_turn(struct db_txn *txn, const char *sid, uint32_t n, const struct turn *turn);
int store_has_turn(struct db_txn *txn, const char *sid, uint32_t n); /* Returns: 1, 0 */
int store_put_contact(struct db_txn *txn, const struct contact *contact);
int store_put_message(struct db_txn *txn, const struct message *message);
int store_put_note(struct db_txn *txn, const struct note *note);
int store_put_task(struct db_txn *txn, const struct task *task);
int store_put_unread(struct db_txn *txn, const struct message *message); /* it came in, and nobody has read it */
int store_delete_message(struct db_txn *txn, const struct message *message); /* one that belongs to nobody */
int store_delete_note(struct db_txn *txn, const struct note *note);
int store_delete_task(struct db_txn *txn, const struct task *task); /* as it is stored */
int store_delete_call(struct db_txn *txn, const struct call *call); /* that has no turns any more */
int store_forget_message(struct db_txn *txn, const struct message *message); /* of whomever; with its dead letter */
/* Some of its turns, the first ones. Returns: how many, less than max when there are no more. */
int store_delete_turns(struct db_txn *txn, const char *sid, size_t max);
int store_call_is_open(struct db_txn *txn, const char *sid); /* Returns: 1, 0 */

/* What a timeline holds; the byte in its keys. */
enum store_item { ITEM_CALL = 'c', ITEM_MESSAGE = 'm', ITEM_NOTE = 'n', ITEM_TASK = 't' };

/* Alone what leads from a person to it; for a migration. */
int store_put_call_indexes(struct db_txn *txn, const struct call *call);
int store_put_message_indexes(struct db_txn *txn, const struct message *message);

/* An address that nobody has, as another name of one that somebody may have now or later. Errors: -ENOENT it is none. */
int store_put_same_address(struct db_txn *txn, const char *address, const char *same_as);
int store_same_address(struct db_txn *txn, const char *address, char ret_address[ADDRESS_MAX]);
int store_drop_address(struct db_txn *txn, const char *address);
int store_forget_address(struct db_txn *txn, const char *address, uint64_t now_ms); /* and what is another name of it */
/* How the tombstone of two such names calls the pair, of which one alone could be guessed. */
enum { SAME_ADDRESS_ID_MAX = 2 * ADDRESS_MAX };
void store_same_address_id(const char *address, const char *same_as, char ret_id[SAME_ADDRESS_ID_MAX]);

/* Calls that have not ended in every respect, oldest sid first. Returns: how many, or an error. Owner: free(). */
int store_open_calls(struct db_txn *txn, char (**ret_sids)[SID_MAX]);

/* Newest first; each gets the stored object and may keep it with json_object_get(). Returns as db_each(). */
typedef int store_each_fn(struct json_object *json, void *arg);
int store_each_call(struct db_txn *txn, store_each_fn *fn, void *arg);
int store_each_call_of(struct db_txn *txn, const char *contact_id, store_each_fn *fn, void *arg);
int store_each_contact(struct db_txn *txn, store_each_fn *fn, void *arg);
int store_each_message(struct db_txn *txn, store_each_fn *fn, void *arg);
int store_each_message_of(struct db_txn *txn, const char *contact_id, store_each_fn *fn, void *arg);
/* From there on, itself too; id "": from the newest. */
int store_each_message_of_from(struct db_txn *txn, const char *contact_id, uint64_t ms, const char *id, store_each_fn *fn, void *arg);
/* The same over all; each gets the id, and whose it is, "" nobody's yet. Nothing is parsed for that. */
typedef int store_owner_fn(const char *id, const char *contact_id, void *arg);
int store_each_message_owner(struct db_txn *txn, const char *id, store_owner_fn *fn, void *arg);
int store_newest_message_of(struct db_txn *txn, const char *person, char ret_id[CONTACT_ID_MAX]); /* Errors: -ENOENT */
/* In order of speaking. */
int store_each_turn(struct db_txn *txn, const char *sid, store_each_fn *fn, void *arg);
int store_last_turn(struct db_txn *txn, const char *sid, struct turn *ret_turn);

/* One row of the change feed: {"kind","at_ms"} and those of the ids that are neither NULL nor "". */
struct store_event {
    enum event_kind kind;
    uint64_t at_ms;
    const char *call, *contact, *message;
    const char *from; /* the contact that was merged, or parted */
    const char *note, *task;
};
int store_event(struct db_txn *txn, const struct store_event *event);

/* Put it, and tell the feed. Returns: 0 written; 1 nothing had changed. */
int store_save_message(struct db_txn *txn, const struct message *message, enum event_kind kind, uint64_t now_ms);

/* That of a new message, behind all others: those of one conversation are in the order in which they were written down,
 * also within a millisecond. Errors: of the store. */
int store_make_message_id(struct db_txn *txn, uint64_t now_ms, char ret_id[CONTACT_ID_MAX]);

/* A new id that sorts by age. */
void store_make_id(char prefix, uint64_t now_ms, char ret_id[CONTACT_ID_MAX]);
