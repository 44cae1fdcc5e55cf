/*
 * fuzz_models.c - rows of a store that somebody has had in his hands, and telephone numbers of anybody
 *
 * The first byte says what the rest is. What can be read is written and read
 * again to the same text; a number in its one form stays in it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "models/call.h"
#include "models/contact.h"
#include "models/job.h"
#include "models/message.h"
#include "models/turn.h"
#include "utils/json.h"

/* Each: NULL when it cannot be read. */
static struct json_object *call_again(struct json_object *json)
{
    struct call call;
    if (call_from_json(json, &call) < 0)
        return NULL;
    struct json_object *again = call_to_json(&call);
    call_done(&call);
    return again;
}

static struct json_object *contact_again(struct json_object *json)
{
    struct contact contact;
    if (contact_from_json(json, &contact) < 0)
        return NULL;
    struct json_object *again = contact_to_json(&contact);
    contact_done(&contact);
    return again;
}

static struct json_object *message_again(struct json_object *json)
{
    struct message message;
    if (message_from_json(json, &message) < 0)
        return NULL;
    struct json_object *again = message_to_json(&message);
    message_release(&message);
    return again;
}

static struct json_object *turn_again(struct json_object *json)
{
    struct turn turn;
    return turn_from_json(json, &turn) < 0 ? NULL : turn_to_json(&turn);
}

static struct json_object *job_again(struct json_object *json)
{
    struct job job;
    return job_from_json(json, &job) < 0 ? NULL : job_to_json(&job);
}

static struct json_object *parse(const char *text, size_t n)
{
    struct json_object *json = NULL;

    return json_parse(text, n, &json) < 0 ? NULL : json;
}

static void round_trip(const char *text, size_t n, struct json_object *(*again)(struct json_object *json))
{
    scoped(json_object_put) struct json_object *json = parse(text, n), *first = NULL, *parsed = NULL, *second = NULL;
    size_t n_first, n_second;

    first = json ? again(json) : NULL;
    if (!first)
        return;
    const char *first_text = json_print(first, &n_first);
    parsed = parse(first_text, n_first);
    second = parsed ? again(parsed) : NULL;
    if (!second)
        abort();
    const char *second_text = json_print(second, &n_second);
    if (n_first != n_second || memcmp(first_text, second_text, n_first) != 0)
        abort();
}

static void telephone(const char *bytes, size_t n, const char *country)
{
    scoped(free) char *number = strndup(bytes, n);
    char e164[ADDRESS_MAX], again[ADDRESS_MAX];

    if (phone_normalise(number, country, e164) < 0)
        return;
    if (e164[0] != '+' || e164[1] == '0' || strlen(e164) < 8 || strlen(e164) > 16 ||
        strspn(e164 + 1, "0123456789") != strlen(e164 + 1))
        abort();
    if (phone_normalise(e164, country, again) < 0 || strcmp(e164, again) != 0)
        abort();
}

static void any_text(const char *bytes, size_t n)
{
    scoped(json_object_put) struct json_object *array = json_object_new_array(), *json = NULL;
    size_t n_text;

    (void)json_append(array, json_text(bytes, n));
    const char *text = json_print(array, &n_text);
    json = parse(text, n_text);
    if (!json)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *rest = (const char *)data + 1;

    if (n == 0)
        return 0;
    n--;
    switch (data[0]) {
    case 'c':
        round_trip(rest, n, call_again);
        break;
    case 'p':
        round_trip(rest, n, contact_again);
        break;
    case 'm':
        round_trip(rest, n, message_again);
        break;
    case 'j':
        round_trip(rest, n, job_again);
        break;
    case 't':
        round_trip(rest, n, turn_again);
        break;
    case '9':
        telephone(rest, n, "972");
        break;
    case '1':
        telephone(rest, n, "1");
        break;
    case '0':
        telephone(rest, n, "");
        break;
    default:
        any_text(rest, n);
        break;
    }
    return 0;
}
