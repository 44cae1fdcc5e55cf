/*
 * crm_timeline.c - what happened with a person, whatever the channel
 *
 * A cursor is the key of the last row without the person: "milliseconds.kind.id". What is written later does not move it.
 */
#include "services/crm_timeline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "services/crm_contacts.h"
#include "services/crm_internal.h"
#include "services/crm_links.h"
#include "services/crm_store.h"
#include "services/store_row.h"
#include "utils/json.h"

static const struct kind {
    enum store_item item;
    const char *name;
    enum db_table table;
} kinds_known[] = {
    { ITEM_CALL, "call", DB_CALLS },
    { ITEM_MESSAGE, "message", DB_MESSAGES },
    { ITEM_NOTE, "note", DB_NOTES },
    { ITEM_TASK, "task", DB_TASKS },
};

enum { MORE = 2 };

struct page {
    struct db_txn *txn;
    struct json_object *array;
    const char *kinds;
    size_t n_before; /* bytes of a key before the time */
    size_t room, n_looked_at;
    const struct key *seen; /* the last row of the page before; NULL */
    char *cursor;
};

static const struct kind *find_kind(char item)
{
    for (size_t i = 0; i < ELEMENTSOF(kinds_known); i++)
        if ((char)kinds_known[i].item == item)
            return &kinds_known[i];
    return NULL;
}

static int add_item(struct page *page, const struct kind *kind, struct db_bytes id, uint64_t at_ms, struct db_bytes owner)
{
    scoped(json_object_put) struct json_object *row = NULL, *item = json_object_new_object();
    int r = item ? row_get(page->txn, kind->table, id, &row) : -ENOMEM;

    if (r < 0)
        return r == -ENOENT ? -EUCLEAN : r;
    crm_hide(row);
    r = json_add(item, "kind", json_object_new_string(kind->name));
    if (r == 0)
        r = json_add(item, "at_ms", json_object_new_uint64(at_ms));
    if (r == 0)
        r = json_add(item, "contact_id", json_text(owner.data, owner.n));
    if (r == 0)
        r = json_add(item, kind->name, json_object_get(row));
    return r < 0 ? r : json_append(page->array, json_object_get(item));
}

static int add_row(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct page *page = arg;
    const char *rest = (const char *)key.data + page->n_before;
    struct db_bytes id = { rest + 9, key.n - page->n_before - 9 };
    const struct kind *kind = find_kind(rest[8]);

    if (page->seen && key.n == page->seen->n && memcmp(key.data, page->seen->bytes, key.n) == 0)
        return 0;
    if (page->room == 0 || page->n_looked_at == TIMELINE_LOOKED_AT_MAX)
        return MORE;
    if (!kind)
        return -EUCLEAN;
    page->n_looked_at++;
    (void)snprintf(page->cursor, TIMELINE_CURSOR_MAX, "%" PRIu64 ".%c.%.*s", key_number(rest, 8), rest[8], (int)id.n,
                   (const char *)id.data);
    if (page->kinds[0] && !strchr(page->kinds, rest[8]))
        return 0;
    page->room--;
    return add_item(page, kind, id, key_number(rest, 8), value);
}

/* Onto the key that holds the person. */
static int parse_cursor(const char *cursor, struct key *key)
{
    char *end;
    uint64_t ms = strtoull(cursor, &end, 10);

    if (end == cursor || end[0] != '.' || !find_kind(end[1]) || end[2] != '.' || !call_sid_is_plain(end + 3))
        return -EINVAL;
    key_add_number(key, ms, 8);
    key_add_bytes(key, end + 1, 1);
    key_add_bytes(key, end + 3, strlen(end + 3));
    return 0;
}

int crm_timeline_page(struct db_txn *txn, const char *contact_id, const char *kinds, const char *cursor, size_t max,
                      struct json_object **ret_array, char ret_cursor[TIMELINE_CURSOR_MAX])
{
    scoped(json_object_put) struct json_object *array = json_object_new_array();
    scoped(contact_done) struct contact contact = { 0 };
    int r = array ? crm_contact_get(txn, contact_id, &contact) : -ENOMEM;

    if (r < 0)
        return r == -EINVAL ? -ENOENT : r;
    struct key below = key_below(contact.id), from = below;
    struct page page = { .txn = txn, .array = array, .kinds = kinds, .n_before = below.n, .room = max, .cursor = ret_cursor };
    ret_cursor[0] = '\0';
    if (cursor[0]) {
        r = parse_cursor(cursor, &from);
        page.seen = &from;
    }
    if (r == 0)
        r = db_each(txn, DB_TIMELINE, key_bytes(&below), cursor[0] ? key_bytes(&from) : nothing, DB_DOWN, add_row, &page);
    if (r < 0)
        return r;
    if (r != MORE)
        ret_cursor[0] = '\0';
    *ret_array = steal(&array);
    return 0;
}
