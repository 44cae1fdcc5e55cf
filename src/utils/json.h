#pragma once
/*
 * json.h - what json-c leaves to its users: checked reading, writing that notices a lack of memory
 *
 * A struct and its JSON are joined by a table of struct json_field, one row per member: json_read() and
 * json_write() walk it. An object is used by one thread at a time; its reference counts are not atomic.
 */

#include <stddef.h>
#include <stdint.h>

#include <json-c/json_object.h>

#include "utils/scoped.h"

SCOPED_PTR(struct json_object, json_object_put)

/*
 * Parse one object or array, all of text, UTF-8, at most 32 deep.
 *
 * Errors: -EBADMSG; -ENOMEM.
 */
int json_parse(const char *text, size_t n, struct json_object **ret_json);

/* Compact text, which lives in the object until it changes. NULL when out of memory. */
const char *json_print(struct json_object *json, size_t *ret_n);

/*
 * A text member of what json_print() printed, found without parsing the rest of it.
 *
 * Errors: -ENOENT no such member, or it is no text; -EBADMSG cut short; it is too long for size, or has an escape.
 */
int json_find_text(const char *text, size_t n, const char *key, char *ret_text, size_t size);

/* A string of whatever bytes came: what is not UTF-8 becomes U+FFFD. NULL when out of memory. */
struct json_object *json_text(const char *bytes, size_t n);

/* Set a member; takes value in any case. Errors: -ENOMEM, also when value is NULL for that reason. */
int json_add(struct json_object *object, const char *key, struct json_object *value);
int json_append(struct json_object *array, struct json_object *value);

/* The member when it is a string, else NULL. object may be NULL. */
const char *json_get_text(struct json_object *object, const char *key);
/* That of the first of them when it is an array of strings. "" without. */
const char *json_get_first_text(struct json_object *object, const char *key);
int64_t json_get_int(struct json_object *object, const char *key);                   /* 0 without */
double json_get_double(struct json_object *object, const char *key, double without);

/* --- a struct's members by table */

enum json_kind {
    JSON_CHARS,  /* char[size] */
    JSON_STRING, /* char *, owned; absent in JSON when NULL */
    JSON_U32,
    JSON_U64,
    JSON_I64,
    JSON_DOUBLE,
    JSON_BOOL,
    JSON_ENUM,   /* by name; size is the number of names */
    JSON_OBJECT, /* struct json_object *, owned; absent in JSON when NULL */
    JSON_ARRAY,
};

struct json_field {
    const char *key;
    enum json_kind kind;
    size_t offset;
    size_t size;
    const char *const *names;
};

#define JSON_FIELD(type, member, kind)                                                             \
    { #member, kind, offsetof(type, member), sizeof(((type *)0)->member), NULL }
#define JSON_FIELD_ENUM(type, member, names)                                                       \
    { #member, JSON_ENUM, offsetof(type, member), ELEMENTSOF(names), names }

/* Returns: a new object, or NULL when out of memory. Members that are objects are shared, not copied. */
struct json_object *json_write(const struct json_field *fields, size_t n, const void *from);

/*
 * An absent member leaves what *ret has there; unknown members are ignored.
 *
 * Errors: -EBADMSG wrong type, text too long or with a NUL, number out of range, unknown name; -ENOMEM.
 *         Some members may then be set: release *ret with json_release().
 */
int json_read(struct json_object *json, const struct json_field *fields, size_t n, void *ret);

/* Release the owned members and set them to NULL. */
void json_release(const struct json_field *fields, size_t n, void *of);

/* Returns: the index of name, or -EINVAL. */
int json_name_index(const char *const *names, size_t n_names, const char *name, size_t n_name);
