/*
 * endpointing.c - has the caller finished?
 *
 * The words so far are put into one of four classes, by what was asked; one table says how long each
 * waits. Waiting too long is felt as slowness at every turn, too short cuts a caller off: so an answer
 * that cannot go on waits not at all, and one that must go on waits longest.
 */
#include "services/endpointing.h"

#include <string.h>

#include "utils/scoped.h"
#include "utils/spoken.h"

enum words { WORDS_NONE, WORDS_SOME, WORDS_DONE, WORDS_OPEN, WORDS_UNHEARD, WORDS_N };

enum {
    PART_MIN = 3, /* fewer may be a time, a room, a price */
    PART_END = 9, /* with so many it may be whole */
    PLAIN_MAX = 2, /* words */
};

static const uint16_t waits_ms[ANSWER_N_KINDS][WORDS_N] = {
    /* nothing understood; an answer that may go on; one that cannot; one that will; nobody can transcribe it */
    /* with the detector's 300 ms: 0.9 s, the pause between sentences; "and ..." is a search for words;
       what is said after all, into the first words of the reply, still counts */
    /* "yes" may be all; a number that is not whole goes on after a breath */
    [ANSWER_FREE] = { 600, 600, 300, 1500, 600 },
    /* "yes" is complete at once; "no, it is ..." brings a number */
    [ANSWER_YESNO] = { 600, 800, 0, 1500, 300 },
    /* groups of a number are a breath apart; enough digits may still be too few; all digits are all */
    [ANSWER_DIGITS] = { 1200, 1000, 0, 2200, 1800 },
    /* "two hundred ... and fifty" */
    [ANSWER_NUMBER] = { 900, 700, 700, 1500, 900 },
    [ANSWER_COMMAND] = { 600, 300, 0, 1500, 300 },
};

/* Last words after which more comes. */
static const struct {
    const char *language, *word;
} hesitations[] = {
    { "en", "and" },  { "en", "or" },   { "en", "but" },   { "en", "because" }, { "en", "so" },   { "en", "um" },
    { "en", "uh" },   { "en", "er" },   { "en", "erm" },   { "en", "the" },     { "en", "a" },    { "en", "an" },
    { "en", "to" },   { "en", "for" },  { "en", "with" },  { "en", "my" },      { "en", "is" },   { "en", "at" },
    { "en", "on" },   { "en", "of" },   { "en", "it's" },  { "en", "if" },      { "en", "well" }, { "en", "then" },
    { "en", "from" }, { "en", "i" },    { "en", "i'm" },   { "en", "like" },    { "en", "plus" }, { "en", "double" },
    { "he", "או" },   { "he", "אבל" },  { "he", "כי" },    { "he", "אה" },      { "he", "אהה" },  { "he", "אמ" },
    { "he", "אממ" },  { "he", "אם" },   { "he", "של" },    { "he", "את" },      { "he", "עם" },   { "he", "זה" },
    { "he", "אז" },   { "he", "על" },   { "he", "בגלל" },  { "he", "אני" },     { "he", "הוא" },  { "he", "כאילו" },
    { "he", "וגם" },  { "he", "פלוס" }, { "he", "פעמיים" }, { "he", "כפול" },
};

static bool hesitates(const struct endpointing_turn *turn)
{
    struct spoken_words words;

    spoken_split(turn->text, &words);
    for (size_t i = 0; words.n && i < ELEMENTSOF(hesitations); i++)
        if (strncmp(turn->language, hesitations[i].language, 2) == 0 &&
            strcmp(words.word[words.n - 1], hesitations[i].word) == 0)
            return true;
    return false;
}

/* A telephone number that is being said, in words or figures: its digits so far stand at the end. */
static bool ends_in_part_of_number(const struct endpointing_turn *turn)
{
    struct spoken_words words;
    size_t n_digits = 0;

    spoken_split(turn->text, &words);
    for (size_t i = words.n; i-- > 0;) {
        char digits[32];
        size_t n = spoken_digits(turn->language, words.word[i], digits, sizeof(digits));

        if (!n)
            break;
        n_digits += n;
    }
    return n_digits >= PART_MIN && n_digits < PART_END;
}

/* "yes", "no thanks": who wants to say more begins otherwise. */
static bool is_plain_answer(const struct endpointing_turn *turn)
{
    struct spoken_words words;

    spoken_split(turn->text, &words);
    return words.n <= PLAIN_MAX && spoken_yesno(turn->language, turn->text) >= 0;
}

static enum words classify(const struct endpointing_turn *turn)
{
    char digits[64];
    unsigned long value;
    size_t n_digits;

    if (!turn->can_transcribe)
        return WORDS_UNHEARD;
    if (!turn->text[0])
        return WORDS_NONE;
    if (hesitates(turn))
        return WORDS_OPEN;
    switch (turn->expect) {
    case ANSWER_YESNO:
        return spoken_yesno(turn->language, turn->text) >= 0 ? WORDS_DONE : WORDS_SOME;
    case ANSWER_DIGITS:
        n_digits = spoken_digits(turn->language, turn->text, digits, sizeof(digits));
        if (turn->digits_max && n_digits >= turn->digits_max)
            return WORDS_DONE;
        return n_digits && n_digits < turn->digits_min ? WORDS_OPEN : WORDS_SOME;
    case ANSWER_NUMBER:
        return spoken_number(turn->language, turn->text, &value) ? WORDS_SOME : WORDS_NONE;
    case ANSWER_COMMAND:
        return WORDS_DONE;
    default:
        return ends_in_part_of_number(turn) ? WORDS_OPEN : is_plain_answer(turn) ? WORDS_DONE : WORDS_SOME;
    }
}

static uint32_t wait_ms(const struct endpointing_turn *turn)
{
    return waits_ms[turn->expect][classify(turn)];
}

const struct endpointing endpointing_rules = { "rules", wait_ms };
