/*
 * crm_store.c - which rows of which table a call, turn, contact or message is
 *
 *   calls                CallSid                          -> call
 *   calls_by_time        be64 started_ms, CallSid         -> nothing
 *   calls_by_contact     contact id, 0, be64 ms, CallSid  -> nothing
 *   meta                 "open ", CallSid                 -> nothing, while it is not over
 *   turns                CallSid, 0, be32 n               -> turn
 *   contacts             id                               -> contact
 *   contact_by_address   address                          -> contact id
 *   messages             id                               -> message
 *   messages_by_contact  contact id, 0, be64 ms, id       -> nothing
 *   seen                 provider id                      -> message id, once the provider has given it one
 */
#include "services/crm_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "services/store_key.h"
#include "utils/json.h"

/* --- keys */

static struct db_bytes text_bytes(const char *text)
{
    return (struct db_bytes){ text, strlen(text) };
}

static const struct db_bytes nothing = { "", 0 };
static const char open_prefix[] = "open ";

static struct key key_by_time(uint64_t ms, const char *id)
{
    struct key key = { 0 };

    key_add_number(&key, ms, 8);
    key_add_bytes(&key, id, strlen(id));
    return key;
}

static struct key key_by_owner(const char *owner, uint64_t ms, const char *id)
{
    struct key key = key_below(owner);

    key_add_number(&key, ms, 8);
    key_add_bytes(&key, id, strlen(id));
    return key;
}

static struct key key_turn(const char *sid, uint32_t n)
{
    struct key key = key_below(sid);

    key_add_number(&key, n, 4);
    return key;
}

static struct key key_open(const char *sid)
{
    struct key key = { 0 };

    key_add_bytes(&key, open_prefix, strlen(open_prefix));
    key_add_bytes(&key, sid, strlen(sid));
    return key;
}

/* --- values */

static int get_json(struct db_txn *txn, enum db_table table, struct db_bytes key,
                    struct json_object **ret_json)
{
    struct db_bytes value = { 0 };
    int r = db_get(txn, table, key, &value);

    if (r == 0)
        r = json_parse(value.data, value.n, ret_json);
    return r == -EBADMSG ? -EUCLEAN : r;
}

/* Takes json; NULL for want of memory. Returns: 0 written; 1 just that was there. */
static int put_json(struct db_txn *txn, enum db_table table, struct db_bytes key,
                    struct json_object *json)
{
    scoped(json_object_put) struct json_object *owned = json;
    struct db_bytes value = { 0 }, there = { 0 };
    int r;

    value.data = json ? json_print(json, &value.n) : NULL;
    if (!value.data)
        return -ENOMEM;
    r = db_get(txn, table, key, &there);
    if (r == 0 && there.n == value.n && memcmp(there.data, value.data, value.n) == 0)
        return 1;
    return r < 0 && r != -ENOENT ? r : db_put(txn, table, key, value);
}

static int get_id(struct db_txn *txn, enum db_table table, const char *key,
                  char ret_id[CONTACT_ID_MAX])
{
    struct db_bytes value = { 0 };
    int r = db_get(txn, table, text_bytes(key), &value);

    if (r < 0)
        return r;
    if (value.n == 0 || value.n >= CONTACT_ID_MAX)
        return -EUCLEAN;
    memcpy(ret_id, value.data, value.n);
    ret_id[value.n] = '\0';
    return 0;
}

/* --- calls and turns */

int store_get_call(struct db_txn *txn, const char *sid, struct call *ret_call)
{
    scoped(json_object_put) struct json_object *json = NULL;
    int r = get_json(txn, DB_CALLS, text_bytes(sid), &json);

    if (r == 0)
        r = call_from_json(json, ret_call);
    return r == -EBADMSG ? -EUCLEAN : r;
}

/* Something is still to come: a final status, or the end of its stream. */
static bool is_open(const struct call *call)
{
    return !call_status_is_final(call->status) ||
           (call->stream_sid[0] && call->end == CALL_END_NONE);
}

int store_put_call(struct db_txn *txn, const struct call *call)
{
    struct key by_time = key_by_time(call->started_ms, call->sid), open = key_open(call->sid);
    int r = put_json(txn, DB_CALLS, text_bytes(call->sid), call_to_json(call));

    if (r == 0)
        r = db_put(txn, DB_CALLS_BY_TIME, key_bytes(&by_time), nothing);
    if (r == 0 && call->contact_id[0]) {
        struct key by_contact = key_by_owner(call->contact_id, call->started_ms, call->sid);
        r = db_put(txn, DB_CALLS_BY_CONTACT, key_bytes(&by_contact), nothing);
    }
    if (r == 0)
        r = is_open(call) ? db_put(txn, DB_META, key_bytes(&open), nothing)
                          : db_delete(txn, DB_META, key_bytes(&open));
    return r == -ENOENT ? 0 : r; /* it was not on the list of open calls */
}

int store_put_turn(struct db_txn *txn, const char *sid, uint32_t n, const struct turn *turn)
{
    struct key key = key_turn(sid, n);

    return put_json(txn, DB_TURNS, key_bytes(&key), turn_to_json(turn));
}

struct sids {
    char (*sids)[SID_MAX];
    size_t n, room;
};

static int collect_sid(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct sids *list = arg;
    size_t n = key.n - strlen(open_prefix);

    if (n >= SID_MAX)
        return -EUCLEAN;
    if (list->n == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        void *larger = realloc(list->sids, room * sizeof(*list->sids));
        if (!larger)
            return -ENOMEM;
        list->sids = larger;
        list->room = room;
    }
    memcpy(list->sids[list->n], (const char *)key.data + strlen(open_prefix), n);
    list->sids[list->n++][n] = '\0';
    return 0;
}

int store_open_calls(struct db_txn *txn, char (**ret_sids)[SID_MAX])
{
    struct sids list = { 0 };
    int r = db_each(txn, DB_META, text_bytes(open_prefix), nothing, DB_UP, collect_sid, &list);

    if (r < 0) {
        free(list.sids);
        return r;
    }
    *ret_sids = list.sids;
    return (int)list.n;
}

/* --- contacts and messages */

int store_get_contact(struct db_txn *txn, const char *id, struct contact *ret_contact)
{
    scoped(json_object_put) struct json_object *json = NULL;
    int r = get_json(txn, DB_CONTACTS, text_bytes(id), &json);

    if (r == 0)
        r = contact_from_json(json, ret_contact);
    return r == -EBADMSG ? -EUCLEAN : r;
}

int store_contact_id_of(struct db_txn *txn, const char *address, char ret_id[CONTACT_ID_MAX])
{
    return get_id(txn, DB_CONTACT_BY_ADDRESS, address, ret_id);
}

int store_put_contact(struct db_txn *txn, const struct contact *contact)
{
    size_t n = contact->addresses ? json_object_array_length(contact->addresses) : 0;
    int r = put_json(txn, DB_CONTACTS, text_bytes(contact->id), contact_to_json(contact));

    if (r)
        return r;
    for (size_t i = 0; r == 0 && i < n; i++) {
        const char *address =
            json_object_get_string(json_object_array_get_idx(contact->addresses, i));
        r = db_put(txn, DB_CONTACT_BY_ADDRESS, text_bytes(address), text_bytes(contact->id));
    }
    return r;
}

int store_get_message(struct db_txn *txn, const char *id, struct message *ret_message)
{
    scoped(json_object_put) struct json_object *json = NULL;
    int r = get_json(txn, DB_MESSAGES, text_bytes(id), &json);

    if (r == 0)
        r = message_from_json(json, ret_message);
    return r == -EBADMSG ? -EUCLEAN : r;
}

int store_message_id_of(struct db_txn *txn, const char *provider_id, char ret_id[CONTACT_ID_MAX])
{
    return get_id(txn, DB_SEEN, provider_id, ret_id);
}

int store_put_message(struct db_txn *txn, const struct message *message)
{
    int r = put_json(txn, DB_MESSAGES, text_bytes(message->id), message_to_json(message));

    if (r == 0 && message->provider_id[0])
        r = db_put(txn, DB_SEEN, text_bytes(message->provider_id), text_bytes(message->id));
    if (r == 0 && message->contact_id[0]) {
        struct key key = key_by_owner(message->contact_id, message->created_ms, message->id);
        r = db_put(txn, DB_MESSAGES_BY_CONTACT, key_bytes(&key), nothing);
    }
    return r;
}

int store_delete_message(struct db_txn *txn, const struct message *message)
{
    int r = db_delete(txn, DB_MESSAGES, text_bytes(message->id));

    return r < 0 ? r : db_delete(txn, DB_SEEN, text_bytes(message->provider_id));
}

/* --- walking */

struct each {
    struct db_txn *txn;
    enum db_table table; /* that the rows of an index lead to */
    size_t n_before_id;  /* bytes of an index key before the id */
    store_each_fn *fn;
    void *arg;
};

static int each_value(struct db_bytes key, struct db_bytes value, void *arg)
{
    const struct each *each = arg;
    scoped(json_object_put) struct json_object *json = NULL;
    int r = json_parse(value.data, value.n, &json);

    return r < 0 ? -EUCLEAN : each->fn(json, each->arg);
}

static int each_row_of_index(struct db_bytes key, struct db_bytes value, void *arg)
{
    const struct each *each = arg;
    scoped(json_object_put) struct json_object *json = NULL;
    struct db_bytes id = { (const char *)key.data + each->n_before_id, key.n - each->n_before_id };
    int r = get_json(each->txn, each->table, id, &json);

    if (r == -ENOENT)
        return -EUCLEAN; /* an index that leads nowhere */
    return r < 0 ? r : each->fn(json, each->arg);
}

int store_each_call(struct db_txn *txn, store_each_fn *fn, void *arg)
{
    struct each each = { txn, DB_CALLS, 8, fn, arg };

    return db_each(txn, DB_CALLS_BY_TIME, nothing, nothing, DB_DOWN, each_row_of_index, &each);
}

static int each_of_owner(struct db_txn *txn, enum db_table index, enum db_table table,
                         const char *owner, store_each_fn *fn, void *arg)
{
    struct key prefix = key_below(owner);
    struct each each = { txn, table, prefix.n + 8, fn, arg };

    return db_each(txn, index, key_bytes(&prefix), nothing, DB_DOWN, each_row_of_index, &each);
}

int store_each_call_of(struct db_txn *txn, const char *contact_id, store_each_fn *fn, void *arg)
{
    return each_of_owner(txn, DB_CALLS_BY_CONTACT, DB_CALLS, contact_id, fn, arg);
}

int store_each_message_of(struct db_txn *txn, const char *contact_id, store_each_fn *fn, void *arg)
{
    return each_of_owner(txn, DB_MESSAGES_BY_CONTACT, DB_MESSAGES, contact_id, fn, arg);
}

/* Ids begin with the time. */
static int each_by_id(struct db_txn *txn, enum db_table table, store_each_fn *fn, void *arg)
{
    struct each each = { .fn = fn, .arg = arg };

    return db_each(txn, table, nothing, nothing, DB_DOWN, each_value, &each);
}

int store_each_contact(struct db_txn *txn, store_each_fn *fn, void *arg)
{
    return each_by_id(txn, DB_CONTACTS, fn, arg);
}

int store_each_message(struct db_txn *txn, store_each_fn *fn, void *arg)
{
    return each_by_id(txn, DB_MESSAGES, fn, arg);
}

int store_each_turn(struct db_txn *txn, const char *sid, store_each_fn *fn, void *arg)
{
    struct key prefix = key_below(sid);
    struct each each = { .fn = fn, .arg = arg };

    return db_each(txn, DB_TURNS, key_bytes(&prefix), nothing, DB_UP, each_value, &each);
}

static int take_turn(struct json_object *json, void *arg)
{
    int r = turn_from_json(json, arg);

    return r < 0 ? -EUCLEAN : 1;
}

int store_last_turn(struct db_txn *txn, const char *sid, struct turn *ret_turn)
{
    struct key prefix = key_below(sid);
    struct each each = { .fn = take_turn, .arg = ret_turn };
    int r = db_each(txn, DB_TURNS, key_bytes(&prefix), nothing, DB_DOWN, each_value, &each);

    return r < 0 ? r : r == 0 ? -ENOENT : 0;
}

void store_make_id(char prefix, uint64_t now_ms, char ret_id[CONTACT_ID_MAX])
{
    uint8_t random[ID_RANDOM];

    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        abort(); /* cannot happen for so few bytes once the machine is up */
    id_make(prefix, now_ms, random, ret_id);
}

/* --- the change feed */

static int add_id(struct json_object *json, const char *key, const char *id)
{
    return id && id[0] ? json_add(json, key, json_object_new_string(id)) : 0;
}

int store_event(struct db_txn *txn, const struct store_event *event)
{
    scoped(json_object_put) struct json_object *json = json_object_new_object();
    const char *text;
    int r = json ? json_add(json, "kind", json_object_new_string(event->kind)) : -ENOMEM;

    if (r == 0)
        r = json_add(json, "at_ms", json_object_new_uint64(event->at_ms));
    if (r == 0)
        r = add_id(json, "call", event->call);
    if (r == 0)
        r = add_id(json, "contact", event->contact);
    if (r == 0)
        r = add_id(json, "message", event->message);
    if (r < 0)
        return r;
    text = json_print(json, NULL);
    return text ? db_event(txn, text) : -ENOMEM;
}

int store_save_message(struct db_txn *txn, const struct message *message, const char *kind, uint64_t now_ms)
{
    int r = store_put_message(txn, message);

    if (r)
        return r;
    return store_event(txn, &(struct store_event){ .kind = kind,
                                                   .at_ms = now_ms,
                                                   .call = message->call_sid,
                                                   .contact = message->contact_id,
                                                   .message = message->id });
}
