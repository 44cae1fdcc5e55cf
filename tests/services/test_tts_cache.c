/*
 * test_tts_cache.c - what was rendered is found again, damage is not, and the oldest makes room
 */
#include "services/tts_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "scratch.h"
#include "tap.h"

enum { HEADER = 16 };

static const struct tts_key hello = { "flite", "rms 2.2", "en", "hello" };

static const struct {
    const char *what;
    struct tts_key key;
} others[] = {
    { "another text", { "flite", "rms 2.2", "en", "hell" } },
    { "another language", { "flite", "rms 2.2", "he", "hello" } },
    { "another voice", { "flite", "slt 2.2", "en", "hello" } },
    { "another engine", { "command", "rms 2.2", "en", "hello" } },
    { "the same letters parted elsewhere", { "flite", "rms 2.2e", "n", "hello" } },
};

static struct clip *clip_of(size_t n, uint8_t first)
{
    struct clip *clip = clip_new(n);

    for (size_t i = 0; clip && i < n; i++)
        clip->ulaw[i] = (uint8_t)(first + i);
    return clip;
}

/* The one file below folder, or "". */
static void only_file(const char *folder, char *ret_path, size_t size)
{
    DIR *parts = opendir(folder);

    ret_path[0] = '\0';
    for (struct dirent *part; parts && (part = readdir(parts));) {
        char path[1024];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, part->d_name);
        DIR *files = part->d_name[0] == '.' ? NULL : opendir(path);
        for (struct dirent *file; files && (file = readdir(files));)
            if (file->d_name[0] != '.')
                (void)snprintf(ret_path, size, "%s/%s", path, file->d_name);
        if (files)
            (void)closedir(files);
    }
    if (parts)
        (void)closedir(parts);
}

static void test_find(void)
{
    scoped(tts_cache_close) struct tts_cache *cache = NULL;
    scoped(clip_unref) struct clip *clip = clip_of(1000, 3), *found = NULL, *empty = clip_new(0),
                                   *none = NULL;

    if (!ok(tts_cache_open(scratch_file("find"), 1 * MIB, &cache) == 0,
            "a cache is made where there is none"))
        return;
    is_int(tts_cache_get(cache, &hello, &none), -ENOENT, "it is empty");
    is_int(tts_cache_put(cache, &hello, clip), 0, "a clip is kept");
    is_int(tts_cache_get(cache, &hello, &found), 0, "and found");
    ok(found && found->n == clip->n && memcmp(found->ulaw, clip->ulaw, clip->n) == 0, "as it was");
    for (size_t i = 0; i < ELEMENTSOF(others); i++)
        is_int(tts_cache_get(cache, &others[i].key, &none), -ENOENT, others[i].what);
    is_int((long long)tts_cache_size(cache), HEADER + 1000, "its size is known");

    scoped(tts_cache_close) struct tts_cache *again = NULL;
    is_int(tts_cache_open(scratch_file("find"), 1 * MIB, &again), 0,
           "a second process opens the same");
    clip_unref(steal(&found));
    is_int(again ? tts_cache_get(again, &hello, &found) : -1, 0, "and finds it");
    is_int(again ? (long long)tts_cache_size(again) : -1, HEADER + 1000, "and its size");

    is_int(tts_cache_put(cache, &others[0].key, empty), 0, "nothing can be kept");
    is_int(tts_cache_get(cache, &others[0].key, &none), 0, "and found");
    is_int(none ? (long long)none->n : -1, 0, "and is still nothing");
}

static const struct {
    const char *what;
    off_t cut; /* to this length; -1 not */
    off_t at;  /* this byte is changed; -1 none */
} damages[] = {
    { "an empty file", 0, -1 },
    { "a header cut short", HEADER - 1, -1 },
    { "a header alone", HEADER, -1 },
    { "audio cut short", HEADER + 999, -1 },
    { "zeros behind it", HEADER + 1001, -1 },
    { "another magic", -1, 0 },
    { "another length", -1, 8 },
    { "a length of gigabytes", -1, 11 },
    { "another checksum", -1, 12 },
    { "another sound", -1, HEADER + 500 },
};

static void test_damage(void)
{
    scoped(tts_cache_close) struct tts_cache *cache = NULL;
    scoped(clip_unref) struct clip *clip = clip_of(1000, 3);
    char path[2048];

    if (!ok(tts_cache_open(scratch_file("damage"), 1 * MIB, &cache) == 0, "a cache to be damaged"))
        return;
    for (size_t i = 0; i < ELEMENTSOF(damages); i++) {
        struct clip *found = NULL;
        uint8_t byte;

        (void)tts_cache_put(cache, &hello, clip);
        only_file(scratch_file("damage/speech"), path, sizeof(path));
        scoped(close) int fd = open(path, O_RDWR | O_CLOEXEC);
        if (damages[i].cut >= 0)
            (void)!ftruncate(fd, damages[i].cut);
        if (damages[i].at >= 0 && pread(fd, &byte, 1, damages[i].at) == 1) {
            byte ^= 0x55;
            (void)!pwrite(fd, &byte, 1, damages[i].at);
        }
        ok(fd >= 0 && tts_cache_get(cache, &hello, &found) == -ENOENT, "not played: %s",
           damages[i].what);
        clip_unref(found);
    }
    struct clip *found = NULL;
    is_int(tts_cache_put(cache, &hello, clip), 0, "rendered again");
    is_int(tts_cache_get(cache, &hello, &found), 0, "it is whole again");
    clip_unref(found);

    only_file(scratch_file("damage/speech"), path, sizeof(path));
    (void)unlink(path);
    (void)!symlink("/dev/zero", path);
    found = NULL;
    is_int(tts_cache_get(cache, &hello, &found), -ENOENT, "a link is not followed");
    (void)unlink(path);
    (void)!mkfifo(path, 0600);
    is_int(tts_cache_get(cache, &hello, &found), -ENOENT, "nor is a FIFO waited for");
}

static void test_room(void)
{
    enum { SIZE = 1000, N = 50, MAX = 10 * (SIZE + HEADER) };
    scoped(tts_cache_close) struct tts_cache *cache = NULL;
    scoped(clip_unref) struct clip *clip = clip_of(SIZE, 0);
    int n_left = 0, over = 0;

    if (!ok(tts_cache_open(scratch_file("room"), MAX, &cache) == 0, "a cache for ten clips"))
        return;
    for (int i = 0; i < N; i++) {
        char text[16];
        struct clip *found = NULL;
        (void)snprintf(text, sizeof(text), "%d", i);
        struct tts_key key = { "e", "v", "en", text };
        (void)tts_cache_put(cache, &key, clip);
        over += tts_cache_size(cache) > MAX;
        (void)tts_cache_get(cache, &(struct tts_key){ "e", "v", "en", "0" },
                            &found); /* used all the time */
        clip_unref(found);
    }
    is_int(over, 0, "fifty clips never take more than there is room for");
    for (int i = 0; i < N; i++) {
        char text[16];
        struct clip *found = NULL;
        (void)snprintf(text, sizeof(text), "%d", i);
        n_left += tts_cache_get(cache, &(struct tts_key){ "e", "v", "en", text }, &found) == 0;
        if (i == 0)
            ok(found != NULL, "what is used all the time stays");
        if (i == N - 1)
            ok(found != NULL, "and what came last");
        clip_unref(found);
    }
    ok(n_left >= 5 && n_left <= 10, "some of the others went: %d are left", n_left);
}

static void test_nowhere(void)
{
    struct tts_cache *cache = NULL;
    FILE *file = fopen(scratch_file("file"), "we");

    if (file)
        (void)fclose(file);
    is_int(tts_cache_open(scratch_file("file/below"), 1 * MIB, &cache), -ENOTDIR, "a file above it");
    is_int(tts_cache_open(scratch_file("file"), 1 * MIB, &cache), -ENOTDIR, "a file in its place");
    tts_cache_close(NULL);
}

int main(void)
{
    test_find();
    test_damage();
    test_room();
    test_nowhere();
    return done_testing();
}
