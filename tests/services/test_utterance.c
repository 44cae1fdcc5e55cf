/*
 * test_utterance.c - what was said comes back as it was, and a pool that is empty cuts it
 */
#include "services/utterance.h"

#include <stdlib.h>

#include "tap.h"
#include "utils/audio.h"
#include "utils/scoped.h"

enum { N_CHUNKS = 6 };

/* Sizes of the pieces it comes in; in the end it is as long as their sum. */
static const struct {
    size_t sizes[4];
    size_t n_chunks;
} cases[] = {
    { { 160 }, 1 },
    { { 160, 160, 1 }, 1 },
    { { UTTERANCE_CHUNK }, 1 },
    { { UTTERANCE_CHUNK, 1 }, 2 },
    { { UTTERANCE_CHUNK - 1, 2, UTTERANCE_CHUNK }, 3 },
    { { 3 * UTTERANCE_CHUNK + 7, 5 }, 4 },
    { { 0 }, 0 },
};

static uint8_t sound[UTTERANCE_MAX + UTTERANCE_CHUNK];
static int16_t want[UTTERANCE_MAX], got[UTTERANCE_MAX];

static void test_pieces(struct utterance_pool *pool)
{
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        struct utterance utterance = { 0 };
        size_t n = 0;

        for (size_t j = 0; j < ELEMENTSOF(cases[i].sizes); n += cases[i].sizes[j++])
            utterance_add(pool, &utterance, sound + n, cases[i].sizes[j]);
        ulaw_decode(sound, want, n);
        utterance_decode(&utterance, got);
        ok(utterance.n == n && !utterance.is_cut && memcmp(want, got, n * sizeof(got[0])) == 0,
           "%zu bytes come back as they were", n);
        is_int((long long)utterance_pool_n_free(pool), (long long)(N_CHUNKS - cases[i].n_chunks), "in as few chunks as they need");
        utterance_clear(pool, &utterance);
        ok(utterance.n == 0 && utterance_pool_n_free(pool) == N_CHUNKS, "and leave nothing behind");
    }
}

static void test_empty_pool(struct utterance_pool *pool)
{
    struct utterance first = { 0 }, second = { 0 };
    size_t n = 5 * UTTERANCE_CHUNK;

    utterance_add(pool, &first, sound, n);
    ok(utterance_add(pool, &second, sound, UTTERANCE_CHUNK - 10), "the last chunk is given out");
    ok(!utterance_add(pool, &second, sound + UTTERANCE_CHUNK - 10, 100), "then it is cut");
    is_int((long long)second.n, UTTERANCE_CHUNK, "where there was no room");
    utterance_clear(pool, &first);
    ok(!utterance_add(pool, &second, sound, 100) && second.n == UTTERANCE_CHUNK,
       "it is not gone on with later: there would be a hole");
    utterance_clear(pool, &second);
    ok(utterance_add(pool, &second, sound, 100), "a further one begins anew");
    utterance_clear(pool, &second);
}

static void test_too_long(void)
{
    struct utterance_pool *pool = NULL;
    struct utterance utterance = { 0 };

    if (utterance_pool_new(UTTERANCE_MAX / UTTERANCE_CHUNK + 1, &pool) < 0)
        return;
    ok(!utterance_add(pool, &utterance, sound, sizeof(sound)), "one that is too long is cut");
    is_int((long long)utterance.n, UTTERANCE_MAX, "at a minute");
    utterance_clear(pool, &utterance);
    utterance_pool_free(pool);
}

int main(void)
{
    struct utterance_pool *pool = NULL;

    for (size_t i = 0; i < sizeof(sound); i++)
        sound[i] = (uint8_t)(i * 31 + i / 251);
    if (utterance_pool_new(N_CHUNKS, &pool) < 0)
        return 1;
    test_pieces(pool);
    test_empty_pool(pool);
    utterance_pool_free(pool);
    test_too_long();
    return done_testing();
}
