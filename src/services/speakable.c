/*
 * speakable.c - text as a voice should get it
 *
 * The text is walked once. At each place where something may begin, readers are asked in turn whether it is theirs:
 * addresses first, since they hold numbers; then the language's own words (abbreviations, dates by name); then figures;
 * then signs. What is nobody's is copied, a word at a time, so that nothing begins inside a word. Hebrew hangs short
 * words before a number ("ב-10:30"); such a letter joins the words that follow.
 *
 *   speakable_address.c   telephone numbers, e-mail and web addresses
 *   speakable_dates.c     days and times: how they are written
 *   speakable_figures.c   amounts, ranges, prices, units: how they are written
 *   speakable_en.c, _he.c how they are said: a struct manner each
 */
#include "services/speakable.h"

#include <string.h>

#include "services/speakable_manner.h"
#include "utils/language.h"
#include "utils/scoped.h"
#include "utils/text.h"

/* --- words */

void words_add_n(struct words *words, const char *text, size_t n)
{
    words->is_full = words->is_full || words->n + n >= sizeof(words->text);
    if (words->is_full)
        return;
    memcpy(words->text + words->n, text, n);
    words->n += n;
    words->text[words->n] = '\0';
}

void words_add(struct words *words, const char *text)
{
    words_add_n(words, text, strlen(text));
}

/* --- characters */

/* Beyond ASCII these are no letters: a first byte and the range of what follows it. */
static const struct {
    const char *first;
    unsigned char from, to;
} others[] = {
    { "\xC2", 0xA0, 0xBF },     /* no-break space, pound, degree, square, quotes */
    { "\xD6", 0xBE, 0xBE },     /* maqaf */
    { "\xD7", 0xB3, 0xB4 },     /* geresh, gershayim */
    { "\xE2\x80", 0x80, 0xBF }, /* dashes, quotes, ellipsis, marks of direction */
    { "\xE2\x82", 0xA0, 0xBF }, /* currencies */
    { "\xE2\x84", 0x80, 0xBF }, /* numero */
    { "\xE2\x88", 0x80, 0xBF }, /* minus */
};

/* The bytes of a character, 1 where it is none. */
static size_t size_of(const char *at)
{
    unsigned char c = (unsigned char)*at;
    size_t n = c >= 0xF0 && c < 0xF8 ? 4 : c >= 0xE0 && c < 0xF0 ? 3 : c >= 0xC0 && c < 0xE0 ? 2 : 1;

    for (size_t i = 1; i < n; i++)
        if (((unsigned char)at[i] & 0xC0) != 0x80)
            return 1;
    return n;
}

enum glyph glyph_at(const char *at, size_t *ret_n)
{
    unsigned char c = (unsigned char)*at;
    size_t n = c < 0x80 ? 1 : size_of(at);

    if (ret_n)
        *ret_n = n;
    if (c < 0x80)
        return !c ? GLYPH_END : strchr(" \t\r\n", c) ? GLYPH_SPACE : c >= '0' && c <= '9' ? GLYPH_DIGIT
               : (c | 32) >= 'a' && (c | 32) <= 'z' ? GLYPH_LETTER : GLYPH_OTHER;
    if (n == 2 && c == 0xC2 && (unsigned char)at[1] == 0xA0)
        return GLYPH_SPACE;
    for (size_t i = 0; i < ELEMENTSOF(others); i++) {
        size_t n_first = strlen(others[i].first);
        if (n == n_first + 1 && memcmp(at, others[i].first, n_first) == 0 && (unsigned char)at[n_first] >= others[i].from &&
            (unsigned char)at[n_first] <= others[i].to)
            return GLYPH_OTHER;
    }
    return GLYPH_LETTER;
}

enum glyph glyph_before(const char *text, const char *at)
{
    const char *from = at;

    if (at == text)
        return GLYPH_END;
    do
        from--;
    while (from > text && at - from < 4 && ((unsigned char)*from & 0xC0) == 0x80);
    return glyph_at(from, NULL);
}

bool is_hebrew(const char *at)
{
    return (unsigned char)at[0] == 0xD7 && (unsigned char)at[1] >= 0x90 && (unsigned char)at[1] <= 0xAA;
}

bool ends_word(const char *at)
{
    enum glyph glyph = glyph_at(at, NULL);

    return glyph != GLYPH_LETTER && glyph != GLYPH_DIGIT;
}

static size_t run_of(const char *at, enum glyph glyph)
{
    size_t n = 0, n_one;

    while (glyph_at(at + n, &n_one) == glyph)
        n += n_one;
    return n;
}

size_t blanks_at(const char *at)
{
    return run_of(at, GLYPH_SPACE);
}

size_t letters_at(const char *at)
{
    return run_of(at, GLYPH_LETTER);
}

size_t digits_at(const char *at)
{
    return run_of(at, GLYPH_DIGIT);
}

/* What may be written in place of an ASCII sign; the first of a list is the sign itself. */
static const char *const quotes[] = { "\"", "״", "”", "“", "''", NULL };
static const char *const ticks[] = { "'", "׳", "’", "‘", "`", NULL };
static const char *const dashes[] = { "-", "–", "—", "‑", "־", "−", NULL };

static size_t any_at(const char *at, const char *const *signs)
{
    for (; *signs; signs++)
        if (strncmp(at, *signs, strlen(*signs)) == 0)
            return strlen(*signs);
    return 0;
}

size_t dash_at(const char *at)
{
    return any_at(at, dashes);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}

size_t match_at(const char *at, const char *pattern)
{
    size_t n = 0, n_one;

    for (; *pattern; pattern++, n += n_one) {
        n_one = *pattern == '"' ? any_at(at + n, quotes) : *pattern == '\'' ? any_at(at + n, ticks)
                : lower(at[n]) == lower(*pattern);
        if (!n_one)
            return 0;
    }
    return n;
}

size_t match_word(const char *at, const char *pattern)
{
    size_t n = match_at(at, pattern);

    return n && ends_word(at + n) ? n : 0;
}

void word_before(const char *text, const char *at, char ret_word[SPEAKABLE_WORD_MAX])
{
    size_t n = 0;

    while (at > text && (strchr(" .:-", at[-1]) || (at - text >= 2 && memcmp(at - 2, "־", 2) == 0)))
        at -= strchr(" .:-", at[-1]) ? 1 : 2;
    const char *end = at;
    while (at > text && glyph_before(text, at) == GLYPH_LETTER)
        at--;
    while (at < end && ((unsigned char)*at & 0xC0) == 0x80) /* bytes that are no UTF-8 */
        at++;
    for (; at < end && n + 1 < SPEAKABLE_WORD_MAX; at++)
        ret_word[n++] = lower(*at);
    ret_word[n] = '\0';
}

bool is_listed(const char *const *list, const char *word)
{
    for (; *list; list++)
        if (strcmp(*list, word) == 0)
            return true;
    return false;
}

/* --- signs */

static size_t sign_and(const struct spot *spot, struct words *words, size_t n)
{
    const struct manner *manner = spot->manner;

    if (strncmp(spot->at, "&amp;", 5) == 0)
        n = 5;
    if (manner->and_alone) { /* a word of its own */
        words_add(words, glyph_before(spot->text, spot->at) == GLYPH_LETTER ? " " : "");
        words_add(words, manner->and_alone);
        words_add(words, ends_word(spot->at + n) ? "" : " ");
        return n;
    }
    words_add(words, glyph_before(spot->text, spot->at) == GLYPH_LETTER ? " ו" : "ו");
    words->hangs = true;
    return n + blanks_at(spot->at + n);
}

/* Between words: "house / flat", "בית/דירה". */
static size_t sign_or(const struct spot *spot, struct words *words)
{
    bool is_apart = blanks_at(spot->at + 1) && glyph_before(spot->text, spot->at) == GLYPH_SPACE;
    char before[SPEAKABLE_WORD_MAX];

    if (is_apart) {
        words_add(words, spot->manner->or_sign);
        return 1;
    }
    enum glyph glyph = glyph_at(spot->at + 1, NULL);
    if (glyph != glyph_before(spot->text, spot->at) || (glyph != GLYPH_LETTER && glyph != GLYPH_DIGIT))
        return 0;
    if (glyph == GLYPH_DIGIT) { /* fifty fifty */
        words_add(words, " ");
        return 1;
    }
    word_before(spot->text, spot->at, before);
    words_add(words, " ");
    if (strlen(before) > 2 && letters_at(spot->at + 1) > 2 && strcmp(before, "and") != 0) {
        words_add(words, spot->manner->or_sign);
        words_add(words, " ");
    } else if (strcmp(before, "and") != 0 && !is_hebrew(spot->at + 1)) {
        words_add(words, spot->manner->slash);
        words_add(words, " ");
    }
    return 1;
}

static size_t speak_sign(const struct spot *spot, struct words *words)
{
    const struct manner *manner = spot->manner;
    const char *at = spot->at;
    bool is_first = at == spot->text || glyph_before(spot->text, at) == GLYPH_SPACE;
    bool is_apart = is_first && glyph_at(at + 1, NULL) == GLYPH_SPACE;
    const struct {
        char sign;
        bool apart, before_digit;
        const char *said;
    } signs[] = {
        { '+', true, is_first, manner->plus }, { '=', true, false, manner->equals }, { '@', true, false, manner->at_sign },
        { '#', false, true, manner->number }, { '~', false, true, manner->about },
    };

    if (*at == '&')
        return sign_and(spot, words, 1);
    if (*at == '/')
        return sign_or(spot, words);
    for (size_t i = 0; i < ELEMENTSOF(signs); i++)
        if (*at == signs[i].sign &&
            ((signs[i].apart && is_apart) || (signs[i].before_digit && glyph_at(at + 1, NULL) == GLYPH_DIGIT))) {
            words_add(words, signs[i].said);
            words_add(words, ends_word(at + 1) ? "" : " ");
            return 1;
        }
    return 0;
}

/* --- the walk */

static size_t read_here(const struct spot *spot, struct words *words)
{
    size_t (*const readers[])(const struct spot *, struct words *) = {
        speak_address, spot->manner->words, spot->manner->dated, speak_phone, speak_figures,
    };
    bool begins = glyph_before(spot->text, spot->at) != GLYPH_LETTER && glyph_before(spot->text, spot->at) != GLYPH_DIGIT;

    for (size_t i = 0; i < ELEMENTSOF(readers) && begins; i++) {
        *words = (struct words){ 0 };
        size_t n = readers[i](spot, words);
        if (n && !words->is_full)
            return n;
    }
    *words = (struct words){ 0 };
    return speak_sign(spot, words);
}

/* "ב-", "ול", "כ־": letters that hang before a number. Returns: their bytes; *ret_n_dash those of a dash after them. */
static size_t prefix_at(const char *at, size_t *ret_n_dash)
{
    static const char *const letters[] = { "ו", "ה", "ב", "כ", "ל", "מ", "ש", NULL };
    size_t n = 0, n_one;

    while (n < 6 && (n_one = any_at(at + n, letters)))
        n += n_one;
    *ret_n_dash = dash_at(at + n);
    enum glyph glyph = glyph_at(at + n + *ret_n_dash, NULL);
    return glyph == GLYPH_DIGIT || glyph == GLYPH_OTHER ? n : 0;
}

/* A prefix and what it hangs before. */
static size_t read_prefixed(const struct spot *spot, struct words *words)
{
    struct words number = { 0 };
    size_t n_dash = 0, n_prefix = is_hebrew(spot->at) ? prefix_at(spot->at, &n_dash) : 0;
    enum glyph before = glyph_before(spot->text, spot->at);

    if (!n_prefix || before == GLYPH_LETTER || before == GLYPH_DIGIT)
        return 0;
    struct spot behind = { spot->manner, spot->text, spot->at + n_prefix + n_dash };
    size_t (*const readers[])(const struct spot *, struct words *) = { spot->manner->dated, speak_phone, speak_figures };
    for (size_t i = 0; i < ELEMENTSOF(readers); i++) {
        number = (struct words){ 0 };
        size_t n = readers[i](&behind, &number);
        if (!n || number.is_full)
            continue;
        words_add_n(words, spot->at, n_prefix);
        words_add(words, number.text);
        return n_prefix + n_dash + n;
    }
    return 0;
}

/* What is copied at once: a word, with figures in it unless a Hebrew letter is before them; or one character. */
static size_t plain_at(const char *at)
{
    size_t n = 0, n_one;
    enum glyph glyph = glyph_at(at, &n_one);

    if (glyph == GLYPH_DIGIT)
        return digits_at(at);
    if (glyph != GLYPH_LETTER)
        return n_one;
    for (; glyph == GLYPH_LETTER || (glyph == GLYPH_DIGIT && !is_hebrew(at)); glyph = glyph_at(at + n, &n_one))
        n += n_one;
    return n;
}

static const struct manner *manner_find(const char *language)
{
    return language && language_is(language, speakable_he.code) ? &speakable_he : &speakable_en;
}

size_t speakable(const char *language, const char *text, char *ret, size_t size)
{
    struct spot spot = { manner_find(language), text, text };
    struct words words;
    size_t n_used = 0;

    if (!size)
        return 0;
    ret[0] = '\0';
    while (*spot.at) {
        words = (struct words){ 0 };
        size_t n = spot.manner == &speakable_he ? read_prefixed(&spot, &words) : 0, n_plain = plain_at(spot.at);
        bool is_said = n || (n = read_here(&spot, &words));

        if (is_said && words.n && !words.hangs && words.text[words.n - 1] != ' ' && !ends_word(spot.at + n))
            words_add(&words, " ");
        const char *from = is_said ? words.text : spot.at;
        size_t n_from = is_said ? words.n : n_plain, n_fit = text_fit(from, n_from, size - 1 - n_used);
        if (is_said && (words.is_full || n_fit < n_from))
            break;
        memcpy(ret + n_used, from, n_fit);
        n_used += n_fit;
        ret[n_used] = '\0';
        if (n_fit < n_from)
            break;
        spot.at += is_said ? n : n_plain;
    }
    return n_used;
}
