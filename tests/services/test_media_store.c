/*
 * test_media_store.c - files of messages: whole or not there, bounded, and gone when they are erased
 */
#include "services/media_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "scratch.h"
#include "tap.h"

static const struct media_limits wide = { .bytes_max = 1024 * (uint64_t)MIB };

/* That of "hello". */
static const char hello_sha256[] = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

static int keep(struct media_store *store, const char *id, unsigned n, const char *text, uint64_t max, struct media_kept *ret_kept)
{
    scoped(media_file_free) struct media_file *file = NULL;
    int r = media_file_new(store, id, n, max, &file);

    for (const char *c = text; r == 0 && *c; c++)
        r = media_file_write(file, c, 1);
    return r < 0 ? r : media_file_keep(file, ret_kept);
}

static bool is_there(const char *path)
{
    struct stat st;

    return stat(scratch_file(path), &st) == 0;
}

static void test_keep(void)
{
    scoped(media_store_close) struct media_store *store = NULL;
    struct media_kept kept = { 0 };
    char bytes[16] = "", path[MEDIA_PATH_MAX];
    unsigned numbers[2] = { 99, 99 };

    is_int(media_store_open(scratch(), &wide, &store), 0, "a store is opened");
    is_int(keep(store, "M1", 2, "hello", 5, &kept), 0, "a file is kept, as long as it may be");
    is_int((int)kept.n_bytes, 5, "of so many bytes");
    is_str(kept.sha256, hello_sha256, "of this hash");
    scoped(close) int fd = media_store_fd(store, "M1", 2);
    is_int(read(fd, bytes, sizeof(bytes)), 5, "it can be read");
    is_str(bytes, "hello", "as it was written");
    media_path("M1", 2, path);
    is_str(path, "media/M1/2", "and is where it is said to be");
    ok(is_there(path), "there");
    is_int(media_store_fd(store, "M1", 0), -ENOENT, "another one is not");
    (void)keep(store, "M1", 0, "x", 5, &kept);
    (void)keep(store, "M1", 1, "x", 5, &kept);
    is_int(media_store_list(store, "M1", numbers, 2), 3, "a message has three");
    ok(numbers[0] == 0 && numbers[1] == 1, "of which the first are listed");
    is_int(media_store_list(store, "M2", numbers, 2), 0, "another has none");
}

static void test_limits(void)
{
    scoped(media_store_close) struct media_store *store = NULL;
    struct media_limits limits = { .bytes_max = 12 };
    struct media_store_stats stats;
    struct media_kept kept;

    (void)media_store_open(scratch(), &limits, &store);
    media_store_stats(store, &stats);
    is_int((int)stats.n_bytes, 7, "what was there is counted");
    is_int(keep(store, "M2", 0, "123456", 5, &kept), -EFBIG, "what is too long is not kept");
    ok(!is_there("media/M2/0") && !is_there("media/M2/0.part"), "and leaves nothing");
    is_int(keep(store, "M2", 0, "123456", 9, &kept), -ENOSPC, "nor what there is no room for");
    is_int(keep(store, "M2", 0, "12345", 9, &kept), 0, "up to the limit there is");
    is_int(media_store_room(store), -ENOSPC, "then there is none");
    is_int(keep(store, "M3", 0, "1", 9, &kept), -ENOSPC, "for nobody");
    is_int(keep(store, "M2", 0, "123", 9, &kept), -ENOSPC, "not even for a shorter one in its place");
    is_int(media_store_erase(store, "M2"), 0, "until one is erased");
    is_int(media_store_room(store), 0, "then there is room");
    ok(!is_there("media/M2"), "and the folder has gone");
    is_int(media_store_erase(store, "M2"), 0, "which may be asked for twice");
    limits = (struct media_limits){ .bytes_max = 100, .free_bytes_min = UINT64_MAX };
    scoped(media_store_close) struct media_store *floor = NULL;
    (void)media_store_open(scratch(), &limits, &floor);
    is_int(media_store_room(floor), -ENOSPC, "nor is there when others need what is free");
}

static void test_names(void)
{
    static const char *const wrong[] = { "", "..", ".", "../M1", "M/1", "MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM" };
    scoped(media_store_close) struct media_store *store = NULL;
    struct media_kept kept;
    unsigned number;

    (void)media_store_open(scratch(), &wide, &store);
    for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
        ok(keep(store, wrong[i], 0, "x", 9, &kept) == -EINVAL && media_store_fd(store, wrong[i], 0) == -EINVAL &&
               media_store_erase(store, wrong[i]) == -EINVAL && media_store_list(store, wrong[i], &number, 1) == -EINVAL,
           "no message is called \"%s\"", wrong[i]);
    }
    ok(symlink("/etc", scratch_file("media/M9")) == 0 && media_store_fd(store, "M9", 0) < 0, "a link is not followed");
    is_int(keep(store, "M9", 0, "x", 9, &kept), -ENOTDIR, "nor written through");
    ok(unlink(scratch_file("media/M9")) == 0, "(away with it)");
}

static int is_known(void *user, const char *message_id)
{
    return strcmp(message_id, user) == 0;
}

static void test_left_over(void)
{
    scoped(media_store_close) struct media_store *store = NULL;
    struct media_file *file = NULL;
    struct media_store_stats stats;
    struct media_kept kept;

    (void)media_store_open(scratch(), &wide, &store);
    if (fork() == 0) { /* a daemon that dies in the middle of one */
        (void)media_file_new(store, "M1", 7, 99, &file);
        (void)media_file_write(file, "half of it", 10);
        _exit(0);
    }
    (void)wait(NULL);
    ok(is_there("media/M1/7.part") && !is_there("media/M1/7"), "what a dead daemon left is no file");
    is_int(keep(store, "M1", 7, "whole", 99, &kept), 0, "the next attempt begins anew");
    ok(kept.n_bytes == 5 && !is_there("media/M1/7.part"), "and is all there is");
    (void)keep(store, "M4", 0, "nobody's", 99, &kept);
    is_int(media_store_sweep(store, is_known, (void *)"M1"), 1, "what belongs to no message goes");
    ok(is_there("media/M1/2") && !is_there("media/M4"), "and nothing else");
    media_store_stats(store, &stats);
    is_int((int)stats.n_bytes, 12, "and it is counted");
}

/* A file system of its own, so that the disk is really full. */
static void test_full_disk(void)
{
    scoped(media_store_close) struct media_store *store = NULL;
    scoped(media_file_free) struct media_file *file = NULL;
    static char block[64 * KIB];
    const char *path = scratch_file("small");
    int r = 0;

    if (mkdir(path, 0700) < 0 || mount("tmpfs", path, "tmpfs", 0, "size=256k") < 0) {
        skip("a full disk: mounting one needs root");
        return;
    }
    (void)media_store_open(path, &wide, &store);
    is_int(media_file_new(store, "M1", 0, MIB, &file), 0, "on a small disk a file is begun");
    for (int i = 0; i < 16 && r == 0; i++)
        r = media_file_write(file, block, sizeof(block));
    is_int(r, -ENOSPC, "the disk is full");
    media_file_free(steal(&file));
    is_int(media_file_new(store, "M1", 0, MIB, &file), 0, "nothing of it stays, so that another one");
    is_int(media_file_write(file, block, sizeof(block)), 0, "has room");
    media_file_free(steal(&file));
    media_store_close(steal(&store));
    ok(umount(path) == 0, "(the disk goes)");
}

static void test_unwritable(void)
{
    scoped(media_store_close) struct media_store *store = NULL;
    int fd = open(scratch_file("file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    ok(fd >= 0 && close(fd) == 0, "(a file)");
    is_int(media_store_open(scratch_file("file"), &wide, &store), -ENOTDIR, "a STATE_DIR that is a file is refused");
    if (geteuid() == 0 && mkdir(scratch_file("locked"), 0700) == 0 && fork() == 0) {
        (void)!seteuid(65534);
        _exit(media_store_open(scratch_file("locked"), &wide, &store) == -EACCES ? 7 : 0);
    }
    int status = 0;
    if (wait(&status) > 0)
        is_int(WEXITSTATUS(status), 7, "so is one that we may not write to");
    else
        skip("a folder that may not be written to: only root can become somebody else");
}

int main(void)
{
    test_keep();
    test_limits();
    test_names();
    test_left_over();
    test_full_disk();
    test_unwritable();
    return done_testing();
}
