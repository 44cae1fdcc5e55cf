/*
 * store_check.c - whether every row of a store can be read
 *
 * A table whose values are structs is decoded by their readers, and the key must be that of what is read. A row of an
 * index must lead to a row that is there. Tables that are not listed hold JSON, an id, or nothing.
 */
#include "services/store_check.h"

#include <errno.h>
#include <stdio.h>

#include "models/job.h"
#include "services/crm_store.h"
#include "services/store_row.h"
#include "utils/json.h"

enum { TELL_EVERY = 4096 };

struct check {
    struct db_txn *txn;
    enum db_table table;
    const char *why; /* what is wrong with the row; NULL nothing */
};

/* --- values that are structs */

static bool is_key(struct db_bytes key, const char *id)
{
    return key.n == strlen(id) && memcmp(key.data, id, key.n) == 0;
}

#define CHECK_STRUCT(name, release, member)                                                        \
    static int check_##name(struct check *check, struct db_bytes key, struct json_object *json)    \
    {                                                                                              \
        struct name name = { 0 };                                                                  \
        int r = name##_from_json(json, &name);                                                     \
                                                                                                   \
        if (r == 0 && !is_key(key, name.member))                                                   \
            check->why = "its key is that of another";                                             \
        if (r == 0)                                                                                \
            release(&name);                                                                        \
        return r;                                                                                  \
    }

CHECK_STRUCT(call, call_done, sid)
CHECK_STRUCT(contact, contact_done, id)
CHECK_STRUCT(message, message_release, id)
CHECK_STRUCT(note, note_done, id)
CHECK_STRUCT(task, task_done, id)

static int check_turn(struct check *check, struct db_bytes key, struct json_object *json)
{
    struct turn turn;
    const char *end = memchr(key.data, 0, key.n);

    if (!end || end + 5 != (const char *)key.data + key.n)
        check->why = "its key is none of a turn";
    return turn_from_json(json, &turn);
}

static int check_job(struct check *check, struct db_bytes key, struct json_object *json)
{
    struct job job;
    int r = job_from_json(json, &job);

    if (r == 0 && (key.n != 16 || key_number((const char *)key.data + 8, 8) != job.id))
        check->why = "its key is that of another";
    return r;
}

static int check_object(struct check *check, struct db_bytes key, struct json_object *json)
{
    return 0;
}

/* --- indexes */

static void must_be(struct check *check, enum db_table table, struct db_bytes key)
{
    struct db_bytes value;

    if (key.n == 0 || db_get(check->txn, table, key, &value) < 0)
        check->why = "it leads nowhere";
}

static struct db_bytes rest_of(struct db_bytes key, size_t n_before)
{
    return (struct db_bytes){ (const char *)key.data + n_before, key.n > n_before ? key.n - n_before : 0 };
}

/* person, 0, be64 ms, id */
static struct db_bytes behind_time(struct db_bytes key, size_t n_more)
{
    const char *end = memchr(key.data, 0, key.n);

    return rest_of(key, end ? (size_t)(end - (const char *)key.data) + 1 + 8 + n_more : key.n);
}

static void check_calls_by_time(struct check *check, struct db_bytes key, struct db_bytes value)
{
    must_be(check, DB_CALLS, rest_of(key, 8));
}

static void check_tasks_by_due(struct check *check, struct db_bytes key, struct db_bytes value)
{
    must_be(check, DB_TASKS, rest_of(key, 8));
}

static void check_calls_by_contact(struct check *check, struct db_bytes key, struct db_bytes value)
{
    must_be(check, DB_CALLS, behind_time(key, 0));
    must_be(check, DB_CONTACTS, value);
}

static void check_messages_by_contact(struct check *check, struct db_bytes key, struct db_bytes value)
{
    must_be(check, DB_MESSAGES, behind_time(key, 0));
    must_be(check, DB_CONTACTS, value);
}

static void check_tasks_by_contact(struct check *check, struct db_bytes key, struct db_bytes value)
{
    must_be(check, DB_TASKS, behind_time(key, 0));
    must_be(check, DB_CONTACTS, value);
}

static void check_timeline(struct check *check, struct db_bytes key, struct db_bytes value)
{
    static const struct {
        char kind;
        enum db_table table;
    } kinds[] = { { ITEM_CALL, DB_CALLS }, { ITEM_MESSAGE, DB_MESSAGES }, { ITEM_NOTE, DB_NOTES }, { ITEM_TASK, DB_TASKS } };
    struct db_bytes kind = behind_time(key, 0);

    for (size_t i = 0; kind.n && i < ELEMENTSOF(kinds); i++)
        if (kinds[i].kind == *(const char *)kind.data)
            must_be(check, kinds[i].table, rest_of(kind, 1));
    must_be(check, DB_CONTACTS, value);
}

static void check_address(struct check *check, struct db_bytes key, struct db_bytes value)
{
    if (value.n == 0 || *(const char *)value.data != '=') /* another name of an address that somebody may have later */
        must_be(check, DB_CONTACTS, value);
}

/* --- all tables */

static const struct {
    int (*json)(struct check *check, struct db_bytes key, struct json_object *json);
    void (*index)(struct check *check, struct db_bytes key, struct db_bytes value);
} tables[DB_N_TABLES] = {
    [DB_CALLS] = { .json = check_call },
    [DB_CALLS_BY_TIME] = { .index = check_calls_by_time },
    [DB_CALLS_BY_CONTACT] = { .index = check_calls_by_contact },
    [DB_TURNS] = { .json = check_turn },
    [DB_CONTACTS] = { .json = check_contact },
    [DB_CONTACT_BY_ADDRESS] = { .index = check_address },
    [DB_MESSAGES] = { .json = check_message },
    [DB_MESSAGES_BY_CONTACT] = { .index = check_messages_by_contact },
    [DB_UNREAD] = { .index = check_messages_by_contact },
    [DB_NOTES] = { .json = check_note },
    [DB_TASKS] = { .json = check_task },
    [DB_TASKS_BY_DUE] = { .index = check_tasks_by_due },
    [DB_TASKS_BY_CONTACT] = { .index = check_tasks_by_contact },
    [DB_TIMELINE] = { .index = check_timeline },
    [DB_JOBS] = { .json = check_job },
    [DB_EVENTS] = { .json = check_object },
};

/* Of a table that is not listed: what looks like JSON must be it. */
static bool is_json(struct db_bytes value)
{
    return value.n && (*(const char *)value.data == '{' || *(const char *)value.data == '[');
}

static int check_row(struct check *check, struct db_bytes key, struct db_bytes value)
{
    scoped(json_object_put) struct json_object *json = NULL;
    int r = 0;

    if (tables[check->table].index)
        tables[check->table].index(check, key, value);
    else if (tables[check->table].json || is_json(value))
        r = json_parse(value.data, value.n, &json);
    if (r == 0 && tables[check->table].json)
        r = tables[check->table].json(check, key, json);
    if (r == -EBADMSG)
        check->why = json ? "it is no such thing" : "it is no JSON";
    return r == -EBADMSG ? 0 : r;
}

/* --- walking */

struct walk {
    struct check check;
    struct store_report *report;
    store_check_progress *on_rows;
    void *arg;
    uint64_t n_rows;
};

/* Keys are ids and numbers; a byte that cannot be printed is a dot. */
static void tell(const struct walk *walk, struct db_bytes key)
{
    char name[64];
    size_t n = key.n < sizeof(name) - 1 ? key.n : sizeof(name) - 1;

    if (walk->report->n_wrong >= STORE_CHECK_TOLD)
        return;
    for (size_t i = 0; i < n; i++) {
        char c = ((const char *)key.data)[i];
        name[i] = c > ' ' && c <= '~' ? c : '.';
    }
    name[n] = '\0';
    (void)snprintf(walk->report->wrong[walk->report->n_wrong], STORE_CHECK_TEXT, "%s %s: %s", db_table_name(walk->check.table),
                   name, walk->check.why);
}

static int walk_row(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct walk *walk = arg;
    int r;

    walk->check.why = NULL;
    walk->report->n_rows[walk->check.table]++;
    r = check_row(&walk->check, key, value);
    if (r < 0)
        return r;
    if (walk->check.why) {
        tell(walk, key);
        walk->report->n_wrong++;
    }
    return ++walk->n_rows % TELL_EVERY == 0 && walk->on_rows ? walk->on_rows(walk->n_rows, walk->arg) : 0;
}

int store_check(struct db_txn *txn, store_check_progress *on_rows, void *arg, struct store_report *ret_report)
{
    struct store_report report = { 0 };
    struct walk walk = { .check.txn = txn, .report = &report, .on_rows = on_rows, .arg = arg };
    int r = 0;

    for (int table = 0; r == 0 && table < DB_N_TABLES; table++) {
        walk.check.table = table;
        r = db_each(txn, table, nothing, nothing, DB_UP, walk_row, &walk);
    }
    if (r == 0)
        *ret_report = report;
    return r;
}
