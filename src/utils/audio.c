/*
 * audio.c - mu-law, PCM, WAV, resampling
 *
 * A mu-law byte is the complement of sign, 3 bits of exponent, 4 of mantissa:
 *
 *     magnitude = ((2 * mantissa + 33) << exponent << 2) - 132
 *
 * so that decoding is a table of 256 and encoding one count of leading zeros.
 * The table is written out by the preprocessor from that formula.
 *
 * A WAV file is a list of chunks; only "fmt " and "data" matter, in that order.
 * Whoever writes into a pipe cannot know the size of what is to come: 0,
 * 0xFFFFFFFF (ffmpeg) and what rounds to 2 GiB (sox, espeak-ng) then mean "to
 * the end". Every other size must hold.
 */
#include "utils/audio.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include <samplerate.h>

#include "utils/file.h"
#include "utils/scoped.h"

enum {
    ULAW_BIAS = 132,
    ULAW_CLIP = 32635, /* one more would not fit the greatest exponent */
    WAV_TAG_PCM = 1,
    WAV_TAG_ULAW = 7,
    WAV_TAG_EXTENSIBLE = 0xFFFE,
    WAV_FILE_MAX = 256 * MIB,
    RATE_MIN_HZ = 4000,
    RATE_MAX_HZ = 192000,
};

static const uint32_t WAV_SIZE_PIPE = 0x7FFFF000; /* from here on nobody meant it */

#define LEVEL(u) ((((((u)&15) << 3) + ULAW_BIAS) << ((u) >> 4 & 7)) - ULAW_BIAS)
#define D1(u) ((u) < 128 ? -LEVEL(127 - (u)) : LEVEL(255 - (u)))
#define D4(u) D1(u), D1((u) + 1), D1((u) + 2), D1((u) + 3)
#define D16(u) D4(u), D4((u) + 4), D4((u) + 8), D4((u) + 12)
#define D64(u) D16(u), D16((u) + 16), D16((u) + 32), D16((u) + 48)

static const int16_t levels[256] = { D64(0), D64(64), D64(128), D64(192) };

void ulaw_decode(const uint8_t *ulaw, int16_t *pcm, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pcm[i] = levels[ulaw[i]];
}

static uint8_t ulaw_of(int sample)
{
    unsigned sign = sample < 0 ? 0x80 : 0;
    unsigned level = (unsigned)(sample < 0 ? -sample : sample);

    level = (level < ULAW_CLIP ? level : ULAW_CLIP) + ULAW_BIAS;
    unsigned exponent = 24 - (unsigned)__builtin_clz(level); /* bit 7 is always reached */
    return (uint8_t) ~(sign | exponent << 4 | (level >> (exponent + 3) & 15));
}

void ulaw_encode(const int16_t *pcm, uint8_t *ulaw, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ulaw[i] = ulaw_of(pcm[i]);
}

static int to_pcm(const int16_t *pcm, size_t n, int16_t **ret_pcm, size_t *ret_n)
{
    int16_t *same = malloc((n ? n : 1) * sizeof(*same));

    if (!same)
        return -ENOMEM;
    if (n)
        memcpy(same, pcm, n * sizeof(*same));
    *ret_pcm = same;
    *ret_n = n;
    return 0;
}

static int samplerate_errno(int code)
{
    switch (code) {
    case 0:
        return 0;
    case 1: /* SRC_ERR_MALLOC_FAILED; the names are not in the header */
        return -ENOMEM;
    default:
        return -EIO;
    }
}

int audio_resample(const int16_t *pcm, size_t n, unsigned from_hz, unsigned to_hz,
                   int16_t **ret_pcm, size_t *ret_n)
{
    if (from_hz < RATE_MIN_HZ || from_hz > RATE_MAX_HZ || to_hz < RATE_MIN_HZ ||
        to_hz > RATE_MAX_HZ)
        return -EINVAL;
    if (n == 0 || from_hz == to_hz)
        return to_pcm(pcm, n, ret_pcm, ret_n);

    double ratio = (double)to_hz / from_hz;
    size_t n_room = (size_t)((double)n * ratio) + 16;
    if (n > INT_MAX / 2 || n_room > INT_MAX / 2)
        return -EFBIG;

    scoped(free) float *in = malloc(n * sizeof(*in));
    scoped(free) float *out = malloc(n_room * sizeof(*out));
    scoped(free) int16_t *made = malloc(n_room * sizeof(*made));
    if (!in || !out || !made)
        return -ENOMEM;

    src_short_to_float_array(pcm, in, (int)n);
    SRC_DATA job = { .data_in = in,
                     .data_out = out,
                     .input_frames = (long)n,
                     .output_frames = (long)n_room,
                     .src_ratio = ratio };
    int r = samplerate_errno(src_simple(&job, SRC_SINC_FASTEST, 1));
    if (r < 0)
        return r;

    src_float_to_short_array(out, made, (int)job.output_frames_gen);
    *ret_n = (size_t)job.output_frames_gen;
    *ret_pcm = steal(&made);
    return 0;
}

struct chunk {
    const uint8_t *body;
    uint32_t size; /* as written */
    size_t n;      /* what is there of it */
};

struct format {
    unsigned tag, n_channels, rate_hz, align, bits;
};

static unsigned le16_at(const uint8_t *p)
{
    return (unsigned)p[0] | (unsigned)p[1] << 8;
}

static uint32_t le32_at(const uint8_t *p)
{
    return le16_at(p) | (uint32_t)le16_at(p + 2) << 16;
}

static bool is_pipe(uint32_t size)
{
    return size == 0 || size >= WAV_SIZE_PIPE;
}

/* What is wrong with a format that we do not take, or NULL. */
static const char *format_parse(const struct chunk *chunk, struct format *ret_format)
{
    static const uint8_t guid_tail[14] = { 0, 0, 0,    0, 0x10, 0,    0x80,
                                           0, 0, 0xAA, 0, 0x38, 0x9B, 0x71 };
    const uint8_t *p = chunk->body;

    if (chunk->n < 16)
        return "the fmt chunk is too short";

    struct format format = { le16_at(p), le16_at(p + 2), le32_at(p + 4), le16_at(p + 12),
                             le16_at(p + 14) };
    if (format.tag == WAV_TAG_EXTENSIBLE) {
        if (chunk->n < 40 || memcmp(p + 26, guid_tail, sizeof(guid_tail)) != 0)
            return "the extensible format is not one of ours";
        format.tag = le16_at(p + 24);
    }
    if (!(format.tag == WAV_TAG_PCM && format.bits == 16) &&
        !(format.tag == WAV_TAG_ULAW && format.bits == 8))
        return "neither 16 bit PCM nor mu-law";
    if (format.n_channels < 1 || format.n_channels > 2)
        return "neither one channel nor two";
    if (format.rate_hz < RATE_MIN_HZ || format.rate_hz > RATE_MAX_HZ)
        return "the rate is not between 4 and 192 kHz";
    if (format.align != format.n_channels * format.bits / 8)
        return "the block size contradicts the format";

    *ret_format = format;
    return NULL;
}

static int samples_take(const struct format *format, const uint8_t *bytes, size_t n,
                        struct wav *ret_wav)
{
    size_t n_samples = n / format->align, n_values = n_samples * format->n_channels;
    int16_t *pcm = malloc((n_values ? n_values : 1) * sizeof(*pcm));

    if (!pcm)
        return -ENOMEM;
    if (format->tag == WAV_TAG_ULAW)
        ulaw_decode(bytes, pcm, n_values);
    else
        for (size_t i = 0; i < n_values; i++)
            pcm[i] = (int16_t)le16_at(bytes + 2 * i);
    *ret_wav = (struct wav){ format->rate_hz, format->n_channels, n_samples, pcm };
    return 0;
}

/* Returns: 1 and the chunk that begins at *at, 0 there is none, -EBADMSG it ends behind the file.
 */
static int chunk_next(const uint8_t *bytes, size_t n, size_t *at, struct chunk *ret_chunk,
                      bool *ret_is_data)
{
    if (n - *at < 8)
        return 0;

    const uint8_t *head = bytes + *at;
    struct chunk chunk = { head + 8, le32_at(head + 4), n - *at - 8 };
    *ret_is_data = memcmp(head, "data", 4) == 0;
    if (!*ret_is_data || !is_pipe(chunk.size)) {
        if (chunk.size > chunk.n)
            return -EBADMSG;
        chunk.n = chunk.size;
    }
    *at += 8 + chunk.n;
    *at += *at < n && chunk.n % 2; /* chunks begin at even places */
    *ret_chunk = chunk;
    return 1;
}

static int wav_bad(const char **ret_why, const char *why)
{
    *ret_why = why;
    return -EBADMSG;
}

int wav_parse(const void *bytes, size_t n, struct wav *ret_wav, const char **ret_why)
{
    struct format format = { 0 };
    struct chunk chunk;
    size_t at = 12;
    bool is_data;
    int r;

    if (n < 12 || memcmp(bytes, "RIFF", 4) != 0 ||
        memcmp((const uint8_t *)bytes + 8, "WAVE", 4) != 0)
        return wav_bad(ret_why, "not a RIFF WAVE file");

    uint32_t size = le32_at((const uint8_t *)bytes + 4);
    if (!is_pipe(size)) {
        if (size > n - 8)
            return wav_bad(ret_why, "cut short: the RIFF size is greater than the file");
        if (size < 4)
            return wav_bad(ret_why, "the RIFF size leaves no room for a chunk");
        n = 8 + (size_t)size;
    }

    while ((r = chunk_next(bytes, n, &at, &chunk, &is_data)) > 0) {
        const uint8_t *name = chunk.body - 8;

        if (is_data && !format.align)
            return wav_bad(ret_why, "the data come before their format");
        if (is_data && !is_pipe(chunk.size) && chunk.n % format.align)
            return wav_bad(ret_why, "the data end within a sample");
        if (is_data) {
            r = samples_take(&format, chunk.body, chunk.n, ret_wav);
            if (r < 0)
                *ret_why = "out of memory";
            return r;
        }
        if (memcmp(name, "fmt ", 4) == 0) {
            const char *why = format_parse(&chunk, &format);
            if (why)
                return wav_bad(ret_why, why);
        }
    }
    return wav_bad(ret_why, r < 0 ? "a chunk's size is greater than the file" : "no data chunk");
}

int wav_read(const char *path, struct wav *ret_wav, const char **ret_why)
{
    scoped(free) char *bytes = NULL;
    size_t n = 0;
    int r = file_read(path, O_NOCTTY | O_NONBLOCK, WAV_FILE_MAX, &bytes, &n);

    if (r < 0) {
        *ret_why = "cannot be read";
        return r;
    }
    return wav_parse(bytes, n, ret_wav, ret_why);
}

static void le_put(uint8_t *p, uint32_t value, size_t n)
{
    for (size_t i = 0; i < n; i++, value >>= 8)
        p[i] = (uint8_t)value;
}

static void header_write(const struct wav *wav, uint32_t n_data, uint8_t ret_header[44])
{
    unsigned align = wav->n_channels * 2;

    memcpy(ret_header, "RIFF....WAVEfmt ....", 20);
    le_put(ret_header + 4, 36 + n_data, 4);
    le_put(ret_header + 16, 16, 4);
    le_put(ret_header + 20, WAV_TAG_PCM, 2);
    le_put(ret_header + 22, wav->n_channels, 2);
    le_put(ret_header + 24, wav->rate_hz, 4);
    le_put(ret_header + 28, wav->rate_hz * align, 4);
    le_put(ret_header + 32, align, 2);
    le_put(ret_header + 34, 16, 2);
    memcpy(ret_header + 36, "data", 4);
    le_put(ret_header + 40, n_data, 4);
}

int wav_print(const struct wav *wav, uint8_t **ret_bytes, size_t *ret_n)
{
    size_t n_values = wav->n_samples * wav->n_channels, n = 44 + 2 * n_values;

    if (n_values > (WAV_SIZE_PIPE - 64) / 2)
        return -EFBIG;
    uint8_t *bytes = malloc(n);
    if (!bytes)
        return -ENOMEM;
    header_write(wav, (uint32_t)(n_values * 2), bytes);
    for (size_t i = 0; i < n_values; i++)
        le_put(bytes + 44 + 2 * i, (uint16_t)wav->pcm[i], 2);
    *ret_bytes = bytes;
    *ret_n = n;
    return 0;
}

int wav_write(const char *path, const struct wav *wav)
{
    scoped(free) uint8_t *bytes = NULL;
    size_t n;

    int r = wav_print(wav, &bytes, &n);
    if (r < 0)
        return r;
    scoped(fclose) FILE *file = fopen(path, "we");
    if (!file)
        return -errno;
    (void)fwrite(bytes, 1, n, file); /* ferror() knows */
    if (fflush(file) != 0 || ferror(file))
        return -(errno ? errno : EIO);
    return fclose(steal(&file)) == 0 ? 0 : -errno;
}

int wav_to_mono(const struct wav *wav, unsigned rate_hz, int16_t **ret_pcm, size_t *ret_n)
{
    scoped(free) int16_t *mixed = NULL;

    if (wav->n_channels != 2)
        return audio_resample(wav->pcm, wav->n_samples, wav->rate_hz, rate_hz, ret_pcm, ret_n);

    mixed = malloc((wav->n_samples ? wav->n_samples : 1) * sizeof(*mixed));
    if (!mixed)
        return -ENOMEM;
    for (size_t i = 0; i < wav->n_samples; i++)
        mixed[i] = (int16_t)((wav->pcm[2 * i] + wav->pcm[2 * i + 1]) / 2);
    return audio_resample(mixed, wav->n_samples, wav->rate_hz, rate_hz, ret_pcm, ret_n);
}

void wav_done(struct wav *wav)
{
    free(wav->pcm);
    wav->pcm = NULL;
}
