/*
 * histogram.c - the scales
 */
#include "utils/histogram.h"

const struct histogram_scale histogram_us = {
    .n = 17,
    .unit = 1e-6,
    .bounds = { 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000,
                30000000, UINT64_MAX },
};

const struct histogram_scale histogram_number = {
    .n = 10,
    .unit = 1,
    .bounds = { 1, 2, 4, 8, 16, 32, 64, 128, 256, UINT64_MAX },
};

const struct histogram_scale histogram_percent = {
    .n = 9,
    .unit = 0.01,
    .bounds = { 1, 5, 10, 25, 50, 75, 90, 99, UINT64_MAX },
};
