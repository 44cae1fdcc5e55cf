/*
 * crm_export.c - what the store holds, as lines
 *
 * A kind is a table and how a row of it becomes data; all walks go by that. A cursor is the kind and the last key, in
 * hexadecimal: what is written meanwhile is in a page or not, and nothing comes twice.
 */
#include "services/crm_export.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <json-c/json.h>

#include "services/crm_links.h"
#include "services/crm_store.h"
#include "services/store_row.h"
#include "utils/json.h"

/* --- rows */

static int take_value(struct db_bytes key, struct db_bytes value, struct json_object **ret_data)
{
    int r = json_parse(value.data, value.n, ret_data);

    return r == -EBADMSG ? -EUCLEAN : r;
}

static int take_call(struct db_bytes key, struct db_bytes value, struct json_object **ret_data)
{
    int r = take_value(key, value, ret_data);

    if (r == 0)
        json_object_object_del(*ret_data, "stream_token");
    return r;
}

static int take_message(struct db_bytes key, struct db_bytes value, struct json_object **ret_data)
{
    int r = take_value(key, value, ret_data);

    if (r == 0)
        json_object_object_del(*ret_data, "job_id");
    return r;
}

/* data with a member in front that its row does not have. Takes data in case of an error. */
static int put_text(struct json_object **data, const char *name, struct db_bytes text)
{
    int r = json_add(*data, name, json_text(text.data, text.n));

    if (r < 0)
        json_object_put(steal(data));
    return r;
}

static int take_turn(struct db_bytes key, struct db_bytes value, struct json_object **ret_data)
{
    if (key.n < 5)
        return -EUCLEAN;
    int r = take_value(key, value, ret_data);
    if (r == 0)
        r = put_text(ret_data, "call_sid", (struct db_bytes){ key.data, key.n - 5 });
    return r < 0 ? r : json_add(*ret_data, "n", json_object_new_uint64(key_number((const char *)key.data + key.n - 4, 4)));
}

/* See crm_links.c for the three kinds of rows. */
static int take_link(struct db_bytes key, struct db_bytes value, struct json_object **ret_data)
{
    if (memchr(key.data, 0, key.n) || memchr(key.data, 1, key.n))
        return 1;
    int r = take_value(key, value, ret_data);
    return r < 0 ? r : put_text(ret_data, "from", key);
}

static int take_parted(struct db_bytes key, struct db_bytes value, struct json_object **ret_data)
{
    const char *between = memchr(key.data, 1, key.n);

    if (!between)
        return 1;
    size_t n = (size_t)(between - (const char *)key.data);
    *ret_data = json_object_new_object();
    int r = *ret_data ? put_text(ret_data, "a", (struct db_bytes){ key.data, n }) : -ENOMEM;
    return r < 0 ? r : put_text(ret_data, "b", (struct db_bytes){ between + 1, key.n - n - 1 });
}

static int take_address(struct db_bytes key, struct db_bytes value, struct json_object **ret_data)
{
    if (value.n < 2 || ((const char *)value.data)[0] != '=')
        return 1;
    *ret_data = json_object_new_object();
    int r = *ret_data ? put_text(ret_data, "address", key) : -ENOMEM;
    return r < 0 ? r : put_text(ret_data, "same_as", (struct db_bytes){ (const char *)value.data + 1, value.n - 1 });
}

static const struct row {
    const char *name;
    enum db_table table;
    int (*take)(struct db_bytes key, struct db_bytes value, struct json_object **ret_data); /* 1: it is none */
    const char *at[2]; /* members that say when; the later one counts; "": always */
} rows[EXPORT_N_KINDS] = {
    [EXPORT_CONTACT] = { "contact", DB_CONTACTS, take_value, { "updated_ms" } },
    [EXPORT_LINK] = { "link", DB_CONTACT_LINKS, take_link, { "at_ms" } },
    [EXPORT_PARTED] = { "parted", DB_CONTACT_LINKS, take_parted, { "" } },
    [EXPORT_ADDRESS] = { "address", DB_CONTACT_BY_ADDRESS, take_address, { "" } },
    [EXPORT_CALL] = { "call", DB_CALLS, take_call, { "started_ms", "ended_ms" } },
    [EXPORT_TURN] = { "turn", DB_TURNS, take_turn, { "start_ms", "end_ms" } },
    [EXPORT_MESSAGE] = { "message", DB_MESSAGES, take_message, { "created_ms", "updated_ms" } },
    [EXPORT_NOTE] = { "note", DB_NOTES, take_value, { "updated_ms" } },
    [EXPORT_TASK] = { "task", DB_TASKS, take_value, { "updated_ms" } },
};

int export_kind_parse(const char *name, size_t n)
{
    for (size_t i = 0; i < ELEMENTSOF(rows); i++)
        if (strlen(rows[i].name) == n && memcmp(rows[i].name, name, n) == 0)
            return (int)i;
    return -EINVAL;
}

/* --- lines */

struct writing {
    const struct export_filter *filter;
    export_fn *fn;
    void *arg;
    enum export_kind kind;
};

static bool is_wanted(const struct export_filter *filter, enum export_kind kind)
{
    return !filter->kinds || (filter->kinds & 1u << kind);
}

static bool is_late_enough(const struct writing *writing, struct json_object *data)
{
    const struct row *row = &rows[writing->kind];

    if (!writing->filter->since_ms || !row->at[0][0])
        return true;
    for (size_t i = 0; i < ELEMENTSOF(row->at) && row->at[i]; i++)
        if ((uint64_t)json_get_int(data, row->at[i]) >= writing->filter->since_ms)
            return true;
    return false;
}

/* Takes data. */
static int tell(const struct writing *writing, struct json_object *data)
{
    scoped(json_object_put) struct json_object *line = json_object_new_object();
    int r = line ? json_add(line, "format", json_object_new_int(EXPORT_FORMAT)) : -ENOMEM;

    if (r == 0)
        r = json_add(line, "kind", json_object_new_string(rows[writing->kind].name));
    if (r == 0)
        r = json_add(line, "data", json_object_get(data));
    json_object_put(data);
    return r < 0 ? r : writing->fn(writing->kind, line, writing->arg);
}

static int tell_row(struct db_bytes key, struct db_bytes value, void *arg)
{
    const struct writing *writing = arg;
    struct json_object *data = NULL;
    int r = rows[writing->kind].take(key, value, &data);

    if (r)
        return r < 0 ? r : 0;
    if (!is_late_enough(writing, data)) {
        json_object_put(data);
        return 0;
    }
    return tell(writing, data);
}

int crm_export_all(struct db_txn *txn, const struct export_filter *filter, export_fn *fn, void *arg)
{
    struct writing writing = { .filter = filter, .fn = fn, .arg = arg };
    int r = 0;

    for (writing.kind = 0; r == 0 && writing.kind < EXPORT_N_KINDS; writing.kind++)
        if (is_wanted(filter, writing.kind))
            r = db_each(txn, rows[writing.kind].table, nothing, nothing, DB_UP, tell_row, &writing);
    return r;
}

/* --- of one person */

struct person {
    struct writing writing;
    struct db_txn *txn;
    size_t n_before; /* bytes of an index key before the kind, or the id */
    char item;       /* 0: any */
};

static int tell_one(struct person *person, struct db_bytes key)
{
    struct db_bytes value = { 0 };
    int r = db_get(person->txn, rows[person->writing.kind].table, key, &value);

    return r == 0 ? tell_row(key, value, &person->writing) : r == -ENOENT ? 0 : r;
}

static int tell_item(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct person *person = arg;
    const char *bytes = (const char *)key.data + person->n_before;
    size_t n = key.n - person->n_before;

    if (person->item && *bytes != person->item)
        return 0;
    struct db_bytes id = { bytes + !!person->item, n - !!person->item };
    if (person->writing.kind != EXPORT_TURN)
        return tell_one(person, id);
    struct key below = { 0 };
    key_add_bytes(&below, id.data, id.n);
    key_add_bytes(&below, "", 1);
    return db_each(person->txn, DB_TURNS, key_bytes(&below), nothing, DB_UP, tell_row, &person->writing);
}

static int tell_members(struct person *person, const struct links_members *members)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < members->n; i++)
        r = tell_one(person, text_bytes(members->ids[i]));
    return r;
}

int crm_export_person(struct db_txn *txn, const struct export_filter *filter, const char *contact_id, export_fn *fn, void *arg)
{
    static const char items[EXPORT_N_KINDS] = { [EXPORT_CALL] = ITEM_CALL, [EXPORT_TURN] = ITEM_CALL, [EXPORT_MESSAGE] = ITEM_MESSAGE, [EXPORT_NOTE] = ITEM_NOTE };
    struct person person = { .writing = { filter, fn, arg, 0 }, .txn = txn };
    scoped(contact_done) struct contact contact = { 0 };
    struct links_members members;
    char id[CONTACT_ID_MAX];
    int r = links_person(txn, contact_id, id);

    if (r == 0)
        r = store_get_contact(txn, id, &contact);
    if (r == 0)
        r = links_members(txn, id, &members);
    if (r < 0)
        return r == -EINVAL ? -ENOENT : r;
    struct key below = key_below(id);
    person.n_before = below.n + 8;
    for (r = 0; r == 0 && person.writing.kind < EXPORT_N_KINDS; person.writing.kind++) {
        enum export_kind kind = person.writing.kind;
        person.item = items[kind];
        if (!is_wanted(filter, kind))
            continue;
        if (kind == EXPORT_CONTACT || kind == EXPORT_LINK)
            r = tell_members(&person, &members);
        else if (kind == EXPORT_TASK || person.item)
            r = db_each(txn, person.item ? DB_TIMELINE : DB_TASKS_BY_CONTACT, key_bytes(&below), nothing, DB_UP, tell_item, &person);
    }
    return r;
}

/* --- pages */

enum { PAGE_FULL = 1 };

struct page {
    struct writing writing;
    struct json_object *array;
    size_t room, n_bytes, n_looked_at;
    const struct key *seen;
    char *cursor;
};

static int add_line(enum export_kind kind, struct json_object *line, void *arg)
{
    struct page *page = arg;
    size_t n = 0;

    (void)json_print(line, &n);
    page->n_bytes += n;
    page->room--;
    return json_append(page->array, json_object_get(line));
}

static void set_cursor(struct page *page, struct db_bytes key)
{
    int n = snprintf(page->cursor, EXPORT_CURSOR_MAX, "%u.", (unsigned)page->writing.kind);

    for (size_t i = 0; i < key.n && n + 3 < EXPORT_CURSOR_MAX; i++)
        n += snprintf(page->cursor + n, 3, "%02x", ((const uint8_t *)key.data)[i]);
}

static int add_row(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct page *page = arg;

    if (page->seen && key.n == page->seen->n && memcmp(key.data, page->seen->bytes, key.n) == 0)
        return 0;
    if (page->room == 0 || page->n_bytes >= EXPORT_PAGE_BYTES || page->n_looked_at == EXPORT_LOOKED_AT_MAX)
        return PAGE_FULL;
    page->n_looked_at++;
    set_cursor(page, key);
    return tell_row(key, value, &page->writing);
}

static int parse_cursor(const char *cursor, enum export_kind *ret_kind, struct key *ret_key)
{
    char *end;
    unsigned long kind = strtoul(cursor, &end, 10);
    size_t n = *end == '.' ? strlen(end + 1) : 0;

    if (kind >= EXPORT_N_KINDS || n == 0 || n % 2 || n / 2 > sizeof(ret_key->bytes) || end[1 + strspn(end + 1, "0123456789abcdef")])
        return -EINVAL;
    *ret_key = (struct key){ 0 };
    for (const char *digits = end + 1; *digits; digits += 2) {
        char pair[3] = { digits[0], digits[1], '\0' };
        uint8_t byte = (uint8_t)strtoul(pair, NULL, 16);
        key_add_bytes(ret_key, &byte, 1);
    }
    *ret_kind = (enum export_kind)kind;
    return 0;
}

int crm_export_page(struct db_txn *txn, const struct export_filter *filter, const char *after, size_t max,
                    struct json_object **ret_array, char ret_cursor[EXPORT_CURSOR_MAX])
{
    scoped(json_object_put) struct json_object *array = json_object_new_array();
    struct page page = { .array = array, .room = max, .cursor = ret_cursor };
    struct key from = { 0 };
    int r = array ? 0 : -ENOMEM;

    page.writing = (struct writing){ filter, add_line, &page, 0 };
    ret_cursor[0] = '\0';
    if (r == 0 && after[0]) {
        r = parse_cursor(after, &page.writing.kind, &from);
        page.seen = &from;
    }
    for (; r == 0 && page.writing.kind < EXPORT_N_KINDS; page.writing.kind++) {
        if (is_wanted(filter, page.writing.kind))
            r = db_each(txn, rows[page.writing.kind].table, nothing, key_bytes(&from), DB_UP, add_row, &page);
        from = (struct key){ 0 };
        page.seen = NULL;
    }
    if (r < 0)
        return r;
    if (r != PAGE_FULL)
        ret_cursor[0] = '\0';
    *ret_array = steal(&array);
    return 0;
}
