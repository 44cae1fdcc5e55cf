/*
 * crm_store.c - which rows of which table a call, turn, contact, message, note or task is
 *
 *   calls                CallSid                            -> call
 *   calls_by_time        be64 started_ms, CallSid           -> nothing
 *   calls_by_contact     person, 0, be64 ms, CallSid        -> contact id
 *   meta                 "open ", CallSid                   -> nothing, while it is not over
 *   turns                CallSid, 0, be32 n                 -> turn
 *   contacts             id                                 -> contact
 *   contact_by_address   address                            -> contact id, or "=" and the address it is another name of
 *                        "=", address, 0, its other name    -> nothing
 *   contact_index        see crm_index.c
 *   contact_links        see crm_links.c
 *   messages             id                                 -> message
 *   messages_by_contact  person, 0, be64 ms, id             -> contact id
 *   seen                 provider id                        -> message id, once the provider has given it one
 *                        (and, apart from those by its first byte, what idempotency.c keeps)
 *   notes                id                                 -> note
 *   tasks                id                                 -> task
 *   tasks_by_due         be64 due_ms, id                    -> nothing, while it is open
 *   tasks_by_contact     person, 0, be64 due_ms, id         -> contact id
 *   timeline             person, 0, be64 ms, kind, id       -> contact id; kind as in enum store_item
 *
 * A person is the contact that all contacts who turned out to be one were merged into; of most contacts, himself.
 */
#include "services/crm_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "services/crm_index.h"
#include "services/crm_links.h"
#include "services/jobs.h"
#include "services/store_row.h"
#include "services/tombstones.h"
#include "utils/json.h"

/* --- keys */

static const char open_prefix[] = "open ";
enum { SAME_AS = '=' };

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

/* --- what belongs to a contact */

struct item {
    enum store_item kind;
    uint64_t at_ms;
    const char *id;
    enum db_table index; /* of its kind; DB_N_TABLES: there is none */
};

static struct key key_timeline(const char *person, const struct item *item)
{
    struct key key = key_below(person);
    char kind = (char)item->kind;

    key_add_number(&key, item->at_ms, 8);
    key_add_bytes(&key, &kind, 1);
    key_add_bytes(&key, item->id, strlen(item->id));
    return key;
}

/* Into the timeline and the index of its kind, below the person that the contact is one of. */
static int put_owned(struct db_txn *txn, const char *contact_id, const struct item *item)
{
    char person[CONTACT_ID_MAX];
    int r = links_person(txn, contact_id, person);

    if (r < 0)
        return r;
    struct key timeline = key_timeline(person, item);
    r = row_put_index(txn, DB_TIMELINE, &timeline, text_bytes(contact_id));
    if (r < 0 || item->index == DB_N_TABLES)
        return r;
    struct key key = key_by_owner(person, item->at_ms, item->id);
    return row_put_index(txn, item->index, &key, text_bytes(contact_id));
}

/* --- calls and turns */

int store_get_call(struct db_txn *txn, const char *sid, struct call *ret_call)
{
    scoped(json_object_put) struct json_object *json = NULL;
    int r = row_get(txn, DB_CALLS, text_bytes(sid), &json);

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

int store_put_call_indexes(struct db_txn *txn, const struct call *call)
{
    return put_owned(txn, call->contact_id, &(struct item){ ITEM_CALL, call->started_ms, call->sid, DB_CALLS_BY_CONTACT });
}

int store_put_call(struct db_txn *txn, const struct call *call)
{
    struct key by_time = key_by_time(call->started_ms, call->sid), open = key_open(call->sid);
    int r = row_put(txn, DB_CALLS, text_bytes(call->sid), call_to_json(call));

    if (r == 0)
        r = row_put_index(txn, DB_CALLS_BY_TIME, &by_time, nothing);
    if (r == 0 && call->contact_id[0])
        r = store_put_call_indexes(txn, call);
    if (r == 0)
        r = is_open(call) ? row_put_index(txn, DB_META, &open, nothing) : row_drop(txn, DB_META, key_bytes(&open));
    return r;
}

int store_put_turn(struct db_txn *txn, const char *sid, uint32_t n, const struct turn *turn)
{
    struct key key = key_turn(sid, n);

    return row_put(txn, DB_TURNS, key_bytes(&key), turn_to_json(turn));
}

int store_has_turn(struct db_txn *txn, const char *sid, uint32_t n)
{
    struct key key = key_turn(sid, n);
    struct db_bytes value;
    int r = db_get(txn, DB_TURNS, key_bytes(&key), &value);

    return r == -ENOENT ? 0 : r < 0 ? r : 1;
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
    int r = row_get(txn, DB_CONTACTS, text_bytes(id), &json);

    if (r == 0)
        r = contact_from_json(json, ret_contact);
    return r == -EBADMSG ? -EUCLEAN : r;
}

int store_contact_id_of(struct db_txn *txn, const char *address, char ret_id[CONTACT_ID_MAX])
{
    char value[CONTACT_ID_MAX];
    int r = row_get_id(txn, DB_CONTACT_BY_ADDRESS, text_bytes(address), value);

    if (r == 0 && value[0] == SAME_AS)
        return row_get_id(txn, DB_CONTACT_BY_ADDRESS, text_bytes(value + 1), ret_id);
    if (r == 0)
        memcpy(ret_id, value, sizeof(value));
    return r;
}

int store_same_address(struct db_txn *txn, const char *address, char ret_address[ADDRESS_MAX])
{
    char value[CONTACT_ID_MAX];
    int r = row_get_id(txn, DB_CONTACT_BY_ADDRESS, text_bytes(address), value);

    if (r < 0 || value[0] != SAME_AS)
        return r < 0 ? r : -ENOENT;
    memcpy(ret_address, value + 1, strlen(value));
    return 0;
}

int store_put_same_address(struct db_txn *txn, const char *address, const char *same_as)
{
    char value[CONTACT_ID_MAX];
    int n = snprintf(value, sizeof(value), "%c%s", SAME_AS, same_as);

    if (n < 0 || (size_t)n >= sizeof(value))
        return -EINVAL;
    struct key back = key_below(value);
    key_add_bytes(&back, address, strlen(address));
    int r = db_put(txn, DB_CONTACT_BY_ADDRESS, text_bytes(address), text_bytes(value));
    return r < 0 ? r : row_put_index(txn, DB_CONTACT_BY_ADDRESS, &back, nothing);
}

void store_same_address_id(const char *address, const char *same_as, char ret_id[SAME_ADDRESS_ID_MAX])
{
    (void)snprintf(ret_id, SAME_ADDRESS_ID_MAX, "%s%c%s", address, SAME_AS, same_as);
}

int store_drop_address(struct db_txn *txn, const char *address)
{
    return row_drop(txn, DB_CONTACT_BY_ADDRESS, text_bytes(address));
}

static int take_back_key(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct key *taken = arg;

    *taken = (struct key){ 0 };
    key_add_bytes(taken, key.data, key.n);
    return 1;
}

int store_forget_address(struct db_txn *txn, const char *address, uint64_t now_ms)
{
    char value[CONTACT_ID_MAX + 1], same[ADDRESS_MAX], other[ADDRESS_MAX] = "", id[SAME_ADDRESS_ID_MAX];
    struct key row;
    int r;

    (void)snprintf(value, sizeof(value), "%c%.*s", SAME_AS, CONTACT_ID_MAX - 2, address);
    struct key below = key_below(value);
    while ((r = db_each(txn, DB_CONTACT_BY_ADDRESS, key_bytes(&below), nothing, DB_UP, take_back_key, &row)) == 1) {
        size_t n = row.n - below.n < sizeof(other) ? row.n - below.n : sizeof(other) - 1;
        memcpy(other, row.bytes + below.n, n);
        other[n] = '\0';
        r = db_delete(txn, DB_CONTACT_BY_ADDRESS, key_bytes(&row));
        if (r == 0 && store_same_address(txn, other, same) == 0 && strcmp(same, address) == 0)
            r = store_drop_address(txn, other);
        store_same_address_id(other, address, id);
        if (r == 0)
            r = tombstone_set(txn, id, now_ms);
        if (r < 0)
            return r;
    }
    return r < 0 ? r : store_drop_address(txn, address);
}

int store_put_contact(struct db_txn *txn, const struct contact *contact)
{
    size_t n = contact->addresses ? json_object_array_length(contact->addresses) : 0;
    int r = row_put(txn, DB_CONTACTS, text_bytes(contact->id), contact_to_json(contact));

    if (r)
        return r;
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct key key = { 0 };
        const char *address = json_object_get_string(json_object_array_get_idx(contact->addresses, i));

        key_add_bytes(&key, address, strlen(address));
        r = row_put_index(txn, DB_CONTACT_BY_ADDRESS, &key, text_bytes(contact->id));
    }
    return r ?: index_contact(txn, contact);
}

int store_get_message(struct db_txn *txn, const char *id, struct message *ret_message)
{
    scoped(json_object_put) struct json_object *json = NULL;
    int r = row_get(txn, DB_MESSAGES, text_bytes(id), &json);

    if (r == 0)
        r = message_from_json(json, ret_message);
    return r == -EBADMSG ? -EUCLEAN : r;
}

int store_message_id_of(struct db_txn *txn, const char *provider_id, char ret_id[CONTACT_ID_MAX])
{
    return row_get_id(txn, DB_SEEN, text_bytes(provider_id), ret_id);
}

int store_put_message_indexes(struct db_txn *txn, const struct message *message)
{
    return put_owned(txn, message->contact_id,
                     &(struct item){ ITEM_MESSAGE, message->created_ms, message->id, DB_MESSAGES_BY_CONTACT });
}

int store_put_message(struct db_txn *txn, const struct message *message)
{
    int r = row_put(txn, DB_MESSAGES, text_bytes(message->id), message_to_json(message));

    if (r == 0 && message->provider_id[0])
        r = db_put(txn, DB_SEEN, text_bytes(message->provider_id), text_bytes(message->id));
    return r == 0 && message->contact_id[0] ? store_put_message_indexes(txn, message) : r;
}

int store_delete_message(struct db_txn *txn, const struct message *message)
{
    int r = db_delete(txn, DB_MESSAGES, text_bytes(message->id));

    return r < 0 ? r : db_delete(txn, DB_SEEN, text_bytes(message->provider_id));
}

/* --- notes and tasks */

int store_get_note(struct db_txn *txn, const char *id, struct note *ret_note)
{
    scoped(json_object_put) struct json_object *json = NULL;
    int r = row_get(txn, DB_NOTES, text_bytes(id), &json);

    if (r == 0)
        r = note_from_json(json, ret_note);
    return r == -EBADMSG ? -EUCLEAN : r;
}

int store_put_note(struct db_txn *txn, const struct note *note)
{
    int r = row_put(txn, DB_NOTES, text_bytes(note->id), note_to_json(note));

    if (r == 0)
        r = put_owned(txn, note->contact_id, &(struct item){ ITEM_NOTE, note->created_ms, note->id, DB_N_TABLES });
    return r ?: index_note(txn, note);
}

static int drop_owned(struct db_txn *txn, const char *contact_id, const struct item *item)
{
    char person[CONTACT_ID_MAX];
    int r = links_person(txn, contact_id, person);

    if (r < 0)
        return r;
    struct key timeline = key_timeline(person, item), key = key_by_owner(person, item->at_ms, item->id);
    r = row_drop(txn, DB_TIMELINE, key_bytes(&timeline));
    return r < 0 || item->index == DB_N_TABLES ? r : row_drop(txn, item->index, key_bytes(&key));
}

int store_delete_note(struct db_txn *txn, const struct note *note)
{
    int r = db_delete(txn, DB_NOTES, text_bytes(note->id));

    if (r == 0)
        r = index_drop_note(txn, note->id);
    return r ?: drop_owned(txn, note->contact_id, &(struct item){ ITEM_NOTE, note->created_ms, note->id, DB_N_TABLES });
}

int store_get_task(struct db_txn *txn, const char *id, struct task *ret_task)
{
    scoped(json_object_put) struct json_object *json = NULL;
    int r = row_get(txn, DB_TASKS, text_bytes(id), &json);

    if (r == 0)
        r = task_from_json(json, ret_task);
    return r == -EBADMSG ? -EUCLEAN : r;
}

/* Those without a date come last. */
static uint64_t due(const struct task *task)
{
    return task->due_ms ?: UINT64_MAX;
}

/* The rows that lead to it: by date while it is open, in the timeline once it is done, with its contact always. */
static int drop_task_indexes(struct db_txn *txn, const struct task *task)
{
    char person[CONTACT_ID_MAX];
    int r = links_person(txn, task->contact_id, person);

    if (r < 0)
        return r;
    struct key by_due = key_by_time(due(task), task->id), by_contact = key_by_owner(person, due(task), task->id);
    r = row_drop(txn, DB_TASKS_BY_DUE, key_bytes(&by_due));
    if (r == 0)
        r = row_drop(txn, DB_TASKS_BY_CONTACT, key_bytes(&by_contact));
    if (r == 0 && task->ended_ms)
        r = drop_owned(txn, task->contact_id, &(struct item){ ITEM_TASK, task->ended_ms, task->id, DB_N_TABLES });
    return r;
}

static int put_task_indexes(struct db_txn *txn, const struct task *task)
{
    char person[CONTACT_ID_MAX];
    int r = links_person(txn, task->contact_id, person);

    if (r < 0)
        return r;
    struct key by_due = key_by_time(due(task), task->id), by_contact = key_by_owner(person, due(task), task->id);
    r = row_put_index(txn, DB_TASKS_BY_CONTACT, &by_contact, text_bytes(task->contact_id));
    if (r == 0 && task->state == TASK_OPEN)
        r = row_put_index(txn, DB_TASKS_BY_DUE, &by_due, nothing);
    if (r == 0 && task->ended_ms)
        r = put_owned(txn, task->contact_id, &(struct item){ ITEM_TASK, task->ended_ms, task->id, DB_N_TABLES });
    return r;
}

int store_put_task(struct db_txn *txn, const struct task *task)
{
    scoped(task_done) struct task was = { 0 };
    int r = store_get_task(txn, task->id, &was);

    if (r < 0 && r != -ENOENT)
        return r;
    bool is_new = r == -ENOENT;
    r = row_put(txn, DB_TASKS, text_bytes(task->id), task_to_json(task));
    if (r == 0 && !is_new)
        r = drop_task_indexes(txn, &was);
    return r ?: put_task_indexes(txn, task);
}

int store_delete_task(struct db_txn *txn, const struct task *task)
{
    int r = db_delete(txn, DB_TASKS, text_bytes(task->id));

    return r ?: drop_task_indexes(txn, task);
}

/* --- calls and messages that are to be forgotten */

int store_call_is_open(struct db_txn *txn, const char *sid)
{
    struct key open = key_open(sid);
    struct db_bytes value;
    int r = db_get(txn, DB_META, key_bytes(&open), &value);

    return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

enum { TURNS_AT_ONCE = 64 };

struct turn_keys {
    struct key keys[TURNS_AT_ONCE];
    size_t n, max;
};

static int take_turn_key(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct turn_keys *taken = arg;

    if (taken->n == taken->max)
        return 1;
    taken->keys[taken->n] = (struct key){ 0 };
    key_add_bytes(&taken->keys[taken->n++], key.data, key.n);
    return 0;
}

int store_delete_turns(struct db_txn *txn, const char *sid, size_t max)
{
    struct turn_keys taken = { .max = max < TURNS_AT_ONCE ? max : TURNS_AT_ONCE };
    struct key below = key_below(sid);
    int r = db_each(txn, DB_TURNS, key_bytes(&below), nothing, DB_UP, take_turn_key, &taken);

    for (size_t i = 0; i < taken.n && r >= 0; i++)
        r = db_delete(txn, DB_TURNS, key_bytes(&taken.keys[i]));
    return r < 0 ? r : (int)taken.n;
}

int store_delete_call(struct db_txn *txn, const struct call *call)
{
    struct key by_time = key_by_time(call->started_ms, call->sid), open = key_open(call->sid);
    int r = db_delete(txn, DB_CALLS, text_bytes(call->sid));

    if (r == 0)
        r = row_drop(txn, DB_CALLS_BY_TIME, key_bytes(&by_time));
    if (r == 0)
        r = row_drop(txn, DB_META, key_bytes(&open));
    if (r < 0 || !call->contact_id[0])
        return r;
    return drop_owned(txn, call->contact_id, &(struct item){ ITEM_CALL, call->started_ms, call->sid, DB_CALLS_BY_CONTACT });
}

static int key_unread(struct db_txn *txn, const struct message *message, struct key *ret_key)
{
    char person[CONTACT_ID_MAX];
    int r = links_person(txn, message->contact_id, person);

    if (r == 0)
        *ret_key = key_by_owner(person, message->created_ms, message->id);
    return r;
}

int store_put_unread(struct db_txn *txn, const struct message *message)
{
    struct key key;
    int r = key_unread(txn, message, &key);

    return r < 0 ? r : db_put(txn, DB_UNREAD, key_bytes(&key), text_bytes(message->contact_id));
}

static int drop_unread(struct db_txn *txn, const struct message *message)
{
    struct key key;
    int r = key_unread(txn, message, &key);

    return r < 0 ? r : row_drop(txn, DB_UNREAD, key_bytes(&key));
}

int store_forget_message(struct db_txn *txn, const struct message *message)
{
    struct job job;
    int r = message->job_id ? jobs_get_over(txn, message->job_id, &job) : -ENOENT;

    if (r == 0)
        r = jobs_end(txn, &job);
    if (r == 0 || r == -ENOENT)
        r = db_delete(txn, DB_MESSAGES, text_bytes(message->id));
    if (r == 0 && message->provider_id[0])
        r = row_drop(txn, DB_SEEN, text_bytes(message->provider_id));
    if (r == 0 && message->contact_id[0])
        r = drop_unread(txn, message);
    if (r < 0 || !message->contact_id[0])
        return r;
    return drop_owned(txn, message->contact_id,
                      &(struct item){ ITEM_MESSAGE, message->created_ms, message->id, DB_MESSAGES_BY_CONTACT });
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
    int r = row_get(each->txn, each->table, id, &json);

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

struct each_owner {
    store_owner_fn *fn;
    void *arg;
};

static int tell_owner(struct db_bytes key, struct db_bytes value, void *arg)
{
    const struct each_owner *each = arg;
    char id[CONTACT_ID_MAX], contact_id[CONTACT_ID_MAX] = "";
    int r = key.n < sizeof(id) ? json_find_text(value.data, value.n, "contact_id", contact_id, sizeof(contact_id)) : -EUCLEAN;

    if (r < 0 && r != -ENOENT)
        return -EUCLEAN;
    memcpy(id, key.data, key.n);
    id[key.n] = '\0';
    return each->fn(id, contact_id, each->arg);
}

int store_each_message_owner(struct db_txn *txn, const char *id, store_owner_fn *fn, void *arg)
{
    struct each_owner each = { fn, arg };

    return db_each(txn, DB_MESSAGES, nothing, text_bytes(id), DB_DOWN, tell_owner, &each);
}

struct newest {
    size_t n_before_id;
    char *id;
};

static int take_newest(struct db_bytes key, struct db_bytes value, void *arg)
{
    const struct newest *newest = arg;
    struct db_bytes id = { (const char *)key.data + newest->n_before_id, key.n - newest->n_before_id };

    if (id.n >= CONTACT_ID_MAX)
        return -EUCLEAN;
    memcpy(newest->id, id.data, id.n);
    newest->id[id.n] = '\0';
    return 1;
}

int store_newest_message_of(struct db_txn *txn, const char *person, char ret_id[CONTACT_ID_MAX])
{
    struct key prefix = key_below(person);
    struct newest newest = { prefix.n + 8, ret_id };
    int r = db_each(txn, DB_MESSAGES_BY_CONTACT, key_bytes(&prefix), nothing, DB_DOWN, take_newest, &newest);

    return r < 0 ? r : r == 0 ? -ENOENT : 0;
}

int store_each_message_of_from(struct db_txn *txn, const char *contact_id, uint64_t ms, const char *id, store_each_fn *fn, void *arg)
{
    struct key prefix = key_below(contact_id), from = key_by_owner(contact_id, ms, id);
    struct each each = { txn, DB_MESSAGES, prefix.n + 8, fn, arg };

    return db_each(txn, DB_MESSAGES_BY_CONTACT, key_bytes(&prefix), id[0] ? key_bytes(&from) : nothing, DB_DOWN,
                   each_row_of_index, &each);
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

static void draw(uint8_t ret_random[ID_RANDOM])
{
    if (getrandom(ret_random, ID_RANDOM, 0) != ID_RANDOM)
        abort(); /* cannot happen for so few bytes once the machine is up */
}

void store_make_id(char prefix, uint64_t now_ms, char ret_id[CONTACT_ID_MAX])
{
    uint8_t random[ID_RANDOM];

    draw(random);
    id_make(prefix, now_ms, random, ret_id);
}

static int take_key(struct db_bytes key, struct db_bytes value, void *arg)
{
    if (key.n >= CONTACT_ID_MAX)
        return -EUCLEAN;
    memcpy(arg, key.data, key.n);
    return 1;
}

int store_make_message_id(struct db_txn *txn, uint64_t now_ms, char ret_id[CONTACT_ID_MAX])
{
    uint8_t random[ID_RANDOM];
    char last[CONTACT_ID_MAX] = "";
    int r = db_each(txn, DB_MESSAGES, nothing, nothing, DB_DOWN, take_key, last);

    if (r < 0)
        return r;
    draw(random);
    id_make_after('M', now_ms, random, last, ret_id);
    return 0;
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
    int r = json ? json_add(json, "kind", json_object_new_string(event_kind(event->kind)->name)) : -ENOMEM;

    if (r == 0)
        r = json_add(json, "at_ms", json_object_new_uint64(event->at_ms));
    if (r == 0)
        r = add_id(json, "call", event->call);
    if (r == 0)
        r = add_id(json, "contact", event->contact);
    if (r == 0)
        r = add_id(json, "message", event->message);
    if (r == 0)
        r = add_id(json, "from", event->from);
    if (r == 0)
        r = add_id(json, "note", event->note);
    if (r == 0)
        r = add_id(json, "task", event->task);
    if (r < 0)
        return r;
    text = json_print(json, NULL);
    return text ? db_event(txn, text) : -ENOMEM;
}

int store_save_message(struct db_txn *txn, const struct message *message, enum event_kind kind, uint64_t now_ms)
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
