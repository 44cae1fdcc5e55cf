#pragma once
/* erasure.h - the receipt of a person who was erased: what there was, and nothing of him */

#include <stdint.h>

#include "models/contact.h"

enum { ERASURE_BY_MAX = 64 };

struct erasure {
    char id[CONTACT_ID_MAX]; /* sorts by age */
    char by[ERASURE_BY_MAX]; /* who asked: "api NAME", "command line", "retention" */
    uint64_t at_ms, done_ms; /* unix time; done_ms 0: under way */
    uint32_t n_contacts, n_addresses, n_calls, n_turns, n_messages, n_notes, n_tasks, n_jobs, n_answers;
    uint32_t n_owed;    /* addresses that the linked device's program is still to forget; see crm_owed.h */
    uint64_t device_ms; /* unix time when it had forgotten the last of them; 0 not yet, or none was owed */
    struct json_object *proofs;  /* array of hexadecimal digests, one an address; owned; may be NULL */
    struct json_object *members; /* array of contact ids, the person first, while it is under way; owned; NULL then */
};

void erasure_done(struct erasure *erasure); /* releases what the struct owns, not the struct */
static inline void scoped_erasure_done(struct erasure *erasure)
{
    erasure_done(erasure);
}

struct json_object *erasure_to_json(const struct erasure *erasure);
/* As call_from_json(). */
int erasure_from_json(struct json_object *json, struct erasure *ret_erasure);
