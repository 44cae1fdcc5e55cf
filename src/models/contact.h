#pragma once
/* contact.h - a person the business knows */

#include <stdint.h>

#include "models/call.h"

enum contact_stage { STAGE_NEW, STAGE_QUALIFIED, STAGE_SCHEDULED, STAGE_WON, STAGE_LOST, STAGE_N };

enum { CONTACT_NAME_MAX = 128 };

struct contact {
    char id[CONTACT_ID_MAX];
    char name[CONTACT_NAME_MAX];
    enum contact_stage stage;
    uint64_t created_ms, updated_ms;
    uint32_t n_calls;
    struct json_object *addresses; /* array of strings: E.164, whatsapp:+..., lid */
    struct json_object *fields;    /* object: what was learnt (need, callback, ...) */
};

void contact_done(struct contact *contact);
static inline void scoped_contact_done(struct contact *contact)
{
    contact_done(contact);
}

/* prefix, the time, 40 random bits: sorts by age, cannot be guessed. 18 characters. */
enum { ID_RANDOM = 5 };
void id_make(char prefix, uint64_t now_ms, const uint8_t random[ID_RANDOM], char ret_id[CONTACT_ID_MAX]);

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

/* How carriers write a withheld number: anonymous, restricted, blocked, unknown, unavailable on a keypad's letters. */
bool phone_is_withheld(const char *number);
