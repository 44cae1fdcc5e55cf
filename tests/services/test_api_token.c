/*
 * test_api_token.c - who may use the API, and how often
 */
#include "services/api_token.h"

#include <string.h>

#include "config.h"
#include "fake_request.h"
#include "services/services.h"
#include "tap.h"

#define CONSOLE "0123456789abcdef"
#define CRM "fedcba9876543210fed"

static uint64_t now;

static uint64_t fake_now_us(void)
{
    return now;
}

static struct services services;

/* Returns: the status it is refused with, 0 it passes; *ret_caller and what Retry-After says. */
static int ask(const char *authorization, const char *peer, const char **ret_caller, int *ret_wait)
{
    static char buffer[HTTP_ERROR_MAX];
    struct fake_request fake;
    struct http_response response = { 0 };

    fake_request(&fake, "GET", "/api/x", NULL, &services);
    fake.request.peer = peer;
    if (authorization)
        fake_field(&fake, "authorization", authorization);
    int r = api_token_guard(&fake.request, &response, buffer);
    *ret_caller = fake.request.caller;
    *ret_wait = 0;
    for (size_t i = 0; i < response.n_extra; i++)
        if (strcmp(response.extra[i].name, "retry-after") == 0)
            *ret_wait = atoi(response.extra[i].value);
    return r ? response.status : 0;
}

static const struct {
    const char *authorization, *peer;
    uint64_t after_s;
    int want, wait_s;
    const char *caller, *what;
} rows[] = { /* two at once, 60 a minute; three failures a minute */
    { "Bearer " CONSOLE, "a", 0, 0, 0, "console", "a token" },
    { "bearer " CRM, "a", 0, 0, 0, "crm", "another, whatever the case" },
    { "Bearer " CONSOLE, "a", 0, 0, 0, "console", "the second at once" },
    { "Bearer " CONSOLE, "b", 0, 429, 1, NULL, "the third, from wherever" },
    { "Bearer " CRM, "a", 0, 0, 0, "crm", "the other token is not held up" },
    { "Bearer " CONSOLE, "a", 1, 0, 0, "console", "a second later" },
    { NULL, "a", 0, 401, 0, NULL, "no token" },
    { "Bearer " CONSOLE "x", "a", 0, 401, 0, NULL, "a token and more" },
    { "Bearer ", "a", 0, 401, 0, NULL, "an empty one" },
    { "Basic " CONSOLE, "a", 0, 429, 20, NULL, "the fourth failure of an address" },
    { "Bearer " CRM, "a", 0, 0, 0, "crm", "a good token passes from there" },
    { "Bearer 0123456789abcdeg", "a", 20, 401, 0, NULL, "twenty seconds later, a wrong one" },
    { "Bearer console:" CONSOLE, "a", 40, 401, 0, NULL, "the name is no part of it" },
};

static void test_rows(void)
{
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        const char *caller;
        int wait;

        now += rows[i].after_s * 1000000;
        is_int(ask(rows[i].authorization, rows[i].peer, &caller, &wait), rows[i].want, rows[i].what);
        is_str(caller, rows[i].caller, "is called so");
        is_int(wait, rows[i].wait_s, "and waits so long");
    }
}

static void test_two_fields(void)
{
    struct fake_request fake;
    struct http_response response = { 0 };
    char buffer[HTTP_ERROR_MAX];

    fake_request(&fake, "GET", "/api/x", NULL, &services);
    fake_field(&fake, "authorization", "Bearer " CRM);
    fake_field(&fake, "authorization", "Bearer " CRM);
    fake.request.peer = "c";
    ok(api_token_guard(&fake.request, &response, buffer) && response.status == 401, "two headers are none");
}

int main(void)
{
    struct config config = { .api_token = "console:" CONSOLE " crm:" CRM, .api_per_minute = 60, .api_burst = 2, .api_failures = 3 };
    struct config none = { .api_per_minute = 60, .api_burst = 2, .api_failures = 3 }, bad = { .api_token = "x" };
    scoped(api_gate_free) struct api_gate *gate = NULL, *closed = NULL, *other = NULL;
    const char *caller;
    int wait;

    now = 1000000;
    is_int(api_gate_new(&config, fake_now_us, &gate), 0, "two tokens");
    services.api_gate = gate;
    test_rows();
    test_two_fields();
    is_int(api_gate_new(&none, fake_now_us, &closed), 0, "no token");
    services.api_gate = closed;
    is_int(ask("Bearer " CRM, "d", &caller, &wait), 401, "then nobody passes");
    ok(api_gate_new(&bad, fake_now_us, &other) < 0, "a bad list is refused");
    return done_testing();
}
