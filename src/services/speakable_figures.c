/*
 * speakable_figures.c - amounts, ranges, prices and units, as they are written
 *
 * A range is two of a kind with a dash between; both are of the noun that follows. An amount of many figures without
 * commas is a name rather than a number and is said figure by figure. What is a day or a time was asked before.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "services/speakable_manner.h"
#include "utils/scoped.h"

enum { NAME_DIGITS = 7, DIGITS_MAX = 15 };

/* In the order of a manner's currencies. */
static const struct {
    const char *text;
    size_t currency;
    bool is_word;
} currencies[] = {
    { "₪", 0, false },  { "NIS", 0, true }, { "ILS", 0, true }, { "ש\"ח", 0, true }, { "שח", 0, true },
    { "US$", 1, false }, { "$", 1, false },  { "USD", 1, true }, { "€", 2, false },   { "EUR", 2, true }, { "£", 3, false }, { "GBP", 3, true },
};

/* --- one number */

static size_t group_at(const char *at)
{
    return *at == ',' && digits_at(at + 1) == 3 ? 4 : 0;
}

size_t amount_at(const char *at, struct amount *ret_amount)
{
    struct amount amount = { .n_digits = digits_at(at), .has_zero = at[0] == '0' && digits_at(at) > 1 };
    size_t n = 0, n_more;

    if (!amount.n_digits || amount.n_digits > DIGITS_MAX)
        return 0;
    for (; n < amount.n_digits; n++)
        amount.whole = amount.whole * 10 + (uint64_t)(at[n] - '0');
    while (amount.n_digits <= 3 && (n_more = group_at(at + n)) && amount.whole < NUMERAL_MAX / 1000) {
        for (size_t i = 1; i < n_more; i++)
            amount.whole = amount.whole * 10 + (uint64_t)(at[n + i] - '0');
        amount.is_grouped = true;
        n += n_more;
    }
    n_more = at[n] == '.' ? digits_at(at + n + 1) : 0;
    if (n_more && n_more < sizeof(amount.decimals)) {
        memcpy(amount.decimals, at + n + 1, n_more);
        n += 1 + n_more;
    }
    *ret_amount = amount;
    return n;
}

/* --- what may follow it */

static size_t currency_at(const char *at, size_t *ret_currency)
{
    size_t n;

    for (size_t i = 0; i < ELEMENTSOF(currencies); i++)
        if ((n = currencies[i].is_word ? match_word(at, currencies[i].text) : match_at(at, currencies[i].text))) {
            *ret_currency = currencies[i].currency;
            return n;
        }
    return 0;
}

static size_t scale_at(const struct manner *manner, const char *at, const struct scale **ret_scale)
{
    size_t n_blanks = blanks_at(at), n;

    for (const struct scale *scale = manner->scales; scale->text; scale++)
        if ((n = match_word(at + n_blanks, scale->text)) && (scale->text[1] || at[0] == scale->text[0])) { /* "m" are meters */
            *ret_scale = scale;
            return n_blanks + n;
        }
    return 0;
}

static size_t unit_at(const struct manner *manner, const char *at, const struct noun **ret_noun)
{
    size_t n_blanks = blanks_at(at), n;

    for (const struct unit *unit = manner->units; unit->text; unit++) {
        bool is_sign = ends_word(unit->text + strlen(unit->text) - 1) || (unsigned char)unit->text[strlen(unit->text) - 1] >= 0x80;
        n = is_sign && !is_hebrew(unit->text) ? match_at(at + n_blanks, unit->text) : match_word(at + n_blanks, unit->text);
        if (n) {
            *ret_noun = &unit->noun;
            return n_blanks + n;
        }
    }
    return 0;
}

size_t to_at(const char *at)
{
    size_t n_blanks = blanks_at(at), n_dash = dash_at(at + n_blanks);

    return n_dash ? n_blanks + n_dash + blanks_at(at + n_blanks + n_dash) : 0;
}

bool counts_something(const struct manner *manner, const char *at)
{
    const struct scale *scale;
    const struct noun *noun;
    size_t currency;

    return *at == '%' || scale_at(manner, at, &scale) || unit_at(manner, at, &noun) || currency_at(at + blanks_at(at), &currency) ||
           manner->gender_ahead(at, NULL);
}

/* --- amounts */

/* A name of figures: an order, an account. */
static bool is_name(const struct amount *amount)
{
    return !amount->is_grouped && !amount->decimals[0] && (amount->has_zero || (amount->n_digits >= NAME_DIGITS && amount->whole % 1000));
}

static void apply_scale(struct amount *amount, const struct scale *scale)
{
    if (!amount->decimals[0] && amount->whole <= NUMERAL_MAX / scale->factor)
        amount->whole *= scale->factor;
    else
        amount->scale = scale->said;
}

/* Both ends of a range, or one number; with their currency and scale. */
struct quantity {
    struct amount from, to;
    bool is_range, has_currency;
    size_t currency;
};

static size_t end_of_range(const struct spot *spot, const char *at, struct quantity *quantity)
{
    size_t n_percent = *at == '%', n_to = to_at(at + n_percent), n_currency, n, other; /* 2%-3% */

    if (!n_to || is_name(&quantity->from))
        return 0;
    n_to += n_percent;
    n_currency = quantity->has_currency && currency_at(at + n_to, &other) && other == quantity->currency ? currency_at(at + n_to, &other) : 0;
    n_currency += n_currency ? blanks_at(at + n_to + n_currency) : 0;
    n = amount_at(at + n_to + n_currency, &quantity->to);
    const char *end = at + n_to + n_currency + n;
    quantity->is_range = n && (!n_percent || *end == '%') && quantity->from.whole < quantity->to.whole && !is_name(&quantity->to) &&
                         !(dash_at(end) && digits_at(end + dash_at(end)));
    quantity->to.is_last = true;
    return quantity->is_range ? n_to + n_currency + n : 0;
}

/* A dash before a number and after none. */
static size_t minus_at(const struct spot *spot)
{
    enum glyph before = glyph_before(spot->text, spot->at);
    size_t n = before == GLYPH_END || before == GLYPH_SPACE || spot->at[-1] == '(' ? dash_at(spot->at) : 0, currency;

    return n && (digits_at(spot->at + n) || currency_at(spot->at + n, &currency)) ? n : 0;
}

static size_t quantity_at(const struct spot *spot, struct quantity *quantity)
{
    const char *from = spot->at, *at = from;
    const struct scale *scale;
    size_t n, n_minus = minus_at(spot);

    at += n_minus;
    n = currency_at(at, &quantity->currency);
    quantity->has_currency = n > 0;
    at += n + (n ? blanks_at(at + n) : 0);
    if (n && !n_minus && digits_at(at + dash_at(at))) { /* $-5 */
        n_minus = dash_at(at);
        at += n_minus;
    }
    n = amount_at(at, &quantity->from);
    if (!n)
        return 0;
    quantity->from.is_negative = n_minus > 0;
    at += n;
    at += end_of_range(spot, at, quantity);
    n = scale_at(spot->manner, at, &scale);
    if (n) {
        apply_scale(&quantity->from, scale);
        apply_scale(&quantity->to, scale);
        at += n;
    }
    if (!quantity->has_currency) {
        size_t n_blanks = blanks_at(at);
        n = currency_at(at + n_blanks, &quantity->currency);
        quantity->has_currency = n > 0;
        at += n ? n_blanks + n : 0;
    }
    return (size_t)(at - from);
}

static void say_money(const struct manner *manner, struct words *words, struct amount *amount, const struct currency *currency)
{
    struct amount minor = { 0 };

    if (strlen(amount->decimals) == 2 && !amount->scale) {
        minor.whole = (uint64_t)((amount->decimals[0] - '0') * 10 + amount->decimals[1] - '0');
        amount->decimals[0] = '\0';
    }
    if (amount->whole || amount->decimals[0] || !minor.whole)
        manner->count(words, amount, &currency->major);
    if (amount->whole && minor.whole)
        words_add(words, manner->and_joined);
    if (minor.whole)
        manner->count(words, &minor, &currency->minor);
}

static void say_both(const struct manner *manner, struct words *words, const struct quantity *quantity, enum numeral_gender gender)
{
    manner->say(words, &quantity->from, gender);
    words_add(words, manner->to);
}

/* "/month" */
static size_t per_at(const struct spot *spot, struct words *words, const char *at)
{
    size_t n_before = blanks_at(at), n;

    if (at[n_before] != '/')
        return 0;
    n_before += 1 + blanks_at(at + n_before + 1);
    for (const struct written *row = spot->manner->per; row->text; row++)
        if ((n = match_word(at + n_before, row->text))) {
            words_add(words, row->said);
            return n_before + n;
        }
    return 0;
}

/* Figure by figure: a name, a code. */
static size_t say_name(const struct spot *spot, struct words *words, size_t n)
{
    size_t n_group = n <= 4 ? n : 3;
    char some[8], text[128];

    for (size_t i = 0; i < n; i += n_group) {
        (void)snprintf(some, sizeof(some), "%.*s", (int)(n - i < n_group ? n - i : n_group), spot->at + i);
        numeral_digits(spot->manner->code, some, text, sizeof(text));
        words_add(words, i ? ", " : "");
        words_add(words, text);
    }
    return n;
}

static bool is_code(const struct spot *spot)
{
    char before[SPEAKABLE_WORD_MAX];

    word_before(spot->text, spot->at, before);
    return is_listed(spot->manner->code_words, before);
}

/* 3x4 */
static size_t by_at(const char *at)
{
    static const char *const signs[] = { "x", "×" };
    size_t n_blanks = blanks_at(at), n;

    for (size_t i = 0; i < ELEMENTSOF(signs); i++)
        if ((n = match_at(at + n_blanks, signs[i])) && digits_at(at + n_blanks + n + blanks_at(at + n_blanks + n)))
            return n_blanks + n + blanks_at(at + n_blanks + n);
    return 0;
}

static size_t amounts(const struct spot *spot, struct words *words)
{
    const struct manner *manner = spot->manner;
    struct quantity quantity = { 0 };
    const struct noun *unit;
    size_t n = quantity_at(spot, &quantity), n_more, n_to;

    if (digits_at(spot->at) > DIGITS_MAX)
        return say_name(spot, words, digits_at(spot->at));
    if (!n)
        return 0;
    if (!quantity.has_currency && digits_at(spot->at) == n && (is_name(&quantity.from) || (n >= 3 && is_code(spot))))
        return say_name(spot, words, n);
    const char *rest = spot->at + n;
    struct amount *last = quantity.is_range ? &quantity.to : &quantity.from;
    if (quantity.has_currency) {
        if (quantity.is_range)
            say_both(manner, words, &quantity, manner->currencies[quantity.currency].major.gender);
        say_money(manner, words, last, &manner->currencies[quantity.currency]);
    } else if ((n_more = unit_at(manner, rest, &unit))) {
        if (quantity.is_range)
            say_both(manner, words, &quantity, unit->gender);
        manner->count(words, last, unit);
        n += n_more;
    } else {
        enum numeral_gender gender = NUMERAL_FEMININE;
        (void)manner->gender_ahead(rest, &gender);
        if (quantity.is_range)
            say_both(manner, words, &quantity, gender);
        n += manner->count_ahead(words, spot, last, rest);
        if (spot->at[n] == '+' && ends_word(spot->at + n + 1)) { /* 3+ */
            words_add(words, " ");
            words_add(words, manner->plus);
            n++;
        } else if (spot->at[n] == '+' && digits_at(spot->at + n + 1)) {
            words_add(words, " ");
            words_add(words, manner->plus);
            words_add(words, " ");
            n++;
        } else if ((n_more = by_at(spot->at + n)) && (n_to = amount_at(spot->at + n + n_more, &quantity.to))) {
            words_add(words, " ");
            words_add(words, manner->by);
            words_add(words, " ");
            manner->say(words, &quantity.to, NUMERAL_FEMININE);
            n += n_more + n_to;
        }
        return n;
    }
    return n + per_at(spot, words, spot->at + n);
}

/* 1.2.3: a version, an address of the net. */
static size_t dotted(const struct spot *spot, struct words *words)
{
    const char *at = spot->at;
    size_t n_dots = 0, n = 0, n_group;
    char text[256];

    for (const char *c = at; digits_at(c) && c[digits_at(c)] == '.' && digits_at(c + digits_at(c) + 1); c += digits_at(c) + 1)
        n_dots++;
    if (n_dots < 2)
        return 0;
    for (size_t i = 0; i <= n_dots; i++) {
        struct amount amount;
        n_group = digits_at(at + n);
        if (n_group > 4 || !amount_at(at + n, &amount))
            return 0;
        numeral_cardinal(spot->manner->code, amount.whole, NUMERAL_FEMININE, text, sizeof(text));
        words_add(words, i ? " " : "");
        words_add(words, i ? spot->manner->dot : "");
        words_add(words, i ? " " : "");
        words_add(words, text);
        n += n_group + (i < n_dots);
    }
    return n;
}

/* --- all of them */

size_t speak_figures(const struct spot *spot, struct words *words)
{
    static size_t (*const readers[])(const struct spot *, struct words *) = { speak_date, speak_time, dotted, amounts };

    for (size_t i = 0; i < ELEMENTSOF(readers); i++) {
        *words = (struct words){ 0 };
        size_t n = readers[i](spot, words);
        if (n && !words->is_full)
            return n;
    }
    return 0;
}
