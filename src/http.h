#pragma once
/*
 * http.h - a request, a response, and the promise of one
 *
 * What a handler sees. It knows no socket and no listener library, so a handler
 * is tested by filling a struct. server.c makes the real ones.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"

struct route_meter;
struct websocket_ops;

struct http_field {
    const char *name; /* lower case */
    size_t n_name;
    const char *value;
    size_t n_value;
};

enum http_listener { LISTENER_HTTP, LISTENER_HTTPS, LISTENER_ADMIN };

/* What web pages of other origins may do with an answer; the router's, see router_set_origins(). */
struct http_cors {
    bool is_judged;     /* the answer is one that depends on who asks */
    const char *origin; /* who may read it: n_origin bytes that outlive the request; NULL nobody else */
    size_t n_origin;
};

/* What a handler returns; negative errno becomes a JSON error. */
enum { HTTP_DONE = 0, HTTP_LATER = 1, HTTP_UPGRADE = 2 };

enum { HTTP_EXTRA_MAX = 6, HTTP_REQUEST_ID_MAX = 65, HTTP_PEER_MAX = 64 };

/* One piece of a body, asked for. */
struct http_pull {
    void (*done)(struct http_pull *pull, int n); /* bytes that were written; 0 there are no more; -errno. Any thread; once */
};

/*
 * A body that is too long to be held whole: it is asked for piece by piece, as fast as the client takes it. Whoever sends
 * the response owns it, also when the client has gone.
 */
struct http_source {
    uint64_t n_bytes; /* of all of it; with fewer the connection is broken off, so that nobody takes it for whole */
    void (*pull)(struct http_source *source, char *buffer, size_t size, struct http_pull *pull); /* on a loop: never blocks */
    void (*close)(struct http_source *source); /* once, when no pull is out. Any thread; never blocks */
};

struct http_response {
    int status;               /* 0 means 200 */
    const char *content_type; /* NULL: none */
    const char *body;         /* copied by whoever sends it */
    size_t n_body;
    struct http_source *source; /* in place of body; NULL none */
    struct http_field extra[HTTP_EXTRA_MAX];
    size_t n_extra;
    const struct websocket_ops *upgrade_ops; /* with HTTP_UPGRADE only */
    void *upgrade_user;
};

/*
 * The right, and the duty, to answer later, once. Answering is allowed on any thread, when the client has gone
 * and when the server has stopped; the response is copied. Not for upgrades.
 */
struct http_ticket {
    void (*answer)(struct http_ticket *ticket, const struct http_response *response);
};

struct http_request {
    const char *method; /* NUL-terminated, as are path, target, query, param, request_id and peer */
    const char *path;   /* normalised, without the query; what the router matches */
    const char *target; /* the request-target byte for byte as received; what a signature covers */
    const char *query;  /* after the '?'; "" without one */
    const char *param;  /* what {name} in the route's path stood for, of two with the '/' between; "" without one */
    const char *body;   /* not NUL-terminated */
    size_t n_body;
    const struct http_field *fields;
    size_t n_fields;
    const char *request_id; /* also in the X-Request-Id response header and the log */
    const char *caller;     /* the name of the API token it came with; NULL none */
    const char *peer;       /* numeric address; "" on the admin socket */
    bool peer_is_loopback;
    enum http_listener listener;
    struct http_cors cors;
    struct route_meter *meter; /* the router's, of the route; counts the answer */
    struct loop *loop; /* the loop this request lives on */
    void *context;     /* the router's context: struct services */
    /*
     * Promise an answer, once: the handler must return HTTP_LATER then. The request's memory must not be
     * touched after it returned: copy what is needed.
     * Returns: NULL when out of memory.
     */
    struct http_ticket *(*later)(struct http_request *request);
};

/* Case-insensitive look-up. Returns: the n-th field of that name from 0 on, or NULL. */
const struct http_field *http_field(const struct http_request *request, const char *name, size_t nth);

/*
 * Fill a response with {"error":{"code","message","request_id"}}.
 *
 * Owner: the text lives in buffer, which must outlive the sending.
 */
enum { HTTP_ERROR_MAX = 512 };
void http_error(struct http_response *response, int status, const char *code, const char *message,
                const char *request_id, char buffer[HTTP_ERROR_MAX]);

/*
 * A copy that outlives the request: of its line, its id and who sent it; there are neither fields nor a body, nor anything
 * of the router's but param, meter and context.
 *
 * Errors: -ENOMEM. Owner: *ret_storage holds the texts, to be freed.
 */
int http_request_copy(const struct http_request *request, struct http_request *ret_copy, char **ret_storage);

/* The reason phrase of a status; never NULL. */
const char *http_reason(int status);

/*
 * The id that a request brings, so that it has one name on all machines it passes: X-Request-Id, of 8 to 64 letters,
 * digits, '-', '_' and '.'; else the trace id of a traceparent (W3C Trace Context, version 00).
 *
 * Returns: whether there is one, and only one.
 */
bool http_brought_id(const struct http_request *request, char ret_id[HTTP_REQUEST_ID_MAX]);

/* The n-th request id of a seed: 32 hexadecimal digits, unlike any other. */
void http_request_id(uint64_t seed, uint64_t n, char ret_id[HTTP_REQUEST_ID_MAX]);

/* Errors: -ENOMEM. Owner: *ret_storage holds what the copy points to, to be freed. */
int http_response_copy(const struct http_response *response, struct http_response *ret_copy, char **ret_storage);

/*
 * Whether the bytes of a request's head mean the same to everybody on its way: one Content-Length or one
 * "chunked", not both; one Host; no folded lines; at most HTTP_HEAD_MAX bytes.
 *
 * Returns: 0, or the status to refuse it with and *ret_why.
 */
enum { HTTP_HEAD_MAX = 32 * 1024 };
int http_check_head(const char *bytes, size_t n, const char **ret_why);
