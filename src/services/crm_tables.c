/*
 * crm_tables.c - contacts, calls and messages as tables for spreadsheets
 *
 * The walk is that of the export; here a line becomes a row, by a table of columns. What contacts have for fields is
 * found out by a walk before, in the same snapshot.
 */
#include "services/crm_tables.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <json-c/json.h>

#include "services/crm_contacts.h"
#include "utils/csv.h"
#include "utils/json.h"

enum column_type { COLUMN_TEXT, COLUMN_NUMBER, COLUMN_TIME, COLUMN_SECONDS };

struct column {
    const char *heading, *member;
    enum column_type type;
    const char *until; /* of seconds */
};

static const struct column call_columns[] = {
    { "sid", "sid", COLUMN_TEXT, NULL },
    { "contact", "contact_id", COLUMN_TEXT, NULL },
    { "from", "from", COLUMN_TEXT, NULL },
    { "to", "to", COLUMN_TEXT, NULL },
    { "status", "status", COLUMN_TEXT, NULL },
    { "end", "end", COLUMN_TEXT, NULL },
    { "started", "started_ms", COLUMN_TIME, NULL },
    { "ended", "ended_ms", COLUMN_TIME, NULL },
    { "seconds", "started_ms", COLUMN_SECONDS, "ended_ms" },
    { "turns", "n_turns", COLUMN_NUMBER, NULL },
    { "summary", "summary", COLUMN_TEXT, NULL },
};

static const struct column message_columns[] = {
    { "id", "id", COLUMN_TEXT, NULL },
    { "contact", "contact_id", COLUMN_TEXT, NULL },
    { "address", "address", COLUMN_TEXT, NULL },
    { "direction", "direction", COLUMN_TEXT, NULL },
    { "channel", "channel", COLUMN_TEXT, NULL },
    { "status", "status", COLUMN_TEXT, NULL },
    { "kind", "kind", COLUMN_TEXT, NULL },
    { "created", "created_ms", COLUMN_TIME, NULL },
    { "text", "body", COLUMN_TEXT, NULL },
    { "error", "error", COLUMN_TEXT, NULL },
    { "call", "call_sid", COLUMN_TEXT, NULL },
};

struct writing {
    struct db_txn *txn;
    const struct crm_table *table;
    FILE *out;
    const struct column *columns;
    size_t n_columns;
    char *fields[TABLE_FIELDS_MAX]; /* of contacts */
    size_t n_fields;
};

/* --- cells */

enum { CELL_MAX = 32 };

static const char *number(int64_t n, char cell[CELL_MAX])
{
    (void)snprintf(cell, CELL_MAX, "%" PRId64, n);
    return cell;
}

static const char *utc(uint64_t ms, char cell[CELL_MAX])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm time;

    if (ms == 0 || !gmtime_r(&seconds, &time) || strftime(cell, CELL_MAX, "%Y-%m-%dT%H:%M:%SZ", &time) == 0)
        return "";
    return cell;
}

static const char *cell_of(const struct column *column, struct json_object *data, char cell[CELL_MAX])
{
    int64_t n = json_get_int(data, column->member);

    switch (column->type) {
    case COLUMN_NUMBER:
        return number(n, cell);
    case COLUMN_TIME:
        return utc((uint64_t)n, cell);
    case COLUMN_SECONDS: {
        int64_t until = json_get_int(data, column->until);
        return until > n ? number((until - n) / 1000, cell) : "";
    }
    default:
        return json_get_text(data, column->member) ?: "";
    }
}

static void write_columns(struct writing *writing, struct json_object *data)
{
    char cell[CELL_MAX];

    for (size_t i = 0; i < writing->n_columns; i++)
        csv_write(writing->out, cell_of(&writing->columns[i], data, cell), i == 0);
    csv_end(writing->out);
}

static void write_headings(const struct writing *writing)
{
    for (size_t i = 0; i < writing->n_columns; i++)
        csv_write(writing->out, writing->columns[i].heading, i == 0);
    csv_end(writing->out);
}

/* --- contacts */

static const char *text_at(struct json_object *array, size_t i)
{
    return json_object_get_string(json_object_array_get_idx(array, i)) ?: "";
}

/* What is left of an array, with "; " between. Takes nothing. */
static void write_rest(FILE *out, struct json_object *array, size_t from)
{
    size_t n = array ? json_object_array_length(array) : 0, size = 1;

    for (size_t i = from; i < n; i++)
        size += strlen(text_at(array, i)) + 2;
    scoped(free) char *text = malloc(size);
    char *end = text;
    if (!text)
        return;
    *end = '\0';
    for (size_t i = from; i < n; i++)
        end = stpcpy(stpcpy(end, i > from ? "; " : ""), text_at(array, i));
    csv_write(out, text, false);
}

static void write_person(struct writing *writing, const struct contact *contact)
{
    FILE *out = writing->out;
    struct json_object *addresses = contact->addresses;
    size_t n_addresses = addresses ? json_object_array_length(addresses) : 0;
    char cell[CELL_MAX];

    csv_write(out, contact->id, true);
    csv_write(out, contact->name, false);
    for (size_t i = 0; i < TABLE_PHONES; i++)
        csv_write(out, i < n_addresses ? text_at(addresses, i) : "", false);
    write_rest(out, addresses, TABLE_PHONES);
    csv_write(out, contact_stage_name(contact->stage), false);
    write_rest(out, contact->tags, 0);
    csv_write(out, number(contact->n_calls, cell), false);
    csv_write(out, utc(contact->created_ms, cell), false);
    csv_write(out, utc(contact->updated_ms, cell), false);
    for (size_t i = 0; i < writing->n_fields; i++)
        csv_write(out, json_get_text(contact->fields, writing->fields[i]) ?: "", false);
    csv_end(out);
}

static void write_person_headings(const struct writing *writing)
{
    static const char *const headings[] = { "id", "name", "phone", "phone 2", "phone 3", "more addresses", "stage", "tags", "calls", "created", "updated" };
    char heading[16 + CONTACT_FIELD_MAX];

    for (size_t i = 0; i < ELEMENTSOF(headings); i++)
        csv_write(writing->out, headings[i], i == 0);
    for (size_t i = 0; i < writing->n_fields; i++) {
        (void)snprintf(heading, sizeof(heading), "field:%s", writing->fields[i]);
        csv_write(writing->out, heading, false);
    }
    csv_end(writing->out);
}

static int add_fields(enum export_kind kind, struct json_object *line, void *arg)
{
    struct writing *writing = arg;
    struct json_object *fields;

    if (!json_object_object_get_ex(json_object_object_get(line, "data"), "fields", &fields))
        return 0;
    json_object_object_foreach(fields, name, value)
    {
        size_t i = 0;
        (void)value;
        while (i < writing->n_fields && strcmp(writing->fields[i], name) != 0)
            i++;
        if (i < writing->n_fields || i == TABLE_FIELDS_MAX)
            continue;
        writing->fields[i] = strdup(name);
        if (!writing->fields[i])
            return -ENOMEM;
        writing->n_fields++;
    }
    return 0;
}

/* --- rows */

static int write_row(enum export_kind kind, struct json_object *line, void *arg)
{
    struct writing *writing = arg;
    struct json_object *data = json_object_object_get(line, "data");

    if (kind == EXPORT_CONTACT) {
        scoped(contact_done) struct contact contact = { 0 };
        const char *id = json_get_text(data, "id") ?: "";
        int r = crm_contact_get(writing->txn, id, &contact);
        if (r < 0 || strcmp(contact.id, id) != 0)
            return r; /* one of a person whose row is another one */
        write_person(writing, &contact);
    } else {
        write_columns(writing, data);
    }
    if (writing->table->tell)
        writing->table->tell(writing->table->arg);
    return ferror(writing->out) ? -EIO : 0;
}

static int each(struct writing *writing, export_fn *fn)
{
    const struct crm_table *table = writing->table;
    struct export_filter filter = { .kinds = 1u << table->kind, .since_ms = table->since_ms };

    return table->contact_id ? crm_export_person(writing->txn, &filter, table->contact_id, fn, writing)
                             : crm_export_all(writing->txn, &filter, fn, writing);
}

int crm_table_write(struct db_txn *txn, const struct crm_table *table, FILE *out)
{
    struct writing writing = { .txn = txn, .table = table, .out = out };
    int r = 0;

    if (table->kind == EXPORT_CALL) {
        writing.columns = call_columns;
        writing.n_columns = ELEMENTSOF(call_columns);
    } else if (table->kind == EXPORT_MESSAGE) {
        writing.columns = message_columns;
        writing.n_columns = ELEMENTSOF(message_columns);
    } else if (table->kind != EXPORT_CONTACT) {
        return -EINVAL;
    }
    if (table->kind == EXPORT_CONTACT)
        r = each(&writing, add_fields);
    if (r == 0) {
        (table->kind == EXPORT_CONTACT ? write_person_headings : write_headings)(&writing);
        r = each(&writing, write_row);
    }
    for (size_t i = 0; i < writing.n_fields; i++)
        free(writing.fields[i]);
    return r;
}
