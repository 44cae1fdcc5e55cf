/*
 * contact.c - a contact's names, its JSON, telephone numbers and other addresses
 *
 * A person whom we took for two is one of several rows put together for the reader (contact_take()). Each row remembers
 * when each thing in it was set, so that the later of two values wins wherever it is, and a thing that was taken away
 * stays away although an older row has it.
 */
#include "models/contact.h"

#include <errno.h>
#include <string.h>

#include <json-c/json.h>

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
    JSON_FIELD(struct contact, tags, JSON_ARRAY),
    JSON_FIELD(struct contact, set_ms, JSON_OBJECT),
    JSON_FIELD(struct contact, others, JSON_OBJECT),
    JSON_FIELD(struct contact, members, JSON_ARRAY),
};

const char *contact_stage_name(enum contact_stage stage)
{
    return stages[stage];
}

int contact_stage_parse(const char *name)
{
    return json_name_index(stages, STAGE_N, name, strlen(name));
}

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

/* --- when things were set */

enum { SET_KEY_MAX = 16 + CONTACT_FIELD_MAX + CONTACT_TAG_MAX };

static void set_key(const char *kind, const char *name, char ret[SET_KEY_MAX])
{
    (void)snprintf(ret, SET_KEY_MAX, name[0] ? "%s %s" : "%s%s", kind, name);
}

uint64_t contact_set_at(const struct contact *contact, const char *kind, const char *name, bool *ret_gone)
{
    char key[SET_KEY_MAX];

    set_key(kind, name, key);
    int64_t ms = contact->set_ms ? json_get_int(contact->set_ms, key) : 0;
    *ret_gone = ms < 0;
    return (uint64_t)(ms < 0 ? -ms : ms);
}

int contact_set_time(struct contact *contact, const char *kind, const char *name, uint64_t ms, bool gone)
{
    char key[SET_KEY_MAX];

    if (ms == 0 && !gone)
        return 0;
    if (!contact->set_ms)
        contact->set_ms = json_object_new_object();
    if (!contact->set_ms)
        return -ENOMEM;
    set_key(kind, name, key);
    return json_add(contact->set_ms, key, json_object_new_int64(gone ? -(int64_t)ms : (int64_t)ms));
}

/* --- several rows, one person */

/* One thing of which two rows have values; NULL: none. */
struct rivals {
    const char *kind, *name;
    const char *ours, *theirs;
};

/* Whether theirs wins; *ret_ms and *ret_gone are of whoever does. */
static bool theirs_wins(const struct contact *contact, const struct contact *other, const struct rivals *rivals,
                        uint64_t *ret_ms, bool *ret_gone)
{
    bool our_gone, their_gone;
    uint64_t our_ms = contact_set_at(contact, rivals->kind, rivals->name, &our_gone),
             their_ms = contact_set_at(other, rivals->kind, rivals->name, &their_gone);
    bool theirs = their_ms > our_ms || (their_ms == our_ms && !rivals->ours && !our_gone);

    *ret_ms = theirs ? their_ms : our_ms;
    *ret_gone = theirs ? their_gone : our_gone;
    return theirs;
}

static bool array_has(struct json_object *array, const char *text)
{
    for (size_t i = 0; array && i < json_object_array_length(array); i++)
        if (strcmp(json_object_get_string(json_object_array_get_idx(array, i)) ?: "", text) == 0)
            return true;
    return false;
}

static int add_to_array(struct json_object **array, const char *text)
{
    if (array_has(*array, text))
        return 0;
    if (!*array)
        *array = json_object_new_array();
    return *array ? json_append(*array, json_text(text, strlen(text))) : -ENOMEM;
}

static void take_from_array(struct json_object *array, const char *text)
{
    for (size_t i = array ? json_object_array_length(array) : 0; i-- > 0;)
        if (strcmp(json_object_get_string(json_object_array_get_idx(array, i)) ?: "", text) == 0)
            (void)json_object_array_del_idx(array, i, 1);
}

bool contact_has_tag(const struct contact *contact, const char *tag)
{
    return array_has(contact->tags, tag);
}

int contact_set_tag(struct contact *contact, const char *tag, bool wanted, uint64_t ms)
{
    int r = wanted ? add_to_array(&contact->tags, tag) : 0;

    if (!wanted)
        take_from_array(contact->tags, tag);
    return r < 0 ? r : contact_set_time(contact, "tag", tag, ms, !wanted);
}

static int add_other(struct contact *contact, const char *name, const char *value)
{
    struct json_object *list;

    if (!contact->others)
        contact->others = json_object_new_object();
    if (!contact->others)
        return -ENOMEM;
    if (json_object_object_get_ex(contact->others, name, &list))
        return add_to_array(&list, value);
    list = json_object_new_array();
    int r = json_add(contact->others, name, list);
    return r < 0 ? r : add_to_array(&list, value);
}

/* What lost stays visible, unless it is what won. */
static int keep_loser(struct contact *contact, const struct rivals *rivals, bool theirs)
{
    const char *winner = theirs ? rivals->theirs : rivals->ours, *loser = theirs ? rivals->ours : rivals->theirs;
    const char *name = rivals->name[0] ? rivals->name : rivals->kind;
    struct json_object *list = NULL;

    if (winner && contact->others && json_object_object_get_ex(contact->others, name, &list))
        take_from_array(list, winner);
    if (!loser || (winner && strcmp(winner, loser) == 0))
        return 0;
    return add_other(contact, name, loser);
}

static int take_name(struct contact *contact, const struct contact *other)
{
    struct rivals rivals = { "name", "", contact->name[0] ? contact->name : NULL, other->name[0] ? other->name : NULL };
    uint64_t ms;
    bool gone, theirs = theirs_wins(contact, other, &rivals, &ms, &gone);
    int r = keep_loser(contact, &rivals, theirs);

    if (r < 0 || !theirs)
        return r;
    memcpy(contact->name, other->name, sizeof(contact->name));
    return contact_set_time(contact, "name", "", ms, gone);
}

static int take_stage(struct contact *contact, const struct contact *other)
{
    struct rivals rivals = { "stage", "", contact->stage != STAGE_NEW ? "" : NULL, NULL };
    uint64_t ms;
    bool gone;

    if (!theirs_wins(contact, other, &rivals, &ms, &gone))
        return 0;
    contact->stage = other->stage;
    return contact_set_time(contact, "stage", "", ms, gone);
}

static int take_field(struct contact *contact, const struct contact *other, const char *name)
{
    struct rivals rivals = { "field", name, json_get_text(contact->fields, name), json_get_text(other->fields, name) };
    uint64_t ms;
    bool gone, theirs = theirs_wins(contact, other, &rivals, &ms, &gone);
    int r = keep_loser(contact, &rivals, theirs);

    if (r < 0 || !theirs)
        return r;
    if (rivals.theirs)
        r = json_add(contact->fields, name, json_text(rivals.theirs, strlen(rivals.theirs)));
    else
        json_object_object_del(contact->fields, name);
    return r < 0 ? r : contact_set_time(contact, "field", name, ms, gone);
}

static int take_tag(struct contact *contact, const struct contact *other, const char *tag)
{
    struct rivals rivals = { "tag", tag, array_has(contact->tags, tag) ? tag : NULL, array_has(other->tags, tag) ? tag : NULL };
    uint64_t ms;
    bool gone;

    if (!theirs_wins(contact, other, &rivals, &ms, &gone))
        return 0;
    return contact_set_tag(contact, tag, rivals.theirs, ms);
}

/* What the other row has taken away, too: it has no value of it. */
static int take_gone(struct contact *contact, const struct contact *other)
{
    int r = 0;

    if (!other->set_ms)
        return 0;
    json_object_object_foreach(other->set_ms, key, ms)
    {
        if (r == 0 && json_object_get_int64(ms) < 0 && strncmp(key, "field ", 6) == 0)
            r = take_field(contact, other, key + 6);
        if (r == 0 && json_object_get_int64(ms) < 0 && strncmp(key, "tag ", 4) == 0)
            r = take_tag(contact, other, key + 4);
    }
    return r;
}

static int take_all(struct contact *contact, const struct contact *other)
{
    int r = 0;

    if (!contact->fields)
        contact->fields = json_object_new_object();
    if (!contact->fields)
        return -ENOMEM;
    if (other->fields) {
        json_object_object_foreach(other->fields, name, value)
        {
            (void)value;
            r = r ?: take_field(contact, other, name);
        }
    }
    for (size_t i = 0; r == 0 && other->tags && i < json_object_array_length(other->tags); i++)
        r = take_tag(contact, other, json_object_get_string(json_object_array_get_idx(other->tags, i)));
    for (size_t i = 0; r == 0 && other->addresses && i < json_object_array_length(other->addresses); i++)
        r = add_to_array(&contact->addresses, json_object_get_string(json_object_array_get_idx(other->addresses, i)));
    return r ?: take_gone(contact, other);
}

int contact_take(struct contact *contact, const struct contact *other)
{
    int r = take_name(contact, other);

    if (r == 0)
        r = take_stage(contact, other);
    if (r == 0)
        r = take_all(contact, other);
    if (r == 0)
        r = add_to_array(&contact->members, other->id);
    if (r < 0)
        return r;
    contact->n_calls += other->n_calls;
    if (other->created_ms < contact->created_ms)
        contact->created_ms = other->created_ms;
    if (other->updated_ms > contact->updated_ms)
        contact->updated_ms = other->updated_ms;
    return 0;
}

/* --- ids */

enum { ID_TIME_DIGITS = 9, ID_RANDOM_DIGITS = 8 }; /* 45 bits of ms reach the year 3084 */

static const char base32[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; /* Crockford's: in ASCII order, no I L O U */

static char *write_base32(char *out, uint64_t n, int n_digits)
{
    for (int i = n_digits - 1; i >= 0; i--, n >>= 5)
        out[i] = base32[n & 31];
    return out + n_digits;
}

/* What is no digit counts as 0. */
static uint64_t read_base32(const char *in, int n_digits)
{
    uint64_t n = 0;

    for (int i = 0; i < n_digits && in[i]; i++) {
        const char *digit = strchr(base32, in[i]);
        n = n << 5 | (uint64_t)(digit ? digit - base32 : 0);
    }
    return n;
}

static uint64_t random_bits(const uint8_t random[ID_RANDOM])
{
    uint64_t bits = 0;

    for (int i = 0; i < ID_RANDOM; i++)
        bits = bits << 8 | random[i];
    return bits;
}

static void write_id(char prefix, uint64_t ms, uint64_t bits, char ret_id[CONTACT_ID_MAX])
{
    char *end = ret_id;

    *end++ = prefix;
    end = write_base32(end, ms, ID_TIME_DIGITS);
    end = write_base32(end, bits, ID_RANDOM_DIGITS);
    *end = '\0';
}

void id_make(char prefix, uint64_t now_ms, const uint8_t random[ID_RANDOM],
             char ret_id[CONTACT_ID_MAX])
{
    write_id(prefix, now_ms, random_bits(random), ret_id);
}

/* After one of the same moment or a later one it is further by chance, 2^31 steps at most, so that it cannot be guessed
 * and a moment has room for hundreds. */
void id_make_after(char prefix, uint64_t now_ms, const uint8_t random[ID_RANDOM], const char *last,
                   char ret_id[CONTACT_ID_MAX])
{
    const int n_bits = 5 * ID_RANDOM_DIGITS;
    size_t n = strlen(last);

    id_make(prefix, now_ms, random, ret_id);
    if (n != strlen(ret_id) || strcmp(ret_id, last) > 0)
        return;
    uint64_t ms = read_base32(last + 1, ID_TIME_DIGITS), bits = read_base32(last + 1 + ID_TIME_DIGITS, ID_RANDOM_DIGITS);
    bits += 1 + (random_bits(random) >> 9);
    write_id(prefix, ms + (bits >> n_bits), bits & ((UINT64_C(1) << n_bits) - 1), ret_id);
}

/* --- telephone numbers */

enum { DIGITS_MIN = 7, DIGITS_MAX = 15, NATIONAL_MIN = 8 };

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
        else if (skip == 0 && *number >= '0' && *number <= '9' && n < PHONE_DIGITS_MAX - 1)
            ret_digits[n++] = *number;
        else if (skip == 0)
            return -EINVAL;
        number += skip ?: 1;
    }
    ret_digits[n] = '\0';
    *ret_n = n;
    return 0;
}

size_t phone_digits(const char *text, char ret_digits[PHONE_DIGITS_MAX])
{
    size_t n;
    bool plus;

    return collect_digits(text, ret_digits, &n, &plus) < 0 ? 0 : n;
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
    char room[PHONE_DIGITS_MAX], *digits = room, e164[ADDRESS_MAX];
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

/* --- addresses */

static const char lid_server[] = "@lid";
enum { JID_USER_MAX = 32 };

static const char whatsapp_prefix[] = "whatsapp:";

/* "IL.1234", whom WhatsApp calls so to a business. */
static bool is_scoped_id(const char *text)
{
    size_t n = strlen(text);

    return n > 3 && n + strlen(whatsapp_prefix) < ADDRESS_MAX && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 2 && text[2] == '.' &&
           strspn(text + 3, "0123456789") == n - 3;
}

bool address_is_lid(const char *address)
{
    size_t n = strlen(address), n_server = strlen(lid_server), n_prefix = strlen(whatsapp_prefix);

    if (strncmp(address, whatsapp_prefix, n_prefix) == 0)
        return is_scoped_id(address + n_prefix);
    return n > n_server && strcmp(address + n - n_server, lid_server) == 0;
}

/* "user:device@server" -> "user". Errors: -EINVAL a user who is no number. */
static int jid_user(const char *jid, size_t n, char ret_user[JID_USER_MAX])
{
    size_t n_user = strcspn(jid, ":@");

    if (n_user > n || n_user == 0 || n_user >= JID_USER_MAX || strspn(jid, "0123456789") != n_user)
        return -EINVAL;
    if (jid[n_user] == ':' && n_user + 1 + strspn(jid + n_user + 1, "0123456789") != n)
        return -EINVAL;
    memcpy(ret_user, jid, n_user);
    ret_user[n_user] = '\0';
    return 0;
}

int address_normalise(const char *text, const char *country, char ret_address[ADDRESS_MAX])
{
    static const char *const number_servers[] = { "@s.whatsapp.net", "@c.us", "@hosted" };
    static const char *const lid_servers[] = { lid_server, "@hosted.lid" };
    char user[1 + JID_USER_MAX];

    if (strncmp(text, whatsapp_prefix, strlen(whatsapp_prefix)) == 0) {
        text += strlen(whatsapp_prefix);
        if (is_scoped_id(text))
            return (void)memmove(ret_address, text - strlen(whatsapp_prefix), strlen(whatsapp_prefix) + strlen(text) + 1), 0;
    }
    const char *server = strchr(text, '@');
    if (!server)
        return phone_normalise(text, country, ret_address);
    if (jid_user(text, (size_t)(server - text), user + 1) < 0)
        return -EINVAL;
    for (size_t i = 0; i < ELEMENTSOF(lid_servers); i++)
        if (strcmp(server, lid_servers[i]) == 0)
            return (void)snprintf(ret_address, ADDRESS_MAX, "%s%s", user + 1, lid_server), 0;
    user[0] = '+';
    for (size_t i = 0; i < ELEMENTSOF(number_servers); i++)
        if (strcmp(server, number_servers[i]) == 0)
            return phone_normalise(user, "", ret_address);
    return -EINVAL;
}
