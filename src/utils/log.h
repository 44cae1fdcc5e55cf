#pragma once
/*
 * log.h - one line to the journal or to stderr
 *
 * Levels: err an operator must act; warning we coped; info a call began or
 * ended; debug for us. Tokens and audio never go in; of telephone numbers some digits
 * are shown as *, unless LOG_NUMBERS says otherwise.
 * Thread: any. From log_setup() on it does not block: a line that nobody takes is dropped, and counted in a later one.
 */

#include <stdbool.h>
#include <stddef.h>
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

/* From here on text holds the last warning or error, too, cut to size; NULL: no more. For who starts, and is to say why not. */
void log_keep_problem(char *text, size_t size);

/* Whole telephone numbers from now on. Call before threads start. */
void log_show_numbers(bool whole);

/* Lines that nobody took since the start. */
uint64_t log_n_lost(void);

enum log_event {
    LOG_EVENT_NONE,
#define LOG_EVENT(name, id) LOG_##name,
#include "utils/log_events.def"
#undef LOG_EVENT
    LOG_N_EVENTS
};

/* What a line is about: fields of its own in the journal; on stderr only call_sid is shown. NULL and 0: not known. */
struct log_about {
    enum log_event event;      /* MESSAGE_ID */
    const char *call_sid;      /* CALL_SID */
    const char *request_id;    /* REQUEST_ID */
    const char *contact_id;    /* CONTACT_ID */
    const char *message_id;    /* MESSAGE_SID: of ours, or the provider's */
    const char *route;         /* ROUTE: method and path as in the table of routes */
    const char *provider;      /* PROVIDER */
    const char *peer;          /* PEER */
    unsigned status;           /* STATUS */
    uint64_t duration_us;      /* DURATION_US */
};
int log_about(int level, int r, const struct log_about *about, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

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
#define log_limited_about(level, about, format, ...)                                               \
    do {                                                                                           \
        static struct log_limit limit_;                                                            \
        uint32_t n_hidden_;                                                                        \
        if (log_limit_pass(&limit_, clock_mono_ms(), &n_hidden_)) {                                \
            if (n_hidden_)                                                                         \
                (void)log_about((level), 0, (about), format " (%u alike left out)",                \
                                ##__VA_ARGS__, n_hidden_);                                         \
            else                                                                                   \
                (void)log_about((level), 0, (about), format, ##__VA_ARGS__);                       \
        }                                                                                          \
    } while (0)
#define log_limited(level, sid, ...)                                                               \
    log_limited_about((level), (&(struct log_about){ .call_sid = (sid) }), __VA_ARGS__)
