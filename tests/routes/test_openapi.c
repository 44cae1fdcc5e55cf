/*
 * test_openapi.c - openapi.json has every route of /api and every field that is taken, and nothing else
 */
#include <ctype.h>
#include <string.h>

#include "app.h"
#include "fake_request.h"
#include "routes/api.h"
#include "router.h"
#include "services/services.h"
#include "tap.h"
#include "utils/json.h"

static struct services services;
static struct json_object *document;
static int n_routes;

static int let_in(struct http_request *request, struct http_response *response, char *buffer)
{
    return 0;
}

static struct json_object *get(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;

    return object && json_object_object_get_ex(object, key, &value) ? value : NULL;
}

static void read_document(struct router *router)
{
    static char text[256 * 1024];
    struct fake_request fake;
    struct http_response response = { 0 };
    char buffer[HTTP_ERROR_MAX];
    size_t n = 0;

    fake_request(&fake, "GET", "/api/openapi.json", NULL, NULL);
    is_int(router_dispatch(router, &fake.request, &response, buffer), HTTP_LATER, "it is answered");
    is_int(fake.response.status, 200, "with 200");
    n = fake.response.n_body;
    ok(n < sizeof(fake.body), "it fits the test: %zu bytes", n);
    memcpy(text, fake.body, n < sizeof(fake.body) ? n : 0);
    is_int(json_parse(text, n, &document), 0, "it is JSON");
}

static void check_body(struct json_object *operation, const struct api_shape *shape, const char *what)
{
    struct json_object *schema = get(get(get(get(operation, "requestBody"), "content"), "application/json"), "schema");
    struct json_object *properties = get(schema, "properties");
    size_t n_needed = 0;

    is_int(properties ? json_object_object_length(properties) : -1, (long long)shape->n_body, what);
    for (size_t i = 0; i < shape->n_body; i++) {
        ok(get(properties, shape->body[i].name) != NULL, "%s has %s", what, shape->body[i].name);
        n_needed += shape->body[i].is_needed;
    }
    is_int((long long)json_object_array_length(get(schema, "required")), (long long)n_needed, "and what is needed");
}

static int check_route(const struct route *route, const char *path, void *arg)
{
    char method[16] = "", what[128];
    struct json_object *operation;

    if (strncmp(path, "/api/", 5) != 0)
        return 0;
    n_routes++;
    for (size_t i = 0; route->method[i] && i < sizeof(method) - 1; i++)
        method[i] = (char)tolower((unsigned char)route->method[i]);
    (void)snprintf(what, sizeof(what), "%s %s", route->method, path);
    operation = get(get(get(document, "paths"), path), method);
    ok(operation != NULL, "%s is in it", what);
    ok(!get(operation, "security") == (route->guard != AUTH_TOKEN), "%s: and says whether it wants a token", what);
    if (route->shape && route->shape->n_body)
        check_body(operation, route->shape, what);
    size_t n_parameters = (route->shape ? route->shape->n_query + route->shape->is_write : 0) + (strchr(path, '{') != NULL) +
                          (strchr(path, '{') != strrchr(path, '{'));
    is_int((long long)json_object_array_length(get(operation, "parameters")), (long long)n_parameters, "its parameters");
    return 0;
}

static int count_operations(void)
{
    int n = 0;

    json_object_object_foreach(get(document, "paths"), path, item) {
        n += json_object_object_length(item);
        ok(strncmp(path, "/api/", 5) == 0, "%s is below /api", path);
    }
    return n;
}

int main(void)
{
    scoped(router_free) struct router *router = NULL;

    if (app_router(&services, stdout, &router) < 0)
        return 1;
    services.router = router;
    router_set_guard(router, AUTH_TOKEN, let_in);
    read_document(router);
    if (!document)
        return done_testing();
    is_int(router_each(router, check_route, NULL), 0, "all routes were looked at");
    ok(n_routes > 6, "there are some");
    is_int(count_operations(), n_routes, "and it has no other");
    ok(get(get(get(document, "components"), "schemas"), "Error") != NULL, "what it refers to is there");
    json_object_put(document);
    return done_testing();
}
