/*
 * snapshot_verify.c - whether a backup is whole, and every row of it can be read
 */
#include "services/snapshot_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <json-c/json.h>

#include "services/crm_schema.h"
#include "utils/json.h"
#include "utils/workspace.h"

const char *const snapshot_folders[] = { "recordings", "media", NULL };

int snapshot_fail(char problem[SNAPSHOT_PROBLEM_MAX], int r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(problem, SNAPSHOT_PROBLEM_MAX, format, args);
    va_end(args);
    return r;
}

const char *snapshot_words(int r)
{
    return r == -EINTR ? "it was interrupted" : strerrordesc_np(-r) ?: "unknown error";
}

int snapshot_tell(const struct snapshot *snapshot, const char *what, uint64_t n_bytes, uint64_t of)
{
    return snapshot->on_progress ? snapshot->on_progress(what, n_bytes, of, snapshot->arg) : 0;
}

static int on_rows(uint64_t n_rows, void *arg)
{
    const struct snapshot_unpacking *unpacking = arg;

    return snapshot_tell(unpacking->snapshot, "checking every row", n_rows, 0);
}

static int on_read(uint64_t n_bytes, void *arg)
{
    const struct snapshot_unpacking *unpacking = arg;

    return snapshot_tell(unpacking->snapshot, "reading the backup", n_bytes, unpacking->n_bytes);
}

static bool is_of_state(const char *name)
{
    size_t n = strlen(SNAPSHOT_STATE);

    if (strncmp(name, SNAPSHOT_STATE, n) != 0)
        return false;
    for (const char *const *folder = snapshot_folders; *folder; folder++)
        if (strncmp(name + n, *folder, strlen(*folder)) == 0 && name[n + strlen(*folder)] == '/')
            return true;
    return false;
}

/* The folders of a path below top, one after the other, so that a link in them leads nowhere. */
static int create_below(const char *top, const char *name)
{
    scoped(close) int folder = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const char *slash;

    while (folder >= 0 && (slash = strchr(name, '/'))) {
        scoped(free) char *part = strndup(name, (size_t)(slash - name));
        if (!part)
            return -ENOMEM;
        if (mkdirat(folder, part, 0750) < 0 && errno != EEXIST)
            return -errno;
        int next = openat(folder, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        close(folder);
        folder = next;
        name = slash + 1;
    }
    int fd = folder < 0 ? -1 : openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd;
}

static int open_unpacked(const char *name, uint64_t n_bytes, void *arg)
{
    struct snapshot_unpacking *unpacking = arg;

    unpacking->n_files++;
    if (strcmp(name, SNAPSHOT_STORE) == 0)
        return create_below(unpacking->store, DB_FILE);
    if (!is_of_state(name))
        return -EBADMSG;
    return unpacking->state ? create_below(unpacking->state, name + strlen(SNAPSHOT_STATE)) : -ENOENT;
}

static int check_rows(struct snapshot_unpacking *unpacking, char *problem)
{
    struct db_options options = { .path = unpacking->store, .read_only = true, .any_version = true,
                                  .migrations = crm_migrations, .n_migrations = crm_n_migrations };
    scoped(db_close) struct db *db = NULL;
    scoped(db_read_end) struct db_txn *txn = NULL;
    int r = db_open(&options, &db);

    if (r == 0)
        r = db_read_begin(db, &txn);
    if (r == 0)
        r = store_check(txn, on_rows, unpacking, &unpacking->rows);
    if (r < 0)
        return snapshot_fail(problem, r, "the store in it cannot be read: %s", r == -EINTR ? snapshot_words(r) : db_explain(r));
    return unpacking->rows.n_wrong ? 1 : 0;
}

int snapshot_unpack(struct snapshot_unpacking *unpacking, char problem[SNAPSHOT_PROBLEM_MAX])
{
    const struct bundle_reading reading = { open_unpacked, on_read, unpacking };
    char why[BUNDLE_PROBLEM_MAX] = "there is something in it that no backup has";
    struct stat st;

    if (fstat(unpacking->fd, &st) == 0)
        unpacking->n_bytes = (uint64_t)st.st_size;
    int r = bundle_read(unpacking->fd, &reading, &unpacking->manifest, why);
    if (r == -EBADMSG)
        return snapshot_fail(problem, r, "%s; use another backup", why);
    if (r < 0)
        return snapshot_fail(problem, r, "it cannot be read or unpacked: %s", snapshot_words(r));
    return check_rows(unpacking, problem);
}

static struct json_object *rows_json(const struct store_report *rows)
{
    struct json_object *json = json_object_new_object();

    for (int table = 0; json && table < DB_N_TABLES; table++)
        if (json_add(json, db_table_name(table), json_object_new_int64((int64_t)rows->n_rows[table])) < 0)
            return (void)json_object_put(json), NULL;
    return json;
}

static struct json_object *wrong_json(const struct store_report *rows)
{
    struct json_object *json = json_object_new_array();

    for (uint64_t i = 0; json && i < rows->n_wrong && i < STORE_CHECK_TOLD; i++)
        if (json_append(json, json_object_new_string(rows->wrong[i])) < 0)
            return (void)json_object_put(json), NULL;
    return json;
}

struct json_object *snapshot_report(const struct snapshot_unpacking *unpacking, const char *file)
{
    scoped(json_object_put) struct json_object *report = json_object_new_object();
    int r = json_add(report, "file", json_text(file, strlen(file)));

    r = r ?: json_add(report, "bytes", json_object_new_int64((int64_t)unpacking->n_bytes));
    r = r ?: json_add(report, "created", json_object_new_string(json_get_text(unpacking->manifest, "created") ?: ""));
    r = r ?: json_add(report, "version", json_object_new_string(json_get_text(unpacking->manifest, "version") ?: ""));
    r = r ?: json_add(report, "files", json_object_new_int64((int64_t)unpacking->n_files - 1)); /* but the store */
    r = r ?: json_add(report, "rows", rows_json(&unpacking->rows));
    r = r ?: json_add(report, "wrong_rows", json_object_new_int64((int64_t)unpacking->rows.n_wrong));
    r = r ?: json_add(report, "wrong", wrong_json(&unpacking->rows));
    return r < 0 ? NULL : steal(&report);
}

int snapshot_check(const struct snapshot *snapshot, int fd, const char *folder, const char *file,
                 struct json_object **ret_report, char problem[SNAPSHOT_PROBLEM_MAX])
{
    struct snapshot_unpacking unpacking = { .snapshot = snapshot, .fd = fd, .store = folder };
    int r = snapshot_unpack(&unpacking, problem);

    if (r >= 0) {
        *ret_report = snapshot_report(&unpacking, file);
        r = *ret_report ? r : -ENOMEM;
    }
    json_object_put(unpacking.manifest);
    return r;
}

int snapshot_verify(const struct snapshot *snapshot, struct json_object **ret_report, char problem[SNAPSHOT_PROBLEM_MAX])
{
    scoped(workspace_free) struct workspace *work = NULL;
    scoped(close) int fd = open(snapshot->file, O_RDONLY | O_CLOEXEC);
    scoped(free) char *parent = NULL;
    char why[SNAPSHOT_PROBLEM_MAX] = "out of memory";

    if (fd < 0)
        return snapshot_fail(problem, -errno, "%s cannot be opened: %s", snapshot->file, strerror(errno));
    const char *slash = strrchr(snapshot->file, '/');
    parent = slash ? strndup(snapshot->file, slash > snapshot->file ? (size_t)(slash - snapshot->file) : 1) : strdup(".");
    int r = parent ? workspace_new(parent, SNAPSHOT_WORK, &work) : -ENOMEM;
    if (r < 0) /* a medium that cannot be written to */
        r = workspace_new("/tmp", SNAPSHOT_WORK, &work);
    if (r < 0)
        return snapshot_fail(problem, r, "there is no room to unpack it, neither in %s nor in /tmp: %s", parent ?: "", snapshot_words(r));
    r = snapshot_check(snapshot, fd, workspace_path(work), snapshot->file, ret_report, why);
    return r < 0 ? snapshot_fail(problem, r, "%s: %s", snapshot->file, why) : r;
}
