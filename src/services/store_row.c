/*
 * store_row.c - rows of JSON, and keys of indexes
 */
#include "services/store_row.h"

#include <errno.h>
#include <string.h>

#include "utils/json.h"

static bool is_there(struct db_txn *txn, enum db_table table, struct db_bytes key, struct db_bytes value, int *ret_r)
{
    struct db_bytes there = { 0 };

    *ret_r = db_get(txn, table, key, &there);
    return *ret_r == 0 && there.n == value.n && (value.n == 0 || memcmp(there.data, value.data, value.n) == 0);
}

int row_get(struct db_txn *txn, enum db_table table, struct db_bytes key, struct json_object **ret_json)
{
    struct db_bytes value = { 0 };
    int r = db_get(txn, table, key, &value);

    if (r == 0)
        r = json_parse(value.data, value.n, ret_json);
    return r == -EBADMSG ? -EUCLEAN : r;
}

int row_put(struct db_txn *txn, enum db_table table, struct db_bytes key, struct json_object *json)
{
    scoped(json_object_put) struct json_object *owned = json;
    struct db_bytes value = { 0 };
    int r;

    value.data = json ? json_print(json, &value.n) : NULL;
    if (!value.data)
        return -ENOMEM;
    if (is_there(txn, table, key, value, &r))
        return 1;
    return r < 0 && r != -ENOENT ? r : db_put(txn, table, key, value);
}

int row_get_id(struct db_txn *txn, enum db_table table, struct db_bytes key, char ret_id[CONTACT_ID_MAX])
{
    struct db_bytes value = { 0 };
    int r = db_get(txn, table, key, &value);

    if (r < 0)
        return r;
    if (value.n == 0 || value.n >= CONTACT_ID_MAX)
        return -EUCLEAN;
    memcpy(ret_id, value.data, value.n);
    ret_id[value.n] = '\0';
    return 0;
}

int row_put_index(struct db_txn *txn, enum db_table table, const struct key *key, struct db_bytes value)
{
    int r;

    if (is_there(txn, table, key_bytes(key), value, &r))
        return 0;
    return r < 0 && r != -ENOENT ? r : db_put(txn, table, key_bytes(key), value);
}

int row_drop(struct db_txn *txn, enum db_table table, struct db_bytes key)
{
    int r = db_delete(txn, table, key);

    return r == -ENOENT ? 0 : r;
}
