#pragma once
/*
 * playout.h - what has been sent of the agent's voice, and what was heard of it
 *
 * Sans-IO: clips are queued, time and echoed marks are told, frames that are due come out. The other end
 * plays what it has in order and tells by marks how far it is; marks make the estimate better, but nothing
 * here waits for one.
 *
 * A clip may still be growing: what is there is sent in whole chunks, and when it runs dry the clock stands still. It
 * ends only when it is whole.
 *
 * Owner: keeps a reference of every clip that is queued. Thread: one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clip;

enum {
    PLAYOUT_SAYS = 8,         /* in the queue, the one that is playing included */
    PLAYOUT_AHEAD_MS = 1000,  /* sent before it is due */
    PLAYOUT_CHUNK_MS = 200,   /* of audio in one payload */
    PLAYOUT_MARK_MS = 400,    /* of audio between two marks */
    PLAYOUT_MARGIN_MS = 600,  /* the clock may run ahead of a mark by this before a say counts as heard without it */
    PLAYOUT_MARK_MAX = 48,    /* characters of a mark's name, with NUL */
    PLAYOUT_GROWTH_MS = 20,   /* how often a growing clip is looked at */
};

struct playout_say {
    unsigned say;
    struct clip *clip;  /* NULL: still being rendered */
    uint32_t from;      /* where in the clip it began, or goes on after a stop */
    uint32_t sent;      /* up to where in the clip it was sent */
    uint64_t start;     /* of `from`, in the stream */
    bool is_started;    /* was told as started */
    bool is_measured;   /* its whole length was told, too */
    bool is_moved;      /* it ran dry, or was begun again: where it is has to be told */
};

struct playout {
    struct playout_say says[PLAYOUT_SAYS]; /* in order; [0] is the first that was not heard to its end */
    unsigned n_says;
    bool is_held;        /* stopped: the queue waits to be resumed or dropped */
    uint32_t generation; /* since which clear */
    /* positions are samples of this generation's stream */
    uint64_t sent;
    uint64_t confirmed; /* by the last mark */
    uint64_t anchor;    /* `anchor` was heard at anchor_ms; the clock goes on from there */
    uint64_t anchor_ms;
    uint64_t marked;    /* where the last mark was set */
    bool is_mark_due;
};

void playout_init(struct playout *playout);
void playout_done(struct playout *playout);

/*
 * Queue a say behind the others; a held queue is dropped for it.
 *
 * clip:   NULL when it is still being rendered; playout_ready() brings it, playout_drop() gives it up.
 * Errors: -ENOBUFS PLAYOUT_SAYS are queued.
 */
int playout_say(struct playout *playout, unsigned say, struct clip *clip);
int playout_ready(struct playout *playout, unsigned say, struct clip *clip); /* -ENOENT: no longer wanted */
/* Its clip broke: playout_ready() brings another, which is said from its start. -ENOENT: no longer wanted. */
int playout_redo(struct playout *playout, unsigned say);
void playout_drop(struct playout *playout, unsigned say);
bool playout_wants(const struct playout *playout, unsigned say); /* it is queued, held or not */

enum playout_step_kind {
    PLAYOUT_NOTHING,
    PLAYOUT_AUDIO, /* one payload: ulaw, n; is_first of its say, total_ms (0 unknown) */
    PLAYOUT_MARK,  /* mark: to be sent behind the audio so far */
    PLAYOUT_MOVED, /* say, which was told as started: heard_ms of total_ms (0 unknown) it is now */
    PLAYOUT_ENDED, /* say was heard to its end, and is forgotten */
};

struct playout_step {
    enum playout_step_kind kind;
    unsigned say;
    const uint8_t *ulaw; /* lives until the next call */
    size_t n;
    bool is_first;
    uint32_t heard_ms, total_ms;
    char mark[PLAYOUT_MARK_MAX]; /* g<generation>.s<say>.<position> */
};

/*
 * What is due now; to be called until there is nothing.
 *
 * n_room: bytes that can be sent; less than a payload needs and it waits.
 */
void playout_next(struct playout *playout, uint64_t now_ms, size_t n_room, struct playout_step *ret_step);
uint64_t playout_deadline(const struct playout *playout, uint64_t now_ms); /* of the next step; UINT64_MAX none */

/* A mark came back. Returns: false for a foreign one, one of before a clear, or one that tells nothing new. */
bool playout_mark(struct playout *playout, const char *name, size_t n, uint64_t now_ms);

struct playout_heard {
    unsigned say; /* 0: none */
    uint32_t heard_ms, total_ms; /* total 0: not rendered yet, or not to its end */
};

/* The say that is being heard, else the next one, and how much of it was. */
void playout_heard(const struct playout *playout, uint64_t now_ms, struct playout_heard *ret_heard);

/* A say that the clock has passed though no mark told; to be taken as heard before a stop. Returns its number or 0. */
unsigned playout_passed(struct playout *playout, uint64_t now_ms);

/*
 * Silence: the queue is held, a new generation begins.
 *
 * Returns: true when audio may be waiting at the other end, so that it has to be cleared.
 */
bool playout_stop(struct playout *playout, uint64_t now_ms, struct playout_heard *ret_heard);

/* Go on with the held queue, from the last confirmed mark. -ENOENT: `say` is not the first of it. */
int playout_resume(struct playout *playout, unsigned say);

/* Nothing is being said or about to be: the queue is empty or held. */
bool playout_is_idle(const struct playout *playout);
