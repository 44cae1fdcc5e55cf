/*
 * log.c - one line to the journal or to stderr
 *
 * The line is put together in a fixed buffer and leaves in one system call, so
 * that lines of several threads never mix. On stderr it carries the <N> prefix
 * that systemd understands only when stderr is not a terminal.
 */
#include "utils/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "utils/clock.h"

enum { LINE_MAX_BYTES = 2048 };

static int max_level = LOG_INFO;
static int journal;

void log_setup(int level, int to_journal)
{
    max_level = level;
    journal = to_journal;
}

static size_t clamp(int n, size_t max)
{
    return n < 0 ? 0 : (size_t)n < max ? (size_t)n : max - 1;
}

static void to_stderr(int level, const char *sid, const char *text)
{
    char line[LINE_MAX_BYTES + 96];
    size_t n = 0;

    if (!isatty(STDERR_FILENO))
        n += clamp(snprintf(line, sizeof(line), "<%d>", level), sizeof(line));
    if (sid)
        n += clamp(snprintf(line + n, sizeof(line) - n, "%s: ", sid), sizeof(line) - n);
    n += clamp(snprintf(line + n, sizeof(line) - n - 1, "%s", text), sizeof(line) - n - 1);
    line[n++] = '\n';
    if (write(STDERR_FILENO, line, n) < 0)
        return; /* there is nowhere left to say so */
}

int log_line(int level, int r, const char *sid, const char *format, ...)
{
    char text[LINE_MAX_BYTES];
    va_list args;
    size_t n;

    if (level > max_level)
        return r;

    va_start(args, format);
    n = clamp(vsnprintf(text, sizeof(text), format, args), sizeof(text));
    va_end(args);
    if (r < 0)
        (void)snprintf(text + n, sizeof(text) - n, ": %s", strerrordesc_np(-r) ?: "unknown error");

    if (!journal)
        to_stderr(level, sid, text);
    else if (sid)
        (void)sd_journal_send("MESSAGE=%s", text, "PRIORITY=%d", level, "CALL_SID=%s", sid, NULL);
    else
        (void)sd_journal_send("MESSAGE=%s", text, "PRIORITY=%d", level, NULL);
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
