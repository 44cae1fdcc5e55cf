#pragma once
/*
 * fuzz_store.h - a store for fuzz targets, real, in memory, and empty at the beginning of each input
 *
 * After each step what is in it is looked at: every message can be read, no two have one provider_id, each of a contact
 * is in his conversation, and none has gone back to an earlier state than the one it had. What is broken aborts.
 */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "db.h"
#include "scratch.h"
#include "services/crm.h"
#include "services/crm_schema.h"
#include "utils/json.h"

enum { FUZZ_ROWS_MAX = 256, FUZZ_KEYS_MAX = 4096 };

struct fuzz_row {
    char id[CONTACT_ID_MAX], provider_id[ADDRESS_MAX];
    int status;
};

struct fuzz_rows {
    struct fuzz_row rows[FUZZ_ROWS_MAX];
    size_t n;
};

static struct db *fuzz_db(void)
{
    static struct db *db;
    static char path[64];

    if (db)
        return db;
    if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
    (void)snprintf(path, sizeof(path), "%s", scratch_file("store"));
    if (db_open(&(struct db_options){ .path = path, .migrations = crm_migrations, .n_migrations = crm_n_migrations }, &db) < 0)
        abort();
    return db;
}

/* --- emptying it */

struct fuzz_keys {
    uint8_t keys[FUZZ_KEYS_MAX][512];
    size_t sizes[FUZZ_KEYS_MAX], n;
};

static int fuzz_collect(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct fuzz_keys *keys = arg;

    if (keys->n == FUZZ_KEYS_MAX)
        abort();
    memcpy(keys->keys[keys->n], key.data, key.n);
    keys->sizes[keys->n++] = key.n;
    return 0;
}

static int fuzz_run_empty(struct db_txn *txn, struct db_op *op)
{
    static const struct db_bytes all;
    static struct fuzz_keys keys;

    for (int table = 0; table < DB_N_TABLES; table++) {
        keys.n = 0;
        if (db_each(txn, table, all, all, DB_UP, fuzz_collect, &keys) < 0)
            abort();
        for (size_t i = 0; i < keys.n; i++) {
            struct db_bytes key = { keys.keys[i], keys.sizes[i] };
            bool is_version = table == DB_META && key.n == 14 && memcmp(key.data, "schema_version", 14) == 0;
            if (!is_version && db_delete(txn, table, key) < 0)
                abort();
        }
    }
    return 0;
}

/* --- looking at it */

static int fuzz_order(const void *a, const void *b)
{
    return strcmp(((const struct fuzz_row *)a)->provider_id, ((const struct fuzz_row *)b)->provider_id);
}

static void fuzz_add(struct fuzz_rows *rows, struct json_object *json)
{
    struct fuzz_row *row = &rows->rows[rows->n++];
    const char *status = json_get_text(json, "status") ?: "";

    (void)snprintf(row->id, sizeof(row->id), "%s", json_get_text(json, "id") ?: "");
    (void)snprintf(row->provider_id, sizeof(row->provider_id), "%s", json_get_text(json, "provider_id") ?: "");
    row->status = message_status_parse(status, strlen(status));
    if (!row->id[0] || !row->provider_id[0] || row->status < 0)
        abort();
}

static void fuzz_find_in_conversation(struct db_txn *txn, struct json_object *json)
{
    scoped(json_object_put) struct json_object *contact = NULL;
    struct json_object *messages = NULL;
    const char *contact_id = json_get_text(json, "contact_id") ?: "", *id = json_get_text(json, "id");
    bool is_there = false;

    if (!*contact_id)
        return; /* a state came before its message */
    if (crm_contact_whole(txn, contact_id, &contact) < 0 || !json_object_object_get_ex(contact, "messages", &messages))
        abort();
    for (size_t i = 0; i < json_object_array_length(messages); i++)
        is_there = is_there || strcmp(json_get_text(json_object_array_get_idx(messages, i), "id") ?: "", id) == 0;
    if (!is_there)
        abort();
}

static void fuzz_look(struct fuzz_rows *ret_rows)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    scoped(json_object_put) struct json_object *page = NULL;

    ret_rows->n = 0;
    if (db_read_begin(fuzz_db(), &txn) < 0 || crm_messages_page(txn, FUZZ_ROWS_MAX, &page) < 0)
        abort();
    for (size_t i = 0; i < json_object_array_length(page); i++) {
        fuzz_add(ret_rows, json_object_array_get_idx(page, i));
        fuzz_find_in_conversation(txn, json_object_array_get_idx(page, i));
    }
    qsort(ret_rows->rows, ret_rows->n, sizeof(ret_rows->rows[0]), fuzz_order);
    for (size_t i = 1; i < ret_rows->n; i++)
        if (strcmp(ret_rows->rows[i - 1].provider_id, ret_rows->rows[i].provider_id) == 0)
            abort();
}

/* What was there is there still, and no earlier in its life. */
static void fuzz_compare(const struct fuzz_rows *before, const struct fuzz_rows *after)
{
    for (size_t i = 0; i < before->n; i++) {
        const struct fuzz_row *was = &before->rows[i];
        const struct fuzz_row *is = bsearch(was, after->rows, after->n, sizeof(*was), fuzz_order);
        if (!is || strcmp(was->id, is->id) != 0 || (is->status < was->status && was->status != MESSAGE_UNCERTAIN))
            abort();
    }
}

/* Has step() done for each line of an input, then all again, which changes nothing. */
static void fuzz_steps(const uint8_t *data, size_t n, void (*step)(const char *line, size_t n_line))
{
    enum { LINES_MAX = 24 };
    static struct fuzz_rows before, after;
    struct db_op empty = { .run = fuzz_run_empty, .what = "emptying" };
    scoped(free) char *text = malloc(n + 1);

    if (!text || db_write(fuzz_db(), &empty) < 0)
        abort();
    memcpy(text, data, n);
    text[n] = '\0';
    fuzz_look(&before);
    for (int again = 0; again < 2; again++) {
        char *line = text;
        size_t n_before = before.n;
        for (int i = 0; i < LINES_MAX && line <= text + n; i++) {
            char *end = memchr(line, '\n', (size_t)(text + n - line)) ?: text + n;
            step(line, (size_t)(end - line));
            fuzz_look(&after);
            fuzz_compare(&before, &after);
            before = after;
            line = end + 1;
        }
        if (again && before.n != n_before)
            abort();
    }
}
