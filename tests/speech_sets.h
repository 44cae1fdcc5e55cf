#pragma once
/* speech_sets.h - the recordings by what they answer, and how far off a transcript is */

#include <stdbool.h>

#include "models/turn.h"
#include "recordings.h"
#include "utils/spoken.h"

#define DIGIT_WORDS " zero oh one two three four five six seven eight nine "
#define NUMBER_WORDS                                                                               \
    DIGIT_WORDS "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen " \
                "twenty thirty forty fifty sixty seventy eighty ninety "

struct speech_set {
    const char *name;
    enum answer_kind expect;
    const char *folders; /* of the manifest, between blanks */
    const char *words;   /* all that may occur, between blanks; NULL any */
    bool by_meaning;     /* "yeah" for "yes" is right */
    double error;        /* per cent of words, or of answers by meaning, at the design */
};

static const struct speech_set speech_sets[] = {
    { "yes or no", ANSWER_YESNO, " an4_cmd synth ",
      " yes no yeah please thank you sure not really ", true, 2.4 },
    { "7 commands", ANSWER_COMMAND, " an4_cmd ", NULL, false, 3.6 },
    { "digit strings", ANSWER_DIGITS, " an4_test cards ", DIGIT_WORDS, false, 5.1 },
    { "numbers", ANSWER_NUMBER, " an4_test ", NUMBER_WORDS, false, 14.6 },
};

static bool speech_set_listed(const char *list, const char *word, size_t n)
{
    for (const char *p = list; (p = strstr(p, word)); p++)
        if (p[-1] == ' ' && p[n] == ' ')
            return true;
    return false;
}

/* Whether all its words are among those; by meaning, whether it means either. */
__attribute__((unused)) static bool speech_set_has(const struct speech_set *set,
                                                   const struct recording *one)
{
    struct spoken_words words;

    spoken_split(one->text, &words);
    if (!speech_set_listed(set->folders, one->set, strlen(one->set)) || words.n == 0)
        return false;
    for (size_t i = 0; set->words && i < words.n; i++)
        if (!speech_set_listed(set->words, words.word[i], strlen(words.word[i])))
            return false;
    return !set->by_meaning || spoken_yesno("en", one->text) >= 0;
}

/* Words put in, left out or taken for others. */
static size_t word_errors(const char *said, const char *heard, size_t *ret_n_said)
{
    static struct spoken_words a, b;
    size_t row[SPOKEN_WORDS_MAX + 1];

    spoken_split(said, &a);
    spoken_split(heard, &b);
    for (size_t j = 0; j <= b.n; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t swap = diagonal + (strcmp(a.word[i - 1], b.word[j - 1]) != 0);
            size_t less = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            diagonal = row[j];
            row[j] = swap < less ? swap : less;
        }
    }
    *ret_n_said = a.n;
    return row[b.n];
}

/* As the set counts: words, or the answer as a whole by its meaning. */
__attribute__((unused)) static size_t
speech_set_errors(const struct speech_set *set, const char *said, const char *heard, size_t *ret_n)
{
    if (!set->by_meaning)
        return word_errors(said, heard, ret_n);
    *ret_n = 1;
    return spoken_yesno("en", said) != spoken_yesno("en", heard);
}
