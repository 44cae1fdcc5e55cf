#pragma once
/* file.h - whole small files, and folders */

#include <stddef.h>

/*
 * Read a whole file into memory, plus a NUL that *ret_n does not count.
 *
 * flags:  added to O_RDONLY | O_CLOEXEC, e.g. O_NOFOLLOW.
 * Errors: -EFBIG more than max bytes; -errno.
 * Owner:  *ret_text is the caller's, to be freed.
 */
int file_read(const char *path, int flags, size_t max, char **ret_text, size_t *ret_n);

/* The same of what is open, from where it stands. */
int file_read_fd(int fd, size_t max, char **ret_text, size_t *ret_n);

/*
 * A copy that is there whole or not at all: what `from` holds from where it stands goes to part, then gets its name.
 * Whoever may enter the folder may read it.
 */
int file_copy_fd(int from, const char *part, const char *path);

/*
 * Make a folder that only its owner may enter, and those above it; one that is there already stays as it is.
 *
 * Errors: -ENOTDIR it is something else; -EACCES we may not write to it; -errno.
 */
int file_make_folder(const char *path);

/* All of it, however often it takes. Errors: -errno. */
int file_write(int fd, const void *bytes, size_t n);

/* A file, or what names are in a folder, is on disk then. Errors: -errno. */
int file_sync(const char *path);

/*
 * Delete a file, or a folder with all that is in it, so that it stays away after a power cut. Links are not followed.
 *
 * Errors: -errno of the first that could not be deleted; none when there is nothing of that name.
 */
int file_remove(const char *path);
