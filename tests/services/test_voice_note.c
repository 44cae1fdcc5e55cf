/*
 * test_voice_note.c - recordings as people send them: real Opus and AMR, damaged ones, and very long ones
 */
#include "services/voice_note.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <opencore-amrnb/interf_dec.h>
#include <opencore-amrnb/interf_enc.h>

#include "scratch.h"
#include "tap.h"
#include "utils/audio.h"
#include "utils/file.h"
#include "utils/scoped.h"

enum { HZ = 16000, SECONDS = 3 };

/* A tone for a second, a second of silence, a tone again. */
static void make_wav(const char *path, unsigned seconds)
{
    size_t n = (size_t)seconds * HZ;
    scoped(free) int16_t *pcm = calloc(n, sizeof(*pcm));
    struct wav wav = { .rate_hz = HZ, .n_channels = 1, .n_samples = n, .pcm = pcm };

    for (size_t i = 0; i < n; i++)
        pcm[i] = i / HZ % 3 == 1 ? 0 : (int16_t)(8000 * sin(2 * M_PI * 440 * (double)i / HZ));
    if (wav_write(path, &wav) < 0)
        abort();
}

static size_t encode(unsigned seconds, char **ret_bytes)
{
    char command[2048];
    size_t n = 0;

    make_wav(scratch_file("in.wav"), seconds);
    snprintf(command, sizeof(command), "opusenc --quiet --bitrate 16 %s %s", scratch_file("in.wav"), scratch_file("out.ogg"));
    if (system(command) != 0 || file_read(scratch_file("out.ogg"), 0, 64 * MIB, ret_bytes, &n) < 0)
        return 0;
    return n;
}

static double level(const struct voice_note *note, double from_s, double to_s)
{
    double sum = 0;
    size_t from = (size_t)(from_s * note->rate_hz), to = (size_t)(to_s * note->rate_hz);

    for (size_t i = from; i < to; i++)
        sum += (double)note->pcm[i] * note->pcm[i];
    return sqrt(sum / (double)(to - from));
}

static void test_opus(void)
{
    scoped(free) char *bytes = NULL;
    size_t n = encode(SECONDS, &bytes);
    struct voice_note note = { 0 };

    if (n == 0) {
        skip("Opus: there is no opusenc (opus-tools)");
        return;
    }
    is_int(voice_note_decode(bytes, n, &note), 0, "Opus is decoded");
    ok(note.rate_hz == 16000 && labs((long)note.n_samples - SECONDS * HZ) < HZ / 10, "%zu samples at %u Hz", note.n_samples, note.rate_hz);
    ok(level(&note, 0.2, 0.8) > 3000 && level(&note, 1.3, 1.7) < 300 && level(&note, 2.2, 2.8) > 3000, "it sounds where it should, and not elsewhere");
    size_t part = voice_note_part(&note, 0, 2 * HZ);
    ok(part > HZ && part < 2 * HZ, "it is parted where it is silent, at %.2f s", (double)part / HZ);
    is_int((int)voice_note_part(&note, 0, 99 * HZ), (int)note.n_samples, "a short one is not parted");
    voice_note_done(&note);
    unsigned seed = 1;
    int n_heard = 0, n_damaged = 0;
    for (int i = 0; i < 200; i++) { /* cut, and with bytes turned over */
        scoped(free) char *bad = malloc(n);
        size_t n_bad = i % 4 ? n : 1 + n * (size_t)i / 200;
        memcpy(bad, bytes, n);
        for (int j = 0; j < i / 8; j++) {
            seed = seed * 1103515245 + 12345;
            bad[(seed >> 8) % n] ^= (char)(1 << (seed >> 28 & 7));
        }
        int r = voice_note_decode(bad, n_bad, &note);
        n_heard += r == 0;
        n_damaged += r == -EBADMSG || r == -EOPNOTSUPP;
        if (r == 0)
            voice_note_done(&note);
    }
    ok(n_heard + n_damaged == 200 && n_damaged > 0, "200 damaged ones: %d are heard as far as they go, %d are refused", n_heard, n_damaged);
}

static void test_long(void)
{
    scoped(free) char *bytes = NULL;
    size_t n = encode(VOICE_NOTE_MAX_S + 20, &bytes);
    struct voice_note note = { 0 };

    if (n == 0)
        return;
    is_int(voice_note_decode(bytes, n, &note), 0, "a very long one is decoded");
    ok(note.is_cut && note.n_samples == (size_t)VOICE_NOTE_MAX_S * HZ, "up to ten minutes");
    voice_note_done(&note);
}

static void test_amr(void)
{
    void *encoder = Encoder_Interface_init(0);
    uint8_t bytes[6 + 50 * 32] = "#!AMR\n";
    int16_t pcm[160];
    struct voice_note note = { 0 };
    size_t n = 6;

    for (int frame = 0; frame < 50; frame++) {
        for (int i = 0; i < 160; i++)
            pcm[i] = (int16_t)(8000 * sin(2 * M_PI * 440 * (frame * 160 + i) / 8000));
        n += (size_t)Encoder_Interface_Encode(encoder, MR122, pcm, bytes + n, 0);
    }
    Encoder_Interface_exit(encoder);
    is_int(voice_note_decode(bytes, n, &note), 0, "AMR is decoded");
    ok(note.rate_hz == 8000 && note.n_samples == 8000 && level(&note, 0.2, 0.8) > 2000, "%zu samples", note.n_samples);
    voice_note_done(&note);
    is_int(voice_note_decode(bytes, n - 5, &note), 0, "one that was cut, too");
    ok(note.n_samples == 49 * 160, "but for its last frame");
    voice_note_done(&note);
    is_int(voice_note_decode("#!AMR\n", 6, &note), -EBADMSG, "an empty one is damaged");
    is_int(voice_note_decode("#!AMR\n\x4c\xff", 8, &note), -EBADMSG, "as is one of no mode");
}

int main(void)
{
    struct voice_note note;

    is_int(voice_note_decode("", 0, &note), -EOPNOTSUPP, "nothing is nothing");
    is_int(voice_note_decode("RIFFxxxxWAVE", 12, &note), -EOPNOTSUPP, "a WAV is none of those");
    is_int(voice_note_decode("OggS", 4, &note), -EBADMSG, "a mark alone is damaged");
    test_opus();
    test_long();
    test_amr();
    return done_testing();
}
