/*
 * tts_cache.c - rendered speech on disk
 *
 *     <folder>/speech/<2 hex>/<64 hex>.ulaw      SHA-256 of all that the sound depends on
 *
 *     0   8 bytes   "ALSPEECH"
 *     8   u32       bytes of audio, little-endian
 *     12  u32       their CRC-32
 *     16            mu-law at 8000 Hz
 *
 * A file appears under its name by rename() only. It is not synced: a crash may leave it short or
 * full of zeros, which the CRC tells, and then it is rendered again. What is read is touched, so
 * that the times of modification say what was not used for longest: when the sum passes the limit,
 * the oldest files go until three quarters of it are left. Whatever else lies there (a temporary
 * file of a crash) grows old and goes the same way.
 */
#include "services/tts_cache.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <zlib.h>

#include "utils/file.h"

enum {
    HASH_SIZE = 32,
    FILE_MAX = 16 * MIB,
    NAME_ROOM = 96,
    RENDERING_VERSION = 1 /* of trimming and levelling in tts.c */
};

struct header {
    char magic[8];
    uint32_t n, crc;
};

static const char magic[8] = { 'A', 'L', 'S', 'P', 'E', 'E', 'C', 'H' };

struct tts_cache {
    char *folder;
    uint64_t max;
    pthread_mutex_t lock; /* of what follows, and one sweep at a time */
    uint64_t size;
};

struct entry {
    char name[NAME_ROOM]; /* below the folder */
    uint64_t size;
    struct timespec used;
};

struct entries {
    struct entry *all;
    size_t n, room;
};

static int entry_add(struct entries *entries, const char *folder, const char *part,
                     const char *name)
{
    struct entry entry = { 0 };
    char path[4096];
    struct stat st;

    if ((size_t)snprintf(entry.name, sizeof(entry.name), "%s/%s", part, name) >=
            sizeof(entry.name) ||
        (size_t)snprintf(path, sizeof(path), "%s/%s", folder, entry.name) >= sizeof(path))
        return 0; /* none of ours */
    if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return 0;
    if (entries->n == entries->room) {
        size_t room = entries->room ? 2 * entries->room : 64;
        struct entry *all = realloc(entries->all, room * sizeof(*all));
        if (!all)
            return -ENOMEM;
        entries->all = all;
        entries->room = room;
    }
    entry.size = (uint64_t)st.st_size;
    entry.used = st.st_mtim;
    entries->all[entries->n++] = entry;
    return 0;
}

static int entries_find(const char *folder, struct entries *entries)
{
    for (unsigned i = 0; i < 256; i++) {
        char part[4], path[4096];
        struct dirent *found;
        int r = 0;

        (void)snprintf(part, sizeof(part), "%02x", i);
        if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, part) >= sizeof(path))
            return -ENAMETOOLONG;
        DIR *dir = opendir(path);
        if (!dir)
            continue;
        while (r == 0 && (found = readdir(dir)))
            r = entry_add(entries, folder, part, found->d_name);
        (void)closedir(dir);
        if (r < 0)
            return r;
    }
    return 0;
}

static int by_age(const void *a, const void *b)
{
    const struct timespec *x = &((const struct entry *)a)->used,
                          *y = &((const struct entry *)b)->used;

    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? -1 : 1;
    return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

/* Under the lock: measure what is there, and take the oldest away if it is too much. */
static int sweep(struct tts_cache *cache)
{
    struct entries entries = { 0 };
    int r = entries_find(cache->folder, &entries);

    cache->size = 0;
    for (size_t i = 0; i < entries.n; i++)
        cache->size += entries.all[i].size;
    if (entries.n && cache->size > cache->max) {
        qsort(entries.all, entries.n, sizeof(*entries.all), by_age);
        for (size_t i = 0; i < entries.n && cache->size > cache->max / 4 * 3; i++) {
            char path[4096];
            (void)snprintf(path, sizeof(path), "%s/%s", cache->folder, entries.all[i].name);
            if (unlink(path) == 0)
                cache->size -= entries.all[i].size;
        }
    }
    free(entries.all);
    return r;
}

int tts_cache_open(const char *folder, uint64_t max, struct tts_cache **ret_cache)
{
    scoped(tts_cache_close) struct tts_cache *cache = calloc(1, sizeof(*cache));

    if (!cache)
        return -ENOMEM;
    (void)pthread_mutex_init(&cache->lock, NULL);
    cache->max = max;
    if (asprintf(&cache->folder, "%s/speech", folder) < 0) {
        cache->folder = NULL;
        return -ENOMEM;
    }
    int r = file_make_folder(cache->folder);
    if (r < 0)
        return r;
    r = sweep(cache);
    if (r < 0)
        return r;
    *ret_cache = steal(&cache);
    return 0;
}

void tts_cache_close(struct tts_cache *cache)
{
    if (!cache)
        return;
    (void)pthread_mutex_destroy(&cache->lock);
    free(cache->folder);
    free(cache);
}

uint64_t tts_cache_size(struct tts_cache *cache)
{
    (void)pthread_mutex_lock(&cache->lock);
    uint64_t size = cache->size;
    (void)pthread_mutex_unlock(&cache->lock);
    return size;
}

static bool hash_key(const struct tts_key *key, uint8_t ret_hash[HASH_SIZE])
{
    const char *const parts[] = { key->engine, key->identity, key->language, key->text };
    const uint8_t version = RENDERING_VERSION;
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    bool done =
        hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) && EVP_DigestUpdate(hash, &version, 1);

    for (size_t i = 0; i < ELEMENTSOF(parts); i++)
        done =
            done && EVP_DigestUpdate(hash, parts[i], strlen(parts[i]) + 1); /* the NUL parts them */
    done = done && EVP_DigestFinal_ex(hash, ret_hash, NULL);
    EVP_MD_CTX_free(hash);
    return done;
}

/* The file of a key, and where the name of its folder ends. */
static int path_of(const struct tts_cache *cache, const struct tts_key *key, char *ret_path,
                   size_t size, size_t *ret_n_folder)
{
    uint8_t hash[HASH_SIZE];
    char hex[2 * HASH_SIZE + 1];

    if (!hash_key(key, hash))
        return -EIO;
    for (size_t i = 0; i < HASH_SIZE; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    *ret_n_folder = strlen(cache->folder) + 3;
    if ((size_t)snprintf(ret_path, size, "%s/%.2s/%s.ulaw", cache->folder, hex, hex) >= size)
        return -ENAMETOOLONG;
    return 0;
}

static uint32_t crc_of(const uint8_t *bytes, size_t n)
{
    return (uint32_t)crc32(crc32(0, NULL, 0), bytes, (uInt)n);
}

int tts_cache_get(struct tts_cache *cache, const struct tts_key *key, struct clip **ret_clip)
{
    char path[4096];
    struct header header;
    scoped(free) char *bytes = NULL;
    size_t n_folder, n;

    int r = path_of(cache, key, path, sizeof(path), &n_folder);
    if (r < 0)
        return r;
    r = file_read(path, O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, FILE_MAX, &bytes, &n);
    if (r < 0)
        return r == -ENOMEM ? r : -ENOENT;
    if (n < sizeof(header))
        return -ENOENT;
    memcpy(&header, bytes, sizeof(header));
    if (memcmp(header.magic, magic, sizeof(magic)) != 0 ||
        le32toh(header.n) != n - sizeof(header) ||
        le32toh(header.crc) != crc_of((uint8_t *)bytes + sizeof(header), n - sizeof(header)))
        return -ENOENT;

    struct clip *clip = clip_new(n - sizeof(header));
    if (!clip)
        return -ENOMEM;
    memcpy(clip->ulaw, bytes + sizeof(header), clip->n);
    (void)utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW);
    *ret_clip = clip;
    return 0;
}

static int write_whole(const char *path, const struct header *header, const struct clip *clip)
{
    char temporary[4096 + 8];

    (void)snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    FILE *file = fdopen(fd, "w");
    if (!file) {
        (void)close(fd);
        (void)unlink(temporary);
        return -ENOMEM;
    }
    bool done = fwrite(header, sizeof(*header), 1, file) == 1 &&
                (clip->n == 0 || fwrite(clip->ulaw, clip->n, 1, file) == 1);
    done = fclose(file) == 0 && done;
    if (done && rename(temporary, path) == 0)
        return 0;
    int r = errno ? -errno : -EIO;
    (void)unlink(temporary);
    return r;
}

int tts_cache_put(struct tts_cache *cache, const struct tts_key *key, const struct clip *clip)
{
    char path[4096];
    size_t n_folder;

    if (clip->n > FILE_MAX - sizeof(struct header))
        return -EFBIG;
    struct header header = { .n = htole32((uint32_t)clip->n),
                             .crc = htole32(crc_of(clip->ulaw, clip->n)) };
    memcpy(header.magic, magic, sizeof(magic));

    int r = path_of(cache, key, path, sizeof(path), &n_folder);
    if (r < 0)
        return r;
    path[n_folder] = '\0';
    if (mkdir(path, 0750) < 0 && errno != EEXIST)
        return -errno;
    path[n_folder] = '/';
    r = write_whole(path, &header, clip);
    if (r < 0)
        return r;

    (void)pthread_mutex_lock(&cache->lock);
    cache->size += sizeof(header) + clip->n;
    if (cache->size > cache->max)
        r = sweep(cache);
    (void)pthread_mutex_unlock(&cache->lock);
    return r;
}
