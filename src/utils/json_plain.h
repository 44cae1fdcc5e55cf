#pragma once
/* json_plain.h - JSON where nothing may be allocated: strings are written, flat objects are read */

#include <stdbool.h>
#include <stddef.h>

/*
 * The inside of a JSON string: escaped, what is not UTF-8 as U+FFFD, cut between characters where it gets too long.
 *
 * Returns: the bytes written, at most max; no NUL is.
 */
size_t json_quote(char *out, size_t max, const char *bytes, size_t n);

enum json_plain_kind { JSON_PLAIN_TEXT, JSON_PLAIN_NULL, JSON_PLAIN_OTHER /* a number, a list, ... */ };

struct json_plain {
    const char *key;
    enum json_plain_kind kind;
    char *text; /* of a text, in the room; else NULL */
};

/*
 * Read {"key": "text", ...}. Members of other kinds than text are passed over with no more than a look at their ends.
 *
 * room:    where keys and texts go, as long as the JSON at least.
 * Returns: how many members there are.
 * Errors:  -EBADMSG not an object, not UTF-8, a key twice, a NUL; -E2BIG over max members; -EMSGSIZE over size.
 */
int json_plain_read(const char *json, char *room, size_t size, struct json_plain *members, size_t max);
