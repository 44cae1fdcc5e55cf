/*
 * let_in.c - twilio_security_guard() as a filter: JSON lines with token, public_host, target, body, signature in, yes or no out
 */
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "config.h"
#include "fake_request.h"
#include "services/services.h"
#include "services/twilio_security.h"
#include "utils/log.h"

static const char *member(struct json_object *row, const char *name)
{
    return json_object_get_string(json_object_object_get(row, name));
}

static bool is_let_in(struct json_object *row)
{
    struct config config = { .app_env = "production", .public_host = member(row, "public_host"), .twilio_auth_token = member(row, "token") };
    struct services services = { .config = &config };
    struct http_response response = { 0 };
    struct fake_request fake;
    char buffer[HTTP_ERROR_MAX];

    if (twilio_security_new(&config, &services.security) < 0)
        abort();
    fake_request(&fake, "POST", member(row, "target"), member(row, "body"), &services);
    fake_field(&fake, "content-type", "application/x-www-form-urlencoded");
    fake_field(&fake, "x-twilio-signature", member(row, "signature"));
    int r = twilio_security_guard(&fake.request, &response, buffer);
    twilio_security_free(services.security);
    return r == 0;
}

int main(void)
{
    scoped(free) char *line = NULL;
    size_t size = 0;

    log_setup(LOG_ERR, NULL);
    while (getline(&line, &size, stdin) > 0) {
        struct json_object *row = json_tokener_parse(line);
        puts(is_let_in(row) ? "yes" : "no");
        json_object_put(row);
    }
    return 0;
}
