/*
 * test_log.c - what a peer can cause does not flood the log, and a log that nobody reads holds nobody up
 */
#include "utils/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "scratch.h"
#include "tap.h"
#include "utils/scoped.h"

enum { FLOOD = 20000 }; /* lines; more than a pipe or a socket holds */

/* Everything that waits in fd, without what is over. */
static const char *drained(int fd)
{
    static char text[256 * 1024];
    size_t n = 0;
    ssize_t r;

    while (n < sizeof(text) - 4096 && (r = read(fd, text + n, 4096)) > 0)
        n += (size_t)r;
    text[n] = '\0';
    return text;
}

static void test_full_pipe(void)
{
    int ends[2], kept = dup(STDERR_FILENO);

    if (kept < 0 || pipe2(ends, O_CLOEXEC) < 0 || dup2(ends[1], STDERR_FILENO) < 0)
        exit(1);
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    log_setup(LOG_INFO, NULL);
    for (int i = 0; i < FLOOD; i++)
        log_info("a line");
    const char *text = drained(ends[0]);
    ok(strncmp(text, "<6>a line\n", 10) == 0 && !strstr(text, "lost"), "a full stderr does not hold up who logs");
    log_info("once more");
    text = drained(ends[0]);
    ok(strncmp(text, "<6>once more\n<4>", 16) == 0 && strstr(text, " lines before this were lost"),
       "and when it is read again says how many lines it missed");
    log_info("again");
    is_str(drained(ends[0]), "<6>again\n", "once");
    (void)dup2(kept, STDERR_FILENO);
    close(kept);
    close(ends[0]);
    close(ends[1]);
}

static void test_journal(void)
{
    static const char want[] = "PRIORITY=4\nSYSLOG_IDENTIFIER=test_log\nCALL_SID\n\3\0\0\0\0\0\0\0CA1\n"
                               "MESSAGE\n\x14\0\0\0\0\0\0\0two\nlines: I/O error\n";
    char got[4096];
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    scoped(close) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    program_invocation_short_name = (char[]){ "test_log" };
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", scratch_file("journal"));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        exit(1);
    log_setup(LOG_INFO, address.sun_path);
    log_call(LOG_WARNING, "CA1", "two\nlines: I/O error");
    ssize_t n = recv(fd, got, sizeof(got), 0);
    is_int(n, sizeof(want) - 1, "a line to the journal");
    ok(n == sizeof(want) - 1 && memcmp(got, want, sizeof(want) - 1) == 0, "  has its fields, and the line break within it");

    for (int i = 0; i < FLOOD; i++)
        log_info("a line");
    int n_taken = 0;
    while (recv(fd, got, sizeof(got), 0) > 0)
        n_taken++;
    ok(n_taken > 0 && n_taken < FLOOD, "a journal that stands still does not hold up who logs");
    log_info("once more");
    (void)recv(fd, got, sizeof(got), 0);
    n = recv(fd, got, sizeof(got) - 1, 0);
    got[n > 0 ? n : 0] = '\0';
    ok(n > 0 && memmem(got, (size_t)n, "lines before this were lost", 27), "and is told what it missed");
    log_setup(LOG_INFO, NULL);
}

int main(void)
{
    test_full_pipe();
    test_journal();

    struct log_limit limit = { 0 };
    uint32_t n_hidden = 99;
    int passed = 0;

    for (int i = 0; i < 100; i++)
        passed += log_limit_pass(&limit, 1000, &n_hidden);
    is_int(passed, LOG_LIMIT_PER_WINDOW, "a flood is cut at the limit of its window");
    is_int(n_hidden, 0, "nothing was hidden before the flood");

    is_int(log_limit_pass(&limit, 1000 + LOG_LIMIT_WINDOW_MS + 1, &n_hidden), 1, "the next window is open");
    is_int(n_hidden, 100 - LOG_LIMIT_PER_WINDOW, "and says how many were left out");
    return done_testing();
}
