/*
 * echo.c - recognisable payloads for the echo line
 *
 *   bytes 0..3   "echo"
 *   bytes 4..7   the block's number from 0, little-endian
 *   bytes 8..11  the call's number
 *   the rest     grows by one from the low byte of the block's number
 */
#include "caller/echo.h"

#include <string.h>

static void make_block(uint8_t out[ECHO_BLOCK], uint32_t number, uint32_t call)
{
    memcpy(out, "echo", 4);
    for (int i = 0; i < 4; i++) {
        out[4 + i] = (uint8_t)(number >> (8 * i));
        out[8 + i] = (uint8_t)(call >> (8 * i));
    }
    for (size_t i = 12; i < ECHO_BLOCK; i++)
        out[i] = (uint8_t)(number + i);
}

void echo_stamp(struct echo *echo, uint8_t out[ECHO_BLOCK], uint64_t now_us)
{
    echo->sent_us[echo->n_sent % ECHO_WINDOW] = now_us;
    make_block(out, echo->n_sent++, echo->call);
}

static int take_block(struct echo *echo, uint64_t now_us, struct spread *round_trips)
{
    uint8_t want[ECHO_BLOCK];
    uint32_t number = 0;

    for (int i = 3; i >= 0; i--)
        number = number << 8 | echo->block[4 + i];
    make_block(want, number, echo->call);
    if (memcmp(echo->block, want, ECHO_BLOCK) != 0 || number >= echo->n_sent)
        return 0;

    if (number < echo->n_next) {
        echo->n_again++;
        return 1;
    }
    echo->n_next = number + 1;
    echo->n_back++;
    if (round_trips && echo->n_sent - number <= ECHO_WINDOW)
        spread_add(round_trips, now_us - echo->sent_us[number % ECHO_WINDOW]);
    return 1;
}

void echo_take(struct echo *echo, const uint8_t *bytes, size_t n, uint64_t now_us,
               struct spread *round_trips)
{
    while (n > 0) {
        size_t n_part = ECHO_BLOCK - echo->n_block < n ? ECHO_BLOCK - echo->n_block : n;

        memcpy(echo->block + echo->n_block, bytes, n_part);
        echo->n_block += n_part;
        bytes += n_part;
        n -= n_part;
        if (echo->n_block < ECHO_BLOCK)
            return;
        if (take_block(echo, now_us, round_trips)) {
            echo->n_block = 0;
            continue;
        }

        /* not one of ours: go on at the next place where one may begin */
        const uint8_t *next = memchr(echo->block + 1, 'e', ECHO_BLOCK - 1);
        size_t n_skip = next ? (size_t)(next - echo->block) : ECHO_BLOCK;
        memmove(echo->block, echo->block + n_skip, ECHO_BLOCK - n_skip);
        echo->n_block -= n_skip;
        echo->n_garbled += n_skip;
    }
}
