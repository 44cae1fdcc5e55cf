#pragma once
/*
 * db.h - the LMDB environment, its transactions, its writer thread
 *
 * Named tables of bytes. Writes go through one thread that groups all that wait
 * into one commit; reads are allowed on any thread and must be short. Values and
 * keys returned by a read live until its transaction ends.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "utils/histogram.h"
#include "utils/scoped.h"

struct db;
struct db_txn;

enum db_table {
    DB_META,                /* schema_version, counters, generations, the list of open calls */
    DB_CALLS,               /* CallSid -> call */
    DB_CALLS_BY_TIME,       /* be64 started_ms, CallSid -> empty */
    DB_CALLS_BY_CONTACT,    /* person, 0, be64 started_ms, CallSid -> contact id */
    DB_TURNS,               /* CallSid, 0, be32 n -> turn */
    DB_CONTACTS,            /* contact id -> contact */
    DB_CONTACT_BY_ADDRESS,  /* e164 | lid -> contact id */
    DB_CONTACT_INDEX,       /* kind, term, 0, id -> contact id; see crm_index.c */
    DB_CONTACT_LINKS,       /* who was merged into whom; see crm_links.c */
    DB_MESSAGES,            /* message id -> message */
    DB_MESSAGES_BY_CONTACT, /* person, 0, be64 ms, message id -> contact id */
    DB_UNREAD,              /* as messages_by_contact, of those that nobody has read; see crm_unread.c */
    DB_NOTES,               /* note id -> note */
    DB_TASKS,               /* task id -> task */
    DB_TASKS_BY_DUE,        /* be64 due_ms, task id -> empty, while it is open */
    DB_TASKS_BY_CONTACT,    /* person, 0, be64 due_ms, task id -> contact id */
    DB_TIMELINE,            /* person, 0, be64 ms, kind, id -> contact id */
    DB_JOBS,                /* be64 due_ms, be64 id -> job */
    DB_JOB_LANES,           /* lane, 0, be64 job id -> empty */
    DB_SEEN,                /* provider id -> what was answered */
    DB_EVENTS,              /* be64 seq -> change feed */
    DB_HOOKS,               /* who is told of events; see hook_store.c */
    DB_ERASURES,            /* receipt id -> what was erased; see crm_erase.c */
    DB_TRASH,               /* folder below the state directory -> nothing; see trash.c */
    DB_N_TABLES
};

struct db_bytes {
    const void *data;
    size_t n;
};

/*
 * Brings every value from one schema version to the next. Runs inside one transaction, with the version.
 *
 * is_additive: a process of the version before can go on reading and writing beside it, and to run it a second time
 *              makes up for what that wrote. Without, a process of this version cannot take over from one of that.
 */
struct db_migration {
    int (*run)(struct db_txn *txn);
    bool is_additive;
};

enum { DB_QUEUE_DEFAULT = 16384, DB_GROUP_MAX = 256, DB_READER_LAG = 256, DB_EVENTS_KEPT = 100000, DB_GENERATIONS_MAX = 16 };

struct db_options {
    const char *path;          /* directory; made 0700 when absent */
    size_t map_mib;            /* address space to begin with; grows by itself. 0: as much as there is */
    uint64_t slow_ms;          /* a longer transaction is reported through on_slow; 0 never */
    bool read_only;            /* for the command line beside a running daemon */
    bool any_version;          /* read_only, of an older version, too: a table that it has not is empty */
    size_t queue_max;          /* operations waiting for the writer; 0: DB_QUEUE_DEFAULT */
    const struct db_migration *migrations; /* [i] goes from version i+1 to i+2: our version is n_migrations + 1; lent */
    size_t n_migrations;
    int lead_fd;               /* db_lead_fd() of the process that hands over to us; 0: nobody does */
    /*
     * A slow read, write or commit, on the thread that was slow; or, on the writer thread, a "stuck reader" that
     * holds a snapshot DB_READER_LAG commits old (n_ops says how old; took_us is 0). May be NULL.
     */
    void (*on_slow)(const char *what, uint64_t took_us, unsigned n_ops);
};

/*
 * Errors: -EBUSY another daemon leads, and does not hand over to us; -EPROTO the schema is newer than we are; -ESTALE
 *         it is older (read_only, where nothing is migrated); -EINPROGRESS it is older, and must stay so while another
 *         daemon lives; -ENOENT read_only and there is no store; -EUCLEAN that is no store; -EUSERS DB_GENERATIONS_MAX
 *         processes live; otherwise -errno. db_explain() has the words.
 * Owner:  lead_fd is the store's from here on.
 */
int db_open(const struct db_options *options, struct db **ret_db);
void db_close(struct db *db); /* after all writers and readers stopped; commits what is queued */
SCOPED_PTR(struct db, db_close)

/* What a failed db_open() means and what to do about it; one sentence, never NULL. */
const char *db_explain(int r);

/*
 * One write: embedded in the caller's own struct.
 *
 * run() is called on the writer thread inside the group's transaction; it may be
 * called again on a fresh transaction when the map had to grow or a neighbour failed,
 * so it changes nothing but the store and its own result fields. A negative return
 * undoes this operation alone. done() is called on the writer thread exactly once,
 * after the commit is on disk (r = 0 or run()'s positive result) or with the error.
 */
struct db_op {
    int (*run)(struct db_txn *txn, struct db_op *op);
    void (*done)(struct db_op *op, int r);
    const char *what; /* for the slow-transaction log; static */
    struct db_op *next; /* this and result are the writer's */
    int result;
};

/*
 * Queue a write.
 *
 * Thread: any; never blocks, never allocates.
 * Errors: -EAGAIN the queue is full (nothing was queued, done() is not called); -ESHUTDOWN; -EROFS.
 *         To done(): what run() returned; -ENOSPC the disk is full (the store stays readable, later writes are
 *         tried again); -EIO; -ENOTRECOVERABLE the store must be opened anew, i.e. the daemon restarted.
 * Owner:  op is the writer's until done().
 */
int db_submit(struct db *db, struct db_op *op);

/* The same, waiting for the commit; done() is not used. Not for loops or speech workers. */
int db_write(struct db *db, struct db_op *op);

/*
 * Have fn called after each commit that may have changed that table; NULL: not any more, from the return on. A commit of
 * another process is noticed within half a second, and may have changed any.
 *
 * One watcher of each table. fn: on the writer thread, quick, may not write. Blocks as db_write() does. Errors: those of it.
 */
int db_watch(struct db *db, enum db_table table, void (*fn)(void *arg), void *arg);

/*
 * A read transaction: a snapshot. Allocates nothing; hold it for no I/O, lock or callback of others, end it on
 * the thread that began it, and hold one at a time.
 *
 * Errors: -EAGAIN too many readers at once; other -errno.
 */
int db_read_begin(struct db *db, struct db_txn **ret_txn);
void db_read_end(struct db_txn *txn);
SCOPED_PTR(struct db_txn, db_read_end)

/* Keys have 1 to 511 bytes. Errors: -ENOENT; -EINVAL the key's size; other -errno. */
int db_get(struct db_txn *txn, enum db_table table, struct db_bytes key, struct db_bytes *ret_value);
int db_put(struct db_txn *txn, enum db_table table, struct db_bytes key, struct db_bytes value);
int db_delete(struct db_txn *txn, enum db_table table, struct db_bytes key);

/*
 * Walk the keys that begin with prefix (may be empty), from `from` on (itself too; empty: the first or last), up
 * or down.
 *
 * fn: 0 goes on, anything else stops and is returned. It must not write to the table.
 */
typedef int db_each_fn(struct db_bytes key, struct db_bytes value, void *arg);
enum db_order { DB_UP, DB_DOWN };
int db_each(struct db_txn *txn, enum db_table table, struct db_bytes prefix, struct db_bytes from,
            enum db_order order, db_each_fn *fn, void *arg);

/* The next number of a counter kept in DB_META; monotonic, gaps only after a failed transaction. */
int db_next(struct db_txn *txn, const char *counter, uint64_t *ret_n);

/* Add to the change feed; json is one object. The feed keeps the last DB_EVENTS_KEPT. */
int db_event(struct db_txn *txn, const char *json);

/*
 * The processes that have the store open for writing; see db_family.h. A generation is one of them, and is known by its
 * number, which no other ever has.
 */
struct db_generation {
    uint64_t id, schema, started_ms; /* schema: its version */
    int pid;
};
int db_generations(struct db *db, struct db_generation ret_rows[DB_GENERATIONS_MAX]); /* who lives; returns how many */
uint64_t db_own_generation(const struct db_txn *txn);
bool db_generation_lives(const struct db_txn *txn, uint64_t id); /* cheap */

int db_lead_fd(const struct db *db); /* to be passed to who is to lead after us, while we lead; still the store's */
void db_yield(struct db *db);        /* he leads */
int db_lead(struct db *db);          /* again. Errors: -EBUSY somebody else does; -errno */

/*
 * Finish what a migration had to leave while older generations lived. Now and then, by who leads.
 *
 * Returns: 0 the store is of our version; 1 one of them still lives. Thread: one, that of db_open().
 */
int db_settle(struct db *db);

/* Release the snapshots of killed processes, report stuck readers. The writer does so each minute. */
void db_check_readers(struct db *db);

/* --- whole stores, for the command line */

#define DB_FILE "data.mdb" /* in the folder that db_options.path names */

const char *db_table_name(enum db_table table);

/*
 * Write a snapshot, without the pages that are free, to a file or pipe, from its present place on.
 *
 * It holds a reader all that while: pages that are freed meanwhile are not used again, so the file of the store grows by
 * what is written meanwhile. Closing the other end of the pipe ends it (-EPIPE); SIGPIPE must not be ignored then.
 * Errors: -ENOSPC; -EPIPE; other -errno.
 */
int db_copy(struct db *db, int fd);

/*
 * Be the one that may write to the store at path: until the descriptor is closed no daemon starts on it. The folder is
 * made when it is not there.
 *
 * Errors: -EBUSY a daemon has it; -errno.
 */
int db_lock(const char *path, int *ret_fd);

/*
 * Put a file, which is of the same file system, in the place of the store, at once: whoever dies meanwhile leaves the
 * one or the other. The one that was there stays beside it until the new one could be opened, and comes back when it
 * cannot. The caller holds db_lock(). options: as of db_open(), read_only.
 *
 * Errors: those of db_open(); -errno. The file is gone, or where it was when nothing was changed.
 */
int db_replace(const struct db_options *options, const char *file);

struct db_stats {
    uint64_t n_commits, n_ops, n_failed, n_grown, n_slow, n_stuck, n_waiting, map_bytes, used_bytes;
    struct histogram_sums commit_us, group; /* groups of operations: from begin until on disk (histogram_us); how many in each (histogram_number) */
};
void db_stats(struct db *db, struct db_stats *ret_stats); /* any thread */
