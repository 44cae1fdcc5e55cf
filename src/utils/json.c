/*
 * json.c - checked reading and writing over json-c
 */
#include "utils/json.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include <json-c/json.h>

#include "utils/utf8.h"

enum { DEPTH_MAX = 32, UTF8_MAX = 4 };

SCOPED_PTR(struct json_tokener, json_tokener_free)

int json_parse(const char *text, size_t n, struct json_object **ret_json)
{
    scoped(json_tokener_free) struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
    scoped(json_object_put) struct json_object *json = NULL;
    size_t end;

    if (!tokener)
        return -ENOMEM;
    if (n == 0 || n > INT_MAX || !utf8_valid(text, n))
        return -EBADMSG;

    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
    json = json_tokener_parse_ex(tokener, text, (int)n);
    if (json_tokener_get_error(tokener) != json_tokener_success)
        return -EBADMSG;
    end = json_tokener_get_parse_end(tokener);
    while (end < n && strchr(" \t\r\n", text[end]) && text[end])
        end++;
    if (end != n || !(json_object_is_type(json, json_type_object) ||
                      json_object_is_type(json, json_type_array)))
        return -EBADMSG;

    *ret_json = steal(&json);
    return 0;
}

const char *json_print(struct json_object *json, size_t *ret_n)
{
    return json_object_to_json_string_length(
        json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, ret_n);
}

/* p is at a quote. Returns: behind the one that ends it, or NULL. */
static const char *skip_text(const char *p, const char *end)
{
    for (p++; p < end; p++)
        if (*p == '\\')
            p++;
        else if (*p == '"')
            return p + 1;
    return NULL;
}

static int take_text(const char *p, const char *end, char *ret_text, size_t size)
{
    const char *after = p < end && *p == '"' ? skip_text(p, end) : NULL;
    size_t n = after ? (size_t)(after - p) - 2 : 0;

    if (p < end && *p != '"')
        return -ENOENT;
    if (!after || n >= size || memchr(p + 1, '\\', n))
        return -EBADMSG;
    memcpy(ret_text, p + 1, n);
    ret_text[n] = '\0';
    return 0;
}

int json_find_text(const char *text, size_t n, const char *key, char *ret_text, size_t size)
{
    const char *end = text + n, *after;
    size_t n_key = strlen(key);
    int depth = 0;

    for (const char *p = text; p < end; p = after) {
        after = *p == '"' ? skip_text(p, end) : p + 1;
        if (!after)
            return -EBADMSG;
        if (*p == '"' && depth == 1 && after < end && *after == ':' && (size_t)(after - p) == n_key + 2 &&
            memcmp(p + 1, key, n_key) == 0)
            return take_text(after + 1, end, ret_text, size);
        depth += (*p == '{' || *p == '[') - (*p == '}' || *p == ']');
    }
    return depth ? -EBADMSG : -ENOENT;
}

static struct json_object *text_with(const char *bytes, size_t n, const char *instead)
{
    scoped(free) char *text = NULL;
    size_t n_text = 0, n_instead = strlen(instead);

    if (n > INT_MAX / UTF8_MAX)
        return NULL;
    if (utf8_valid(bytes, n))
        return json_object_new_string_len(bytes, (int)n);

    text = malloc(n * n_instead);
    if (!text)
        return NULL;
    for (size_t i = 0; i < n;) {
        size_t size = utf8_first(bytes + i, n - i);
        memcpy(text + n_text, size ? bytes + i : instead, size ?: n_instead);
        n_text += size ?: n_instead;
        i += size ?: 1;
    }
    return json_object_new_string_len(text, (int)n_text);
}

struct json_object *json_text(const char *bytes, size_t n)
{
    return text_with(bytes, n, "\xEF\xBF\xBD");
}

int json_add(struct json_object *object, const char *key, struct json_object *value)
{
    if (value && json_object_object_add(object, key, value) == 0)
        return 0;
    json_object_put(value);
    return -ENOMEM;
}

int json_append(struct json_object *array, struct json_object *value)
{
    if (value && json_object_array_add(array, value) == 0)
        return 0;
    json_object_put(value);
    return -ENOMEM;
}

const char *json_get_text(struct json_object *object, const char *key)
{
    struct json_object *value;

    if (!object || !json_object_object_get_ex(object, key, &value) ||
        !json_object_is_type(value, json_type_string))
        return NULL;
    return json_object_get_string(value);
}

const char *json_get_first_text(struct json_object *object, const char *key)
{
    struct json_object *value;

    if (!object || !json_object_object_get_ex(object, key, &value))
        return "";
    if (json_object_is_type(value, json_type_array))
        value = json_object_array_get_idx(value, 0);
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

int64_t json_get_int(struct json_object *object, const char *key)
{
    struct json_object *value;

    return object && json_object_object_get_ex(object, key, &value) ? json_object_get_int64(value)
                                                                    : 0;
}

double json_get_double(struct json_object *object, const char *key, double without)
{
    struct json_object *value;

    return object && json_object_object_get_ex(object, key, &value) ? json_object_get_double(value)
                                                                    : without;
}

int json_name_index(const char *const *names, size_t n_names, const char *name, size_t n_name)
{
    for (size_t i = 0; i < n_names; i++)
        if (names[i] && strlen(names[i]) == n_name && memcmp(names[i], name, n_name) == 0)
            return (int)i;
    return -EINVAL;
}

/* --- writing */

static struct json_object *write_double(double d)
{
    struct json_object *json = json_object_new_double(isfinite(d) ? d : 0);

    if (json)
        json_object_set_serializer(json, json_object_double_to_json_string, (void *)"%.6g", NULL);
    return json;
}

static struct json_object *write_field(const struct json_field *field, const void *member)
{
    switch (field->kind) {
    case JSON_CHARS: /* no longer than it was, so that it can be read again */
        return text_with(member, strnlen(member, field->size - 1), "?");
    case JSON_STRING:
        return json_text(*(char *const *)member, strlen(*(char *const *)member));
    case JSON_U32:
        return json_object_new_int64(*(const uint32_t *)member);
    case JSON_U64:
        return json_object_new_uint64(*(const uint64_t *)member);
    case JSON_I64:
        return json_object_new_int64(*(const int64_t *)member);
    case JSON_DOUBLE:
        return write_double(*(const double *)member);
    case JSON_BOOL:
        return json_object_new_boolean(*(const bool *)member);
    case JSON_ENUM:
        return json_object_new_string(field->names[*(const unsigned *)member]);
    case JSON_OBJECT:
    case JSON_ARRAY:
        return json_object_get(*(struct json_object *const *)member);
    }
    return NULL;
}

static bool is_owned(enum json_kind kind)
{
    return kind == JSON_STRING || kind == JSON_OBJECT || kind == JSON_ARRAY;
}

struct json_object *json_write(const struct json_field *fields, size_t n, const void *from)
{
    scoped(json_object_put) struct json_object *json = json_object_new_object();

    for (size_t i = 0; json && i < n; i++) {
        const void *member = (const char *)from + fields[i].offset;

        if (is_owned(fields[i].kind) && !*(void *const *)member)
            continue;
        if (json_add(json, fields[i].key, write_field(&fields[i], member)) < 0)
            return NULL;
    }
    return steal(&json);
}

/* --- reading */

static int read_text(struct json_object *value, char *ret, size_t size)
{
    size_t n = (size_t)json_object_get_string_len(value);
    const char *text = json_object_get_string(value);

    if (n >= size || memchr(text, '\0', n))
        return -EBADMSG;
    memcpy(ret, text, n + 1);
    return 0;
}

static int read_owned_text(struct json_object *value, char **ret)
{
    size_t n = (size_t)json_object_get_string_len(value);
    char *text;

    if (memchr(json_object_get_string(value), '\0', n))
        return -EBADMSG;
    text = strdup(json_object_get_string(value));
    if (!text)
        return -ENOMEM;
    free(*ret);
    *ret = text;
    return 0;
}

static int read_integer(struct json_object *value, enum json_kind kind, void *ret)
{
    int64_t n = json_object_get_int64(value); /* saturates, so the ends are refused, too */

    if (n == INT64_MAX || n == INT64_MIN || (kind != JSON_I64 && n < 0) ||
        (kind == JSON_U32 && n > UINT32_MAX))
        return -EBADMSG;
    if (kind == JSON_U32)
        *(uint32_t *)ret = (uint32_t)n;
    else
        *(int64_t *)ret = n; /* U64 has the same size, and n is not negative */
    return 0;
}

static int read_name(struct json_object *value, const struct json_field *field, unsigned *ret)
{
    int i = json_name_index(field->names, field->size, json_object_get_string(value),
                            (size_t)json_object_get_string_len(value));

    if (i < 0)
        return -EBADMSG;
    *ret = (unsigned)i;
    return 0;
}

static void share(struct json_object *value, struct json_object **ret)
{
    json_object_get(value);
    json_object_put(*ret);
    *ret = value;
}

static int read_field(struct json_object *value, const struct json_field *field, void *member)
{
    static const enum json_type types[] = {
        [JSON_CHARS] = json_type_string,  [JSON_STRING] = json_type_string,
        [JSON_U32] = json_type_int,       [JSON_U64] = json_type_int,
        [JSON_I64] = json_type_int,       [JSON_DOUBLE] = json_type_double,
        [JSON_BOOL] = json_type_boolean,  [JSON_ENUM] = json_type_string,
        [JSON_OBJECT] = json_type_object, [JSON_ARRAY] = json_type_array,
    };
    bool whole = field->kind == JSON_DOUBLE && json_object_is_type(value, json_type_int); /* 1 for 1.0 */

    if (!json_object_is_type(value, types[field->kind]) && !whole)
        return -EBADMSG;

    switch (field->kind) {
    case JSON_CHARS:
        return read_text(value, member, field->size);
    case JSON_STRING:
        return read_owned_text(value, member);
    case JSON_U32:
    case JSON_U64:
    case JSON_I64:
        return read_integer(value, field->kind, member);
    case JSON_DOUBLE:
        *(double *)member = json_object_get_double(value);
        return 0;
    case JSON_BOOL:
        *(bool *)member = json_object_get_boolean(value);
        return 0;
    case JSON_ENUM:
        return read_name(value, field, member);
    case JSON_OBJECT:
    case JSON_ARRAY:
        share(value, member);
        return 0;
    }
    return -EBADMSG;
}

int json_read(struct json_object *json, const struct json_field *fields, size_t n, void *ret)
{
    if (!json_object_is_type(json, json_type_object))
        return -EBADMSG;

    for (size_t i = 0; i < n; i++) {
        struct json_object *value;
        int r = json_object_object_get_ex(json, fields[i].key, &value)
                    ? read_field(value, &fields[i], (char *)ret + fields[i].offset)
                    : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

void json_release(const struct json_field *fields, size_t n, void *of)
{
    for (size_t i = 0; i < n; i++) {
        void **member = (void **)((char *)of + fields[i].offset);

        if (!is_owned(fields[i].kind))
            continue;
        if (fields[i].kind == JSON_STRING)
            free(*member);
        else
            json_object_put(*member);
        *member = NULL;
    }
}
