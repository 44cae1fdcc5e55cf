/*
 * bucket.c - a token bucket in one number, which many threads may take from
 *
 * What is kept is the moment at which the bucket will be full. One token takes as long to come back as a minute has room
 * for; the bucket is empty when that moment lies more than burst - 1 tokens ahead. A clock that steps back by more
 * than a whole bucket finds it full.
 */
#include "utils/bucket.h"

enum { MINUTE_US = 60000000 };

uint64_t bucket_take(bucket_level *level, const struct bucket_rule *rule, uint64_t now_us)
{
    uint64_t each_us = MINUTE_US / rule->per_minute ?: 1, room_us = each_us * (rule->burst - 1);
    uint64_t full_us = atomic_load_explicit(level, memory_order_relaxed);

    for (;;) {
        uint64_t from_us = full_us > now_us && full_us - now_us <= room_us + each_us ? full_us : now_us;
        if (from_us - now_us > room_us)
            return from_us - now_us - room_us;
        if (atomic_compare_exchange_weak_explicit(level, &full_us, from_us + each_us, memory_order_relaxed, memory_order_relaxed))
            return 0;
    }
}
