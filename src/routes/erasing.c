/*
 * routes/erasing.c - a person is erased
 *
 * One write begins it and takes the first step; of most persons that is all. The rest is the keeper's, who also deletes
 * the files.
 */
#include "routes/erasing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "services/crm_erase.h"
#include "services/keeper.h"
#include "services/services.h"
#include "utils/clock.h"
#include "utils/json.h"
#include "utils/text.h"

struct erasing {
    struct db_op op; /* first */
    const struct services *services;
    struct http_ticket *ticket;
    char request_id[HTTP_REQUEST_ID_MAX];
    char id[CONTACT_ID_MAX], by[ERASURE_BY_MAX], key[ERASURE_KEY_TEXT];
    struct erasure receipt;
};

static int run(struct db_txn *txn, struct db_op *op)
{
    struct erasing *erasing = (struct erasing *)op;
    const struct crm_erase erase = { erasing->id, erasing->by, erasing->key, clock_real_ms() };
    char receipt[CONTACT_ID_MAX];
    int r = crm_erase_begin(txn, &erase, receipt);

    if (r == 0)
        r = crm_erase_step(txn, receipt, erase.now_ms);
    if (r < 0)
        return r;
    erasure_done(&erasing->receipt); /* of a transaction that was undone */
    erasing->receipt = (struct erasure){ 0 };
    return crm_erasure_get(txn, receipt, &erasing->receipt);
}

static const struct refusal {
    int r, status;
    const char *code, *text;
} refusals[] = {
    { -ENOENT, 404, "not_found", "there is no contact of that id; perhaps he was erased already" },
    { -EBUSY, 409, "on_call", "a call of his is not over; try again when it is" },
};

static struct json_object *shown(const struct erasing *erasing)
{
    struct json_object *json = erasure_to_json(&erasing->receipt);

    if (!json)
        return NULL;
    json_object_object_del(json, "members");
    if (json_add(json, "key", json_object_new_string(erasing->key)) < 0) {
        json_object_put(json);
        return NULL;
    }
    return json;
}

static void done(struct db_op *op, int r)
{
    struct erasing *erasing = (struct erasing *)op;
    struct refusal refusal = { r, 503, "not_kept", strerrordesc_np(-r) ?: "unknown error" };
    scoped(json_object_put) struct json_object *json = r < 0 ? NULL : shown(erasing);
    struct http_response response = { .status = erasing->receipt.done_ms ? 200 : 202, .content_type = "application/json" };
    char text[HTTP_ERROR_MAX];

    for (size_t i = 0; i < ELEMENTSOF(refusals); i++)
        if (refusals[i].r == r)
            refusal = refusals[i];
    if (r < 0)
        http_error(&response, refusal.status, refusal.code, refusal.text, erasing->request_id, text);
    else
        response.body = json ? json_print(json, &response.n_body) : NULL;
    keeper_wake(erasing->services->keeper);
    erasing->ticket->answer(erasing->ticket, &response);
    erasure_done(&erasing->receipt);
    free(erasing);
}

int erasing_take(struct http_request *request, const char *id, const char *by)
{
    struct erasing *erasing = strlen(id) < CONTACT_ID_MAX ? calloc(1, sizeof(*erasing)) : NULL;

    if (!erasing)
        return strlen(id) < CONTACT_ID_MAX ? -ENOMEM : -ENOENT;
    erasing->op = (struct db_op){ .run = run, .done = done, .what = "erasing a person" };
    erasing->services = request->context;
    (void)text_set(erasing->id, sizeof(erasing->id), id);
    (void)text_set(erasing->by, sizeof(erasing->by), by);
    memcpy(erasing->request_id, request->request_id, sizeof(erasing->request_id));
    erasure_make_key(erasing->key);
    erasing->ticket = request->later(request);
    if (!erasing->ticket) {
        free(erasing);
        return -ENOMEM;
    }
    int r = db_submit(erasing->services->db, &erasing->op);
    if (r < 0)
        done(&erasing->op, r);
    return HTTP_LATER;
}
