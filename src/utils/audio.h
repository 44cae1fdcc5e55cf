#pragma once
/* audio.h - mu-law, PCM, WAV, resampling */

#include <stddef.h>
#include <stdint.h>

enum { ULAW_SILENCE = 0xFF };

/* G.711 mu-law; any n. */
void ulaw_decode(const uint8_t *ulaw, int16_t *pcm, size_t n);
void ulaw_encode(const int16_t *pcm, uint8_t *ulaw, size_t n);

/*
 * Convert mono PCM between rates with libsamplerate (SRC_SINC_FASTEST).
 *
 * Owner:  *ret_pcm is to be freed. Thread: engine threads and tools only (61 KB a converter).
 * Errors: -EINVAL a rate outside 4..192 kHz, -EFBIG, -ENOMEM, -EIO.
 */
int audio_resample(const int16_t *pcm, size_t n, unsigned from_hz, unsigned to_hz,
                   int16_t **ret_pcm, size_t *ret_n);

struct wav {
    unsigned rate_hz, n_channels;
    size_t n_samples; /* per channel */
    int16_t *pcm;     /* interleaved; owned */
};

/*
 * RIFF WAVE: PCM 16 bit or G.711 mu-law, 1 or 2 channels, 4..192 kHz; unknown chunks are skipped;
 * sizes that lie are refused, a data size of 0 or from 0x7FFFF000 on (a pipe) means "to the end".
 * Errors: -EBADMSG, -ENOMEM; wav_read() also what the file system says. *ret_why is set.
 */
int wav_parse(const void *bytes, size_t n, struct wav *ret_wav, const char **ret_why);
int wav_read(const char *path, struct wav *ret_wav, const char **ret_why);
int wav_write(const char *path, const struct wav *wav);
/* The same file in memory. Owner: *ret_bytes is to be freed. Errors: -EFBIG, -ENOMEM. */
int wav_print(const struct wav *wav, uint8_t **ret_bytes, size_t *ret_n);
void wav_done(struct wav *wav);

/* One channel (the mean of two) at another rate. Owner, Thread, Errors: see audio_resample(). */
int wav_to_mono(const struct wav *wav, unsigned rate_hz, int16_t **ret_pcm, size_t *ret_n);
