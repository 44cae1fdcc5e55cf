/*
 * test_tts_stream.c - raw PCM in any pieces becomes one clip, without the silence around it
 */
#include "services/tts_stream.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "services/tts_engine.h"
#include "tap.h"
#include "utils/audio.h"

enum { RATE = 24000, ROOM = 60 * 8000 };

struct part {
    unsigned ms;
    int level;
};

/* Little-endian bytes. */
static char *voice(const struct part *parts, size_t n_parts, size_t *ret_n)
{
    size_t n = 0;
    char *bytes = malloc((size_t)RATE * 2 * 60);

    for (size_t p = 0; bytes && p < n_parts; p++)
        for (size_t i = 0; i < (size_t)parts[p].ms * RATE / 1000; i++) {
            int sample = (int)(parts[p].level * sin(2 * M_PI * 400 * (double)i / RATE));
            bytes[n++] = (char)(sample & 0xFF);
            bytes[n++] = (char)(sample >> 8 & 0xFF);
        }
    *ret_n = n;
    return bytes;
}

static const struct {
    const char *what;
    struct part parts[5];
    int r;
    unsigned ms; /* of the clip */
} rows[] = {
    { "speech alone", { { 500, 8000 } }, 0, 500 },
    { "speech in silence", { { 700, 0 }, { 500, 8000 }, { 900, 0 } }, 0, 30 + 500 + 120 },
    { "speech in noise", { { 700, 100 }, { 500, 8000 }, { 900, 100 } }, 0, 30 + 500 + 120 },
    { "a pause", { { 10, 0 }, { 200, 8000 }, { 800, 0 }, { 200, 8000 }, { 50, 0 } }, 0, 10 + 200 + 800 + 200 + 50 },
    { "silence", { { 30000, 0 } }, -EIO, 0 },
    { "nothing", { { 0, 0 } }, -EIO, 0 },
};

static void test_rows(void)
{
    static const size_t pieces[] = { 1, 3, 1000, 4096, 1000000 };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        size_t n;
        scoped(free) char *bytes = voice(rows[i].parts, ELEMENTSOF(rows[i].parts), &n);
        scoped(clip_unref) struct clip *first = NULL;

        for (size_t p = 0; p < ELEMENTSOF(pieces); p++) {
            struct tts_stream stream;
            int r = tts_stream_init(&stream, ROOM);
            size_t n_before = 0, n_back = 0;

            for (size_t at = 0; r == 0 && at < n; at += pieces[p]) {
                r = tts_stream_push(&stream, bytes + at, n - at < pieces[p] ? n - at : pieces[p]);
                n_back += stream.clip->n < n_before;
                n_before = stream.clip->n;
            }
            if (r == 0)
                r = tts_stream_end(&stream);
            double ms = stream.clip->n / 8.0;
            ok(r == rows[i].r && fabs(ms - rows[i].ms) < 5 && !n_back, "%s in pieces of %zu: %.0f ms", rows[i].what, pieces[p], ms);
            if (first)
                ok(first->n == stream.clip->n && memcmp(first->ulaw, stream.clip->ulaw, first->n) == 0, "the same as ever");
            else
                first = clip_ref(stream.clip);
            tts_stream_done(&stream);
        }
    }
}

static void test_room(void)
{
    static const struct part parts[] = { { 2000, 8000 } };
    struct tts_stream stream;
    size_t n;
    scoped(free) char *bytes = voice(parts, 1, &n);

    is_int(tts_stream_init(&stream, 8000), 0, "room for a second");
    is_int(tts_stream_push(&stream, bytes, n), -EFBIG, "is no room for two");
    ok(stream.clip->n <= 8000 && stream.clip->n > 7000, "what fits is there");
    tts_stream_done(&stream);
    is_int(tts_stream_init(&stream, 8000), 0, "the same again");
    for (int i = 0; i < 20; i++) {
        static const char silence[RATE];
        if (tts_stream_push(&stream, silence, sizeof(silence)) < 0)
            ok(false, "silence in front takes no room");
    }
    is_int(tts_stream_push(&stream, bytes, n / 3), 0, "silence in front took no room");
    tts_stream_done(&stream);
}

static void test_mistaken(void)
{
    static const struct {
        const char *bytes, *what;
    } kinds[] = {
        { "RIFF\1\2", "WAV" }, { "ID3\3", "MP3" }, { "\xff\xfb\x90", "MP3" }, { "OggS", "Opus" }, { "fLaC", "FLAC" },
        { "{\"error\"", "JSON" }, { "<html>", "HTML" }, { "RIF", NULL }, { "\1\2\3\4", NULL }, { "", NULL },
    };

    for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
        is_str(tts_stream_mistaken(kinds[i].bytes, strlen(kinds[i].bytes)), kinds[i].what, kinds[i].bytes);
}

/* --- one writes, others read */

static struct clip *shared;

static void *listen_in(void *user)
{
    enum clip_state state;
    size_t n = 0, n_wrong = 0;

    do {
        size_t n_now = clip_look(shared, &state);
        for (; n < n_now; n++)
            n_wrong += shared->ulaw[n] != (uint8_t)(n * 7);
    } while (state == CLIP_GROWING);
    n_wrong += n != shared->room;
    clip_unref(shared);
    return (void *)n_wrong;
}

static void test_threads(void)
{
    enum { READERS = 3, SAMPLES = 200000 };
    pthread_t readers[READERS];
    size_t n_wrong = 0;

    shared = clip_new_growing(SAMPLES);
    for (int i = 0; i < READERS; i++) {
        (void)clip_ref(shared);
        if (pthread_create(&readers[i], NULL, listen_in, NULL) != 0)
            abort();
    }
    struct clip *clip = shared;
    for (size_t n = 0; n < SAMPLES;) {
        for (size_t end = n + 160; n < end; n++)
            clip->ulaw[n] = (uint8_t)(n * 7);
        clip_publish(clip, n);
    }
    clip_end(clip, CLIP_WHOLE);
    clip_unref(clip);
    for (int i = 0; i < READERS; i++) {
        void *wrong;
        (void)pthread_join(readers[i], &wrong);
        n_wrong += (size_t)wrong;
    }
    is_int((long long)n_wrong, 0, "what is published is read as it was written, to its end");
}

int main(void)
{
    test_rows();
    test_room();
    test_mistaken();
    test_threads();
    return done_testing();
}
