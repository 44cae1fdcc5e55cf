/*
 * message.c - what a server may send into a stream
 *
 * json-c as strict as it gets, then a comparison with the one shape each event has. The
 * shapes are data: an object and the keys it must have, no more and no fewer.
 */
#include "caller/message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "utils/base64.h"
#include "utils/json.h"

static const struct shape {
    const char *event;
    const char *inner; /* the key of the object inside; NULL: none */
    const char *field; /* the only key of that object, a string */
} shapes[] = {
    [MESSAGE_AUDIO] = { "media", "media", "payload" },
    [MESSAGE_MARK] = { "mark", "mark", "name" },
    [MESSAGE_CLEAR] = { "clear", NULL, NULL },
};

__attribute__((format(printf, 2, 3))) static int refuse(char why[MESSAGE_WHY_MAX],
                                                        const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(why, MESSAGE_WHY_MAX, format, args);
    va_end(args);
    return -EBADMSG;
}

/* Exactly these keys, up to three; NULL ends them. */
static int check_keys(struct json_object *object, const char *const keys[3], const char *where,
                      char why[MESSAGE_WHY_MAX])
{
    size_t n_known = 0;

    for (size_t i = 0; i < 3 && keys[i]; i++, n_known++)
        if (!json_object_object_get_ex(object, keys[i], NULL))
            return refuse(why, "%s lacks \"%s\"", where, keys[i]);
    if ((size_t)json_object_object_length(object) == n_known)
        return 0;
    json_object_object_foreach(object, key, value) {
        (void)value;
        bool known = false;
        for (size_t i = 0; i < n_known; i++)
            known |= strcmp(key, keys[i]) == 0;
        if (!known)
            return refuse(why, "%s has an extra \"%.40s\"", where, key);
    }
    return 0;
}

static int take_audio(const char *payload, struct message *message, char why[MESSAGE_WHY_MAX])
{
    size_t n = strlen(payload);
    scoped(free) uint8_t *bytes = malloc(n + 1);

    if (!bytes)
        return -ENOMEM;
    ssize_t n_bytes = base64_decode(payload, n, bytes, n);
    if (n_bytes < 0)
        return refuse(why, "the payload is not base64");
    if (n_bytes == 0)
        return refuse(why, "the payload is empty");
    if (n_bytes >= 4 && (memcmp(bytes, "RIFF", 4) == 0 || memcmp(bytes, ".snd", 4) == 0))
        return refuse(why, "the payload begins with a %.4s header instead of audio",
                      (const char *)bytes);
    message->ulaw = steal(&bytes);
    message->n_ulaw = (size_t)n_bytes;
    return 0;
}

static int take_event(struct json_object *json, const struct shape *shape, struct message *message,
                      char why[MESSAGE_WHY_MAX])
{
    struct json_object *inner;

    int r = check_keys(json, (const char *const[]){ "event", "streamSid", shape->inner },
                       shape->event, why);
    if (r < 0 || !shape->inner)
        return r;

    json_object_object_get_ex(json, shape->inner, &inner);
    if (!json_object_is_type(inner, json_type_object))
        return refuse(why, "\"%s\" is not an object", shape->inner);
    r = check_keys(inner, (const char *const[]){ shape->field, NULL, NULL }, shape->inner, why);
    if (r < 0)
        return r;
    const char *value = json_get_text(inner, shape->field);
    if (!value)
        return refuse(why, "\"%s\" is not a string", shape->field);
    if (message->event == MESSAGE_AUDIO)
        return take_audio(value, message, why);
    message->name = strdup(value);
    return message->name ? 0 : -ENOMEM;
}

int message_parse(const char *text, size_t n, const char *stream_sid, struct message *ret_message,
                  char why[MESSAGE_WHY_MAX])
{
    scoped(json_object_put) struct json_object *json = NULL;
    struct message message = { 0 };
    size_t i = 0;

    if (json_parse(text, n, &json) < 0 || !json_object_is_type(json, json_type_object))
        return refuse(why, "not a JSON object");
    const char *event = json_get_text(json, "event");
    if (!event)
        return refuse(why, "no event");
    while (i < ELEMENTSOF(shapes) && strcmp(shapes[i].event, event) != 0)
        i++;
    if (i == ELEMENTSOF(shapes))
        return refuse(why, "\"%.40s\" is not an event that a server sends", event);

    const char *sid = json_get_text(json, "streamSid");
    if (sid && strcmp(sid, stream_sid) != 0)
        return refuse(why, "streamSid is %.40s, this stream is %.40s", sid, stream_sid);
    message.event = (enum message_event)i;
    int r = take_event(json, &shapes[i], &message, why);
    if (r == 0 && !sid)
        r = refuse(why, "streamSid is not a string");
    if (r < 0) {
        message_done(&message);
        return r;
    }
    *ret_message = message;
    return 0;
}

void message_done(struct message *message)
{
    free(message->ulaw);
    free(message->name);
    *message = (struct message){ 0 };
}
