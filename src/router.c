/*
 * router.c - blueprints -> one sorted table
 *
 * A row's key is its whole path, a last segment {name} being written {}. Rows are
 * sorted by key and method, so all methods of a path lie side by side, and
 * duplicates next to each other. A request is looked up by its path; when that is
 * not found, by its path with the last segment written {}.
 */
#include "router.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "utils/log.h"
#include "utils/origins.h"
#include "utils/scoped.h"

enum { PATH_MAX_BYTES = 1024, ALLOW_MAX = 64 };

struct row {
    char *key;
    char *path; /* as it is printed */
    const struct route *route;
    const struct blueprint *blueprint;
    char allow[ALLOW_MAX]; /* in the first row of a path: its methods */
    struct route_meter *meter;
};

struct router {
    struct row *rows;
    size_t n_rows;
    struct route_meter *meters; /* of each row, and of no route */
    void *context;
    guard_fn *guards[N_GUARDS];
    const char *origins; /* NULL none */
    aside_fn *aside;
};

static const char *const guard_names[N_GUARDS] = {
    [AUTH_NONE] = "none", [AUTH_TWILIO] = "twilio", [AUTH_TOKEN] = "token", [AUTH_LOCAL] = "local",
    [AUTH_METRICS] = "metrics",
};

/* --- building */

static int compare(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int by_key = strcmp(x->key, y->key);

    return by_key ? by_key : strcmp(x->route->method, y->route->method);
}

static bool is_method(const char *method)
{
    return method[0] && method[strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

/* Whether from there on one or two segments follow, each in braces. */
static bool is_named(const char *brace)
{
    for (int i = 0; i < 2; i++) {
        size_t n = brace[0] == '{' ? strcspn(brace + 1, "{}/") : 0;
        if (n == 0 || brace[1 + n] != '}')
            return false;
        brace += n + 2;
        if (!*brace)
            return true;
        if (*brace++ != '/')
            return false;
    }
    return false;
}

/* Begins with '/', stays below it, ends without one (but for the root), and has braces only around
 * the last segment, or the last two. */
static bool is_path(const char *path)
{
    const char *brace = strpbrk(path, "{}"), *last = strrchr(path, '/');
    size_t n = strlen(path);

    if (path[0] != '/' || n >= PATH_MAX_BYTES || (n > 1 && path[n - 1] == '/') ||
        strstr(path, "//") || strstr(path, "/./") || strstr(path, "/../") ||
        strcmp(last, "/.") == 0 || strcmp(last, "/..") == 0)
        return false;
    return !brace || (brace[-1] == '/' && is_named(brace));
}

static const char *problem_of(const struct row *row)
{
    const char *prefix = row->blueprint->prefix;

    if (prefix[0] && !is_path(prefix))
        return "the prefix must begin with '/' and not end with one";
    if (row->route->path[0] && row->route->path[0] != '/')
        return "the path lies outside its blueprint";
    if (!is_path(row->path))
        return "the path must begin with '/', have no empty, . or .. segment, and {name} only as "
               "the last one or two";
    if (!is_method(row->route->method))
        return "the method must be in capitals";
    if (!row->route->handler)
        return "there is no handler";
    if (row->route->guard >= N_GUARDS)
        return "there is no such guard";
    return NULL;
}

static int fill(struct row *row, const struct blueprint *blueprint, const struct route *route)
{
    row->blueprint = blueprint;
    row->route = route;
    if (asprintf(&row->path, "%s%s", blueprint->prefix, route->path) < 0) {
        row->path = NULL;
        return -ENOMEM;
    }
    row->key = strdup(row->path);
    if (!row->key)
        return -ENOMEM;
    char *brace = strchr(row->key, '{');
    if (brace && brace[1])
        strcpy(brace, strchr(brace, '/') ? "{}/{}" : "{}");
    return 0;
}

static int check_rows(const struct router *router, FILE *problems)
{
    int r = 0;

    for (size_t i = 0; i < router->n_rows; i++) {
        const struct row *row = &router->rows[i], *before = i ? row - 1 : NULL;
        const char *problem = problem_of(row);
        if (problem) {
            r = r ? r : -EINVAL;
            if (problems)
                fprintf(problems, "BAD ROUTE: %s %s (%s): %s\n", row->route->method, row->path,
                        row->blueprint->name, problem);
        }
        if (before && compare(before, row) == 0) {
            r = r ? r : -EEXIST;
            if (problems)
                fprintf(problems, "DUPLICATE ROUTE: %s %s (%s, %s)\n", row->route->method,
                        row->path, before->blueprint->name, row->blueprint->name);
        }
    }
    return r;
}

/* HEAD follows GET, so it is allowed where GET is. */
static void list_methods(struct router *router)
{
    for (size_t i = 0, first = 0; i < router->n_rows; i++) {
        if (strcmp(router->rows[i].key, router->rows[first].key) != 0)
            first = i;
        char *allow = router->rows[first].allow;
        const char *method = router->rows[i].route->method;
        size_t n = strlen(allow);
        (void)snprintf(allow + n, ALLOW_MAX - n, "%s%s%s", n ? ", " : "", method,
                       strcmp(method, "GET") == 0 ? ", HEAD" : "");
    }
}

static int make_meters(struct router *router)
{
    router->meters = calloc(router->n_rows + 1, sizeof(*router->meters));
    if (!router->meters)
        return -ENOMEM;
    for (size_t i = 0; i < router->n_rows; i++) {
        struct row *row = &router->rows[i];
        row->meter = &router->meters[i];
        row->meter->method = row->route->method;
        row->meter->path = row->path;
    }
    router->meters[router->n_rows].method = router->meters[router->n_rows].path = "";
    return 0;
}

int router_new(const struct blueprint *const *blueprints, size_t n, void *context, FILE *problems,
               struct router **ret_router)
{
    scoped(router_free) struct router *router = calloc(1, sizeof(*router));
    size_t n_rows = 0;

    for (size_t i = 0; i < n; i++)
        n_rows += blueprints[i]->n_routes;
    if (!router)
        return -ENOMEM;
    router->context = context;
    router->rows = calloc(n_rows + 1, sizeof(*router->rows));
    if (!router->rows)
        return -ENOMEM;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < blueprints[i]->n_routes; j++) {
            int r = fill(&router->rows[router->n_rows++], blueprints[i], &blueprints[i]->routes[j]);
            if (r < 0)
                return r;
        }
    qsort(router->rows, router->n_rows, sizeof(*router->rows), compare);

    int r = check_rows(router, problems);
    if (r == 0)
        r = make_meters(router);
    if (r < 0)
        return r;
    list_methods(router);
    *ret_router = steal(&router);
    return 0;
}

void router_free(struct router *router)
{
    if (!router)
        return;
    for (size_t i = 0; router->rows && i < router->n_rows; i++) {
        free(router->rows[i].key);
        free(router->rows[i].path);
    }
    free(router->rows);
    free(router->meters);
    free(router);
}

void router_set_guard(struct router *router, enum guard guard, guard_fn *fn)
{
    router->guards[guard] = fn;
}

void router_set_aside(struct router *router, aside_fn *fn)
{
    router->aside = fn;
}

void router_set_origins(struct router *router, const char *origins)
{
    router->origins = origins;
}

size_t router_body_max(const struct router *router)
{
    size_t max = 0;

    for (size_t i = 0; i < router->n_rows; i++)
        max = router->rows[i].route->body_max > max ? router->rows[i].route->body_max : max;
    return max;
}

/* --- dispatch */

static const struct row *first_of_key(const struct router *router, const char *key)
{
    size_t low = 0, high = router->n_rows;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(router->rows[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < router->n_rows && strcmp(router->rows[low].key, key) == 0 ? &router->rows[low]
                                                                           : NULL;
}

/* The row whose path ends so behind what lies before the slash. */
static const struct row *first_of_end(const struct router *router, const char *path, const char *slash, const char *end)
{
    char key[PATH_MAX_BYTES + 8];

    if (!slash || !slash[1] || (size_t)(slash - path) >= PATH_MAX_BYTES - 3)
        return NULL;
    (void)snprintf(key, sizeof(key), "%.*s%s", (int)(slash - path), path, end);
    return first_of_key(router, key);
}

/* Returns: the first row of the path, and what {name}, or {name}/{name}, stood for; or NULL. */
static const struct row *first_of_path(const struct router *router, const char *path,
                                       const char **ret_param)
{
    const char *last = strrchr(path, '/'), *before = last ? memrchr(path, '/', (size_t)(last - path)) : NULL;
    const struct row *row = first_of_key(router, path);

    *ret_param = "";
    if (row && !strchr(row->key, '{'))
        return row;
    row = first_of_end(router, path, last, "/{}");
    if (row) {
        *ret_param = last + 1;
        return row;
    }
    row = last && last[1] && before && before[1] != '/' ? first_of_end(router, path, before, "/{}/{}") : NULL;
    if (row)
        *ret_param = before + 1;
    return row;
}

static const struct row *row_of_method(const struct router *router, const struct row *first,
                                       const char *method)
{
    const struct row *end = router->rows + router->n_rows;

    for (const struct row *row = first; row < end && strcmp(row->key, first->key) == 0; row++)
        if (strcmp(row->route->method, method) == 0)
            return row;
    return strcmp(method, "HEAD") == 0 ? row_of_method(router, first, "GET") : NULL;
}

static int refuse(const struct http_request *request, struct http_response *response, int status,
                  const char *code, const char *message, char *buffer)
{
    http_error(response, status, code, message, request->request_id, buffer);
    return HTTP_DONE;
}

static int not_found(const struct http_request *request, struct http_response *response,
                     char *buffer)
{
    return refuse(request, response, 404, "not_found", "There is nothing here.", buffer);
}

/* What a handler's negative errno says to the client; anything else is our own failure. */
static const struct {
    int error, status;
    const char *code, *message;
} failures[] = {
    { EINVAL,    400, "bad_request",   "The request is not valid." },
    { EBADMSG,   400, "bad_request",   "The request cannot be read." },
    { ENOENT,    404, "not_found",     "There is no such thing." },
    { EEXIST,    409, "conflict",      "It exists already." },
    { EALREADY,  409, "conflict",      "It was done already." },
    { EMSGSIZE,  413, "too_large",     "The body is too large." },
    { E2BIG,     413, "too_large",     "There are too many fields." },
    { EAGAIN,    503, "busy",          "Too much is waiting; try again." },
    { EBUSY,     503, "busy",          "It is busy; try again." },
    { ENOSPC,    503, "busy",          "There is no room for it; try again." },
    { ESHUTDOWN, 503, "shutting_down", "The server is stopping." },
};

int router_fail(const struct http_request *request, struct http_response *response, int r, char *buffer)
{
    *response = (struct http_response){ 0 };
    for (size_t i = 0; i < ELEMENTSOF(failures); i++)
        if (failures[i].error == -r)
            return refuse(request, response, failures[i].status, failures[i].code,
                          failures[i].message, buffer);

    log_limited(LOG_ERR, NULL, "request %s: %s %s failed: %s", request->request_id, request->method,
                request->path, strerrordesc_np(-r) ?: "unknown error");
    return refuse(request, response, 500, "internal", "Something went wrong here.", buffer);
}

/* 0 to let it through. */
static int guard(const struct router *router, const struct route *route,
                 struct http_request *request, struct http_response *response, char *buffer)
{
    guard_fn *fn = router->guards[route->guard];

    if (route->guard == AUTH_NONE || route->guard == AUTH_LOCAL || /* for that the listener was looked at */
        (route->guard == AUTH_METRICS && request->listener == LISTENER_ADMIN))
        return 0;
    if (fn)
        return fn(request, response, buffer);
    (void)refuse(request, response, 403, "forbidden", "Nobody may do that here.", buffer);
    return 1;
}

/* --- pages of other origins */

static bool is_api(const struct http_request *request)
{
    return strncmp(request->path, "/api/", 5) == 0;
}

/* A browser sends one Origin, or none. */
static void judge_origin(const struct router *router, struct http_request *request)
{
    const struct http_field *origin = http_field(request, "origin", 0);

    request->cors = (struct http_cors){ .is_judged = router->origins && is_api(request) };
    if (request->cors.is_judged && origin && !http_field(request, "origin", 1))
        request->cors.origin = origins_find(router->origins, origin->value, origin->n_value, &request->cors.n_origin);
}

static bool is_preflight(const struct http_request *request)
{
    return request->cors.is_judged && strcmp(request->method, "OPTIONS") == 0 && http_field(request, "origin", 0) &&
           http_field(request, "access-control-request-method", 0);
}

/* A browser asks before it sends a request that a form could not have sent. No guard: it brings no token. */
static int answer_preflight(const struct row *first, const struct http_request *request, struct http_response *response,
                            char *buffer)
{
    static const struct http_field headers = { "access-control-allow-headers", 28, "authorization, content-type, idempotency-key", 44 };
    static const struct http_field age = { "access-control-max-age", 22, "600", 3 };

    if (!request->cors.origin)
        return refuse(request, response, 403, "origin_not_allowed", "Pages of that origin may not ask here; CORS_ORIGINS lists those that may.",
                      buffer);
    response->status = 204;
    response->extra[response->n_extra++] =
        (struct http_field){ "access-control-allow-methods", 28, first->allow, strlen(first->allow) };
    response->extra[response->n_extra++] = headers;
    response->extra[response->n_extra++] = age;
    return HTTP_DONE;
}

size_t router_path_body_max(const struct router *router, const char *path)
{
    const char *param;
    const struct row *first = first_of_path(router, path, &param);
    size_t max = 0;

    for (const struct row *row = first; row && row < router->rows + router->n_rows && strcmp(row->key, first->key) == 0; row++)
        max = row->route->body_max > max ? row->route->body_max : max;
    return max;
}

int router_dispatch(const struct router *router, struct http_request *request,
                    struct http_response *response, char *buffer)
{
    const struct row *first = first_of_path(router, request->path, &request->param);
    const struct row *row = first ? row_of_method(router, first, request->method) : NULL;

    request->context = router->context;
    judge_origin(router, request);
    if (!first || (first->route->guard == AUTH_LOCAL && request->listener != LISTENER_ADMIN))
        return not_found(request, response, buffer);
    if (!row && is_preflight(request))
        return answer_preflight(first, request, response, buffer);
    if (!row) {
        response->extra[response->n_extra++] =
            (struct http_field){ "allow", 5, first->allow, strlen(first->allow) };
        return refuse(request, response, 405, "method_not_allowed",
                      "That method is not for this path.", buffer);
    }
    if (row->route->guard == AUTH_LOCAL && request->listener != LISTENER_ADMIN)
        return not_found(request, response, buffer);
    request->meter = row->meter;
    if (request->n_body > row->route->body_max)
        return refuse(request, response, 413, "too_large", "The body is too large.", buffer);
    if (guard(router, row->route, request, response, buffer))
        return HTTP_DONE;

    int r = row->route->place == ASIDE && router->aside ? router->aside(row->route, request) : row->route->handler(request, response);
    return r < 0 ? router_fail(request, response, r, buffer) : r;
}

void router_note(const struct router *router, struct route_meter *meter, int status, uint64_t took_us)
{
    struct route_meter *noted = meter ?: &router->meters[router->n_rows];
    int class = status / 100;

    if (class > 0 && class < ROUTE_STATUSES)
        atomic_fetch_add_explicit(&noted->n_answers[class], 1, memory_order_relaxed);
    histogram_add(&noted->took_us, &histogram_us, took_us);
}

void router_each_meter(const struct router *router, route_meter_fn *fn, void *arg)
{
    for (size_t i = 0; i <= router->n_rows; i++)
        fn(&router->meters[i], arg);
}

int router_each(const struct router *router, route_each_fn *fn, void *arg)
{
    int r = 0;

    for (size_t i = 0; i < router->n_rows && r == 0; i++)
        r = fn(router->rows[i].route, router->rows[i].path, arg);
    return r;
}

/* --- printing */

static void print_table(const struct router *router, FILE *out)
{
    int width = 4;

    for (size_t i = 0; i < router->n_rows; i++)
        width =
            (int)strlen(router->rows[i].path) > width ? (int)strlen(router->rows[i].path) : width;
    fprintf(out, "%-7s %-*s %-7s %8s  %s\n", "METHOD", width, "PATH", "GUARD", "BODY", "SUMMARY");
    for (size_t i = 0; i < router->n_rows; i++) {
        const struct row *row = &router->rows[i];
        fprintf(out, "%-7s %-*s %-7s %8zu  %s\n", row->route->method, width, row->path,
                guard_names[row->route->guard], row->route->body_max, row->route->summary);
    }
}

static void print_json(const struct router *router, FILE *out)
{
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; i < router->n_rows; i++) {
        const struct row *row = &router->rows[i];
        struct json_object *object = json_object_new_object();
        json_object_object_add(object, "method", json_object_new_string(row->route->method));
        json_object_object_add(object, "path", json_object_new_string(row->path));
        json_object_object_add(object, "guard",
                               json_object_new_string(guard_names[row->route->guard]));
        json_object_object_add(object, "body_max",
                               json_object_new_int64((int64_t)row->route->body_max));
        json_object_object_add(object, "blueprint", json_object_new_string(row->blueprint->name));
        json_object_object_add(object, "summary", json_object_new_string(row->route->summary));
        json_object_array_add(list, object);
    }
    fprintf(out, "%s\n",
            json_object_to_json_string_ext(list, JSON_C_TO_STRING_PRETTY |
                                                     JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(list);
}

void router_print(const struct router *router, FILE *out, bool json)
{
    (json ? print_json : print_table)(router, out);
}
