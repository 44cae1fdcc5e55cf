#pragma once
/*
 * log.h - one line to the journal or to stderr
 *
 * Levels: err an operator must act; warning we coped; info a call began or
 * ended; debug for us. Tokens, phone numbers and audio never go in.
 * Thread: any. From log_setup() on it does not block: a line that nobody takes is dropped, and counted in a later one.
 */

#include <stdint.h>
#include <syslog.h>

#include "utils/clock.h"

struct log_limit { /* static, zero-initialised, one per message that a peer can cause */
    _Atomic uint64_t window_ms;
    _Atomic uint32_t n_window;
    _Atomic uint32_t n_hidden;
};

enum { LOG_LIMIT_PER_WINDOW = 5, LOG_LIMIT_WINDOW_MS = 10000 };

#define LOG_JOURNAL "/run/systemd/journal/socket"

/* Which lines go where: to the journal that listens on this socket, NULL: to stderr. Before it, and without it:
 * LOG_INFO, and stderr is waited for. Call before threads start. */
void log_setup(int max_level, const char *journal);

/* sid (may be NULL) becomes the CALL_SID field. Returns r, so that `return log_err(r, ...)` reads well. */
int log_line(int level, int r, const char *sid, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* 1 when the line may be printed; it then says how many were left out since the last one. */
int log_limit_pass(struct log_limit *limit, uint64_t mono_ms, uint32_t *ret_n_hidden);

/* r < 0 adds ": " and strerror(-r) to the line. */
#define log_err(r, ...) log_line(LOG_ERR, (r), NULL, __VA_ARGS__)
#define log_warning(r, ...) log_line(LOG_WARNING, (r), NULL, __VA_ARGS__)
#define log_info(...) (void)log_line(LOG_INFO, 0, NULL, __VA_ARGS__)
#define log_debug(...) (void)log_line(LOG_DEBUG, 0, NULL, __VA_ARGS__)
#define log_call(level, sid, ...) (void)log_line((level), 0, (sid), __VA_ARGS__)

/* For anything that a peer can cause: at most LOG_LIMIT_PER_WINDOW lines in a window, per place. */
#define log_limited(level, sid, format, ...)                                                       \
    do {                                                                                           \
        static struct log_limit limit_;                                                            \
        uint32_t n_hidden_;                                                                        \
        if (log_limit_pass(&limit_, clock_mono_ms(), &n_hidden_)) {                                \
            if (n_hidden_)                                                                         \
                (void)log_line((level), 0, (sid), format " (%u alike left out)",                   \
                               ##__VA_ARGS__, n_hidden_);                                          \
            else                                                                                   \
                (void)log_line((level), 0, (sid), format, ##__VA_ARGS__);                          \
        }                                                                                          \
    } while (0)
