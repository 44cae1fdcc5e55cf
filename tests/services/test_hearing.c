/*
 * test_hearing.c - words stand in the order they were said, whatever order they come in
 */
#include "services/hearing.h"

#include "tap.h"
#include "utils/scoped.h"
#include "utils/utf8.h"

enum { WORDS_MAX = 4 };

static const struct {
    unsigned order[WORDS_MAX]; /* in which transcripts come, by utterance */
    const char *words[WORDS_MAX];
    const char *want;
} cases[] = {
    { { 1, 2, 3, 4 }, { "a", "b", "c", "d" }, "a b c d" },
    { { 4, 3, 2, 1 }, { "a", "b", "c", "d" }, "a b c d" },
    { { 2, 4, 1, 3 }, { "one", "two", "three", "four" }, "one two three four" },
    { { 3, 1, 2, 4 }, { "", "two", "", "four" }, "two four" },
    { { 4, 1, 2, 3 }, { "", "", "", "four" }, "four" },
    { { 1, 2, 3, 4 }, { "", "", "", "" }, "" },
    { { 2, 2, 1, 1 }, { "a", "b", "c", "d" }, "a b" },
    { { 3, 2, 1, 4 }, { "שלום", "לכם", "רב", "" }, "שלום לכם רב" },
};

static void test_order(void)
{
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        static struct hearing hearing;

        hearing_clear(&hearing);
        for (unsigned u = 1; u <= WORDS_MAX; u++)
            hearing_add(&hearing, u, 100 * u)->waiting = true;
        for (size_t k = 0; k < WORDS_MAX; k++)
            hearing_words(&hearing, hearing_find(&hearing, cases[i].order[k]), cases[i].words[cases[i].order[k] - 1],
                          0.9 - 0.1 * (double)k, 1000 + k);
        is_str(hearing.text, cases[i].want, "words in order");
    }
}

/* More words than fit, in any order: cut between letters, never beyond the end. */
static void test_full(void)
{
    static struct hearing hearing;
    static char words[400];
    int n_bad = 0;

    for (size_t i = 0; i + 2 < sizeof(words); i += 2)
        memcpy(words + i, "ש", 2);
    for (unsigned first = 1; first <= 8; first++) {
        hearing_clear(&hearing);
        for (unsigned u = 1; u <= 8; u++)
            (void)hearing_add(&hearing, u, 100);
        for (unsigned k = 0; k < 8; k++)
            hearing_words(&hearing, hearing_find(&hearing, (first * 3 + k * 5) % 8 + 1), words + (k % 3) * 2, 0.5, 1);
        n_bad += !utf8_valid(hearing.text, strlen(hearing.text)) || strlen(hearing.text) < TURN_TEXT_MAX - 4;
    }
    is_int(n_bad, 0, "what does not fit is cut between letters");
}

static void test_rest(void)
{
    static struct hearing hearing;

    hearing_clear(&hearing);
    for (unsigned u = 1; u <= HEARING_MAX; u++)
        ok(hearing_add(&hearing, u, u) != NULL, "room for %u", u);
    ok(!hearing_add(&hearing, 99, 1), "and for no more");
    ok(hearing_open(&hearing) && !hearing_waiting(&hearing), "they are open");
    hearing_remove(&hearing, hearing_find(&hearing, 3));
    ok(!hearing_find(&hearing, 3) && hearing_find(&hearing, 4)->began_ms == 4, "one is taken out");
    hearing.list[0].reported_ms = 70;
    hearing.list[1].reported_ms = 60;
    hearing.list[0].speech_ms = hearing.list[1].speech_ms = 500;
    is_int((long long)hearing_reported_ms(&hearing), 70, "the last end");
    is_int(hearing_speech_ms(&hearing), 1000, "the speech of all");
    hearing_words(&hearing, hearing_find(&hearing, 1), "a", -1, 80);
    ok(hearing.confidence < 0, "an unknown confidence says nothing");
    hearing_words(&hearing, hearing_find(&hearing, 2), "b", 0.4, 80);
    hearing_words(&hearing, hearing_find(&hearing, 4), "c", 0.6, 80);
    ok(hearing.confidence > 0.39 && hearing.confidence < 0.41, "the least confidence counts");
}

int main(void)
{
    test_order();
    test_full();
    test_rest();
    return done_testing();
}
