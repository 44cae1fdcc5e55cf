#pragma once
/*
 * succession.h - the process that comes after us: started with our sockets, and talked with
 *
 *   we, the predecessor                      the successor
 *   start it ─────────────────────────────>  builds everything; nothing of it shows outside
 *                <── READY, or FAILED why ── or it ends, or time is up: we go on as before
 *   stop what only one may do ── LEAD ────>  begins that, and accepts
 *                <──────────────── LEADING ─
 *   tell the service manager ─── MAIN ────>  tells it more from here on
 *   stop accepting, end our calls, go
 *
 * The successor gets what systemd would have passed (LISTEN_FDS and their names), and two descriptors more. Thread: one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "listeners.h"

enum word { WORD_READY, WORD_FAILED, WORD_LEAD, WORD_LEADING, WORD_MAIN, N_WORDS };

enum { WORD_TEXT_MAX = 1024 };

/* text: why; "" with most. What cannot be said is lost: the other one is gone, and hear() tells that. */
void succession_say(int fd, enum word word, const char *text);

/* Returns: the word; what is not known is skipped. Errors: -EAGAIN nothing was said, -EPIPE he is gone. */
int succession_hear(int fd, char ret_text[WORD_TEXT_MAX]);

/* How this process was started, taken down before anything is installed in its place. Errors: -errno. */
struct program {
    char *path;        /* where it is installed; resolved against the working directory of then */
    char *arguments;   /* one behind the other, each with its NUL */
    size_t n_arguments; /* bytes */
};
int program_note(struct program *ret_program);
void program_done(struct program *program);

struct successor {
    pid_t pid;
    int pidfd; /* -1 it has ended already */
    int fd;    /* to talk; to be watched: that it ends is its end */
};

/*
 * Run the program at program->path with our arguments and environment, these listeners and lead_fd.
 *
 * Errors: -errno; that it cannot be executed is told like any other end of it.
 */
int successor_start(const struct program *program, const struct listener *listeners, size_t n, int lead_fd,
                    struct successor *ret_successor);

/* It has to go: killed, if it still runs, and waited for. */
void successor_end(struct successor *successor);
void successor_forget(struct successor *successor); /* it is on its own from here on */

/* What a predecessor passed beside the listeners. Returns: whether there is one; both are -1 otherwise, and owned by the caller. */
struct inheritance {
    int predecessor_fd, lead_fd;
};
bool succession_inherit(struct inheritance *ret_inheritance);

/* A name in LISTEN_FDNAMES that is no listener's but ours. */
bool succession_is_name(const char *name);
