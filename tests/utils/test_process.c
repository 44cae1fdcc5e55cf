/*
 * test_process.c - a command gets its input and nothing else of ours, and never outlives its limits
 */
#include "utils/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>

#include "scratch.h"
#include "tap.h"
#include "utils/scoped.h"

static const char *const environment[] = { "PATH=/usr/bin:/bin", "GREETING=shalom", NULL };

static const struct {
    const char *what, *command, *in;
    int want;
    const char *out; /* NULL: not looked at */
} rows[] = {
    { "its output", "echo good morning", "", 0, "good morning\n" },
    { "its input", "tr a-z A-Z", "hello", 0, "HELLO" },
    { "its input by name", "cat /dev/stdin", "hello", 0, "hello" },
    { "an input nobody reads", "echo no", "hello", 0, "no\n" },
    { "no output", "cat >/dev/null", "hello", 0, "" },
    { "the environment it was given", "echo $GREETING", "", 0, "shalom\n" },
    { "and nothing of ours", "echo $HOME$TEST_SECRET", "", 0, "\n" },
    { "three descriptors", "cd /proc/self/fd; echo *", "", 0,
      "0 1 2 3\n" }, /* 3: the shell reading the folder */
    { "signals as they are meant", "kill -PIPE $$; echo still here", "", -EIO, NULL },
    { "an output of the limit", "head -c 1000 /dev/zero", "", 0, NULL },
    { "an output over the limit", "head -c 1001 /dev/zero", "", -EFBIG, NULL },
    { "an endless output", "cat /dev/zero", "", -EFBIG, NULL },
    { "a failure", "echo much; exit 3", "", -EIO, NULL },
    { "a death", "kill -KILL $$", "", -EIO, NULL },
    { "no such program", "exec /nonexistent/program 2>/dev/null", "", -EIO, NULL },
};

static int run(const char *command, const char *in, unsigned deadline_ms, char **ret_out,
               size_t *ret_n)
{
    const char *const argv[] = { "/bin/sh", "-c", command, NULL };
    struct process process = { argv, environment, in, strlen(in), 1000, deadline_ms };

    return process_run(&process, ret_out, ret_n);
}

static void test_rows(void)
{
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        scoped(free) char *out = NULL;
        size_t n = 0;
        int r = run(rows[i].command, rows[i].in, 60000, &out, &n);
        if (!ok(r == rows[i].want &&
                    (!rows[i].out || (n == strlen(rows[i].out) && !memcmp(out, rows[i].out, n))),
                "%s", rows[i].what))
            printf("# result %d, output \"%.*s\"\n", r, (int)n, out ? out : "");
    }
}

/* The deadline has passed before it can begin, so that nothing here waits for a clock. */
static void test_deadline(void)
{
    scoped(free) char *out = NULL;
    size_t n;

    is_int(run("exec sleep 1000", "", 0, &out, &n), -ETIMEDOUT, "what never ends is ended");
    is_int(run("exec >&-; exec sleep 1000", "", 0, &out, &n), -ETIMEDOUT,
           "closing its output does not help it");
}

/* A grandchild holds the write end of a FIFO: once it is dead, opening the read end for good gives
 * end of file. */
static void test_stragglers(void)
{
    char command[1024];
    const char *path = scratch_file("alive");
    scoped(free) char *out = NULL;
    size_t n;
    char c;

    (void)snprintf(command, sizeof(command),
                   "mkfifo %s; sleep 1000 <>%s >&0 2>/dev/null & until test -p %s; do :; done",
                   path, path, path);
    is_int(run(command, "", 60000, &out, &n), 0, "a command leaves a child behind");
    scoped(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int flags = fd < 0 ? -1 : fcntl(fd, F_SETFL, 0);
    ok(flags == 0 && read(fd, &c, 1) == 0, "which is dead");
}

int main(void)
{
    const char *const argv[] = { "/nonexistent/program", NULL };
    struct process nowhere = { argv, environment, "", 0, 1000, 60000 };
    char *out;
    size_t n;

    (void)setenv("TEST_SECRET", "abc", 1);
    (void)signal(SIGPIPE, SIG_IGN);
    test_rows();
    test_deadline();
    test_stragglers();
    is_int(process_run(&nowhere, &out, &n), -ENOENT, "what is not there cannot be started");
    return done_testing();
}
