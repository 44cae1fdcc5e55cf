#pragma once
/*
 * headroom.h - whether a worker keeps up with its calls: how long their audio waits for it
 *
 * A phone sends a frame every FRAME_MS, so the frames that wait when a call is looked at tell how late the look is. One
 * call's may come in a burst, from its network; when those of many do, it is us.
 */

#include <stdatomic.h>
#include <stdint.h>

enum { HEADROOM_WINDOW_MS = 1000, HEADROOM_CALLS_MIN = 8 };

struct headroom { /* all zero to begin with */
    uint64_t window_ms; /* when the present window began */
    uint64_t n_looks, n_waiting;
    _Atomic uint64_t delay_ms, told_ms; /* of the last whole window, and when it ended; read by anybody */
};

/* n_frames, at least one, waited for a look. Thread: the worker. */
void headroom_note(struct headroom *headroom, uint64_t now_ms, uint64_t n_frames);

/*
 * A round is over, with so many calls: a window that is full is told.
 *
 * Thread: the worker.
 */
void headroom_round(struct headroom *headroom, uint64_t now_ms, uint64_t n_calls);

/* How long audio waited, on the average of the last window; 0 when there are few calls, or none any more. Thread: any. */
uint64_t headroom_delay_ms(const struct headroom *headroom, uint64_t now_ms);
