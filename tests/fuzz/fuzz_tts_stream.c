/*
 * fuzz_tts_stream.c - raw PCM that may be anything, in any pieces
 *
 * The first byte is the length of a piece.
 */
#include <stdlib.h>

#include "services/tts_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    size_t piece = n ? data[0] + 1u : 1, published = 0;
    struct tts_stream stream;
    int r = tts_stream_init(&stream, 2048);

    for (size_t at = 1; r == 0 && at < n; at += piece) {
        r = tts_stream_push(&stream, (const char *)data + at, n - at < piece ? n - at : piece);
        if (stream.clip->n < published || stream.clip->n > stream.n_written || stream.n_written > stream.clip->room)
            abort();
        published = stream.clip->n;
    }
    if (r == 0 && tts_stream_end(&stream) == 0 && (!stream.clip->n || stream.clip->n > stream.n_written))
        abort();
    (void)tts_stream_mistaken((const char *)data, n);
    tts_stream_done(&stream);
    return 0;
}
