/*
 * routes/api_whatsapp_read.c - POST /api/whatsapp/read/{contact}: what a person wrote is read
 *
 * For a desk that shows conversations: it says how far somebody has looked, and every other desk learns it by the feed.
 */
#include "routes/routes.h"

#include <errno.h>

#include <json-c/json.h>

#include "config.h"
#include "routes/api.h"
#include "services/services.h"
#include "services/whatsapp/provider.h"
#include "utils/json.h"

enum { BODY_MAX = 1 * KIB };

static const struct api_field fields[] = {
    { .name = "message", .type = API_TEXT, .min = 1, .max = CONTACT_ID_MAX - 1,
      .summary = "The id of the last message that was read, in or out; nothing: all are" },
};

static const struct api_shape shape = { .body = fields, .n_body = ELEMENTSOF(fields), .is_write = true };

/* {"contact_id","read","unread"} */
static int keep(struct db_txn *txn, struct api_write *write, struct json_object **ret_answer)
{
    struct crm_reading reading;
    int r = whatsapp_read(write->services->whatsapp, txn, write->param, json_get_text(write->body, "message") ?: "", write->now_ms, &reading);

    if (r < 0)
        return r;
    struct json_object *answer = *ret_answer = json_object_new_object();
    r = answer ? json_add(answer, "contact_id", json_object_new_string(write->param)) : -ENOMEM;
    if (r == 0)
        r = json_add(answer, "read", json_object_new_int((int)reading.n));
    return r < 0 ? r : crm_unread_show(txn, write->param, answer);
}

static const struct api_refusal refusals[] = {
    { -ENOENT, 404, "not_found", "", "there is no contact of that id" },
    { -ENOMSG, 422, "unknown_message", "message", "there is no such message in this conversation; leave it out" },
    { 0 },
};

static const struct api_write_kind kind = {
    .what = "what somebody wrote is read", .shape = &shape, .keep = keep, .refusals = refusals, .status = 200
};

static int read_post(struct http_request *request, struct http_response *response)
{
    return api_take(request, &kind);
}

static const struct route routes[] = {
    { "POST", "/{contact}", AUTH_TOKEN, BODY_MAX, read_post, "What a person wrote is read, all of it or up to a message", &shape },
};

const struct blueprint api_whatsapp_read = BLUEPRINT("api_whatsapp_read", "/api/whatsapp/read", routes);
