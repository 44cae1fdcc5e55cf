/*
 * test_bucket.c - how many may be taken, and when the next
 */
#include "utils/bucket.h"

#include <pthread.h>

#include "tap.h"
#include "utils/scoped.h"

enum { SECOND = 1000000 };

static const struct {
    uint64_t now_us, want; /* microseconds to wait */
    const char *what;
} rows[] = { /* three at once, twenty a minute: one in three seconds */
    { 1000 * SECOND, 0, "the first" },
    { 1000 * SECOND, 0, "the second" },
    { 1000 * SECOND, 0, "the third empties it" },
    { 1000 * SECOND, 3 * SECOND, "the fourth waits" },
    { 1002 * SECOND, 1 * SECOND, "asking took none" },
    { 1003 * SECOND, 0, "then there is one" },
    { 1003 * SECOND, 3 * SECOND, "one only" },
    { 2000 * SECOND, 0, "long after it is full" },
    { 2000 * SECOND, 0, "and has three" },
    { 2000 * SECOND, 0, "but no more than three" },
    { 2000 * SECOND, 3 * SECOND, "it is empty again" },
    { 1 * SECOND, 0, "a clock that steps back finds it full" },
};

static bucket_level shared;
static _Atomic int n_taken;

static void *take_many(void *arg)
{
    for (int i = 0; i < 1000; i++)
        if (bucket_take(&shared, &(struct bucket_rule){ 100, 60 }, SECOND) == 0)
            n_taken++;
    return arg;
}

int main(void)
{
    const struct bucket_rule rule = { .burst = 3, .per_minute = 20 };
    bucket_level level = 0, other = 0;
    pthread_t threads[4];

    for (size_t i = 0; i < ELEMENTSOF(rows); i++)
        is_int((long long)bucket_take(&level, &rule, rows[i].now_us), (long long)rows[i].want, rows[i].what);
    is_int((long long)bucket_take(&other, &(struct bucket_rule){ 1, 100000000 }, 5), 0, "a rate beyond the clock");
    is_int((long long)bucket_take(&other, &(struct bucket_rule){ 1, 100000000 }, 5), 1, "is one a microsecond");
    for (size_t i = 0; i < ELEMENTSOF(threads); i++)
        pthread_create(&threads[i], NULL, take_many, NULL);
    for (size_t i = 0; i < ELEMENTSOF(threads); i++)
        pthread_join(threads[i], NULL);
    is_int(n_taken, 100, "four threads get what is there, and no more");
    return done_testing();
}
