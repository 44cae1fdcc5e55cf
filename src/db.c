/*
 * db.c - the LMDB environment, its transactions, its writer thread
 *
 * Writes. db_submit() pushes an operation on a lock-free stack; the writer
 * takes the whole stack at once, turns it over (so that order is kept), and
 * runs up to DB_GROUP_MAX operations in one transaction with one commit. It
 * does not wait for more to come: while one group syncs, the next gathers. The
 * semaphore is posted only by the push that finds the stack empty.
 *
 * A failing operation. One that wrote nothing is simply left out. One that
 * failed after a write spoils the transaction, so the group is run again on a
 * new one with a nested transaction around each operation; that costs a
 * large allocation each, which is why it is not the first try.
 *
 * Growth. MDB_MAP_FULL voids the transaction. LMDB moves the map without
 * looking for readers, so each of them holds map_lock shared from begin to end,
 * and the writer takes it exclusively to double the map; then the group is run
 * again. The lock prefers writers, but the writer asks in short turns, so
 * that one stuck reader cannot hold up all others for good; the turns become
 * longer, so that readers who are merely slow let him in. The writer holds it
 * shared during a transaction, too: another process may have made the map larger,
 * and then whoever notices first, perhaps a reader, adopts the new size.
 *
 * Other processes. While one generation hands over to the next, both write; LMDB's
 * lock in lock.mdb lets in one at a time, and outlives a writer that is killed. A
 * transaction whose number does not follow on our last one tells that somebody else
 * has committed, as does the number of the last one while we are idle, which is
 * looked at every POLL_MS: the watchers are called for that as for our own.
 *
 * A newer schema beside an older process. A migration that is additive is run at
 * once, but the version stays what it is; when no older generation lives any more,
 * it is run again, for what they wrote meanwhile, and with that the version rises.
 *
 * Readers. Their transactions are made at open and renewed and reset after
 * that, which allocates nothing. LMDB's lock file, which it maps to write, gets
 * its blocks before: a fault on a hole of it on a full disk would be SIGBUS.
 *
 * Not used: DUPSORT and MDB_CURRENT (defects in 0.9.24), WRITEMAP (SIGBUS on a
 * full disk), any NOSYNC (a kept webhook is on the disk before it is answered).
 */
#include "db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include <lmdb.h>

#include "db_family.h"
#include "utils/clock.h"
#include "utils/file.h"

SCOPED_PTR(MDB_txn, mdb_txn_abort)
SCOPED_PTR(MDB_cursor, mdb_cursor_close)

#define NO_TABLE UINT_MAX /* of a read-only store that is older than the table */

enum {
    READERS_OF_DAEMON = 64,
    READERS_OF_CLI = 2,
    READERS_MAX = 1260, /* slots in LMDB's lock file: those of DB_GENERATIONS_MAX daemons, the rest for the command line */
    LOCK_FILE_BYTES = 80 * KIB,
    CHECK_EVERY_S = 60,
    POLL_MS = 500,
    GROW_TURN_MS = 6, /* then twice that, and so on; an event loop may be among those who wait */
    GROW_TURN_MAX_MS = 50,
    KEY_MAX = 511,
    FULL_BELOW = 4 * MIB, /* an I/O error with less room than this on the disk is a full disk */
    REPLAY = 1,           /* of run_group(): an operation must be undone; no code of LMDB's */
};

#define LOCK_FILE "lock.mdb"         /* LMDB's, beside DB_FILE */
#define REPLACED_FILE "replaced.mdb" /* what was DB_FILE, until the new one is found good */

static const char *const table_names[DB_N_TABLES] = {
    [DB_META] = "meta",
    [DB_CALLS] = "calls",
    [DB_CALLS_BY_TIME] = "calls_by_time",
    [DB_CALLS_BY_CONTACT] = "calls_by_contact",
    [DB_TURNS] = "turns",
    [DB_CONTACTS] = "contacts",
    [DB_CONTACT_BY_ADDRESS] = "contact_by_address",
    [DB_CONTACT_INDEX] = "contact_index",
    [DB_CONTACT_LINKS] = "contact_links",
    [DB_MESSAGES] = "messages",
    [DB_MESSAGES_BY_CONTACT] = "messages_by_contact",
    [DB_UNREAD] = "unread",
    [DB_NOTES] = "notes",
    [DB_TASKS] = "tasks",
    [DB_TASKS_BY_DUE] = "tasks_by_due",
    [DB_TASKS_BY_CONTACT] = "tasks_by_contact",
    [DB_TIMELINE] = "timeline",
    [DB_JOBS] = "jobs",
    [DB_JOB_LANES] = "job_lanes",
    [DB_SEEN] = "seen",
    [DB_EVENTS] = "events",
    [DB_HOOKS] = "hooks",
    [DB_ERASURES] = "erasures",
    [DB_TRASH] = "trash",
};

struct db_txn {
    struct db *db;
    MDB_txn *txn;
    unsigned n_writes;   /* of the operation that runs */
    int fault;           /* LMDB's code of what made txn void; 0 none */
    uint64_t began_us;   /* readers only, as is busy */
    atomic_bool busy;
};

struct reader {
    _Alignas(64) struct db_txn txn;
};

struct watcher {
    void (*fn)(void *arg); /* NULL none */
    void *arg;
};

struct db {
    MDB_env *env;
    MDB_dbi tables[DB_N_TABLES];
    char *path;
    struct db_family family;
    const struct db_migration *migrations;
    size_t n_migrations;
    bool read_only, any_version, has_map_lock, has_wake, has_thread;
    bool is_unsettled; /* an older generation lives; its thread is that of db_open() and db_settle() */
    uint64_t slow_us;
    void (*on_slow)(const char *what, uint64_t took_us, unsigned n_ops);
    pthread_rwlock_t map_lock;
    struct reader *readers;
    size_t n_readers;

    size_t queue_max;
    _Alignas(64) _Atomic(struct db_op *) stack; /* last in first; pushed by anybody, taken whole by the writer */
    _Atomic size_t n_waiting;                   /* submitted and not yet done */
    atomic_bool stopping;
    sem_t wake;
    pthread_t thread;
    struct db_op *first, *last; /* taken from the stack, in order; the writer's, as are the next five */
    bool is_changed[DB_N_TABLES]; /* by the group that runs */
    struct watcher watchers[DB_N_TABLES];
    bool is_changed_by_others;    /* since the watchers were called last */
    bool has_written;             /* the group that runs: LMDB numbers no empty transaction */
    size_t seen_txn;              /* the last one that is ours, or that the watchers were called for; 0 none yet */

    _Atomic uint64_t n_commits, n_ops, n_failed, n_grown, n_slow, n_stuck;
    struct histogram commit_us, group;
};

/* --- LMDB's codes become ours here */

static int db_errno(int rc)
{
    static const struct {
        int rc, r;
    } rows[] = {
        { MDB_NOTFOUND, -ENOENT },
        { MDB_KEYEXIST, -EEXIST },
        { MDB_MAP_FULL, -ENOSPC },
        { MDB_TXN_FULL, -EFBIG },
        { MDB_READERS_FULL, -EAGAIN },
        { MDB_BAD_VALSIZE, -EINVAL },
        { MDB_BAD_TXN, -ECANCELED },
        { MDB_PANIC, -ENOTRECOVERABLE },
        { MDB_INVALID, -EUCLEAN },
        { MDB_VERSION_MISMATCH, -EUCLEAN },
        { MDB_CORRUPTED, -EUCLEAN },
        { MDB_PAGE_NOTFOUND, -EUCLEAN },
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++)
        if (rows[i].rc == rc)
            return rows[i].r;
    return rc > 0 ? -rc : rc < 0 ? -EIO : 0;
}

const char *db_explain(int r)
{
    static const struct {
        int r;
        const char *text;
    } rows[] = {
        { -EBUSY, "another agentlocator has this store open; stop it first, or give this one its own DATABASE_URL" },
        { -EINPROGRESS, "this version keeps the store in another form than the running one, which cannot go on with that; "
                        "stop it, and start this one" },
        { -EUSERS, "too many daemons live that have this store open; wait until calls of the earlier ones have ended" },
        { -EPROTO, "the store was written by a newer agentlocator; install that version or a later one" },
        { -ESTALE, "the store is of an older version; start the daemon once, which brings it up to date" },
        { -ENOENT, "there is no store yet; the daemon makes it when it first starts; check DATABASE_URL" },
        { -EACCES, "permission denied; run this as root or as the user the daemon runs as" },
        { -EPERM, "permission denied; run this as root or as the user the daemon runs as" },
        { -EUCLEAN, "this is not a store, or it is damaged; restore a backup or check DATABASE_URL" },
        { -ENOSPC, "the disk is full; make room, nothing that was kept is lost" },
        { -EROFS, "the file system is read-only" },
        { -ENOTDIR, "DATABASE_URL must name a directory" },
        { -ENOMEM, "out of memory or address space; lower DATABASE_MAP_MIB" },
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++)
        if (rows[i].r == r)
            return rows[i].text;
    return strerrordesc_np(-r) ?: "unknown error";
}

/* LMDB says EIO for a write that was cut short. */
static int errno_of_disk(const struct db *db, int rc)
{
    struct statvfs disk;

    if (rc == EDQUOT)
        return -ENOSPC;
    if (rc == EIO && statvfs(db->path, &disk) == 0 &&
        (uint64_t)disk.f_bavail * disk.f_frsize < FULL_BELOW)
        return -ENOSPC;
    return db_errno(rc);
}

/* Codes that leave the transaction usable pass; any other voids it. */
static int checked(struct db_txn *txn, int rc)
{
    if (rc && rc != MDB_NOTFOUND && rc != MDB_KEYEXIST && rc != MDB_BAD_VALSIZE && !txn->fault)
        txn->fault = rc;
    return db_errno(rc);
}

static void report_slow(struct db *db, const char *what, uint64_t took_us, unsigned n_ops)
{
    if (!db->slow_us || took_us < db->slow_us)
        return;
    atomic_fetch_add_explicit(&db->n_slow, 1, memory_order_relaxed);
    if (db->on_slow)
        db->on_slow(what, took_us, n_ops);
}

/* --- the map */

static void lock_map(struct db *db)
{
    struct timespec until;
    long turn_ms = GROW_TURN_MS / 2;

    do {
        turn_ms = turn_ms * 2 < GROW_TURN_MAX_MS ? turn_ms * 2 : GROW_TURN_MAX_MS;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += turn_ms * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
    } while (pthread_rwlock_timedwrlock(&db->map_lock, &until) != 0);
}

/* A failed remap inside LMDB would leave no map at all: see first whether there is address space. */
static bool has_address_space(size_t size)
{
    void *probe = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (probe == MAP_FAILED)
        return false;
    munmap(probe, size);
    return true;
}

static int grow(struct db *db)
{
    MDB_envinfo info;
    int rc;

    (void)mdb_env_info(db->env, &info);
    if (!has_address_space(info.me_mapsize * 2))
        return ENOMEM;

    lock_map(db);
    rc = mdb_env_set_mapsize(db->env, info.me_mapsize * 2);
    pthread_rwlock_unlock(&db->map_lock);
    atomic_fetch_add_explicit(&db->n_grown, 1, memory_order_relaxed);
    return rc;
}

/* Another process has made the map larger. */
static int adopt_size(struct db *db)
{
    int rc;

    lock_map(db);
    rc = mdb_env_set_mapsize(db->env, 0);
    pthread_rwlock_unlock(&db->map_lock);
    return rc;
}

/* --- the writer */

/* With map_lock held shared, which is let go to adopt a size. */
static int begin_write(struct db *db, MDB_txn **ret_txn)
{
    int rc = mdb_txn_begin(db->env, NULL, 0, ret_txn);

    if (rc == MDB_MAP_RESIZED) {
        pthread_rwlock_unlock(&db->map_lock);
        rc = adopt_size(db);
        pthread_rwlock_rdlock(&db->map_lock);
        if (rc == 0)
            rc = mdb_txn_begin(db->env, NULL, 0, ret_txn);
    }
    if (rc == 0) {
        db->is_changed_by_others |= db->seen_txn && mdb_txn_id(*ret_txn) != db->seen_txn + 1;
        db->seen_txn = mdb_txn_id(*ret_txn) - 1;
    }
    return rc;
}

/* Returns: 0, REPLAY, or MDB_MAP_FULL. */
static int run_op(struct db *db, MDB_txn *top, struct db_op *op)
{
    struct db_txn txn = { .db = db, .txn = top };

    op->result = op->run(&txn, op);
    if (txn.fault)
        return txn.fault == MDB_MAP_FULL ? MDB_MAP_FULL : REPLAY;
    db->has_written |= txn.n_writes > 0;
    return op->result < 0 && txn.n_writes ? REPLAY : 0;
}

/* Returns: 0 though the operation may have failed; otherwise the code that ends the group. */
static int run_op_nested(struct db *db, MDB_txn *top, struct db_op *op)
{
    scoped(mdb_txn_abort) MDB_txn *child = NULL;
    struct db_txn txn = { .db = db };
    int rc = mdb_txn_begin(db->env, top, 0, &child);

    if (rc)
        return rc;

    txn.txn = child;
    op->result = op->run(&txn, op);
    if (txn.fault == MDB_MAP_FULL || txn.fault == MDB_TXN_FULL)
        return txn.fault;
    if (txn.fault)
        op->result = db_errno(txn.fault);
    db->has_written |= op->result >= 0 && txn.n_writes;
    return op->result < 0 ? 0 : mdb_txn_commit(steal(&child));
}

static int run_group_locked(struct db *db, struct db_op **ops, size_t n, bool nested)
{
    scoped(mdb_txn_abort) MDB_txn *top = NULL;
    int rc = begin_write(db, &top);

    db->has_written = false;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = nested ? run_op_nested(db, top, ops[i]) : run_op(db, top, ops[i]);
    if (rc == 0)
        rc = mdb_txn_commit(steal(&top));
    if (rc == 0 && db->has_written)
        db->seen_txn++;
    return rc;
}

static int run_group(struct db *db, struct db_op **ops, size_t n, bool nested)
{
    pthread_rwlock_rdlock(&db->map_lock);
    int rc = run_group_locked(db, ops, n, nested);
    pthread_rwlock_unlock(&db->map_lock);
    return rc;
}

/* Afterwards each operation's result is final. */
static void commit_group(struct db *db, struct db_op **ops, size_t n)
{
    bool nested = false;
    int rc;

    for (;;) {
        rc = run_group(db, ops, n, nested);
        if (rc == MDB_MAP_FULL) {
            rc = grow(db);
            if (rc)
                break;
        } else if (rc == REPLAY) {
            nested = true;
        } else {
            break;
        }
    }

    if (rc == MDB_TXN_FULL && n > 1) {
        commit_group(db, ops, n / 2);
        commit_group(db, ops + n / 2, n - n / 2);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (rc && ops[i]->result >= 0)
            ops[i]->result = errno_of_disk(db, rc);
    if (rc == 0)
        atomic_fetch_add_explicit(&db->n_commits, 1, memory_order_relaxed);
}

static void take_stack(struct db *db)
{
    struct db_op *op = atomic_exchange_explicit(&db->stack, NULL, memory_order_acquire),
                 *turned = NULL, *end = op;

    while (op) {
        struct db_op *next = op->next;
        op->next = turned;
        turned = op;
        op = next;
    }
    if (!turned)
        return;
    if (db->first)
        db->last->next = turned;
    else
        db->first = turned;
    db->last = end;
}

static size_t take_group(struct db *db, struct db_op **ops)
{
    size_t n = 0;

    take_stack(db);
    for (; db->first && n < DB_GROUP_MAX; n++) {
        ops[n] = db->first;
        db->first = db->first->next;
    }
    return n;
}

static void call_watchers(struct db *db)
{
    for (size_t i = 0; i < DB_N_TABLES; i++)
        if (db->watchers[i].fn && (db->is_changed[i] || db->is_changed_by_others))
            db->watchers[i].fn(db->watchers[i].arg);
    db->is_changed_by_others = false;
}

static void write_group(struct db *db, struct db_op **ops, size_t n)
{
    const char *what = ops[0]->what;
    uint64_t began_us = clock_mono_us();
    size_t n_failed = 0;

    memset(db->is_changed, 0, sizeof(db->is_changed));
    commit_group(db, ops, n);
    uint64_t took_us = clock_mono_us() - began_us;
    report_slow(db, what ?: "write", took_us, (unsigned)n);
    histogram_add(&db->commit_us, &histogram_us, took_us);
    histogram_add(&db->group, &histogram_number, n);

    for (size_t i = 0; i < n; i++)
        n_failed += ops[i]->result < 0;
    atomic_fetch_add_explicit(&db->n_ops, n, memory_order_relaxed);
    atomic_fetch_add_explicit(&db->n_failed, n_failed, memory_order_relaxed);
    call_watchers(db);
    for (size_t i = 0; i < n; i++) {
        atomic_fetch_sub(&db->n_waiting, 1);
        ops[i]->done(ops[i], ops[i]->result); /* ops[i] may be gone now */
    }
}

static void look_for_others(struct db *db)
{
    MDB_envinfo info;

    pthread_rwlock_rdlock(&db->map_lock);
    (void)mdb_env_info(db->env, &info);
    pthread_rwlock_unlock(&db->map_lock);
    if (info.me_last_txnid == db->seen_txn)
        return;
    memset(db->is_changed, 0, sizeof(db->is_changed));
    db->seen_txn = info.me_last_txnid;
    db->is_changed_by_others = true;
    call_watchers(db);
}

static void wait_for_work(struct db *db)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += POLL_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    while (sem_clockwait(&db->wake, CLOCK_MONOTONIC, &until) < 0)
        if (errno == ETIMEDOUT) {
            look_for_others(db);
            return;
        }
}

static void *writer(void *arg)
{
    struct db *db = arg;
    struct db_op *ops[DB_GROUP_MAX];
    uint64_t checked_ms = clock_mono_ms();

    for (;;) {
        size_t n = take_group(db, ops);

        if (n)
            write_group(db, ops, n);
        else if (atomic_load(&db->stopping) && atomic_load(&db->n_waiting) == 0)
            return NULL;
        else
            wait_for_work(db);

        if (clock_mono_ms() - checked_ms >= CHECK_EVERY_S * 1000) {
            checked_ms = clock_mono_ms();
            db_check_readers(db);
        }
    }
}

static int start_writer(struct db *db)
{
    sigset_t all, before;
    int r;

    if (sem_init(&db->wake, 0, 0) < 0)
        return -errno;
    db->has_wake = true;

    sigfillset(&all); /* signals are for the main thread */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = -pthread_create(&db->thread, NULL, writer, db);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r < 0)
        return r;

    db->has_thread = true;
    (void)pthread_setname_np(db->thread, "db-writer");
    return 0;
}

/* --- open and close */

static int open_file(const char *folder, const char *name)
{
    scoped(free) char *path = NULL;
    int fd;

    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return -ENOMEM;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? -errno : fd;
}

int db_lock(const char *path, int *ret_fd)
{
    int r = file_make_folder(path);

    return r < 0 ? r : family_lock_all(path, ret_fd);
}

/* Before LMDB opens it: closing it later would drop LMDB's own locks. */
static int reserve_lock_file(const struct db *db)
{
    scoped(close) int fd = open_file(db->path, LOCK_FILE);

    return fd < 0 ? fd : -posix_fallocate(fd, 0, LOCK_FILE_BYTES);
}

/* Without a lock file there is no daemon; making one here, perhaps as root, could lock the daemon out. */
static unsigned flags_of_reader(const struct db *db)
{
    scoped(free) char *path = NULL;

    if (asprintf(&path, "%s/" LOCK_FILE, db->path) < 0)
        return MDB_RDONLY;
    return access(path, F_OK) == 0 ? MDB_RDONLY : MDB_RDONLY | MDB_NOLOCK;
}

static int open_env(struct db *db, size_t map_mib)
{
    const size_t most_mib = SIZE_MAX / 4 / MIB; /* where addresses have 32 bits */
    int rc = mdb_env_create(&db->env);

    if (rc == 0)
        rc = mdb_env_set_maxdbs(db->env, DB_N_TABLES);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(db->env, READERS_MAX);
    if (rc == 0 && map_mib)
        rc = mdb_env_set_mapsize(db->env, (map_mib < most_mib ? map_mib : most_mib) * MIB);
    if (rc == 0)
        rc = mdb_env_open(db->env, db->path, MDB_NOTLS | (db->read_only ? flags_of_reader(db) : 0),
                          0600);
    return errno_of_disk(db, rc);
}

static int open_tables(struct db_txn *txn, struct db_op *op)
{
    struct db *db = txn->db;

    for (size_t i = 0; i < DB_N_TABLES; i++) {
        int rc =
            mdb_dbi_open(txn->txn, table_names[i], db->read_only ? 0 : MDB_CREATE, &db->tables[i]);
        if (rc == MDB_NOTFOUND && db->any_version)
            db->tables[i] = NO_TABLE;
        else if (rc == MDB_NOTFOUND)
            return -ESTALE;
        else if (rc)
            return checked(txn, rc);
    }
    return 0;
}

static int get_number(struct db_txn *txn, struct db_bytes key, uint64_t *ret_n)
{
    char text[24];
    struct db_bytes value = { 0 };
    int r = db_get(txn, DB_META, key, &value);

    if (r < 0)
        return r;
    if (value.n == 0 || value.n >= sizeof(text))
        return -EUCLEAN;
    memcpy(text, value.data, value.n);
    text[value.n] = '\0';
    *ret_n = strtoull(text, NULL, 10);
    return 0;
}

static int put_number(struct db_txn *txn, struct db_bytes key, uint64_t n)
{
    char text[24];
    int n_text = snprintf(text, sizeof(text), "%" PRIu64, n);

    return db_put(txn, DB_META, key, (struct db_bytes){ text, (size_t)n_text });
}

/* --- generations */

enum { GENERATION_KEY_MAX = 32, GENERATION_TEXT_MAX = 64 };

static const char generation_prefix[] = "generation ";

static struct db_bytes generation_key(uint64_t id, char text[GENERATION_KEY_MAX])
{
    int n = snprintf(text, GENERATION_KEY_MAX, "%s%020" PRIu64, generation_prefix, id);

    return (struct db_bytes){ text, (size_t)n };
}

struct listing {
    const struct db_family *family;
    struct db_generation rows[DB_GENERATIONS_MAX];
    size_t n;
    uint64_t dead; /* one of them; 0 none */
};

static int list_generation(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct listing *listing = arg;
    struct db_generation row = { 0 };
    char text[GENERATION_KEY_MAX + GENERATION_TEXT_MAX];
    size_t n_prefix = sizeof(generation_prefix) - 1;

    (void)snprintf(text, sizeof(text), "%.*s %.*s", (int)(key.n - n_prefix), (const char *)key.data + n_prefix, (int)value.n,
                   (const char *)value.data);
    if (sscanf(text, "%" SCNu64 " %" SCNu64 " %d %" SCNu64, &row.id, &row.schema, &row.pid, &row.started_ms) != 4)
        return -EUCLEAN;
    if (!family_lives(listing->family, row.id))
        listing->dead = row.id;
    else if (listing->n < DB_GENERATIONS_MAX)
        listing->rows[listing->n++] = row;
    return 0;
}

static int list_generations(struct db_txn *txn, struct listing *listing)
{
    struct db_bytes prefix = { generation_prefix, sizeof(generation_prefix) - 1 };

    *listing = (struct listing){ .family = &txn->db->family };
    return db_each(txn, DB_META, prefix, (struct db_bytes){ 0 }, DB_UP, list_generation, listing);
}

static int forget_dead(struct db_txn *txn, struct listing *listing)
{
    char text[GENERATION_KEY_MAX];
    int r = list_generations(txn, listing);

    while (r == 0 && listing->dead) {
        r = db_delete(txn, DB_META, generation_key(listing->dead, text));
        if (r == 0)
            r = list_generations(txn, listing);
    }
    return r;
}

/* When it is run again on a new transaction, the number of the first run may have become somebody else's. */
static int take_number(struct db_txn *txn, uint64_t *ret_id)
{
    int r;

    do {
        r = db_next(txn, "generations", ret_id);
        if (r == 0)
            r = family_join(&txn->db->family, *ret_id);
    } while (r == -EBUSY);
    return r;
}

static int enlist(struct db_txn *txn, struct db_op *op)
{
    char key[GENERATION_KEY_MAX], text[GENERATION_TEXT_MAX];
    struct listing listing;
    uint64_t id;
    int r = forget_dead(txn, &listing);

    if (r == 0)
        r = listing.n < DB_GENERATIONS_MAX ? take_number(txn, &id) : -EUSERS;
    if (r < 0)
        return r;

    int n = snprintf(text, sizeof(text), "%zu %d %" PRIu64, txn->db->n_migrations + 1, (int)getpid(), clock_real_ms());
    return db_put(txn, DB_META, generation_key(id, key), (struct db_bytes){ text, (size_t)n });
}

uint64_t db_own_generation(const struct db_txn *txn)
{
    return txn->db->family.generation;
}

bool db_generation_lives(const struct db_txn *txn, uint64_t id)
{
    return family_lives(&txn->db->family, id);
}

int db_generations(struct db *db, struct db_generation ret_rows[DB_GENERATIONS_MAX])
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct listing listing;
    int r = db_read_begin(db, &txn);

    if (r == 0)
        r = list_generations(txn, &listing);
    if (r < 0)
        return r;
    memcpy(ret_rows, listing.rows, listing.n * sizeof(*ret_rows));
    return (int)listing.n;
}

int db_lead_fd(const struct db *db)
{
    return db->family.lead_fd;
}

void db_yield(struct db *db)
{
    family_yield(&db->family);
}

int db_lead(struct db *db)
{
    return family_lead(&db->family);
}

/* --- schema */

static const struct db_bytes version_key = { "schema_version", sizeof("schema_version") - 1 };
/* up to which version a store whose version is lower can be read, while older generations live */
static const struct db_bytes prepared_key = { "schema_prepared", sizeof("schema_prepared") - 1 };

enum { SCHEMA_CURRENT = 0, SCHEMA_MORE, SCHEMA_UNSETTLED };

/* Whether somebody lives who knows the store as it was before ours. Returns: 1, 0, or -errno. */
static int has_older(struct db_txn *txn)
{
    struct listing listing;
    int r = list_generations(txn, &listing);

    for (size_t i = 0; r == 0 && i < listing.n; i++)
        if (listing.rows[i].schema < txn->db->n_migrations + 1)
            return 1;
    return r;
}

/* Everything from version `from` on, beside those who go on with it as it was. */
static int prepare_schema(struct db_txn *txn, uint64_t from)
{
    const struct db *db = txn->db;
    int r = 0;

    for (size_t i = from - 1; i < db->n_migrations; i++)
        if (!db->migrations[i].is_additive)
            return -EINPROGRESS;
    for (size_t i = from - 1; i < db->n_migrations && r >= 0; i++)
        r = db->migrations[i].run(txn);
    if (r >= 0)
        r = put_number(txn, prepared_key, db->n_migrations + 1);
    return r < 0 ? r : SCHEMA_UNSETTLED;
}

static int judge_schema_of_reader(struct db_txn *txn, uint64_t stored)
{
    uint64_t prepared = 0;
    int r = stored ? get_number(txn, prepared_key, &prepared) : -ESTALE;

    if (r < 0)
        return r == -ENOENT ? -ESTALE : r;
    return prepared == txn->db->n_migrations + 1 ? SCHEMA_CURRENT : -ESTALE;
}

/* One step. */
static int upgrade_step(struct db_txn *txn, struct db_op *op)
{
    const struct db *db = txn->db;
    uint64_t ours = db->n_migrations + 1, stored = 0;
    int r = get_number(txn, version_key, &stored);

    if (r == -ENOENT && !db->read_only)
        return put_number(txn, version_key, ours);
    if (r < 0 && r != -ENOENT)
        return r;
    if (stored > ours)
        return -EPROTO;
    if (stored == ours || db->any_version)
        return SCHEMA_CURRENT;
    if (db->read_only)
        return judge_schema_of_reader(txn, stored);

    r = stored == 0 ? -EUCLEAN : has_older(txn);
    if (r > 0)
        return prepare_schema(txn, stored);
    if (r == 0)
        r = db->migrations[stored - 1].run(txn);
    if (r >= 0)
        r = put_number(txn, version_key, stored + 1);
    return r < 0 ? r : SCHEMA_MORE;
}

/* What older generations wrote before the last of them ended is brought up to date, too. */
static int settle_step(struct db_txn *txn, struct db_op *op)
{
    int r = has_older(txn);

    return r > 0 ? SCHEMA_UNSETTLED : r < 0 ? r : upgrade_step(txn, op);
}

int db_settle(struct db *db)
{
    struct db_op settle = { .run = settle_step, .what = "bringing the store up to date" };
    int r = db->is_unsettled ? SCHEMA_MORE : SCHEMA_CURRENT;

    while (r == SCHEMA_MORE)
        r = db_write(db, &settle);
    db->is_unsettled &= r != SCHEMA_CURRENT;
    return r < 0 ? r : r == SCHEMA_UNSETTLED;
}

/* Before the writer thread is there, on the thread that opens. */
static int run_now(struct db *db, struct db_op *op)
{
    if (db->read_only) {
        scoped(mdb_txn_abort) MDB_txn *top = NULL;
        int rc = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &top);
        if (rc)
            return db_errno(rc);
        (void)run_op(db, top, op);
        if (op->result >= 0)
            return db_errno(mdb_txn_commit(steal(&top))) ?: op->result; /* keeps the handles */
    } else {
        commit_group(db, &op, 1);
    }
    return op->result;
}

static int prepare_tables(struct db *db)
{
    struct db_op tables = { .run = open_tables }, upgrade = { .run = upgrade_step }, enlisting = { .run = enlist };
    int r = run_now(db, &tables);

    do
        r = r < 0 ? r : run_now(db, &upgrade);
    while (r == SCHEMA_MORE);
    db->is_unsettled = r == SCHEMA_UNSETTLED;
    return r < 0 || db->read_only ? r : run_now(db, &enlisting);
}

static int prepare_readers(struct db *db)
{
    size_t n = db->read_only ? READERS_OF_CLI : READERS_OF_DAEMON;

    db->readers = aligned_alloc(64, n * sizeof(*db->readers));
    if (!db->readers)
        return -ENOMEM;
    memset(db->readers, 0, n * sizeof(*db->readers));
    for (; db->n_readers < n; db->n_readers++) {
        struct db_txn *txn = &db->readers[db->n_readers].txn;
        int rc = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn->txn);
        if (rc)
            return db_errno(rc);
        txn->db = db;
    }
    for (size_t i = 0; i < n; i++)
        mdb_txn_reset(db->readers[i].txn.txn);
    return 0;
}

static int init_map_lock(struct db *db)
{
    pthread_rwlockattr_t attr;
    int r = pthread_rwlockattr_init(&attr);

    if (r == 0)
        r = pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    if (r == 0)
        r = pthread_rwlock_init(&db->map_lock, &attr);
    db->has_map_lock = r == 0;
    pthread_rwlockattr_destroy(&attr);
    return -r;
}

int db_open(const struct db_options *options, struct db **ret_db)
{
    scoped(db_close) struct db *db = aligned_alloc(64, sizeof(*db));
    int r;

    if (!db)
        return -ENOMEM;
    memset(db, 0, sizeof(*db));
    db->family = (struct db_family){ .lead_fd = -1, .own_fd = -1 };
    db->read_only = options->read_only;
    db->any_version = options->read_only && options->any_version;
    db->migrations = options->migrations;
    db->n_migrations = options->n_migrations;
    db->slow_us = options->slow_ms * 1000;
    db->on_slow = options->on_slow;
    db->queue_max = options->queue_max ?: DB_QUEUE_DEFAULT;
    db->path = strdup(options->path);
    if (!db->path)
        return -ENOMEM;

    r = init_map_lock(db);
    if (r == 0 && !db->read_only)
        r = file_make_folder(db->path);
    if (r == 0 && !db->read_only)
        r = family_open(&db->family, db->path, options->lead_fd);
    if (r == 0 && !db->read_only)
        r = reserve_lock_file(db);
    if (r == 0)
        r = open_env(db, options->map_mib);
    if (r == 0)
        r = prepare_tables(db);
    if (r >= 0)
        r = prepare_readers(db);
    if (r == 0 && !db->read_only)
        r = start_writer(db);
    if (r < 0)
        return r;

    if (!db->read_only)
        db_check_readers(db);
    *ret_db = steal(&db);
    return 0;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    if (db->has_thread) {
        atomic_store(&db->stopping, true);
        sem_post(&db->wake);
        pthread_join(db->thread, NULL);
    }
    for (size_t i = 0; i < db->n_readers; i++) {
        assert(!atomic_load(&db->readers[i].txn.busy));
        mdb_txn_abort(db->readers[i].txn.txn);
    }
    if (db->env)
        mdb_env_close(db->env);
    family_done(&db->family);
    if (db->has_map_lock)
        pthread_rwlock_destroy(&db->map_lock);
    if (db->has_wake)
        sem_destroy(&db->wake);
    free(db->readers);
    free(db->path);
    free(db);
}

/* --- submitting */

int db_submit(struct db *db, struct db_op *op)
{
    struct db_op *top;

    if (db->read_only)
        return -EROFS;
    if (atomic_fetch_add(&db->n_waiting, 1) >= db->queue_max) {
        atomic_fetch_sub(&db->n_waiting, 1);
        return -EAGAIN;
    }
    if (atomic_load(&db->stopping)) { /* the writer may have counted on us: wake it to count again */
        atomic_fetch_sub(&db->n_waiting, 1);
        sem_post(&db->wake);
        return -ESHUTDOWN;
    }

    op->result = 0;
    top = atomic_load_explicit(&db->stack, memory_order_relaxed);
    do
        op->next = top;
    while (!atomic_compare_exchange_weak_explicit(&db->stack, &top, op, memory_order_release,
                                                  memory_order_relaxed));
    if (!top)
        sem_post(&db->wake);
    return 0;
}

struct waiting {
    struct db_op op;
    struct db_op *inner;
    sem_t done;
    int result;
};

static int run_inner(struct db_txn *txn, struct db_op *op)
{
    struct db_op *inner = ((struct waiting *)op)->inner;

    return inner->run(txn, inner);
}

static void inner_done(struct db_op *op, int r)
{
    struct waiting *waiting = (struct waiting *)op;

    waiting->result = r;
    sem_post(&waiting->done);
}

int db_write(struct db *db, struct db_op *op)
{
    struct waiting waiting = { .op = { .run = run_inner, .done = inner_done, .what = op->what },
                               .inner = op };
    int r;

    assert(!db->has_thread || !pthread_equal(pthread_self(), db->thread));
    if (sem_init(&waiting.done, 0, 0) < 0)
        return -errno;
    r = db_submit(db, &waiting.op);
    if (r == 0) {
        while (sem_wait(&waiting.done) < 0)
            ;
        r = waiting.result;
    }
    sem_destroy(&waiting.done);
    return r;
}

/* --- reading */

struct watch_op {
    struct db_op op; /* first */
    enum db_table table;
    struct watcher watcher;
};

static int run_watch(struct db_txn *txn, struct db_op *op)
{
    const struct watch_op *watch = (const struct watch_op *)op;

    txn->db->watchers[watch->table] = watch->watcher;
    return 0;
}

int db_watch(struct db *db, enum db_table table, void (*fn)(void *arg), void *arg)
{
    struct watch_op watch = { { .run = run_watch, .what = "a watcher" }, table, { fn, arg } };

    return db_write(db, &watch.op);
}

static struct db_txn *claim_reader(struct db *db)
{
    static _Thread_local size_t hint; /* where this thread was lucky last */

    for (size_t i = 0; i < db->n_readers; i++) {
        struct db_txn *txn = &db->readers[(hint + i) % db->n_readers].txn;
        if (!atomic_load_explicit(&txn->busy, memory_order_relaxed) &&
            !atomic_exchange_explicit(&txn->busy, true, memory_order_acquire)) {
            hint = (hint + i) % db->n_readers;
            return txn;
        }
    }
    return NULL;
}

static void release_reader(struct db_txn *txn)
{
    pthread_rwlock_unlock(&txn->db->map_lock);
    atomic_store_explicit(&txn->busy, false, memory_order_release);
}

int db_read_begin(struct db *db, struct db_txn **ret_txn)
{
    struct db_txn *txn = claim_reader(db);
    int rc;

    if (!txn)
        return -EAGAIN;
    pthread_rwlock_rdlock(&db->map_lock);
    rc = mdb_txn_renew(txn->txn);
    if (rc == MDB_MAP_RESIZED) {
        pthread_rwlock_unlock(&db->map_lock);
        rc = adopt_size(db);
        pthread_rwlock_rdlock(&db->map_lock);
        if (rc == 0)
            rc = mdb_txn_renew(txn->txn);
    }
    if (rc) {
        release_reader(txn);
        return db_errno(rc);
    }
    txn->fault = 0;
    txn->began_us = clock_mono_us();
    *ret_txn = txn;
    return 0;
}

void db_read_end(struct db_txn *txn)
{
    struct db *db = txn->db;
    uint64_t took_us = clock_mono_us() - txn->began_us;

    mdb_txn_reset(txn->txn);
    release_reader(txn);
    report_slow(db, "read", took_us, 0);
}

static MDB_val to_val(struct db_bytes bytes)
{
    return (MDB_val){ bytes.n, (void *)bytes.data };
}

static struct db_bytes to_bytes(MDB_val val)
{
    return (struct db_bytes){ val.mv_data, val.mv_size };
}

int db_get(struct db_txn *txn, enum db_table table, struct db_bytes key, struct db_bytes *ret_value)
{
    MDB_val k = to_val(key), v;

    if (txn->db->tables[table] == NO_TABLE)
        return -ENOENT;
    int rc = mdb_get(txn->txn, txn->db->tables[table], &k, &v);

    if (rc == 0)
        *ret_value = to_bytes(v);
    return checked(txn, rc);
}

int db_put(struct db_txn *txn, enum db_table table, struct db_bytes key, struct db_bytes value)
{
    MDB_val k = to_val(key), v = to_val(value);

    if (key.n == 0 || key.n > KEY_MAX)
        return -EINVAL;
    txn->n_writes++;
    txn->db->is_changed[table] = true;
    return checked(txn, mdb_put(txn->txn, txn->db->tables[table], &k, &v, 0));
}

int db_delete(struct db_txn *txn, enum db_table table, struct db_bytes key)
{
    MDB_val k = to_val(key);
    int rc = mdb_del(txn->txn, txn->db->tables[table], &k, NULL);

    txn->n_writes += rc == 0;
    txn->db->is_changed[table] |= rc == 0;
    return checked(txn, rc);
}

/* Where a walk down begins: the last key that is not above `from`, or not above the prefix. */
static int seek_down(MDB_cursor *cursor, struct db_bytes prefix, struct db_bytes from, MDB_val *key,
                     MDB_val *value)
{
    uint8_t above[KEY_MAX];
    int rc;

    if (from.n) {
        *key = to_val(from);
        rc = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);
        if (rc == 0 && key->mv_size == from.n && memcmp(key->mv_data, from.data, from.n) == 0)
            return 0;
    } else {
        size_t n = prefix.n;
        memcpy(above, prefix.data ?: "", n);
        while (n && above[n - 1] == 0xff) /* the least key above all that begin with prefix */
            n--;
        if (n == 0)
            return mdb_cursor_get(cursor, key, value, MDB_LAST);
        above[n - 1]++;
        *key = (MDB_val){ n, above };
        rc = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);
    }
    if (rc && rc != MDB_NOTFOUND)
        return rc;
    return mdb_cursor_get(cursor, key, value, rc ? MDB_LAST : MDB_PREV);
}

static int seek_up(MDB_cursor *cursor, struct db_bytes prefix, struct db_bytes from, MDB_val *key,
                   MDB_val *value)
{
    *key = to_val(from.n ? from : prefix);
    return mdb_cursor_get(cursor, key, value, key->mv_size ? MDB_SET_RANGE : MDB_FIRST);
}

int db_each(struct db_txn *txn, enum db_table table, struct db_bytes prefix, struct db_bytes from,
            enum db_order order, db_each_fn *fn, void *arg)
{
    scoped(mdb_cursor_close) MDB_cursor *cursor = NULL;
    MDB_val key, value;
    int rc;

    if (prefix.n > KEY_MAX || from.n > KEY_MAX)
        return -EINVAL;
    if (txn->db->tables[table] == NO_TABLE)
        return 0;
    rc = mdb_cursor_open(txn->txn, txn->db->tables[table], &cursor);
    if (rc == 0)
        rc = (order == DB_UP ? seek_up : seek_down)(cursor, prefix, from, &key, &value);

    while (rc == 0 && key.mv_size >= prefix.n &&
           memcmp(key.mv_data, prefix.data ?: "", prefix.n) == 0) {
        int r = fn(to_bytes(key), to_bytes(value), arg);
        if (r)
            return r;
        rc = mdb_cursor_get(cursor, &key, &value, order == DB_UP ? MDB_NEXT : MDB_PREV);
    }
    return rc == MDB_NOTFOUND ? 0 : checked(txn, rc);
}

int db_next(struct db_txn *txn, const char *counter, uint64_t *ret_n)
{
    char name[64];
    int n_name = snprintf(name, sizeof(name), "counter %s", counter);
    struct db_bytes key = { name, (size_t)n_name };
    uint64_t n = 0;
    int r;

    assert((size_t)n_name < sizeof(name));
    r = get_number(txn, key, &n);
    if (r < 0 && r != -ENOENT)
        return r;
    r = put_number(txn, key, ++n);
    if (r == 0)
        *ret_n = n;
    return r;
}

static struct db_bytes sequence_key(uint64_t n, uint8_t bytes[8])
{
    for (int i = 7; i >= 0; i--, n >>= 8)
        bytes[i] = (uint8_t)n;
    return (struct db_bytes){ bytes, 8 };
}

int db_event(struct db_txn *txn, const char *json)
{
    uint8_t bytes[8];
    uint64_t n;
    int r = db_next(txn, "events", &n);

    if (r == 0)
        r = db_put(txn, DB_EVENTS, sequence_key(n, bytes), (struct db_bytes){ json, strlen(json) });
    if (r == 0 && n > DB_EVENTS_KEPT) {
        r = db_delete(txn, DB_EVENTS, sequence_key(n - DB_EVENTS_KEPT, bytes));
        if (r == -ENOENT)
            r = 0;
    }
    return r;
}

/* --- looking after it */

struct laggards {
    size_t last_txn;
    size_t worst; /* commits behind */
};

/* One line of mdb_reader_list(): pid, thread, the transaction or "-". */
static int note_laggard(const char *line, void *arg)
{
    struct laggards *laggards = arg;
    size_t txn;
    int pid;

    if (sscanf(line, "%d %*x %zu", &pid, &txn) == 2 && laggards->last_txn > txn &&
        laggards->last_txn - txn > laggards->worst)
        laggards->worst = laggards->last_txn - txn;
    return 0;
}

void db_check_readers(struct db *db)
{
    struct laggards laggards = { 0 };
    MDB_envinfo info;
    int n_dead;

    (void)mdb_reader_check(db->env, &n_dead);
    pthread_rwlock_rdlock(&db->map_lock);
    (void)mdb_env_info(db->env, &info);
    pthread_rwlock_unlock(&db->map_lock);

    laggards.last_txn = info.me_last_txnid;
    (void)mdb_reader_list(db->env, note_laggard, &laggards);
    if (laggards.worst < DB_READER_LAG)
        return;
    atomic_fetch_add_explicit(&db->n_stuck, 1, memory_order_relaxed);
    if (db->on_slow)
        db->on_slow("stuck reader", 0, (unsigned)laggards.worst);
}

/* --- whole stores */

const char *db_table_name(enum db_table table)
{
    return table_names[table];
}

int db_copy(struct db *db, int fd)
{
    pthread_rwlock_rdlock(&db->map_lock);
    int rc = mdb_env_copyfd2(db->env, fd, MDB_CP_COMPACT);
    pthread_rwlock_unlock(&db->map_lock);
    return db_errno(rc);
}

/* LMDB's lock file goes first: it knows the last transaction of the one that is replaced. */
int db_replace(const struct db_options *options, const char *file)
{
    scoped(free) char *data = NULL, *lock = NULL, *replaced = NULL;
    scoped(db_close) struct db *db = NULL;

    if (asprintf(&data, "%s/" DB_FILE, options->path) < 0 || asprintf(&lock, "%s/" LOCK_FILE, options->path) < 0 ||
        asprintf(&replaced, "%s/" REPLACED_FILE, options->path) < 0)
        return -ENOMEM;
    (void)unlink(replaced);
    bool had_one = link(data, replaced) == 0;
    if ((!had_one && errno != ENOENT) || (unlink(lock) < 0 && errno != ENOENT) || rename(file, data) < 0)
        return -errno;
    int r = file_sync(options->path);
    if (r == 0)
        r = db_open(options, &db);
    if (r < 0)
        (void)(had_one ? rename(replaced, data) : unlink(data));
    else if (had_one)
        (void)unlink(replaced);
    return r < 0 ? r : file_sync(options->path);
}

void db_stats(struct db *db, struct db_stats *ret_stats)
{
    MDB_envinfo info;
    MDB_stat stat;

    pthread_rwlock_rdlock(&db->map_lock);
    (void)mdb_env_info(db->env, &info);
    (void)mdb_env_stat(db->env, &stat);
    pthread_rwlock_unlock(&db->map_lock);

    *ret_stats = (struct db_stats){
        .n_commits = atomic_load_explicit(&db->n_commits, memory_order_relaxed),
        .n_ops = atomic_load_explicit(&db->n_ops, memory_order_relaxed),
        .n_failed = atomic_load_explicit(&db->n_failed, memory_order_relaxed),
        .n_grown = atomic_load_explicit(&db->n_grown, memory_order_relaxed),
        .n_slow = atomic_load_explicit(&db->n_slow, memory_order_relaxed),
        .n_stuck = atomic_load_explicit(&db->n_stuck, memory_order_relaxed),
        .n_waiting = atomic_load_explicit(&db->n_waiting, memory_order_relaxed),
        .map_bytes = info.me_mapsize,
        .used_bytes = (info.me_last_pgno + 1) * stat.ms_psize,
    };
    histogram_sum(&db->commit_us, &ret_stats->commit_us);
    histogram_sum(&db->group, &ret_stats->group);
}
