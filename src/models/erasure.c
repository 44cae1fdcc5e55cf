/*
 * erasure.c - a receipt's JSON
 */
#include "models/erasure.h"

#include <errno.h>

#include "utils/json.h"

#define COUNT(name) { #name, JSON_U32, offsetof(struct erasure, n_##name), sizeof(uint32_t), NULL }

static const struct json_field fields[] = {
    JSON_FIELD(struct erasure, id, JSON_CHARS),
    JSON_FIELD(struct erasure, by, JSON_CHARS),
    JSON_FIELD(struct erasure, at_ms, JSON_U64),
    JSON_FIELD(struct erasure, done_ms, JSON_U64),
    COUNT(contacts),
    COUNT(addresses),
    COUNT(calls),
    COUNT(turns),
    COUNT(messages),
    COUNT(notes),
    COUNT(tasks),
    COUNT(jobs),
    COUNT(answers),
    COUNT(owed),
    JSON_FIELD(struct erasure, device_ms, JSON_U64),
    JSON_FIELD(struct erasure, proofs, JSON_ARRAY),
    JSON_FIELD(struct erasure, members, JSON_ARRAY),
};

void erasure_done(struct erasure *erasure)
{
    json_release(fields, ELEMENTSOF(fields), erasure);
}

struct json_object *erasure_to_json(const struct erasure *erasure)
{
    return json_write(fields, ELEMENTSOF(fields), erasure);
}

int erasure_from_json(struct json_object *json, struct erasure *ret_erasure)
{
    struct erasure erasure = { 0 };
    int r = json_read(json, fields, ELEMENTSOF(fields), &erasure);

    if (r == 0 && !erasure.id[0])
        r = -EBADMSG;
    if (r < 0) {
        erasure_done(&erasure);
        return r;
    }
    *ret_erasure = erasure;
    return 0;
}
