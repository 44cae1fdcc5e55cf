/*
 * test_router.c - which row a request finds, and what it is told when it finds none
 */
#include "router.h"

#include <errno.h>
#include <stdlib.h>

#include "fake_request.h"
#include "tap.h"

static int ok_handler(struct http_request *request, struct http_response *response)
{
    response->status = 200;
    response->body = request->param;
    response->n_body = strlen(request->param);
    return HTTP_DONE;
}

static int created_handler(struct http_request *request, struct http_response *response)
{
    response->status = 201;
    return HTTP_DONE;
}

static int later_handler(struct http_request *request, struct http_response *response)
{
    return HTTP_LATER;
}

static int failing_handler(struct http_request *request, struct http_response *response)
{
    response->n_extra = 1;
    return -atoi(request->query);
}

static int guard_calls;

/* Lets only those through that carry "x-key". */
static int key_guard(struct http_request *request, struct http_response *response, char *buffer)
{
    guard_calls++;
    if (http_field(request, "x-key", 0))
        return 0;
    http_error(response, 401, "unauthorized", "No key.", request->request_id, buffer);
    return 1;
}

static const struct route things[] = {
    { "GET", "", AUTH_NONE, 0, ok_handler, "All things" },
    { "POST", "", AUTH_NONE, 10, created_handler, "Make one" },
    { "GET", "/{id}", AUTH_NONE, 0, ok_handler, "One thing" },
    { "DELETE", "/{id}", AUTH_TOKEN, 0, ok_handler, "Away with it" },
    { "GET", "/special", AUTH_NONE, 0, created_handler, "Not an id" },
    { "GET", "/{id}/parts", AUTH_NONE, 0, ok_handler, "" },
};
static const struct route roots[] = {
    { "GET", "/", AUTH_NONE, 0, ok_handler, "The root" },
    { "GET", "/later", AUTH_NONE, 0, later_handler, "Later" },
    { "GET", "/fail", AUTH_NONE, 0, failing_handler, "Fails" },
    { "POST", "/signed", AUTH_TWILIO, 10, ok_handler, "A guard without a function" },
    { "GET", "/local", AUTH_LOCAL, 0, ok_handler, "Local" },
    { "GET", "/mixed", AUTH_NONE, 0, ok_handler, "For all" },
    { "POST", "/mixed", AUTH_LOCAL, 0, ok_handler, "Local" },
};
static const struct blueprint thing_blueprint = { "things", "/api/things", things,
                                                  ELEMENTSOF(things) - 1 };
static const struct blueprint root_blueprint = BLUEPRINT("roots", "", roots);
static const struct blueprint *const good[] = { &root_blueprint, &thing_blueprint };

static const struct {
    const char *what, *method, *target, *body;
    enum http_listener listener;
    int want;           /* status */
    const char *answer; /* the param, or the code of the error; NULL: any */
} cases[] = {
    { "the root", "GET", "/", NULL, LISTENER_HTTP, 200, "" },
    { "a prefix alone", "GET", "/api/things", NULL, LISTENER_HTTP, 200, "" },
    { "another method of it", "POST", "/api/things", "body", LISTENER_HTTP, 201, NULL },
    { "a param", "GET", "/api/things/42", NULL, LISTENER_HTTP, 200, "42" },
    { "a param with braces", "GET", "/api/things/{}", NULL, LISTENER_HTTP, 200, "{}" },
    { "a row without param comes first", "GET", "/api/things/special", NULL, LISTENER_HTTP, 201, NULL },
    { "an empty param", "GET", "/api/things/", NULL, LISTENER_HTTP, 404, "not_found" },
    { "too deep", "GET", "/api/things/42/x", NULL, LISTENER_HTTP, 404, "not_found" },
    { "half a prefix", "GET", "/api", NULL, LISTENER_HTTP, 404, "not_found" },
    { "HEAD follows GET", "HEAD", "/api/things/42", NULL, LISTENER_HTTP, 200, "42" },
    { "HEAD without GET", "HEAD", "/signed", NULL, LISTENER_HTTP, 405, "method_not_allowed" },
    { "a wrong method", "PUT", "/api/things", NULL, LISTENER_HTTP, 405, "method_not_allowed" },
    { "a wrong method of a param", "PUT", "/api/things/42", NULL, LISTENER_HTTP, 405, "method_not_allowed" },
    { "nothing there", "GET", "/none", NULL, LISTENER_HTTP, 404, "not_found" },
    { "the largest body", "POST", "/api/things", "0123456789", LISTENER_HTTP, 201, NULL },
    { "too large a body", "POST", "/api/things", "0123456789a", LISTENER_HTTP, 413, "too_large" },
    { "a body for a row without", "GET", "/later", "x", LISTENER_HTTP, 413, "too_large" },
    { "the guard refuses", "DELETE", "/api/things/42", NULL, LISTENER_HTTP, 401, "unauthorized" },
    { "nobody guards it", "POST", "/signed", "x", LISTENER_HTTP, 403, "forbidden" },
    { "local, from outside", "GET", "/local", NULL, LISTENER_HTTP, 404, "not_found" },
    { "local, from https", "GET", "/local", NULL, LISTENER_HTTPS, 404, "not_found" },
    { "local, a wrong method from outside", "PUT", "/local", NULL, LISTENER_HTTP, 404, "not_found" },
    { "local, from the admin socket", "GET", "/local", NULL, LISTENER_ADMIN, 200, "" },
    { "local for one method only: the other", "GET", "/mixed", NULL, LISTENER_HTTP, 200, "" },
    { "local for one method only: that one", "POST", "/mixed", NULL, LISTENER_HTTP, 404, "not_found" },
    { "-EINVAL", "GET", "/fail?22", NULL, LISTENER_HTTP, 400, "bad_request" },
    { "-EBADMSG", "GET", "/fail?74", NULL, LISTENER_HTTP, 400, "bad_request" },
    { "-ENOENT", "GET", "/fail?2", NULL, LISTENER_HTTP, 404, "not_found" },
    { "-EEXIST", "GET", "/fail?17", NULL, LISTENER_HTTP, 409, "conflict" },
    { "-E2BIG", "GET", "/fail?7", NULL, LISTENER_HTTP, 413, "too_large" },
    { "-EAGAIN", "GET", "/fail?11", NULL, LISTENER_HTTP, 503, "busy" },
    { "-ESHUTDOWN", "GET", "/fail?108", NULL, LISTENER_HTTP, 503, "shutting_down" },
    { "-ENOMEM", "GET", "/fail?12", NULL, LISTENER_HTTP, 500, "internal" },
    { "any other", "GET", "/fail?5", NULL, LISTENER_HTTP, 500, "internal" },
};

static bool is_answer(const struct http_response *response, const char *answer)
{
    char member[64];

    if (response->status < 400)
        return response->n_body == strlen(answer) &&
               memcmp(response->body, answer, response->n_body) == 0;
    (void)snprintf(member, sizeof(member), "\"code\":\"%s\"", answer);
    return memmem(response->body, response->n_body, member, strlen(member));
}

static void test_dispatch(const struct router *router)
{
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        struct fake_request fake;
        struct http_response response = { 0 };
        char buffer[HTTP_ERROR_MAX], path[128];

        fake_request(&fake, cases[i].method, cases[i].target, cases[i].body, NULL);
        (void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(cases[i].target, "?"),
                       cases[i].target);
        fake.request.path = path;
        fake.request.listener = cases[i].listener;
        int r = router_dispatch(router, &fake.request, &response, buffer);
        ok(r == HTTP_DONE && response.status == cases[i].want, "%s: %d", cases[i].what,
           cases[i].want);
        if (cases[i].answer)
            ok(is_answer(&response, cases[i].answer), "%s: \"%s\"", cases[i].what, cases[i].answer);
    }
}

static const struct {
    const char *what, *method, *target, *origin, *asks;
    int want;
    const char *allowed; /* NULL nobody */
    bool is_judged;
} cors_rows[] = {
    { "a preflight", "OPTIONS", "/api/things", "https://a.example", "POST", 204, "https://a.example", true },
    { "a preflight behind a guard", "OPTIONS", "/api/things/42", "https://a.example", "DELETE", 204, "https://a.example", true },
    { "a preflight of another", "OPTIONS", "/api/things", "https://b.example", "POST", 403, NULL, true },
    { "a preflight for nothing", "OPTIONS", "/api/none", "https://a.example", "POST", 404, "https://a.example", true },
    { "a preflight outside /api", "OPTIONS", "/signed", "https://a.example", "POST", 405, NULL, false },
    { "OPTIONS that is none", "OPTIONS", "/api/things", "https://a.example", NULL, 405, "https://a.example", true },
    { "OPTIONS without an origin", "OPTIONS", "/api/things", NULL, "POST", 405, NULL, true },
    { "a request", "GET", "/api/things", "https://a.example", NULL, 200, "https://a.example", true },
    { "a request of another", "GET", "/api/things", "https://b.example", NULL, 200, NULL, true },
    { "a request of no page", "GET", "/api/things", NULL, NULL, 200, NULL, true },
    { "a request that is refused", "DELETE", "/api/things/42", "https://a.example", NULL, 401, "https://a.example", true },
    { "a request outside /api", "GET", "/", "https://a.example", NULL, 200, NULL, false },
};

static void test_origins(struct router *router)
{
    for (size_t i = 0; i < ELEMENTSOF(cors_rows); i++) {
        struct fake_request fake;
        struct http_response response = { 0 };
        char buffer[HTTP_ERROR_MAX];
        const struct http_cors *cors = &fake.request.cors;

        fake_request(&fake, cors_rows[i].method, cors_rows[i].target, NULL, NULL);
        if (cors_rows[i].origin)
            fake_field(&fake, "origin", cors_rows[i].origin);
        if (cors_rows[i].asks)
            fake_field(&fake, "access-control-request-method", cors_rows[i].asks);
        (void)router_dispatch(router, &fake.request, &response, buffer);
        is_int(response.status, cors_rows[i].want, cors_rows[i].what);
        ok(cors->is_judged == cors_rows[i].is_judged, "and is %sjudged", cors_rows[i].is_judged ? "" : "not ");
        ok(cors->origin ? cors_rows[i].allowed && strlen(cors_rows[i].allowed) == cors->n_origin &&
                              memcmp(cors->origin, cors_rows[i].allowed, cors->n_origin) == 0
                        : !cors_rows[i].allowed,
           "and %s may read it", cors_rows[i].allowed ? cors_rows[i].allowed : "nobody else");
        if (response.status == 204)
            ok(response.n_extra == 3 && strstr(response.extra[0].value, cors_rows[i].asks), "what may be asked is named");
    }
}

static void test_details(struct router *router)
{
    struct fake_request fake;
    struct http_response response = { 0 };
    char buffer[HTTP_ERROR_MAX], path[3000];

    fake_request(&fake, "GET", "/later", NULL, NULL);
    is_int(router_dispatch(router, &fake.request, &response, buffer), HTTP_LATER,
           "a promise is passed on");
    is_str(fake.request.context, "context", "with the context of the router");

    fake_request(&fake, "PUT", "/api/things/42", NULL, NULL);
    (void)router_dispatch(router, &fake.request, &response, buffer);
    is_int((long long)response.n_extra, 1, "405 has a header");
    is_str(response.extra[0].name, "allow", "which is Allow");
    is_str(response.extra[0].value, "DELETE, GET, HEAD", "and lists what the path takes");

    fake_request(&fake, "DELETE", "/api/things/42", NULL, NULL);
    fake_field(&fake, "X-Key", "1");
    response = (struct http_response){ 0 };
    (void)router_dispatch(router, &fake.request, &response, buffer);
    is_int(response.status, 200, "the guard lets through who has the key");

    int before = guard_calls;
    fake_request(&fake, "DELETE", "/api/things/42", "x", NULL);
    (void)router_dispatch(router, &fake.request, &response, buffer);
    is_int(guard_calls, before, "too large a body never reaches the guard");

    memset(path, 'x', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    fake_request(&fake, "GET", path, NULL, NULL);
    response = (struct http_response){ 0 };
    (void)router_dispatch(router, &fake.request, &response, buffer);
    is_int(response.status, 404, "a very long path is not found");
    path[2000] = '/';
    (void)router_dispatch(router, &fake.request, &response, buffer);
    is_int(response.status, 404, "nor one with a very long directory");
    is_int((long long)router_body_max(router), 10, "the largest body of all rows");
}

static void test_print(const struct router *router)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);

    router_print(router, out, false);
    fclose(out);
    ok(strncmp(text, "METHOD  PATH", 12) == 0, "the table has a head");
    ok(strstr(text, "DELETE  /api/things/{id}    token          0  Away with it\n") != NULL,
       "and a row for each route");
    ok(strstr(text, "GET     /api/things ") < strstr(text, "GET     /later "), "sorted by path");
    free(text);
}

/* --- tables that are wrong */

#define ROW(method, path)                                                                          \
    {                                                                                              \
        method, path, AUTH_NONE, 0, ok_handler, ""                                                 \
    }

static const struct route duplicates[] = { ROW("GET", "/a"), ROW("GET", "/b/{x}"),
                                           ROW("POST", "/a"), ROW("GET", "/b/{y}") };
static const struct route again[] = { ROW("GET", "/a") };
static const struct blueprint duplicate_blueprint = BLUEPRINT("one", "/p", duplicates);
static const struct blueprint again_blueprint = BLUEPRINT("two", "/p", again);

static void test_duplicates(void)
{
    const struct blueprint *const both[] = { &duplicate_blueprint, &again_blueprint };
    struct router *router = NULL;
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    int r = router_new(both, 2, NULL, out, &router);

    fclose(out);
    is_int(r, -EEXIST, "two rows with one method and path are refused");
    ok(strstr(text, "DUPLICATE ROUTE: GET /p/a (") && strstr(text, "one") && strstr(text, "two"),
       "naming both blueprints");
    ok(strstr(text, "DUPLICATE ROUTE: GET /p/b/{") && strstr(text, "(one, one)"),
       "two names for one param are the same path");
    ok(!strstr(text, "POST"), "another method is not");
    free(text);
    is_int(router_new(both, 2, NULL, NULL, &router), -EEXIST, "nobody has to listen");
}

static const struct {
    const char *what, *prefix, *method, *path;
    int want;
} tables[] = {
    { "a root path", "", "GET", "/", 0 },
    { "a prefix alone", "/a", "GET", "", 0 },
    { "a param", "/a", "GET", "/{x}", 0 },
    { "a param below", "/a", "GET", "/b/{x}", 0 },
    { "a prefix without a slash", "a", "GET", "/b", -EINVAL },
    { "a prefix that ends with one", "/a/", "GET", "/b", -EINVAL },
    { "a prefix that is one", "/", "GET", "/b", -EINVAL },
    { "a prefix with a param", "/{x}", "GET", "/b", -EINVAL },
    { "a path without a slash", "/a", "GET", "b", -EINVAL },
    { "a path that ends with one", "/a", "GET", "/b/", -EINVAL },
    { "a path that leaves", "/a", "GET", "/../b", -EINVAL },
    { "a path that leaves at its end", "/a", "GET", "/..", -EINVAL },
    { "an empty segment", "/a", "GET", "//b", -EINVAL },
    { "no path at all", "", "GET", "", -EINVAL },
    { "a param in the middle", "/a", "GET", "/{x}/b", -EINVAL },
    { "three params", "/a", "GET", "/{x}/{y}/{z}", -EINVAL },
    { "two params apart", "/a", "GET", "/{x}/b/{y}", -EINVAL },
    { "half a param", "/a", "GET", "/b{x}", -EINVAL },
    { "a param that goes on", "/a", "GET", "/{x}b", -EINVAL },
    { "a param without a name", "/a", "GET", "/{}", -EINVAL },
    { "an open brace", "/a", "GET", "/{x", -EINVAL },
    { "a closing brace", "/a", "GET", "/x}", -EINVAL },
    { "a small method", "/a", "get", "/b", -EINVAL },
    { "no method", "/a", "", "/b", -EINVAL },
};

static void test_tables(void)
{
    for (size_t i = 0; i < ELEMENTSOF(tables); i++) {
        struct route row = ROW(tables[i].method, tables[i].path);
        struct blueprint blueprint = { "test", tables[i].prefix, &row, 1 };
        const struct blueprint *const one[] = { &blueprint };
        struct router *router = NULL;
        char *text = NULL;
        size_t n = 0;
        FILE *out = open_memstream(&text, &n);

        is_int(router_new(one, 1, NULL, out, &router), tables[i].want, tables[i].what);
        fclose(out);
        if (tables[i].want < 0)
            ok(strncmp(text, "BAD ROUTE: ", 11) == 0 && strstr(text, "(test)"),
               "%s: told with its blueprint", tables[i].what);
        free(text);
        router_free(router);
    }
}

int main(void)
{
    static char context[] = "context";
    struct router *router = NULL;

    is_int(router_new(good, 2, context, stderr, &router), 0, "a good table");
    router_set_guard(router, AUTH_TOKEN, key_guard);
    test_dispatch(router);
    test_details(router);
    router_set_origins(router, "http://localhost:3000 https://a.example");
    test_origins(router);
    router_set_origins(router, NULL);
    test_print(router);
    router_free(router);
    router_free(NULL);
    test_duplicates();
    test_tables();
    return done_testing();
}
