#pragma once
/* contact.h - a person the business knows */

#include <stdbool.h>
#include <stdint.h>

#include "models/call.h"

enum contact_stage { STAGE_NEW, STAGE_QUALIFIED, STAGE_SCHEDULED, STAGE_WON, STAGE_LOST, STAGE_N };

enum { CONTACT_NAME_MAX = 128, CONTACT_FIELD_MAX = 64, CONTACT_TAG_MAX = 64 };

struct contact {
    char id[CONTACT_ID_MAX];
    char name[CONTACT_NAME_MAX];
    enum contact_stage stage;
    uint64_t created_ms, updated_ms;
    uint32_t n_calls;
    struct json_object *addresses; /* array of strings as address_normalise() writes them */
    struct json_object *fields;    /* object: what was learnt (need, callback, ...) */
    struct json_object *tags;      /* array of strings; may be NULL */
    /* object: "name", "stage", "field NAME", "tag NAME" -> unix ms when it was set, negative: taken away; may be NULL */
    struct json_object *set_ms;
    /* Of a person who was merged of several, and never stored; NULL otherwise: */
    struct json_object *others;  /* object: "name" or a field -> array of what else is known for it */
    struct json_object *members; /* array of the ids of those that were merged into this one */
};

const char *contact_stage_name(enum contact_stage stage);
int contact_stage_parse(const char *name); /* or -EINVAL */

/* When it was set, by the names of set_ms, and whether it was taken away then. 0: at the beginning, or never. */
uint64_t contact_set_at(const struct contact *contact, const char *kind, const char *name, bool *ret_gone);
/* Errors: -ENOMEM. */
int contact_set_time(struct contact *contact, const char *kind, const char *name, uint64_t ms, bool gone);

/* Tags that say something to the agent on WhatsApp: a human goes on with him; he wants no automatic messages. */
#define CONTACT_TAG_SILENT "agent-silent"
#define CONTACT_TAG_UNWANTED "no-messages"

bool contact_has_tag(const struct contact *contact, const char *tag);
/* Set it, or take it away, at that time. Errors: -ENOMEM. */
int contact_set_tag(struct contact *contact, const char *tag, bool wanted, uint64_t ms);

/*
 * Put what another row of the same person knows into this one: of two values the one that was set later, of two set
 * at once this one's, unless it has none. The other value is kept in others. Errors: -ENOMEM.
 */
int contact_take(struct contact *contact, const struct contact *other);

void contact_done(struct contact *contact);
static inline void scoped_contact_done(struct contact *contact)
{
    contact_done(contact);
}

/* prefix, the time, 40 random bits: sorts by age, cannot be guessed. 18 characters. */
enum { ID_RANDOM = 5 };
void id_make(char prefix, uint64_t now_ms, const uint8_t random[ID_RANDOM], char ret_id[CONTACT_ID_MAX]);
/* The same, but greater than last, whatever the clock says. */
void id_make_after(char prefix, uint64_t now_ms, const uint8_t random[ID_RANDOM], const char *last, char ret_id[CONTACT_ID_MAX]);

struct json_object *contact_to_json(const struct contact *contact);
/* As call_from_json(). */
int contact_from_json(struct json_object *json, struct contact *ret_contact);

/*
 * A number as E.164, e.g. "050-123 4567" with country "972" -> "+972501234567".
 *
 * Not libphonenumber: it drops separators and marks of writing direction, turns 00 and a trunk 0 into the
 * country code, and checks the length (7 to 15 digits). It does not know which ranges exist. country ""
 * takes international numbers only.
 * Errors: -EINVAL not a telephone number (anonymous, client:x, sip:...), or that of nobody (withheld).
 */
int phone_normalise(const char *number, const char *country, char ret_e164[ADDRESS_MAX]);

/* The digits of what is written like a number, or a part of one. Returns: how many; 0: there is something else in it. */
enum { PHONE_DIGITS_MAX = 32 };
size_t phone_digits(const char *text, char ret_digits[PHONE_DIGITS_MAX]);

/*
 * The one form of an address, whichever channel it came by: "whatsapp:+972...", "972...@s.whatsapp.net",
 * "972...:3@c.us" and the number as people write it are the E.164 number; "123:3@lid" is "123@lid",
 * and "whatsapp:IL.123" (an id that WhatsApp has for a person, to this business) is that.
 *
 * Errors: -EINVAL none of these: withheld, a group, a client, a SIP address.
 */
int address_normalise(const char *text, const char *country, char ret_address[ADDRESS_MAX]);
bool address_is_lid(const char *address); /* an id of WhatsApp's, and no telephone number */

/* How carriers write a withheld number: anonymous, restricted, blocked, unknown, unavailable on a keypad's letters. */
bool phone_is_withheld(const char *number);
