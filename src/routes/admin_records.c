/*
 * routes/admin_records.c - what the command line imports and forgets, on the admin socket
 */
#include "routes/routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "config.h"
#include "routes/erasing.h"
#include "services/import_batch.h"
#include "services/keeper.h"
#include "services/services.h"
#include "utils/json.h"

static int erase_post(struct http_request *request, struct http_response *response)
{
    return erasing_take(request, request->param, "command line");
}

/* --- lines of an import: a batch is one write, short enough for calls to go on */

struct importing {
    struct import_batch batch; /* first */
    struct http_ticket *ticket;
    char request_id[HTTP_REQUEST_ID_MAX];
};

static void imported(struct db_op *op, int r)
{
    struct importing *importing = (struct importing *)op;
    scoped(json_object_put) struct json_object *json = r < 0 ? NULL : import_batch_report(&importing->batch);
    struct http_response response = { .content_type = "application/json" };
    char text[HTTP_ERROR_MAX];

    if (r < 0)
        http_error(&response, 503, "not_kept", strerrordesc_np(-r) ?: "unknown error", importing->request_id, text);
    else
        response.body = json ? json_print(json, &response.n_body) : NULL;
    importing->ticket->answer(importing->ticket, &response);
    import_batch_done(&importing->batch);
    free(importing);
}

static int import_post(struct http_request *request, struct http_response *response)
{
    const struct services *services = request->context;
    struct importing *importing = calloc(1, sizeof(*importing));
    int r = importing ? import_batch_init(&importing->batch, request->body, request->n_body, services->config->default_country) : -ENOMEM;

    if (r == 0) {
        importing->batch.op.done = imported;
        memcpy(importing->request_id, request->request_id, sizeof(importing->request_id));
        importing->ticket = request->later(request);
        r = importing->ticket ? 0 : -ENOMEM;
    }
    if (r < 0) {
        if (importing)
            import_batch_done(&importing->batch);
        free(importing);
        return r == -EBADMSG ? -EINVAL : r;
    }
    r = db_submit(services->db, &importing->batch.op);
    if (r < 0)
        imported(&importing->batch.op, r);
    return HTTP_LATER;
}

static int retention_post(struct http_request *request, struct http_response *response)
{
    const struct services *services = request->context;

    keeper_forget(services->keeper);
    response->status = 202;
    return HTTP_DONE;
}

static const struct route routes[] = {
    { "POST", "/erase/{id}", AUTH_LOCAL, 0, erase_post, "Erase a person and all that is his" },
    { "POST", "/retention", AUTH_LOCAL, 0, retention_post, "Forget what is kept long enough, now" },
    { "POST", "/import", AUTH_LOCAL, IMPORT_BATCH_BYTES, import_post, "Take some lines of an import" },
};

const struct blueprint admin_records = BLUEPRINT("admin_records", "/admin/records", routes);
