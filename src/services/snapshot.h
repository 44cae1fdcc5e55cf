#pragma once
/*
 * snapshot.h - everything that is kept, in one file, and back
 *
 * A backup is a bundle: store/data.mdb, and of the state directory the folders of recordings. No setting and no secret
 * is in it. For the command line: it waits for disks.
 */

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json_object.h>

#include "services/bundle.h"

struct config;

enum { SNAPSHOT_PROBLEM_MAX = 512 };

/* of: 0 when it is not known. A negative return ends it, and is returned; nothing is left then. */
typedef int snapshot_progress(const char *what, uint64_t n_bytes, uint64_t of, void *arg);

struct snapshot {
    const struct config *config;
    const char *file;    /* of the backup; snapshot_make(): or a folder, where it gets a name by date */
    bool store_only;     /* no recordings */
    bool force;          /* snapshot_make(): in place of the file that is there; snapshot_restore(): of the store */
    unsigned keep;       /* in the folder, all but the youngest so many go; 0: all stay */
    unsigned limit_s;    /* for the copy of the store */
    snapshot_progress *on_progress;
    void *arg;
};

/*
 * What came of it, in ret_report: {"file","bytes","created","version","rows":{table: n},"files","wrong_rows","wrong":[]}.
 *
 * Returns: 0; 1 it is done, but there are rows in it that cannot be read. Errors: -errno, and problem says what is
 * wrong and what to do: a sentence.
 */

/* Of the store as it was at one moment, beside a running daemon. What was written is read again before it gets its name. */
int snapshot_make(const struct snapshot *snapshot, struct json_object **ret_report, char problem[SNAPSHOT_PROBLEM_MAX]);

/* agentlocator-DATE.tar.zst, as snapshot_make() names it in a folder. */
bool snapshot_is_named_by_date(const char *name);

int snapshot_verify(const struct snapshot *snapshot, struct json_object **ret_report, char problem[SNAPSHOT_PROBLEM_MAX]);

/*
 * Whoever is killed meanwhile leaves the store that was there, or the one of the backup, with its recordings. What was
 * owed when the backup was made may have been sent since: it is looked for at the provider before it is sent.
 *
 * Errors: -EBUSY a daemon runs; -EEXIST the store is not empty.
 */
int snapshot_restore(const struct snapshot *snapshot, struct json_object **ret_report, char problem[SNAPSHOT_PROBLEM_MAX]);
