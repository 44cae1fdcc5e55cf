#pragma once
/*
 * store_row.h - rows of JSON, and keys of indexes
 *
 * An index of what belongs to a contact has keys "contact id, 0, be64 ms, id" and the id of the contact row that it came
 * in under as value. See crm_links.h for when the two differ.
 */

#include "services/store_key.h"

struct json_object;

static const struct db_bytes nothing = { "", 0 };

static inline struct db_bytes text_bytes(const char *text)
{
    return (struct db_bytes){ text, strlen(text) };
}

static inline struct key key_by_time(uint64_t ms, const char *id)
{
    struct key key = { 0 };

    key_add_number(&key, ms, 8);
    key_add_bytes(&key, id, strlen(id));
    return key;
}

static inline struct key key_by_owner(const char *owner, uint64_t ms, const char *id)
{
    struct key key = key_below(owner);

    key_add_number(&key, ms, 8);
    key_add_bytes(&key, id, strlen(id));
    return key;
}

/* Errors: -ENOENT; -EUCLEAN what is stored cannot be read. To be released with json_object_put(). */
int row_get(struct db_txn *txn, enum db_table table, struct db_bytes key, struct json_object **ret_json);

/* Takes json; NULL for want of memory. Returns: 0 written; 1 just that was there. */
int row_put(struct db_txn *txn, enum db_table table, struct db_bytes key, struct json_object *json);

/* An id as the value. Errors: as row_get(). */
int row_get_id(struct db_txn *txn, enum db_table table, struct db_bytes key, char ret_id[CONTACT_ID_MAX]);

/* A row of an index, unless it is there. */
int row_put_index(struct db_txn *txn, enum db_table table, const struct key *key, struct db_bytes value);

/* Errors: none for a row that is not there. */
int row_drop(struct db_txn *txn, enum db_table table, struct db_bytes key);
