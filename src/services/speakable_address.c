/*
 * speakable_address.c - where somebody is reached: telephone numbers, e-mail and web addresses
 *
 * A telephone number is told from other figures by how it begins, how many digits it has and how they are grouped; it
 * may be written with blanks, which may also part it from the next number, so the shortest that is whole is taken.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "services/speakable_manner.h"
#include "utils/scoped.h"

enum { PHONE_DIGITS_MAX = 16, GROUPS_MAX = 8 };

/* --- telephone numbers */

struct phone {
    char digits[PHONE_DIGITS_MAX + 2]; /* and a plus */
    size_t n, n_groups;
    size_t groups[GROUPS_MAX];
    bool has_plus, has_signs; /* its groups are parted by more than blanks */
};

/* How many digits a national number has that begins so: Israel's, and those of free calls. */
static const struct {
    const char *begin;
    size_t n_digits;
} nationals[] = {
    { "02", 9 },  { "03", 9 },    { "04", 9 },    { "08", 9 },    { "09", 9 },    { "05", 10 },
    { "07", 10 }, { "1599", 10 }, { "1700", 10 }, { "1800", 10 }, { "1801", 10 }, { "1809", 10 },
};

static bool has_groups(const struct phone *phone, const char *sizes)
{
    if (phone->n_groups != strlen(sizes))
        return false;
    for (size_t i = 0; sizes[i]; i++)
        if (phone->groups[i] != (size_t)(sizes[i] - '0'))
            return false;
    return true;
}

static bool is_international(const struct phone *phone)
{
    const char *digits = phone->digits + 1;
    size_t n = phone->n;

    if (strncmp(digits, "972", 3) == 0)
        return n == (strchr("57", digits[3]) ? 12 : 11);
    return digits[0] == '1' ? n == 11 : n >= 8 && n <= 15;
}

static bool is_whole(const struct phone *phone)
{
    const char *digits = phone->digits;

    if (phone->has_plus)
        return is_international(phone);
    for (size_t i = 0; i < ELEMENTSOF(nationals); i++)
        if (strncmp(digits, nationals[i].begin, strlen(nationals[i].begin)) == 0 && phone->n == nationals[i].n_digits)
            return phone->n_groups > 1 || digits[0] == '0';
    if (has_groups(phone, "4444"))
        return true; /* a card */
    if (!phone->has_signs)
        return false;
    return has_groups(phone, "1334") || has_groups(phone, "334") || has_groups(phone, "34");
}

/* What may stand between two groups; 0 nothing that does. */
static size_t between(const char *at, bool *has_signs)
{
    static const char *const marks[] = { ") ", ")-", ")", " (", "-(", " - ", ".", " ", NULL };
    size_t n = dash_at(at);

    *has_signs = *has_signs || n || *at == '.' || *at == ')';
    for (const char *const *mark = marks; *mark && !n; mark++)
        if (strncmp(at, *mark, strlen(*mark)) == 0)
            n = strlen(*mark);
    return n && glyph_at(at + n, NULL) == GLYPH_DIGIT ? n : 0;
}

/* It is not the beginning of something else: a time, a decimal, a word. */
static bool ends_phone(const char *at)
{
    return ends_word(at) && *at != '%' && *at != ':' && !((*at == '.' || *at == ',') && glyph_at(at + 1, NULL) == GLYPH_DIGIT);
}

static size_t phone_at(const char *at, struct phone *phone)
{
    const char *from = at, *end = NULL;
    size_t n_group, n_between = 0;

    *phone = (struct phone){ 0 };
    phone->has_plus = *at == '+';
    at += phone->has_plus;
    if (*at == '(')
        at++;
    size_t n_used = phone->has_plus;
    phone->digits[0] = '+';
    for (; (n_group = digits_at(at)) && phone->n + n_group <= PHONE_DIGITS_MAX && phone->n_groups < GROUPS_MAX; at += n_between) {
        memcpy(phone->digits + n_used, at, n_group);
        n_used += n_group;
        phone->digits[n_used] = '\0';
        phone->n += n_group;
        phone->groups[phone->n_groups++] = n_group;
        at += n_group;
        if (is_whole(phone) && ends_phone(at)) {
            end = at;
            if (!phone->has_plus || is_hebrew(at) || phone->digits[1] == '1' || strncmp(phone->digits, "+972", 4) == 0)
                break;
        }
        n_between = between(at, &phone->has_signs);
        if (!n_between)
            break;
    }
    return end ? (size_t)(end - from) : 0;
}

/* Figures that stand alone become words, whatever the language makes of telephone numbers. */
static void add_figures(const struct manner *manner, struct words *words, const char *text)
{
    char word[SPEAKABLE_WORD_MAX];

    for (; *text; text++) {
        if (!isdigit((unsigned char)*text)) {
            words_add_n(words, text, 1);
            continue;
        }
        numeral_digits(manner->code, (char[]){ *text, '\0' }, word, sizeof(word));
        words_add(words, word);
    }
}

static void say_groups(const struct manner *manner, struct words *words, const char *digits, const char *sizes)
{
    char group[8], text[128];

    for (const char *size = sizes; *size; digits += *size++ - '0') {
        (void)snprintf(group, sizeof(group), "%.*s", *size - '0', digits);
        numeral_digits(manner->code, group, text, sizeof(text));
        words_add(words, size > sizes ? ", " : "");
        words_add(words, text);
    }
}

/* "*2345" */
static size_t star_at(const struct spot *spot, struct words *words)
{
    size_t n = spot->at[0] == '*' ? digits_at(spot->at + 1) : 0;
    char digits[8], text[256];

    if (n < 3 || n > 6 || !ends_phone(spot->at + 1 + n))
        return 0;
    (void)snprintf(digits, sizeof(digits), "%.*s", (int)n, spot->at + 1);
    numeral_digits(spot->manner->code, digits, text, sizeof(text));
    words_add(words, spot->manner->star);
    words_add(words, " ");
    words_add(words, text);
    return 1 + n;
}

size_t speak_phone(const struct spot *spot, struct words *words)
{
    struct phone phone;
    char text[512];

    if (*spot->at == '*')
        return star_at(spot, words);
    if (*spot->at != '+' && *spot->at != '(' && !digits_at(spot->at))
        return 0;
    size_t n = phone_at(spot->at, &phone);
    if (!n)
        return 0;
    if (phone.n > 15 || (phone.n == 10 && phone.digits[0] == '1')) { /* a card in fours; 1800 and the rest */
        say_groups(spot->manner, words, phone.digits, phone.n > 15 ? "4444" : "433");
        return n;
    }
    numeral_phone(spot->manner->code, phone.digits, spot->manner->home_country, text, sizeof(text));
    add_figures(spot->manner, words, text);
    return n;
}

/* --- e-mail and the web */

static const char *const domains[] = { "com", "net", "org", "il", "io", "info", "biz", "app", "dev", "ai", "me", "eu", "uk", "us", "edu", "gov", NULL };

static size_t span(const char *at, const char *signs)
{
    size_t n = 0;

    while (at[n] && (unsigned char)at[n] < 0x80 && (isalnum((unsigned char)at[n]) || strchr(signs, at[n])))
        n++;
    return n;
}

/* "example.co.il": labels, the last of them known. Returns: its bytes, without a dot at the end. */
static size_t domain_at(const char *at, bool any_end)
{
    size_t n = span(at, ".-"), n_last = 0;
    char last[16];

    while (n && strchr(".-", at[n - 1]))
        n--;
    while (n_last < n && at[n - 1 - n_last] != '.')
        n_last++;
    if (n_last + 1 >= n || n_last < 2 || n_last >= sizeof(last) || at[0] == '.')
        return 0;
    for (size_t i = 0; i < n_last; i++)
        last[i] = (char)tolower((unsigned char)at[n - n_last + i]);
    last[n_last] = '\0';
    return (any_end ? !strpbrk(last, "0123456789") : is_listed(domains, last)) ? n : 0;
}

/* Letters as they are, figures one by one, signs by their names. */
static void spell(const struct manner *manner, struct words *words, const char *at, size_t n)
{
    const struct {
        char sign;
        const char *said;
    } signs[] = {
        { '.', manner->dot },         { '@', manner->at_sign }, { '/', manner->slash }, { '_', manner->underscore },
        { '-', manner->dash },        { '+', manner->plus },    { '=', manner->equals }, { '&', "and" }, { '?', "question mark" },
        { '%', "percent" }, { '#', "hash" }, { '~', "tilde" },
    };
    char word[SPEAKABLE_WORD_MAX];

    for (size_t i = 0; i < n;) {
        size_t n_letters = 0;
        while (i + n_letters < n && isalpha((unsigned char)at[i + n_letters]))
            n_letters++;
        words_add(words, words->n ? " " : "");
        words_add_n(words, at + i, n_letters);
        if (n_letters) {
            i += n_letters;
            continue;
        }
        if (isdigit((unsigned char)at[i])) {
            numeral_digits(manner->code, (char[]){ at[i], '\0' }, word, sizeof(word));
            words_add(words, word);
        }
        for (size_t s = 0; s < ELEMENTSOF(signs); s++)
            if (at[i] == signs[s].sign)
                words_add(words, signs[s].said);
        i++;
    }
}

static size_t email_at(const char *at)
{
    size_t n_local = span(at, "._%+-");
    size_t n_domain = n_local && at[n_local] == '@' ? domain_at(at + n_local + 1, true) : 0;

    return n_domain ? n_local + 1 + n_domain : 0;
}

/* Returns: its bytes; *ret_n_skip those that are not said: the scheme. */
static size_t web_at(const char *at, size_t *ret_n_skip)
{
    size_t n_scheme = match_at(at, "https://");

    if (!n_scheme)
        n_scheme = match_at(at, "http://");
    size_t n_domain = domain_at(at + n_scheme, n_scheme || match_at(at, "www."));
    if (!n_domain)
        return 0;
    size_t n = n_scheme + n_domain;
    if (at[n] == '/')
        n += 1 + span(at + n + 1, "/._-=&?%#+~");
    while (strchr("/.?&-", at[n - 1]))
        n--;
    *ret_n_skip = n_scheme;
    return n;
}

size_t speak_address(const struct spot *spot, struct words *words)
{
    size_t n_skip = 0, n;

    if ((unsigned char)*spot->at >= 0x80 || !isalnum((unsigned char)*spot->at))
        return 0;
    n = email_at(spot->at);
    if (!n)
        n = web_at(spot->at, &n_skip);
    if (!n || !ends_word(spot->at + n))
        return 0;
    spell(spot->manner, words, spot->at + n_skip, n - n_skip);
    return n;
}
