/*
 * restore.c - a backup becomes the store
 *
 *   lock     the store, as the daemon does, so that none runs or starts meanwhile
 *   unpack   into workspaces inside the store's folder and the state directory; all of it is verified there
 *   doubt    what was owed is marked, in the unpacked store: it may have been sent since
 *   move     the recordings, each by a rename; those of calls that the backup knows nothing of stay
 *   switch   the store, by one rename
 *
 * Until the switch the store that was there is as it was: more recordings than it knows of do it no harm. A kill leaves
 * workspaces, which the next restore takes away.
 *
 * The files belong to whom the store's folder belongs to: root becomes that user first, which also keeps root from
 * following what that user may have laid there.
 */
#include "services/snapshot_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>

#include "config.h"
#include "services/crm_schema.h"
#include "services/outbox.h"
#include "utils/file.h"
#include "utils/json.h"
#include "utils/workspace.h"

SCOPED_PTR(FTS, fts_close)

static struct db_options options_of(const char *path)
{
    return (struct db_options){ .path = path, .read_only = true, .any_version = true, .migrations = crm_migrations,
                                .n_migrations = crm_n_migrations };
}

/* --- whose it is */

static int owner_of(const char *path, struct stat *ret_st)
{
    scoped(free) char *part = strdup(path);
    char *slash;

    if (!part)
        return -ENOMEM;
    while (stat(part, ret_st) < 0) {
        if (errno != ENOENT || !(slash = strrchr(part, '/')))
            return -errno;
        slash[slash == part] = '\0';
    }
    return 0;
}

static int become_owner(const char *path)
{
    struct stat st;
    int r = owner_of(path, &st);

    if (r < 0 || geteuid() != 0 || st.st_uid == 0)
        return r;
    if (setgroups(0, NULL) < 0 || setresgid(st.st_gid, st.st_gid, st.st_gid) < 0 ||
        setresuid(st.st_uid, st.st_uid, st.st_uid) < 0)
        return -errno;
    return 0;
}

/* --- what is there */

static int stop_at_row(struct db_bytes key, struct db_bytes value, void *arg)
{
    return 1;
}

/* Returns: 1 nothing but its own numbers is in it, or it is not there; 0. */
static int is_empty(const char *path)
{
    static const struct db_bytes all = { "", 0 };
    struct db_options options = options_of(path);
    scoped(db_close) struct db *db = NULL;
    scoped(db_read_end) struct db_txn *txn = NULL;
    int r = db_open(&options, &db);

    if (r == 0)
        r = db_read_begin(db, &txn);
    for (int table = 0; r == 0 && table < DB_N_TABLES; table++)
        if (table != DB_META)
            r = db_each(txn, table, all, all, DB_UP, stop_at_row, NULL);
    return r == -ENOENT || r == 0 ? 1 : 0; /* one that cannot be opened is not taken for empty */
}

/* --- doubt */

struct doubt {
    struct db_op op; /* first */
    uint64_t at_ms;
};

static int run_doubt(struct db_txn *txn, struct db_op *op)
{
    return outbox_doubt(txn, ((struct doubt *)op)->at_ms);
}

static int doubt_owed(const char *path, struct json_object *manifest)
{
    struct db_options options = options_of(path);
    struct doubt doubt = { { .run = run_doubt, .what = "a restore" }, (uint64_t)json_get_int(manifest, "created_ms") };
    scoped(db_close) struct db *db = NULL;

    options.read_only = options.any_version = false;
    int r = db_open(&options, &db);
    return r < 0 ? r : db_write(db, &doubt.op);
}

/* --- move */

static int move_file(const char *from, const char *state, const char *name)
{
    scoped(free) char *to = NULL;

    if (asprintf(&to, "%s%s", state, name) < 0)
        return -ENOMEM;
    char *slash = strrchr(to, '/');
    *slash = '\0';
    int r = file_make_folder(to);
    *slash = '/';
    return r < 0 ? r : rename(from, to) < 0 ? -errno : 0;
}

static int move_files(const char *work, const char *state)
{
    scoped(fts_close) FTS *tree = fts_open((char *const[]){ (char *)work, NULL }, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *entry;
    int r = 0;

    while (tree && r == 0 && (errno = 0, entry = fts_read(tree)))
        if (entry->fts_info == FTS_F)
            r = move_file(entry->fts_path, state, entry->fts_path + strlen(work));
    if (r < 0 || !tree || errno)
        return r ?: -errno;
    scoped(close) int folder = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder < 0 || syncfs(folder) < 0 ? -errno : 0;
}

/* --- all of it */

struct restoring {
    const struct snapshot *snapshot;
    const char *store, *state; /* folders */
    struct workspace *store_work, *state_work;
};

/* The lock is held, and everything is at hand. */
static int restore_in(struct restoring *restoring, struct snapshot_unpacking *unpacking, char *problem)
{
    struct db_options options = options_of(restoring->store);
    scoped(free) char *file = NULL;
    int r = snapshot_unpack(unpacking, problem);

    if (r == 1 && !restoring->snapshot->force)
        return snapshot_fail(problem, -EUCLEAN, "%llu of its rows cannot be read, the first: %s; another backup may be better, or "
                           "restore it --force", (unsigned long long)unpacking->rows.n_wrong, unpacking->rows.wrong[0]);
    if (r < 0)
        return r;
    int damage = r;
    if (asprintf(&file, "%s/" DB_FILE, unpacking->store) < 0)
        return -ENOMEM;
    r = doubt_owed(unpacking->store, unpacking->manifest);
    if (r < 0)
        return snapshot_fail(problem, r, "what is owed in it cannot be marked: %s", db_explain(r));
    r = move_files(unpacking->state, restoring->state);
    if (r < 0)
        return snapshot_fail(problem, r, "recordings cannot be put into %s: %s", restoring->state, strerror(-r));
    r = db_replace(&options, file);
    return r < 0 ? snapshot_fail(problem, r, "the store was not replaced: %s", db_explain(r)) : damage;
}

static int prepare(struct restoring *restoring, char *problem)
{
    int r = file_make_folder(restoring->state);

    if (r == 0)
        r = workspace_new(restoring->state, SNAPSHOT_WORK, &restoring->state_work);
    if (r == 0)
        r = workspace_new(restoring->store, SNAPSHOT_WORK, &restoring->store_work);
    if (r < 0)
        return snapshot_fail(problem, r, "cannot write to %s or %s: %s", restoring->state, restoring->store, strerror(-r));
    if (!restoring->snapshot->force && !is_empty(restoring->store))
        return snapshot_fail(problem, -EEXIST, "the store %s is not empty: --force replaces it; back it up first", restoring->store);
    return 0;
}

static int with_lock(const struct snapshot *snapshot, int fd, struct json_object **ret_report, char *problem)
{
    struct restoring restoring = { snapshot, config_database_path(snapshot->config), snapshot->config->state_dir, NULL, NULL };
    scoped(close) int lock = -1;
    int r = db_lock(restoring.store, &lock);

    if (r == -EBUSY)
        return snapshot_fail(problem, r, "a daemon has the store %s open: stop it first, and its sockets (systemctl stop "
                           "'agentlocator*.socket' agentlocator.service)", restoring.store);
    if (r < 0)
        return snapshot_fail(problem, r, "the store %s cannot be locked: %s", restoring.store, db_explain(r));
    r = prepare(&restoring, problem);
    if (r == 0) {
        struct snapshot_unpacking unpacking = { .snapshot = snapshot, .fd = fd, .store = workspace_path(restoring.store_work),
                                              .state = workspace_path(restoring.state_work) };
        r = restore_in(&restoring, &unpacking, problem);
        if (r >= 0)
            *ret_report = snapshot_report(&unpacking, snapshot->file);
        json_object_put(unpacking.manifest);
    }
    workspace_free(restoring.store_work);
    workspace_free(restoring.state_work);
    return r;
}

int snapshot_restore(const struct snapshot *snapshot, struct json_object **ret_report, char problem[SNAPSHOT_PROBLEM_MAX])
{
    char why[SNAPSHOT_PROBLEM_MAX] = "out of memory";
    scoped(close) int fd = open(snapshot->file, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return snapshot_fail(problem, -errno, "%s cannot be opened: %s", snapshot->file, strerror(errno));
    int r = become_owner(config_database_path(snapshot->config));
    if (r < 0)
        return snapshot_fail(problem, r, "cannot become the user whom the store belongs to: %s", strerror(-r));
    r = with_lock(snapshot, fd, ret_report, why);
    return r < 0 ? snapshot_fail(problem, r, "nothing was restored from %s: %s", snapshot->file, why) : r;
}
