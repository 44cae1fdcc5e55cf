/*
 * note.c - a note's JSON
 */
#include "models/note.h"

#include <errno.h>

#include "utils/json.h"

static const struct json_field fields[] = {
    JSON_FIELD(struct note, id, JSON_CHARS),
    JSON_FIELD(struct note, contact_id, JSON_CHARS),
    JSON_FIELD(struct note, author, JSON_CHARS),
    JSON_FIELD(struct note, created_ms, JSON_U64),
    JSON_FIELD(struct note, updated_ms, JSON_U64),
    JSON_FIELD(struct note, text, JSON_STRING),
};

void note_done(struct note *note)
{
    json_release(fields, ELEMENTSOF(fields), note);
}

struct json_object *note_to_json(const struct note *note)
{
    return json_write(fields, ELEMENTSOF(fields), note);
}

int note_from_json(struct json_object *json, struct note *ret_note)
{
    struct note note = { 0 };
    int r = json_read(json, fields, ELEMENTSOF(fields), &note);

    if (r == 0 && (!note.id[0] || !note.text))
        r = -EBADMSG;
    if (r < 0) {
        note_done(&note);
        return r;
    }
    *ret_note = note;
    return 0;
}
