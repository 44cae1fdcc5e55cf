#pragma once
/* spread.h - how durations are spread: exact to a tenth of a millisecond up to ten seconds, in fixed memory */

#include <stdint.h>

enum { SPREAD_STEP_US = 100, SPREAD_STEPS = 100000 };

struct spread { /* large: allocate it zeroed */
    uint64_t n, max_us;
    uint32_t counts[SPREAD_STEPS + 1]; /* the last one: ten seconds and more */
};

static inline void spread_add(struct spread *spread, uint64_t us)
{
    uint64_t step = us / SPREAD_STEP_US;

    spread->counts[step < SPREAD_STEPS ? step : SPREAD_STEPS]++;
    spread->n++;
    if (us > spread->max_us)
        spread->max_us = us;
}

/* The duration that this share (0..1) of all does not exceed, in ms; 0 when there are none. */
static inline double spread_at(const struct spread *spread, double share)
{
    uint64_t seen = 0;

    for (uint32_t step = 0; step < SPREAD_STEPS; step++) {
        seen += spread->counts[step];
        if (seen > 0 && (double)seen >= share * (double)spread->n)
            return (step + 0.5) * SPREAD_STEP_US / 1000.0;
    }
    return (double)spread->max_us / 1000.0;
}
