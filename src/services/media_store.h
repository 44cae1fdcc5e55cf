#pragma once
/*
 * media_store.h - the files of messages: STATE_DIR/media/MESSAGE_ID/N, N counting what the message has from 0
 *
 * A file is there whole and on the disk, or not at all. What it is, and how it is called, the message says; here it has a
 * number, so that no name from outside becomes a path.
 *
 * Thread of all but media_file_*: any. They wait for the disk, so not on a loop or a speech worker.
 * Errors of all: -EINVAL no id of a message; -errno.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/call.h"
#include "utils/scoped.h"

struct media_store;

struct media_limits {
    uint64_t bytes_max;      /* of all files together */
    uint64_t free_bytes_min; /* that the file system keeps for others */
};

/* Counts what is there. Errors: -ENOTDIR, -EACCES the folder cannot be used. */
int media_store_open(const char *state_dir, const struct media_limits *limits, struct media_store **ret_store);
void media_store_close(struct media_store *store);
SCOPED_PTR(struct media_store, media_store_close)

enum { MEDIA_PATH_MAX = 48, MEDIA_SHA256_MAX = 65 };

/* "media/ID/N": where it is, below STATE_DIR. */
void media_path(const char *message_id, unsigned n, char ret_path[MEDIA_PATH_MAX]);

/* The same read again. Errors: -EINVAL it is none. */
int media_path_read(const char *path, char ret_message_id[CONTACT_ID_MAX], unsigned *ret_n);

/* Whether there is room for something more. Errors: -ENOSPC one of the limits is reached. */
int media_store_room(struct media_store *store);

/* --- writing: one thread at a time for each */

struct media_file;

/*
 * Begin a file, in place of one that was begun before and never kept.
 *
 * Errors: -ENOSPC a limit is reached; -errno.
 */
int media_file_new(struct media_store *store, const char *message_id, unsigned n, uint64_t size_max, struct media_file **ret_file);

/* Errors: -EFBIG it would be longer than size_max; -ENOSPC; -errno. */
int media_file_write(struct media_file *file, const void *bytes, size_t n_bytes);

struct media_kept {
    uint64_t n_bytes;
    char sha256[MEDIA_SHA256_MAX]; /* hexadecimal */
};

/* What was written is on the disk and has its name when it returns 0. Once. */
int media_file_keep(struct media_file *file, struct media_kept *ret_kept);

int media_file_fd(const struct media_file *file); /* to be read by pread(): what was written; lent */
void media_file_free(struct media_file *file);    /* one that was not kept leaves nothing */
SCOPED_PTR(struct media_file, media_file_free)

/* --- what is kept */

/* For reading; the caller's. Errors: -ENOENT. */
int media_store_fd(struct media_store *store, const char *message_id, unsigned n);

/* The numbers that a message has files for, lowest first. Returns: how many there are, which may be more than max. */
int media_store_list(struct media_store *store, const char *message_id, unsigned *ret_numbers, size_t max);

/* All files of a message go, for good, and its folder; 0 also when there is none. Nobody may be writing one. */
int media_store_erase(struct media_store *store, const char *message_id);

/*
 * What belongs to no message goes, as if erased.
 *
 * is_known: whether there is such a message; negative errors end it.
 * Returns: how many folders went.
 */
int media_store_sweep(struct media_store *store, int (*is_known)(void *user, const char *message_id), void *user);

struct media_store_stats {
    uint64_t n_bytes, bytes_max, free_bytes, free_bytes_min;
    bool is_full;
};
void media_store_stats(struct media_store *store, struct media_store_stats *ret_stats);
