/*
 * twilio_webhook.c - a form from Twilio on its way into the store
 *
 *   loop     take: read the form, check the needed fields, prepare, queue the write
 *   writer   keep, in a transaction shared with others; it may run more than once
 *   writer   after the commit: answer, and the webhook is gone
 *
 * Twilio asks again, or asks the fallback URL, unless it is answered 2xx. So 2xx is
 * said only of what is on disk; 4xx of what will never be taken; 503 of what could
 * not be kept now, and then an operator is told. Everything that is written is
 * idempotent by its own ids, so a redelivery changes nothing and is answered
 * from what is stored.
 */
#include "routes/twilio_webhook.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "utils/clock.h"
#include "utils/form.h"
#include "utils/json.h"
#include "utils/log.h"
#include "utils/utf8.h"

/* --- the form as JSON */

/* Carriers send names in whatever they speak. What is not UTF-8 is taken for Latin-1, so that JSON
 * remains JSON. */
static struct json_object *text_object(const char *text, size_t n)
{
    scoped(free) char *wide = NULL;
    size_t n_wide = 0;

    if (utf8_valid(text, n))
        return json_object_new_string_len(text, (int)n);
    wide = malloc(2 * n);
    if (!wide)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x80)
            wide[n_wide++] = (char)(0xC0 | c >> 6);
        wide[n_wide++] = (char)(c < 0x80 ? c : 0x80 | (c & 0x3F));
    }
    return json_object_new_string_len(wide, (int)n_wide);
}

/* A name that came before becomes an array. Returns: false when out of memory. */
static bool add_field(struct json_object *params, const char *name, struct json_object *value)
{
    struct json_object *before, *array;

    if (!value)
        return false;
    if (!json_object_object_get_ex(params, name, &before))
        return json_object_object_add(params, name, value) == 0;
    if (json_object_is_type(before, json_type_array))
        return json_object_array_add(before, value) == 0;

    array = json_object_new_array();
    if (!array) {
        json_object_put(value);
        return false;
    }
    json_object_array_add(array, json_object_get(before));
    json_object_array_add(array, value);
    return json_object_object_add(params, name, array) == 0;
}

/* Errors: -EBADMSG, -E2BIG, -ENOMEM. */
static int read_params(const struct http_request *request, struct json_object **ret_params)
{
    struct json_object *params = NULL;
    struct form form;

    int r = form_parse(request->body, request->n_body, TWILIO_PARAMS_MAX, &form);
    if (r < 0)
        return r;
    params = json_object_new_object();
    r = params ? 0 : -ENOMEM;
    for (size_t i = 0; i < form.n_fields && r == 0; i++) {
        const struct form_field *field = &form.fields[i];
        struct json_object *name = text_object(field->name, field->n_name);
        if (!name || !add_field(params, json_object_get_string(name),
                                text_object(field->value, field->n_value)))
            r = -ENOMEM;
        json_object_put(name);
    }
    form_done(&form);
    if (r == 0)
        *ret_params = params;
    else
        json_object_put(params);
    return r;
}

const char *webhook_field(const struct webhook *webhook, const char *name)
{
    return json_get_first_text(webhook->params, name);
}

/* --- the answer */

static void webhook_end(struct webhook *webhook, const struct http_response *response)
{
    webhook->ticket->answer(webhook->ticket, response);
    json_object_put(webhook->params);
    free(webhook);
}

/* The message is subject and rest, one behind the other. */
static void refuse(struct webhook *webhook, int status, const char *code, const char *subject,
                   const char *rest)
{
    char buffer[HTTP_ERROR_MAX], message[256];
    struct http_response response = { 0 };

    (void)snprintf(message, sizeof(message), "%s%s", subject, rest);
    http_error(&response, status, code, message, webhook->request_id, buffer);
    webhook_end(webhook, &response);
}

static void not_kept(struct webhook *webhook, int r)
{
    const char *reason = strerrordesc_np(-r) ?: "unknown error";

    log_limited(LOG_ERR, NULL, "request %s: %s could not be kept: %s", webhook->request_id,
                webhook->kind->what, reason);
    refuse(webhook, 503, "not_kept", "it could not be kept: ", reason);
}

/* Writer thread. */
static void done(struct db_op *op, int r)
{
    struct webhook *webhook = (struct webhook *)op;
    struct http_response response = { 0 };

    if (r == -EINVAL) {
        refuse(webhook, 400, "bad_field", webhook->kind->needed[0], " is not what Twilio sends");
    } else if (r < 0) {
        not_kept(webhook, r);
    } else {
        webhook->kind->answer(webhook, &response);
        webhook_end(webhook, &response);
    }
}

void webhook_twiml(struct http_response *response, const char *twiml)
{
    response->status = 200;
    response->content_type = "text/xml";
    response->body = twiml;
    response->n_body = strlen(twiml);
}

/* --- the way in */

static int run(struct db_txn *txn, struct db_op *op)
{
    struct webhook *webhook = (struct webhook *)op;

    return webhook->kind->keep(txn, webhook);
}

static const char *missing_field(const struct webhook *webhook)
{
    for (size_t i = 0; i < WEBHOOK_NEEDED_MAX && webhook->kind->needed[i]; i++)
        if (!*webhook_field(webhook, webhook->kind->needed[i]))
            return webhook->kind->needed[i];
    return NULL;
}

static void take_form(struct webhook *webhook, const struct http_request *request)
{
    int r = read_params(request, &webhook->params);
    if (r == -EBADMSG || r == -E2BIG) {
        refuse(webhook, 400, "bad_form",
               "the form cannot be read: ", r == -E2BIG ? "too many fields" : "a broken %XX");
        return;
    }
    if (r < 0) {
        not_kept(webhook, r);
        return;
    }

    const char *missing = missing_field(webhook);
    if (missing) {
        refuse(webhook, 400, "missing_field", missing, " is missing");
        return;
    }
    if (webhook->kind->prepare)
        r = webhook->kind->prepare(webhook, request);
    if (r == 0)
        r = db_submit(webhook->services->db, &webhook->op);
    if (r < 0)
        not_kept(webhook, r);
}

int webhook_take(struct http_request *request, const struct webhook_kind *kind)
{
    struct webhook *webhook = calloc(1, sizeof(*webhook));

    if (!webhook)
        return -ENOMEM;
    webhook->op = (struct db_op){ .run = run, .done = done, .what = kind->what };
    webhook->kind = kind;
    webhook->services = request->context;
    webhook->now_ms = clock_real_ms();
    (void)snprintf(webhook->request_id, sizeof(webhook->request_id), "%s", request->request_id);
    webhook->ticket = request->later(request);
    if (!webhook->ticket) {
        free(webhook);
        return -ENOMEM;
    }
    take_form(webhook, request);
    return HTTP_LATER;
}
