/*
 * crm_schema.c - how a store of an older version becomes one of this
 *
 *   1 -> 2   every call and message is in its contact's timeline, the indexes below a contact say whose it is, and
 *            contacts are found by words, numbers and stage
 */
#include "services/crm_schema.h"

#include <errno.h>

#include "services/crm_index.h"
#include "services/crm_store.h"
#include "utils/json.h"

static int index_call(struct db_bytes key, struct db_bytes value, void *arg)
{
    scoped(json_object_put) struct json_object *json = NULL;
    scoped(call_done) struct call call = { 0 };
    int r = json_parse(value.data, value.n, &json);

    if (r == 0)
        r = call_from_json(json, &call);
    if (r < 0)
        return r == -EBADMSG ? -EUCLEAN : r;
    return call.contact_id[0] ? store_put_call_indexes(arg, &call) : 0;
}

static int index_message(struct db_bytes key, struct db_bytes value, void *arg)
{
    scoped(json_object_put) struct json_object *json = NULL;
    scoped(message_release) struct message message = { 0 };
    int r = json_parse(value.data, value.n, &json);

    if (r == 0)
        r = message_from_json(json, &message);
    if (r < 0)
        return r == -EBADMSG ? -EUCLEAN : r;
    return message.contact_id[0] ? store_put_message_indexes(arg, &message) : 0;
}

static int find_contact(struct db_bytes key, struct db_bytes value, void *arg)
{
    scoped(json_object_put) struct json_object *json = NULL;
    scoped(contact_done) struct contact contact = { 0 };
    int r = json_parse(value.data, value.n, &json);

    if (r == 0)
        r = contact_from_json(json, &contact);
    if (r < 0)
        return r == -EBADMSG ? -EUCLEAN : r;
    r = index_contact(arg, &contact);
    return r ?: index_person(arg, contact.id, &contact);
}

static int add_indexes(struct db_txn *txn)
{
    static const struct {
        enum db_table table;
        db_each_fn *fn;
    } rows[] = { { DB_CALLS, index_call }, { DB_MESSAGES, index_message }, { DB_CONTACTS, find_contact } };
    static const struct db_bytes all = { "", 0 };
    int r = 0;

    for (size_t i = 0; r == 0 && i < ELEMENTSOF(rows); i++)
        r = db_each(txn, rows[i].table, all, all, DB_UP, rows[i].fn, txn);
    return r;
}

/* 1 -> 2: no process of version 1 hands over to another */
const struct db_migration crm_migrations[] = { { .run = add_indexes } };
const size_t crm_n_migrations = ELEMENTSOF(crm_migrations);
