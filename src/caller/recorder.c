/*
 * recorder.c - both sides of a call as a stereo WAV
 */
#include "caller/recorder.h"

#include <errno.h>
#include <string.h>

#include "utils/audio.h"
#include "utils/scoped.h"

enum { SAMPLE_US = 125 };

int recorder_put(struct recorder *recorder, bool agent, uint64_t at_us, const uint8_t *ulaw,
                 size_t n)
{
    __typeof__(&recorder->sides[0]) side = &recorder->sides[agent];

    if (recorder->base_us == 0)
        recorder->base_us = at_us;
    if (at_us < recorder->base_us)
        return 0;
    uint64_t from = (at_us - recorder->base_us) / SAMPLE_US;
    if (from + n > RECORDER_MAX_SAMPLES)
        return 0;

    size_t to = (size_t)from + n;
    if (to > side->n_room) {
        size_t n_room = to * 2;
        uint8_t *grown = realloc(side->ulaw, n_room);
        if (!grown)
            return -ENOMEM;
        side->ulaw = grown;
        side->n_room = n_room;
    }
    if (from > side->n)
        memset(side->ulaw + side->n, ULAW_SILENCE, (size_t)from - side->n);
    memcpy(side->ulaw + from, ulaw, n);
    if (to > side->n)
        side->n = to;
    return 0;
}

int recorder_write(const struct recorder *recorder, const char *path)
{
    size_t n =
        recorder->sides[0].n > recorder->sides[1].n ? recorder->sides[0].n : recorder->sides[1].n;
    scoped(free) int16_t *pcm = calloc(n ? n : 1, 2 * sizeof(*pcm));
    struct wav wav = { .rate_hz = 8000, .n_channels = 2, .n_samples = n, .pcm = pcm };

    if (!pcm)
        return -ENOMEM;
    for (size_t side = 0; side < 2; side++)
        for (size_t i = 0; i < recorder->sides[side].n; i++)
            ulaw_decode(recorder->sides[side].ulaw + i, pcm + 2 * i + side, 1);
    return wav_write(path, &wav);
}

void recorder_done(struct recorder *recorder)
{
    free(recorder->sides[0].ulaw);
    free(recorder->sides[1].ulaw);
    *recorder = (struct recorder){ 0 };
}
