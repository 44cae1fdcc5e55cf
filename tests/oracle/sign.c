/*
 * sign.c - twilio_sign() as a filter: JSON lines with token, url, body in, signatures out
 */
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "services/twilio_security.h"

static const char *member(struct json_object *row, const char *name)
{
    return json_object_get_string(json_object_object_get(row, name));
}

int main(void)
{
    scoped(free) char *line = NULL;
    size_t size = 0;

    while (getline(&line, &size, stdin) > 0) {
        struct json_object *row = json_tokener_parse(line);
        const char *body = member(row, "body");
        char signature[TWILIO_SIGNATURE_LEN + 1];
        int r = twilio_sign(member(row, "token"), member(row, "url"), body, body ? strlen(body) : 0, signature);
        puts(r < 0 ? strerror(-r) : signature);
        json_object_put(row);
    }
    return 0;
}
