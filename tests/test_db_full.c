/*
 * test_db_full.c - a full disk is told, loses nothing, and is recovered from
 *
 * On a file system of 4 MiB in a mount name space of our own, which takes root.
 */
#include "db.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "scratch.h"
#include "tap.h"

enum { VALUE_BYTES = 16 * KIB, FILLER_BYTES = MIB, WRITES_MAX = 1000, READERS = 64 };

struct write {
    struct db_op op;
    int n;
};

static struct db *db;

static struct db_bytes key_of(const int *n)
{
    return (struct db_bytes){ n, sizeof(*n) };
}

static int run(struct db_txn *txn, struct db_op *op)
{
    static const char value[VALUE_BYTES] = { 1 };

    return db_put(txn, DB_MESSAGES, key_of(&((struct write *)op)->n), (struct db_bytes){ value, sizeof(value) });
}

static int write_one(int n)
{
    struct write write = { .op.run = run, .n = n };

    return db_write(db, &write.op);
}

/* How many of the first n are there. */
static int n_there(int n)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct db_bytes value;
    int there = 0;

    if (db_read_begin(db, &txn) < 0)
        return -1;
    for (int i = 0; i < n; i++)
        there += db_get(txn, DB_MESSAGES, key_of(&i), &value) == 0 && value.n == VALUE_BYTES;
    return there;
}

static int small_disk(const char *path)
{
    if (mkdir(path, 0700) < 0 || unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;
    return mount("tmpfs", path, "tmpfs", 0, "size=4m,mode=0700") < 0 ? -errno : 0;
}

static int make_filler(const char *path)
{
    static const char bytes[FILLER_BYTES] = { 1 };
    scoped(close) int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    return fd >= 0 && write(fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes) ? 0 : -EIO;
}

/* Another process that reads when it is told to, as the command line does beside the daemon. */
static pid_t start_reader(const char *path, int *ret_go)
{
    struct db_options options = { .path = path, .read_only = true };
    int fds[2];
    pid_t pid;
    char c;

    if (pipe(fds) < 0 || (pid = fork()) < 0)
        return -1;
    *ret_go = fds[1];
    if (pid > 0) {
        close(fds[0]);
        return pid;
    }
    close(fds[1]);
    if (read(fds[0], &c, 1) != 1)
        _exit(3);
    _exit(db_open(&options, &db) < 0 ? 1 : n_there(1) == 1 ? 0 : 2);
}

static void fill(const char *path)
{
    struct db_options options = { .path = path, .map_mib = 1 };
    const char *filler = scratch_file("disk/filler");
    struct db_txn *txns[READERS];
    int n = 0, r = 0, n_readers = 0, go = -1, status;
    pid_t reader = start_reader(path, &go);

    is_int(make_filler(filler), 0, "a file takes part of the disk");
    if (!ok(db_open(&options, &db) == 0, "a store on a small disk"))
        return;
    while (n < WRITES_MAX && (r = write_one(n)) == 0)
        n++;
    is_int(r, -ENOSPC, "a full disk is told as what it is");
    ok(n > 50, "after %d writes", n);
    is_int(n_there(n), n, "which all can be read");
    is_int(n_there(n + 1), n, "and the refused one is not there");
    is_int(write_one(n), -ENOSPC, "another write is refused as well");

    while (n_readers < READERS && db_read_begin(db, &txns[n_readers]) == 0)
        n_readers++;
    is_int(n_readers, READERS, "as many readers as there can be read from a full disk");
    while (n_readers > 0)
        db_read_end(txns[--n_readers]);
    ok(write(go, "x", 1) == 1 && waitpid(reader, &status, 0) == reader && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0,
       "so does another process");
    close(go);

    is_int(unlink(filler), 0, "room is made");
    is_int(write_one(n), 0, "and the writer goes on");
    is_int(n_there(n + 1), n + 1, "with nothing lost");
    db_close(db);
    is_int(db_open(&options, &db), 0, "the store opens again");
    is_int(n_there(n + 1), n + 1, "with everything in it");
    db_close(db);
}

static void cannot_begin(void)
{
    struct db_options options = { .path = scratch_file("disk/second"), .map_mib = 1 };
    char name[32];
    int r = 0;

    for (int i = 0; r == 0; i++) {
        snprintf(name, sizeof(name), "disk/filler%d", i);
        r = make_filler(scratch_file(name));
    }
    is_int(db_open(&options, &db), -ENOSPC, "no store can be made on a full disk");
}

int main(void)
{
    int r;

    (void)signal(SIGPIPE, SIG_IGN);
    r = small_disk(scratch_file("disk"));
    if (r < 0) {
        skip("THE FULL DISK WAS NOT TRIED: mounting a small one failed (%s); run this test as root", strerror(-r));
        return done_testing();
    }
    fill(scratch_file("disk/store"));
    cannot_begin();
    if (umount(scratch_file("disk")) < 0)
        printf("# cannot unmount: %s\n", strerror(errno));
    return done_testing();
}
