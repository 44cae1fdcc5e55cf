/*
 * test_vad.c - human speech starts and ends; silence, noise, hum and clicks never start
 */
#include "services/vad.h"

#include <math.h>
#include <stdbool.h>

#include "recordings.h"
#include "tap.h"

enum { SECOND = 8000 };

static uint32_t seed;

/* -1..1, the same for every run */
static double white(size_t i)
{
    seed = seed * 1664525 + 1013904223;
    return (double)(seed >> 8) / (1 << 23) - 1;
}

static double brown(size_t i)
{
    static double sum;
    sum = 0.98 * sum + 0.2 * white(i);
    return sum;
}

static double hum(size_t i)
{
    return sin(2 * M_PI * 50 * (double)i / SECOND) + 0.3 * sin(2 * M_PI * 150 * (double)i / SECOND);
}

static double click(size_t i)
{
    return i % 4000 < 20 ? white(i) : 0;
}

static double nothing(size_t i)
{
    return 0;
}

/* The denoiser learns a noise in up to two seconds; until then it may pass for speech. */
static const struct {
    const char *what;
    double (*sound)(size_t i);
    double level;
    unsigned learning_ms;
} quiet[] = {
    { "digital silence", nothing, 0, 0 },
    { "mu-law idle noise", white, 16, 0 },
    { "two clicks a second", click, 20000, 0 },
    { "white noise at -46 dBFS", white, 164 * 1.7, 2000 },
    { "white noise at -26 dBFS", white, 1640 * 1.7, 2000 },
    { "brown noise", brown, 1000, 2000 },
    { "mains hum", hum, 1500, 2000 },
};

struct seen {
    int n_started, n_ended, n_wrong; /* a second start or end in a row */
    bool speaking;
    size_t last_start_ms, last_ms; /* and the last end */
};

static void push(struct vad *vad, const int16_t *pcm, size_t n, size_t from_ms, struct seen *seen)
{
    for (size_t at = 0; at + VAD_FRAME <= n; at += VAD_FRAME) {
        enum vad_change change = vad_push(vad, pcm + at);
        size_t now_ms = from_ms + (at + VAD_FRAME) / 8;
        if (change == VAD_NOTHING)
            continue;
        seen->n_wrong += seen->speaking == (change == VAD_STARTED);
        seen->speaking = change == VAD_STARTED;
        if (change == VAD_STARTED) {
            seen->n_started++;
            seen->last_start_ms = now_ms;
        } else {
            seen->n_ended++;
            seen->last_ms = now_ms;
        }
    }
}

static void push_silence(struct vad *vad, size_t n_ms, size_t from_ms, struct seen *seen)
{
    static const int16_t silence[SECOND];

    push(vad, silence, n_ms * 8, from_ms, seen);
}

static void test_quiet(int (*make)(struct vad **), const char *engine)
{
    for (size_t i = 0; i < ELEMENTSOF(quiet); i++) {
        static int16_t pcm[30 * SECOND];
        struct seen seen = { 0 };
        scoped(vad_free) struct vad *vad = NULL;

        if (make(&vad) < 0)
            return;
        seed = 1;
        for (size_t j = 0; j < ELEMENTSOF(pcm); j++)
            pcm[j] = (int16_t)(quiet[i].level * quiet[i].sound(j));
        push(vad, pcm, ELEMENTSOF(pcm), 0, &seen);
        ok(seen.last_start_ms <= quiet[i].learning_ms && seen.last_ms <= quiet[i].learning_ms &&
               !seen.speaking,
           "%s: half a minute of %s is no speech%s", engine, quiet[i].what,
           quiet[i].learning_ms ? " once it is learnt" : "");
    }
}

/* The same on a line that was quiet before: what begins there is told from speech a little later. */
static void test_noise_begins(int (*make)(struct vad **), const char *engine)
{
    enum { BEFORE_MS = 1000, CLEAN_MS = 2000 };

    for (size_t i = 0; i < ELEMENTSOF(quiet); i++) {
        static int16_t pcm[30 * SECOND];
        struct seen seen = { 0 };
        scoped(vad_free) struct vad *vad = NULL;
        size_t learnt_ms = quiet[i].learning_ms ? BEFORE_MS + CLEAN_MS + quiet[i].learning_ms : 0;

        if (make(&vad) < 0)
            return;
        seed = 1;
        for (size_t j = 0; j < ELEMENTSOF(pcm); j++)
            pcm[j] = (int16_t)(quiet[i].level * quiet[i].sound(j));
        push_silence(vad, BEFORE_MS, 0, &seen);
        push(vad, pcm, ELEMENTSOF(pcm), BEFORE_MS, &seen);
        ok(seen.last_start_ms <= learnt_ms && seen.last_ms <= learnt_ms && !seen.speaking,
           "%s: %s that begins on a quiet line is no speech in the end", engine, quiet[i].what);
    }
}

static void test_human(int (*make)(struct vad **), const char *engine,
                       const struct recordings *recordings)
{
    int n = 0, n_unseen = 0, n_unended = 0, n_late = 0, n_wrong = 0;

    for (size_t i = 0; i < recordings->n; i++) {
        const struct recording *one = &recordings->all[i];
        struct seen seen = { 0 };
        scoped(vad_free) struct vad *vad = NULL;
        size_t end_ms = 500 + one->n / 8;

        if (strcmp(one->set, "synth") == 0 || make(&vad) < 0)
            continue;
        push_silence(vad, 500, 0, &seen);
        push(vad, one->pcm, one->n, 500, &seen);
        push_silence(vad, 1000, end_ms, &seen);
        n++;
        n_unseen += !seen.n_started;
        n_unended += seen.n_started != seen.n_ended || seen.speaking;
        n_late += seen.last_ms > end_ms + VAD_OFFSET_MS + 120;
        n_wrong += seen.n_wrong;
        if (!seen.n_started)
            printf("# %s: nothing seen in %s (%s)\n", engine, one->file, one->text);
    }
    ok(n > 0 && n_unseen == 0, "%s: every one of %d human recordings starts speech", engine, n);
    is_int(n_unended, 0, "whatever starts also ends");
    is_int(n_late, 0, "at the latest VAD_OFFSET_MS and a little behind the recording's end");
    is_int(n_wrong, 0, "starts and ends take turns");
}

int main(void)
{
    static const struct {
        const char *name;
        int (*make)(struct vad **);
    } engines[] = { { "in use", vad_new }, { "stand-in", vad_new_stand_in } };
    struct recordings recordings;
    int have = recordings_load(&recordings) == 0;

    ok(strcmp(vad_engine(), "webrtc") == 0 || strcmp(vad_engine(), "speex") == 0,
       "the engine in use is named: %s", vad_engine());
    printf("# recordings: %s\n", have ? recordings.source : "none");
    for (size_t i = 0; i < ELEMENTSOF(engines); i++) {
        test_quiet(engines[i].make, engines[i].name);
        test_noise_begins(engines[i].make, engines[i].name);
        if (have)
            test_human(engines[i].make, engines[i].name, &recordings);
        else
            skip("no human recordings: install pocketsphinx-testdata");
    }
    vad_free(NULL);
    if (have)
        recordings_done(&recordings);
    return done_testing();
}
