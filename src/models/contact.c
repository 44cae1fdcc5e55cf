/*
 * contact.c - a contact's names, its JSON, and telephone numbers
 */
#include "models/contact.h"

#include <errno.h>
#include <string.h>

#include "utils/json.h"

static const char *const stages[STAGE_N] = {
    [STAGE_NEW] = "new", [STAGE_QUALIFIED] = "qualified", [STAGE_SCHEDULED] = "scheduled",
    [STAGE_WON] = "won", [STAGE_LOST] = "lost",
};

static const struct json_field fields[] = {
    JSON_FIELD(struct contact, id, JSON_CHARS),
    JSON_FIELD(struct contact, name, JSON_CHARS),
    JSON_FIELD_ENUM(struct contact, stage, stages),
    JSON_FIELD(struct contact, created_ms, JSON_U64),
    JSON_FIELD(struct contact, updated_ms, JSON_U64),
    JSON_FIELD(struct contact, n_calls, JSON_U32),
    JSON_FIELD(struct contact, addresses, JSON_ARRAY),
    JSON_FIELD(struct contact, fields, JSON_OBJECT),
};

void contact_done(struct contact *contact)
{
    json_release(fields, ELEMENTSOF(fields), contact);
}

struct json_object *contact_to_json(const struct contact *contact)
{
    return json_write(fields, ELEMENTSOF(fields), contact);
}

int contact_from_json(struct json_object *json, struct contact *ret_contact)
{
    struct contact contact = { 0 };
    int r = json_read(json, fields, ELEMENTSOF(fields), &contact);

    if (r == 0 && !contact.id[0])
        r = -EBADMSG;
    if (r < 0) {
        contact_done(&contact);
        return r;
    }
    *ret_contact = contact;
    return 0;
}

/* --- ids */

enum { ID_TIME_DIGITS = 9, ID_RANDOM_DIGITS = 8 }; /* 45 bits of ms reach the year 3084 */

static char *write_base32(char *out, uint64_t n, int n_digits)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; /* Crockford's: in ASCII order, no I L O U */

    for (int i = n_digits - 1; i >= 0; i--, n >>= 5)
        out[i] = digits[n & 31];
    return out + n_digits;
}

void id_make(char prefix, uint64_t now_ms, const uint8_t random[ID_RANDOM],
             char ret_id[CONTACT_ID_MAX])
{
    uint64_t bits = 0;
    char *end = ret_id;

    for (int i = 0; i < ID_RANDOM; i++)
        bits = bits << 8 | random[i];
    *end++ = prefix;
    end = write_base32(end, now_ms, ID_TIME_DIGITS);
    end = write_base32(end, bits, ID_RANDOM_DIGITS);
    *end = '\0';
}

/* --- telephone numbers */

enum { DIGITS_MIN = 7, DIGITS_MAX = 15, NATIONAL_MIN = 8, DIGITS_ROOM = 32 };

/* What people and programs put between digits. */
static const char *const separators[] = {
    " ", "-", ".", "(", ")", "/", "\t", "\u00a0", /* no-break space */
    "\u2009", "\u202f",                          /* thin spaces */
    "\u2010", "\u2011", "\u2012", "\u2013",      /* hyphens and dashes */
    "\u05be",                                    /* Hebrew maqaf */
    "\u200e", "\u200f",                          /* direction marks */
    "\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069",
};

static size_t separator(const char *text)
{
    for (size_t i = 0; i < ELEMENTSOF(separators); i++)
        if (strncmp(text, separators[i], strlen(separators[i])) == 0)
            return strlen(separators[i]);
    return 0;
}

/* Digits alone; *ret_plus when a + stood before them. */
static int collect_digits(const char *number, char *ret_digits, size_t *ret_n, bool *ret_plus)
{
    size_t n = 0;

    *ret_plus = false;
    while (*number) {
        size_t skip = separator(number);

        if (skip == 0 && *number == '+' && n == 0 && !*ret_plus)
            *ret_plus = true;
        else if (skip == 0 && *number >= '0' && *number <= '9' && n < DIGITS_ROOM - 1)
            ret_digits[n++] = *number;
        else if (skip == 0)
            return -EINVAL;
        number += skip ?: 1;
    }
    ret_digits[n] = '\0';
    *ret_n = n;
    return 0;
}

static bool keeps_leading_zero(const char *country)
{
    return strcmp(country, "39") == 0; /* Italy: the 0 is part of the number */
}

bool phone_is_withheld(const char *number)
{
    static const char *const withheld[] = { "+266696687", "+7378742833", "+2562533", "+8656696",
                                            "+86282452253" };

    for (size_t i = 0; i < ELEMENTSOF(withheld); i++)
        if (strcmp(number, withheld[i]) == 0)
            return true;
    return false;
}

int phone_normalise(const char *number, const char *country, char ret_e164[ADDRESS_MAX])
{
    char room[DIGITS_ROOM], *digits = room, e164[ADDRESS_MAX];
    size_t n, n_country = strlen(country), n_e164;
    bool plus;
    int r = collect_digits(number, room, &n, &plus);

    if (r < 0)
        return r;
    if (!plus && strncmp(digits, "00", 2) == 0) {
        plus = true;
        digits += 2, n -= 2;
    }
    /* 972501234567, as some programs write it; a national number is never that long */
    if (!plus && n_country && n >= n_country + NATIONAL_MIN &&
        strncmp(digits, country, n_country) == 0)
        plus = true;
    if (plus && n_country && n > n_country && strncmp(digits, country, n_country) == 0) {
        digits += n_country, n -= n_country;
        plus = false;
    }
    if (!plus && n_country == 0)
        return -EINVAL;
    while (!plus && *digits == '0' && !keeps_leading_zero(country))
        digits++, n--;

    n_e164 = n + (plus ? 0 : n_country);
    if (n_e164 < DIGITS_MIN || n_e164 > DIGITS_MAX || (plus && *digits == '0'))
        return -EINVAL;
    (void)snprintf(e164, sizeof(e164), "+%s%s", plus ? "" : country, digits);
    if (phone_is_withheld(e164))
        return -EINVAL;
    memcpy(ret_e164, e164, sizeof(e164));
    return 0;
}
