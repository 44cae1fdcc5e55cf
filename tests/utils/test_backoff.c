/*
 * test_backoff.c - how long to leave alone what failed
 */
#include "utils/backoff.h"

#include "tap.h"

static const struct {
    uint64_t first_ms, max_ms;
    unsigned n_before;
    uint32_t random;
    uint64_t want;
} cases[] = {
    { 100, 1000, 0, 0, 100 },
    { 100, 1000, 1, 0, 200 },
    { 100, 1000, 3, 0, 800 },
    { 100, 1000, 4, 0, 1000 },
    { 100, 1000, UINT32_MAX, 0, 1000 },
    { 2000, 1000, 0, 0, 1000 },
    { 100, 1000, 0, UINT32_MAX, 76 },
    { 100, 1000, 0, UINT32_MAX / 2, 88 },
    { 100, 1000, 9, UINT32_MAX, 751 },
    { 0, 1000, 9, UINT32_MAX, 0 },
};

int main(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ok(backoff_ms(cases[i].first_ms, cases[i].max_ms, cases[i].n_before, cases[i].random) == cases[i].want, "row %zu", i + 1);
    return done_testing();
}
