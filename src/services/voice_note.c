/*
 * voice_note.c - recordings that people send, as PCM
 *
 * libopusfile reads Opus, as it comes from anybody: it is bounded by how long a recording may last, and by time of the
 * processor, which a file of many small streams could use up. Opus is always decoded at 48000 Hz; it is brought to
 * 16000 Hz, as Whisper hears, in blocks of some seconds, so that no more than a block is held twice.
 *
 * AMR has no container: a mark, then frames of 20 ms whose first byte tells their length.
 */
#include "services/voice_note.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <opencore-amrnb/interf_dec.h>
#include <opusfile.h>

#include "utils/audio.h"
#include "utils/scoped.h"

enum {
    OPUS_HZ = 48000,
    NOTE_HZ = 16000,
    BLOCK = 10 * OPUS_HZ,
    PACKET_MAX = 5760 * 2, /* what one packet holds at most, 120 ms of two channels */
    AMR_HZ = 8000,
    AMR_FRAME = 160,
    SILENCE_MS = 30,
};

static const char amr_mark[] = "#!AMR\n";

/* Bytes of a frame with its first one, by its mode; 0 none is known. */
static const uint8_t amr_bytes[16] = { 13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1 };

SCOPED_PTR(OggOpusFile, op_free)

void voice_note_done(struct voice_note *note)
{
    free(note->pcm);
    *note = (struct voice_note){ 0 };
}

static uint64_t cpu_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Returns: 0; 1 it is full. */
static int append(struct voice_note *note, const int16_t *pcm, size_t n)
{
    size_t room = (size_t)VOICE_NOTE_MAX_S * note->rate_hz - note->n_samples;

    note->is_cut = n > room;
    n = note->is_cut ? room : n;
    int16_t *grown = realloc(note->pcm, (note->n_samples + n + 1) * sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    note->pcm = grown;
    memcpy(grown + note->n_samples, pcm, n * sizeof(*pcm));
    note->n_samples += n;
    return note->is_cut;
}

/* --- Opus */

static int append_block(struct voice_note *note, const int16_t *block, size_t n)
{
    scoped(free) int16_t *pcm = NULL;
    size_t n_pcm = 0;
    int r = n ? audio_resample(block, n, OPUS_HZ, NOTE_HZ, &pcm, &n_pcm) : 0;

    return r < 0 || n_pcm == 0 ? r : append(note, pcm, n_pcm);
}

/* The next samples, of one channel. Returns: how many; 0 the end; -EBADMSG. */
static int read_mono(OggOpusFile *file, int16_t *ret_pcm)
{
    int16_t pcm[PACKET_MAX];
    int n;

    do
        n = op_read_stereo(file, pcm, PACKET_MAX);
    while (n == OP_HOLE); /* some of it is missing, and the rest is there */
    for (int i = 0; i < n; i++)
        ret_pcm[i] = (int16_t)((pcm[2 * i] + pcm[2 * i + 1]) / 2);
    return n < 0 ? -EBADMSG : n;
}

static int decode_opus(const void *bytes, size_t n_bytes, struct voice_note *note)
{
    scoped(op_free) OggOpusFile *file = op_open_memory(bytes, n_bytes, NULL);
    scoped(free) int16_t *block = malloc((BLOCK + PACKET_MAX) * sizeof(*block));
    uint64_t end_ms = cpu_ms() + VOICE_NOTE_CPU_MS;
    size_t n_block = 0;
    int n = 1, r = 0;

    if (!file || !block)
        return file ? -ENOMEM : -EBADMSG;
    note->rate_hz = NOTE_HZ;
    while (n > 0 && r == 0) {
        if (cpu_ms() > end_ms)
            return -ETIME;
        n = read_mono(file, block + n_block);
        n_block += n > 0 ? (size_t)n : 0;
        if (n_block >= BLOCK || n <= 0) {
            r = append_block(note, block, n_block);
            n_block = 0;
        }
    }
    return r < 0 ? r : n < 0 && note->n_samples == 0 ? n : 0;
}

/* --- AMR */

SCOPED_PTR(void, Decoder_Interface_exit)

static int decode_amr(const uint8_t *bytes, size_t n_bytes, struct voice_note *note)
{
    scoped(Decoder_Interface_exit) void *decoder = Decoder_Interface_init();
    int16_t pcm[AMR_FRAME];
    size_t at = sizeof(amr_mark) - 1;
    int r = decoder ? 0 : -ENOMEM;

    note->rate_hz = AMR_HZ;
    while (r == 0 && at < n_bytes) {
        size_t n = amr_bytes[bytes[at] >> 3 & 15];
        if (n == 0 || n > n_bytes - at)
            break;
        Decoder_Interface_Decode(decoder, bytes + at, pcm, 0);
        r = append(note, pcm, AMR_FRAME);
        at += n;
    }
    return r < 0 ? r : note->n_samples ? 0 : -EBADMSG;
}

/* --- either */

int voice_note_decode(const void *bytes, size_t n, struct voice_note *ret_note)
{
    struct voice_note note = { 0 };
    int r = -EOPNOTSUPP;

    if (n >= 4 && memcmp(bytes, "OggS", 4) == 0)
        r = decode_opus(bytes, n, &note);
    else if (n >= sizeof(amr_mark) - 1 && memcmp(bytes, amr_mark, sizeof(amr_mark) - 1) == 0)
        r = decode_amr(bytes, n, &note);
    if (r < 0)
        voice_note_done(&note);
    else
        *ret_note = note;
    return r;
}

size_t voice_note_part(const struct voice_note *note, size_t from, size_t to)
{
    size_t step = note->rate_hz * SILENCE_MS / 1000, best = to;
    uint64_t least = UINT64_MAX;

    if (to >= note->n_samples)
        return note->n_samples;
    for (size_t at = from + (to - from) / 2; at + step <= to; at += step) {
        uint64_t sum = 0;
        for (size_t i = at; i < at + step; i++)
            sum += (uint64_t)abs(note->pcm[i]);
        if (sum <= least) {
            least = sum;
            best = at + step / 2;
        }
    }
    return best;
}
