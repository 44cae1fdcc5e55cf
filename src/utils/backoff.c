/*
 * backoff.c - how long to leave alone what failed
 */
#include "utils/backoff.h"

uint64_t backoff_ms(uint64_t first_ms, uint64_t max_ms, unsigned n_before, uint32_t random)
{
    uint64_t wait_ms = first_ms;

    for (unsigned i = 0; i < n_before && wait_ms < max_ms; i++)
        wait_ms *= 2;
    if (wait_ms > max_ms)
        wait_ms = max_ms;
    return wait_ms - (wait_ms / 4 * (random >> 16) >> 16);
}
