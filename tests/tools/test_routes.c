/*
 * test_routes.c - the guard against a second route for the same thing
 */
#include "app.h"

#include <errno.h>
#include <string.h>

#include "tap.h"

static int answer(struct http_request *request, struct http_response *response)
{
    return HTTP_DONE;
}

static const struct route voice_routes[] = {
    { "POST", "/incoming_call", AUTH_NONE, 0, answer, "the first" },
    { "GET", "/incoming_call", AUTH_NONE, 0, answer, "another method" },
    { "POST", "/{name}", AUTH_NONE, 0, answer, "any other" },
};
static const struct route planted_routes[] = {
    { "POST", "/webhook/incoming_call", AUTH_NONE, 0, answer, "the second" },
};
static const struct route stray_routes[] = {
    { "GET", "stray", AUTH_NONE, 0, answer, "outside" },
};

static const struct blueprint voice = BLUEPRINT("voice", "/webhook", voice_routes);
static const struct blueprint planted = BLUEPRINT("planted", "", planted_routes);
static const struct blueprint stray = BLUEPRINT("stray", "/api", stray_routes);

static const struct {
    const struct blueprint *second;
    int want;
    const char *problem; /* what is printed has this in it; NULL: nothing is printed */
    const char *what;
} cases[] = {
    { NULL, 0, NULL, "one blueprint in order" },
    { &planted, -EEXIST, "DUPLICATE ROUTE: POST /webhook/incoming_call (", "a planted duplicate" },
    { &voice, -EEXIST, "DUPLICATE ROUTE: GET /webhook/incoming_call (voice, voice)", "a blueprint listed twice" },
    { &stray, -EINVAL, "stray", "a path outside its blueprint" },
};

int main(void)
{
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        const struct blueprint *blueprints[] = { &voice, cases[i].second };
        scoped(router_free) struct router *router = NULL;
        scoped(free) char *problems = NULL;
        size_t n;
        FILE *out = open_memstream(&problems, &n);

        is_int(router_new(blueprints, cases[i].second ? 2 : 1, NULL, out, &router), cases[i].want, cases[i].what);
        fclose(out);
        if (!ok(cases[i].problem ? strstr(problems, cases[i].problem) != NULL : n == 0, "and what is said about it"))
            printf("# got \"%s\"\n", problems);
    }

    scoped(router_free) struct router *router = NULL;
    is_int(app_router(NULL, stdout, &router), 0, "every route of this program is there once");
    return done_testing();
}
