#pragma once
/*
 * crm_index.h - by what a contact, or a note, is found
 *
 * For the crm_*.c alone. Errors of all: -ENOMEM; those of db.h.
 */

#include "db.h"
#include "models/contact.h"
#include "models/note.h"

enum index_kind { INDEX_WORD = 'w', INDEX_NUMBER = 'n', INDEX_STAGE = 's', INDEX_TAG = 't' };

/* What is in its row: the words of its name and fields, the digits of its addresses. */
int index_contact(struct db_txn *txn, const struct contact *contact);
int index_note(struct db_txn *txn, const struct note *note);
int index_drop_note(struct db_txn *txn, const char *id);
int index_drop_contact(struct db_txn *txn, const char *id); /* its row, and what holds for it as a person */

/* What holds for the person: stage and tags. NULL for a contact that has become part of another person: id is not found. */
int index_person(struct db_txn *txn, const char *id, const struct contact *person);

/*
 * Everything found by a term of that kind, newest first; with is_prefix also by longer ones that begin so, behind it. from:
 * "" or the id to go on behind; not with is_prefix.
 *
 * fn: owner is the contact the row belongs to. 0 goes on, anything else stops and is returned.
 */
typedef int index_fn(const char *owner, void *arg);
struct index_query {
    enum index_kind kind;
    const char *term, *from;
    bool is_prefix;
};
int index_each(struct db_txn *txn, const struct index_query *query, index_fn *fn, void *arg);

/* Whether a term of that kind that begins so leads to the contact's own row. Returns: 1, 0. */
int index_has(struct db_txn *txn, const char *contact_id, enum index_kind kind, const char *prefix);
