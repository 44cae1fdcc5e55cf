#pragma once
/* decimator.h - 24 kHz to 8 kHz, as the samples come: 60 dB down from 4.4 kHz on, flat to 3.4 kHz */

#include <stddef.h>
#include <stdint.h>

enum {
    DECIMATOR_FACTOR = 3,
    DECIMATOR_TAPS = 96,
    DECIMATOR_BLOCK = 480,
    DECIMATOR_OUT_MAX = DECIMATOR_BLOCK / DECIMATOR_FACTOR + 1,
};

struct decimator {
    int16_t taps[DECIMATOR_TAPS];
    int16_t line[DECIMATOR_TAPS + DECIMATOR_BLOCK]; /* what is still needed, oldest first */
    size_t n_line;
};

void decimator_init(struct decimator *decimator);

/* n: up to DECIMATOR_BLOCK. Returns: samples that could be made, DECIMATOR_OUT_MAX at most. */
size_t decimator_push(struct decimator *decimator, const int16_t *pcm, size_t n, int16_t *out);

/* What the filter still holds; nothing may be pushed afterwards. */
size_t decimator_flush(struct decimator *decimator, int16_t *out);
