/*
 * routes/api_openapi.c - GET /api/openapi.json: the whole of /api, as the router and the tables of fields have it
 *
 * Nothing is written down here a second time: a path is a row of a blueprint, a field a row of the table that its body
 * is held to. So it says what is done. Requests are described closely, answers by their status and what is in an error.
 */
#include "routes/routes.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "config.h"
#include "routes/api.h"
#include "services/services.h"
#include "utils/json.h"

static const char prefix[] = "/api/";

/* The document; r is the first that went wrong. */
struct writing {
    struct json_object *paths;
    int r;
};

static void put(struct writing *writing, struct json_object *object, const char *key, struct json_object *value)
{
    int r = object ? json_add(object, key, value) : -ENOMEM;

    if (!object)
        json_object_put(value);
    writing->r = writing->r ? writing->r : r;
}

static void put_text(struct writing *writing, struct json_object *object, const char *key, const char *text)
{
    put(writing, object, key, json_object_new_string(text));
}

static struct json_object *put_object(struct writing *writing, struct json_object *object, const char *key)
{
    struct json_object *made = json_object_new_object();

    put(writing, object, key, made);
    return writing->r == 0 ? made : NULL;
}

static void append(struct writing *writing, struct json_object *array, struct json_object *value)
{
    int r = array ? json_append(array, value) : -ENOMEM;

    if (!array)
        json_object_put(value);
    writing->r = writing->r ? writing->r : r;
}

/* --- fields */

static void put_words(struct writing *writing, struct json_object *schema, const char *const *words)
{
    struct json_object *array = json_object_new_array();

    put(writing, schema, "enum", array);
    for (; writing->r == 0 && *words; words++)
        append(writing, array, json_object_new_string(*words));
}

static void put_schema(struct writing *writing, struct json_object *object, const char *key, const struct api_field *field)
{
    static const char *const types[API_N_TYPES] = { [API_TEXT] = "string", [API_NUMBER] = "integer", [API_OBJECT] = "object" };
    static const char *const least[API_N_TYPES] = { [API_TEXT] = "minLength", [API_NUMBER] = "minimum" };
    static const char *const most[API_N_TYPES] = { [API_TEXT] = "maxLength", [API_NUMBER] = "maximum" };
    struct json_object *schema = put_object(writing, object, key);

    put_text(writing, schema, "type", types[field->type]);
    if (field->min && least[field->type])
        put(writing, schema, least[field->type], json_object_new_uint64(field->min));
    if (field->max && most[field->type])
        put(writing, schema, most[field->type], json_object_new_uint64(field->max));
    if (field->pattern)
        put_text(writing, schema, "pattern", field->pattern);
    if (field->words)
        put_words(writing, schema, field->words);
    if (field->type == API_OBJECT)
        put_text(writing, put_object(writing, schema, "additionalProperties"), "type", "string");
    put_text(writing, schema, "description", field->summary);
}

static void put_body(struct writing *writing, struct json_object *operation, const struct api_shape *shape)
{
    struct json_object *body = put_object(writing, operation, "requestBody"), *needed = json_object_new_array();
    struct json_object *content = put_object(writing, body, "content");
    struct json_object *schema = put_object(writing, put_object(writing, content, "application/json"), "schema");
    struct json_object *properties = put_object(writing, schema, "properties");

    put(writing, body, "required", json_object_new_boolean(true));
    for (size_t i = 0; shape->raw_type && writing->r == 0 && shape->raw_type(i); i++)
        (void)put_object(writing, content, shape->raw_type(i));
    put_text(writing, schema, "type", "object");
    put(writing, schema, "additionalProperties", json_object_new_boolean(false));
    put(writing, schema, "required", needed);
    for (size_t i = 0; writing->r == 0 && i < shape->n_body; i++) {
        put_schema(writing, properties, shape->body[i].name, &shape->body[i]);
        if (shape->body[i].is_needed)
            append(writing, needed, json_object_new_string(shape->body[i].name));
    }
}

/* --- what is not in the body */

static void add_parameter(struct writing *writing, struct json_object *array, const char *in, const struct api_field *field)
{
    struct json_object *parameter = json_object_new_object();

    append(writing, array, parameter);
    if (writing->r < 0)
        return;
    put_text(writing, parameter, "name", field->name);
    put_text(writing, parameter, "in", in);
    put(writing, parameter, "required", json_object_new_boolean(field->is_needed));
    put_schema(writing, parameter, "schema", field);
}

/* Fields beside a raw body are not needed with JSON, which has them in it. */
static void add_query(struct writing *writing, struct json_object *array, const struct api_shape *shape, const struct api_field *field)
{
    struct api_field shown = *field;

    shown.is_needed = field->is_needed && !shape->raw_type;
    add_parameter(writing, array, "query", &shown);
}

static void put_parameters(struct writing *writing, struct json_object *operation, const struct route *route, const char *path)
{
    static const struct api_field key = { .name = "Idempotency-Key", .type = API_TEXT, .min = 1, .max = IDEMPOTENCY_KEY_MAX,
                                          .pattern = "^[!-~]+$", .summary = "A request that comes again with it is not done again" };
    struct json_object *array = json_object_new_array();
    const char *brace = strchr(path, '{');
    char name[64];

    put(writing, operation, "parameters", array);
    for (; writing->r == 0 && brace; brace = strchr(brace + 1, '{')) {
        (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(brace + 1, "}"), brace + 1);
        add_parameter(writing, array, "path",
                      &(struct api_field){ .name = name, .type = API_TEXT, .is_needed = true, .min = 1, .summary = "Which one" });
    }
    for (size_t i = 0; writing->r == 0 && route->shape && i < route->shape->n_query; i++)
        add_query(writing, array, route->shape, &route->shape->query[i]);
    if (writing->r == 0 && route->shape && route->shape->is_write)
        add_parameter(writing, array, "header", &key);
}

/* One answer; has_error: with an error in it. */
static void put_response(struct writing *writing, struct json_object *responses, const char *status, const char *text, bool has_error)
{
    struct json_object *response = put_object(writing, responses, status);
    struct json_object *schema;

    put_text(writing, response, "description", text);
    schema = put_object(writing, put_object(writing, put_object(writing, response, "content"), "application/json"), "schema");
    put_text(writing, schema, has_error ? "$ref" : "type", has_error ? "#/components/schemas/Error" : "object");
}

static void put_responses(struct writing *writing, struct json_object *operation, const struct route *route)
{
    struct json_object *responses = put_object(writing, operation, "responses");

    if (route->shape && route->shape->is_write)
        put_response(writing, responses, "202", "It is on disk and will be done", false);
    else
        put_response(writing, responses, "200", "What was asked for", false);
    if (route->guard == AUTH_TOKEN) {
        put_response(writing, responses, "401", "A valid API token is needed", true);
        put_response(writing, responses, "429", "Too often; Retry-After says when again", true);
    }
    put_response(writing, responses, "default", "What is wrong and what to do about it", true);
}

static void put_security(struct writing *writing, struct json_object *operation)
{
    struct json_object *array = json_object_new_array(), *need = json_object_new_object();

    put(writing, operation, "security", array);
    append(writing, writing->r == 0 ? array : NULL, need);
    put(writing, writing->r == 0 ? need : NULL, "token", json_object_new_array());
}

/* "post_api_whatsapp_send" */
static void put_name(struct writing *writing, struct json_object *operation, const char *method, const char *path)
{
    char name[256];
    size_t n = (size_t)snprintf(name, sizeof(name), "%s%s", method, path);

    for (size_t i = 0; i < n && i < sizeof(name); i++)
        if (name[i])
            name[i] = isalnum((unsigned char)name[i]) ? (char)tolower((unsigned char)name[i]) : '_';
    put_text(writing, operation, "operationId", name);
}

static int add_route(const struct route *route, const char *path, void *arg)
{
    struct writing *writing = arg;
    struct json_object *item, *operation;
    char method[16];

    if (strncmp(path, prefix, strlen(prefix)) != 0)
        return 0;
    if (!json_object_object_get_ex(writing->paths, path, &item))
        item = put_object(writing, writing->paths, path);
    (void)snprintf(method, sizeof(method), "%s", route->method);
    for (char *c = method; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    operation = put_object(writing, item, method);
    put_name(writing, operation, route->method, path);
    put_text(writing, operation, "summary", route->summary);
    put_parameters(writing, operation, route, path);
    if (route->shape && route->shape->n_body)
        put_body(writing, operation, route->shape);
    put_responses(writing, operation, route);
    if (route->guard == AUTH_TOKEN)
        put_security(writing, operation);
    return writing->r;
}

/* --- what all have */

static void put_components(struct writing *writing, struct json_object *whole)
{
    static const char *const members[] = { "code", "message", "field", "request_id" };
    struct json_object *components = put_object(writing, whole, "components");
    struct json_object *token = put_object(writing, put_object(writing, components, "securitySchemes"), "token");
    struct json_object *error = put_object(writing, put_object(writing, components, "schemas"), "Error");
    struct json_object *properties = put_object(writing, error, "properties");
    struct json_object *inner = put_object(writing, properties, "error"), *needed = json_object_new_array();

    put_text(writing, token, "type", "http");
    put_text(writing, token, "scheme", "bearer");
    put_text(writing, error, "type", "object");
    put_text(writing, inner, "type", "object");
    put(writing, inner, "required", needed);
    properties = put_object(writing, inner, "properties");
    for (size_t i = 0; writing->r == 0 && i < ELEMENTSOF(members); i++) {
        put_text(writing, put_object(writing, properties, members[i]), "type", "string");
        if (strcmp(members[i], "field") != 0)
            append(writing, needed, json_object_new_string(members[i]));
    }
}

static int openapi_get(struct http_request *request, struct http_response *response)
{
    const struct services *services = request->context;
    scoped(json_object_put) struct json_object *whole = json_object_new_object();
    struct writing writing = { .r = 0 };

    put_text(&writing, whole, "openapi", "3.1.0");
    struct json_object *info = put_object(&writing, whole, "info");
    put_text(&writing, info, "title", "AgentLocator");
    put_text(&writing, info, "version", PACKAGE_VERSION);
    writing.paths = put_object(&writing, whole, "paths");
    if (writing.r == 0)
        writing.r = router_each(services->router, add_route, &writing);
    put_components(&writing, whole);
    return writing.r < 0 ? writing.r : api_answer(request, whole);
}

static const struct route routes[] = {
    { "GET", "/openapi.json", AUTH_TOKEN, 0, openapi_get, "This description, as OpenAPI 3.1", NULL, ASIDE },
};

const struct blueprint api_openapi = BLUEPRINT("api_openapi", "/api", routes);
