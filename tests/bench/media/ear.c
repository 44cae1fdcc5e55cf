/*
 * ear.c - the caller of an agent
 */
#include "ear.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recordings.h"
#include "utils/audio.h"

enum { RATE_HZ = 8000, US_PER_BYTE = 1000000 / RATE_HZ };

/* Uniform, so that its root mean square is its bound by the root of three. */
static void make_noise(uint8_t *ulaw, size_t n, unsigned rms)
{
    uint32_t state = 1;
    int bound = (int)(rms * 173 / 100);

    for (size_t i = 0; i < n; i++) {
        state = state * 1664525 + 1013904223;
        int16_t sample = (int16_t)((int)(state >> 8) % (2 * bound + 1) - bound);
        ulaw_encode(&sample, ulaw + i, 1);
    }
}

int line_make(const char *wav, unsigned cycle_ms, unsigned noise, struct line *ret_line)
{
    struct recording said = { 0 };

    if (recordings_read(wav, &said) < 0)
        return -1;
    size_t n_said = (said.n + LINE_FRAME - 1) / LINE_FRAME, n_cycle = (size_t)cycle_ms * RATE_HZ / 1000 / LINE_FRAME;
    size_t n_frames = n_cycle > n_said ? n_cycle : n_said;
    uint8_t *ulaw = malloc(n_frames * LINE_FRAME);

    make_noise(ulaw, n_frames * LINE_FRAME, noise);
    ulaw_encode(said.pcm, ulaw, said.n);
    free(said.pcm);
    *ret_line = (struct line){ ulaw, n_frames, n_said };
    return 0;
}

void ear_count(struct ear *ear)
{
    ear->n_asked = ear->n_answered = ear->n_underruns = 0;
    ear->asked_us = 0;
    ear->is_whole = false;
}

void ear_speak(struct ear *ear, const struct line *line, size_t at, uint64_t now_us)
{
    ear->is_whole |= at == 0;
    ear->has_spoken |= at < line->n_said;
    if (at + 1 == line->n_said && ear->is_whole) {
        ear->n_asked++;
        ear->asked_us = now_us;
    }
}

uint64_t ear_hear(struct ear *ear, size_t n_bytes, uint64_t now_us)
{
    bool is_dry = ear->played_us <= now_us;
    uint64_t waited_us = 0;

    if (is_dry && !ear->has_spoken)
        ear->n_underruns += ear->played_us != 0;
    if (is_dry && ear->has_spoken && ear->asked_us) {
        waited_us = now_us - ear->asked_us;
        ear->n_answered++;
        ear->asked_us = 0;
    }
    ear->has_spoken &= !is_dry;
    ear->played_us = (is_dry ? now_us : ear->played_us) + n_bytes * US_PER_BYTE;
    return waited_us;
}

void ear_mark(struct ear *ear, const char *name, uint64_t now_us)
{
    if (ear->n_marks == EAR_MARKS)
        return;
    ear->marks[ear->n_marks].due_us = ear->played_us > now_us ? ear->played_us : now_us;
    (void)sscanf(name, "%63[^\"]", ear->marks[ear->n_marks++].name);
}

void ear_clear(struct ear *ear, uint64_t now_us)
{
    ear->played_us = now_us;
    for (unsigned i = 0; i < ear->n_marks; i++)
        ear->marks[i].due_us = now_us;
}

const char *ear_reached(struct ear *ear, uint64_t now_us)
{
    static char name[EAR_NAME];

    if (!ear->n_marks || ear->marks[0].due_us > now_us)
        return NULL;
    memcpy(name, ear->marks[0].name, sizeof(name));
    memmove(ear->marks, ear->marks + 1, --ear->n_marks * sizeof(ear->marks[0]));
    return name;
}

unsigned ear_unanswered(const struct ear *ear, uint64_t now_us)
{
    bool is_late = ear->asked_us && now_us - ear->asked_us < EAR_ANSWER_S * 1000000;

    return ear->n_asked - ear->n_answered - is_late;
}
