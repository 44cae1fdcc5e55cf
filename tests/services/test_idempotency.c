/*
 * test_idempotency.c - what is found of a request that came before, and how long
 */
#include "services/idempotency.h"

#include <errno.h>
#include <string.h>

#include "count_rows.h"
#include "fake_request.h"
#include "scratch.h"
#include "tap.h"

#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X255 X64 X64 X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static struct db *db;

enum { HOUR = 3600 * 1000 };

static const struct row {
    const char *caller, *path, *key, *body;
    uint64_t at_h;
    int want; /* of idempotency_find(), and then it is kept unless found */
    const char *what;
} rows[] = {
    { "crm", "/api/a", "k1", "{}", 100, 0, "the first time" },
    { "crm", "/api/a", "k1", "{}", 100, 1, "the second time" },
    { "crm", "/api/a", "k1", "{ }", 100, -EEXIST, "another body" },
    { "crm", "/api/b", "k1", "{}", 100, -EEXIST, "another path" },
    { "web", "/api/a", "k1", "{}", 100, 0, "another token" },
    { "crm", "/api/a", "k2", "{}", 100, 0, "another key" },
    { "crm", "/api/a", NULL, "{}", 100, 0, "no key" },
    { "crm", "/api/a", NULL, "{}", 100, 0, "no key, again" },
    { "crm", "/api/a", "k1", "{}", 124, 1, "a day later" },
    { "crm", "/api/a", "k3", "{}", 149, 0, "two days later something else is kept" },
    { "crm", "/api/a", "k1", "{ }", 149, 0, "and the first is forgotten" },
    { "crm", "/api/a", "k1", "{ }", 149, 1, "until it comes again" },
};

struct row_op {
    struct db_op op; /* first */
    const struct row *row;
    struct idempotency idempotency;
    struct idempotency_answer answer;
};

static int run_row(struct db_txn *txn, struct db_op *op)
{
    struct row_op *this = (struct row_op *)op;
    int r = idempotency_find(txn, &this->idempotency, &this->answer);

    if (r)
        return r;
    return idempotency_keep(txn, &this->idempotency, &(struct idempotency_answer){ 202, (char *)this->row->what, strlen(this->row->what) },
                            this->row->at_h * HOUR);
}

static int read_row(const struct row *row, struct idempotency *ret)
{
    struct fake_request fake;

    fake_request(&fake, "POST", row->path, row->body, NULL);
    fake.request.caller = row->caller;
    if (row->key)
        fake_field(&fake, "idempotency-key", row->key);
    int r = idempotency_read(&fake.request, ret);
    return r < 0 ? r : idempotency_digest(ret, "POST", row->path, (struct db_bytes){ row->body, strlen(row->body) });
}

static void test_rows(void)
{
    const char *kept = rows[0].what;

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct row_op op = { .op = { .run = run_row, .what = "a row" }, .row = &rows[i] };
        is_int(read_row(&rows[i], &op.idempotency), 0, "the request is read");
        is_int(db_write(db, &op.op), rows[i].want, rows[i].what);
        if (rows[i].want == 1) {
            ok(op.answer.status == 202 && op.answer.n == strlen(kept) && memcmp(op.answer.text, kept, op.answer.n) == 0, "as it was answered");
            free(op.answer.text);
        }
        kept = i == 10 ? rows[i].what : kept;
    }
}

static const struct {
    const char *key;
    int want;
    const char *what;
} keys[] = {
    { X255, 0, "the longest key" },
    { X255 "x", -EINVAL, "one more" },
    { "", -EINVAL, "an empty key" },
    { "a b", -EINVAL, "a blank" },
    { "\xd7\x90", -EINVAL, "not ASCII" },
};

static void test_keys(void)
{
    struct idempotency idempotency;
    struct fake_request fake;

    for (size_t i = 0; i < ELEMENTSOF(keys); i++)
        is_int(read_row(&(struct row){ "crm", "/", keys[i].key, "" }, &idempotency), keys[i].want, keys[i].what);
    fake_request(&fake, "POST", "/", "", NULL);
    fake_field(&fake, "idempotency-key", "a");
    fake_field(&fake, "idempotency-key", "a");
    is_int(idempotency_read(&fake.request, &idempotency), -EINVAL, "two keys");
}

int main(void)
{
    struct db_options options = { .path = scratch(), .map_mib = 8 };

    if (db_open(&options, &db) < 0)
        return 1;
    test_rows();
    test_keys();
    is_int(count_rows(db, DB_SEEN), 4, "two rows are left of each of two keys");
    db_close(db);
    return done_testing();
}
