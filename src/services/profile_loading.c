/*
 * profile_loading.c - values of a profile's JSON, each checked by itself
 */
#include "services/profile_loading.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "utils/text.h"

#define BUSINESS "{business}"

void loading_problem(struct loading *loading, const char *format, ...)
{
    char line[256];
    va_list args;

    loading->n_found++;
    va_start(args, format);
    int n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (n < 0 || !loading->n_problems)
        return;
    text_add(loading->problems, loading->n_problems, &loading->n_text, line,
             text_fit(line, (size_t)n, sizeof(line) - 1));
    text_add(loading->problems, loading->n_problems, &loading->n_text, "\n", 1);
}

const char *loading_keep(struct loading *loading, const char *text, size_t n)
{
    struct storage *storage = loading->storage;
    char *kept = storage->strings + storage->n_used;

    assert(storage->n_used + n < storage->n_strings);
    memcpy(kept, text, n);
    kept[n] = '\0';
    storage->n_used += n + 1;
    return kept;
}

size_t loading_fill(const struct loading *loading, const char *text, char *out, size_t size, size_t *n_used)
{
    size_t n = 0;

    while (*text) {
        const char *found = strstr(text, BUSINESS);
        size_t n_text = found ? (size_t)(found - text) : strlen(text);

        text_add(out, size, n_used, text, n_text);
        if (found)
            text_add(out, size, n_used, loading->business, strlen(loading->business));
        n += n_text + (found ? strlen(loading->business) : 0);
        text += n_text + (found ? strlen(BUSINESS) : 0);
    }
    return n;
}

bool loading_id_valid(const char *id, size_t max)
{
    size_t n = strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return n && !id[n] && n <= max;
}

void loading_check_keys(struct loading *loading, struct json_object *object, const struct key *keys,
                       size_t n_keys, const char *where)
{
    json_object_object_foreach(object, name, value)
    {
        size_t i = 0;
        while (i < n_keys && strcmp(keys[i].name, name) != 0)
            i++;
        if (i == n_keys)
            loading_problem(loading, "%s: unknown key \"%s\"", where, name);
        else if (json_object_get_type(value) != keys[i].type &&
                 !(keys[i].or_list && json_object_is_type(value, json_type_array)))
            loading_problem(loading, "%s: \"%s\" must be of type %s, not %s", where, name,
                    json_type_to_name(keys[i].type),
                    json_type_to_name(json_object_get_type(value)));
    }
    for (size_t i = 0; i < n_keys; i++)
        if (keys[i].required && !json_object_object_get_ex(object, keys[i].name, NULL))
            loading_problem(loading, "%s: \"%s\" is missing", where, keys[i].name);
}

const char *loading_plain_text(struct loading *loading, struct json_object *value, const char *where,
                              const char *key)
{
    if (!json_object_is_type(value, json_type_string))
        return NULL;
    const char *text = json_object_get_string(value);
    for (int i = 0; i < json_object_get_string_len(value); i++)
        if ((unsigned char)text[i] < ' ') {
            loading_problem(loading, "%s: \"%s\" holds a control character", where, key);
            return NULL;
        }
    return text;
}

const char *loading_string(struct loading *loading, struct json_object *object, const char *key,
                             const char *where)
{
    struct json_object *value = NULL;

    return json_object_object_get_ex(object, key, &value) ? loading_plain_text(loading, value, where, key)
                                                          : NULL;
}

const char *loading_id(struct loading *loading, struct json_object *value, const char *where,
                           const char *key, size_t max)
{
    const char *id = loading_plain_text(loading, value, where, key);

    if (!id)
        return NULL;
    if (!loading_id_valid(id, max))
        loading_problem(loading, "%s: \"%s\" is no id: 1 to %zu of a-z 0-9 _ -", where, key, max);
    return loading_keep(loading, id, strlen(id));
}
