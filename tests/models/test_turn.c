/*
 * test_turn.c - where the time of a turn went, whatever the milestones are
 */
#include "models/turn.h"

#include "tap.h"
#include "utils/scoped.h"

#define WHOLE                                                                                                          \
    .speech_end = 1000, .listened = 1500, .decided = 1510, .stt_asked = 1100, .stt_answered = 1700, .transcript = 1705, \
    .chat_asked = 1710, .first_token = 2000, .chat_answered = 2200, .first_sentence = 2201, .tts_asked = 2205,         \
    .tts_answered = 2400, .first_audio = 2401, .first_frame = 2410

enum { NO = LATENCY_UNKNOWN };

static const struct {
    struct turn_times times;
    int64_t want[LATENCY_N]; /* listened, stt, token, sentence, tts, audio, total, own */
    const char *what;
} rows[] = {
    { { WHOLE }, { 500, 600, 290, 200, 195, 1401, 1410, 25 }, "waits one behind the other, the first two overlapping" },
    { { .speech_end = 1000, .first_frame = 1030 }, { NO, NO, NO, NO, NO, NO, 30, 30 }, "without waits all of it is ours" },
    { { .speech_end = 1000, .listened = 1300, .first_frame = 1330 }, { 300, NO, NO, NO, NO, NO, 330, 30 }, "listened only" },
    { { .speech_end = 1000, .stt_asked = 1000, .stt_answered = 1900, .listened = 1400, .first_frame = 1900 },
      { 400, 900, NO, NO, NO, NO, 900, 0 },
      "a wait that holds another" },
    { { .speech_end = 1000, .chat_asked = 1200, .chat_answered = 1300, .stt_asked = 1050, .stt_answered = 1250, .first_frame = 1400 },
      { NO, 200, NO, NO, NO, NO, 400, 150 },
      "a reply that was asked for before the transcript was there" },
    { { .speech_end = 1000, .tts_asked = 1300, .tts_answered = 1900, .first_frame = 1500 },
      { NO, NO, NO, NO, 600, NO, 500, 300 },
      "a wait that goes on when the first frame has left" },
    { { .speech_end = 1000, .stt_asked = 900, .stt_answered = 1100, .first_frame = 1500 },
      { NO, 200, NO, NO, NO, NO, 500, 400 },
      "one that began while the caller spoke" },
    { { .speech_end = 1000, .stt_asked = 500, .stt_answered = 900, .first_frame = 1500 },
      { NO, 400, NO, NO, NO, NO, 500, 500 },
      "one that was over before" },
    { { .speech_end = 1000, .stt_asked = 1100, .first_frame = 1500 }, { NO, NO, NO, NO, NO, NO, 500, 500 }, "a wait without an end" },
    { { .speech_end = 1000, .stt_answered = 1100, .first_frame = 1500 },
      { NO, NO, NO, NO, NO, NO, 500, 500 },
      "a wait without a beginning" },
    { { .speech_end = 1000, .stt_asked = 1300, .stt_answered = 1100, .first_frame = 1500 },
      { NO, NO, NO, NO, NO, NO, 500, 500 },
      "a wait that ends before it begins" },
    { { .speech_end = 1000, .listened = 900, .first_frame = 1500 }, { NO, NO, NO, NO, NO, NO, 500, 500 }, "listened before the end of speech" },
    { { .first_token = 1200, .chat_answered = 1300 }, { NO, NO, NO, NO, NO, NO, NO, NO }, "a sentence of nobody" },
    { { .speech_end = 1500, .first_frame = 1000 }, { NO, NO, NO, NO, NO, NO, NO, NO }, "a reply before the question" },
    { { .first_frame = 1000, .first_audio = 900 }, { NO, NO, NO, NO, NO, NO, NO, NO }, "keys: nobody spoke" },
    { { .speech_end = 1000, .listened = 1200 }, { 200, NO, NO, NO, NO, NO, NO, NO }, "no reply" },
    { { .speech_end = 1, .first_frame = UINT64_MAX, .stt_asked = 2, .stt_answered = UINT64_MAX },
      { NO, NO, NO, NO, NO, NO, NO, NO },
      "times that cannot be" },
    { { .speech_end = 1000, .stt_asked = 1, .stt_answered = UINT64_MAX, .first_frame = 1500 },
      { NO, NO, NO, NO, NO, NO, 500, 500 },
      "a wait as long as all time" },
    { { 0 }, { NO, NO, NO, NO, NO, NO, NO, NO }, "no milestones" },
};

static void test_stages(void)
{
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        int64_t got[LATENCY_N];

        turn_latencies(&rows[i].times, got);
        if (!ok(memcmp(got, rows[i].want, sizeof(got)) == 0, "%s", rows[i].what))
            for (int stage = 0; stage < LATENCY_N; stage++)
                printf("# %-8s got %lld, want %lld\n", latency_name(stage), (long long)got[stage],
                       (long long)rows[i].want[stage]);
    }
}

static void test_buckets(void)
{
    static const struct {
        int64_t ms;
        unsigned want;
    } cases[] = {
        { -5, 0 }, { 0, 0 }, { 10, 0 }, { 11, 1 }, { 40, 2 }, { 41, 3 }, { 80, 3 }, { 4000, 10 }, { 4001, 11 }, { INT64_MAX, 11 },
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++)
        ok(latency_bucket(cases[i].ms) == cases[i].want, "%lld ms are in bucket %u", (long long)cases[i].ms, cases[i].want);
    ok(latency_bound_ms(LATENCY_BUCKETS - 1) == UINT64_MAX, "the last bucket takes what is left");
}

int main(void)
{
    test_buckets();
    test_stages();
    return done_testing();
}
