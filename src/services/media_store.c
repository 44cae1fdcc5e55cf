/*
 * media_store.c - the files of messages
 *
 *   STATE_DIR/media/ID/N        whole, on the disk
 *   STATE_DIR/media/ID/N.part   being written, or left over by a daemon that died; overwritten by the next attempt
 *
 * A file gets its name when its bytes are on the disk, and the name is on the disk before anybody is told; so whatever a
 * message says is there is there. The other way round a folder may be there that no message knows, when a daemon
 * died in between: the sweep at the start takes it away.
 *
 * Everything is opened below the folder's descriptor and never through a link. How much there is is counted at the start
 * and kept from then on: exact as long as nobody else writes here.
 */
#include "services/media_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <openssl/evp.h>

#include "utils/file.h"

enum { NAME_SIZE = 16, CHECK_EVERY = 1 * MIB };

static const char part_end[] = ".part";

struct media_store {
    int fd; /* of STATE_DIR/media */
    struct media_limits limits;
    _Atomic uint64_t n_bytes;
};

struct media_file {
    struct media_store *store;
    char message_id[CONTACT_ID_MAX];
    int folder_fd, fd;
    char name[NAME_SIZE], part[NAME_SIZE + sizeof(part_end)];
    uint64_t n_bytes, size_max, n_unchecked;
    EVP_MD_CTX *hash;
    bool is_kept;
};

SCOPED_PTR(DIR, closedir)

void media_path(const char *message_id, unsigned n, char ret_path[MEDIA_PATH_MAX])
{
    (void)snprintf(ret_path, MEDIA_PATH_MAX, "media/%.31s/%u", message_id, n);
}

int media_path_read(const char *path, char ret_message_id[CONTACT_ID_MAX], unsigned *ret_n)
{
    char same[MEDIA_PATH_MAX];

    if (sscanf(path, "media/%31[A-Za-z0-9]/%u", ret_message_id, ret_n) != 2)
        return -EINVAL;
    media_path(ret_message_id, *ret_n, same);
    return strcmp(path, same) == 0 ? 0 : -EINVAL;
}

/* As ours are made: letters and digits, so never "..", and no path. */
static bool is_id(const char *id)
{
    size_t n = strnlen(id, CONTACT_ID_MAX);

    return n > 0 && n < CONTACT_ID_MAX && strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") == n;
}

static int open_folder(int at_fd, const char *name)
{
    int fd = openat(at_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

/* Takes the descriptor. */
static int read_folder(int fd, DIR **ret_folder)
{
    *ret_folder = fdopendir(fd);
    if (*ret_folder)
        return 0;
    int r = -errno;
    (void)close(fd);
    return r;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* --- room */

static uint64_t free_bytes(const struct media_store *store)
{
    struct statvfs fs;

    return fstatvfs(store->fd, &fs) < 0 ? 0 : (uint64_t)fs.f_bavail * fs.f_frsize;
}

int media_store_room(struct media_store *store)
{
    return store->n_bytes >= store->limits.bytes_max || free_bytes(store) < store->limits.free_bytes_min ? -ENOSPC : 0;
}

void media_store_stats(struct media_store *store, struct media_store_stats *ret_stats)
{
    *ret_stats = (struct media_store_stats){
        .n_bytes = store->n_bytes,
        .bytes_max = store->limits.bytes_max,
        .free_bytes = free_bytes(store),
        .free_bytes_min = store->limits.free_bytes_min,
        .is_full = media_store_room(store) < 0,
    };
}

/* --- writing */

static int make_folder(struct media_store *store, const char *message_id)
{
    if (mkdirat(store->fd, message_id, 0750) < 0)
        return errno == EEXIST ? 0 : -errno;
    return fsync(store->fd) < 0 ? -errno : 0;
}

int media_file_new(struct media_store *store, const char *message_id, unsigned n, uint64_t size_max, struct media_file **ret_file)
{
    scoped(media_file_free) struct media_file *file = NULL;
    int r = is_id(message_id) ? media_store_room(store) : -EINVAL;

    if (r == 0)
        r = make_folder(store, message_id);
    if (r < 0)
        return r;
    file = calloc(1, sizeof(*file));
    if (!file)
        return -ENOMEM;
    file->store = store;
    (void)snprintf(file->message_id, sizeof(file->message_id), "%s", message_id);
    file->size_max = size_max;
    file->fd = -1;
    (void)snprintf(file->name, sizeof(file->name), "%u", n);
    (void)snprintf(file->part, sizeof(file->part), "%s%s", file->name, part_end);
    file->folder_fd = open_folder(store->fd, message_id);
    if (file->folder_fd < 0)
        return file->folder_fd;
    file->fd = openat(file->folder_fd, file->part, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (file->fd < 0)
        return -errno;
    file->hash = EVP_MD_CTX_new();
    if (!file->hash || !EVP_DigestInit_ex(file->hash, EVP_sha256(), NULL))
        return -ENOMEM;
    *ret_file = steal(&file);
    return 0;
}

static int check_room(struct media_file *file, size_t n_bytes)
{
    struct media_store *store = file->store;

    if (n_bytes > file->size_max - file->n_bytes)
        return -EFBIG;
    if (store->n_bytes + file->n_bytes + n_bytes > store->limits.bytes_max)
        return -ENOSPC;
    file->n_unchecked += n_bytes;
    if (file->n_unchecked < CHECK_EVERY)
        return 0;
    file->n_unchecked = 0;
    return free_bytes(store) < store->limits.free_bytes_min ? -ENOSPC : 0;
}

int media_file_write(struct media_file *file, const void *bytes, size_t n_bytes)
{
    int r = check_room(file, n_bytes);

    if (r < 0)
        return r;
    if (!EVP_DigestUpdate(file->hash, bytes, n_bytes))
        return -EIO;
    for (size_t at = 0; at < n_bytes;) {
        ssize_t n = write(file->fd, (const char *)bytes + at, n_bytes - at);
        if (n < 0 && errno != EINTR)
            return -errno;
        at += n > 0 ? (size_t)n : 0;
    }
    file->n_bytes += n_bytes;
    return 0;
}

static uint64_t size_of(int folder_fd, const char *name)
{
    struct stat st;

    return fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

int media_file_keep(struct media_file *file, struct media_kept *ret_kept)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    struct media_kept kept = { .n_bytes = file->n_bytes };

    if (!EVP_DigestFinal_ex(file->hash, hash, NULL))
        return -EIO;
    for (size_t i = 0; i < MEDIA_SHA256_MAX / 2; i++)
        (void)snprintf(kept.sha256 + 2 * i, 3, "%02x", hash[i]);
    uint64_t n_before = size_of(file->folder_fd, file->name);
    if (fsync(file->fd) < 0 || renameat(file->folder_fd, file->part, file->folder_fd, file->name) < 0)
        return -errno;
    file->is_kept = true;
    file->store->n_bytes += file->n_bytes - n_before;
    if (fsync(file->folder_fd) < 0)
        return -errno;
    *ret_kept = kept;
    return 0;
}

int media_file_fd(const struct media_file *file)
{
    return file->fd;
}

void media_file_free(struct media_file *file)
{
    if (!file)
        return;
    if (file->fd >= 0 && !file->is_kept) {
        (void)unlinkat(file->folder_fd, file->part, 0);
        (void)unlinkat(file->store->fd, file->message_id, AT_REMOVEDIR); /* unless another file is in it */
    }
    if (file->fd >= 0)
        (void)close(file->fd);
    if (file->folder_fd >= 0)
        (void)close(file->folder_fd);
    EVP_MD_CTX_free(file->hash);
    free(file);
}

/* --- what is kept */

int media_store_fd(struct media_store *store, const char *message_id, unsigned n)
{
    char path[MEDIA_PATH_MAX];

    if (!is_id(message_id))
        return -EINVAL;
    scoped(close) int folder_fd = open_folder(store->fd, message_id);
    if (folder_fd < 0)
        return folder_fd;
    (void)snprintf(path, sizeof(path), "%u", n);
    int fd = openat(folder_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Calls fn for each file of a message. Errors: those of fn. */
static int each_file(struct media_store *store, const char *message_id, int (*fn)(int folder_fd, const char *name, void *arg), void *arg)
{
    scoped(closedir) DIR *folder = NULL;
    int fd = is_id(message_id) ? open_folder(store->fd, message_id) : -EINVAL;
    int r = fd < 0 ? fd : read_folder(fd, &folder);

    while (r == 0) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (!entry)
            return -errno;
        if (!is_dots(entry->d_name))
            r = fn(dirfd(folder), entry->d_name, arg);
    }
    return r;
}

struct numbers {
    unsigned *list;
    size_t n, max;
};

static int take_number(int folder_fd, const char *name, void *arg)
{
    struct numbers *numbers = arg;
    size_t at = numbers->n < numbers->max ? numbers->n : numbers->max;

    if (strspn(name, "0123456789") != strlen(name))
        return 0;
    unsigned number = (unsigned)strtoul(name, NULL, 10);
    numbers->n++;
    while (at > 0 && numbers->list[at - 1] > number) {
        if (at < numbers->max)
            numbers->list[at] = numbers->list[at - 1];
        at--;
    }
    if (at < numbers->max)
        numbers->list[at] = number;
    return 0;
}

int media_store_list(struct media_store *store, const char *message_id, unsigned *ret_numbers, size_t max)
{
    struct numbers numbers = { .list = ret_numbers, .max = max };
    int r = each_file(store, message_id, take_number, &numbers);

    return r < 0 && r != -ENOENT ? r : (int)numbers.n;
}

static int add_size(int folder_fd, const char *name, void *arg)
{
    *(uint64_t *)arg += strstr(name, part_end) ? 0 : size_of(folder_fd, name);
    return 0;
}

static int remove_file(int folder_fd, const char *name, void *arg)
{
    int r = add_size(folder_fd, name, arg);

    return r < 0 || unlinkat(folder_fd, name, 0) == 0 || errno == ENOENT ? r : -errno;
}

int media_store_erase(struct media_store *store, const char *message_id)
{
    uint64_t n_gone = 0;
    int r = each_file(store, message_id, remove_file, &n_gone);

    store->n_bytes -= n_gone;
    if (r == -ENOENT)
        return 0;
    if (r == 0 && unlinkat(store->fd, message_id, AT_REMOVEDIR) < 0 && errno != ENOENT)
        r = -errno;
    if (r == 0 && fsync(store->fd) < 0)
        r = -errno;
    return r;
}

/* --- all of them */

/* fn for each folder; what is no id of a message is not ours, and stays. */
static int each_message(struct media_store *store, int (*fn)(struct media_store *store, const char *message_id, void *arg), void *arg)
{
    scoped(closedir) DIR *folder = NULL;
    int fd = open_folder(store->fd, ".");
    int r = fd < 0 ? fd : read_folder(fd, &folder);

    while (r == 0) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (!entry)
            return -errno;
        if (is_id(entry->d_name))
            r = fn(store, entry->d_name, arg);
    }
    return r;
}

static int count_message(struct media_store *store, const char *message_id, void *arg)
{
    uint64_t n_bytes = 0;
    int r = each_file(store, message_id, add_size, &n_bytes);

    store->n_bytes += n_bytes;
    return r == -ENOTDIR || r == -ENOENT || r == -ELOOP ? 0 : r;
}

struct sweep {
    int (*is_known)(void *user, const char *message_id);
    void *user;
    int n_gone;
};

static int sweep_message(struct media_store *store, const char *message_id, void *arg)
{
    struct sweep *sweep = arg;
    int r = sweep->is_known(sweep->user, message_id);

    if (r != 0)
        return r < 0 ? r : 0;
    r = media_store_erase(store, message_id);
    sweep->n_gone += r == 0;
    return r;
}

int media_store_sweep(struct media_store *store, int (*is_known)(void *user, const char *message_id), void *user)
{
    struct sweep sweep = { .is_known = is_known, .user = user };
    int r = each_message(store, sweep_message, &sweep);

    return r < 0 ? r : sweep.n_gone;
}

int media_store_open(const char *state_dir, const struct media_limits *limits, struct media_store **ret_store)
{
    scoped(media_store_close) struct media_store *store = calloc(1, sizeof(*store));
    scoped(free) char *path = NULL;

    if (!store)
        return -ENOMEM;
    store->fd = -1;
    store->limits = *limits;
    if (asprintf(&path, "%s/media", state_dir) < 0)
        return -ENOMEM;
    int r = file_make_folder(path);
    if (r == 0)
        store->fd = r = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r < 0)
        return store->fd < 0 && r == -1 ? -errno : r;
    r = each_message(store, count_message, NULL);
    if (r == 0)
        *ret_store = steal(&store);
    return r;
}

void media_store_close(struct media_store *store)
{
    if (!store)
        return;
    if (store->fd >= 0)
        (void)close(store->fd);
    free(store);
}
