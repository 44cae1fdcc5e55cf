/*
 * numerals.c - numbers in words, as they are said
 *
 * A language is a row of tables and two functions. A number is said in groups of three digits, each with its scale;
 * Hebrew joins the last of all parts by a vav, and its thousands up to ten have words of their own.
 */
#include "utils/numerals.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "utils/language.h"
#include "utils/scoped.h"
#include "utils/text.h"

struct tongue {
    const char *code;
    const char *const *digits;
    bool reads_figures; /* any voice of it reads single figures one by one */
    const char *plus;
    void (*cardinal)(uint64_t value, enum numeral_gender gender, char *text, size_t size);
    void (*ordinal)(unsigned value, enum numeral_gender gender, char *text, size_t size);
};

static void add(char *text, size_t size, const char *what)
{
    size_t n = strlen(text);
    text_add(text, size, &n, what, strlen(what));
}

/* --- English --- */

static const char *const units_en[] = {
    "zero",     "one",     "two",     "three",     "four",     "five",    "six",
    "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",  "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
};
static const char *const tens_en[] = {
    "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
};
static const char *const ordinals_en[] = {
    "zeroth",     "first",     "second",    "third",       "fourth",     "fifth",   "sixth",
    "seventh",    "eighth",    "ninth",     "tenth",       "eleventh",   "twelfth", "thirteenth",
    "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth",
};

static void below_hundred_en(unsigned value, char *text, size_t size)
{
    if (value < 20) {
        add(text, size, units_en[value]);
        return;
    }
    add(text, size, tens_en[value / 10]);
    if (value % 10) {
        add(text, size, " ");
        add(text, size, units_en[value % 10]);
    }
}

static void below_thousand_en(unsigned value, char *text, size_t size)
{
    if (value >= 100) {
        add(text, size, units_en[value / 100]);
        add(text, size, value % 100 ? " hundred and " : " hundred");
    }
    if (value < 100 || value % 100)
        below_hundred_en(value % 100, text, size);
}

static void cardinal_en(uint64_t value, enum numeral_gender gender, char *text, size_t size)
{
    static const struct {
        uint64_t value;
        const char *name;
    } scales[] = { { 1000000000, " billion" }, { 1000000, " million" }, { 1000, " thousand" } };

    for (size_t i = 0; i < ELEMENTSOF(scales); i++) {
        if (value < scales[i].value)
            continue;
        below_thousand_en((unsigned)(value / scales[i].value), text, size);
        add(text, size, scales[i].name);
        value %= scales[i].value;
        if (!value)
            return;
        add(text, size, value < 100 ? " and " : " ");
    }
    below_thousand_en((unsigned)value, text, size);
}

static void ordinal_en(unsigned value, enum numeral_gender gender, char *text, size_t size)
{
    unsigned last = value % 100 < 20 ? value % 100 : value % 10;
    size_t n;

    if (last || !value) { /* one hundred and third */
        if (value > last) {
            cardinal_en(value - last, gender, text, size);
            add(text, size, value % 100 < 20 ? " and " : " ");
        }
        add(text, size, ordinals_en[last]);
        return;
    }
    cardinal_en(value, gender, text, size);
    n = strlen(text);
    if (n && text[n - 1] == 'y') { /* twentieth */
        text[n - 1] = '\0';
        add(text, size, "ie");
    }
    add(text, size, "th");
}

/* --- Hebrew --- */

static const char *const units_he[][20] = {
    [NUMERAL_FEMININE] = {
        "אפס", "אחת", "שתיים", "שלוש", "ארבע", "חמש", "שש", "שבע", "שמונה", "תשע", "עשר", "אחת עשרה", "שתים עשרה",
        "שלוש עשרה", "ארבע עשרה", "חמש עשרה", "שש עשרה", "שבע עשרה", "שמונה עשרה", "תשע עשרה" },
    [NUMERAL_MASCULINE] = {
        "אפס", "אחד", "שניים", "שלושה", "ארבעה", "חמישה", "שישה", "שבעה", "שמונה", "תשעה", "עשרה", "אחד עשר",
        "שנים עשר", "שלושה עשר", "ארבעה עשר", "חמישה עשר", "שישה עשר", "שבעה עשר", "שמונה עשר", "תשעה עשר" },
};
static const char *const tens_he[] = {
    "", "", "עשרים", "שלושים", "ארבעים", "חמישים", "שישים", "שבעים", "שמונים", "תשעים",
};
static const char *const hundreds_he[] = {
    "", "מאה", "מאתיים", "שלוש מאות", "ארבע מאות", "חמש מאות", "שש מאות", "שבע מאות", "שמונה מאות", "תשע מאות",
};
static const char *const thousands_he[] = {
    "", "אלף", "אלפיים", "שלושת אלפים", "ארבעת אלפים", "חמשת אלפים", "ששת אלפים", "שבעת אלפים", "שמונת אלפים",
    "תשעת אלפים", "עשרת אלפים",
};

static const char *const ordinals_he[][11] = {
    [NUMERAL_FEMININE] = { "", "ראשונה", "שנייה", "שלישית", "רביעית", "חמישית", "שישית", "שביעית", "שמינית", "תשיעית", "עשירית" },
    [NUMERAL_MASCULINE] = { "", "ראשון", "שני", "שלישי", "רביעי", "חמישי", "שישי", "שביעי", "שמיני", "תשיעי", "עשירי" },
};

/* Of how many words joined by a vav a number below thousand is made. */
static unsigned n_parts_he(unsigned value)
{
    unsigned rest = value % 100;

    return (value >= 100) + (rest >= 20) + (rest < 20 ? rest > 0 : rest % 10 > 0);
}

/* The last of several parts is joined by a vav: "מאה עשרים ושלוש". */
static void below_thousand_he(unsigned value, enum numeral_gender gender, char *text, size_t size)
{
    const char *const *units = units_he[gender];
    unsigned rest = value % 100, n_left = n_parts_he(value);
    const char *parts[] = { hundreds_he[value / 100], rest >= 20 ? tens_he[rest / 10] : "",
                            rest < 20 ? (rest || !value ? units[rest] : "") : (rest % 10 ? units[rest % 10] : "") };

    for (size_t i = 0; i < ELEMENTSOF(parts); i++) {
        if (!parts[i][0])
            continue;
        if (text[0])
            add(text, size, n_left == 1 ? " ו" : " ");
        add(text, size, parts[i]);
        n_left -= n_left > 0;
    }
}

/* So many thousands, millions, billions: these are masculine. */
static void scale_he(unsigned count, uint64_t scale, const char *name, bool is_last, char *text, size_t size)
{
    bool is_word = scale == 1000 && count < ELEMENTSOF(thousands_he);
    char words[256] = "";

    if (text[0])
        add(text, size, is_last && (is_word || n_parts_he(count) == 1) ? " ו" : " ");
    if (is_word) {
        add(text, size, thousands_he[count]);
        return;
    }
    if (count == 2)
        add(words, sizeof(words), "שני");
    else if (count > 1)
        below_thousand_he(count, NUMERAL_MASCULINE, words, sizeof(words));
    add(text, size, words);
    add(text, size, words[0] ? " " : "");
    add(text, size, name);
}

static void cardinal_he(uint64_t value, enum numeral_gender gender, char *text, size_t size)
{
    static const struct {
        uint64_t value;
        const char *name;
    } scales[] = { { 1000000000, "מיליארד" }, { 1000000, "מיליון" }, { 1000, "אלף" } };

    for (size_t i = 0; i < ELEMENTSOF(scales); i++) {
        unsigned count = (unsigned)(value / scales[i].value);
        value %= scales[i].value;
        if (count)
            scale_he(count, scales[i].value, scales[i].name, !value, text, size);
    }
    if (value || !text[0])
        below_thousand_he((unsigned)value, gender, text, size);
}

static void ordinal_he(unsigned value, enum numeral_gender gender, char *text, size_t size)
{
    if (value && value < ELEMENTSOF(ordinals_he[0]))
        add(text, size, ordinals_he[gender][value]);
    else
        cardinal_he(value, gender, text, size);
}

/* --- the languages --- */

static const struct tongue tongues[] = {
    { "en", units_en, true, "plus", cardinal_en, ordinal_en },
    { "he", units_he[NUMERAL_FEMININE], false, "פלוס", cardinal_he, ordinal_he },
};

static const struct tongue *tongue_find(const char *code)
{
    for (size_t i = 0; code && i < ELEMENTSOF(tongues); i++)
        if (language_is(code, tongues[i].code))
            return &tongues[i];
    return &tongues[0];
}

void numeral_cardinal(const char *language, uint64_t value, enum numeral_gender gender, char *ret_text, size_t size)
{
    char figures[24];

    ret_text[0] = '\0';
    if (value <= NUMERAL_MAX) {
        tongue_find(language)->cardinal(value, gender, ret_text, size);
        return;
    }
    (void)snprintf(figures, sizeof(figures), "%" PRIu64, value);
    numeral_digits(language, figures, ret_text, size);
}

void numeral_ordinal(const char *language, unsigned value, enum numeral_gender gender, char *ret_text, size_t size)
{
    ret_text[0] = '\0';
    tongue_find(language)->ordinal(value, gender, ret_text, size);
}

void numeral_digits(const char *language, const char *digits, char *ret_text, size_t size)
{
    const struct tongue *tongue = tongue_find(language);

    ret_text[0] = '\0';
    for (; *digits; digits++) {
        if (!isdigit((unsigned char)*digits))
            continue;
        add(ret_text, size, ret_text[0] ? " " : "");
        add(ret_text, size, tongue->digits[*digits - '0']);
    }
}

/* --- telephone numbers --- */

enum { PHONE_DIGITS_MAX = 15 };

/* As people read numbers of that many digits: "335" is 3, then 3, then 5 digits. */
static const char *const phone_groups[PHONE_DIGITS_MAX + 1] = {
    "", "1", "2", "3", "4", "5", "33", "34", "44", "234", "334", "1334", "2334", "3334", "4334", "3444",
};

/* Countries whose national numbers have no trunk 0; elsewhere 0 takes the place of + and the code. */
static const char *const without_trunk[] = { "1", "30", "34", "39", "45", "47", "48", "65", "351", "420", "852" };

/* Of a number in full, how many digits are its country's. Source: ITU-T E.164, list of country codes. */
static size_t n_country_digits(const char *digits)
{
    static const char two[] = "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 "
                              "60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98";

    if (digits[0] == '1' || digits[0] == '7')
        return 1;
    for (const char *code = two; *code; code += 2 + (code[2] == ' '))
        if (strncmp(code, digits, 2) == 0)
            return 2;
    return 3;
}

static const char *trunk_of(const char *country)
{
    for (size_t i = 0; i < ELEMENTSOF(without_trunk); i++)
        if (strcmp(country, without_trunk[i]) == 0)
            return "";
    return "0";
}

void numeral_phone(const char *language, const char *number, const char *country, char *ret_text, size_t size)
{
    const struct tongue *tongue = tongue_find(language);
    char digits[PHONE_DIGITS_MAX + 2] = "";
    size_t n = 0;
    bool plus = number[0] == '+';

    number += plus;
    if (plus && country && country[0] && strncmp(number, country, strlen(country)) == 0) {
        number += strlen(country);
        text_add(digits, sizeof(digits), &n, trunk_of(country), strlen(trunk_of(country)));
        plus = false;
    }
    for (; *number && n < PHONE_DIGITS_MAX; number++)
        if (isdigit((unsigned char)*number))
            digits[n++] = *number;
    digits[n] = '\0';

    ret_text[0] = '\0';
    if (plus)
        add(ret_text, size, tongue->plus);
    size_t left = plus && n > 3 ? n_country_digits(digits) : 0;
    const char *group = phone_groups[n - left];
    for (size_t i = 0; i < n; i++, left--) {
        if (!left) {
            add(ret_text, size, i ? "," : "");
            left = (size_t)(*group++ - '0');
        }
        if (ret_text[0])
            add(ret_text, size, " ");
        char figure[2] = { digits[i], '\0' };
        add(ret_text, size, tongue->reads_figures ? figure : tongue->digits[digits[i] - '0']);
    }
}
