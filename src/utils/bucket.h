#pragma once
/* bucket.h - a token bucket in one number, which many threads may take from */

#include <stdatomic.h>
#include <stdint.h>

/* So many at once, and so many a minute in the long run. */
struct bucket_rule {
    uint64_t burst, per_minute; /* neither 0 */
};

/* When it will be full again, in microseconds of whatever clock; 0: it is full. */
typedef _Atomic uint64_t bucket_level;

/*
 * Take one. Thread: any; never waits.
 *
 * Returns: 0 taken; otherwise nothing was taken, and so many microseconds from now there will be one.
 */
uint64_t bucket_take(bucket_level *level, const struct bucket_rule *rule, uint64_t now_us);
