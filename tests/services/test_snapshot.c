/*
 * test_snapshot.c - a copy that takes too long, or that nobody wants any more, is given up, and what it held with it
 */
#include "services/snapshot.h"

#include <errno.h>
#include <sys/stat.h>

#include "config.h"
#include "db.h"
#include "scratch.h"
#include "services/crm_schema.h"
#include "tap.h"

enum { N_ROWS = 64, ROW_BYTES = 16 * KIB };

struct fill {
    struct db_op op; /* first */
    char row[ROW_BYTES];
};

static int run_fill(struct db_txn *txn, struct db_op *op)
{
    struct fill *fill = (struct fill *)op;
    int r = 0;

    memset(fill->row, 'x', sizeof(fill->row));
    for (int i = 0; r == 0 && i < N_ROWS; i++)
        r = db_put(txn, DB_SEEN, (struct db_bytes){ &i, sizeof(i) }, (struct db_bytes){ fill->row, sizeof(fill->row) });
    return r;
}

static struct db_options options_of(const char *path)
{
    return (struct db_options){ .path = path, .map_mib = 16, .migrations = crm_migrations, .n_migrations = crm_n_migrations };
}

static void make_store(const char *path)
{
    struct db_options options = options_of(path);
    struct fill fill = { .op = { .run = run_fill } };
    scoped(db_close) struct db *db = NULL;

    ok(db_open(&options, &db) == 0 && db_write(db, &fill.op) == 0, "there is a store");
}

static int n_told, told_r;

static int tell(const char *what, uint64_t n, uint64_t of, void *arg)
{
    n_told++;
    return told_r;
}

int main(void)
{
    char store[512], url[600], file[512], problem[SNAPSHOT_PROBLEM_MAX];
    struct config config = { .database_url = url, .state_dir = scratch() };
    struct snapshot snapshot = { .config = &config, .file = file, .on_progress = tell };
    struct json_object *report = NULL;
    struct stat st;

    (void)snprintf(store, sizeof(store), "%s/store", scratch());
    (void)snprintf(url, sizeof(url), "lmdb://%s", store);
    (void)snprintf(file, sizeof(file), "%s/file", scratch());
    make_store(store);

    is_int(snapshot_make(&snapshot, &report, problem), -ETIMEDOUT, "a copy that takes too long is given up");
    ok(strstr(problem, "--limit") && stat(file, &st) < 0, "which is told, and nothing is left");

    snapshot.limit_s = 900;
    told_r = -EINTR;
    is_int(snapshot_make(&snapshot, &report, problem), -EINTR, "as is one that is interrupted");
    ok(n_told >= 1 && stat(file, &st) < 0, "nothing is left either");

    told_r = 0;
    is_int(snapshot_make(&snapshot, &report, problem), 0, "otherwise it is made");
    json_object_put(report);
    is_int(snapshot_verify(&snapshot, &report, problem), 0, "and good");
    ok(stat(file, &st) == 0 && st.st_size < N_ROWS * ROW_BYTES / 4, "and compressed");
    json_object_put(report);
    return done_testing();
}
