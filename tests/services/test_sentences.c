/*
 * test_sentences.c - a text becomes the same sentences in whatever pieces it comes, and all of its words are in them
 */
#include "services/sentences.h"

#include <ctype.h>
#include <errno.h>

#include "tap.h"
#include "utils/utf8.h"

/* Sentences are written with | between them. */
static const struct {
    const char *text, *want;
} cases[] = {
    { "", "" },
    { "Hello", "Hello" },
    { "Hello there. How can I help?", "Hello there.|How can I help?" },
    { "Great! Thank you. What is your name?", "Great!|Thank you.|What is your name?" },
    { "Really?! Yes.", "Really?!|Yes." },
    { "He said \"Stop.\" Then he left.", "He said \"Stop.\"|Then he left." },
    { "\"No!\" he said. (That was all.) Fine.", "\"No!\" he said.|(That was all.)|Fine." },
    { "He said “Stop.” Then ‘Go.’ Done", "He said “Stop.”|Then ‘Go.’|Done" },
    { "Hello.\nWelcome\n\nBye", "Hello.|Welcome|Bye" },

    /* not ends */
    { "Mr. Cohen and Dr. Levi are here. Bye.", "Mr. Cohen and Dr. Levi are here.|Bye." },
    { "It is on St. George St. near No. 5. Yes.", "It is on St. George St. near No. 5.|Yes." },
    { "Is it open? No. It is closed.", "Is it open?|No.|It is closed." },
    { "Fruit, e.g. Jaffa oranges. Call me.", "Fruit, e.g. Jaffa oranges.|Call me." },
    { "At 5 p.m. tomorrow. Fine.", "At 5 p.m. tomorrow.|Fine." },
    { "We close at 5 p.m. We open at 8 a.m. Sundays too.", "We close at 5 p.m.|We open at 8 a.m.|Sundays too." },
    { "It is 3.5 km. It costs 1,200.50 ₪. Fine.", "It is 3.5 km.|It costs 1,200.50 ₪.|Fine." },
    { "Come at 10.30 or 8:15. Bye.", "Come at 10.30 or 8:15.|Bye." },
    { "On 3.5.2026. On Jan. 5. Bye.", "On 3.5.2026.|On Jan. 5.|Bye." },
    { "Call 03-123.45.67. Or +972 50 123 4567. Bye.", "Call 03-123.45.67.|Or +972 50 123 4567.|Bye." },
    { "J. K. Rowling and U.S. Army. Then I. And so.", "J. K. Rowling and U.S. Army.|Then I.|And so." },
    { "See https://a.example/b?c=d.e or mail a_b@c.co.il. Bye.", "See https://a.example/b?c=d.e or mail a_b@c.co.il.|Bye." },
    { "Well... let me see... Yes… no. OK", "Well... let me see...|Yes… no.|OK" },
    { "approximately. five. Six", "approximately. five.|Six" },
    { "1. Haircut\n2. Color, and\n10. Shave", "1. Haircut|2. Color, and|10. Shave" },

    /* Hebrew */
    { "שלום. איך אפשר לעזור?", "שלום.|איך אפשר לעזור?" },
    { "ד\"ר כהן ועו\"ד לוי ברח' הרצל 5. תודה.", "ד\"ר כהן ועו\"ד לוי ברח' הרצל 5.|תודה." },
    { "חברת כהן בע\"מ. תודה.", "חברת כהן בע\"מ.|תודה." },
    { "חברת כהן בע״מ נמצאת ברח׳ הרצל. כן.", "חברת כהן בע״מ נמצאת ברח׳ הרצל.|כן." },
    { "פרופ. לוי, מס. 5, ת.ד. 12, טל. 03-1234567. תודה.", "פרופ. לוי, מס. 5, ת.ד. 12, טל. 03-1234567.|תודה." },
    { "בן גוריון ברח. הרצל. א. ב. יהושע.", "בן גוריון ברח. הרצל.|א. ב. יהושע." },
    { "המחיר 1,200.50 ₪. ב-3.5.2026 בשעה 10.30. מתאים?", "המחיר 1,200.50 ₪.|ב-3.5.2026 בשעה 10.30.|מתאים?" },
    { "הוא אמר \"כן.\" ואז \"לא!\" והלך. סוף", "הוא אמר \"כן.\"|ואז \"לא!\"|והלך.|סוף" },
    { "אממ... רגע. כן", "אממ...|רגע.|כן" },
    { "שָׁלוֹם. תּוֹדָה׃ כן", "שָׁלוֹם.|תּוֹדָה׃|כן" },

    /* the first clause, and only that */
    { "Thank you for calling us today, how can I help you, please?", "Thank you for calling us today,|how can I help you, please?" },
    { "Hello Dana, thank you for calling us today - how can I help?", "Hello Dana, thank you for calling us today|how can I help?" },
    { "Hi. Thank you for calling us today again, how can I help?", "Hi.|Thank you for calling us today again, how can I help?" },
    { "תודה שהתקשרתם למספרה של דנה בתל אביב, איך אפשר לעזור לך?", "תודה שהתקשרתם למספרה של דנה בתל אביב,|איך אפשר לעזור לך?" },
    { "There is a table at the window for 2 - 3 people, or 4. Fine?", "There is a table at the window for 2 - 3 people,|or 4.|Fine?" },
    { "I read it back to you as is now 0 5 0, 1 2 3, 4 5 6 7. Right?", "I read it back to you as is now 0 5 0, 1 2 3, 4 5 6 7.|Right?" },

    /* what nobody can say */
    { "**Hello** *there*. # Not `this`", "Hello there.|# Not this" },
    { "## Hours\n- Sunday: 8-5\n* Monday\n+ Tuesday\n• Friday\n---\n> so", "Hours|Sunday: 8-5|Monday|Tuesday|Friday|so" },
    { "See [our page](https://a.example/x_(y) now. ![Logo](l.png) Bye", "See our page now.|Logo Bye" },
    { "Great! 😀👍🏽 Thanks🙏 a lot😀. 👨‍👩‍👧 Bye ❤️", "Great!|Thanks a lot.|Bye" },
    { "Great!😀What", "Great!|What" },
    { "Press 1️⃣, press * now, or # at -5. A~~b~~ | c", "Press 1, press * now, or # at -5.|Ab c" },
    { "<think>Hm. What now?\n</think>\n\nHello. <b>You</b><br/>there", "Hello.|Youthere" },
    { "Yes. <thinking>no <b> no</thinking> So. <think>never closed", "Yes.|So." },
    { "a < b and <3 <- x. <3", "a < b and <3 <- x.|<3" },
    { "\xE2\x80\x8Fשלום\xE2\x80\x8F.\xC2\xA0\xE2\x80\xAAכן\xE2\x80\xAC", "שלום.|כן" },
    { "a\xFF" "b\xC3 c\xED\xA0\x80 d\xE2\x82. E\t\tf\x01g", "ab c d.|E f g" },
    { "... \n - \n*** . ! ?\n\xF0\x9F\x98\x80", "" },
};

struct told {
    char text[8 * KIB];
    size_t n, n_sentences;
    bool is_bad;
};

static int take(void *user, const char *text, size_t n)
{
    struct told *told = user;

    told->is_bad |= n == 0 || n >= AGENT_SENTENCE_MAX || !utf8_valid(text, n) || memchr(text, '\0', n) ||
                    told->n + n + 1 >= sizeof(told->text);
    if (told->is_bad)
        return -EIO;
    told->n += (size_t)snprintf(told->text + told->n, sizeof(told->text) - told->n, "%s%.*s", told->n_sentences++ ? "|" : "",
                                (int)n, text);
    return 0;
}

static void cut(const char *text, size_t n, size_t first, size_t others, struct told *told)
{
    struct sentences sentences;
    int r = 0;

    memset(&sentences, 0xAA, sizeof(sentences));
    told->text[0] = '\0';
    told->n = told->n_sentences = 0;
    told->is_bad = false;
    sentences_init(&sentences);
    for (size_t at = 0, size = first; at < n && r == 0; at += size, size = others)
        r = sentences_push(&sentences, text + at, size < n - at ? size : n - at, take, told);
    if (r == 0)
        (void)sentences_end(&sentences, take, told);
}

static void rows_come_out(void)
{
    struct told told;

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        size_t n = strlen(cases[i].text), n_same = 0, n_tried = 0;

        cut(cases[i].text, n, n, 1, &told);
        is_str(told.text, cases[i].want, "sentences");
        for (size_t first = 1; first <= n; first++)
            for (size_t others = 1; others <= 7; others++, n_tried++) {
                cut(cases[i].text, n, first, others, &told);
                n_same += strcmp(told.text, cases[i].want) == 0;
            }
        is_int((long long)n_same, (long long)n_tried, "and the same in all pieces");
    }
}

static const struct {
    const char *piece; /* repeated beyond the limit */
    const char *what;
} longs[] = {
    { "word ", "words" },
    { "some words, ", "clauses" },
    { "מילה ", "Hebrew words" },
    { "א", "one Hebrew word without an end" },
    { "a", "one word without an end" },
    { "1.", "numbers" },
};

static void long_ones_are_cut(void)
{
    static char text[4 * KIB + 16], words[4 * KIB + 16];
    struct told told;

    for (size_t i = 0; i < ELEMENTSOF(longs); i++) {
        size_t n_piece = strlen(longs[i].piece), n = 0, n_words = 0, n_told = 0;

        for (; n + n_piece < 4 * KIB; n += n_piece)
            memcpy(text + n, longs[i].piece, n_piece);
        cut(text, n, 1, 13, &told);
        for (size_t k = 0; k < n; k++)
            if (text[k] != ' ')
                words[n_words++] = text[k];
        for (size_t k = 0; k < told.n; k++)
            if (told.text[k] != ' ' && told.text[k] != '|')
                told.text[n_told++] = told.text[k];
        ok(!told.is_bad && told.n_sentences > 3 && n_words == n_told && memcmp(words, told.text, n_words) == 0,
           "%s are cut, and all are there", longs[i].what);
    }
    cut("some words, and so on and on", 28, 28, 1, &told);
    for (size_t n = 0; n < 60; n++)
        memcpy(text + 10 * n, n == 40 ? "a clause, " : "nine word ", 10);
    cut(text, 600, 600, 1, &told);
    ok(strstr(told.text, "clause,|nine") != NULL, "at the end of a clause rather than anywhere");
}

/* Letters and digits of both scripts; emoji are four bytes and none. */
static void keep_words(const char *text, char *ret_words)
{
    for (; *text; text++) {
        bool is_hebrew = (unsigned char)*text == 0xD7;

        if (is_hebrew)
            *ret_words++ = *text++;
        if (is_hebrew || ((unsigned char)*text < 0x80 && isalnum((unsigned char)*text)))
            *ret_words++ = *text;
    }
    *ret_words = '\0';
}

/* Texts by chance of what the rules look at: all letters and digits come out, once and in order. */
static void nothing_is_lost_or_said_twice(void)
{
    static const char *const words[] = { "Mr.",  "שלום",  "e.g.", "1,200.50", "ד\"ר", "בע\"מ.", "No.",   "5",   "3.5.2026", "הלך",
                                         "p.m.", "U.S.",  "א.",   "a_b@c.co", "well",  "Then",    "סוף.",  "ok!", "really?",  "wait..." };
    static const char *const gaps[] = { " ", " ", " ", ", ", " - ", "\n", " **", "** ", "\n- ", " (", ") ", "… ", "; ", "  ", "\" ", " 😀 " };
    static char text[4 * KIB], want[4 * KIB], got[4 * KIB];
    unsigned random = 7, n_good = 0, n_same = 0;
    struct told told, again;

    for (int round = 0; round < 300; round++) {
        size_t n = 0;

        while (n < sizeof(text) - 64) {
            random = random * 1103515245 + 12345;
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", words[(random >> 16) % ELEMENTSOF(words)],
                                  gaps[(random >> 24) % ELEMENTSOF(gaps)]);
        }
        cut(text, n, n, 1, &told);
        cut(text, n, 1 + (random >> 16) % 9, 1 + (random >> 20) % 9, &again);
        n_same += strcmp(told.text, again.text) == 0;
        keep_words(text, want);
        keep_words(told.text, got);
        n_good += !told.is_bad && strcmp(want, got) == 0;
    }
    ok(n_good == 300, "no word is lost or said twice, in %u of 300 texts", n_good);
    ok(n_same == 300, "in whatever pieces they come, in %u", n_same);
}

static int refuse(void *user, const char *text, size_t n)
{
    ++*(int *)user;
    return -ECANCELED;
}

int main(void)
{
    struct sentences sentences;
    int n_refused = 0;

    rows_come_out();
    long_ones_are_cut();
    nothing_is_lost_or_said_twice();
    sentences_init(&sentences);
    int r = sentences_push(&sentences, "One. Two. Three. ", 17, refuse, &n_refused);
    ok(r == -ECANCELED && n_refused == 1, "who refuses a sentence gets no other");
    sentences_init(&sentences);
    (void)sentences_push(&sentences, "<think>a</think> *", 18, refuse, &n_refused);
    ok(!sentences.has_begun, "thoughts are no beginning");
    (void)sentences_push(&sentences, "S", 1, refuse, &n_refused);
    ok(sentences.has_begun, "the first letter is");
    return done_testing();
}
