#pragma once
/*
 * router.h - blueprints -> one sorted table
 *
 * Method, guard, size, 404 and 405 are done here for every route, so a handler
 * begins where its own work begins. A route is a row in a blueprint.
 */

#include <stdio.h>

#include "http.h"
#include "utils/scoped.h"

#include "utils/histogram.h"

struct api_shape;

enum guard { AUTH_NONE, AUTH_TWILIO, AUTH_TOKEN, AUTH_LOCAL, AUTH_METRICS, N_GUARDS };

/* Whose thread runs a handler: the loop's, which has calls to carry, or another one's, which may take its time. */
enum place { ON_LOOP, ASIDE };

struct route {
    const char *method;
    const char *path; /* below the prefix; the last segment, or the last two, may be {name} */
    enum guard guard;
    size_t body_max; /* bytes; over it 413 */
    int (*handler)(struct http_request *request, struct http_response *response);
    const char *summary;
    const struct api_shape *shape; /* what it takes as JSON, for openapi.json; NULL nothing is said */
    enum place place;
};

struct blueprint {
    const char *name;
    const char *prefix; /* every path of the blueprint is below it; "" for the root */
    const struct route *routes;
    size_t n_routes;
};

#define BLUEPRINT(name, prefix, routes) { name, prefix, routes, sizeof(routes) / sizeof((routes)[0]) }

/*
 * A guard looks at a request before its handler does.
 *
 * Returns: 0 to let it through; otherwise the response is filled and is the answer.
 */
typedef int guard_fn(struct http_request *request, struct http_response *response, char *buffer);

struct router;

/*
 * Sort the rows of all blueprints into one table.
 *
 * Errors: -EEXIST two rows with one (method, path), printed to problems as
 *         "DUPLICATE ROUTE: METHOD PATH (blueprint, blueprint)"; -EINVAL a prefix
 *         that does not begin with '/' or a path outside its blueprint. All are
 *         printed before it fails. problems may be NULL.
 * Owner:  keeps pointers to the blueprints.
 */
int router_new(const struct blueprint *const *blueprints, size_t n, void *context, FILE *problems,
               struct router **ret_router);
void router_free(struct router *router);
SCOPED_PTR(struct router, router_free)

/*
 * What was answered on a route. Requests without one, and those that never get so far as to have one, share the last
 * meter, whose route is "".
 */
enum { ROUTE_STATUSES = 6 };
struct route_meter {
    const char *method, *path; /* as in the table: {name} stands for what it stands for */
    _Atomic uint64_t n_answers[ROUTE_STATUSES]; /* by the first digit of the status */
    struct histogram took_us;
};

/* Thread: any. meter: NULL is the last one of no route. */
void router_note(const struct router *router, struct route_meter *meter, int status, uint64_t took_us);
typedef void route_meter_fn(const struct route_meter *meter, void *arg);
void router_each_meter(const struct router *router, route_meter_fn *fn, void *arg);

/* AUTH_NONE needs none; AUTH_LOCAL (admin listener only) is the router's own, as is that AUTH_METRICS needs none there; any other without a function refuses. */
void router_set_guard(struct router *router, enum guard guard, guard_fn *fn);

/*
 * Whose web pages may ask for what lies below /api and read the answers: as in origins.h; NULL nobody's. Their preflights
 * are answered here, and what their requests may do goes into request->cors.
 */
void router_set_origins(struct router *router, const char *origins);

/*
 * Who runs the handlers of rows with ASIDE, elsewhere; without one the loop does.
 *
 * Returns: HTTP_LATER; or what a handler may. Thread: the loop.
 */
typedef int aside_fn(const struct route *route, struct http_request *request);
void router_set_aside(struct router *router, aside_fn *fn);

/* What a handler's negative errno says to the client. Returns: HTTP_DONE. buffer: as that of router_dispatch(). */
int router_fail(const struct http_request *request, struct http_response *response, int r, char *buffer);

/* The largest body_max of the table; what the listener may let through at all. */
/* The same of one path, without its query; 0 when there is no such path. */
size_t router_path_body_max(const struct router *router, const char *path);
size_t router_body_max(const struct router *router);

/*
 * Answer a request: sets request->context and ->param, applies method, guard and size, calls the handler.
 *
 * Returns: HTTP_DONE, HTTP_LATER or HTTP_UPGRADE; never negative.
 * buffer:  HTTP_ERROR_MAX bytes for the text of an error; outlives the sending.
 */
int router_dispatch(const struct router *router, struct http_request *request,
                    struct http_response *response, char *buffer);

/* Every row in order, with its whole path. fn: 0 goes on, anything else stops and is returned. */
typedef int route_each_fn(const struct route *route, const char *path, void *arg);
int router_each(const struct router *router, route_each_fn *fn, void *arg);

/* Print the sorted table: METHOD PATH GUARD BODY SUMMARY, or JSON. */
void router_print(const struct router *router, FILE *out, bool json);
