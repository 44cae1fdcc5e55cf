#pragma once
/* growth_table.h - a table of what the store costs as it grows: a row for each question, an answer for each size */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "utils/clock.h"

enum { ROWS_MAX = 64, SIZES = 3, SAMPLES = 100000 };

static struct answers {
    const char *what, *unit, *remark;
    double figures[SIZES];
} rows[ROWS_MAX];
static size_t n_rows;
static int size; /* the one that is asked */

/* The texts are kept. */
static void answer(const char *what, double figure, const char *unit, const char *remark)
{
    size_t i = 0;

    while (i < n_rows && strcmp(rows[i].what, what) != 0)
        i++;
    n_rows += i == n_rows;
    rows[i].what = what;
    rows[i].unit = unit;
    rows[i].remark = remark;
    rows[i].figures[size] = figure;
    fprintf(stderr, "%-52s %10.4g %s\n", what, figure, unit);
}

/* The last size is the figure, the others are beside it. */
static void print_rows(void)
{
    for (size_t i = 0; i < n_rows; i++) {
        char remark[128];
        snprintf(remark, sizeof(remark), "%.3g at 1 %%, %.3g at 10 %%; %s", rows[i].figures[0], rows[i].figures[1], rows[i].remark);
        bench_row(rows[i].what, rows[i].figures[SIZES - 1], rows[i].unit, remark);
    }
}

/* --- times of which the median and the 99th percentile are wanted */

static double samples[SAMPLES];
static size_t n_samples;

/* From then until now. One thread at a time. */
static void sample(uint64_t began_us)
{
    if (n_samples < SAMPLES)
        samples[n_samples++] = (double)(clock_mono_us() - began_us) / 1000;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Of the samples, which are over with that. */
static void answer_samples(const char *median, const char *high)
{
    qsort(samples, n_samples, sizeof(samples[0]), compare);
    answer(median, samples[n_samples / 2], "ms", "median, wall clock");
    answer(high, samples[n_samples * 99 / 100], "ms", "wall clock");
    n_samples = 0;
}
