/*
 * test_listener.c - utterances cut from payloads of any length, and how long they are held
 */
#include "services/listener.h"

#include <string.h>

#include "services/fake_vad.h"
#include "tap.h"
#include "utils/audio.h"
#include "utils/scoped.h"

enum { N_CHUNKS = 64, NOW_MS = 100000, LOUD_FROM = 8000, LOUD_N = 8000, N = 24000 };

static const size_t payloads[] = { 160, 1, 159, 161, 320, 33, 1600, 4000, 12000 };

/* A second of silence, one of speech whose every byte differs from its neighbours', one of silence. */
static uint8_t sound[N];

static void make_sound(void)
{
    memset(sound, ULAW_SILENCE, sizeof(sound));
    for (size_t i = 0; i < LOUD_N; i++)
        sound[LOUD_FROM + i] = (uint8_t)(i % 16); /* the loudest of mu-law */
}

struct heard {
    struct listener_change started, ended;
    unsigned n_changes;
};

static struct heard hear(struct listener *listener, size_t payload)
{
    struct heard heard = { 0 };

    for (size_t at = 0; at < N;) {
        size_t n = N - at < payload ? N - at : payload;
        struct listener_change change;

        for (size_t taken = 0; taken < n;) {
            taken += listener_hear(listener, NOW_MS + (at + taken) / 8, sound + at + taken, n - taken, &change);
            heard.n_changes += change.kind != VAD_NOTHING;
            if (change.kind == VAD_STARTED)
                heard.started = change;
            if (change.kind == VAD_ENDED)
                heard.ended = change;
        }
        at += n;
    }
    return heard;
}

/* Where the decoded audio begins in the sound, or -1 when it is not a piece of it. */
static long place_of(const struct utterance *audio)
{
    static int16_t want[N], got[N];

    ulaw_decode(sound, want, N);
    utterance_decode(audio, got);
    for (size_t at = 0; at + audio->n <= N; at += LISTENER_BLOCK)
        if (memcmp(want + at, got, audio->n * sizeof(got[0])) == 0)
            return (long)at;
    return -1;
}

static void test_payloads(struct utterance_pool *pool)
{
    for (size_t i = 0; i < ELEMENTSOF(payloads); i++) {
        struct listener listener;

        if (listener_init(&listener, "CA1", pool) < 0)
            return;
        struct heard heard = hear(&listener, payloads[i]);
        struct held_utterance *held = listener_find(&listener, 1);

        is_int(heard.n_changes, 2, "one utterance begins and ends");
        ok(heard.started.utterance == 1 && heard.ended.utterance == 1, "it is the first");
        if (ok(held && held->audio.n, "payloads of %zu: it is held", payloads[i])) {
            long at = place_of(&held->audio), end = at + (long)held->audio.n;
            ok(at >= 0, "as it was, without a gap");
            ok(at < LOUD_FROM && at >= LOUD_FROM - VAD_LEAD_MS * 8, "with a bit of what was before it");
            is_int(end, LOUD_FROM + LOUD_N + VAD_OFFSET_MS * 8, "up to where it was known to have ended");
            listener_dismiss(&listener, held);
        }
        listener_done(&listener);
    }
}

static void test_times(struct utterance_pool *pool)
{
    struct listener listener;

    if (listener_init(&listener, "CA1", pool) < 0)
        return;
    struct heard heard = hear(&listener, LISTENER_BLOCK);
    uint64_t off_ms = heard.started.at_ms - (NOW_MS + LOUD_FROM / 8);
    ok(off_ms + LISTENER_BLOCK_MS <= 2 * LISTENER_BLOCK_MS, "its beginning is told to a block");
    is_int(heard.ended.speech_ms, LOUD_N / 8, "and its length without the pause after it");
    is_int((long long)(heard.ended.at_ms - heard.started.at_ms), LOUD_N / 8, "which is what lies between");
    listener_done(&listener);
    is_int((long long)utterance_pool_n_free(pool), N_CHUNKS, "what is still held goes with the listener");
}

static void test_holding(struct utterance_pool *pool)
{
    struct listener listener;

    if (listener_init(&listener, "CA1", pool) < 0)
        return;
    for (int i = 0; i < LISTENER_SLOTS; i++)
        (void)hear(&listener, 160);
    ok(listener_find(&listener, LISTENER_SLOTS) != NULL, "as many are held as there are slots");
    struct heard heard = hear(&listener, 160);
    ok(heard.n_changes == 2 && heard.ended.utterance == LISTENER_SLOTS + 1, "one more is told of");
    ok(!listener_find(&listener, LISTENER_SLOTS + 1), "but not held");

    struct held_utterance *held = listener_find(&listener, 3);
    const struct utterance *first = listener_read(held), *second = listener_read(held);
    listener_dismiss(&listener, held);
    listener_read_done(&listener, first);
    ok(held->number == 3 && held->audio.n, "one that is dismissed stays while somebody reads it");
    listener_read_done(&listener, second);
    ok(!listener_find(&listener, 3), "and goes with the last");
    heard = hear(&listener, 160);
    ok(listener_find(&listener, heard.started.utterance) != NULL, "its slot takes the next one");
    ok(!listener_find(&listener, 0) && !listener_find(&listener, 99), "none and an unknown one are not held");
    listener_done(&listener);
}

static void test_cut_short(struct utterance_pool *pool)
{
    struct listener listener;
    struct listener_change change;
    size_t at = 0;

    if (listener_init(&listener, "CA1", pool) < 0)
        return;
    while (at < LOUD_FROM + LOUD_N / 2)
        at += listener_hear(&listener, NOW_MS + at / 8, sound + at, LISTENER_BLOCK, &change);
    struct held_utterance *held = listener_find(&listener, 1);
    size_t n = held ? held->audio.n : 0;
    while (at < N)
        at += listener_hear(&listener, NOW_MS + at / 8, sound + at, LISTENER_BLOCK, &change);
    ok(n > 0 && held->audio.n == n, "asking for one that is being said ends it there");
    listener_done(&listener);
}

int main(void)
{
    struct utterance_pool *pool = NULL;

    make_sound();
    if (utterance_pool_new(N_CHUNKS, &pool) < 0)
        return 1;
    test_payloads(pool);
    test_times(pool);
    test_holding(pool);
    test_cut_short(pool);
    is_int((long long)utterance_pool_n_free(pool), N_CHUNKS, "nothing is left behind");
    utterance_pool_free(pool);
    return done_testing();
}
