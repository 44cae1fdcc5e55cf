/*
 * headroom.c - whether a worker keeps up with its calls
 *
 * Who keeps up finds one frame waiting, now and then two: an average of n frames is n - 1 frames of delay.
 */
#include "services/headroom.h"

enum { FRAME_MS = 20 };

void headroom_note(struct headroom *headroom, uint64_t now_ms, uint64_t n_frames)
{
    if (!headroom->window_ms)
        headroom->window_ms = now_ms;
    headroom->n_looks++;
    headroom->n_waiting += n_frames;
}

void headroom_round(struct headroom *headroom, uint64_t now_ms, uint64_t n_calls)
{
    if (!headroom->window_ms || now_ms < headroom->window_ms + HEADROOM_WINDOW_MS)
        return;
    uint64_t n_late = headroom->n_waiting - headroom->n_looks;
    uint64_t delay_ms = n_calls < HEADROOM_CALLS_MIN ? 0 : n_late * FRAME_MS / headroom->n_looks;

    atomic_store_explicit(&headroom->delay_ms, delay_ms, memory_order_relaxed);
    atomic_store_explicit(&headroom->told_ms, now_ms, memory_order_relaxed);
    headroom->window_ms = headroom->n_looks = headroom->n_waiting = 0;
}

/* A window that nothing follows for two more belongs to calls that are over. */
uint64_t headroom_delay_ms(const struct headroom *headroom, uint64_t now_ms)
{
    uint64_t told_ms = atomic_load_explicit(&headroom->told_ms, memory_order_relaxed);

    return now_ms > told_ms + 3 * HEADROOM_WINDOW_MS ? 0 : atomic_load_explicit(&headroom->delay_ms, memory_order_relaxed);
}
