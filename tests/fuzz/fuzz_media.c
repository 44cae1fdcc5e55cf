/*
 * fuzz_media.c - the scanner takes nothing that json-c refuses or reads in another way
 */
#include <stdlib.h>
#include <string.h>

#include "services/media.h"

static int same(const char *a, size_t n_a, const char *b, size_t n_b)
{
    return n_a == n_b && memcmp(a, b, n_a) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct media_audio audio;
    struct media_message message;
    const char *why;
    const char *text = (const char *)data;
    int scanned = media_scan(text, n, &audio) == MEDIA_AUDIO;
    int r = media_parse(text, n, &message, &why);

    if (scanned && (r < 0 || message.event != MEDIA_AUDIO))
        abort();
    if (scanned &&
        (!same(audio.payload, audio.n_payload, message.audio.payload, message.audio.n_payload) ||
         !same(audio.stream_sid, audio.n_stream_sid, message.audio.stream_sid,
               message.audio.n_stream_sid) ||
         audio.timestamp_ms != message.audio.timestamp_ms))
        abort();
    if (r == 0)
        media_message_done(&message);
    return 0;
}
