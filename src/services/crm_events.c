/*
 * crm_events.c - the change feed
 *
 * A row is small, "what happened to which", since each is written in the transaction of what happened. Whoever is told
 * gets the thing itself beside it, as it is when he is told: that costs the writer nothing, and what is told last is true.
 */
#include "services/crm_events.h"

#include <errno.h>
#include <string.h>

#include <json-c/json.h>

#include "services/crm_contacts.h"
#include "services/crm_internal.h"
#include "services/store_row.h"
#include "utils/json.h"

static struct key key_of(uint64_t seq)
{
    struct key key = { 0 };

    key_add_number(&key, seq, 8);
    return key;
}

static int read_event(struct db_bytes key, struct db_bytes value, struct event *ret_event)
{
    scoped(json_object_put) struct json_object *json = NULL;
    int r = key.n == 8 ? json_parse(value.data, value.n, &json) : -EUCLEAN;

    if (r == 0)
        r = event_from_json(json, ret_event);
    if (r == 0)
        ret_event->seq = key_number(key.data, 8);
    return r == -EBADMSG ? -EUCLEAN : r;
}

static int take_seq(struct db_bytes key, struct db_bytes value, void *arg)
{
    if (key.n != 8)
        return -EUCLEAN;
    *(uint64_t *)arg = key_number(key.data, 8);
    return 1;
}

int crm_events_range(struct db_txn *txn, uint64_t *ret_first, uint64_t *ret_last)
{
    *ret_first = *ret_last = 0;
    int r = db_each(txn, DB_EVENTS, nothing, nothing, DB_UP, take_seq, ret_first);

    if (r >= 0)
        r = db_each(txn, DB_EVENTS, nothing, nothing, DB_DOWN, take_seq, ret_last);
    return r < 0 ? r : 0;
}

struct search {
    const char *kinds;
    size_t n_looked_at;
    struct event event;
    uint64_t seen;
};

enum { FOUND = 1, TIRED };

static int look_at(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct search *search = arg;

    if (search->n_looked_at++ == EVENTS_LOOKED_AT_MAX)
        return TIRED;
    int r = read_event(key, value, &search->event);
    if (r < 0)
        return r;
    search->seen = search->event.seq;
    return event_is_wanted(search->kinds, search->event.kind) ? FOUND : 0;
}

int crm_event_next(struct db_txn *txn, uint64_t after, const char *kinds, struct event *ret_event, uint64_t *ret_seen)
{
    struct search search = { .kinds = kinds, .seen = after };
    struct key from = key_of(after + 1);
    int r = db_each(txn, DB_EVENTS, nothing, key_bytes(&from), DB_UP, look_at, &search);

    if (r < 0)
        return r;
    *ret_seen = search.seen;
    if (r == FOUND)
        *ret_event = search.event;
    return r == FOUND;
}

/* --- for whoever is told */

static int show_row(struct db_txn *txn, enum db_table table, const char *id, struct json_object **ret_json)
{
    int r = row_get(txn, table, text_bytes(id), ret_json);

    if (r == 0)
        crm_hide(*ret_json);
    return r;
}

static int show_contact(struct db_txn *txn, const char *id, struct json_object **ret_json)
{
    scoped(contact_done) struct contact contact = { 0 };
    int r = crm_contact_get(txn, id, &contact);

    if (r < 0)
        return r;
    *ret_json = crm_contact_shown(&contact);
    return *ret_json ? 0 : -ENOMEM;
}

/* Errors: -ENOENT it is not there any more. */
static int show_data(struct db_txn *txn, const struct event *event, struct json_object **ret_json)
{
    const struct event_kind_row *kind = event_kind_find(event->kind);
    const char *id = event_ref(event);

    if (!kind || !id[0])
        return -ENOENT;
    switch (kind->subject) {
    case EVENT_OF_CALL:
        return show_row(txn, DB_CALLS, id, ret_json);
    case EVENT_OF_CONTACT:
        return show_contact(txn, id, ret_json);
    case EVENT_OF_MESSAGE:
        return crm_message_view(txn, id, ret_json);
    case EVENT_OF_NOTE:
        return show_row(txn, DB_NOTES, id, ret_json);
    default:
        return show_row(txn, DB_TASKS, id, ret_json);
    }
}

/* All but data. */
static int show_head(const struct event *event, struct json_object **ret_object)
{
    const struct {
        const char *key, *value;
    } refs[] = {
        { "call", event->call }, { "contact", event->contact }, { "message", event->message },
        { "note", event->note }, { "task", event->task },       { "from", event->from },
    };
    scoped(json_object_put) struct json_object *json = json_object_new_object();
    char id[EVENT_ID_MAX];
    int r = json ? 0 : -ENOMEM;

    event_id(event, id);
    if (r == 0)
        r = json_add(json, "id", json_object_new_string(id));
    if (r == 0)
        r = json_add(json, "seq", json_object_new_uint64(event->seq));
    if (r == 0)
        r = json_add(json, "kind", json_object_new_string(event->kind));
    if (r == 0)
        r = json_add(json, "at_ms", json_object_new_uint64(event->at_ms));
    for (size_t i = 0; i < ELEMENTSOF(refs) && r == 0; i++)
        if (refs[i].value[0])
            r = json_add(json, refs[i].key, json_object_new_string(refs[i].value));
    if (r == 0)
        *ret_object = steal(&json);
    return r;
}

int crm_event_shown(struct db_txn *txn, const struct event *event, struct json_object **ret_object)
{
    scoped(json_object_put) struct json_object *json = NULL;
    struct json_object *data = NULL;
    int r = show_head(event, &json);

    if (r == 0)
        r = show_data(txn, event, &data);
    if (r == 0)
        r = json_add(json, "data", data);
    else if ((r == -ENOENT || r == -EINVAL) && json)
        r = json_object_object_add(json, "data", NULL) < 0 ? -ENOMEM : 0;
    if (r == 0)
        *ret_object = steal(&json);
    return r;
}

static int add_event(struct db_txn *txn, struct json_object *array, const struct event *event)
{
    struct json_object *json = NULL;
    int r = crm_event_shown(txn, event, &json);

    return r < 0 ? r : json_append(array, json);
}

int crm_events_page(struct db_txn *txn, uint64_t after, const char *kinds, size_t max, struct json_object **ret_object)
{
    scoped(json_object_put) struct json_object *whole = json_object_new_object(), *array = json_object_new_array();
    uint64_t first = 0, last = 0, start = after;
    struct event event;
    int r = whole && array ? crm_events_range(txn, &first, &last) : -ENOMEM;

    for (size_t i = 0; i < max && r >= 0; i++) {
        r = crm_event_next(txn, after, kinds, &event, &after);
        if (r <= 0)
            break;
        r = add_event(txn, array, &event);
    }
    if (r >= 0)
        r = json_add(whole, "events", json_object_get(array));
    if (r == 0)
        r = json_add(whole, "next", json_object_new_uint64(after));
    if (r == 0)
        r = json_add(whole, "missed", json_object_new_uint64(start && first > start + 1 ? first - start - 1 : 0));
    if (r == 0)
        *ret_object = steal(&whole);
    return r;
}

struct page {
    struct json_object *array;
    size_t room;
};

static int add_to_page(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct page *page = arg;
    struct json_object *json = NULL;
    struct event event;

    if (page->room-- == 0)
        return 1;
    int r = read_event(key, value, &event);
    if (r == 0)
        r = show_head(&event, &json);
    return r < 0 ? r : json_append(page->array, json);
}

int crm_events_last(struct db_txn *txn, size_t max, struct json_object **ret_array)
{
    struct page page = { json_object_new_array(), max };
    int r = page.array ? db_each(txn, DB_EVENTS, nothing, nothing, DB_DOWN, add_to_page, &page) : -ENOMEM;

    if (r < 0) {
        json_object_put(page.array);
        return r;
    }
    *ret_array = page.array;
    return 0;
}
