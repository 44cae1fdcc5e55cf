#pragma once
/*
 * crm.h - contacts, calls, their turns and what was learnt
 *
 * Every function works inside the caller's transaction, so that an event and its effect are one commit.
 * Write functions are for db_op.run(); they change nothing outside the store.
 */

#include "db.h"
#include "models/call.h"
#include "models/contact.h"
#include "models/turn.h"

/*
 * Keep a new call: finds or makes the contact by call->from, sets contact_id, writes indexes and an event.
 *
 * Returns: 0 new; 1 the call was there already (a redelivery): *call is then what is stored.
 *          call->stream_token, started_ms and params are the caller's to fill in.
 */
int crm_call_open(struct db_txn *txn, struct call *call, const char *country);

/* ret_call is to be released with call_done(). Errors: -ENOENT. */
int crm_call_get(struct db_txn *txn, const char *sid, struct call *ret_call);

/*
 * A status callback, in any order: a lower sequence than one seen changes no status; unknown fields are
 * merged into params; a call that is not known yet is made.
 */
int crm_call_status(struct db_txn *txn, const char *sid, enum call_status status, int64_t sequence,
                    struct json_object *params, uint64_t now_ms);

/* A recording callback; kept once per (RecordingSid, RecordingStatus). */
int crm_call_recording(struct db_txn *txn, const char *sid, struct json_object *params, uint64_t now_ms);

/* The stream began: in-progress. Errors: -EALREADY the call has ended or was streamed before. */
int crm_call_stream(struct db_txn *txn, const char *sid, const char *stream_sid, uint64_t now_ms);

/* The stream ended: completed, with why. A second end changes nothing. */
int crm_call_end(struct db_txn *txn, const char *sid, enum call_end end, uint64_t now_ms);

/* Append a turn; its number is the call's n_turns. */
int crm_turn_add(struct db_txn *txn, const char *sid, const struct turn *turn);

/* Something learnt: field "name" sets the name, any other goes to fields; stage moves NEW -> QUALIFIED on "callback". */
int crm_contact_learn(struct db_txn *txn, const char *contact_id, const char *field, const char *value,
                      uint64_t now_ms);

/* At start: every call that is still open died with the last daemon. Returns how many were closed. */
int crm_close_lost(struct db_txn *txn, uint64_t now_ms);

int crm_contact_get(struct db_txn *txn, const char *id, struct contact *ret_contact);
int crm_contact_by_address(struct db_txn *txn, const char *address, struct contact *ret_contact);

/* A page of JSON, newest first; the shapes of `agentlocator calls --json` and `contacts --json`. */
int crm_calls_page(struct db_txn *txn, size_t max, struct json_object **ret_array);
int crm_contacts_page(struct db_txn *txn, size_t max, struct json_object **ret_array);
/* A call with "turns"; a contact with "calls". Errors: -ENOENT. */
int crm_call_whole(struct db_txn *txn, const char *sid, struct json_object **ret_object);
int crm_contact_whole(struct db_txn *txn, const char *id, struct json_object **ret_object);
