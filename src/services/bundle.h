#pragma once
/*
 * bundle.h - many files in one: a tar archive, compressed, in which any flipped byte is found
 *
 * `tar --zstd -tf` reads it, too. The last file of it is BUNDLE_MANIFEST: JSON, {"format", ..., "files": [{"name",
 * "bytes", "sha256"}]}, in order. Thread: one at a time.
 */

#include <stddef.h>
#include <stdint.h>

#include <json-c/json_object.h>

#include "utils/scoped.h"

#define BUNDLE_MANIFEST "manifest.json"

enum { BUNDLE_PROBLEM_MAX = 256, BUNDLE_FORMAT = 1 };

/* Told now and then of how many bytes of the files were done; a negative return ends it and is returned. */
typedef int bundle_progress(uint64_t n_bytes, void *arg);

struct bundle;

/* Begin one in an empty file, which stays the caller's. Errors: -ENOMEM. */
int bundle_new(int fd, bundle_progress *on_bytes, void *arg, struct bundle **ret_bundle);
void bundle_free(struct bundle *bundle);
SCOPED_PTR(struct bundle, bundle_free)

/* A regular file, from its beginning, as long as it is now. Errors: -ENOSPC; -EAGAIN it became shorter; -errno. */
int bundle_add(struct bundle *bundle, const char *name, int fd);

/* The manifest, what else it is to say, and the end; it is on disk then. facts: an object; stays the caller's. */
int bundle_end(struct bundle *bundle, struct json_object *facts);

/*
 * Read one to its end.
 *
 * open_file: where a file of it goes: a descriptor, which is closed here, and synced; -ENOENT: nowhere, it is only
 *            checked; any other error ends it. Its name is a plain path: relative, without . or .. or empty parts.
 * Returns: 0 and the manifest: everything is as it was written. Errors: -EBADMSG it is not, and problem says what; -errno.
 */
typedef int bundle_open_file(const char *name, uint64_t n_bytes, void *arg);
struct bundle_reading {
    bundle_open_file *open_file;
    bundle_progress *on_bytes; /* of the bundle itself; may be NULL */
    void *arg;
};
int bundle_read(int fd, const struct bundle_reading *reading, struct json_object **ret_manifest,
                char problem[BUNDLE_PROBLEM_MAX]);
