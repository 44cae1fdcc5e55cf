/*
 * test_logging.c - the level that the settings say, and the line about a slow transaction
 */
#include "services/logging.h"

#include <errno.h>
#include <fcntl.h>

#include "config.h"
#include "tap.h"
#include "utils/log.h"

static const struct {
    const char *level;
    const char *want; /* what is printed of one line per level */
} cases[] = {
    { "debug", "<7>d\n<6>i\n<4>w\n<3>e: Input/output error\n" },
    { "info", "<6>i\n<4>w\n<3>e: Input/output error\n" },
    { "warning", "<4>w\n<3>e: Input/output error\n" },
    { "err", "<3>e: Input/output error\n" },
};

static int kept_stderr, pipe_fds[2];

static void catch_stderr(void)
{
    kept_stderr = dup(STDERR_FILENO);
    if (pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC) < 0 || dup2(pipe_fds[1], STDERR_FILENO) < 0)
        exit(1);
}

/* Returns: what was printed since catch_stderr(). */
static const char *caught_stderr(void)
{
    static char text[4096];
    ssize_t n = read(pipe_fds[0], text, sizeof(text) - 1);

    text[n > 0 ? n : 0] = '\0';
    (void)dup2(kept_stderr, STDERR_FILENO);
    close(kept_stderr);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return text;
}

int main(void)
{
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        logging_setup(&(struct config){ .log_level = cases[i].level, .log_numbers = "short" });
        catch_stderr();
        log_debug("d");
        log_info("i");
        (void)log_warning(0, "w");
        (void)log_err(-EIO, "e");
        is_str(caught_stderr(), cases[i].want, cases[i].level);
    }

    catch_stderr();
    logging_setup(&(struct config){ .log_level = "info", .log_numbers = "short" });
    logging_slow_transaction("call status", 1234567, 3);
    is_str(caught_stderr(), "<4>slow transaction: call status and 3 in all took 1234 ms; is the disk slow or busy?\n",
           "a slow transaction says what it was and how long");
    catch_stderr();
    for (int i = 0; i < 1000; i++)
        logging_slow_transaction("flood", 300000, 1);
    size_t n_lines = 0;
    for (const char *c = caught_stderr(); *c; c++)
        n_lines += *c == '\n';
    ok(n_lines < 10, "a flood of them does not flood the log");
    return done_testing();
}
