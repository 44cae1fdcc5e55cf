/*
 * test_playback.c - the play-out queue in virtual time
 */
#include "caller/playback.h"

#include <errno.h>
#include <string.h>

#include "tap.h"

static struct {
    char text[4096]; /* what happened, one word each */
    uint64_t played_end_us;
    size_t n_played, n_overlaps;
} seen;

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
    size_t n = strlen(seen.text);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(seen.text + n, sizeof(seen.text) - n, format, args);
    va_end(args);
}

static void on_played(void *user, uint64_t at_us, const uint8_t *ulaw, size_t n)
{
    seen.n_overlaps += at_us < seen.played_end_us;
    seen.played_end_us = at_us + n * PLAYBACK_SAMPLE_US;
    seen.n_played += n;
}

static void on_mark(void *user, uint64_t at_us, const char *name)
{
    note("%s@%llu ", name, (unsigned long long)at_us);
}

static const struct playback_ops ops = { on_played, on_mark };

enum step_kind { AUDIO, MARK, CLEAR, ADVANCE, END };

struct step {
    enum step_kind kind;
    uint64_t now_us;
    size_t n;         /* samples */
    const char *name; /* of the mark */
};

static const struct {
    const char *what;
    struct step steps[10];
    const char *want;
    size_t want_played;
} cases[] = {
    { "a mark with nothing queued comes back at once",
      { { MARK, 1000, 0, "a" }, { END } }, "a@1000 ", 0 },
    { "a mark comes back when the last sample before it was played, however late we look",
      { { AUDIO, 0, 160, NULL }, { MARK, 10, 0, "a" }, { ADVANCE, 19999 }, { ADVANCE, 90000 }, { END } }, "a@20000 ", 160 },
    { "audio after a pause is played from its arrival, not from the end of the old",
      { { AUDIO, 0, 160, NULL }, { AUDIO, 50000, 160, NULL }, { MARK, 50000, 0, "a" }, { ADVANCE, 100000 }, { END } },
      "a@70000 ", 320 },
    { "audio in time is played without a gap",
      { { AUDIO, 0, 160, NULL }, { AUDIO, 19000, 160, NULL }, { MARK, 19000, 0, "a" }, { ADVANCE, 100000 }, { END } },
      "a@40000 ", 320 },
    { "marks come back in order, each at its place",
      { { AUDIO, 0, 80, NULL }, { MARK, 0, 0, "a" }, { MARK, 0, 0, "b" }, { AUDIO, 0, 80, NULL }, { MARK, 0, 0, "c" },
        { ADVANCE, 10000 }, { ADVANCE, 20000 }, { END } }, "a@10000 b@10000 c@20000 ", 160 },
    { "clear drops the rest and gives all marks back at that moment",
      { { AUDIO, 0, 1600, NULL }, { MARK, 0, 0, "a" }, { AUDIO, 0, 1600, NULL }, { MARK, 0, 0, "b" }, { CLEAR, 50000 },
        { ADVANCE, 900000 }, { END } }, "a@50000 b@50000 ", 400 },
    { "a mark that was due before the clear has been played, not flushed",
      { { AUDIO, 0, 160, NULL }, { MARK, 0, 0, "a" }, { AUDIO, 0, 160, NULL }, { MARK, 0, 0, "b" }, { CLEAR, 30000 }, { END } },
      "a@20000 b@30000 ", 240 },
    { "audio after a clear is played at once",
      { { AUDIO, 0, 8000, NULL }, { CLEAR, 100000 }, { AUDIO, 100000, 160, NULL }, { MARK, 100000, 0, "a" },
        { ADVANCE, 200000 }, { END } }, "a@120000 ", 960 },
    { "clear of nothing does nothing",
      { { CLEAR, 5 }, { MARK, 6, 0, "a" }, { END } }, "a@6 ", 0 },
    { "a part of a sample is not played",
      { { AUDIO, 0, 160, NULL }, { ADVANCE, 249 }, { END } }, "", 1 },
};

static void run(struct playback *playback, const struct step *steps)
{
    static uint8_t audio[8000];

    for (const struct step *step = steps; step->kind != END; step++)
        switch (step->kind) {
        case AUDIO:
            (void)playback_audio(playback, audio, step->n, step->now_us);
            break;
        case MARK:
            (void)playback_mark(playback, step->name, step->now_us);
            break;
        case CLEAR:
            (void)playback_clear(playback, step->now_us);
            break;
        default:
            playback_advance(playback, step->now_us);
        }
}

static void test_audible(void)
{
    struct playback *playback = NULL;
    uint8_t audio[160];

    memset(audio, 0xFF, sizeof(audio));
    if (playback_new(&ops, NULL, &playback) < 0)
        return;
    (void)playback_audio(playback, audio, sizeof(audio), 0);
    is_int((long long)playback_audible_us(playback), 0, "silence is not audible");
    audio[9] = 0x00;
    (void)playback_audio(playback, audio, sizeof(audio), 0);
    is_int((long long)playback_audible_us(playback), 20000 + 10 * 125, "the last audible sample is known when it is queued");
    (void)playback_clear(playback, 15000);
    is_int((long long)playback_audible_us(playback), 15000, "and forgotten when it is cleared unheard");
    playback_free(playback);
}

static void test_limit(void)
{
    struct playback *playback = NULL;
    static uint8_t audio[PLAYBACK_MAX_SAMPLES];

    if (playback_new(&ops, NULL, &playback) < 0)
        return;
    is_int(playback_audio(playback, audio, sizeof(audio), 0), 0, "ten minutes may be queued");
    is_int(playback_audio(playback, audio, 1, 0), -ENOBUFS, "one sample more is discarded");
    is_int((long long)playback_end_us(playback), 600 * 1000000LL, "and does not delay anything");
    is_int(playback_audio(playback, audio, 200, 125 * 100), -ENOBUFS, "what does not fit is cut");
    is_int((long long)playback_end_us(playback), 600 * 1000000LL + 125 * 100, "what fits is kept");
    playback_free(playback);
}

int main(void)
{
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        struct playback *playback = NULL;

        memset(&seen, 0, sizeof(seen));
        if (!ok(playback_new(&ops, NULL, &playback) == 0, "a queue"))
            break;
        run(playback, cases[i].steps);
        is_str(seen.text, cases[i].want, cases[i].what);
        is_int((long long)seen.n_played, (long long)cases[i].want_played, "... with so many samples heard");
        is_int((long long)seen.n_overlaps, 0, "... none of them at the same time as another");
        playback_free(playback);
    }
    test_audible();
    test_limit();
    return done_testing();
}
