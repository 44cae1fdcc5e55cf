/*
 * api.c - what the routes below /api share: fields that are checked by a table, an effect that happens once, an answer
 *
 *   loop     read the body, hold it to its table, prepare, queue the write
 *   writer   find the Idempotency-Key; not there: keep the effect and the answer with it, in one transaction
 *   writer   after the commit: answer, and the write is gone
 */
#include "routes/api.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "services/services.h"
#include "utils/clock.h"
#include "utils/form.h"
#include "utils/json.h"
#include "utils/log.h"
#include "utils/text.h"
#include "utils/utf8.h"

int api_problem(struct api_problem *problem, int status, const char *code, const char *field, const char *format, ...)
{
    va_list args;

    *problem = (struct api_problem){ .status = status, .code = code };
    (void)snprintf(problem->field, sizeof(problem->field), "%s", field);
    va_start(args, format);
    (void)vsnprintf(problem->text, sizeof(problem->text), format, args);
    va_end(args);
    return -EINVAL;
}

/* --- fields */

static const struct {
    enum json_type type;
    const char *name;
} types[API_N_TYPES] = {
    [API_TEXT] = { json_type_string, "a text" },
    [API_NUMBER] = { json_type_int, "a whole number" },
    [API_OBJECT] = { json_type_object, "an object" },
};

static const struct api_field *field_of(const struct api_field *fields, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    return NULL;
}

static bool is_word(const struct api_field *field, const char *text)
{
    for (size_t i = 0; field->words[i]; i++)
        if (strcmp(field->words[i], text) == 0)
            return true;
    return false;
}

static int check_text(const struct api_field *field, struct json_object *value, struct api_problem *problem)
{
    const char *text = json_object_get_string(value);
    size_t n = utf8_length(text);

    if (strlen(text) != (size_t)json_object_get_string_len(value))
        return api_problem(problem, 422, "bad_value", field->name, "%s holds a NUL; leave it out", field->name);
    if (field->min && text[strspn(text, " \t\r\n")] == '\0')
        return api_problem(problem, 422, "empty", field->name, "%s is empty; give it a value", field->name);
    if (n < field->min || (field->max && n > field->max))
        return api_problem(problem, 422, n < field->min ? "too_short" : "too_long", field->name,
                           "%s has %zu characters; give it %llu to %llu", field->name, n, (unsigned long long)field->min,
                           (unsigned long long)field->max);
    if (field->words && !is_word(field, text))
        return api_problem(problem, 422, "bad_value", field->name, "%s is none of the values that are taken; see /api/openapi.json",
                           field->name);
    return 0;
}

static int check_number(const struct api_field *field, struct json_object *value, struct api_problem *problem)
{
    int64_t n = json_object_get_int64(value);

    if (n >= (int64_t)field->min && (!field->max || n <= (int64_t)field->max))
        return 0;
    return api_problem(problem, 422, "out_of_range", field->name, "%s is out of range; give a number from %llu to %llu", field->name,
                       (unsigned long long)field->min, (unsigned long long)field->max);
}

static int check_value(const struct api_field *field, struct json_object *value, struct api_problem *problem)
{
    int r = 0;

    if (!json_object_is_type(value, types[field->type].type))
        return api_problem(problem, 422, "wrong_type", field->name, "%s must be %s", field->name, types[field->type].name);
    if (field->type == API_TEXT)
        r = check_text(field, value, problem);
    else if (field->type == API_NUMBER)
        r = check_number(field, value, problem);
    const char *wrong = r == 0 && field->check ? field->check(value) : NULL;
    return wrong ? api_problem(problem, 422, "bad_value", field->name, "%s %s", field->name, wrong) : r;
}

static int check_object(const struct api_field *fields, size_t n, struct json_object *json, struct api_problem *problem)
{
    json_object_object_foreach(json, name, value) {
        const struct api_field *field = field_of(fields, n, name);
        if (!field)
            return api_problem(problem, 422, "unknown_field", name, "there is no such field here; leave it out");
        int r = check_value(field, value, problem);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < n; i++)
        if (fields[i].is_needed && !json_object_object_get_ex(json, fields[i].name, NULL))
            return api_problem(problem, 422, "missing_field", fields[i].name, "%s is missing; give it", fields[i].name);
    return 0;
}

bool api_is_json(const struct http_request *request)
{
    static const char want[] = "application/json";
    const struct http_field *field = http_field(request, "content-type", 0);
    size_t n = sizeof(want) - 1;

    return field && field->n_value >= n && strncasecmp(field->value, want, n) == 0 &&
           (field->n_value == n || strchr("; \t", field->value[n]));
}

int api_read_body(const struct http_request *request, const struct api_shape *shape, struct json_object **ret_json,
                  struct api_problem *problem)
{
    scoped(json_object_put) struct json_object *json = NULL;

    if (!api_is_json(request))
        return api_problem(problem, 415, "not_json", "Content-Type", "the body must be JSON; send Content-Type: application/json");
    int r = json_parse(request->n_body ? request->body : "", request->n_body, &json);
    if (r == -ENOMEM)
        return r;
    if (r < 0 || !json_object_is_type(json, json_type_object))
        return api_problem(problem, 400, "not_json", "", "the body is no JSON object in UTF-8; send one");
    r = check_object(shape->body, shape->n_body, json, problem);
    if (r == 0)
        *ret_json = steal(&json);
    return r;
}

static struct json_object *query_value(const struct api_field *field, const struct form_field *given)
{
    char *end;
    int64_t n = strtoll(given->value, &end, 10);

    if (field && field->type == API_NUMBER && given->n_value && !*end && given->n_value < 19)
        return json_object_new_int64(n);
    return json_text(given->value, given->n_value);
}

int api_read_query(const struct http_request *request, const struct api_shape *shape, struct json_object **ret_json,
                   struct api_problem *problem)
{
    enum { QUERY_FIELDS_MAX = 16 };
    scoped(json_object_put) struct json_object *json = json_object_new_object();
    struct form form;
    int r = json ? form_parse(request->query, strlen(request->query), QUERY_FIELDS_MAX, &form) : -ENOMEM;

    if (r < 0)
        return r == -ENOMEM ? r : api_problem(problem, 400, "bad_query", "", "the query cannot be read; send name=value pairs");
    for (size_t i = 0; i < form.n_fields && r == 0; i++)
        r = json_add(json, form.fields[i].name,
                     query_value(field_of(shape->query, shape->n_query, form.fields[i].name), &form.fields[i]));
    form_done(&form);
    if (r == 0)
        r = check_object(shape->query, shape->n_query, json, problem);
    if (r == 0)
        *ret_json = steal(&json);
    return r;
}

/* --- answers */

static void send_json(struct http_ticket *ticket, int status, struct json_object *json)
{
    struct http_response response = { .status = json ? status : 503, .content_type = "application/json" };

    response.body = json ? json_print(json, &response.n_body) : NULL;
    ticket->answer(ticket, &response);
}

static struct json_object *problem_json(const struct api_problem *problem, const char *request_id)
{
    struct json_object *whole = json_object_new_object(), *error = json_object_new_object();
    int r = whole && error ? 0 : -ENOMEM;

    if (r == 0)
        r = json_add(error, "code", json_object_new_string(problem->code));
    if (r == 0)
        r = json_add(error, "message", json_text(problem->text, strlen(problem->text)));
    if (r == 0 && problem->field[0])
        r = json_add(error, "field", json_text(problem->field, strlen(problem->field)));
    if (r == 0)
        r = json_add(error, "request_id", json_object_new_string(request_id));
    if (r == 0)
        r = json_add(whole, "error", json_object_get(error));
    json_object_put(error);
    if (r < 0) {
        json_object_put(whole);
        return NULL;
    }
    return whole;
}

static void send_problem(struct http_ticket *ticket, const struct api_problem *problem, const char *request_id)
{
    scoped(json_object_put) struct json_object *json = problem_json(problem, request_id);

    send_json(ticket, problem->status, json);
}

int api_answer(struct http_request *request, struct json_object *json)
{
    struct http_ticket *ticket = request->later(request);

    if (!ticket)
        return -ENOMEM;
    send_json(ticket, 200, json);
    return HTTP_LATER;
}

int api_refuse(struct http_request *request, const struct api_problem *problem)
{
    struct http_ticket *ticket = request->later(request);

    if (!ticket)
        return -ENOMEM;
    send_problem(ticket, problem, request->request_id);
    return HTTP_LATER;
}

/* --- a request that changes something */

static void end_write(struct api_write *write)
{
    free(write->answer.text);
    free(write->bytes);
    free(write->target);
    json_object_put(write->body);
    free(write);
}

/* Whom an answer tells of. */
static void set_owner(struct json_object *json, char ret_id[CONTACT_ID_MAX])
{
    const char *id = json_get_text(json, "contact_id") ?: json_get_text(json, "id");

    if (id && id[0] == 'C')
        (void)text_set(ret_id, CONTACT_ID_MAX, id);
}

static int run(struct db_txn *txn, struct db_op *op)
{
    struct api_write *write = (struct api_write *)op;
    scoped(json_object_put) struct json_object *json = NULL;

    free(write->answer.text); /* of a transaction that was undone */
    write->answer = (struct idempotency_answer){ 0 };
    int r = idempotency_find(txn, &write->idempotency, &write->answer);
    write->is_other = r == -EEXIST;
    if (r)
        return r;
    r = write->kind->keep(txn, write, &json);
    if (r < 0)
        return r;
    const char *text = json ? json_print(json, &write->answer.n) : NULL;
    write->answer.text = text ? strndup(text, write->answer.n) : NULL;
    write->answer.status = write->kind->status ?: 202;
    set_owner(json, write->answer.of);
    return write->answer.text ? idempotency_keep(txn, &write->idempotency, &write->answer, write->now_ms) : -ENOMEM;
}

static void explain(const struct api_write *write, int r, struct api_problem *problem)
{
    const char *reason = strerrordesc_np(-r) ?: "unknown error";

    for (const struct api_refusal *refusal = write->kind->refusals; refusal->r && !write->is_other; refusal++)
        if (refusal->r == r) {
            (void)api_problem(problem, refusal->status, refusal->code, refusal->field, "%s", refusal->text);
            return;
        }
    if (write->is_other) {
        (void)api_problem(problem, 422, "idempotency_key_reused", "Idempotency-Key",
                          "this Idempotency-Key came before with another request; use a new one for each");
        return;
    }
    log_limited(LOG_ERR, NULL, "request %s: %s could not be kept: %s", write->request_id, write->kind->what, reason);
    (void)api_problem(problem, 503, "not_kept", "", "it could not be kept, and nothing was done: %s; try again", reason);
}

/* Writer thread. */
static void done(struct db_op *op, int r)
{
    static const struct http_field replayed = { "idempotency-replayed", 20, "true", 4 };
    struct api_write *write = (struct api_write *)op;
    struct http_response response = { .status = write->answer.status, .content_type = "application/json" };
    struct api_problem problem;

    if (write->kind->end)
        write->kind->end(write, r);
    if (r < 0) {
        explain(write, r, &problem);
        send_problem(write->ticket, &problem, write->request_id);
    } else {
        response.body = write->answer.text;
        response.n_body = write->answer.n;
        if (r == 1)
            response.extra[response.n_extra++] = replayed;
        write->ticket->answer(write->ticket, &response);
    }
    end_write(write);
}

/* The work is done by done(), after which the engine does not look at the job any more: the write may be gone. */
static void run_nothing(struct engine_job *job, unsigned thread)
{
}

static void work(struct engine_job *job)
{
    struct api_write *write = (struct api_write *)((char *)job - offsetof(struct api_write, job));
    int r = 0;

    if (write->kind->is_raw)
        r = idempotency_digest(&write->idempotency, write->method, write->target, (struct db_bytes){ write->bytes, write->n_bytes });
    if (r == 0)
        r = write->kind->work(write);
    write->now_ms = clock_real_ms();
    if (r == 0)
        r = db_submit(write->services->db, &write->op);
    if (r < 0)
        done(&write->op, r);
}

static int submit(struct api_write *write)
{
    if (!write->kind->work)
        return db_submit(write->services->db, &write->op);
    write->job = (struct engine_job){ .run = run_nothing, .done = work };
    return engine_submit(write->services->media_engine, &write->job);
}

/* The request's memory goes before the bytes are written. */
static int take_bytes(struct api_write *write, const struct http_request *request)
{
    const struct http_field *type = http_field(request, "content-type", 0);

    write->bytes = malloc(request->n_body + 1);
    write->target = strdup(request->target);
    if (!write->bytes || !write->target)
        return -ENOMEM;
    (void)snprintf(write->method, sizeof(write->method), "%s", request->method);
    if (request->n_body)
        memcpy(write->bytes, request->body, request->n_body);
    write->n_bytes = request->n_body;
    (void)snprintf(write->content_type, sizeof(write->content_type), "%.*s", type ? (int)type->n_value : 0, type ? type->value : "");
    return 0;
}

static int check(struct api_write *write, const struct http_request *request, struct api_problem *problem)
{
    const struct api_shape *shape = write->kind->shape;
    int r = write->kind->is_raw ? api_read_query(request, shape, &write->body, problem)
                                : api_read_body(request, shape, &write->body, problem);

    if (r == 0 && write->kind->is_raw)
        r = take_bytes(write, request);

    if (r == 0 && strlen(request->param) >= sizeof(write->param))
        r = api_problem(problem, 404, "not_found", "", "there is nothing of that name");
    if (r == 0) {
        strcpy(write->param, request->param);
        r = idempotency_read(request, &write->idempotency);
        if (r == -EINVAL)
            (void)api_problem(problem, 400, "bad_idempotency_key", "Idempotency-Key",
                              "an Idempotency-Key has 1 to %d printable characters without blanks, and comes once",
                              IDEMPOTENCY_KEY_MAX);
    }
    if (r == 0 && !write->kind->is_raw)
        r = idempotency_digest(&write->idempotency, request->method, request->target,
                               (struct db_bytes){ request->n_body ? request->body : "", request->n_body });
    return r == 0 && write->kind->prepare ? write->kind->prepare(write, problem) : r;
}

int api_take(struct http_request *request, const struct api_write_kind *kind)
{
    struct api_write *write = calloc(1, sizeof(*write));
    struct api_problem problem;

    if (!write)
        return -ENOMEM;
    write->op = (struct db_op){ .run = run, .done = done, .what = kind->what };
    write->kind = kind;
    write->services = request->context;
    write->now_ms = clock_real_ms();
    (void)snprintf(write->request_id, sizeof(write->request_id), "%s", request->request_id);
    int r = check(write, request, &problem);
    if (r == 0)
        r = (write->ticket = request->later(request)) ? 0 : -ENOMEM;
    if (r < 0) {
        end_write(write);
        return r == -EINVAL ? api_refuse(request, &problem) : r;
    }
    r = submit(write);
    if (r < 0)
        done(&write->op, r);
    return HTTP_LATER;
}
