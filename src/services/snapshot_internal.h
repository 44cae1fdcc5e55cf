#pragma once
/* snapshot_internal.h - what snapshot.c and restore.c share */

#include "db.h"
#include "services/snapshot.h"
#include "services/store_check.h"

#define SNAPSHOT_STORE "store/" DB_FILE
#define SNAPSHOT_STATE "state/"
#define SNAPSHOT_WORK "agentlocator-work"

/* Of the state directory; NULL behind the last. */
extern const char *const snapshot_folders[];

/* The reason, a sentence, into problem. Returns: r. */
int snapshot_fail(char problem[SNAPSHOT_PROBLEM_MAX], int r, const char *format, ...) __attribute__((format(printf, 3, 4)));

const char *snapshot_words(int r);
int snapshot_tell(const struct snapshot *snapshot, const char *what, uint64_t n_bytes, uint64_t of);

/*
 * Read a backup to its end: its store into a folder, its other files below state (NULL: they are only checked), then
 * every row of the store.
 *
 * Returns: as snapshot_make().
 */
struct snapshot_unpacking {
    const struct snapshot *snapshot;
    int fd;
    const char *store, *state;
    /* filled */
    struct json_object *manifest;
    struct store_report rows;
    uint64_t n_bytes, n_files;
};
int snapshot_unpack(struct snapshot_unpacking *unpacking, char problem[SNAPSHOT_PROBLEM_MAX]);

/* The same of what is at fd, by way of an empty folder, and what came of it. */
int snapshot_check(const struct snapshot *snapshot, int fd, const char *folder, const char *file,
                 struct json_object **ret_report, char problem[SNAPSHOT_PROBLEM_MAX]);

/* NULL when out of memory. */
struct json_object *snapshot_report(const struct snapshot_unpacking *unpacking, const char *file);
