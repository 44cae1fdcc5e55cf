/*
 * test_db_crash.c - what was acknowledged survives SIGKILL
 *
 * A child writes, and says over a pipe what the store told it is on the disk; it
 * is killed in the middle of that, at a moment drawn from a seed. Then every
 * number heard must be there, in both tables that one operation writes, and
 * none in one table alone. `test_db_crash SEED` plays another game.
 */
#include "db.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "scratch.h"
#include "tap.h"

enum { ROUNDS = 24, IN_FLIGHT = 400, ACKS_MAX = 1500, VALUE_BYTES = 300 };

struct write {
    struct db_op op;
    uint32_t n;
};

static struct write writes[IN_FLIGHT];
static struct db *db;
static int out;
static _Atomic uint32_t next_n;

static struct db_bytes key_of(const uint32_t *n)
{
    return (struct db_bytes){ n, sizeof(*n) };
}

static int run(struct db_txn *txn, struct db_op *op)
{
    const struct write *write = (const struct write *)op;
    char value[VALUE_BYTES];
    int r;

    memset(value, (int)(write->n % 251), sizeof(value));
    r = db_put(txn, DB_CALLS, key_of(&write->n), (struct db_bytes){ value, sizeof(value) });
    if (r < 0)
        return r;
    if (write->n % 17 == 0)
        return -EDOM; /* half done: must not be seen */
    return db_put(txn, DB_SEEN, key_of(&write->n), (struct db_bytes){ value, sizeof(value) });
}

static void done(struct db_op *op, int r)
{
    struct write *done_write = (struct write *)op;

    if (r == 0 && write(out, &done_write->n, sizeof(done_write->n)) != sizeof(done_write->n))
        _exit(1);
    done_write->n = atomic_fetch_add(&next_n, 1);
    (void)db_submit(db, op);
}

static void child(uint32_t first)
{
    struct db_options options = { .path = scratch_file("store"), .map_mib = 1 };

    if (db_open(&options, &db) < 0)
        _exit(2);
    atomic_store(&next_n, first);
    for (size_t i = 0; i < IN_FLIGHT; i++) {
        writes[i] = (struct write){ .op = { .run = run, .done = done }, .n = atomic_fetch_add(&next_n, 1) };
        if (db_submit(db, &writes[i].op) < 0)
            _exit(3);
    }
    for (;;)
        pause();
}

static uint32_t draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

/* Returns: how many acknowledgements came before and after the kill. */
static size_t kill_in_the_middle(uint32_t first, uint64_t *seed, uint32_t *acks)
{
    size_t n = 0, n_before = 1 + draw(seed) % (ACKS_MAX / 2);
    int fds[2], status;
    pid_t pid;

    if (pipe(fds) < 0 || (pid = fork()) < 0)
        return 0;
    if (pid == 0) {
        close(fds[0]);
        out = fds[1];
        child(first);
    }
    close(fds[1]);
    while (n < n_before && read(fds[0], &acks[n], sizeof(acks[n])) == sizeof(acks[n]))
        n++;
    for (uint32_t spin = draw(seed) % 200000; spin > 0; spin--)
        __asm__ volatile("");
    kill(pid, SIGKILL);
    while (n < ACKS_MAX && read(fds[0], &acks[n], sizeof(acks[n])) == sizeof(acks[n]))
        n++;
    close(fds[0]);
    waitpid(pid, &status, 0);
    return n >= n_before && WIFSIGNALED(status) ? n : 0;
}

struct counting {
    struct db_txn *txn;
    size_t n, n_half;
};

static int check_pair(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct counting *counting = arg;
    struct db_bytes other = { 0 };
    uint32_t n;

    memcpy(&n, key.data, sizeof(n));
    counting->n++;
    if (db_get(counting->txn, DB_SEEN, key, &other) < 0 || other.n != VALUE_BYTES || n % 17 == 0 ||
        memcmp(other.data, value.data, VALUE_BYTES) != 0 || *(const uint8_t *)value.data != n % 251)
        counting->n_half++;
    return 0;
}

static void check(int round, const uint32_t *acks, size_t n_acks)
{
    struct db_options options = { .path = scratch_file("store"), .map_mib = 1 };
    struct db_bytes all = { "", 0 }, value;
    struct counting counting = { 0 };
    size_t n_there = 0;
    int r = db_open(&options, &db);

    if (!ok(r == 0, "round %d: the store opens after the kill", round)) {
        printf("# %s\n", db_explain(r));
        return;
    }
    (void)db_read_begin(db, &counting.txn);
    for (size_t i = 0; i < n_acks; i++)
        n_there += db_get(counting.txn, DB_CALLS, key_of(&acks[i]), &value) == 0;
    (void)db_each(counting.txn, DB_CALLS, all, all, DB_UP, check_pair, &counting);
    db_read_end(counting.txn);
    db_close(db);

    ok(n_there == n_acks, "  all of %zu acknowledged writes are there", n_acks);
    ok(counting.n_half == 0, "  none of %zu is half there", counting.n);
}

int main(int argc, char **argv)
{
    static uint32_t acks[ACKS_MAX];
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 20260801;

    printf("# seed %" PRIu64 ", below %s\n", seed, scratch()); /* made before the first fork */
    for (int round = 0; round < ROUNDS; round++) {
        size_t n = kill_in_the_middle((uint32_t)round * 1000000 + 1, &seed, acks);
        if (ok(n > 0, "round %d: a child was killed while it wrote", round))
            check(round, acks, n);
    }
    return done_testing();
}
