/*
 * test_audio.c - mu-law against G.711's own numbers, WAV files that lie, a tone through the
 * resampler
 */
#include "utils/audio.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "scratch.h"
#include "tap.h"
#include "utils/scoped.h"

static const struct {
    uint8_t ulaw;
    int16_t pcm;
} levels[] = {
    { 0x00, -32124 }, { 0x80, 32124 }, { 0x0F, -16764 }, { 0x8F, 16764 },
    { 0xFF, 0 },      { 0x7F, 0 },     { 0xFE, 8 },      { 0x7E, -8 },
    { 0xF0, 120 },    { 0xEF, 132 },   { 0xBF, 1980 },
};

static void test_ulaw(void)
{
    uint8_t all[256], again[256];
    int16_t pcm[256];
    int n_same = 0, n_far = 0;

    for (size_t i = 0; i < ELEMENTSOF(levels); i++) {
        int16_t got;
        ulaw_decode(&levels[i].ulaw, &got, 1);
        ok(got == levels[i].pcm, "mu-law %02x is %d", levels[i].ulaw, levels[i].pcm);
    }

    for (int i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    ulaw_decode(all, pcm, 256);
    ulaw_encode(pcm, again, 256);
    for (int i = 0; i < 256; i++)
        n_same += again[i] == (i == 0x7F ? 0xFF : i);
    is_int(n_same, 256, "every byte survives decoding and encoding, and -0 becomes 0");

    for (int sample = -32768; sample <= 32767; sample++) {
        int16_t in = (int16_t)sample, out;
        uint8_t byte;
        int step = 8 << (sample ? 31 - __builtin_clz((unsigned)abs(sample) + 132) - 7 : 0);
        ulaw_encode(&in, &byte, 1);
        ulaw_decode(&byte, &out, 1);
        n_far += abs(out - in) > step / 2 && abs(in) < 32636;
    }
    is_int(n_far, 0, "no sample lands further than half a step from itself");

    uint8_t clipped[2];
    ulaw_encode((int16_t[]){ 32767, -32768 }, clipped, 2);
    ok(clipped[0] == 0x80 && clipped[1] == 0x00, "full scale clips to the greatest level");
}

#define RIFF(size) 'R', 'I', 'F', 'F', size, 'W', 'A', 'V', 'E'
#define FMT(tag, channels, align, bits)                                                            \
    'f', 'm', 't', ' ', L(16), tag, 0, channels, 0, L(8000), L(0), align, 0, bits, 0
#define FMT_RATE(rate) 'f', 'm', 't', ' ', L(16), 1, 0, 1, 0, L(rate), L(0), 2, 0, 16, 0
#define DATA(size) 'd', 'a', 't', 'a', size
#define L(n)                                                                                       \
    (uint8_t)((n)&255), (uint8_t)((n) >> 8 & 255), (uint8_t)((n) >> 16 & 255),                     \
        (uint8_t)((uint32_t)(n) >> 24)
#define LIST 'L', 'I', 'S', 'T', L(3), 'a', 'b', 'c', 0
#define EXTENSIBLE(tag, last)                                                                      \
    'f', 'm', 't', ' ', L(40), 0xFE, 0xFF, 1, 0, L(8000), L(0), 2, 0, 16, 0, 22, 0, 16, 0, L(4),   \
        tag, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, last
#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

static const struct {
    const char *what;
    const uint8_t *bytes;
    size_t n;
    int want; /* samples a channel, or the error */
    unsigned n_channels;
    int16_t first;
} files[] = {
    { "plain 16 bit", BYTES(RIFF(L(40)), FMT(1, 1, 2, 16), DATA(L(4)), 1, 2, 3, 4), 2, 1, 0x0201 },
    { "two channels", BYTES(RIFF(L(40)), FMT(1, 2, 4, 16), DATA(L(4)), 1, 2, 3, 4), 1, 2, 0x0201 },
    { "mu-law", BYTES(RIFF(L(38)), FMT(7, 1, 1, 8), DATA(L(2)), 0x80, 0xFF), 2, 1, 32124 },
    { "extensible", BYTES(RIFF(L(62)), EXTENSIBLE(1, 0x71), DATA(L(2)), 5, 0), 1, 1, 5 },
    { "a list with an odd size before the data",
      BYTES(RIFF(L(50)), FMT(1, 1, 2, 16), LIST, DATA(L(2)), 7, 0), 1, 1, 7 },
    { "a pipe: sizes 0", BYTES(RIFF(L(0)), FMT(1, 1, 2, 16), DATA(L(0)), 1, 0, 2, 0, 3, 0), 3, 1,
      1 },
    { "a pipe: sizes -1", BYTES(RIFF(L(-1)), FMT(1, 1, 2, 16), DATA(L(-1)), 1, 0, 2, 0), 2, 1, 1 },
    { "a pipe: 2 GiB as espeak-ng writes it",
      BYTES(RIFF(L(0x7ffff024)), FMT(1, 1, 2, 16), DATA(L(0x7ffff000)), 9, 0), 1, 1, 9 },
    { "a pipe cut within a sample", BYTES(RIFF(L(0)), FMT(1, 1, 2, 16), DATA(L(0)), 1, 0, 2), 1, 1,
      1 },
    { "no samples at all", BYTES(RIFF(L(36)), FMT(1, 1, 2, 16), DATA(L(0))), 0, 1, 0 },
    { "rubbish behind the end",
      BYTES(RIFF(L(38)), FMT(1, 1, 2, 16), DATA(L(2)), 7, 0, 'x', 'y', 'z'), 1, 1, 7 },

    { "nothing", BYTES('R'), -EBADMSG, 0, 0 },
    { "another RIFF", BYTES('R', 'I', 'F', 'F', L(4), 'A', 'V', 'I', ' '), -EBADMSG, 0, 0 },
    { "a head alone", BYTES(RIFF(L(4))), -EBADMSG, 0, 0 },
    { "no data", BYTES(RIFF(L(28)), FMT(1, 1, 2, 16)), -EBADMSG, 0, 0 },
    { "data before the format", BYTES(RIFF(L(38)), DATA(L(2)), 1, 0, FMT(1, 1, 2, 16)), -EBADMSG, 0,
      0 },
    { "RIFF size over the file", BYTES(RIFF(L(400)), FMT(1, 1, 2, 16), DATA(L(2)), 1, 0), -EBADMSG,
      0, 0 },
    { "RIFF size of three", BYTES(RIFF(L(3)), FMT(1, 1, 2, 16), DATA(L(2)), 1, 0), -EBADMSG, 0, 0 },
    { "data size over the file", BYTES(RIFF(L(38)), FMT(1, 1, 2, 16), DATA(L(400)), 1, 0), -EBADMSG,
      0, 0 },
    { "data size over the RIFF", BYTES(RIFF(L(38)), FMT(1, 1, 2, 16), DATA(L(4)), 1, 0, 2, 0),
      -EBADMSG, 0, 0 },
    { "data ending within a sample", BYTES(RIFF(L(39)), FMT(1, 1, 2, 16), DATA(L(3)), 1, 0, 2),
      -EBADMSG, 0, 0 },
    { "a list over the file",
      BYTES(RIFF(L(0)), FMT(1, 1, 2, 16), 'L', 'I', 'S', 'T', L(0x7ffffff0), 1, 2), -EBADMSG, 0,
      0 },
    { "a list of -1", BYTES(RIFF(L(0)), FMT(1, 1, 2, 16), 'L', 'I', 'S', 'T', L(-1), 1, 2),
      -EBADMSG, 0, 0 },
    { "a format of -1", BYTES(RIFF(L(0)), 'f', 'm', 't', ' ', L(-1), 1, 0), -EBADMSG, 0, 0 },
    { "a short format", BYTES(RIFF(L(0)), 'f', 'm', 't', ' ', L(4), 1, 0, 1, 0, DATA(L(0))),
      -EBADMSG, 0, 0 },
    { "no channel", BYTES(RIFF(L(0)), FMT(1, 0, 0, 16), DATA(L(0)), 1, 0), -EBADMSG, 0, 0 },
    { "three channels", BYTES(RIFF(L(0)), FMT(1, 3, 6, 16), DATA(L(0)), 1, 0), -EBADMSG, 0, 0 },
    { "8 bit PCM", BYTES(RIFF(L(0)), FMT(1, 1, 1, 8), DATA(L(0)), 1, 0), -EBADMSG, 0, 0 },
    { "A-law", BYTES(RIFF(L(0)), FMT(6, 1, 1, 8), DATA(L(0)), 1, 0), -EBADMSG, 0, 0 },
    { "block size 0", BYTES(RIFF(L(0)), FMT(1, 1, 0, 16), DATA(L(0)), 1, 0), -EBADMSG, 0, 0 },
    { "block size 4 for one channel", BYTES(RIFF(L(0)), FMT(1, 1, 4, 16), DATA(L(0)), 1, 0),
      -EBADMSG, 0, 0 },
    { "rate 0", BYTES(RIFF(L(0)), FMT_RATE(0), DATA(L(0)), 1, 0), -EBADMSG, 0, 0 },
    { "rate 4 GHz", BYTES(RIFF(L(0)), FMT_RATE(-1), DATA(L(0)), 1, 0), -EBADMSG, 0, 0 },
    { "another extensible", BYTES(RIFF(L(0)), EXTENSIBLE(1, 0x72), DATA(L(0)), 1, 0), -EBADMSG, 0,
      0 },
    { "extensible within extensible", BYTES(RIFF(L(0)), EXTENSIBLE(0xFE, 0x71), DATA(L(0)), 1, 0),
      -EBADMSG, 0, 0 },
};

static void test_parse(void)
{
    for (size_t i = 0; i < ELEMENTSOF(files); i++) {
        struct wav wav = { 0 };
        const char *why = NULL;
        void *exact = malloc(files[i].n); /* so that a sanitizer sees one byte too many */
        memcpy(exact, files[i].bytes, files[i].n);
        int r = wav_parse(exact, files[i].n, &wav, &why);
        free(exact);

        if (files[i].want < 0)
            ok(r == files[i].want && why, "refused: %s (%s)", files[i].what, why ? why : "taken");
        else
            ok(r == 0 && wav.n_samples == (size_t)files[i].want &&
                   wav.n_channels == files[i].n_channels && wav.rate_hz == 8000 &&
                   (files[i].want == 0 || wav.pcm[0] == files[i].first),
               "taken: %s%s%s", files[i].what, why ? ", but " : "", why ? why : "");
        wav_done(&wav);
    }
}

static void test_file(void)
{
    const char *path = scratch_file("a.wav");
    int16_t pcm[6000];
    struct wav out = { 8000, 2, 3000, pcm }, in = { 0 };
    const char *why;

    for (size_t i = 0; i < ELEMENTSOF(pcm); i++)
        pcm[i] = (int16_t)(i * 37);
    is_int(wav_write(path, &out), 0, "a stereo file is written");
    is_int(wav_read(path, &in, &why), 0, "and read");
    ok(in.n_samples == 3000 && in.n_channels == 2 && in.pcm &&
           memcmp(in.pcm, pcm, sizeof(pcm)) == 0,
       "and is the same");
    wav_done(&in);
    is_int(wav_read(scratch_file("none.wav"), &in, &why), -ENOENT, "no such file");
    is_int(wav_read(scratch(), &in, &why), -EISDIR, "a folder is no file");
    is_int(wav_write(scratch(), &out), -EISDIR, "nor can it be written");
    is_int(access("/dev/full", W_OK) == 0 ? wav_write("/dev/full", &out) : -ENOSPC, -ENOSPC,
           "a full disk is told");
}

/* How much of the signal is a tone of that frequency: 1 all of it. */
static double share_of_tone(const int16_t *pcm, size_t n, double hz, double rate)
{
    double re = 0, im = 0, all = 0;

    for (size_t i = 0; i < n; i++) {
        double w = 2 * M_PI * hz * (double)i / rate;
        re += pcm[i] * cos(w);
        im += pcm[i] * sin(w);
        all += (double)pcm[i] * pcm[i];
    }
    return 2 * (re * re + im * im) / ((double)n * all);
}

static void test_resample(void)
{
    static const struct {
        unsigned from, to;
    } rates[] = {
        { 8000, 16000 }, { 16000, 8000 }, { 22050, 8000 }, { 44100, 8000 }, { 8000, 8000 }
    };

    for (size_t i = 0; i < ELEMENTSOF(rates); i++) {
        size_t n = rates[i].from, n_out = 0;
        scoped(free) int16_t *in = malloc(n * sizeof(*in)), *out = NULL;
        for (size_t j = 0; j < n; j++)
            in[j] = (int16_t)(10000 * sin(2 * M_PI * 1000 * (double)j / rates[i].from));
        int r = audio_resample(in, n, rates[i].from, rates[i].to, &out, &n_out);
        ok(r == 0 && labs((long)n_out - (long)rates[i].to) <= 1,
           "a second stays a second: %u to %u Hz", rates[i].from, rates[i].to);
        ok(r == 0 && share_of_tone(out, n_out, 1000, rates[i].to) > 0.999, "and a tone that tone");
    }

    int16_t *out = NULL;
    size_t n_out;
    is_int(audio_resample((int16_t[]){ 1 }, 1, 8000, 0, &out, &n_out), -EINVAL,
           "rate 0 is refused");
    is_int(audio_resample((int16_t[]){ 1 }, 1, 1000000, 8000, &out, &n_out), -EINVAL,
           "rate 1 MHz is refused");
    is_int(audio_resample(NULL, 0, 8000, 16000, &out, &n_out), 0, "nothing becomes nothing");
    is_int((long long)n_out, 0, "of length 0");
    free(out);

    struct wav wav = { 8000, 2, 2, (int16_t[]){ 100, 300, -32768, -32768 } };
    is_int(wav_to_mono(&wav, 8000, &out, &n_out), 0, "two channels become one");
    ok(n_out == 2 && out[0] == 200 && out[1] == -32768, "their mean");
    free(out);
}

int main(void)
{
    test_ulaw();
    test_parse();
    test_file();
    test_resample();
    return done_testing();
}
