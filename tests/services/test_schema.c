/*
 * test_schema.c - a store that was written by version 1 of the schema, brought up to date
 *
 * store_v1.tsv is one, a row a line: table, key and value in hexadecimal. It was written by the last program of that
 * version: two calls and two messages of one number, one of them ours, a call of nobody, a message of an id of WhatsApp's.
 */
#include "services/crm_schema.h"

#include <errno.h>
#include <stdlib.h>

#include <json-c/json.h>

#include "scratch.h"
#include "services/crm.h"
#include "services/crm_search.h"
#include "services/crm_timeline.h"
#include "tap.h"
#include "utils/json.h"

static const struct {
    const char *name;
    enum db_table table;
} tables[] = {
    { "calls", DB_CALLS },
    { "calls_by_time", DB_CALLS_BY_TIME },
    { "calls_by_contact", DB_CALLS_BY_CONTACT },
    { "turns", DB_TURNS },
    { "contacts", DB_CONTACTS },
    { "contact_by_address", DB_CONTACT_BY_ADDRESS },
    { "messages", DB_MESSAGES },
    { "messages_by_contact", DB_MESSAGES_BY_CONTACT },
    { "jobs", DB_JOBS },
    { "job_lanes", DB_JOB_LANES },
    { "seen", DB_SEEN },
    { "events", DB_EVENTS },
    { "meta", DB_META },
};

static size_t from_hex(const char *hex, size_t n, char *ret)
{
    for (size_t i = 0; i + 1 < n; i += 2) {
        char digits[3] = { hex[i], hex[i + 1], '\0' };
        ret[i / 2] = (char)strtoul(digits, NULL, 16);
    }
    return n / 2;
}

static int put_line(struct db_txn *txn, char *line)
{
    static char key[600], value[8192];
    char *first = strchr(line, '\t'), *second = first ? strchr(first + 1, '\t') : NULL;

    if (!second)
        return -EINVAL;
    *first = '\0';
    struct db_bytes k = { key, from_hex(first + 1, (size_t)(second - first - 1), key) };
    struct db_bytes v = { value, from_hex(second + 1, strcspn(second + 1, "\n"), value) };
    for (size_t i = 0; i < ELEMENTSOF(tables); i++)
        if (strcmp(tables[i].name, line) == 0)
            return db_put(txn, tables[i].table, k, v);
    return -EINVAL;
}

static int put_rows(struct db_txn *txn, struct db_op *op)
{
    static char line[20000];
    char path[512];
    int n = 0, r = 0;

    snprintf(path, sizeof(path), "%s/tests/services/store_v1.tsv", getenv("top_srcdir") ?: ".");
    scoped(fclose) FILE *file = fopen(path, "re");
    while (file && r == 0 && fgets(line, sizeof(line), file)) {
        r = put_line(txn, line);
        n++;
    }
    return r < 0 ? r : n;
}

static int describe(struct db_txn *txn, const char *address, char *ret, size_t size)
{
    scoped(json_object_put) struct json_object *array = NULL;
    scoped(contact_done) struct contact contact = { 0 };
    char cursor[TIMELINE_CURSOR_MAX];
    int r = crm_contact_by_address(txn, address, &contact);

    if (r == 0)
        r = crm_timeline_page(txn, contact.id, "", "", 50, &array, cursor);
    int n = snprintf(ret, size, "%s %s:", contact.name, contact_stage_name(contact.stage));
    for (size_t i = 0; r == 0 && i < json_object_array_length(array); i++)
        n += snprintf(ret + n, size - (size_t)n, " %s", json_get_text(json_object_array_get_idx(array, i), "kind"));
    return r;
}

static size_t n_found(struct db_txn *txn, const char *text)
{
    scoped(json_object_put) struct json_object *array = NULL;
    char cursor[CONTACT_ID_MAX];
    bool is_cut;

    return crm_contacts_search(txn, text, "972", "", 9, &array, cursor, &is_cut) < 0 ? 99 : json_object_array_length(array);
}

static size_t n_in_stage(struct db_txn *txn, int stage)
{
    scoped(json_object_put) struct json_object *array = NULL;
    char cursor[CONTACT_ID_MAX];

    return crm_contacts_list(txn, &(struct contact_filter){ stage, NULL }, "", 9, &array, cursor) < 0 ? 99
                                                                                                 : json_object_array_length(array);
}

static int merge(struct db_txn *txn, struct db_op *op)
{
    return crm_contact_map(txn, "55501@lid", "+972501234567", 2000000000000);
}

int main(void)
{
    struct db_options options = { .path = scratch_file("store"), .map_mib = 16 };
    struct db_op rows = { .run = put_rows, .what = "rows" }, merging = { .run = merge };
    struct db *db = NULL;
    struct db_txn *txn;
    char text[256];

    is_int(db_open(&options, &db), 0, "a store of version 1");
    is_int(db_write(db, &rows), 49, "with all its rows");
    db_close(steal(&db));
    options.migrations = crm_migrations;
    options.n_migrations = crm_n_migrations;
    options.read_only = true;
    is_int(db_open(&options, &db), -ESTALE, "who only reads does not change it");
    options.read_only = false;
    is_int(db_open(&options, &db), 0, "the daemon brings it up to date");
    if (!db || db_read_begin(db, &txn) < 0)
        return 1;
    is_int(describe(txn, "+972501234567", text, sizeof(text)), 0, "who called and wrote");
    is_str(text, "Dana Cohen qualified: call message message call", "has a timeline");
    is_int(describe(txn, "55501@lid", text, sizeof(text)), 0, "who only wrote");
    is_str(text, "Gil new: message", "too");
    is_int((long long)n_found(txn, "dana"), 1, "they are found by their names");
    is_int((long long)n_found(txn, "123-45"), 1, "and numbers");
    is_int((long long)n_in_stage(txn, STAGE_QUALIFIED), 1, "and stages");
    db_read_end(txn);
    is_int(db_write(db, &merging), 0, "the two turn out to be one");
    db_close(steal(&db));
    is_int(db_open(&options, &db), 0, "a second start has nothing to do");
    if (!db || db_read_begin(db, &txn) < 0)
        return 1;
    is_int(describe(txn, "55501@lid", text, sizeof(text)), 0, "the one");
    is_str(text, "Dana Cohen qualified: call message message message call", "has everything of both");
    db_read_end(txn);
    db_close(db);
    return done_testing();
}
