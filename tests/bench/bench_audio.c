/*
 * bench_audio.c - what 20 ms of a call cost on their way to the ear
 */
#include <malloc.h>
#include <math.h>
#include <stdlib.h>

#include "bench.h"
#include "services/vad.h"
#include "utils/audio.h"

enum { N_FRAMES = 500 }; /* ten seconds */

static uint8_t ulaw[N_FRAMES * VAD_FRAME];
static int16_t loud[N_FRAMES * VAD_FRAME], quiet[N_FRAMES * VAD_FRAME], out[VAD_FRAME];

static void sounds_make(void)
{
    uint32_t seed = 1;

    for (size_t i = 0; i < N_FRAMES * VAD_FRAME; i++) {
        seed = seed * 1664525 + 1013904223;
        double t = (double)i / 8000, noise = (double)(seed >> 8) / (1 << 23) - 1;
        loud[i] = (int16_t)(3000 * sin(2 * M_PI * 150 * t) * sin(2 * M_PI * 2 * t) + 800 * noise);
        quiet[i] = (int16_t)(8 * noise);
    }
    ulaw_encode(loud, ulaw, N_FRAMES * VAD_FRAME);
}

static void bench_vad(const char *what, int (*make)(struct vad **), const int16_t *pcm)
{
    scoped(vad_free) struct vad *vad = NULL;
    size_t frame = 0;

    if (make(&vad) < 0)
        return;
    double ns =
        BENCH_NS(5 * N_FRAMES, BENCH_KEEP(vad_push(vad, pcm + frame++ % N_FRAMES * VAD_FRAME)));
    bench_row(what, ns / 1000, "us", "per 20 ms");
}

static void resample(void)
{
    int16_t *pcm = NULL;
    size_t n;

    if (audio_resample(loud, N_FRAMES * VAD_FRAME, 8000, 16000, &pcm, &n) == 0)
        BENCH_KEEP(pcm[n / 2]);
    free(pcm);
}

static void bench_memory(void)
{
    enum { N = 1000 };
    static struct vad *vads[N];
    size_t before = mallinfo2().uordblks;

    for (int i = 0; i < N; i++)
        if (vad_new(&vads[i]) < 0)
            return;
    bench_row("VAD, memory of a call", (double)(mallinfo2().uordblks - before) / N / 1024, "KiB",
              "");
    for (int i = 0; i < N; i++)
        vad_free(vads[i]);
}

int main(void)
{
    size_t frame = 0;

    sounds_make();
    bench_row("mu-law decode",
              BENCH_NS(100000,
                       {
                           ulaw_decode(ulaw + frame++ % N_FRAMES * VAD_FRAME, out, VAD_FRAME);
                           BENCH_KEEP(out[0]);
                       }),
              "ns", "per 20 ms");
    bench_row("mu-law encode",
              BENCH_NS(100000,
                       {
                           ulaw_encode(loud + frame++ % N_FRAMES * VAD_FRAME, ulaw, VAD_FRAME);
                           BENCH_KEEP(ulaw[0]);
                       }),
              "ns", "per 20 ms");
    bench_row("resample 8 to 16 kHz", BENCH_NS(5, resample()) / N_FRAMES / 1000, "us",
              "per 20 ms; whole utterances");
    bench_vad("VAD of speech in noise", vad_new, loud);
    bench_vad("VAD of idle noise", vad_new, quiet);
    bench_vad("VAD, stand-in, of speech in noise", vad_new_stand_in, loud);
    bench_memory();
    return 0;
}
