#pragma once
/*
 * api.h - what the routes below /api share: fields that are checked by a table, an effect that happens once, an answer
 *
 * An error is {"error":{"code","message","field","request_id"}}; message says what to do, field is there when one is
 * to blame.
 */

#include <json-c/json.h>

#include "db.h"
#include "router.h"
#include "services/engine.h"
#include "services/idempotency.h"

enum api_type { API_TEXT, API_NUMBER, API_OBJECT, API_N_TYPES };

struct api_field {
    const char *name;
    enum api_type type;
    bool is_needed;
    uint64_t min, max;        /* of a text its characters, of a number itself; max 0: any */
    const char *const *words; /* one of these, NULL behind the last; NULL: any */
    const char *pattern;      /* what check() holds it to, as a regular expression for openapi.json; NULL none */
    const char *(*check)(struct json_object *value); /* what is wrong with it and what to do, or NULL; may be NULL */
    const char *summary;
};

/* What a route takes, beside its path; its row in the blueprint has it, and /api/openapi.json shows it. */
struct api_shape {
    const struct api_field *body, *query;
    size_t n_body, n_query;
    bool is_write; /* takes an Idempotency-Key */
    const char *(*raw_type)(size_t i); /* a body of the i-th of these types is taken too, with the fields as query; NULL no */
};

struct api_problem {
    int status;
    const char *code; /* static */
    char field[64];   /* "" none */
    char text[256];
};

bool api_is_json(const struct http_request *request); /* as its Content-Type says */

/* Always -EINVAL, with the problem filled in. */
__attribute__((format(printf, 5, 6))) int api_problem(struct api_problem *problem, int status, const char *code, const char *field,
                                                      const char *format, ...);

/* An object that holds what the shape says and nothing else. Errors: -EINVAL and *problem; -ENOMEM. */
int api_read_body(const struct http_request *request, const struct api_shape *shape, struct json_object **ret_json,
                  struct api_problem *problem);
int api_read_query(const struct http_request *request, const struct api_shape *shape, struct json_object **ret_json,
                   struct api_problem *problem);

/* For a handler's last line. Returns: HTTP_LATER; -ENOMEM. json is the caller's. */
int api_answer(struct http_request *request, struct json_object *json);
int api_refuse(struct http_request *request, const struct api_problem *problem);

/* --- a request that changes something */

struct api_write;

struct api_refusal {
    int r; /* what keep() returned */
    int status;
    const char *code, *field, *text;
};

struct api_write_kind {
    const char *what; /* for the log of slow transactions; static */
    const struct api_shape *shape;
    /* On the loop, before anything is queued: what the table cannot say; as api_problem(). May be NULL. */
    int (*prepare)(struct api_write *write, struct api_problem *problem);
    /* In the writer's transaction; may run more than once. *ret_answer: what 202 says. */
    int (*keep)(struct db_txn *txn, struct api_write *write, struct json_object **ret_answer);
    const struct api_refusal *refusals; /* the last has r 0 */
    int status;                         /* of the answer; 0: 202 */
    bool is_raw;                        /* the body is bytes, and the fields are in the query; needs work() */
    /* On the media's engine, before the transaction, for what waits for the disk; its error is told as refusals say. */
    int (*work)(struct api_write *write);
    void (*end)(struct api_write *write, int r); /* after both, before the answer; r as of keep(), 1 it had been done before */
};

struct api_write {
    struct db_op op; /* first */
    const struct api_write_kind *kind;
    const struct services *services;
    struct json_object *body; /* as the shape has it */
    char param[64];           /* of the path */
    char *bytes;              /* the body, when it is raw; NULL */
    size_t n_bytes;
    char content_type[64]; /* of it, as was said */
    char *target, method[16]; /* of a request with a raw body, whose digest is not the loop's work */
    void *extra; /* the kind's; freed by its end() */
    uint64_t now_ms;
    /* the rest is api.c's */
    struct engine_job job;
    struct idempotency idempotency;
    struct idempotency_answer answer;
    bool is_other;
    struct http_ticket *ticket;
    char request_id[HTTP_REQUEST_ID_MAX];
};

/* Check it, keep it, and answer once it is on disk; the same again when it was done before. A handler's whole body. */
int api_take(struct http_request *request, const struct api_write_kind *kind);
