/*
 * bench_audio.c - what 20 ms of a call cost on their way to the ear
 */
#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "services/tts_google.h"
#include "services/vad.h"
#include "utils/audio.h"
#include "utils/base64.h"
#include "utils/decimator.h"

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

/* Ten seconds of PCM, said to be of 24 kHz, as the remote voice brings it, and by the library that other rates go through. */
static void bench_decimation(void)
{
    enum { BLOCKS = N_FRAMES * VAD_FRAME / DECIMATOR_BLOCK };
    static int16_t made[DECIMATOR_OUT_MAX];
    struct decimator decimator;
    size_t block = 0, n;
    int16_t *pcm = NULL;

    decimator_init(&decimator);
    double ns = BENCH_NS(2000, {
        BENCH_KEEP(decimator_push(&decimator, loud + block++ % BLOCKS * DECIMATOR_BLOCK, DECIMATOR_BLOCK, made));
    });
    bench_row("24 to 8 kHz, as it comes", ns / 1000, "us", "per 20 ms");
    ns = BENCH_NS(5, {
        if (audio_resample(loud, BLOCKS * DECIMATOR_BLOCK, 24000, 8000, &pcm, &n) == 0)
            BENCH_KEEP(pcm[n / 2]);
        free(pcm);
    });
    bench_row("24 to 8 kHz, libsamplerate", ns / BLOCKS / 1000, "us", "per 20 ms");
}

/* What the http client's thread has to do with an answer of ten seconds. */
static void bench_google(void)
{
    size_t n_wav;
    struct wav wav = { 8000, 1, N_FRAMES * VAD_FRAME, loud }, read;
    uint8_t *bytes = NULL;
    const char *why;

    if (wav_print(&wav, &bytes, &n_wav) < 0)
        return;
    n_wav = n_wav / 4 * 2; /* mu-law has half the bytes; sizes of 0 mean to the end */
    char *json = calloc(1, BASE64_SIZE(n_wav) + 64);
    bytes[4] = bytes[5] = bytes[6] = bytes[7] = bytes[40] = bytes[41] = bytes[42] = bytes[43] = 0;
    strcpy(json, "{\"audioContent\":\"");
    base64_encode(bytes, n_wav, json + strlen(json));
    strcat(json, "\"}");
    double ns = BENCH_NS(20, {
        if (tts_google_read(json, strlen(json), &read, &why) < 0)
            abort();
        wav_done(&read);
    });
    bench_row("Google's answer read", ns / 1e6, "ms", "for ten seconds of speech");
    free(json);
    free(bytes);
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
    bench_decimation();
    bench_google();
    bench_memory();
    return 0;
}
