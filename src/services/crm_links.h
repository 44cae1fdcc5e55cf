#pragma once
/*
 * crm_links.h - contacts that are one person
 *
 * For the crm_*.c alone; see crm_links.c. Errors of all: those of db.h; -EUCLEAN what is stored cannot be right.
 */

#include "db.h"
#include "models/contact.h"

enum { LINKS_MEMBERS_MAX = 64 }; /* contacts of one person */

/* The contact that this one was merged into, at the end of the chain; itself when it was not. Any text may be asked for. */
int links_person(struct db_txn *txn, const char *id, char ret_person[CONTACT_ID_MAX]);

/* This one and all that were merged into it, in order of their ids behind it. Returns: how many. Errors: -EMLINK. */
struct links_members {
    size_t n;
    char ids[LINKS_MEMBERS_MAX][CONTACT_ID_MAX];
};
int links_members(struct db_txn *txn, const char *id, struct links_members *ret_members);

/*
 * from, a person, becomes part of into, another one or a part of it; what belongs to it is found below that person from
 * then on.
 *
 * Errors: -EMLINK too many contacts.
 */
int links_merge(struct db_txn *txn, const char *into, const char *from, const char *why, uint64_t now_ms);

/*
 * The same undone: what belongs to from, or to whoever was merged into it, is found below it again.
 *
 * Errors: -EALREADY it was not merged.
 */
int links_part(struct db_txn *txn, const char *from);

/* The rows that lead to and from a contact nothing belongs to any more. Others' memory of having been parted from it stays. */
int links_drop(struct db_txn *txn, const char *id);

/* As if they had been. Returns: 0; 1 it is known. */
int links_keep_parted(struct db_txn *txn, const char *a, const char *b);

/* Whether two persons were merged before and parted by hand. Returns: 1, 0. */
int links_were_parted(struct db_txn *txn, const char *a, const char *b);

/* {"into","at_ms","why"}, of a contact that was merged. Errors: -ENOENT. */
int links_get(struct db_txn *txn, const char *from, struct json_object **ret_json);
