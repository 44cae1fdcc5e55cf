/*
 * snapshot.c - everything that is kept, in one file
 *
 *   copy    the store, as it is at one moment, without its free pages
 *   pack    that copy and the recordings into a bundle, in a workspace beside where it goes
 *   verify  the bundle is read again to its end, its store unpacked, opened, and every row decoded
 *   name    it gets its name, and the folder is synced
 *
 * So there is never a file of that name that is not whole. The recordings come after the store: each that a row names
 * was there before the row. One that is written or taken away meanwhile is in the backup or not.
 *
 * The copy holds a reader: until it ends, LMDB uses no page again that is freed, and the store's file grows by what is
 * written meanwhile (a commit is some 140 KiB). So the copy goes to a pipe, which is closed when limit_s are over: LMDB
 * then gives up, and the reader with it. What was written is synced piece by piece, or the sync of it all would make
 * the daemon's commits wait; and it is dropped from memory, where the store had better be.
 */
#include "services/snapshot_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <json-c/json.h>

#include "config.h"
#include "services/crm_schema.h"
#include "utils/clock.h"
#include "utils/file.h"
#include "utils/json.h"
#include "utils/workspace.h"

enum { PIECE = 64 * KIB, SYNC_EVERY = 8 * MIB, WAIT_MS = 200 };

SCOPED_PTR(FTS, fts_close)

/* --- copy */

struct copy {
    struct db *db;
    int to;
    int r;
};

static void *run_copy(void *arg)
{
    struct copy *copy = arg;

    copy->r = db_copy(copy->db, copy->to);
    close(copy->to);
    return NULL;
}

/* Returns: bytes, 0 it is whole. Errors: -ETIMEDOUT. */
static ssize_t next_piece(int from, uint64_t until_ms, char *piece)
{
    struct pollfd ready = { .fd = from, .events = POLLIN };

    while (poll(&ready, 1, WAIT_MS) <= 0)
        if (clock_mono_ms() > until_ms)
            return -ETIMEDOUT;
    ssize_t n = read(from, piece, PIECE);
    return clock_mono_ms() > until_ms && n ? -ETIMEDOUT : n < 0 ? -errno : n;
}

static int drain_copy(const struct snapshot *snapshot, int from, int to, uint64_t n_expected)
{
    uint64_t until_ms = clock_mono_ms() + snapshot->limit_s * 1000ULL, done = 0, synced = 0;
    scoped(free) char *piece = malloc(PIECE);
    ssize_t n = 0;
    int r = piece ? 0 : -ENOMEM;

    while (r == 0 && (n = next_piece(from, until_ms, piece)) > 0) {
        r = file_write(to, piece, (size_t)n);
        done += (uint64_t)n;
        if (r == 0 && done - synced >= SYNC_EVERY) {
            synced = done;
            r = fdatasync(to) < 0 ? -errno : 0;
            (void)posix_fadvise(to, 0, (off_t)done, POSIX_FADV_DONTNEED);
        }
        r = r ?: snapshot_tell(snapshot, "copying the store", done, n_expected);
    }
    return r ?: (int)n;
}

static int copy_store(const struct snapshot *snapshot, struct db *db, int to)
{
    struct copy copy = { .db = db };
    struct db_stats stats;
    pthread_t thread;
    int ends[2];

    db_stats(db, &stats);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    copy.to = ends[1];
    (void)signal(SIGPIPE, SIG_DFL); /* LMDB takes it when the pipe is closed, and would wait for one that is ignored */
    int r = -pthread_create(&thread, NULL, run_copy, &copy);
    if (r < 0) {
        close(ends[0]);
        close(ends[1]);
        return r;
    }
    r = drain_copy(snapshot, ends[0], to, stats.used_bytes);
    close(ends[0]);
    (void)pthread_join(thread, NULL);
    return r ?: copy.r;
}

/* The store's copy in the workspace, at its path. */
static int make_copy(const struct snapshot *snapshot, const char *path, char *problem)
{
    struct db_options options = { .path = config_database_path(snapshot->config), .read_only = true, .any_version = true,
                                  .migrations = crm_migrations, .n_migrations = crm_n_migrations };
    scoped(db_close) struct db *db = NULL;
    int r = db_open(&options, &db);

    if (r < 0)
        return snapshot_fail(problem, r, "the store %s cannot be opened: %s", options.path, db_explain(r));
    scoped(close) int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    r = to < 0 ? -errno : copy_store(snapshot, db, to);
    if (r == -ETIMEDOUT)
        return snapshot_fail(problem, r, "copying the store took more than %u s, and its file grows meanwhile: write to a faster disk, "
                           "or allow more with --limit", snapshot->limit_s);
    return r < 0 ? snapshot_fail(problem, r, "the store cannot be copied to %s: %s", path, snapshot_words(r)) : 0;
}

/* --- pack */

struct packing {
    const struct snapshot *snapshot;
    struct bundle *bundle;
};

static int on_packed(uint64_t n_bytes, void *arg)
{
    return snapshot_tell(arg, "packing", n_bytes, 0);
}

static int pack_file(struct packing *packing, const char *path, const char *name, char *problem)
{
    scoped(close) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT)
        return 0; /* taken away meanwhile */
    int r = fd < 0 ? -errno : bundle_add(packing->bundle, name, fd);
    return r < 0 ? snapshot_fail(problem, r, "%s cannot be packed: %s", path, snapshot_words(r)) : 0;
}

/* A file gets its name when it is whole: what has another is being written, or a leftover. */
static bool is_finished(const char *name)
{
    size_t n = strlen(name);

    return name[0] != '.' && !(n > 5 && strcmp(name + n - 5, ".part") == 0);
}

static int pack_folder(struct packing *packing, const char *state, const char *folder, char *problem)
{
    scoped(free) char *path = NULL;
    FTSENT *entry;
    int r = 0;

    if (asprintf(&path, "%s/%s", state, folder) < 0)
        return -ENOMEM;
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return 0;
    scoped(fts_close) FTS *tree = fts_open((char *const[]){ path, NULL }, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
    while (tree && r == 0 && (errno = 0, entry = fts_read(tree))) {
        scoped(free) char *name = NULL;
        bool is_file = entry->fts_info == FTS_F || entry->fts_info == FTS_NSOK;
        if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR)
            return snapshot_fail(problem, -entry->fts_errno, "%s cannot be read: %s", entry->fts_path, strerror(entry->fts_errno));
        if (!is_file || !is_finished(entry->fts_name))
            continue;
        if (asprintf(&name, SNAPSHOT_STATE "%s%s", folder, entry->fts_path + strlen(path)) < 0)
            return -ENOMEM;
        r = pack_file(packing, entry->fts_path, name, problem);
    }
    return r ?: tree && !errno ? 0 : snapshot_fail(problem, -errno, "%s cannot be read: %s", path, strerror(errno));
}

static int add_facts(struct json_object *facts, const struct snapshot *snapshot)
{
    char text[32];
    time_t now = time(NULL);
    struct tm utc;

    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    int r = json_add(facts, "version", json_object_new_string(PACKAGE_VERSION));
    if (r == 0)
        r = json_add(facts, "created", json_object_new_string(text));
    if (r == 0)
        r = json_add(facts, "created_ms", json_object_new_int64((int64_t)now * 1000));
    return r ?: json_add(facts, "store_only", json_object_new_boolean(snapshot->store_only));
}

/* facts: of before the copy, so that what was sent after it was sent after created_ms. */
static int pack(const struct snapshot *snapshot, const char *copy, struct json_object *facts, int to, char *problem)
{
    scoped(bundle_free) struct bundle *bundle = NULL;
    struct packing packing = { .snapshot = snapshot };
    int r = bundle_new(to, on_packed, (void *)snapshot, &bundle);

    if (r < 0)
        return snapshot_fail(problem, r, "cannot begin to pack: %s", snapshot_words(r));
    packing.bundle = bundle;
    r = pack_file(&packing, copy, SNAPSHOT_STORE, problem);
    for (const char *const *folder = snapshot_folders; r == 0 && !snapshot->store_only && *folder; folder++)
        r = pack_folder(&packing, snapshot->config->state_dir, *folder, problem);
    if (r < 0)
        return r;
    r = bundle_end(bundle, facts);
    return r < 0 ? snapshot_fail(problem, r, "the backup cannot be written: %s", snapshot_words(r)) : 0;
}

/* --- name */

#define NAME_BEGIN "agentlocator-"
#define NAME_END ".tar.zst"
enum { NAME_STAMP = 16 }; /* 20261130T193819Z */

bool snapshot_is_named_by_date(const char *name)
{
    size_t n = strlen(NAME_BEGIN), n_stamp = NAME_STAMP;

    return strlen(name) == n + n_stamp + strlen(NAME_END) && strncmp(name, NAME_BEGIN, n) == 0 && name[n + 8] == 'T' &&
           name[n + 15] == 'Z' && strspn(name + n, "0123456789TZ") == n_stamp && strcmp(name + n + n_stamp, NAME_END) == 0;
}

static int choose_dated(const struct dirent *entry)
{
    return snapshot_is_named_by_date(entry->d_name);
}

/* The oldest go first, whose names are the least. */
static void drop_old(const char *folder, unsigned keep)
{
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, choose_dated, alphasort);

    for (int i = 0; i < n; i++) {
        scoped(free) char *path = NULL;
        if ((unsigned)(n - i) > keep && asprintf(&path, "%s/%s", folder, entries[i]->d_name) >= 0)
            (void)unlink(path);
        free(entries[i]);
    }
    free(entries);
}

struct place {
    char *folder, *file; /* owned */
};

static void free_place(struct place *place)
{
    free(place->folder);
    free(place->file);
}

static int choose_place(const struct snapshot *snapshot, struct place *ret_place)
{
    const char *slash = strrchr(snapshot->file, '/');
    char stamp[NAME_STAMP + 1];
    time_t now = time(NULL);
    struct stat st;
    struct tm utc;

    if (stat(snapshot->file, &st) == 0 && S_ISDIR(st.st_mode)) {
        (void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
        ret_place->folder = strdup(snapshot->file);
        return asprintf(&ret_place->file, "%s/" NAME_BEGIN "%s" NAME_END, snapshot->file, stamp) < 0 || !ret_place->folder ? -ENOMEM : 0;
    }
    ret_place->file = strdup(snapshot->file);
    ret_place->folder = slash ? strndup(snapshot->file, slash > snapshot->file ? (size_t)(slash - snapshot->file) : 1) : strdup(".");
    return ret_place->file && ret_place->folder ? 0 : -ENOMEM;
}

static int give_name(const char *packed, const struct place *place, bool force)
{
    int r = renameat2(AT_FDCWD, packed, AT_FDCWD, place->file, force ? 0 : RENAME_NOREPLACE) < 0 ? -errno : 0;

    if (r == -EINVAL && access(place->file, F_OK) < 0) /* a file system that cannot do it in one */
        r = rename(packed, place->file) < 0 ? -errno : 0;
    return r ?: file_sync(place->folder);
}

/* --- all of it */

/* In the workspace: "copy" goes when it is packed, since "store" needs the room. */
static int make_in(const struct snapshot *snapshot, const char *work, const struct place *place, struct json_object **ret_report,
                   char *problem)
{
    scoped(json_object_put) struct json_object *facts = json_object_new_object();
    scoped(free) char *copy = NULL, *packed = NULL, *store = NULL;

    if (!facts || asprintf(&copy, "%s/copy", work) < 0 || asprintf(&packed, "%s/packed", work) < 0 ||
        asprintf(&store, "%s/store", work) < 0 || add_facts(facts, snapshot) < 0)
        return snapshot_fail(problem, -ENOMEM, "out of memory");
    int r = make_copy(snapshot, copy, problem);
    if (r < 0)
        return r;
    scoped(close) int fd = open(packed, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || mkdir(store, 0700) < 0)
        return snapshot_fail(problem, -errno, "cannot write to %s: %s", work, strerror(errno));
    r = pack(snapshot, copy, facts, fd, problem);
    if (r < 0)
        return r;
    (void)unlink(copy);
    r = snapshot_check(snapshot, fd, store, place->file, ret_report, problem);
    if (r < 0)
        return r;
    int named = give_name(packed, place, snapshot->force);
    if (named == -EEXIST)
        return snapshot_fail(problem, named, "%s is there already: take another name, or --force", place->file);
    return named < 0 ? snapshot_fail(problem, named, "%s cannot be made: %s", place->file, snapshot_words(named)) : r;
}

int snapshot_make(const struct snapshot *snapshot, struct json_object **ret_report, char problem[SNAPSHOT_PROBLEM_MAX])
{
    scoped(workspace_free) struct workspace *work = NULL;
    scoped(json_object_put) struct json_object *report = NULL;
    struct place place = { 0 };
    char why[SNAPSHOT_PROBLEM_MAX] = "out of memory";
    int r = choose_place(snapshot, &place);

    if (r == 0)
        r = workspace_new(place.folder, SNAPSHOT_WORK, &work);
    if (r < 0)
        (void)snapshot_fail(problem, r, "cannot write to %s: %s", place.folder ?: "", snapshot_words(r));
    else if ((r = make_in(snapshot, workspace_path(work), &place, &report, why)) < 0)
        (void)snapshot_fail(problem, r, "no backup was made: %s", why);
    if (r == 0 && snapshot->keep && strcmp(place.folder, snapshot->file) == 0) /* not while there are unreadable rows in the youngest */
        drop_old(place.folder, snapshot->keep);
    if (r >= 0)
        *ret_report = steal(&report);
    free_place(&place);
    return r;
}
