/*
 * test_echo.c - what an echo line loses, changes and mixes up
 */
#include "caller/echo.h"

#include <stdlib.h>
#include <string.h>

#include "tap.h"

enum { N = 20 };

static uint8_t stream[N * ECHO_BLOCK];
static struct spread round_trips;

static struct echo stamped(void)
{
    struct echo echo = { .call = 7 };

    for (uint64_t i = 0; i < N; i++)
        echo_stamp(&echo, stream + i * ECHO_BLOCK, i * 20000);
    return echo;
}

static void test_pieces(void)
{
    static const size_t sizes[] = { 1, 7, 160, 161, 800, N * ECHO_BLOCK };

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct echo echo = stamped();
        memset(&round_trips, 0, sizeof(round_trips));
        for (size_t at = 0; at < sizeof(stream); at += sizes[i])
            echo_take(&echo, stream + at, sizes[i] < sizeof(stream) - at ? sizes[i] : sizeof(stream) - at, 1000000, &round_trips);
        ok(echo.n_back == N && !echo.n_again && !echo.n_garbled, "pieces of %zu bytes: all is there", sizes[i]);
        is_int((long long)round_trips.n, N, "... with a round trip for each");
        is_int((long long)round_trips.max_us, 1000000, "... from when it was sent");
    }
}

static void test_faults(void)
{
    uint8_t bytes[sizeof(stream)];
    struct echo echo = stamped();

    echo_take(&echo, stream, 5 * ECHO_BLOCK, 0, NULL);
    echo_take(&echo, stream + 6 * ECHO_BLOCK, 14 * ECHO_BLOCK, 0, NULL);
    is_int(echo_n_missing(&echo), 1, "a lost block is missing");
    is_int((long long)echo.n_garbled, 0, "and nothing else is wrong");

    echo = stamped();
    memcpy(bytes, stream, sizeof(stream));
    bytes[3 * ECHO_BLOCK + 100] ^= 1;
    echo_take(&echo, bytes, sizeof(bytes), 0, NULL);
    ok(echo_n_missing(&echo) == 1 && echo.n_garbled == ECHO_BLOCK, "a changed bit costs its block, not more");

    echo = stamped();
    memcpy(bytes, stream, ECHO_BLOCK);
    echo_take(&echo, bytes, 50, 0, NULL);
    echo_take(&echo, stream + ECHO_BLOCK, sizeof(stream) - ECHO_BLOCK, 0, NULL);
    ok(echo_n_missing(&echo) == 1 && echo.n_garbled == 50, "a cut block does not take the others along");

    echo = stamped();
    echo_take(&echo, stream + ECHO_BLOCK, ECHO_BLOCK, 0, NULL);
    echo_take(&echo, stream, ECHO_BLOCK, 0, NULL);
    echo_take(&echo, stream + ECHO_BLOCK, ECHO_BLOCK, 0, NULL);
    ok(echo.n_back == 1 && echo.n_again == 2, "what comes late or twice is not counted as come");

    echo = stamped();
    struct echo other = stamped();
    other.call = 8;
    echo_take(&other, stream, sizeof(stream), 0, NULL);
    is_int(other.n_back, 0, "another call's audio is not ours");
}

static void test_spread(void)
{
    memset(&round_trips, 0, sizeof(round_trips));
    ok(spread_at(&round_trips, 0.5) == 0, "nothing measured is 0");
    for (uint64_t ms = 1; ms <= 100; ms++)
        spread_add(&round_trips, ms * 1000);
    ok(spread_at(&round_trips, 0.5) >= 50 && spread_at(&round_trips, 0.5) < 50.2, "the median of 1..100");
    ok(spread_at(&round_trips, 0.99) >= 99 && spread_at(&round_trips, 0.99) < 99.2, "and its 99th");
    spread_add(&round_trips, 60000000);
    ok(spread_at(&round_trips, 1) == 60000, "a minute does not fall off the end");
}

int main(void)
{
    test_pieces();
    test_faults();
    test_spread();
    return done_testing();
}
