/*
 * log.c - one line to the journal or to stderr
 *
 * The line is put together in a fixed buffer and leaves in one system call, so
 * that lines of several threads never mix. On stderr it carries the <N> prefix
 * that systemd understands only when stderr is not a terminal.
 *
 * Loops and workers log, and whoever reads may stand still: a journal on a slow
 * disk, a pipe to a pager. From log_setup() on a line is therefore dropped rather
 * than waited for, and the next one that passes is followed by how many were.
 * To the journal we speak its own protocol, since libsystemd's call waits. On
 * stderr, whose flags are not ours to change, we ask first; a pipe or terminal
 * that says yes has room for a line, and the lock keeps it for the one who asked.
 */
#include "utils/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "utils/clock.h"

enum { TEXT_MAX_BYTES = 2048, LINE_MAX_BYTES = TEXT_MAX_BYTES + 256 }; /* a line is within PIPE_BUF */

static int max_level = LOG_INFO;
static bool may_drop;
static int journal_fd = -1;
static struct sockaddr_un journal = { .sun_family = AF_UNIX };
static pthread_mutex_t stderr_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic unsigned n_dropped;

void log_setup(int level, const char *journal_path)
{
    if (journal_fd >= 0)
        close(journal_fd);
    journal_fd = journal_path ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
    (void)snprintf(journal.sun_path, sizeof(journal.sun_path), "%s", journal_path ? journal_path : "");
    max_level = level;
    may_drop = true;
}

static size_t clamp(int n, size_t max)
{
    return n < 0 ? 0 : (size_t)n < max ? (size_t)n : max - 1;
}

/* With its length before it, so that a value may hold anything. */
static size_t add_field(char *at, const char *name, const char *value)
{
    uint64_t n = strlen(value); /* little-endian */
    size_t n_name = strlen(name);

    memcpy(at, name, n_name);
    at[n_name] = '\n';
    for (size_t i = 0; i < sizeof(n); i++)
        at[n_name + 1 + i] = (char)(n >> (8 * i));
    memcpy(at + n_name + 1 + sizeof(n), value, n);
    at[n_name + 1 + sizeof(n) + n] = '\n';
    return n_name + 1 + sizeof(n) + n + 1;
}

/* Returns: false when it is lost. */
static bool to_journal(int level, const char *sid, const char *text)
{
    char line[LINE_MAX_BYTES];
    size_t n = clamp(snprintf(line, sizeof(line), "PRIORITY=%d\nSYSLOG_IDENTIFIER=%.32s\n", level,
                              program_invocation_short_name), sizeof(line));

    if (sid && strlen(sid) < 64)
        n += add_field(line + n, "CALL_SID", sid);
    n += add_field(line + n, "MESSAGE", text);
    return sendto(journal_fd, line, n, MSG_NOSIGNAL, (const struct sockaddr *)&journal, sizeof(journal)) >= 0;
}

/* Returns: false when it is lost. */
static bool to_stderr(int level, const char *sid, const char *text)
{
    struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };
    char line[LINE_MAX_BYTES];
    size_t n = 0;

    if (!isatty(STDERR_FILENO))
        n += clamp(snprintf(line, sizeof(line), "<%d>", level), sizeof(line));
    if (sid)
        n += clamp(snprintf(line + n, sizeof(line) - n, "%.64s: ", sid), sizeof(line) - n);
    n += clamp(snprintf(line + n, sizeof(line) - n - 1, "%s", text), sizeof(line) - n - 1);
    line[n++] = '\n';

    pthread_mutex_lock(&stderr_lock);
    bool passed = !may_drop || (poll(&room, 1, 0) == 1 && room.revents & POLLOUT);
    passed = passed && write(STDERR_FILENO, line, n) >= 0;
    pthread_mutex_unlock(&stderr_lock);
    return passed;
}

static bool send_line(int level, const char *sid, const char *text)
{
    return (journal_fd >= 0 ? to_journal : to_stderr)(level, sid, text);
}

static void tell_dropped(void)
{
    unsigned n = atomic_exchange_explicit(&n_dropped, 0, memory_order_relaxed);
    char text[96];

    if (n == 0)
        return;
    (void)snprintf(text, sizeof(text), "%u lines before this were lost: nobody took them", n);
    if (!send_line(LOG_WARNING, NULL, text))
        atomic_fetch_add_explicit(&n_dropped, n, memory_order_relaxed);
}

int log_line(int level, int r, const char *sid, const char *format, ...)
{
    char text[TEXT_MAX_BYTES];
    va_list args;
    size_t n;

    if (level > max_level)
        return r;

    va_start(args, format);
    n = clamp(vsnprintf(text, sizeof(text), format, args), sizeof(text));
    va_end(args);
    if (r < 0)
        (void)snprintf(text + n, sizeof(text) - n, ": %s", strerrordesc_np(-r) ?: "unknown error");

    if (send_line(level, sid, text))
        tell_dropped();
    else
        atomic_fetch_add_explicit(&n_dropped, 1, memory_order_relaxed);
    return r;
}

int log_limit_pass(struct log_limit *limit, uint64_t mono_ms, uint32_t *ret_n_hidden)
{
    uint64_t window = atomic_load_explicit(&limit->window_ms, memory_order_relaxed);

    mono_ms++; /* 0 means that no window was ever opened */
    if (window == 0 || mono_ms - window >= LOG_LIMIT_WINDOW_MS) {
        if (atomic_compare_exchange_strong(&limit->window_ms, &window, mono_ms))
            atomic_store(&limit->n_window, 0);
    }
    if (atomic_fetch_add(&limit->n_window, 1) >= LOG_LIMIT_PER_WINDOW) {
        atomic_fetch_add(&limit->n_hidden, 1);
        return 0;
    }
    *ret_n_hidden = atomic_exchange(&limit->n_hidden, 0);
    return 1;
}
