/*
 * db_family.c - who leads among the processes that share a store, and who lives
 *
 *   flock() of the file         the leader's. A lock belongs to the open file and not to the process: passed on to the
 *                               successor, both hold it, and when one closes it the other goes on; it is never free
 *                               in between
 *   byte N, an OFD record lock  generation N's, by an open file of its own, which nobody inherits
 *
 * The two kinds do not see each other. Bytes that are locked need not be there.
 */
#include "db_family.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_lock_file(const struct db_family *family)
{
    int fd = open(family->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    return fd < 0 ? -errno : fd;
}

static bool is_same_file(int a, int b)
{
    struct stat of_a, of_b;

    return fstat(a, &of_a) == 0 && fstat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

int family_lead(struct db_family *family)
{
    scoped(close) int fd = -1;

    if (family->lead_fd >= 0)
        return 0;
    fd = open_lock_file(family);
    if (fd < 0)
        return fd;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
    family->lead_fd = fd;
    fd = -1;
    return 0;
}

void family_yield(struct db_family *family)
{
    if (family->lead_fd >= 0)
        close(family->lead_fd);
    family->lead_fd = -1;
}

int family_open(struct db_family *family, const char *folder, int inherited_fd)
{
    scoped(close) int inherited = inherited_fd ?: -1;

    *family = (struct db_family){ .lead_fd = -1, .own_fd = -1 };
    if (asprintf(&family->path, "%s/daemon.lock", folder) < 0) {
        family->path = NULL;
        return -ENOMEM;
    }
    family->own_fd = open_lock_file(family);
    if (family->own_fd < 0)
        return family->own_fd;
    if (inherited < 0 || !is_same_file(inherited, family->own_fd))
        return family_lead(family);
    if (flock(inherited, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
    family->lead_fd = inherited;
    inherited = -1;
    return 0;
}

void family_done(struct db_family *family)
{
    if (!family->path) /* it was never opened */
        return;
    family_yield(family);
    if (family->own_fd >= 0)
        close(family->own_fd);
    free(family->path);
}

int family_lock_all(const char *folder, int *ret_fd)
{
    scoped(family_done) struct db_family family;
    struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET }; /* from 0 to the end of all files */
    int r = family_open(&family, folder, 0);

    if (r == 0 && fcntl(family.lead_fd, F_OFD_SETLK, &all) < 0)
        r = errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
    if (r < 0)
        return r;
    *ret_fd = family.lead_fd;
    family.lead_fd = -1;
    return 0;
}

static struct flock byte_of(uint64_t generation)
{
    return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)generation, .l_len = 1 };
}

int family_join(struct db_family *family, uint64_t generation)
{
    struct flock byte = byte_of(generation);

    if (fcntl(family->own_fd, F_OFD_SETLK, &byte) < 0)
        return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
    family->generation = generation;
    return 0;
}

bool family_lives(const struct db_family *family, uint64_t generation)
{
    struct flock byte = byte_of(generation);

    if (generation == family->generation)
        return true;
    return fcntl(family->own_fd, F_OFD_GETLK, &byte) == 0 && byte.l_type != F_UNLCK;
}
