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
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "utils/clock.h"
#include "utils/scoped.h"

enum {
    TEXT_MAX_BYTES = 2048,
    LINE_MAX_BYTES = TEXT_MAX_BYTES + 256, /* on stderr: within PIPE_BUF */
    VALUE_MAX_BYTES = 128,                 /* of a field but MESSAGE */
    FIELDS_MAX_BYTES = 12 * (VALUE_MAX_BYTES + 32),
    DIGITS_MIN = 8, /* of telephone numbers: E.164 */
    DIGITS_MAX = 15,
    DIGITS_BEFORE = 5, /* at most, shown */
    DIGITS_HIDDEN = 3, /* at least */
    DIGITS_AFTER = 4,
};

static const char *const event_ids[LOG_N_EVENTS] = {
#define LOG_EVENT(name, id) [LOG_##name] = id,
#include "utils/log_events.def"
#undef LOG_EVENT
};

static int max_level = LOG_INFO;
static bool may_drop, shows_numbers;
static int journal_fd = -1;
static struct sockaddr_un journal = { .sun_family = AF_UNIX };
static pthread_mutex_t stderr_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uint64_t n_lost, n_lost_told;
static char *kept; /* this and its size: under stderr_lock */
static size_t kept_size;

void log_setup(int level, const char *journal_path)
{
    if (journal_fd >= 0)
        close(journal_fd);
    journal_fd = journal_path ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
    (void)snprintf(journal.sun_path, sizeof(journal.sun_path), "%s", journal_path ? journal_path : "");
    max_level = level;
    may_drop = true;
}

void log_keep_problem(char *text, size_t size)
{
    pthread_mutex_lock(&stderr_lock);
    kept = text;
    kept_size = size;
    pthread_mutex_unlock(&stderr_lock);
}

static void keep_problem(const char *text)
{
    pthread_mutex_lock(&stderr_lock);
    if (kept)
        (void)snprintf(kept, kept_size, "%s", text);
    pthread_mutex_unlock(&stderr_lock);
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

/* What is unknown, or too long to be an id, is left out. */
static size_t add_known(char *at, const char *name, const char *value)
{
    return value && value[0] && strlen(value) <= VALUE_MAX_BYTES ? add_field(at, name, value) : 0;
}

static size_t add_number(char *at, const char *name, uint64_t value)
{
    return value ? (size_t)sprintf(at, "%s=%" PRIu64 "\n", name, value) : 0;
}

static size_t add_about(char *at, const struct log_about *about)
{
    const struct {
        const char *name, *value;
    } fields[] = {
        { "MESSAGE_ID", event_ids[about->event] },
        { "CALL_SID", about->call_sid },
        { "REQUEST_ID", about->request_id },
        { "CONTACT_ID", about->contact_id },
        { "MESSAGE_SID", about->message_id },
        { "ROUTE", about->route },
        { "PROVIDER", about->provider },
        { "PEER", about->peer },
    };
    size_t n = 0;

    for (size_t i = 0; i < ELEMENTSOF(fields); i++)
        n += add_known(at + n, fields[i].name, fields[i].value);
    n += add_number(at + n, "STATUS", about->status);
    return n + add_number(at + n, "DURATION_US", about->duration_us);
}

/* Returns: false when it is lost. */
static bool to_journal(int level, const struct log_about *about, const char *text)
{
    char line[LINE_MAX_BYTES + FIELDS_MAX_BYTES];
    size_t n = clamp(snprintf(line, sizeof(line), "PRIORITY=%d\nSYSLOG_IDENTIFIER=%.32s\n", level,
                              program_invocation_short_name), sizeof(line));

    n += add_about(line + n, about);
    n += add_field(line + n, "MESSAGE", text);
    return sendto(journal_fd, line, n, MSG_NOSIGNAL, (const struct sockaddr *)&journal, sizeof(journal)) >= 0;
}

/* Returns: false when it is lost. */
static bool to_stderr(int level, const struct log_about *about, const char *text)
{
    const char *sid = about->call_sid;
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

static bool send_line(int level, const struct log_about *about, const char *text)
{
    return (journal_fd >= 0 ? to_journal : to_stderr)(level, about, text);
}

static void tell_dropped(void)
{
    uint64_t n_now = atomic_load_explicit(&n_lost, memory_order_relaxed),
             n_told = atomic_exchange_explicit(&n_lost_told, n_now, memory_order_relaxed);
    char text[96];

    if (n_now <= n_told)
        return;
    (void)snprintf(text, sizeof(text), "%" PRIu64 " lines before this were lost: nobody took them", n_now - n_told);
    if (!send_line(LOG_WARNING, &(struct log_about){ .event = LOG_LINES_LOST }, text))
        atomic_fetch_sub_explicit(&n_lost_told, n_now - n_told, memory_order_relaxed);
}

/* A number stands behind a + or %2B, or before an @ (as WhatsApp writes people). */
static bool is_number(const char *text, const char *digits, size_t n)
{
    bool is_international = (digits > text && digits[-1] == '+') || (digits - text >= 3 && strncasecmp(digits - 3, "%2B", 3) == 0);

    return n >= DIGITS_MIN && n <= DIGITS_MAX && (is_international || digits[n] == '@');
}

/* +972501234567 is +97250***4567: who knows the number finds it, nobody else learns it. */
static void shorten_numbers(char *text)
{
    for (char *at = text; *(at += strcspn(at, "0123456789"));) {
        size_t n = strspn(at, "0123456789"), n_before = n > DIGITS_AFTER + DIGITS_HIDDEN ? n - DIGITS_AFTER - DIGITS_HIDDEN : 0;

        if (n_before > DIGITS_BEFORE)
            n_before = DIGITS_BEFORE;
        if (is_number(text, at, n))
            memset(at + n_before, '*', n - n_before - DIGITS_AFTER);
        at += n;
    }
}

__attribute__((format(printf, 4, 0))) static int send_text(int level, int r, const struct log_about *about,
                                                           const char *format, va_list args)
{
    char text[TEXT_MAX_BYTES];
    size_t n = clamp(vsnprintf(text, sizeof(text), format, args), sizeof(text));

    if (r < 0)
        (void)snprintf(text + n, sizeof(text) - n, ": %s", strerrordesc_np(-r) ?: "unknown error");
    if (!shows_numbers)
        shorten_numbers(text);
    if (level <= LOG_WARNING)
        keep_problem(text);
    if (send_line(level, about, text))
        tell_dropped();
    else
        atomic_fetch_add_explicit(&n_lost, 1, memory_order_relaxed);
    return r;
}

int log_about(int level, int r, const struct log_about *about, const char *format, ...)
{
    va_list args;

    if (level > max_level)
        return r;
    va_start(args, format);
    (void)send_text(level, r, about, format, args);
    va_end(args);
    return r;
}

int log_line(int level, int r, const char *sid, const char *format, ...)
{
    va_list args;

    if (level > max_level)
        return r;
    va_start(args, format);
    (void)send_text(level, r, &(struct log_about){ .call_sid = sid }, format, args);
    va_end(args);
    return r;
}

void log_show_numbers(bool whole)
{
    shows_numbers = whole;
}

uint64_t log_n_lost(void)
{
    return atomic_load_explicit(&n_lost, memory_order_relaxed);
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
