/*
 * spoken.c - what is said and what is meant
 *
 * A language is a set of tables; the functions know none. Phrases are matched word by word, a table's
 * longer phrase before the shorter one it begins with. Hebrew number words come in two genders, both are
 * taken, and with a leading vav ("and"), which is stripped when what remains is a number.
 */
#include "utils/spoken.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utils/scoped.h"
#include "utils/text.h"

enum number_kind {
    NUMBER_UNIT,   /* 0..9; after a ten it replaces its zero */
    NUMBER_TEEN,   /* 10..19 */
    NUMBER_TEN,    /* 20..90 */
    NUMBER_PAIR,   /* Hebrew "esre": makes a teen of the unit before it; alone it is 10 */
    NUMBER_SCALE,  /* 100, 1000 */
    NUMBER_REPEAT, /* the next unit twice, three times */
    NUMBER_PLUS,
};

struct number_word {
    const char *word;
    enum number_kind kind;
    unsigned value;
};

enum weight { WEIGHT_YES, WEIGHT_NO, WEIGHT_PERHAPS_YES }; /* the last counts when nothing else does */

struct answer_phrase {
    const char *phrase;
    enum weight weight;
};

struct language {
    const char *code;
    const struct number_word *numbers;
    const struct answer_phrase *answers;
    const char *const *repeats;  /* the whole answer, polite words aside */
    const char *const *polite;   /* single words that do not count in it */
    const char *const *sounds;   /* single words that say "I am listening" */
    const char *const *lead_ins; /* before a name */
    const char *const *tails;    /* after a name */
    const char *joiner;          /* a prefix of a number word that is not part of it */
};

/* --- English --- */

static const struct number_word numbers_en[] = {
    { "zero", NUMBER_UNIT, 0 },      { "oh", NUMBER_UNIT, 0 },        { "o", NUMBER_UNIT, 0 },
    { "nought", NUMBER_UNIT, 0 },    { "one", NUMBER_UNIT, 1 },       { "two", NUMBER_UNIT, 2 },
    { "three", NUMBER_UNIT, 3 },     { "four", NUMBER_UNIT, 4 },      { "five", NUMBER_UNIT, 5 },
    { "six", NUMBER_UNIT, 6 },       { "seven", NUMBER_UNIT, 7 },     { "eight", NUMBER_UNIT, 8 },
    { "nine", NUMBER_UNIT, 9 },      { "ten", NUMBER_TEEN, 10 },      { "eleven", NUMBER_TEEN, 11 },
    { "twelve", NUMBER_TEEN, 12 },   { "thirteen", NUMBER_TEEN, 13 }, { "fourteen", NUMBER_TEEN, 14 },
    { "fifteen", NUMBER_TEEN, 15 },  { "sixteen", NUMBER_TEEN, 16 },  { "seventeen", NUMBER_TEEN, 17 },
    { "eighteen", NUMBER_TEEN, 18 }, { "nineteen", NUMBER_TEEN, 19 }, { "twenty", NUMBER_TEN, 20 },
    { "thirty", NUMBER_TEN, 30 },    { "forty", NUMBER_TEN, 40 },     { "fifty", NUMBER_TEN, 50 },
    { "sixty", NUMBER_TEN, 60 },     { "seventy", NUMBER_TEN, 70 },   { "eighty", NUMBER_TEN, 80 },
    { "ninety", NUMBER_TEN, 90 },    { "hundred", NUMBER_SCALE, 100 }, { "thousand", NUMBER_SCALE, 1000 },
    { "double", NUMBER_REPEAT, 2 },  { "triple", NUMBER_REPEAT, 3 },  { "treble", NUMBER_REPEAT, 3 },
    { "plus", NUMBER_PLUS, 0 },      { NULL },
};

static const struct answer_phrase answers_en[] = {
    { "not a problem", WEIGHT_YES },  { "no problem", WEIGHT_YES },     { "why not", WEIGHT_YES },
    { "of course", WEIGHT_YES },      { "go ahead", WEIGHT_YES },       { "please do", WEIGHT_YES },
    { "mm hmm", WEIGHT_YES },         { "uh huh", WEIGHT_YES },         { "that's it", WEIGHT_YES },
    { "yes", WEIGHT_YES },            { "yeah", WEIGHT_YES },           { "yep", WEIGHT_YES },
    { "yup", WEIGHT_YES },            { "ya", WEIGHT_YES },             { "sure", WEIGHT_YES },
    { "okay", WEIGHT_YES },           { "ok", WEIGHT_YES },             { "correct", WEIGHT_YES },
    { "exactly", WEIGHT_YES },        { "absolutely", WEIGHT_YES },     { "definitely", WEIGHT_YES },
    { "certainly", WEIGHT_YES },      { "affirmative", WEIGHT_YES },    { "no", WEIGHT_NO },
    { "nope", WEIGHT_NO },            { "nah", WEIGHT_NO },             { "wrong", WEIGHT_NO },
    { "incorrect", WEIGHT_NO },       { "negative", WEIGHT_NO },        { "never", WEIGHT_NO },
    { "not", WEIGHT_NO },             { "don't", WEIGHT_NO },           { "dont", WEIGHT_NO },
    { "isn't", WEIGHT_NO },           { "isnt", WEIGHT_NO },            { "doesn't", WEIGHT_NO },
    { "can't", WEIGHT_NO },           { "right", WEIGHT_PERHAPS_YES },  { "fine", WEIGHT_PERHAPS_YES },
    { "good", WEIGHT_PERHAPS_YES },   { "perfect", WEIGHT_PERHAPS_YES }, { "great", WEIGHT_PERHAPS_YES },
    { NULL },
};

static const char *const repeats_en[] = {
    "repeat", "repeat that", "repeat it", "repeat the question", "repeat the number", "say again", "say that again",
    "again", "once more", "one more time", "pardon", "pardon me", "come again", "what", "what was that",
    "what did say", "help", "i didn't hear", "i didn't hear that", "i didn't catch that", "excuse me", "sorry", NULL,
};
static const char *const polite_en[] = {
    "please", "can", "could", "would", "you", "uh", "um", "oh", "hey", NULL,
};
static const char *const sounds_en[] = {
    "mm", "mmm", "mhm", "hm", "hmm", "uh", "huh", "um", "ah", "aha", "er", NULL,
};
static const char *const lead_ins_en[] = {
    "my name is", "my name's", "the name is", "the name's", "name is", "you can call me", "call me", "this is",
    "it is", "it's", "i am", "i'm", "yes", "yeah", "sure", "hi", "hello", "well", "uh", "um", "er", "okay", NULL,
};
static const char *const tails_en[] = { "speaking", "here", "please", "thank you", "thanks", NULL };

/* --- Hebrew --- */

static const struct number_word numbers_he[] = {
    { "אפס", NUMBER_UNIT, 0 },     { "אחת", NUMBER_UNIT, 1 },     { "אחד", NUMBER_UNIT, 1 },
    { "שתיים", NUMBER_UNIT, 2 },   { "שתים", NUMBER_UNIT, 2 },    { "שניים", NUMBER_UNIT, 2 },
    { "שנים", NUMBER_UNIT, 2 },    { "שלוש", NUMBER_UNIT, 3 },    { "שלושה", NUMBER_UNIT, 3 },
    { "ארבע", NUMBER_UNIT, 4 },    { "ארבעה", NUMBER_UNIT, 4 },   { "חמש", NUMBER_UNIT, 5 },
    { "חמישה", NUMBER_UNIT, 5 },   { "שש", NUMBER_UNIT, 6 },      { "שישה", NUMBER_UNIT, 6 },
    { "שבע", NUMBER_UNIT, 7 },     { "שבעה", NUMBER_UNIT, 7 },    { "שמונה", NUMBER_UNIT, 8 },
    { "תשע", NUMBER_UNIT, 9 },     { "תשעה", NUMBER_UNIT, 9 },    { "עשר", NUMBER_PAIR, 10 },
    { "עשרה", NUMBER_PAIR, 10 },   { "עשרים", NUMBER_TEN, 20 },   { "שלושים", NUMBER_TEN, 30 },
    { "ארבעים", NUMBER_TEN, 40 },  { "חמישים", NUMBER_TEN, 50 },  { "חמשים", NUMBER_TEN, 50 },
    { "שישים", NUMBER_TEN, 60 },   { "ששים", NUMBER_TEN, 60 },    { "שבעים", NUMBER_TEN, 70 },
    { "שמונים", NUMBER_TEN, 80 },  { "תשעים", NUMBER_TEN, 90 },   { "מאה", NUMBER_SCALE, 100 },
    { "מאות", NUMBER_SCALE, 100 }, { "אלף", NUMBER_SCALE, 1000 }, { "אלפים", NUMBER_SCALE, 1000 },
    { "פעמיים", NUMBER_REPEAT, 2 }, { "כפול", NUMBER_REPEAT, 2 }, { "פלוס", NUMBER_PLUS, 0 },
    { NULL },
};

static const struct answer_phrase answers_he[] = {
    { "למה לא", WEIGHT_YES },    { "אין בעיה", WEIGHT_YES },  { "מאה אחוז", WEIGHT_YES }, { "אין צורך", WEIGHT_NO },
    { "זה נכון", WEIGHT_PERHAPS_YES }, { "כן", WEIGHT_YES },  { "בטח", WEIGHT_YES },      { "בוודאי", WEIGHT_YES },
    { "ודאי", WEIGHT_YES },      { "כמובן", WEIGHT_YES },     { "בהחלט", WEIGHT_YES },    { "אוקיי", WEIGHT_YES },
    { "אוקי", WEIGHT_YES },      { "סבבה", WEIGHT_YES },      { "לא", WEIGHT_NO },        { "שלילי", WEIGHT_NO },
    { "טעות", WEIGHT_NO },       { "שגוי", WEIGHT_NO },       { "נכון", WEIGHT_PERHAPS_YES },
    { "בסדר", WEIGHT_PERHAPS_YES }, { "מצוין", WEIGHT_PERHAPS_YES }, { "טוב", WEIGHT_PERHAPS_YES },
    { "מתאים", WEIGHT_PERHAPS_YES }, { NULL },
};

static const char *const repeats_he[] = {
    "שוב", "עוד פעם", "שוב פעם", "מה", "מה אמרת", "מה אמרתם", "לא שמעתי", "סליחה", "לחזור", "לחזור על זה",
    "לחזור על השאלה", "לחזור על המספר", "תחזור", "תחזרי", "תחזרו", "חזרו", "עזרה", "סליחה לא שמעתי", NULL,
};
static const char *const polite_he[] = { "בבקשה", "אפשר", "נא", "אה", NULL };
static const char *const sounds_he[] = { "אה", "אהה", "אהא", "אממ", "ממ", "מממ", "המ", "הממ", NULL };
static const char *const lead_ins_he[] = {
    "השם שלי הוא", "השם שלי זה", "השם שלי", "השם הוא", "השם", "קוראים לי", "שמי", "מדברת", "מדבר", "זאת", "זה",
    "אני", "כן", "שלום", "היי", "אה", NULL,
};
static const char *const tails_he[] = { "מדברת", "מדבר", "בבקשה", "תודה רבה", "תודה", NULL };

/* --- the languages --- */

static const struct language languages[] = {
    { "en", numbers_en, answers_en, repeats_en, polite_en, sounds_en, lead_ins_en, tails_en, NULL },
    { "he", numbers_he, answers_he, repeats_he, polite_he, sounds_he, lead_ins_he, tails_he, "ו" },
};

static const struct language *language_find(const char *code)
{
    for (size_t i = 0; code && i < ELEMENTSOF(languages); i++)
        if (strncmp(code, languages[i].code, 2) == 0)
            return &languages[i];
    return &languages[0];
}

/* --- words --- */

/* Bytes of the separator at p: 0 a letter or figure. */
static size_t separator(const char *p, bool in_word)
{
    static const char *const wide[] = {
        "־", "–", "—", "…", "“", "”", "„", "״", "׃", "،", "\u00a0", "\u200e", "\u200f", "\ufeff",
    };

    if ((unsigned char)*p < 0x80)
        return !(isalnum((unsigned char)*p) || *p == '+' || (*p == '\'' && in_word));
    for (size_t i = 0; i < ELEMENTSOF(wide); i++)
        if (strncmp(p, wide[i], strlen(wide[i])) == 0)
            return strlen(wide[i]);
    return 0;
}

void spoken_split(const char *text, struct spoken_words *ret_words)
{
    struct spoken_words *words = ret_words;
    size_t n = 0, start = 0;

    words->n = 0;
    for (const char *p = text; words->n < SPOKEN_WORDS_MAX && n < sizeof(words->text) - 1;) {
        size_t n_skip = *p ? separator(p, n > start) : 1;
        if (n_skip && n > start) {
            words->text[n++] = '\0';
            words->word[words->n++] = words->text + start;
            start = n;
        }
        if (!*p)
            return;
        if (n_skip) {
            p += n_skip;
        } else if (strncmp(p, "’", 3) == 0) {
            words->text[n++] = '\'';
            p += 3;
        } else {
            words->text[n++] = (char)tolower((unsigned char)*p++);
        }
    }
}

/* How many words of the phrase lie at word i; 0 when it does not. */
static size_t phrase_at(const struct spoken_words *words, size_t i, const char *phrase)
{
    size_t n_matched = 0;

    for (const char *p = phrase; *p; n_matched++) {
        size_t n = strcspn(p, " ");
        if (i + n_matched >= words->n || strlen(words->word[i + n_matched]) != n ||
            strncmp(words->word[i + n_matched], p, n) != 0)
            return 0;
        p += n + (p[n] == ' ');
    }
    return n_matched;
}

static size_t any_at(const struct spoken_words *words, size_t i, const char *const *phrases)
{
    size_t n = 0;

    for (; *phrases && !n; phrases++)
        n = phrase_at(words, i, *phrases);
    return n;
}

/* --- answers --- */

int spoken_yesno(const char *language, const char *text)
{
    const struct language *lang = language_find(language);
    struct spoken_words words;
    unsigned n_found[3] = { 0 };

    spoken_split(text, &words);
    for (size_t i = 0; i < words.n;) {
        const struct answer_phrase *row = lang->answers;
        size_t n = 0;
        while (row->phrase && !(n = phrase_at(&words, i, row->phrase)))
            row++;
        if (n)
            n_found[row->weight]++;
        i += n ? n : 1;
    }
    if (n_found[WEIGHT_YES] && n_found[WEIGHT_NO])
        return -1;
    if (n_found[WEIGHT_NO])
        return 0;
    return n_found[WEIGHT_YES] || n_found[WEIGHT_PERHAPS_YES] ? 1 : -1;
}

bool spoken_repeat(const char *language, const char *text)
{
    const struct language *lang = language_find(language);
    struct spoken_words words;
    size_t n_kept = 0;

    spoken_split(text, &words);
    for (size_t i = 0; i < words.n; i++)
        if (!any_at(&words, i, lang->polite))
            words.word[n_kept++] = words.word[i];
    words.n = n_kept;
    for (const char *const *phrase = lang->repeats; n_kept && *phrase; phrase++)
        if (phrase_at(&words, 0, *phrase) == n_kept)
            return true;
    return false;
}

bool spoken_backchannel(const char *language, const char *text)
{
    const struct language *lang = language_find(language);
    struct spoken_words words;

    spoken_split(text, &words);
    for (size_t i = 0; i < words.n; i++)
        if (!any_at(&words, i, lang->sounds))
            return false;
    return words.n > 0;
}

void spoken_name(const char *language, const char *text, char *ret_name, size_t size)
{
    const struct language *lang = language_find(language);
    struct spoken_words words;
    size_t first = 0, n, n_used = 0;

    spoken_split(text, &words);
    while (first < words.n && (n = any_at(&words, first, lang->lead_ins)) && first + n < words.n)
        first += n;
    for (bool cut = true; cut && words.n > first + 1;) {
        cut = false;
        for (const char *const *tail = lang->tails; *tail && !cut; tail++) {
            n = (size_t)(strchr(*tail, ' ') != NULL) + 1;
            cut = words.n > first + n && phrase_at(&words, words.n - n, *tail) == n;
            words.n -= cut ? n : 0;
        }
    }

    ret_name[0] = '\0';
    for (size_t i = first; i < words.n; i++) {
        char word[SPOKEN_TEXT_MAX];
        text_set(word, sizeof(word), words.word[i]);
        word[0] = (char)toupper((unsigned char)word[0]);
        if (word[0] && word[1] == '\'') /* O'Neil */
            word[2] = (char)toupper((unsigned char)word[2]);
        text_add(ret_name, size, &n_used, " ", i > first);
        text_add(ret_name, size, &n_used, word, strlen(word));
    }
}

/* --- numbers --- */

static const struct number_word *number_find(const struct language *lang, const char *word)
{
    for (const struct number_word *row = lang->numbers; row->word; row++)
        if (strcmp(row->word, word) == 0)
            return row;
    if (lang->joiner && strncmp(word, lang->joiner, strlen(lang->joiner)) == 0)
        for (const struct number_word *row = lang->numbers; row->word; row++)
            if (strcmp(row->word, word + strlen(lang->joiner)) == 0)
                return row;
    return NULL;
}

static bool all_figures(const char *word)
{
    word += *word == '+';
    return *word && !word[strspn(word, "0123456789")];
}

/* Digits being written down, and what the last word was: it decides how the next one joins. */
struct digits {
    char *text;
    size_t n, size;
    int last;        /* enum number_kind, -1 none */
    unsigned repeat; /* how often the next unit is written */
};

static void digits_put(struct digits *digits, const char *figures)
{
    for (; *figures && digits->n + 1 < digits->size; figures++)
        digits->text[digits->n++] = *figures;
}

static void digits_word(struct digits *digits, const struct number_word *row)
{
    char figures[16];

    switch (row->kind) {
    case NUMBER_UNIT:
        if (digits->last == NUMBER_TEN && row->value && digits->n)
            digits->n--; /* fifty two: 50 becomes 52 */
        figures[0] = (char)('0' + row->value);
        figures[1] = '\0';
        for (unsigned i = 0; i < digits->repeat; i++)
            digits_put(digits, figures);
        digits->repeat = 1;
        break;
    case NUMBER_PAIR:
        if (digits->last == NUMBER_UNIT && digits->n && digits->text[digits->n - 1] != '0') {
            figures[0] = '1';
            figures[1] = digits->text[--digits->n];
            figures[2] = '\0';
            digits_put(digits, figures);
            break;
        }
        /* fall through */
    case NUMBER_TEEN:
    case NUMBER_TEN:
        (void)snprintf(figures, sizeof(figures), "%u", row->value);
        digits_put(digits, figures);
        break;
    case NUMBER_SCALE:
        digits_put(digits, row->value == 100 ? "00" : "000");
        break;
    case NUMBER_REPEAT:
        digits->repeat = row->value;
        break;
    case NUMBER_PLUS:
        if (!digits->n)
            digits_put(digits, "+");
        break;
    }
    digits->last = (int)row->kind;
}

size_t spoken_digits(const char *language, const char *text, char *ret_digits, size_t size)
{
    const struct language *lang = language_find(language);
    struct digits digits = { .text = ret_digits, .size = size, .last = -1, .repeat = 1 };
    struct spoken_words words;

    spoken_split(text, &words);
    for (size_t i = 0; i < words.n; i++) {
        const struct number_word *row = number_find(lang, words.word[i]);
        if (all_figures(words.word[i])) {
            digits_put(&digits, words.word[i] + (*words.word[i] == '+' && digits.n > 0));
            digits.last = -1;
        } else if (row) {
            digits_word(&digits, row);
        } else {
            digits.last = -1;
        }
    }
    ret_digits[digits.n] = '\0';
    return digits.n - (ret_digits[0] == '+');
}

bool spoken_number(const char *language, const char *text, unsigned long *ret_value)
{
    enum { LIMIT = 1000000000 };
    const struct language *lang = language_find(language);
    struct spoken_words words;
    unsigned long total = 0, current = 0;
    bool found = false;
    int last = -1;

    spoken_split(text, &words);
    for (size_t i = 0; i < words.n && total + current < LIMIT; i++) {
        const struct number_word *row = number_find(lang, words.word[i]);
        if (all_figures(words.word[i])) {
            current = current * 1000 + strtoul(words.word[i], NULL, 10) % LIMIT;
            found = true;
            continue;
        }
        if (!row || row->kind == NUMBER_REPEAT || row->kind == NUMBER_PLUS)
            continue;
        if (row->kind == NUMBER_SCALE && row->value == 1000) {
            total += (current ? current : 1) * 1000;
            current = 0;
        } else if (row->kind == NUMBER_SCALE) {
            current = current >= 10 ? current + 100 : (current ? current : 1) * 100;
        } else if (row->kind == NUMBER_UNIT && last == NUMBER_UNIT) {
            current = current * 10 + row->value; /* one two: 12 */
        } else {
            current += row->value;
        }
        last = (int)row->kind;
        found = true;
    }
    if (found)
        *ret_value = total + current;
    return found;
}
