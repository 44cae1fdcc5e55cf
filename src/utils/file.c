/*
 * file.c - whole small files, and folders
 *
 * file_read() reads until the end instead of trusting st_size, which is 0 for what /proc
 * and pipes hand out.
 */
#include "utils/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "utils/scoped.h"

enum { COPY_CHUNK = 1 << 20, FILE_CHUNK = 4096 };

int file_read(const char *path, int flags, size_t max, char **ret_text, size_t *ret_n)
{
    scoped(close) int fd = open(path, O_RDONLY | O_CLOEXEC | flags);

    return fd < 0 ? -errno : file_read_fd(fd, max, ret_text, ret_n);
}

int file_read_fd(int fd, size_t max, char **ret_text, size_t *ret_n)
{
    scoped(free) char *text = NULL;
    size_t n = 0, room = 0;

    for (;;) {
        if (n + 1 >= room) {
            size_t more = room ? 2 * room : FILE_CHUNK;
            char *grown = malloc(more);

            if (!grown)
                return -ENOMEM;
            if (text) {
                memcpy(grown, text, n);
                explicit_bzero(text, n); /* may hold a secret */
                free(text);
            }
            text = grown;
            room = more;
        }

        ssize_t got = read(fd, text + n, room - n - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        n += (size_t)got;
        if (n > max)
            return -EFBIG;
    }

    text[n] = '\0';
    *ret_text = steal(&text);
    *ret_n = n;
    return 0;
}

int file_copy_fd(int from, const char *part, const char *path)
{
    scoped(close) int to = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    ssize_t n = 1;

    if (to < 0)
        return -errno;
    while (n > 0 || (n < 0 && errno == EINTR))
        n = sendfile(to, from, NULL, COPY_CHUNK);
    int r = n < 0 || fchmod(to, 0644) < 0 || fsync(to) < 0 || rename(part, path) < 0 ? -errno : 0;
    if (r < 0)
        (void)unlink(part);
    return r;
}

static int make_one(const char *path)
{
    return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int file_make_folder(const char *path)
{
    scoped(free) char *part = strdup(path);
    struct stat st;
    int r = 0;

    if (!part || !*part)
        return part ? -EINVAL : -ENOMEM;
    for (char *p = part + 1; r == 0 && *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        r = make_one(part);
        *p = '/';
    }
    r = r < 0 ? r : make_one(part);
    if (r < 0)
        return r;
    if (stat(path, &st) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        return -ENOTDIR;
    return access(path, R_OK | W_OK | X_OK) < 0 ? -errno : 0;
}

int file_write(int fd, const void *bytes, size_t n)
{
    const char *at = bytes;

    while (n) {
        ssize_t written = write(fd, at, n);
        if (written < 0 && errno != EINTR)
            return -errno;
        if (written > 0) {
            at += written;
            n -= (size_t)written;
        }
    }
    return 0;
}

int file_sync(const char *path)
{
    scoped(close) int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* Deepest first. A negative result ends the walk with that; nftw() gives it on. */
static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    return remove(path) < 0 && errno != ENOENT ? -errno : 0;
}

int file_remove(const char *path)
{
    enum { OPEN_MAX_OF_WALK = 8 };
    scoped(free) char *parent = strdup(path);

    if (!parent)
        return -ENOMEM;
    int r = nftw(path, remove_one, OPEN_MAX_OF_WALK, FTW_DEPTH | FTW_PHYS);
    if (r == -1 && errno == ENOENT)
        return 0;
    if (r < 0)
        return r == -1 ? -errno : r;
    return file_sync(dirname(parent));
}
