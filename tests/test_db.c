/*
 * test_db.c - what is answered is kept, whatever the neighbours, the map and the readers do
 */
#include "db.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "gate.h"
#include "scratch.h"
#include "tap.h"
#include "utils/clock.h"

static struct db_bytes bytes(const char *text)
{
    return (struct db_bytes){ text, strlen(text) };
}

static struct db *open_store(const char *name, size_t map_mib)
{
    struct db_options options = { .path = scratch_file(name), .map_mib = map_mib };
    struct db *db = NULL;
    int r = db_open(&options, &db);

    if (r < 0)
        printf("# db_open: %s\n", db_explain(r));
    return db;
}

/* --- one operation: put a value, then return what the test wants */

struct put {
    struct db_op op;
    enum db_table table;
    char key[64];
    const char *value;
    int returns; /* of run() */
    int unless_key_is_there; /* -EEXIST then */
    int n_runs, n_done, r;
    _Atomic int *n_left;
    sem_t *all_done;
};

static int run_put(struct db_txn *txn, struct db_op *op)
{
    struct put *put = (struct put *)op;
    struct db_bytes there;
    int r;

    put->n_runs++;
    if (put->unless_key_is_there && db_get(txn, put->table, bytes(put->key), &there) == 0)
        return -EEXIST;
    r = db_put(txn, put->table, bytes(put->key), bytes(put->value));
    return r < 0 ? r : put->returns;
}

static void put_done(struct db_op *op, int r)
{
    struct put *put = (struct put *)op;

    put->n_done++;
    put->r = r;
    if (put->n_left && atomic_fetch_sub(put->n_left, 1) == 1)
        sem_post(put->all_done);
}

static int write_text(struct db *db, enum db_table table, const char *key, const char *value)
{
    struct put put = { .op.run = run_put, .table = table, .value = value };

    snprintf(put.key, sizeof(put.key), "%s", key);
    return db_write(db, &put.op);
}

static int has(struct db *db, enum db_table table, const char *key)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct db_bytes value;

    return db_read_begin(db, &txn) == 0 && db_get(txn, table, bytes(key), &value) == 0;
}

/* --- tests */

enum { N_GROUPED = 600 };

static void test_grouping(void)
{
    static struct put puts[N_GROUPED];
    scoped(db_close) struct db *db = open_store("grouping", 16);
    struct db_stats before, after;
    struct gate gate;
    _Atomic int n_left = N_GROUPED;
    sem_t all_done;
    int n_once = 0, n_there = 0;

    sem_init(&all_done, 0, 0);
    gate_shut(db, &gate);
    db_stats(db, &before);
    for (int i = 0; i < N_GROUPED; i++) {
        puts[i] = (struct put){ .op.run = run_put, .op.done = put_done, .table = DB_SEEN, .value = "{}",
                                .returns = i % 3, .n_left = &n_left, .all_done = &all_done };
        snprintf(puts[i].key, sizeof(puts[i].key), "key%d", i);
        (void)db_submit(db, &puts[i].op);
    }
    gate_open(&gate);
    sem_wait(&all_done);
    db_stats(db, &after);

    for (int i = 0; i < N_GROUPED; i++) {
        n_once += puts[i].n_runs == 1 && puts[i].n_done == 1 && puts[i].r == i % 3;
        n_there += has(db, DB_SEEN, puts[i].key);
    }
    is_int(n_once, N_GROUPED, "each waiting operation runs once and is told run()'s outcome once");
    is_int(n_there, N_GROUPED, "and is there");
    ok(after.n_commits - before.n_commits <= 1 + (N_GROUPED + DB_GROUP_MAX - 1) / DB_GROUP_MAX,
       "%d waiting operations take at most %d commits", N_GROUPED, 1 + (N_GROUPED + DB_GROUP_MAX - 1) / DB_GROUP_MAX);
    is_int((long long)after.n_ops - (long long)before.n_ops, N_GROUPED + 1, "the counters agree");
    sem_destroy(&all_done);
}

static const struct {
    const char *key;
    int returns;
    int unless_there;
    int want;
    const char *what;
} neighbours[] = {
    { "a", 0, 0, 0, "before a failing neighbour" },
    { "b", -EDOM, 0, -EDOM, "fails after it wrote" },
    { "c", 7, 0, 7, "between two failing ones" },
    { "a", 0, 1, -EEXIST, "sees an earlier neighbour and fails before it writes" },
    { "d", -ERANGE, 0, -ERANGE, "a second failing one" },
    { "b", 0, 1, 0, "does not see what a failed neighbour wrote" },
    { "", 0, 0, -EINVAL, "an empty key" },
    { "e", 0, 0, 0, "last" },
};

static void test_failing_alone(void)
{
    scoped(db_close) struct db *db = open_store("failing", 16);
    struct put puts[ELEMENTSOF(neighbours)];
    _Atomic int n_left = ELEMENTSOF(neighbours);
    struct db_stats stats;
    struct gate gate;
    sem_t all_done;

    sem_init(&all_done, 0, 0);
    gate_shut(db, &gate);
    for (size_t i = 0; i < ELEMENTSOF(neighbours); i++) {
        puts[i] = (struct put){ .op.run = run_put, .op.done = put_done, .table = DB_JOBS, .value = "{}",
                                .returns = neighbours[i].returns, .unless_key_is_there = neighbours[i].unless_there,
                                .n_left = &n_left, .all_done = &all_done };
        snprintf(puts[i].key, sizeof(puts[i].key), "%s", neighbours[i].key);
        (void)db_submit(db, &puts[i].op);
    }
    gate_open(&gate);
    sem_wait(&all_done);

    for (size_t i = 0; i < ELEMENTSOF(neighbours); i++) {
        is_int(puts[i].r, neighbours[i].want, neighbours[i].what);
        is_int(puts[i].n_done, 1, "  told once");
        if (neighbours[i].key[0] && !neighbours[i].unless_there && strcmp(neighbours[i].key, "b"))
            is_int(has(db, DB_JOBS, neighbours[i].key), neighbours[i].want >= 0, "  kept just when it succeeded");
    }
    ok(has(db, DB_JOBS, "b"), "the later writer of a failed neighbour's key is kept");
    db_stats(db, &stats);
    is_int((long long)stats.n_failed, 4, "failures are counted");
    sem_destroy(&all_done);
}

/* --- growth */

struct reading {
    struct db *db;
    atomic_bool stop;
    _Atomic int n_rounds, n_bad;
};

static int check_value(struct db_bytes key, struct db_bytes value, void *arg)
{
    const unsigned char *v = value.data;

    return v[0] != v[value.n - 1] || v[0] != v[value.n / 2];
}

static void *keep_reading(void *arg)
{
    struct reading *reading = arg;

    while (!atomic_load(&reading->stop)) {
        scoped(db_read_end) struct db_txn *txn = NULL;
        if (db_read_begin(reading->db, &txn) < 0 ||
            db_each(txn, DB_MESSAGES, bytes(""), bytes(""), DB_UP, check_value, NULL))
            atomic_fetch_add(&reading->n_bad, 1);
        atomic_fetch_add(&reading->n_rounds, 1);
    }
    return NULL;
}

enum { N_LARGE = 1200, LARGE = 4000, N_READING = 3 };

static int count(struct db_bytes key, struct db_bytes value, void *arg)
{
    ++*(int *)arg;
    return 0;
}

static int count_table(struct db *db, enum db_table table)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    int n = 0;

    return db_read_begin(db, &txn) < 0 || db_each(txn, table, bytes(""), bytes(""), DB_UP, count, &n) ? -1 : n;
}

static void test_growth(void)
{
    static struct put puts[N_LARGE];
    static char values[26][LARGE + 1];
    struct db *db = open_store("growth", 1);
    struct reading reading = { .db = db };
    pthread_t threads[N_READING];
    _Atomic int n_left = N_LARGE;
    struct db_stats stats;
    sem_t all_done;
    int n_good = 0;

    sem_init(&all_done, 0, 0);
    for (int i = 0; i < 26; i++)
        memset(values[i], 'a' + i, LARGE);
    for (int i = 0; i < N_READING; i++)
        pthread_create(&threads[i], NULL, keep_reading, &reading);
    for (int i = 0; i < N_LARGE; i++) {
        puts[i] = (struct put){ .op.run = run_put, .op.done = put_done, .table = DB_MESSAGES,
                                .value = values[i % 26], .n_left = &n_left, .all_done = &all_done };
        snprintf(puts[i].key, sizeof(puts[i].key), "%d", i);
        (void)db_submit(db, &puts[i].op);
    }
    sem_wait(&all_done);
    atomic_store(&reading.stop, true);
    for (int i = 0; i < N_READING; i++)
        pthread_join(threads[i], NULL);

    for (int i = 0; i < N_LARGE; i++)
        n_good += puts[i].r == 0 && puts[i].n_done == 1;
    db_stats(db, &stats);
    is_int(n_good, N_LARGE, "every write into a map of 1 MiB succeeds");
    ok(stats.n_grown >= 2, "because the map grew (%d times, to %zu MiB)", (int)stats.n_grown,
       (size_t)stats.map_bytes / MIB);
    is_int(reading.n_bad, 0, "readers meet no error and no torn value meanwhile");
    ok(reading.n_rounds > 0, "and did read (%d walks)", reading.n_rounds);
    is_int(count_table(db, DB_MESSAGES), N_LARGE, "no write is lost");
    db_close(db);
    sem_destroy(&all_done);

    db = open_store("growth", 1);
    is_int(count_table(db, DB_MESSAGES), N_LARGE, "nor after opening it again with the small map");
    is_int(write_text(db, DB_MESSAGES, "one more", values[0]), 0, "which grows once more to take a write");
    ok(has(db, DB_MESSAGES, "one more"), "and keeps it");
    db_close(db);
}

static void test_one_daemon(void)
{
    scoped(db_close) struct db *db = open_store("single", 16), *second = NULL;
    struct db_options options = { .path = scratch_file("single"), .map_mib = 16 };
    struct stat st;

    is_int(db_open(&options, &second), -EBUSY, "a second daemon is refused");
    ok(strstr(db_explain(-EBUSY), "another agentlocator") != NULL, "in words");
    ok(stat(scratch_file("single"), &st) == 0 && (st.st_mode & 0777) == 0700, "the directory is the owner's alone");
    ok(stat(scratch_file("single/data.mdb"), &st) == 0 && (st.st_mode & 0777) == 0600, "so is the data");
    ok(stat(scratch_file("single/lock.mdb"), &st) == 0 && (st.st_mode & 0777) == 0600, "and the lock file");
    ok(stat(scratch_file("single/daemon.lock"), &st) == 0 && (st.st_mode & 0777) == 0600, "and the daemon's lock");
}

/* --- schema */

static int n_migrated[2];

static int migrate_1(struct db_txn *txn)
{
    n_migrated[0]++;
    return db_put(txn, DB_JOBS, bytes("from 1"), bytes("2"));
}

static int migrate_2(struct db_txn *txn)
{
    n_migrated[1]++;
    return db_put(txn, DB_JOBS, bytes("from 2"), bytes("3"));
}

static int migrate_fails(struct db_txn *txn)
{
    (void)db_put(txn, DB_JOBS, bytes("half"), bytes("done"));
    return -EDOM;
}

static void test_schema(void)
{
    static const struct db_migration all[] = { { .run = migrate_1 }, { .run = migrate_2 }, { .run = migrate_fails } };
    static const struct {
        size_t n_migrations;
        bool read_only;
        int want;
        const char *what;
    } rows[] = {
        { 0, true, -ENOENT, "reading a store that is not there" },
        { 0, false, 0, "a store is made" },
        { 0, false, 0, "and opened again" },
        { 0, true, 0, "and read" },
        { 1, true, -ESTALE, "a reader migrates nothing" },
        { 2, false, 0, "an older store is migrated" },
        { 2, false, 0, "once" },
        { 1, false, -EPROTO, "a newer store is refused" },
        { 0, true, -EPROTO, "also for reading" },
        { 3, false, -EDOM, "a failing migration fails the start" },
        { 2, false, 0, "and leaves the store as it was" },
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        scoped(db_close) struct db *db = NULL;
        struct db_options options = { .path = scratch_file("schema"), .map_mib = 16, .read_only = rows[i].read_only,
                                      .migrations = all, .n_migrations = rows[i].n_migrations };
        is_int(db_open(&options, &db), rows[i].want, rows[i].what);
        if (db && rows[i].n_migrations == 2)
            ok(has(db, DB_JOBS, "from 1") && has(db, DB_JOBS, "from 2") && !has(db, DB_JOBS, "half"),
               "  with what the steps wrote");
    }
    ok(n_migrated[0] == 1 && n_migrated[1] == 1, "each step ran once");
    ok(strstr(db_explain(-EPROTO), "newer") != NULL, "the refusal says why");
}

static void test_not_a_store(void)
{
    scoped(db_close) struct db *db = NULL;
    struct db_options options = { .path = scratch_file("garbage"), .map_mib = 16 };
    FILE *file;

    mkdir(scratch_file("garbage"), 0700);
    file = fopen(scratch_file("garbage/data.mdb"), "w");
    for (int i = 0; i < 10000; i++)
        fputc(i * 7, file);
    fclose(file);
    is_int(db_open(&options, &db), -EUCLEAN, "a file of something else is refused");

    options.path = scratch_file("garbage/data.mdb");
    ok(db_open(&options, &db) == -ENOTDIR, "so is a path that is no directory");
}

/* --- walking */

struct walk {
    char text[64];
    int stop_after;
};

static int note(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct walk *walk = arg;

    snprintf(walk->text + strlen(walk->text), sizeof(walk->text) - strlen(walk->text), "%.*s ", (int)key.n,
             (const char *)key.data);
    return walk->stop_after && --walk->stop_after == 0 ? 42 : 0;
}

static const struct {
    const char *prefix, *from;
    enum db_order order;
    int stop_after;
    const char *want;
} walks[] = {
    { "", "", DB_UP, 0, "a a1 a3 b b\xff b\xff\xff c " },
    { "", "", DB_DOWN, 0, "c b\xff\xff b\xff b a3 a1 a " },
    { "a", "", DB_UP, 0, "a a1 a3 " },
    { "a", "", DB_DOWN, 0, "a3 a1 a " },
    { "a", "a1", DB_UP, 0, "a1 a3 " },
    { "a", "a2", DB_UP, 0, "a3 " },
    { "a", "a2", DB_DOWN, 0, "a1 a " },
    { "a", "a3", DB_DOWN, 0, "a3 a1 a " },
    { "a", "a9", DB_DOWN, 0, "a3 a1 a " },
    { "c", "zz", DB_DOWN, 0, "c " },
    { "b\xff", "", DB_DOWN, 0, "b\xff\xff b\xff " },
    { "\xff", "", DB_DOWN, 0, "" },
    { "d", "", DB_DOWN, 0, "" },
    { "d", "", DB_UP, 0, "" },
    { "0", "", DB_DOWN, 0, "" },
    { "a", "b", DB_UP, 0, "" },
    { "", "", DB_UP, 2, "a a1 " },
    { "", "", DB_DOWN, 1, "c " },
};

static void test_walks(void)
{
    static const char *const keys[] = { "c", "a1", "b\xff\xff", "a", "b", "a3", "b\xff" }; /* as if the clock went back */
    scoped(db_close) struct db *db = open_store("walks", 16);
    struct db_txn *txn;

    for (size_t i = 0; i < ELEMENTSOF(keys); i++)
        (void)write_text(db, DB_TURNS, keys[i], "v");
    is_int(db_read_begin(db, &txn), 0, "a read begins");
    for (size_t i = 0; i < ELEMENTSOF(walks); i++) {
        struct walk walk = { .stop_after = walks[i].stop_after };
        int r = db_each(txn, DB_TURNS, bytes(walks[i].prefix), bytes(walks[i].from), walks[i].order, note, &walk);
        ok(strcmp(walk.text, walks[i].want) == 0 && r == (walks[i].stop_after ? 42 : 0),
           "walk %s of '%s' from '%s' -> %s", walks[i].order == DB_UP ? "up" : "down", walks[i].prefix, walks[i].from,
           walks[i].want);
    }
    db_read_end(txn);
}

/* --- the rest */

static int run_delete(struct db_txn *txn, struct db_op *op)
{
    return db_delete(txn, DB_SEEN, bytes("gone"));
}

static void test_delete(void)
{
    scoped(db_close) struct db *db = open_store("delete", 16);
    struct db_op op = { .run = run_delete };

    (void)write_text(db, DB_SEEN, "gone", "1");
    is_int(db_write(db, &op), 0, "a key is deleted");
    ok(!has(db, DB_SEEN, "gone"), "and not there any more");
    is_int(db_write(db, &op), -ENOENT, "deleting it again says so");
}

static int run_next(struct db_txn *txn, struct db_op *op)
{
    uint64_t n = 0;
    int r = db_next(txn, "test", &n);

    return r < 0 ? r : (int)n;
}

static int run_event(struct db_txn *txn, struct db_op *op)
{
    int r = 0;

    for (int i = 0; r == 0 && i < 5000; i++)
        r = db_event(txn, "{}");
    return r;
}

static void test_counters(void)
{
    struct db *db = open_store("counters", 64);
    struct db_op op = { .run = run_next }, event = { .run = run_event };

    is_int(db_write(db, &op), 1, "a counter begins at 1");
    is_int(db_write(db, &op), 2, "and counts");
    db_close(db);
    db = open_store("counters", 64);
    is_int(db_write(db, &op), 3, "also after opening it again");

    for (int i = 0; i < DB_EVENTS_KEPT / 5000 + 1; i++)
        (void)db_write(db, &event);
    is_int(count_table(db, DB_EVENTS), DB_EVENTS_KEPT, "the change feed keeps no more than its bound");
    db_close(db);
}

static void test_queue_full(void)
{
    struct db_options options = { .path = scratch_file("full"), .map_mib = 16, .queue_max = 4 };
    struct put puts[4], more;
    struct gate gate;
    struct db *db = NULL;
    int n_queued = 0;

    (void)db_open(&options, &db);
    gate_shut(db, &gate); /* is one of the four */
    for (int i = 0; i < 3; i++) {
        puts[i] = (struct put){ .op.run = run_put, .op.done = put_done, .table = DB_SEEN, .value = "1" };
        snprintf(puts[i].key, sizeof(puts[i].key), "%d", i);
        n_queued += db_submit(db, &puts[i].op) == 0;
    }
    more = (struct put){ .op.run = run_put, .op.done = put_done, .table = DB_SEEN, .key = "more", .value = "1" };
    is_int(n_queued, 3, "the queue takes its measure");
    is_int(db_submit(db, &more.op), -EAGAIN, "and no more");
    is_int(db_write(db, &more.op), -EAGAIN, "also from one who would wait");
    gate_open(&gate);
    db_close(db);
    ok(puts[0].n_done == 1 && puts[1].n_done == 1 && puts[2].n_done == 1, "closing commits the queue");
    is_int(more.n_done, 0, "a refused write is never told");

    db = open_store("full", 16);
    ok(has(db, DB_SEEN, "0") && has(db, DB_SEEN, "1") && has(db, DB_SEEN, "2"), "and it is there");
    ok(!has(db, DB_SEEN, "more"), "the refused one is not");
    db_close(db);
}

static _Atomic int n_slow, n_stuck;
static _Atomic unsigned stuck_by;

static void on_slow(const char *what, uint64_t took_us, unsigned n_ops)
{
    if (strcmp(what, "stuck reader") == 0) {
        n_stuck++;
        stuck_by = n_ops;
    } else if (took_us > 0) {
        n_slow++;
    }
}

static void test_watch(void)
{
    struct db_options options = { .path = scratch_file("watch"), .map_mib = 64, .on_slow = on_slow };
    scoped(db_close) struct db *db = NULL;
    struct db_txn *txn, *late;
    char key[16];

    (void)db_open(&options, &db);
    (void)db_read_begin(db, &txn);
    for (int i = 0; i < DB_READER_LAG - 1; i++) {
        snprintf(key, sizeof(key), "%d", i);
        (void)write_text(db, DB_SEEN, key, "1");
    }
    db_check_readers(db);
    is_int(n_stuck, 0, "a reader that lags a little is let be");
    (void)write_text(db, DB_SEEN, "last", "1");
    db_check_readers(db);
    is_int(n_stuck, 1, "a reader that holds an old snapshot is reported");
    is_int(stuck_by, DB_READER_LAG, "with its age");
    is_int(db_read_begin(db, &late), 0, "others read on");
    db_read_end(late);
    db_read_end(txn);
    db_check_readers(db);
    is_int(n_stuck, 1, "and nothing is reported once it ended");
    is_int(n_slow, 0, "without a limit nothing counts as slow");
}

struct watcher {
    struct db *db;
    unsigned n_called, n_there;
};

static void on_change(void *arg)
{
    struct watcher *watcher = arg;

    watcher->n_called++;
    watcher->n_there += has(watcher->db, DB_JOBS, "a");
}

static void test_watcher(void)
{
    scoped(db_close) struct db *db = open_store("watcher", 16);
    struct watcher watcher = { .db = db }, other = { .db = db };

    is_int(db_watch(db, DB_JOBS, on_change, &watcher), 0, "a table is watched");
    (void)write_text(db, DB_SEEN, "a", "1");
    is_int(watcher.n_called, 0, "another one changes");
    (void)write_text(db, DB_JOBS, "a", "1");
    ok(watcher.n_called == 1 && watcher.n_there == 1, "it changes, and that is on disk when it is told");
    (void)write_text(db, DB_SEEN, "b", "1");
    is_int(watcher.n_called, 1, "once");
    is_int(db_watch(db, DB_SEEN, on_change, &other), 0, "another table is watched, too");
    (void)write_text(db, DB_SEEN, "c", "1");
    ok(watcher.n_called == 1 && other.n_called == 1, "each is told of its own");
    (void)db_watch(db, DB_SEEN, NULL, NULL);
    is_int(db_watch(db, DB_JOBS, NULL, NULL), 0, "and not any more");
    (void)write_text(db, DB_JOBS, "b", "1");
    is_int(watcher.n_called, 1, "nobody is told");
}

static void test_slow(void)
{
    struct db_options options = { .path = scratch_file("slow"), .map_mib = 16, .slow_ms = 1, .on_slow = on_slow };
    scoped(db_close) struct db *db = NULL;
    struct db_stats stats;
    struct gate gate;
    uint64_t until;

    n_slow = 0;
    (void)db_open(&options, &db);
    gate_shut(db, &gate);
    until = clock_mono_us() + 1001; /* the passage of time itself is what is tested */
    while (clock_mono_us() < until)
        ;
    gate_open(&gate);
    (void)write_text(db, DB_SEEN, "after", "1");
    db_stats(db, &stats);
    ok(n_slow >= 1 && stats.n_slow >= 1, "a slow transaction is reported and counted");
}

static void test_readers_bound(void)
{
    scoped(db_close) struct db *db = open_store("readers", 16);
    struct db_txn *txns[128];
    int n = 0;

    while (n < 128 && db_read_begin(db, &txns[n]) == 0)
        n++;
    is_int(n, 64, "so many can read at once");
    while (n > 0)
        db_read_end(txns[--n]);
    is_int(db_read_begin(db, &txns[0]), 0, "and their places are free again");
    db_read_end(txns[0]);
}

int main(void)
{
    test_grouping();
    test_failing_alone();
    test_growth();
    test_one_daemon();
    test_schema();
    test_not_a_store();
    test_walks();
    test_delete();
    test_counters();
    test_queue_full();
    test_watch();
    test_watcher();
    test_slow();
    test_readers_bound();
    return done_testing();
}
