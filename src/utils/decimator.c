/*
 * decimator.c - 24 kHz to 8 kHz, as the samples come
 *
 * A windowed sinc of which only every third output is computed: 96 multiplications of 16 bits a sample. libsamplerate
 * does the same thirty times slower (make bench), which the thread that carries all requests has no time for.
 */
#include "utils/decimator.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { SCALE_BITS = 14, FLUSH = DECIMATOR_TAPS / 2 };

static const double CUTOFF = 3900.0 / 24000, KAISER_BETA = 5.65;

/* The modified Bessel function of the first kind, order 0. */
static double bessel(double x)
{
    double sum = 1, term = 1;

    for (int k = 1; k < 24; k++) {
        term *= x / 2 / k;
        sum += term * term;
    }
    return sum;
}

static double tap(int i)
{
    double t = i - (DECIMATOR_TAPS - 1) / 2.0, edge = 2 * t / (DECIMATOR_TAPS - 1);

    return sin(2 * M_PI * CUTOFF * t) / (M_PI * t) * bessel(KAISER_BETA * sqrt(1 - edge * edge)) / bessel(KAISER_BETA);
}

void decimator_init(struct decimator *decimator)
{
    *decimator = (struct decimator){ .n_line = DECIMATOR_TAPS - FLUSH };
    for (int i = 0; i < DECIMATOR_TAPS; i++)
        decimator->taps[i] = (int16_t)lrint(tap(i) * (1 << SCALE_BITS));
}

static int16_t filter(const struct decimator *decimator, const int16_t *line)
{
    int32_t sum = 1 << (SCALE_BITS - 1);

    for (size_t i = 0; i < DECIMATOR_TAPS; i++)
        sum += decimator->taps[i] * line[i];
    sum >>= SCALE_BITS;
    return (int16_t)(sum > INT16_MAX ? INT16_MAX : sum < INT16_MIN ? INT16_MIN : sum);
}

static size_t drain(struct decimator *decimator, int16_t *out)
{
    size_t at = 0, n = 0;

    for (; at + DECIMATOR_TAPS <= decimator->n_line; at += DECIMATOR_FACTOR)
        out[n++] = filter(decimator, decimator->line + at);
    decimator->n_line -= at;
    memmove(decimator->line, decimator->line + at, decimator->n_line * sizeof(decimator->line[0]));
    return n;
}

size_t decimator_push(struct decimator *decimator, const int16_t *pcm, size_t n, int16_t *out)
{
    assert(n <= DECIMATOR_BLOCK);
    memcpy(decimator->line + decimator->n_line, pcm, n * sizeof(*pcm));
    decimator->n_line += n;
    return drain(decimator, out);
}

size_t decimator_flush(struct decimator *decimator, int16_t *out)
{
    memset(decimator->line + decimator->n_line, 0, FLUSH * sizeof(decimator->line[0]));
    decimator->n_line += FLUSH;
    return drain(decimator, out);
}
