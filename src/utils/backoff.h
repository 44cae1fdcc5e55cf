#pragma once
/* backoff.h - how long to leave alone what failed */

#include <stdint.h>

/*
 * first_ms, doubled with each time before this one up to max_ms, less up to a quarter, so that what failed together does not
 * come back together.
 *
 * random: 32 bits of chance; 0 nothing is taken off.
 */
uint64_t backoff_ms(uint64_t first_ms, uint64_t max_ms, unsigned n_before, uint32_t random);
