#pragma once
/* note.h - what somebody wrote down about a contact */

#include <stdint.h>

#include "models/call.h"

enum { NOTE_AUTHOR_MAX = 64, NOTE_TEXT_MAX = 16384 };

struct note {
    char id[CONTACT_ID_MAX]; /* sorts by age */
    char contact_id[CONTACT_ID_MAX];
    char author[NOTE_AUTHOR_MAX]; /* "" nobody said */
    uint64_t created_ms, updated_ms;
    char *text; /* owned */
};

void note_done(struct note *note); /* releases what the struct owns, not the struct */
static inline void scoped_note_done(struct note *note)
{
    note_done(note);
}

struct json_object *note_to_json(const struct note *note);
/* As call_from_json(). */
int note_from_json(struct json_object *json, struct note *ret_note);
