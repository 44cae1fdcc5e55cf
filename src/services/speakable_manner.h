#pragma once
/*
 * speakable_manner.h - between the parts of speakable.c: places in the text, words for them, a language's manner
 *
 * A reader looks at one place. It puts into words what stands there and returns how many bytes that was, or 0 when it is
 * nothing of its kind; words are worth nothing then.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "utils/numerals.h"

enum { SPEAKABLE_WORDS_MAX = 1024, SPEAKABLE_WORD_MAX = 64 };

struct words {
    size_t n;
    bool is_full; /* something did not fit: they are worth nothing */
    bool hangs;   /* before the next word, without a blank */
    char text[SPEAKABLE_WORDS_MAX];
};

void words_add(struct words *words, const char *text);
void words_add_n(struct words *words, const char *text, size_t n);

struct manner;

struct spot {
    const struct manner *manner;
    const char *text; /* from its beginning: what stands before matters */
    const char *at;
};

/* --- characters; bytes that are no UTF-8 are letters */

enum glyph { GLYPH_END, GLYPH_SPACE, GLYPH_DIGIT, GLYPH_LETTER, GLYPH_OTHER };

enum glyph glyph_at(const char *at, size_t *ret_n); /* ret_n: its bytes; may be NULL */
enum glyph glyph_before(const char *text, const char *at);
bool is_hebrew(const char *at);         /* a letter of it */
bool ends_word(const char *at);         /* neither letter nor digit */
size_t blanks_at(const char *at);       /* blanks */
size_t dash_at(const char *at);         /* a hyphen, a dash or a maqaf */
size_t letters_at(const char *at);
size_t digits_at(const char *at);

/* The bytes of the pattern at this place, 0 none. ' and " in it are their typographic forms, too; ASCII in any case. */
size_t match_at(const char *at, const char *pattern);
size_t match_word(const char *at, const char *pattern); /* and the word ends there */

/* The word before a place, past blanks, dashes and dots; ASCII in lower case. "" none. */
void word_before(const char *text, const char *at, char ret_word[SPEAKABLE_WORD_MAX]);
bool is_listed(const char *const *list, const char *word);

/* --- numbers as they are written */

struct amount {
    uint64_t whole;
    char decimals[8];    /* as written; "" none */
    size_t n_digits;     /* before the point */
    bool is_negative, is_grouped, has_zero; /* 1,250; begins with a zero and goes on */
    bool is_last;        /* of a range */
    const char *scale;   /* what it counts in words: "million"; NULL none */
};

/* --- what is counted */

struct noun {
    const char *one, *few, *many; /* one; two to ten; eleven and more */
    enum numeral_gender gender;
};

struct currency {
    struct noun major, minor;
};

/* How it is written, how it is said. */
struct written {
    const char *text, *said;
};

struct unit {
    const char *text;
    struct noun noun;
};

struct scale {
    const char *text;
    uint64_t factor;
    const char *said;
};

struct manner {
    const char *code;
    const char *to, *and_joined;  /* " to ", " and " with the blanks they need */
    const char *plus, *star, *number, *and_alone, *or_sign, *equals, *about, *by;
    const char *at_sign, *dot, *slash, *underscore, *dash;
    const char *home_country;     /* whose numbers are said as at home; NULL none */
    bool dots_are_dates;          /* "22.11" that counts nothing */
    const char *const *time_words; /* before a time that is written with a dot */
    const struct currency *currencies; /* in the order of speakable_figures.c */
    const struct unit *units;
    const struct scale *scales;
    const struct written *per;       /* after a slash */
    const struct written *fractions; /* and what else is one by its figures */
    const char *const *code_words;   /* before a number that is said digit by digit */
    const char *const *date_words;   /* before a day */

    void (*say)(struct words *words, const struct amount *amount, enum numeral_gender gender);
    void (*count)(struct words *words, const struct amount *amount, const struct noun *noun);
    /* The same with what stands at rest, behind it. Returns: bytes of rest that are said thereby. */
    size_t (*count_ahead)(struct words *words, const struct spot *spot, const struct amount *amount, const char *rest);
    /* Whether a noun stands there, and its gender (may be NULL). */
    bool (*gender_ahead)(const char *rest, enum numeral_gender *ret_gender);
    bool (*is_house)(const struct spot *spot, const char *rest); /* "12/3" that is no day */
    void (*time)(struct words *words, unsigned hour, unsigned minute, char half, const char *rest);
    void (*date)(struct words *words, unsigned day, unsigned month, unsigned year); /* year 0: none */
    void (*days)(struct words *words, unsigned first, unsigned last, unsigned month, unsigned year);
    /* Readers of words and of numbers beside them. */
    size_t (*words)(const struct spot *spot, struct words *words);
    size_t (*dated)(const struct spot *spot, struct words *words);
};

extern const struct manner speakable_en, speakable_he;

/* speakable_figures.c: what begins with a figure, a sign or a currency. */
size_t speak_figures(const struct spot *spot, struct words *words);
size_t amount_at(const char *at, struct amount *ret_amount);
bool counts_something(const struct manner *manner, const char *at); /* what stands behind a number */
size_t to_at(const char *at); /* a dash between two numbers and the blanks around it */

/* speakable_dates.c */
size_t speak_date(const struct spot *spot, struct words *words);
size_t speak_time(const struct spot *spot, struct words *words);
bool is_day(unsigned day, unsigned month);

/* speakable_address.c: telephone numbers, e-mail and web addresses. */
size_t speak_phone(const struct spot *spot, struct words *words);
size_t speak_address(const struct spot *spot, struct words *words);
