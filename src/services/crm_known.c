/*
 * crm_known.c - what is known of a caller, as lines for who answers the call
 */
#include "services/crm.h"

#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "services/crm_store.h"
#include "utils/json.h"
#include "utils/text.h"
#include "utils/when.h"

enum { CALLS_MAX = 3, VALUE_MAX = 200 };

struct known {
    char *text;
    size_t size, n_used;
    unsigned n_calls;
};

static void add(struct known *known, const char *text)
{
    text_add(known->text, known->size, &known->n_used, text, strlen(text));
}

/* Files and half-understood numbers tell nobody anything. */
static bool is_told(const char *field)
{
    static const char *const silent[] = { "_audio", "_heard" };
    size_t n = strlen(field);

    for (size_t i = 0; i < ELEMENTSOF(silent); i++) {
        size_t n_end = strlen(silent[i]);
        if (n > n_end && strcmp(field + n - n_end, silent[i]) == 0)
            return false;
    }
    return true;
}

static void add_fields(struct known *known, struct json_object *fields, const char *before, const char *behind)
{
    if (!fields || !json_object_is_type(fields, json_type_object))
        return;
    json_object_object_foreach(fields, field, value)
    {
        char line[VALUE_MAX + 64];
        const char *text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
        size_t n_text = text_fit(text, strlen(text), VALUE_MAX);

        if (!n_text || !is_told(field))
            continue;
        (void)snprintf(line, sizeof(line), "%s%.32s: %.*s%s", before, field, (int)n_text, text, behind);
        for (char *p = line; *p && p[1]; p++) /* a line is one line, whatever was said */
            *p = (unsigned char)*p < ' ' ? ' ' : *p;
        add(known, line);
    }
}

static int add_call(struct json_object *json, void *arg)
{
    struct known *known = arg;
    uint64_t ended_ms = (uint64_t)json_get_int(json, "ended_ms");
    char date[WHEN_MAX];

    if (!ended_ms) /* the present one */
        return 0;
    when_print_date(ended_ms, date);
    add(known, "earlier call on ");
    add(known, date);
    add_fields(known, json_object_object_get(json, "learnt"), "; ", "");
    add(known, "\n");
    return ++known->n_calls == CALLS_MAX;
}

int crm_known(struct db_txn *txn, const struct contact *contact, char *ret_text, size_t size)
{
    struct known known = { .text = ret_text, .size = size };

    ret_text[0] = '\0';
    add_fields(&known, contact->fields, "", "\n");
    int r = store_each_call_of(txn, contact->id, add_call, &known);
    if (known.n_used && ret_text[known.n_used - 1] != '\n') { /* it was cut */
        size_t n = text_fit(ret_text, known.n_used, known.n_used - 1);
        ret_text[n] = '\n';
        ret_text[n + 1] = '\0';
    }
    return r < 0 ? r : 0;
}
