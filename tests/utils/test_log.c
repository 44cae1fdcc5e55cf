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

/* A line to the journal, with every field. */
static void test_fields(void)
{
    static const struct log_about about = { LOG_DEAD_LETTER, "CA1", "r", "c", "m", "GET /x", "p", "127.0.0.1", 503, 1234 };
    static const char *const want[] = { "MESSAGE_ID\n\40\0\0\0\0\0\0\0", "CALL_SID\n\3\0\0\0\0\0\0\0CA1\n", "REQUEST_ID\n\1\0\0\0\0\0\0\0r\n",
        "CONTACT_ID\n\1\0\0\0\0\0\0\0c\n", "MESSAGE_SID\n\1\0\0\0\0\0\0\0m\n", "ROUTE\n\6\0\0\0\0\0\0\0GET /x\n",
        "PROVIDER\n\1\0\0\0\0\0\0\0p\n", "PEER\n\11\0\0\0\0\0\0\000127.0.0.1\n", "\nSTATUS=503\n", "\nDURATION_US=1234\n" };
    static const size_t n_want[] = { 19, 21, 21, 21, 22, 21, 19, 23, 12, 18 };
    char got[4096], longest[4096];
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    scoped(close) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", scratch_file("fields"));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        exit(1);
    log_setup(LOG_INFO, address.sun_path);
    (void)log_about(LOG_ERR, 0, &about, "it is over");
    ssize_t n = recv(fd, got, sizeof(got), 0);
    for (size_t i = 0; i < ELEMENTSOF(want); i++)
        ok(n > 0 && memmem(got, (size_t)n, want[i], n_want[i]), "the journal gets %s", want[i] + (want[i][0] == '\n'));

    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    (void)log_about(LOG_ERR, 0, &(struct log_about){ LOG_REQUEST, longest, longest, longest, longest, longest, longest, longest, 1, 1 }, "%s", longest);
    n = recv(fd, got, sizeof(got), 0);
    ok(n > 2000 && !memmem(got, (size_t)n, "ROUTE", 5), "what is too long to be a field is none");
    log_setup(LOG_INFO, NULL);
}

static const struct {
    const char *text, *want;
} numbers[] = {
    { "call of +972501234567, and", "call of +97250***4567, and" },
    { "+15551234567", "+1555***4567" },
    { "+12345678", "+1***5678" },
    { "+123456789012345", "+12345******2345" },
    { "?From=whatsapp%3A%2B972501234567&x", "?From=whatsapp%3A%2B97250***4567&x" },
    { "972501234567@s.whatsapp.net", "97250***4567@s.whatsapp.net" },
    { "after 1234567890 ms, id m0123456789abcdef", "after 1234567890 ms, id m0123456789abcdef" },
    { "+1234567 +1234567890123456", "+1234567 +1234567890123456" },
    { "+", "+" },
};

static void test_numbers(void)
{
    int ends[2], kept = dup(STDERR_FILENO);
    char want[128];

    if (kept < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0 || dup2(ends[1], STDERR_FILENO) < 0)
        exit(1);
    for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
        log_info("%s", numbers[i].text);
        (void)snprintf(want, sizeof(want), "<6>%s\n", numbers[i].want);
        is_str(drained(ends[0]), want, "a telephone number is shortened, and nothing else");
    }
    log_show_numbers(true);
    log_info("%s", numbers[0].text);
    (void)snprintf(want, sizeof(want), "<6>%s\n", numbers[0].text);
    is_str(drained(ends[0]), want, "unless it is wanted whole");
    log_show_numbers(false);
    (void)dup2(kept, STDERR_FILENO);
    close(kept);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    test_full_pipe();
    test_fields();
    test_numbers();
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
