/*
 * test_db_shared.c - two processes have one store open for writing, as when one hands over to the next
 *
 * The other process is this program again, told line by line what to do; it answers each line with a number. It
 * inherits the lock of who leads, or does not.
 */
#include "db.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "gate.h"
#include "scratch.h"
#include "tap.h"

enum { LEAD_FD = 9, VALUE_BYTES = 4000, PATIENCE_S = 60 };

/* --- what both do */

static struct db *db;

static int migrate_add(struct db_txn *txn);
static int migrate_rewrite(struct db_txn *txn)
{
    return 0;
}

static const struct db_migration additive[] = { { migrate_add, true } };
static const struct db_migration rewriting[] = { { migrate_rewrite, false } };

static int open_as(const char *path, int lead_fd, const struct db_migration *migrations)
{
    struct db_options options = { .path = path, .map_mib = 1, .lead_fd = lead_fd, .migrations = migrations,
                                  .n_migrations = migrations ? 1 : 0 };

    return db_open(&options, &db);
}

struct put {
    struct db_op op;
    uint32_t key;
    uint64_t number;
};

static struct db_bytes key_of(const uint32_t *key)
{
    return (struct db_bytes){ key, sizeof(*key) };
}

/* Its value: a number of the shared counter, and filling. */
static int run_put(struct db_txn *txn, struct db_op *op)
{
    struct put *put = (struct put *)op;
    char value[VALUE_BYTES] = "";
    int r = db_next(txn, "shared", &put->number);

    memcpy(value, &put->number, sizeof(put->number));
    return r < 0 ? r : db_put(txn, DB_JOBS, key_of(&put->key), (struct db_bytes){ value, sizeof(value) });
}

static int put_all(uint32_t first, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct put put = { .op = { .run = run_put, .what = "put" }, .key = first + i };
        int r = db_write(db, &put.op);
        if (r < 0)
            return r;
    }
    return 0;
}

static int count_row(struct db_bytes key, struct db_bytes value, void *arg)
{
    ++*(int *)arg;
    return 0;
}

static int count_all(enum db_table table)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct db_bytes all = { "", 0 };
    int n = 0, r = db_read_begin(db, &txn);

    if (r == 0)
        r = db_each(txn, table, all, all, DB_UP, count_row, &n);
    return r < 0 ? r : n;
}

/* What an older process knows nothing of: each job has a row in another table. */
static int add_row(struct db_bytes key, struct db_bytes value, void *arg)
{
    return db_put(arg, DB_SEEN, key, (struct db_bytes){ "x", 1 });
}

static int migrate_add(struct db_txn *txn)
{
    struct db_bytes all = { "", 0 };

    return db_each(txn, DB_JOBS, all, all, DB_UP, add_row, txn);
}

/* --- the other process */

static int run_half(struct db_txn *txn, struct db_op *op)
{
    struct put put = { .key = 999999 };
    int r = run_put(txn, &put.op);

    if (r < 0)
        return r;
    printf("0\n");
    fflush(stdout);
    for (;;)
        pause();
}

static int obey(const char *line)
{
    static struct db_op half = { .run = run_half, .done = gate_done, .what = "half" };
    struct db_generation rows[DB_GENERATIONS_MAX];
    unsigned first, n;

    if (sscanf(line, "put %u %u", &first, &n) == 2)
        return put_all(first, n);
    if (strcmp(line, "count\n") == 0)
        return count_all(DB_JOBS);
    if (strcmp(line, "half\n") == 0)
        return db_submit(db, &half) ?: 1;
    if (strcmp(line, "lead\n") == 0)
        return db_lead(db);
    if (strcmp(line, "settle\n") == 0)
        return db_settle(db);
    return strcmp(line, "generations\n") == 0 ? db_generations(db, rows) : -EINVAL;
}

static int other(const char *path, const char *schema)
{
    char line[64];
    const struct db_migration *migrations =
        strcmp(schema, "additive") == 0 ? additive : strcmp(schema, "rewriting") == 0 ? rewriting : NULL;
    int r = open_as(path, fcntl(LEAD_FD, F_GETFD) < 0 ? 0 : LEAD_FD, migrations);

    printf("%d\n", r);
    fflush(stdout);
    while (r == 0 && fgets(line, sizeof(line), stdin)) {
        int answer = obey(line);
        if (strcmp(line, "half\n") == 0)
            continue;
        printf("%d\n", answer);
        fflush(stdout);
    }
    db_close(db);
    return 0;
}

/* --- and how it is told */

struct peer {
    pid_t pid;
    FILE *in, *out;
    int opened; /* what it said of db_open() */
};

static int answer_of(struct peer *peer)
{
    int n = -EPIPE;

    return fscanf(peer->out, "%d", &n) == 1 ? n : -EPIPE;
}

static void tell(struct peer *peer, const char *line)
{
    fprintf(peer->in, "%s\n", line);
    fflush(peer->in);
}

static int ask(struct peer *peer, const char *line)
{
    tell(peer, line);
    return answer_of(peer);
}

static struct peer start(const char *path, const char *schema, int lead_fd)
{
    extern char **environ;
    const char *argv[] = { "test_db_shared", "other", path, schema, NULL };
    int to[2], from[2];
    struct peer peer = { 0 };
    posix_spawn_file_actions_t files;

    if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
        exit(99);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, to[0], 0);
    posix_spawn_file_actions_adddup2(&files, from[1], 1);
    if (lead_fd >= 0)
        posix_spawn_file_actions_adddup2(&files, lead_fd, LEAD_FD);
    if (posix_spawn(&peer.pid, "/proc/self/exe", &files, NULL, (char **)argv, environ) != 0)
        exit(99);
    posix_spawn_file_actions_destroy(&files);
    close(to[0]);
    close(from[1]);
    peer.in = fdopen(to[1], "w");
    peer.out = fdopen(from[0], "r");
    peer.opened = answer_of(&peer);
    return peer;
}

static void end(struct peer *peer, int signal)
{
    int status;

    if (signal)
        kill(peer->pid, signal);
    fclose(peer->in);
    waitpid(peer->pid, &status, 0);
    fclose(peer->out);
}

/* --- the tests */

static void test_alone(void)
{
    struct peer peer = start(scratch_file("family"), "", -1);

    is_int(peer.opened, -EBUSY, "a process that was not passed the lock is refused");
    end(&peer, 0);
}

static int numbers_seen[16000];

static int note_number(struct db_bytes key, struct db_bytes value, void *arg)
{
    uint64_t number;

    memcpy(&number, value.data, sizeof(number));
    if (number >= ELEMENTSOF(numbers_seen) || numbers_seen[number]++)
        *(int *)arg = 0;
    return 0;
}

static void test_both_write(struct peer *peer)
{
    struct db_bytes all = { "", 0 };
    struct db_txn *txn;
    int are_different = 1;

    tell(peer, "put 1000 200");
    is_int(put_all(0, 200), 0, "both write at once");
    is_int(answer_of(peer), 0, "  the other one, too");
    is_int(count_all(DB_JOBS), 400, "  and each finds what both wrote");
    is_int(ask(peer, "count"), 400, "  as does the other one");
    (void)db_read_begin(db, &txn);
    (void)db_each(txn, DB_JOBS, all, all, DB_UP, note_number, &are_different);
    db_read_end(txn);
    ok(are_different, "  no number of a counter was given twice");
}

static atomic_bool is_over;
static _Atomic int n_reads, n_failed;

static void *reader(void *arg)
{
    while (!is_over) {
        int n = count_all(DB_JOBS);
        n_failed += n < 0;
        n_reads++;
    }
    return NULL;
}

/* The map is a MiB to begin with: each writes more than what there is room for, in turn. */
static void test_growth(struct peer *peer)
{
    pthread_t threads[2];

    for (size_t i = 0; i < ELEMENTSOF(threads); i++)
        pthread_create(&threads[i], NULL, reader, NULL);
    for (uint32_t round = 0; round < 4; round++) {
        char line[64];
        snprintf(line, sizeof(line), "put %u 200", 10000 + 2000 * round);
        is_int(ask(peer, line), 0, "the other one makes the map larger");
        is_int(put_all(11000 + 2000 * round, 200), 0, "  we write on, and make it larger, too");
    }
    tell(peer, "put 30000 300");
    is_int(put_all(40000, 300), 0, "both do so at once");
    is_int(answer_of(peer), 0, "  the other one, too");
    is_over = true;
    for (size_t i = 0; i < ELEMENTSOF(threads); i++)
        pthread_join(threads[i], NULL);
    ok(n_reads > 0 && n_failed == 0, "  while %d reads found all well", n_reads);
    is_int(ask(peer, "count"), count_all(DB_JOBS), "  and both find the same");
}

static void changed(void *arg)
{
    sem_post(arg);
}

static bool is_told(sem_t *told)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PATIENCE_S;
    return sem_clockwait(told, CLOCK_MONOTONIC, &until) == 0;
}

static void test_watch(struct peer *peer)
{
    sem_t told;

    sem_init(&told, 0, 0);
    (void)db_watch(db, DB_JOBS, changed, &told);
    is_int(ask(peer, "put 50000 1"), 0, "the other one writes while we rest");
    ok(is_told(&told), "  and we are told");
    (void)db_watch(db, DB_JOBS, NULL, NULL);
    sem_destroy(&told);
}

static void test_crash(struct peer *peer)
{
    struct db_generation rows[DB_GENERATIONS_MAX];
    struct put put = { .op = { .run = run_put, .done = gate_done, .what = "put" }, .key = 60000 };
    int n = count_all(DB_JOBS);

    is_int(db_generations(db, rows), 2, "two generations live");
    is_int(rows[1].pid, peer->pid, "  the younger is the other one");
    is_int(ask(peer, "half"), 0, "the other one is in the middle of a transaction");
    (void)db_submit(db, &put.op);
    is_int(count_all(DB_JOBS), n, "  we still read, and see nothing of it");
    end(peer, SIGKILL);
    gate_settle(db);
    is_int(count_all(DB_JOBS), n + 1, "it is killed there: what waited for it is written, and its half is not");
    is_int(db_generations(db, rows), 1, "one generation lives");
}

static void test_lead(void)
{
    struct peer peer = start(scratch_file("family"), "", db_lead_fd(db));

    is_int(peer.opened, 0, "one that was passed the lock is let in");
    db_yield(db);
    is_int(db_lead(db), -EBUSY, "who yielded cannot lead while the other one does");
    is_int(ask(&peer, "lead"), 0, "who does");
    end(&peer, SIGKILL);
    is_int(db_lead(db), 0, "when that was killed, he leads again");
}

static void test_schema(void)
{
    struct peer peer = start(scratch_file("family"), "rewriting", db_lead_fd(db));

    is_int(peer.opened, -EINPROGRESS, "a newer one that would change what we know is refused");
    end(&peer, 0);

    struct db *reading = NULL;
    struct db_options options = { .path = scratch_file("family"), .read_only = true, .migrations = additive, .n_migrations = 1 };
    is_int(db_open(&options, &reading), -ESTALE, "a newer reader, too, as long as nobody has migrated");
    peer = start(scratch_file("family"), "additive", db_lead_fd(db));
    is_int(peer.opened, 0, "a newer one that adds something is let in");
    is_int(count_all(DB_SEEN), count_all(DB_JOBS), "  it has added it");
    is_int(put_all(70000, 10), 0, "  we write on as we know how");
    is_int(ask(&peer, "settle"), 1, "  which it waits for to end");
    is_int(db_open(&options, &reading), 0, "a newer reader reads meanwhile");
    db_close(reading);
    options.n_migrations = 0;
    is_int(db_open(&options, &reading), 0, "  and an older one");
    db_close(reading);

    db_close(steal(&db));
    is_int(ask(&peer, "settle"), 0, "we have gone: the version rises");
    end(&peer, 0);
    is_int(open_as(scratch_file("family"), 0, NULL), -EPROTO, "  and an older one is refused");
    is_int(open_as(scratch_file("family"), 0, additive), 0, "  a newer one is not");
    is_int(count_all(DB_SEEN), count_all(DB_JOBS), "what we wrote meanwhile was brought up to date");
    db_close(steal(&db));
}

static void test_too_many(void)
{
    struct peer peers[DB_GENERATIONS_MAX];

    is_int(open_as(scratch_file("many"), 0, NULL), 0, "a store");
    for (size_t i = 0; i < ELEMENTSOF(peers); i++) {
        peers[i] = start(scratch_file("many"), "", db_lead_fd(db));
        if (peers[i].opened != (i + 1 < DB_GENERATIONS_MAX ? 0 : -EUSERS))
            ok(0, "process %zu said %d", i, peers[i].opened);
    }
    is_int(ask(&peers[0], "generations"), DB_GENERATIONS_MAX, "as many as may live at once read and write it; one more is refused");
    is_int(ask(&peers[DB_GENERATIONS_MAX - 2], "put 0 1"), 0, "  the last of them, too");
    for (size_t i = 0; i < ELEMENTSOF(peers); i++)
        end(&peers[i], 0);
    db_close(steal(&db));
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "other") == 0)
        return other(argv[2], argv[3]);

    is_int(open_as(scratch_file("family"), 0, NULL), 0, "a store");
    test_alone();
    struct peer peer = start(scratch_file("family"), "", db_lead_fd(db));
    if (!is_int(peer.opened, 0, "a process that was passed the lock is let in"))
        return done_testing();
    test_both_write(&peer);
    test_growth(&peer);
    test_watch(&peer);
    test_crash(&peer);
    test_lead();
    test_schema();
    test_too_many();
    return done_testing();
}
