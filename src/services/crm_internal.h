#pragma once
/* crm_internal.h - what crm.c does for the other crm_*.c */

#include "services/crm.h"

/* Of a param: brought by no callback; by a callback without a sequence that is the last one. */
enum { ORDER_NONE = -1, ORDER_FINAL = 1000000 };

bool crm_is_id(const char *id, size_t room); /* not empty, and it fits */
void crm_set_from_param(char *ret, size_t room, struct json_object *params, const char *name); /* unless it is set */

/*
 * The row of the contact who has that address, or a new one; the caller changes and writes it, also when he changes
 * nothing. address may be "" for crm_make_contact().
 */
int crm_make_contact(struct db_txn *txn, const char *address, uint64_t now_ms, struct contact *ret_contact);
int crm_find_or_make_contact(struct db_txn *txn, const char *address, uint64_t now_ms, struct contact *ret_contact);
int crm_index_person(struct db_txn *txn, const char *id);
int crm_save_contact(struct db_txn *txn, struct contact *contact, const char *call_sid, uint64_t now_ms);

/* Less what is nobody's business, or of no use. */
void crm_hide(struct json_object *json);
void crm_number_of(const struct contact *contact, char ret_address[ADDRESS_MAX]); /* his first; as it was when he has none */

/* Returns: 0; 1 it was known, or value is empty. */
int crm_learn_and_save(struct db_txn *txn, const char *contact_id, const char *call_sid, const char *field,
                       const char *value, uint64_t now_ms);

/* Params of a callback into those that are stored; see crm.c. incoming may be NULL. */
int crm_merge_params(struct json_object **params, struct json_object **param_order, struct json_object *incoming, int64_t order);
