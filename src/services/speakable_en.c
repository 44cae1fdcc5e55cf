/*
 * speakable_en.c - how it is said in English
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "services/speakable_manner.h"
#include "utils/scoped.h"

static const char *const months[] = {
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
};

static const struct currency currencies[] = {
    { { "shekel", "shekels", "shekels" }, { "agora", "agorot", "agorot" } },
    { { "dollar", "dollars", "dollars" }, { "cent", "cents", "cents" } },
    { { "euro", "euros", "euros" }, { "cent", "cents", "cents" } },
    { { "pound", "pounds", "pounds" }, { "penny", "pence", "pence" } },
};

#define NOUN(one, more) { one, more, more, NUMERAL_FEMININE }

/* The longer before the shorter it begins with. */
static const struct unit units[] = {
    { "%", NOUN("percent", "percent") },
    { "percent", NOUN("percent", "percent") },
    { "sqm", NOUN("square meter", "square meters") },
    { "sq. m", NOUN("square meter", "square meters") },
    { "sq m", NOUN("square meter", "square meters") },
    { "m²", NOUN("square meter", "square meters") },
    { "m2", NOUN("square meter", "square meters") },
    { "מ\"ר", NOUN("square meter", "square meters") },
    { "sq. ft", NOUN("square foot", "square feet") },
    { "sq ft", NOUN("square foot", "square feet") },
    { "sqft", NOUN("square foot", "square feet") },
    { "km/h", NOUN("kilometer per hour", "kilometers per hour") },
    { "km", NOUN("kilometer", "kilometers") },
    { "cm", NOUN("centimeter", "centimeters") },
    { "mm", NOUN("millimeter", "millimeters") },
    { "kg", NOUN("kilogram", "kilograms") },
    { "hrs", NOUN("hour", "hours") },
    { "hr", NOUN("hour", "hours") },
    { "mins", NOUN("minute", "minutes") },
    { "min", NOUN("minute", "minutes") },
    { "°C", NOUN("degree Celsius", "degrees Celsius") },
    { "°F", NOUN("degree Fahrenheit", "degrees Fahrenheit") },
    { "°", NOUN("degree", "degrees") },
    { "m", NOUN("meter", "meters") },
    { NULL },
};

static const struct scale scales[] = {
    { "thousand", 1000, "thousand" }, { "million", 1000000, "million" }, { "billion", 1000000000, "billion" },
    { "K", 1000, "thousand" },        { "M", 1000000, "million" },       { NULL },
};

static const struct written per[] = {
    { "month", " per month" }, { "mo", " per month" },   { "year", " per year" },   { "yr", " per year" },
    { "week", " per week" },   { "day", " per day" },    { "night", " per night" }, { "hour", " per hour" },
    { "hr", " per hour" },     { "h", " per hour" },     { "person", " per person" }, { "sqm", " per square meter" },
    { "m²", " per square meter" }, { NULL },
};

static const struct written fractions[] = {
    { "24/7", "twenty four seven" }, { "1/2", "one half" },       { "1/3", "one third" }, { "2/3", "two thirds" },
    { "1/4", "one quarter" },        { "3/4", "three quarters" }, { "½", "one half" },    { "¼", "one quarter" },
    { "¾", "three quarters" },       { NULL },
};

static const char *const code_words[] = { "code", "pin", "extension", "ext", "id", "zip", NULL };
static const char *const date_words[] = {
    "on",     "by",      "until",     "till",     "since",  "before",   "after",  "date", "dated",
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "from",   "mon",   "tue",
    "wed",    "thu",     "fri",       "sat",      "sun",    NULL,
};
static const char *const time_words[] = { "at", NULL };
static const char *const year_words[] = { "in", "since", "of", "year", "until", "by", "from", "before", "after", NULL };

/* --- numbers */

static void add_cardinal(struct words *words, uint64_t value)
{
    char text[512];

    numeral_cardinal("en", value, NUMERAL_FEMININE, text, sizeof(text));
    words_add(words, text);
}

static void add_ordinal(struct words *words, unsigned value)
{
    char text[256];

    numeral_ordinal("en", value, NUMERAL_FEMININE, text, sizeof(text));
    words_add(words, text);
}

static void say(struct words *words, const struct amount *amount, enum numeral_gender gender)
{
    char text[256];

    words_add(words, amount->is_negative ? "minus " : "");
    add_cardinal(words, amount->whole);
    if (amount->decimals[0]) {
        numeral_digits("en", amount->decimals, text, sizeof(text));
        words_add(words, " point ");
        words_add(words, text);
    }
    if (amount->scale) {
        words_add(words, " ");
        words_add(words, amount->scale);
    }
}

static void count(struct words *words, const struct amount *amount, const struct noun *noun)
{
    bool is_one = amount->whole == 1 && !amount->decimals[0] && !amount->scale;

    say(words, amount, noun->gender);
    words_add(words, " ");
    words_add(words, is_one ? noun->one : noun->few);
}

static void add_year(struct words *words, unsigned year)
{
    unsigned century = year / 100, rest = year % 100;

    if (year < 1100 || year > 2099 || (year >= 2000 && year < 2010)) {
        add_cardinal(words, year);
        return;
    }
    add_cardinal(words, century);
    words_add(words, rest ? rest < 10 ? " oh " : " " : " hundred");
    if (rest)
        add_cardinal(words, rest);
}

/* 1950s, 90s */
static bool add_decade(struct words *words, const struct amount *amount, const char *rest)
{
    if (!match_word(rest, "s") || amount->whole % 10 || amount->whole < 20 || amount->whole > 2090 || amount->decimals[0])
        return false;
    amount->whole < 100 ? add_cardinal(words, amount->whole) : add_year(words, (unsigned)amount->whole);
    if (words->n && words->text[words->n - 1] == 'y') {
        words->n--;
        words_add(words, "ie");
    }
    words_add(words, "s");
    return true;
}

static bool is_year(const struct amount *amount)
{
    return amount->n_digits == 4 && !amount->is_grouped && !amount->decimals[0] && !amount->scale && amount->whole >= 1900 && amount->whole < 2100;
}

static size_t count_ahead(struct words *words, const struct spot *spot, const struct amount *amount, const char *rest)
{
    static const char *const endings[] = { "st", "nd", "rd", "th" };
    char before[SPEAKABLE_WORD_MAX];
    size_t n_noun = *rest == ' ' ? letters_at(rest + 1) : 0;

    word_before(spot->text, spot->at, before);
    for (size_t i = 0; i < ELEMENTSOF(endings) && !amount->decimals[0] && amount->whole < 1000; i++)
        if (match_word(rest, endings[i])) {
            add_ordinal(words, (unsigned)amount->whole);
            return 2;
        }
    if (add_decade(words, amount, rest))
        return 1;
    if (is_year(amount) && is_listed(year_words, before)) {
        add_year(words, (unsigned)amount->whole);
    } else if (strcmp(amount->decimals, "5") == 0 && amount->whole && !amount->scale && n_noun > 3 && rest[n_noun] == 's') {
        add_cardinal(words, amount->whole);
        words_add(words, " and a half");
    } else {
        say(words, amount, NUMERAL_FEMININE);
    }
    return 0;
}

static bool gender_ahead(const char *rest, enum numeral_gender *ret_gender)
{
    return false;
}

/* --- times and dates */

/* "12/3 Ben-Yehuda" */
static bool is_house(const struct spot *spot, const char *rest)
{
    return blanks_at(rest) && isupper((unsigned char)rest[blanks_at(rest)]);
}

/* half: 'a', 'p', ' ' said later, 0 not written. */
static void time(struct words *words, unsigned hour, unsigned minute, char half, const char *rest)
{
    if (!half && !minute && hour % 12 == 0) {
        words_add(words, hour == 12 ? "noon" : "midnight");
        return;
    }
    if (!half && (hour > 12 || hour == 0))
        half = hour > 12 ? 'p' : 'a';
    add_cardinal(words, hour % 12 ? hour % 12 : 12);
    if (minute) {
        words_add(words, minute < 10 ? " oh " : " ");
        add_cardinal(words, minute);
    } else if (!half && !match_at(rest, " o'clock")) {
        words_add(words, " o'clock");
    }
    words_add(words, half == 'p' ? " p m" : half == 'a' ? " a m" : "");
}

static void days(struct words *words, unsigned first, unsigned last, unsigned month, unsigned year)
{
    words_add(words, months[month - 1]);
    words_add(words, " ");
    add_ordinal(words, first);
    if (last) {
        words_add(words, " to ");
        add_ordinal(words, last);
    }
    if (!year)
        return;
    words_add(words, ", ");
    add_year(words, year);
}

static void date(struct words *words, unsigned day, unsigned month, unsigned year)
{
    days(words, day, 0, month, year);
}

/* A month's name or its first letters, with a capital. */
static size_t month_at(const char *at, unsigned *ret_month)
{
    for (unsigned i = 0; i < ELEMENTSOF(months); i++) {
        char abbreviation[5] = "";
        size_t n = match_word(at, months[i]);

        (void)snprintf(abbreviation, sizeof(abbreviation), "%.3s", months[i]);
        if (!n && (n = match_word(at, abbreviation)))
            n += at[n] == '.';
        if (!n && i == 8 && (n = match_word(at, "Sept")))
            n += at[n] == '.';
        if (n && isupper((unsigned char)*at)) {
            *ret_month = i + 1;
            return n;
        }
    }
    return 0;
}

static size_t day_at(const char *at, unsigned *ret_day)
{
    struct amount amount;
    size_t n = digits_at(at) <= 2 ? amount_at(at, &amount) : 0;

    if (!n || amount.decimals[0] || amount.is_grouped || amount.whole < 1 || amount.whole > 31)
        return 0;
    if (!ends_word(at + n) && !(letters_at(at + n) == 2 && (match_word(at + n, "st") || match_word(at + n, "nd") ||
                                                            match_word(at + n, "rd") || match_word(at + n, "th"))))
        return 0;
    *ret_day = (unsigned)amount.whole;
    return n + letters_at(at + n);
}

/* ", 2026", " 2026" */
static size_t year_after(const char *at, unsigned *ret_year)
{
    struct amount amount;
    size_t n = *at == ',', n_blanks = blanks_at(at + n);

    n += n_blanks;
    if (!n_blanks || !amount_at(at + n, &amount) || !is_year(&amount) || !ends_word(at + n + 4) || at[n + 4] == ':')
        return 0;
    *ret_year = (unsigned)amount.whole;
    return n + 4;
}

/* "22", "22nd", "3-5" */
static size_t days_at(const char *at, unsigned *ret_first, unsigned *ret_last)
{
    size_t n = day_at(at, ret_first), n_dash = n ? dash_at(at + n) : 0, n_last = n_dash ? day_at(at + n + n_dash, ret_last) : 0;

    if (!n_last)
        *ret_last = 0;
    return n + (n_last ? n_dash + n_last : 0);
}

/* "22nd of November" */
static size_t day_first(const char *at, unsigned *ret_first, unsigned *ret_last, unsigned *ret_month)
{
    size_t n = days_at(at, ret_first, ret_last), n_blanks = n ? blanks_at(at + n) : 0, n_month;

    if (!n_blanks)
        return 0;
    n += n_blanks;
    if (match_word(at + n, "of"))
        n += 2 + blanks_at(at + n + 2);
    n_month = month_at(at + n, ret_month);
    return n_month ? n + n_month : 0;
}

/* "November 22nd" */
static size_t month_first(const char *at, unsigned *ret_first, unsigned *ret_last, unsigned *ret_month)
{
    size_t n = month_at(at, ret_month), n_blanks = n ? blanks_at(at + n) : 0, n_days;

    n += n_blanks;
    n_days = n_blanks ? days_at(at + n, ret_first, ret_last) : 0;
    return n_days && at[n + n_days] != ':' ? n + n_days : 0;
}

static size_t dated(const struct spot *spot, struct words *words)
{
    const char *at = spot->at;
    unsigned first, last, month, year = 0;
    size_t n = isdigit((unsigned char)*at) ? day_first(at, &first, &last, &month) : month_first(at, &first, &last, &month), n_year;

    if (n && is_day(first, month) && (!last || (last > first && is_day(last, month)))) {
        n += year_after(at + n, &year);
        days(words, first, last, month, year);
        return n;
    }
    n = month_at(at, &month);
    n_year = n ? year_after(at + n, &year) : 0;
    if (!n_year)
        return 0;
    words_add(words, months[month - 1]); /* May 2026 */
    words_add(words, " ");
    add_year(words, year);
    return n + n_year;
}

/* --- days of the week */

static const char *const weekdays[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };

/* "Sun", "Thu."; *ret_is_sure: it is no word by itself. */
static size_t weekday_at(const char *at, const char **ret_name, bool *ret_is_sure)
{
    char abbreviation[5];

    for (size_t i = 0; i < ELEMENTSOF(weekdays); i++) {
        (void)snprintf(abbreviation, sizeof(abbreviation), "%.3s", weekdays[i]);
        size_t n = match_word(at, abbreviation);
        if (!n || !isupper((unsigned char)*at))
            continue;
        *ret_name = weekdays[i];
        *ret_is_sure = weekdays[i][0] != 'S' || at[n] == '.';
        return n + (at[n] == '.' && at[n + 1]);
    }
    return 0;
}

static size_t weekday(const struct spot *spot, struct words *words)
{
    const char *from, *until;
    bool is_sure, is_until_sure;
    size_t n = weekday_at(spot->at, &from, &is_sure), n_dash = n ? dash_at(spot->at + n) : 0;
    size_t n_until = n_dash ? weekday_at(spot->at + n + n_dash, &until, &is_until_sure) : 0;

    if (!n || !(is_sure || n_until))
        return 0;
    words_add(words, from);
    if (!n_until)
        return n;
    words_add(words, " to ");
    words_add(words, until);
    return n + n_dash + n_until;
}

/* --- abbreviations */

enum when { ALWAYS, BEFORE_NUMBER, STREET, DOCTOR };

static const struct abbreviation {
    const char *text, *said;
    enum when when;
} abbreviations[] = {
    { "St.", "Street", STREET },          { "Dr.", "Doctor", DOCTOR },         { "Mr.", "Mister", ALWAYS },
    { "Mrs.", "Missus", ALWAYS },         { "Ms.", "Miz", ALWAYS },            { "Prof.", "Professor", ALWAYS },
    { "Adv.", "Advocate", ALWAYS },       { "Ave.", "Avenue", ALWAYS },        { "Blvd.", "Boulevard", ALWAYS },
    { "Rd.", "Road", ALWAYS },            { "Apt.", "apartment", ALWAYS },     { "Bldg.", "building", ALWAYS },
    { "No.", "number", BEFORE_NUMBER },   { "Fl.", "floor", BEFORE_NUMBER },   { "Tel.", "telephone", ALWAYS },
    { "ext.", "extension", ALWAYS },      { "approx.", "approximately", ALWAYS }, { "e.g.", "for example", ALWAYS },
    { "i.e.", "that is", ALWAYS },        { "etc.", "et cetera", ALWAYS },     { "vs.", "versus", ALWAYS },
    { "incl.", "including", ALWAYS },     { "excl.", "excluding", ALWAYS },    { "Ltd.", "Limited", ALWAYS },
    { "Inc.", "Incorporated", ALWAYS },   { "appt.", "appointment", ALWAYS },  { "NIS", "shekels", ALWAYS },
    { "Jr.", "Junior", ALWAYS },          { "w/", "with", ALWAYS },
};

/* Whether a name stands before: "Herzl St." */
static bool follows_name(const struct spot *spot)
{
    const char *at = spot->at;

    while (at > spot->text && at[-1] == ' ')
        at--;
    if (at == spot->at || at == spot->text || glyph_before(spot->text, at) != GLYPH_LETTER)
        return false;
    while (at > spot->text && glyph_before(spot->text, at) == GLYPH_LETTER)
        at--;
    return isupper((unsigned char)*at);
}

static bool precedes_name(const char *at)
{
    return isupper((unsigned char)at[blanks_at(at)]) || (unsigned char)at[blanks_at(at)] >= 0x80;
}

static size_t speak_words(const struct spot *spot, struct words *words)
{
    const char *at = spot->at;
    size_t n;

    if (!isalpha((unsigned char)*at))
        return 0;
    if ((n = weekday(spot, words)))
        return n;
    for (size_t i = 0; i < ELEMENTSOF(abbreviations); i++) {
        const struct abbreviation *row = &abbreviations[i];
        if (!(n = match_word(at, row->text)) || (row->text[n - 1] == '/' && blanks_at(at + n) == 0))
            continue;
        if (row->when == BEFORE_NUMBER && !digits_at(at + n + blanks_at(at + n)))
            continue;
        const char *said = row->said;
        if (row->when == STREET && !follows_name(spot) && precedes_name(at + n))
            said = "Saint";
        if (row->when == DOCTOR && follows_name(spot) && !precedes_name(at + n))
            said = "Drive";
        words_add(words, said);
        return n - (row->text[n - 1] == '.' && !at[n + blanks_at(at + n)]); /* which ends the sentence, too */
    }
    return 0;
}

const struct manner speakable_en = {
    .code = "en",
    .to = " to ",
    .and_joined = " and ",
    .plus = "plus",
    .star = "star",
    .number = "number",
    .and_alone = "and",
    .or_sign = "or",
    .equals = "equals",
    .about = "about",
    .by = "by",
    .at_sign = "at",
    .dot = "dot",
    .slash = "slash",
    .underscore = "underscore",
    .dash = "dash",
    .currencies = currencies,
    .units = units,
    .scales = scales,
    .per = per,
    .fractions = fractions,
    .code_words = code_words,
    .date_words = date_words,
    .time_words = time_words,
    .say = say,
    .count = count,
    .count_ahead = count_ahead,
    .gender_ahead = gender_ahead,
    .is_house = is_house,
    .time = time,
    .date = date,
    .days = days,
    .words = speak_words,
    .dated = dated,
};
