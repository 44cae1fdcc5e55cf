/*
 * wishes.c - what a message asks for in so many words
 *
 * Both the message and the rows are folded (fold.h) into words with a blank before and behind each, and compared so.
 */
#include "utils/wishes.h"

#include <string.h>

#include "utils/fold.h"
#include "utils/scoped.h"
#include "utils/text.h"

enum { ROW_MAX = 64, TEXT_MAX = 2048 };

static const char *const stops[] = { "stop", "stop all", "stopall", "unsubscribe", "opt out", "הסר", "הסירו", "הסירו אותי",
                                     "תסירו אותי", "להסיר", "הסרה" };

static const char *const starts[] = { "start", "unstop", "subscribe", "opt in", "התחל", "הצטרף", "הצטרפות", "החזר" };

static const char *const humans[] = {
    "human",      "real person", "representative", "talk to someone", "talk to somebody", "speak to someone", "speak to somebody",
    "speak with someone", "talk to a person", "speak to a person", "speak with a person", "live agent",  "operator",
    "נציג",       "לנציג",       "נציגה",          "לנציגה",          "נציג אנושי",       "מענה אנושי",
    "בן אדם",     "עם בן אדם",   "אדם אמיתי",      "לדבר עם מישהו",   "לדבר עם אדם",      "מזכירה",           "למזכירה",
};

struct folded {
    char *text;
    size_t size, n;
};

static int add_word(const char *word, void *arg)
{
    struct folded *folded = arg;

    text_add(folded->text, folded->size, &folded->n, word, strlen(word));
    text_add(folded->text, folded->size, &folded->n, " ", 1);
    return 0;
}

/* " one two ", or " " */
static void fold(const char *text, char *ret, size_t size)
{
    struct folded folded = { .text = ret, .size = size };

    text_add(ret, size, &folded.n, " ", 1);
    (void)fold_words(text, add_word, &folded);
}

static bool matches(const char *text, const char *const *rows, size_t n_rows, bool is_whole)
{
    char folded[TEXT_MAX], row[ROW_MAX];

    fold(text, folded, sizeof(folded));
    for (size_t i = 0; i < n_rows; i++) {
        fold(rows[i], row, sizeof(row));
        if (is_whole ? strcmp(folded, row) == 0 : strstr(folded, row) != NULL)
            return true;
    }
    return false;
}

bool wish_stop(const char *text)
{
    return matches(text, stops, ELEMENTSOF(stops), true);
}

bool wish_start(const char *text)
{
    return matches(text, starts, ELEMENTSOF(starts), true);
}

bool wish_human(const char *text)
{
    return matches(text, humans, ELEMENTSOF(humans), false);
}
