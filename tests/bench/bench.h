#pragma once
/* bench.h - measure a piece of work, print one row; `make bench` puts all rows in one table */

#include <stdint.h>
#include <stdio.h>
#include <time.h>

static inline double bench_cpu_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* One row: what, figure, unit, and a goal or a remark. Tab-separated for tools/bench_table. */
static inline void bench_row(const char *what, double figure, const char *unit, const char *remark)
{
    printf("%s\t%.4g\t%s\t%s\n", what, figure, unit, remark);
    fflush(stdout);
}

/* CPU nanoseconds per round: the least of several tries, since others share the machine. */
#define BENCH_NS(rounds, statement)                                                                \
    ({                                                                                             \
        double least_ = 1e300;                                                                     \
        for (int try_ = 0; try_ < 7; try_++) {                                                     \
            double from_ = bench_cpu_ns();                                                         \
            for (long round_ = 0; round_ < (rounds); round_++)                                     \
                statement;                                                                         \
            double took_ = (bench_cpu_ns() - from_) / (double)(rounds);                            \
            least_ = took_ < least_ ? took_ : least_;                                              \
        }                                                                                          \
        least_;                                                                                    \
    })

/* Keeps the compiler from dropping work whose result nobody reads. */
#define BENCH_KEEP(value) __asm__ volatile("" : : "r,m"(value) : "memory")
