/*
 * test_headroom.c - a worker that keeps up has room, one that falls behind has none until it has caught up
 */
#include "services/headroom.h"

#include "tap.h"

/* So many windows in which each look finds that many frames; then what is told, and what is told later. */
static const struct {
    const char *what;
    unsigned n_windows, n_frames, n_calls, later_ms;
    uint64_t want_ms, want_later_ms;
} cases[] = {
    { "one frame at each look is no delay", 1, 1, 100, 100, 0, 0 },
    { "two are one frame's time", 1, 2, 100, 100, 20, 20 },
    { "eleven are ten frames' time", 1, 11, 100, 100, 200, 200 },
    { "what is told holds while nothing else is", 1, 11, 100, 3 * HEADROOM_WINDOW_MS, 200, 200 },
    { "but not for ever: those calls are over", 1, 11, 100, 3 * HEADROOM_WINDOW_MS + 1, 200, 0 },
    { "a burst of a few calls is their network's", 1, 11, HEADROOM_CALLS_MIN - 1, 100, 0, 0 },
    { "that of as many as that is ours", 1, 11, HEADROOM_CALLS_MIN, 100, 200, 200 },
    { "nothing is told before a window is full", 0, 11, 100, 100, 0, 0 },
    { "an average, not a sum", 7, 6, 100, 100, 100, 100 },
};

static uint64_t window(struct headroom *headroom, uint64_t now_ms, unsigned n_frames, unsigned n_calls, unsigned ms)
{
    for (unsigned at = 0; at <= ms; at += 5, now_ms += 5) {
        headroom_note(headroom, now_ms, n_frames);
        headroom_round(headroom, now_ms, n_calls);
    }
    return now_ms - 5;
}

int main(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct headroom headroom = { 0 };
        uint64_t now_ms = 1000000;

        for (unsigned n = 0; n < cases[i].n_windows; n++)
            now_ms = window(&headroom, now_ms, cases[i].n_frames, cases[i].n_calls, HEADROOM_WINDOW_MS);
        if (!cases[i].n_windows)
            now_ms = window(&headroom, now_ms, cases[i].n_frames, cases[i].n_calls, HEADROOM_WINDOW_MS - 5);
        ok(headroom_delay_ms(&headroom, now_ms) == cases[i].want_ms && headroom_delay_ms(&headroom, now_ms + cases[i].later_ms) == cases[i].want_later_ms,
           "%s", cases[i].what);
    }

    struct headroom headroom = { 0 };
    uint64_t now_ms = window(&headroom, 1000000, 21, 50, HEADROOM_WINDOW_MS);
    ok(headroom_delay_ms(&headroom, now_ms) == 400, "behind");
    now_ms = window(&headroom, now_ms + 5, 1, 50, HEADROOM_WINDOW_MS);
    ok(headroom_delay_ms(&headroom, now_ms) == 0, "and caught up within a window");
    return done_testing();
}
