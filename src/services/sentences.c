/*
 * sentences.c - speakable sentences from a text that comes in any pieces
 *
 * Whether a full stop ends a sentence is seen from what stands before it and from the first letter after the space behind
 * it; a model writes that space and that letter as one token, so that waiting for it costs nothing. Numbers, times, dates,
 * addresses and Hebrew abbreviations need no rule of their own: there is no space behind their dots, and gershayim are no
 * full stop. What is left are words that are written with a full stop and go on: titles, numbers to come, initials.
 * In doubt nothing is cut: two sentences in one are spoken well, half a one is not.
 *
 * A sentence that is too long is cut behind its last clause, if that is in its second half, else between words.
 */
#include "services/sentences.h"

#include <string.h>
#include <strings.h>

#include "utils/scoped.h"

enum going_on {
    GOES_ON,        /* whatever follows */
    GOES_TO_DIGIT,  /* when a number follows */
    GOES_TO_SMALL,  /* when a small letter follows, as after any word */
};

static const struct abbreviation {
    const char *word;
    enum going_on how;
} abbreviations[] = {
    { "mr", GOES_ON },    { "mrs", GOES_ON },    { "ms", GOES_ON },     { "dr", GOES_ON },     { "prof", GOES_ON },
    { "st", GOES_ON },    { "rev", GOES_ON },    { "hon", GOES_ON },    { "gen", GOES_ON },    { "col", GOES_ON },
    { "capt", GOES_ON },  { "sgt", GOES_ON },    { "mt", GOES_ON },     { "vs", GOES_ON },     { "e.g", GOES_ON },
    { "i.e", GOES_ON },   { "approx", GOES_ON }, { "cf", GOES_ON },     { "no", GOES_TO_DIGIT }, { "nos", GOES_TO_DIGIT },
    { "tel", GOES_TO_DIGIT }, { "ext", GOES_TO_DIGIT }, { "apt", GOES_TO_DIGIT }, { "p", GOES_TO_DIGIT },
    { "pp", GOES_TO_DIGIT },  { "jan", GOES_TO_DIGIT }, { "feb", GOES_TO_DIGIT }, { "mar", GOES_TO_DIGIT },
    { "apr", GOES_TO_DIGIT }, { "jun", GOES_TO_DIGIT }, { "jul", GOES_TO_DIGIT }, { "aug", GOES_TO_DIGIT },
    { "sep", GOES_TO_DIGIT }, { "sept", GOES_TO_DIGIT }, { "oct", GOES_TO_DIGIT }, { "nov", GOES_TO_DIGIT },
    { "dec", GOES_TO_DIGIT }, { "a.m", GOES_TO_SMALL }, { "p.m", GOES_TO_SMALL },
    { "פרופ", GOES_ON },  { "רח", GOES_ON },     { "שד", GOES_ON },     { "שכ", GOES_ON },
    { "עמ", GOES_TO_DIGIT }, { "מס", GOES_TO_DIGIT }, { "טל", GOES_TO_DIGIT }, { "דק", GOES_TO_DIGIT },
    { "ת.ד", GOES_TO_DIGIT }, { "ת.ז", GOES_TO_DIGIT },
};

/* --- characters of what is there */

static size_t encode(uint32_t c, char *ret_bytes)
{
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = { 0, 0, 0xC0, 0xE0, 0xF0 };

    for (size_t i = n; i-- > 1; c >>= 6)
        ret_bytes[i] = (char)(0x80 | (c & 0x3F));
    ret_bytes[0] = (char)(leads[n] | c);
    return n;
}

/* The last character of so many bytes, which are UTF-8. 0: there is none. */
static uint32_t last(const char *text, size_t n, size_t *ret_n_before)
{
    size_t at = n;

    if (n == 0)
        return 0;
    while (((unsigned char)text[--at] & 0xC0) == 0x80)
        ;
    uint32_t c = (unsigned char)text[at];
    size_t n_more = n - at - 1;
    if (n_more > 0)
        c &= 0x3Fu >> n_more;
    for (size_t i = 1; i <= n_more; i++)
        c = c << 6 | ((unsigned char)text[at + i] & 0x3F);
    *ret_n_before = at;
    return c;
}

static bool is_digit(uint32_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_small(uint32_t c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_latin(uint32_t c)
{
    return is_small(c) || (c >= 'A' && c <= 'Z');
}

static bool is_hebrew(uint32_t c)
{
    return c >= 0x05D0 && c <= 0x05EA;
}

/* " ' ) ] and what Hebrew and typographers write for them */
static bool is_closing(uint32_t c)
{
    static const uint32_t closing[] = { '"', '\'', ')', ']', 0xBB, 0x05F3, 0x05F4, 0x2019, 0x201C, 0x201D };

    for (size_t i = 0; i < ELEMENTSOF(closing); i++)
        if (closing[i] == c)
            return true;
    return false;
}

static size_t count_letters(const char *text, size_t n)
{
    size_t n_letters = 0;

    while (n > 0)
        n_letters += unmark_is_word(last(text, n, &n));
    return n_letters;
}

/* --- ends */

/* Where the word that ends there begins, behind what opens it. Quotes inside are gershayim. */
static size_t word_at(const char *text, size_t n)
{
    size_t at = n;

    while (at > 0 && text[at - 1] != ' ')
        at--;
    while (at < n && strchr("(\"'", text[at]))
        at++;
    return at;
}

/* "J", "J.K", "U.S", "ת.ז": single letters with dots between them. "I" alone ends sentences, as a small letter does. */
static bool is_initials(const char *text, size_t n)
{
    size_t n_letters = 0, n_before = 0;
    uint32_t c = 0;

    for (bool is_dot = false; n > 0; is_dot = !is_dot, n = n_before) {
        c = last(text, n, &n_before);
        if (is_dot ? c != '.' : !is_hebrew(c) && !is_latin(c))
            return false;
        n_letters += !is_dot;
    }
    return n_letters > 1 || (n_letters == 1 && c != 'I' && !is_small(c));
}

/* Hebrew writes "in", "the" and the like in one word with what follows. */
static const struct abbreviation *find_abbreviation(const char *word, size_t n)
{
    size_t n_prefix = strlen("ב");

    for (size_t i = 0; i < ELEMENTSOF(abbreviations); i++) {
        const struct abbreviation *abbreviation = &abbreviations[i];
        size_t n_word = strlen(abbreviation->word);
        bool is_prefixed = n == n_word + n_prefix && is_hebrew(last(word, n_prefix, &(size_t){ 0 }));

        if ((n == n_word && strncasecmp(abbreviation->word, word, n) == 0) ||
            (is_prefixed && memcmp(abbreviation->word, word + n_prefix, n_word) == 0))
            return abbreviation;
    }
    return NULL;
}

/* A single full stop at the end of so many bytes; next: the first character behind the space. */
static bool full_stop_ends(const char *text, size_t n, uint32_t next)
{
    size_t at = word_at(text, n), n_word = n - at;

    if (is_small(next))
        return false;
    if (at == 0 && strspn(text, "0123456789") == n_word)
        return false; /* "1. the first": of a list */
    const struct abbreviation *abbreviation = find_abbreviation(text + at, n_word);
    if (abbreviation)
        return abbreviation->how == GOES_TO_SMALL || (abbreviation->how == GOES_TO_DIGIT && !is_digit(next));
    return !is_initials(text + at, n_word);
}

static bool ends(const char *text, size_t n, uint32_t next)
{
    bool is_closed = false;
    size_t n_before = n;
    uint32_t c = last(text, n, &n_before);

    while (is_closing(c)) {
        is_closed = true;
        n = n_before;
        c = last(text, n, &n_before);
    }
    if (c == '!' || c == '?' || c == 0x05C3)
        return !(is_closed && is_small(next)); /* "No!" he said. */
    if (c == 0x2026)
        return !is_small(next);
    if (c != '.')
        return false;
    if (n_before > 0 && text[n_before - 1] == '.')
        return !is_small(next);
    return full_stop_ends(text, n_before, next);
}

/* , ; : and a dash between spaces; not between numbers, which are a row or a range. */
static bool is_clause(const char *text, size_t n, uint32_t next)
{
    size_t n_before = n;
    uint32_t c = last(text, n, &n_before);
    bool is_dash = c == '-' || c == 0x2013 || c == 0x2014;

    if (is_dash && (n_before == 0 || text[--n_before] != ' '))
        return false;
    if (!is_dash && c != ',' && c != ';' && c != ':')
        return false;
    return !(is_digit(next) && n_before > 0 && is_digit((unsigned char)text[n_before - 1]));
}

/* --- the sentence */

static void forget(struct sentences *sentences, size_t n)
{
    memmove(sentences->text, sentences->text + n, sentences->n - n);
    sentences->n -= n;
    sentences->n_letters = count_letters(sentences->text, sentences->n);
    sentences->clause_at = sentences->space_at = 0;
}

/* The first so many bytes are a sentence, if there is anything to say. */
static int hand_out(struct sentences *sentences, size_t n)
{
    size_t n_said = n, n_before = 0;
    int r = 0;

    for (uint32_t c; (c = last(sentences->text, n_said, &n_before)) == ' ' || c == '-' || c == 0x2013 || c == 0x2014;)
        n_said = n_before;
    if (count_letters(sentences->text, n_said) > 0) {
        sentences->n_taken++;
        r = sentences->take(sentences->user, sentences->text, n_said);
    }
    forget(sentences, n);
    return r;
}

static int make_room(struct sentences *sentences)
{
    size_t at = sentences->space_at;

    if (sentences->clause_at >= sentences->n / 2)
        at = sentences->clause_at;
    int r = hand_out(sentences, at ? at : sentences->n);
    if (sentences->n > 0 && sentences->text[0] == ' ')
        forget(sentences, 1);
    return r;
}

static int add(struct sentences *sentences, uint32_t c)
{
    char bytes[4];
    size_t n = encode(c, bytes);
    int r = sentences->n + n < sizeof(sentences->text) ? 0 : make_room(sentences);

    memcpy(sentences->text + sentences->n, bytes, n);
    sentences->n += n;
    sentences->n_letters += unmark_is_word(c);
    return r;
}

/* A space was there, and this is the first character behind it. */
static int go_on(struct sentences *sentences, uint32_t next)
{
    sentences->is_space_due = false;
    if (ends(sentences->text, sentences->n, next))
        return hand_out(sentences, sentences->n);
    bool is_at_clause = is_clause(sentences->text, sentences->n, next);
    if (is_at_clause && sentences->n_taken == 0 && sentences->n_letters >= SENTENCES_FIRST_MIN)
        return hand_out(sentences, sentences->n);
    int r = add(sentences, ' ');
    sentences->space_at = sentences->n - 1;
    if (is_at_clause)
        sentences->clause_at = sentences->space_at;
    return r;
}

static int take_character(void *user, uint32_t c)
{
    struct sentences *sentences = user;
    int r = 0;

    if (c == '\n') {
        sentences->is_space_due = false;
        return hand_out(sentences, sentences->n);
    }
    if (c == ' ') {
        sentences->is_space_due = sentences->n > 0;
        return 0;
    }
    sentences->has_begun |= unmark_is_word(c);
    if (sentences->is_space_due)
        r = go_on(sentences, c);
    return r < 0 ? r : add(sentences, c);
}

void sentences_init(struct sentences *sentences)
{
    unmark_init(&sentences->unmark);
    sentences->n = sentences->n_letters = sentences->clause_at = sentences->space_at = sentences->n_taken = 0;
    sentences->is_space_due = sentences->has_begun = false;
}

int sentences_push(struct sentences *sentences, const char *bytes, size_t n, sentences_take *take, void *user)
{
    sentences->take = take;
    sentences->user = user;
    return unmark_push(&sentences->unmark, bytes, n, take_character, sentences);
}

int sentences_end(struct sentences *sentences, sentences_take *take, void *user)
{
    sentences->take = take;
    sentences->user = user;
    int r = unmark_end(&sentences->unmark, take_character, sentences);
    return r < 0 ? r : hand_out(sentences, sentences->n);
}
