/*
 * tts_stream.c - speech that comes as raw PCM into a growing clip
 *
 *     ulaw[]   | lead | speech ... last sound | tail | further silence |
 *              0                              n_heard  n                 n_written
 *
 * Silence is written like everything else but published only as far as the tail of the last sound; it turns out to be a
 * pause when a sound follows, or the end. Before the first sound only the lead is kept.
 */
#include "services/tts_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "services/tts_engine.h"
#include "utils/audio.h"

int tts_stream_init(struct tts_stream *stream, size_t room)
{
    *stream = (struct tts_stream){ .clip = clip_new_growing(room) };
    if (!stream->clip)
        return -ENOMEM;
    decimator_init(&stream->decimator);
    return 0;
}

void tts_stream_done(struct tts_stream *stream)
{
    clip_unref(steal(&stream->clip));
}

/* Before the first sound: keep what leads to it. */
static void forget_silence(struct tts_stream *stream, size_t n)
{
    uint8_t *ulaw = stream->clip->ulaw;

    if (n <= TTS_LEAD)
        return;
    memmove(ulaw, ulaw + n - TTS_LEAD, stream->n_written - (n - TTS_LEAD));
    stream->n_written -= n - TTS_LEAD;
}

static int append(struct tts_stream *stream, const int16_t *pcm, size_t n)
{
    struct clip *clip = stream->clip;
    size_t first = 0, last = n;

    while (first < n && abs(pcm[first]) < TTS_QUIET)
        first++;
    while (last > first && abs(pcm[last - 1]) < TTS_QUIET)
        last--;
    if (n > clip->room - stream->n_written)
        return -EFBIG;
    ulaw_encode(pcm, clip->ulaw + stream->n_written, n);
    stream->n_written += n;
    if (first == last && !stream->n_heard)
        forget_silence(stream, stream->n_written);
    if (first == last)
        return 0;
    if (!stream->n_heard)
        forget_silence(stream, stream->n_written - n + first);
    stream->n_heard = stream->n_written - (n - last);
    return 0;
}

static void publish(struct tts_stream *stream)
{
    size_t n = stream->n_heard + TTS_TAIL;

    if (stream->n_heard)
        clip_publish(stream->clip, n < stream->n_written ? n : stream->n_written);
}

int tts_stream_push(struct tts_stream *stream, const char *bytes, size_t n)
{
    const uint8_t *at = (const uint8_t *)bytes, *end = at + n;
    int16_t pcm[DECIMATOR_BLOCK], out[DECIMATOR_OUT_MAX];
    int r = 0;

    while (r == 0 && at < end) {
        size_t n_pcm = 0;

        for (; at < end && n_pcm < DECIMATOR_BLOCK; at++) {
            if (stream->has_half)
                pcm[n_pcm++] = (int16_t)(stream->half | *at << 8);
            else
                stream->half = *at;
            stream->has_half = !stream->has_half;
        }
        r = append(stream, out, decimator_push(&stream->decimator, pcm, n_pcm, out));
    }
    publish(stream);
    return r;
}

int tts_stream_end(struct tts_stream *stream)
{
    int16_t out[DECIMATOR_OUT_MAX];
    int r = append(stream, out, decimator_flush(&stream->decimator, out));

    publish(stream);
    return r < 0 || stream->n_heard ? r : -EIO;
}

const char *tts_stream_mistaken(const char *bytes, size_t n)
{
    static const struct {
        const char *begins, *what;
    } kinds[] = {
        { "RIFF", "WAV" },  { "ID3", "MP3" },        { "\xff\xfb", "MP3" }, { "\xff\xf3", "MP3" },
        { "OggS", "Opus" }, { "fLaC", "FLAC" },      { "{\"", "JSON" },     { "<html", "HTML" },
        { "<!DOC", "HTML" },
    };

    for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
        if (n >= strlen(kinds[i].begins) && memcmp(bytes, kinds[i].begins, strlen(kinds[i].begins)) == 0)
            return kinds[i].what;
    return NULL;
}
