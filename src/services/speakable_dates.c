/*
 * speakable_dates.c - days and times, as they are written
 *
 * The day comes first, as in Israel. A day with its year can be nothing else; "3.5" is a decimal unless a date is
 * announced or it counts nothing; "1/2" is a half unless a date is announced. Of two times with a dash between, the
 * second says which half of the day is meant.
 */
#include <ctype.h>
#include <string.h>

#include "services/speakable_manner.h"
#include "utils/scoped.h"

/* Two figures at most, as days and hours are written. */
static size_t small_at(const char *at, unsigned *ret_value)
{
    size_t n = digits_at(at);

    if (!n || n > 2)
        return 0;
    *ret_value = (unsigned)(at[0] - '0');
    if (n == 2)
        *ret_value = *ret_value * 10 + (unsigned)(at[1] - '0');
    return n;
}

static bool goes_on(const char *at)
{
    size_t n_dash = dash_at(at);

    return glyph_at(at, NULL) == GLYPH_DIGIT || ((*at == '.' || *at == '/' || *at == ':') && digits_at(at + 1)) ||
           (n_dash && digits_at(at + n_dash)) || glyph_at(at, NULL) == GLYPH_LETTER;
}

/* --- dates */

bool is_day(unsigned day, unsigned month)
{
    static const unsigned char days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return month >= 1 && month <= ELEMENTSOF(days) && day >= 1 && day <= days[month - 1];
}

static size_t year_at(const char *at, unsigned *ret_year)
{
    size_t n = digits_at(at);

    if (n == 2)
        *ret_year = 2000 + (unsigned)(at[0] - '0') * 10 + (unsigned)(at[1] - '0');
    else if (n == 4)
        *ret_year = (unsigned)((at[0] - '0') * 1000 + (at[1] - '0') * 100 + (at[2] - '0') * 10 + (at[3] - '0'));
    return n == 2 || (n == 4 && *ret_year >= 1000) ? n : 0;
}

/* 2026-11-22 */
static size_t iso_date(const struct spot *spot, struct words *words)
{
    const char *at = spot->at;
    unsigned year, month, day;

    if (digits_at(at) != 4 || at[4] != '-' || digits_at(at + 5) != 2 || at[7] != '-' || digits_at(at + 8) != 2 || goes_on(at + 10) ||
        !year_at(at, &year) || !small_at(at + 5, &month) || !small_at(at + 8, &day) || !is_day(day, month))
        return 0;
    spot->manner->date(words, day, month, year);
    return 10;
}

static bool is_announced(const struct spot *spot)
{
    char before[SPEAKABLE_WORD_MAX];

    word_before(spot->text, spot->at, before);
    return is_listed(spot->manner->date_words, before);
}

struct day {
    unsigned day, month, year; /* 0 none */
};

/* 3.5.2026, 3/5/26, 22/11; 3.5 where a date is announced. */
static size_t day_at(const struct spot *spot, const char *at, bool is_announced, struct day *ret_day)
{
    struct day day = { 0 };
    size_t n = small_at(at, &day.day), n_month, n_year;
    char sign = at[n];

    if (!n || !sign || !strchr("./-", sign) || !(n_month = small_at(at + n + 1, &day.month)) || !is_day(day.day, day.month))
        return 0;
    bool is_long = n == 2 && n_month == 2;
    n += 1 + n_month;
    if (at[n] == sign && (n_year = year_at(at + n + 1, &day.year)))
        n += 1 + n_year;
    if (glyph_at(at + n, NULL) == GLYPH_DIGIT || glyph_at(at + n, NULL) == GLYPH_LETTER ||
        (at[n] && strchr("./:", at[n]) && digits_at(at + n + 1)))
        return 0;
    if (!day.year && sign == '-')
        return 0;
    if (!day.year && sign == '.' && !is_announced && !(spot->manner->dots_are_dates && is_long))
        return 0;
    if (!day.year && sign == '.' && counts_something(spot->manner, at + n))
        return 0;
    if (!day.year && sign == '/' && !is_announced && spot->manner->is_house(spot, at + n))
        return 0;
    *ret_day = day;
    return n;
}

static size_t date(const struct spot *spot, struct words *words)
{
    const struct manner *manner = spot->manner;
    struct day from, until;
    unsigned first;
    bool announced = is_announced(spot);
    size_t n = day_at(spot, spot->at, announced, &from), n_to = n ? to_at(spot->at + n) : 0, n_until;

    if (n_to && digits_at(spot->at + n + n_to)) {
        n_until = day_at(spot, spot->at + n + n_to, true, &until);
        if (!n_until)
            return 0;
        manner->date(words, from.day, from.month, from.year);
        words_add(words, manner->to);
        manner->date(words, until.day, until.month, until.year);
        return n + n_to + n_until;
    }
    if (n) {
        manner->date(words, from.day, from.month, from.year);
        return n;
    }
    n = small_at(spot->at, &first); /* 10-12/6 */
    n_to = n ? to_at(spot->at + n) : 0;
    n_until = n_to ? day_at(spot, spot->at + n + n_to, announced, &until) : 0;
    if (!n_until || !first || first >= until.day || spot->at[n + n_to + n_until] == '-')
        return 0;
    manner->days(words, first, until.day, until.month, until.year);
    return n + n_to + n_until;
}

/* 1/2, 24/7: before dates, unless one is announced. */
static size_t fraction(const struct spot *spot, struct words *words)
{
    size_t n;

    for (const struct written *row = spot->manner->fractions; row->text; row++)
        if ((n = match_word(spot->at, row->text)) && !goes_on(spot->at + n) && !(isdigit((unsigned char)row->text[0]) && is_announced(spot))) {
            words_add(words, row->said);
            return n;
        }
    return 0;
}

/* --- times */

struct clock {
    unsigned hour, minute;
    bool has_minutes;
    char half; /* 'a', 'p'; 0 none is written */
};

static size_t half_at(const char *at, char *ret_half)
{
    static const char *const halves[] = { "am", "pm", "a.m.", "p.m.", "a.m", "p.m" };
    size_t n_blanks = blanks_at(at), n;

    for (size_t i = 0; i < ELEMENTSOF(halves) && n_blanks <= 2; i++)
        if ((n = match_word(at + n_blanks, halves[i]))) {
            *ret_half = halves[i][0];
            return n_blanks + n;
        }
    return 0;
}

/* sign: what may part hours from minutes beside a colon. */
static size_t clock_at(const char *at, char sign, struct clock *ret_clock)
{
    struct clock clock = { 0 };
    size_t n = small_at(at, &clock.hour);

    if (!n || clock.hour > 24)
        return 0;
    clock.has_minutes = (at[n] == ':' || at[n] == sign) && digits_at(at + n + 1) == 2;
    if (clock.has_minutes)
        n += 1 + small_at(at + n + 1, &clock.minute);
    if (clock.minute > 59 || (clock.hour == 24 && clock.minute))
        return 0;
    size_t n_half = clock.hour <= 12 ? half_at(at + n, &clock.half) : 0;
    n += n_half;
    if (!n_half && (glyph_at(at + n, NULL) == GLYPH_LETTER || glyph_at(at + n, NULL) == GLYPH_DIGIT || (at[n] == ':' && digits_at(at + n + 1))))
        return 0;
    *ret_clock = clock;
    return n;
}

static char sign_of_time(const struct spot *spot)
{
    char before[SPEAKABLE_WORD_MAX];

    word_before(spot->text, spot->at, before);
    return is_listed(spot->manner->time_words, before) && !counts_something(spot->manner, spot->at + strspn(spot->at, "0123456789.")) ? '.' : ':';
}

size_t speak_time(const struct spot *spot, struct words *words)
{
    struct clock from, until;
    char sign = sign_of_time(spot);
    size_t n = clock_at(spot->at, sign, &from), n_to = n ? to_at(spot->at + n) : 0;
    size_t n_until = n_to ? clock_at(spot->at + n + n_to, sign, &until) : 0;
    bool is_range = n_until && (until.half || (from.has_minutes && until.has_minutes));

    if (!n || !(from.has_minutes || from.half || is_range))
        return 0;
    if (!is_range && goes_on(spot->at + n))
        return 0;
    const char *rest = spot->at + n + (is_range ? n_to + n_until : 0);
    if (!is_range) {
        spot->manner->time(words, from.hour, from.minute, from.half, rest);
        return n;
    }
    bool is_clear = from.hour && (from.hour <= 12 || until.hour > from.hour); /* by what is said of its end */
    spot->manner->time(words, from.hour, from.minute, from.half ?: is_clear ? ' ' : 0, rest);
    words_add(words, spot->manner->to);
    spot->manner->time(words, until.hour, until.minute, until.half, rest);
    return n + n_to + n_until;
}

size_t speak_date(const struct spot *spot, struct words *words)
{
    static size_t (*const readers[])(const struct spot *, struct words *) = { iso_date, fraction, date };
    size_t n = 0;

    for (size_t i = 0; i < ELEMENTSOF(readers) && !n; i++)
        n = readers[i](spot, words);
    return n;
}
