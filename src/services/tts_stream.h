#pragma once
/*
 * tts_stream.h - speech that comes as raw PCM (24 kHz, 16 bit, little-endian, mono) into a growing clip
 *
 * Made fit for the telephone as it comes: 8000 Hz, mu-law, silence at both ends cut. Thread: one at a time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "services/clip.h"
#include "utils/decimator.h"

struct tts_stream {
    struct clip *clip; /* one reference */
    struct decimator decimator;
    size_t n_written; /* published or not */
    size_t n_heard;   /* up to the end of the last sound; 0 nothing yet */
    uint8_t half;     /* the first byte of a sample whose second is still to come */
    bool has_half;
};

/* room: in samples, at most. Errors: -ENOMEM. */
int tts_stream_init(struct tts_stream *stream, size_t room);
void tts_stream_done(struct tts_stream *stream);

/* Any bytes; a sample may be split. Errors: -EFBIG no room is left. */
int tts_stream_push(struct tts_stream *stream, const char *bytes, size_t n);

/* No more comes: what there is is published. The clip is not ended. Errors: -EIO there is nothing to be heard. */
int tts_stream_end(struct tts_stream *stream);

/* Of something else than raw PCM that calls itself audio: a container, or text. NULL: it may be PCM. */
const char *tts_stream_mistaken(const char *bytes, size_t n);
