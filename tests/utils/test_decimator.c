/*
 * test_decimator.c - speech passes, what would fold into it does not
 */
#include "utils/decimator.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"
#include "utils/scoped.h"

enum { N = 24000, OUT = N / 3 + DECIMATOR_TAPS };

static size_t convert(const int16_t *pcm, size_t n, size_t piece, int16_t *out)
{
    struct decimator decimator;
    size_t n_out = 0;

    decimator_init(&decimator);
    for (size_t at = 0; at < n; at += piece)
        n_out += decimator_push(&decimator, pcm + at, n - at < piece ? n - at : piece, out + n_out);
    return n_out + decimator_flush(&decimator, out + n_out);
}

static const struct {
    double hz, least_db, most_db;
} tones[] = {
    { 0, -0.1, 0.1 },      { 100, -0.1, 0.1 },   { 1000, -0.1, 0.1 },  { 3000, -0.3, 0.1 },    { 3400, -1, 0.1 },
    { 4500, -200, -58 },   { 5000, -200, -58 },  { 7000, -200, -58 },  { 8000, -200, -58 },    { 9000, -200, -58 },
    { 11900, -200, -58 },
};

static void test_tones(void)
{
    static int16_t pcm[N], out[OUT];

    for (size_t i = 0; i < ELEMENTSOF(tones); i++) {
        double power = 0, most = 0;

        for (size_t k = 0; k < N; k++) {
            pcm[k] = (int16_t)(20000 * cos(2 * M_PI * tones[i].hz * (double)k / 24000));
            most += pcm[k] * (double)pcm[k];
        }
        size_t n = convert(pcm, N, DECIMATOR_BLOCK, out);
        for (size_t k = 100; k < n - 100; k++) /* the ends ring */
            power += out[k] * (double)out[k];
        double db = 10 * log10((power / (double)(n - 200) + 1e-9) / (most / N));
        ok(db >= tones[i].least_db && db <= tones[i].most_db, "%.0f Hz: %.1f dB", tones[i].hz, db);
    }
}

static void test_pieces(void)
{
    static const size_t pieces[] = { 1, 2, 3, 7, 479, DECIMATOR_BLOCK };
    static int16_t pcm[N], out[OUT], want[OUT];
    uint32_t seed = 7;
    size_t n_want;

    for (size_t i = 0; i < N; i++) {
        seed = seed * 1664525 + 1013904223;
        pcm[i] = (int16_t)(seed >> 31 ? INT16_MAX : INT16_MIN); /* the worst there is */
    }
    n_want = convert(pcm, N, 100, want);
    ok(n_want >= N / 3 && n_want <= N / 3 + 1, "a third of the samples");
    for (size_t i = 0; i < ELEMENTSOF(pieces); i++) {
        size_t n = convert(pcm, N, pieces[i], out);
        ok(n == n_want && memcmp(out, want, n * sizeof(*out)) == 0, "the same in pieces of %zu", pieces[i]);
    }
    ok(convert(pcm, 0, 1, out) == 1 && out[0] == 0, "of nothing a silent sample");
}

static double wave(double seconds)
{
    return 6000 * sin(2 * M_PI * 440 * seconds) + 6000 * sin(2 * M_PI * 2500 * seconds);
}

static void test_wave(void)
{
    static int16_t pcm[N], out[OUT];
    double error = 0, power = 0;

    for (size_t i = 0; i < N; i++)
        pcm[i] = (int16_t)lrint(wave((double)i / 24000));
    size_t n = convert(pcm, N, 480, out);
    for (size_t i = 100; i < n - 100; i++) { /* an even number of taps: half a sample late */
        double want = wave((double)i / 8000 - 0.5 / 24000);
        error += (out[i] - want) * (out[i] - want);
        power += want * want;
    }
    ok(error < power / 1e5, "the same wave, %.1f dB off", 10 * log10(error / power));
}

int main(void)
{
    test_tones();
    test_pieces();
    test_wave();
    return done_testing();
}
