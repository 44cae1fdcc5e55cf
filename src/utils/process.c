/*
 * process.c - run another program
 *
 * Its input lies in a memory file, so there is nobody to feed it and no broken pipe. Its output is
 * read from a pipe until the end; then it has until the deadline to exit. The group is killed
 * before the leader is reaped, since until then nobody else can have got its number.
 */
#include "utils/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "utils/clock.h"
#include "utils/scoped.h"

enum { CHUNK = 64 * KIB };

struct output {
    char *bytes;
    size_t n, room, max;
};

static int input_make(const char *in, size_t n, int *ret_fd)
{
    scoped(close) int fd = memfd_create("input", MFD_CLOEXEC);

    if (fd < 0)
        return -errno;
    while (n > 0) {
        ssize_t put = write(fd, in, n);
        if (put < 0)
            return -errno;
        in += put;
        n -= (size_t)put;
    }
    if (lseek(fd, 0, SEEK_SET) < 0)
        return -errno;
    *ret_fd = fd;
    fd = -1;
    return 0;
}

static int spawn_with(const struct process *process, int in, int out,
                      posix_spawn_file_actions_t *files, posix_spawnattr_t *how, pid_t *ret_pid)
{
    sigset_t none, all;
    int r;

    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    if ((r = posix_spawn_file_actions_adddup2(files, in, STDIN_FILENO)) ||
        (r = posix_spawn_file_actions_adddup2(files, out, STDOUT_FILENO)) ||
        (r = posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1)) ||
        (r = posix_spawnattr_setpgroup(how, 0)) || (r = posix_spawnattr_setsigmask(how, &none)) ||
        (r = posix_spawnattr_setsigdefault(how, &all)) ||
        (r = posix_spawnattr_setflags(how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                               POSIX_SPAWN_SETSIGDEF)))
        return -r;
    return -posix_spawn(ret_pid, process->argv[0], files, how, (char *const *)process->argv,
                        (char *const *)process->environment);
}

static int process_start(const struct process *process, int in, int out, pid_t *ret_pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    int r = -posix_spawn_file_actions_init(&files);

    if (r < 0)
        return r;
    r = -posix_spawnattr_init(&how);
    if (r == 0) {
        r = spawn_with(process, in, out, &files, &how, ret_pid);
        (void)posix_spawnattr_destroy(&how);
    }
    (void)posix_spawn_file_actions_destroy(&files);
    return r;
}

/* Returns: 1 readable (or ended), -ETIMEDOUT, -errno. */
static int wait_until(int fd, uint64_t deadline_ms)
{
    for (;;) {
        uint64_t now_ms = clock_mono_ms();
        struct pollfd readable = { .fd = fd, .events = POLLIN };
        int r = poll(&readable, 1, deadline_ms > now_ms ? (int)(deadline_ms - now_ms) : 0);
        if (r > 0)
            return 1;
        if (r == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

/* Returns: 1 there is more, 0 the end. */
static int output_read(struct output *output, int fd)
{
    if (output->n == output->room) {
        char *bytes = realloc(output->bytes, output->room + CHUNK);
        if (!bytes)
            return -ENOMEM;
        output->bytes = bytes;
        output->room += CHUNK;
    }
    ssize_t got = read(fd, output->bytes + output->n, output->room - output->n);
    if (got < 0)
        return errno == EINTR ? 1 : -errno;
    output->n += (size_t)got;
    return output->n > output->max ? -EFBIG : got > 0;
}

static int process_watch(int out, int pidfd, uint64_t deadline_ms, struct output *output)
{
    int r;

    do {
        r = wait_until(out, deadline_ms);
        if (r > 0)
            r = output_read(output, out);
    } while (r > 0);
    return r < 0 ? r : wait_until(pidfd, deadline_ms);
}

static int process_reap(pid_t pid)
{
    int status;

    (void)kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

int process_run(const struct process *process, char **ret_out, size_t *ret_n)
{
    uint64_t deadline_ms = clock_mono_ms() + process->deadline_ms;
    scoped(close) int in = -1, out_read = -1, out_write = -1, pidfd = -1;
    struct output output = { .max = process->out_max };
    int ends[2];
    pid_t pid;

    int r = input_make(process->in, process->n_in, &in);
    if (r < 0)
        return r;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    out_read = ends[0];
    out_write = ends[1];
    r = process_start(process, in, out_write, &pid);
    if (r < 0)
        return r;
    (void)close(out_write);
    out_write = -1;

    pidfd = pidfd_open(pid, 0);
    r = pidfd < 0 ? -errno : process_watch(out_read, pidfd, deadline_ms, &output);
    int status = process_reap(pid);
    r = r < 0 ? r : status;
    if (r < 0) {
        free(output.bytes);
        return r;
    }
    *ret_out = output.bytes;
    *ret_n = output.n;
    return 0;
}
