/*
 * succession.c - starts the process that comes after us
 *
 * fork() and not posix_spawn(), since LISTEN_PID has to hold the child's number: all else is prepared before, and the
 * child does nothing that a process with threads may not do between fork() and execve(). Its descriptors are first copied
 * out of the way and then to their places, since a source may lie where another one has to go.
 *
 * What is executed is the path by which we were started, not /proc/self/exe: a package has put another file there.
 *
 * It is no child of ours: who is between us ends at once, so that process 1 is its parent before anybody is told of it.
 * A main process that is not its child systemd cannot wait for, and therefore kills on `systemctl stop` without having
 * asked it to end. We know it by a descriptor.
 */
#include "succession.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "utils/file.h"
#include "utils/scoped.h"

enum {
    FDS_MAX = LISTENERS_MAX + 2,
    FAR_FD = SD_LISTEN_FDS_START + FDS_MAX,
    ARGUMENTS_MAX = 64 * KIB,
    NAMES_MAX = FDS_MAX * 16,
    PID_DIGITS = 10,
};

static const char predecessor_name[] = "predecessor", lead_name[] = "lead";

/* --- words */

static const char *const words[N_WORDS] = {
    [WORD_READY] = "ready", [WORD_FAILED] = "failed", [WORD_LEAD] = "lead", [WORD_LEADING] = "leading", [WORD_MAIN] = "main",
};

void succession_say(int fd, enum word word, const char *text)
{
    char line[WORD_TEXT_MAX];
    int n = snprintf(line, sizeof(line), "%s %s", words[word], text);

    (void)send(fd, line, n < (int)sizeof(line) ? (size_t)n : sizeof(line) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int succession_hear(int fd, char ret_text[WORD_TEXT_MAX])
{
    char line[WORD_TEXT_MAX];
    ssize_t n;

    while ((n = recv(fd, line, sizeof(line) - 1, MSG_DONTWAIT)) > 0) {
        line[n] = '\0';
        size_t n_word = strcspn(line, " ");
        for (int i = 0; i < N_WORDS; i++)
            if (strlen(words[i]) == n_word && strncmp(words[i], line, n_word) == 0) {
                (void)snprintf(ret_text, WORD_TEXT_MAX, "%s", line + n_word + (line[n_word] == ' '));
                return i;
            }
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? -EAGAIN : -EPIPE;
}

/* --- the program */

int program_note(struct program *ret_program)
{
    scoped(free) char *arguments = NULL, *path = NULL;
    char self[PATH_MAX];
    size_t n;
    int r = file_read("/proc/self/cmdline", 0, ARGUMENTS_MAX, &arguments, &n);

    if (r < 0)
        return r;
    ssize_t n_self = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n_self < 0)
        return -errno;
    self[n_self] = '\0';
    /* a path may lead over links that are set to another version: it is kept as it was given */
    if (arguments[0] == '/')
        path = strdup(arguments);
    else
        path = strchr(arguments, '/') ? realpath(arguments, NULL) : strdup(self);
    if (!path)
        return errno ? -errno : -ENOMEM;
    *ret_program = (struct program){ .path = steal(&path), .arguments = steal(&arguments), .n_arguments = n };
    return 0;
}

void program_done(struct program *program)
{
    free(program->path);
    free(program->arguments);
}

/* --- its start */

struct launch {
    int fds[FDS_MAX];
    size_t n_fds;
    char **arguments, **environment;
    char names[NAMES_MAX], count[32];
    char listen_pid[sizeof("LISTEN_PID=") + PID_DIGITS], watchdog_pid[sizeof("WATCHDOG_PID=") + PID_DIGITS];
};

static void launch_done(struct launch *launch)
{
    free(launch->arguments);
    free(launch->environment);
}
static inline void scoped_launch_done(struct launch *launch)
{
    launch_done(launch);
}

static void add_fd(struct launch *launch, int fd, const char *name)
{
    size_t n = strlen(launch->names);

    (void)snprintf(launch->names + n, sizeof(launch->names) - n, "%s%s", launch->n_fds ? ":" : "", name);
    launch->fds[launch->n_fds++] = fd;
}

static int split_arguments(struct launch *launch, const struct program *program)
{
    size_t n = 0;

    launch->arguments = calloc(program->n_arguments + 1, sizeof(char *));
    if (!launch->arguments)
        return -ENOMEM;
    for (char *at = program->arguments; at < program->arguments + program->n_arguments; at += strlen(at) + 1)
        launch->arguments[n++] = at;
    return 0;
}

static bool is_replaced(const char *variable)
{
    static const char *const names[] = { "LISTEN_FDS=", "LISTEN_FDNAMES=", "LISTEN_PID=", "WATCHDOG_PID=" };

    for (size_t i = 0; i < ELEMENTSOF(names); i++)
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* The numbers of the process are filled in by the child. */
static int make_environment(struct launch *launch)
{
    size_t n = 0;

    while (environ[n])
        n++;
    launch->environment = calloc(n + 5, sizeof(char *));
    if (!launch->environment)
        return -ENOMEM;
    n = 0;
    for (char **variable = environ; *variable; variable++)
        if (!is_replaced(*variable))
            launch->environment[n++] = *variable;
    (void)snprintf(launch->count, sizeof(launch->count), "LISTEN_FDS=%zu", launch->n_fds);
    launch->environment[n++] = launch->names;
    launch->environment[n++] = launch->count;
    launch->environment[n++] = launch->listen_pid;
    launch->environment[n] = launch->watchdog_pid;
    return 0;
}

/* In the child, as are the next ones: nothing that takes a lock. */
static void write_pid(char *variable, const char *name, pid_t pid)
{
    char digits[PID_DIGITS];
    size_t n = 0, at = strlen(name);

    do
        digits[n++] = (char)('0' + pid % 10);
    while ((pid /= 10) && n < sizeof(digits));
    memcpy(variable, name, at);
    while (n)
        variable[at++] = digits[--n];
    variable[at] = '\0';
}

static bool place_fds(const struct launch *launch)
{
    int far[FDS_MAX];

    for (size_t i = 0; i < launch->n_fds; i++)
        if ((far[i] = fcntl(launch->fds[i], F_DUPFD_CLOEXEC, FAR_FD)) < 0)
            return false;
    for (size_t i = 0; i < launch->n_fds; i++)
        if (dup2(far[i], SD_LISTEN_FDS_START + (int)i) < 0)
            return false;
    return close_range(SD_LISTEN_FDS_START + (unsigned)launch->n_fds, ~0u, 0) == 0;
}

static void reset_signals(void)
{
    sigset_t none;

    sigemptyset(&none);
    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

__attribute__((noreturn)) static void be_successor(struct launch *launch, const char *path)
{
    write_pid(launch->listen_pid, "LISTEN_PID=", getpid());
    write_pid(launch->watchdog_pid, "WATCHDOG_PID=", getpid());
    reset_signals();
    if (place_fds(launch))
        execve(path, launch->arguments, launch->environment);
    _exit(127);
}

/* Returns: its number; -errno. */
static pid_t start(struct launch *launch, const char *path)
{
    scoped(close) int report_in = -1, report_out = -1;
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    report_out = ends[0];
    report_in = ends[1];
    pid_t between = fork();
    if (between < 0)
        return -errno;
    if (between == 0) {
        pid = _Fork();
        if (pid == 0)
            be_successor(launch, path);
        pid = pid < 0 ? -errno : pid;
        _exit(write(report_in, &pid, sizeof(pid)) != sizeof(pid));
    }
    close(report_in);
    report_in = -1;
    ssize_t n = read(report_out, &pid, sizeof(pid));
    while (waitpid(between, NULL, 0) < 0 && errno == EINTR)
        ;
    return n == sizeof(pid) ? pid : -EIO;
}

int successor_start(const struct program *program, const struct listener *listeners, size_t n, int lead_fd,
                    struct successor *ret_successor)
{
    scoped(launch_done) struct launch launch = { .names = "LISTEN_FDNAMES=" };
    scoped(close) int ours = -1, its = -1;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    ours = ends[0];
    its = ends[1];
    for (size_t i = 0; i < n; i++)
        add_fd(&launch, listeners[i].fd, listener_name(listeners[i].kind));
    add_fd(&launch, its, predecessor_name);
    add_fd(&launch, lead_fd, lead_name);
    int r = split_arguments(&launch, program);
    if (r == 0)
        r = make_environment(&launch);
    if (r < 0)
        return r;

    pid_t pid = start(&launch, program->path);
    if (pid < 0)
        return pid;
    *ret_successor = (struct successor){ pid, pidfd_open(pid, 0), ours };
    ours = -1;
    return 0;
}

void successor_forget(struct successor *successor)
{
    close(successor->fd);
    if (successor->pidfd >= 0)
        close(successor->pidfd);
    *successor = (struct successor){ .pidfd = -1, .fd = -1 };
}

void successor_end(struct successor *successor)
{
    struct pollfd end = { .fd = successor->pidfd, .events = POLLIN };

    if (successor->pidfd >= 0) {
        (void)pidfd_send_signal(successor->pidfd, SIGKILL, NULL, 0);
        while (poll(&end, 1, -1) < 0 && errno == EINTR)
            ;
    }
    successor_forget(successor);
}

/* --- on the other side */

bool succession_is_name(const char *name)
{
    return strcmp(name, predecessor_name) == 0 || strcmp(name, lead_name) == 0;
}

bool succession_inherit(struct inheritance *ret_inheritance)
{
    struct inheritance found = { -1, -1 };
    char **names = NULL;
    int n = sd_listen_fds_with_names(0, &names);

    for (int i = 0; i < n; i++) {
        if (strcmp(names[i], predecessor_name) == 0)
            found.predecessor_fd = SD_LISTEN_FDS_START + i;
        else if (strcmp(names[i], lead_name) == 0)
            found.lead_fd = SD_LISTEN_FDS_START + i;
        free(names[i]);
    }
    free(names);
    *ret_inheritance = found;
    return found.predecessor_fd >= 0;
}
