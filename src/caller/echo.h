#pragma once
/*
 * echo.h - recognisable payloads for the echo line
 *
 * Each 20 ms of audio carries its number and its call's, so that what comes
 * back says exactly what was lost, changed, mixed up or late, however the
 * server cuts it into messages.
 */

#include <stddef.h>
#include <stdint.h>

#include "caller/spread.h"

enum { ECHO_BLOCK = 160, ECHO_WINDOW = 1024 };

struct echo {
    uint32_t call;
    uint32_t n_sent, n_back; /* blocks; n_back in order and unchanged */
    uint32_t n_again;        /* came late or twice */
    uint64_t n_garbled;      /* bytes that belong to no block of ours */
    uint32_t n_next;         /* the number expected next */
    uint8_t block[ECHO_BLOCK];
    size_t n_block;
    uint64_t sent_us[ECHO_WINDOW];
};

void echo_stamp(struct echo *echo, uint8_t out[ECHO_BLOCK], uint64_t now_us);

/* What came back, in any pieces. round_trips: one entry per block; may be NULL. */
void echo_take(struct echo *echo, const uint8_t *bytes, size_t n, uint64_t now_us, struct spread *round_trips);

static inline uint32_t echo_n_missing(const struct echo *echo)
{
    return echo->n_sent - echo->n_back;
}
