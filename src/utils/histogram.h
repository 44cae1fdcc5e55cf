#pragma once
/* histogram.h - how often a value was how large: counted by any thread, without a lock */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 17 };

/* bounds[i] is the largest value of bucket i; that of the last, UINT64_MAX, is not to be passed. */
struct histogram_scale {
    size_t n; /* buckets */
    double unit; /* what a value of 1 is, in the base unit: 1e-6 for microseconds */
    uint64_t bounds[HISTOGRAM_BUCKETS];
};

extern const struct histogram_scale histogram_us;     /* durations, in microseconds: 250 us to 30 s */
extern const struct histogram_scale histogram_number; /* 1, 2, 4 ... 256 */
extern const struct histogram_scale histogram_percent;

struct histogram {
    _Atomic uint64_t counts[HISTOGRAM_BUCKETS], sum;
};

struct histogram_sums {
    uint64_t counts[HISTOGRAM_BUCKETS], sum;
};

static inline size_t histogram_bucket(const struct histogram_scale *scale, uint64_t value)
{
    size_t i = 0;

    while (value > scale->bounds[i])
        i++;
    return i;
}

static inline void histogram_add(struct histogram *histogram, const struct histogram_scale *scale, uint64_t value)
{
    atomic_fetch_add_explicit(&histogram->counts[histogram_bucket(scale, value)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum, value, memory_order_relaxed);
}

/* The same for the only thread that adds to it: no locked instruction. */
static inline void histogram_add_alone(struct histogram *histogram, const struct histogram_scale *scale, uint64_t value)
{
    _Atomic uint64_t *count = &histogram->counts[histogram_bucket(scale, value)];

    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1, memory_order_relaxed);
    atomic_store_explicit(&histogram->sum, atomic_load_explicit(&histogram->sum, memory_order_relaxed) + value, memory_order_relaxed);
}

/* What others count meanwhile may be in one of the numbers and not in the other. ret_sums is added to. */
static inline void histogram_sum(const struct histogram *histogram, struct histogram_sums *ret_sums)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        ret_sums->counts[i] += atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
    ret_sums->sum += atomic_load_explicit(&histogram->sum, memory_order_relaxed);
}
