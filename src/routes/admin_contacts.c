/*
 * routes/admin_contacts.c - what the command line changes about contacts, on the admin socket
 *
 * What is to be done comes in the query of the URL: merge?into=C1&from=C2, unmerge?id=C2, edit?id=C1&tag=vip,
 * task?id=T1&state=done. The answer is {"changed":true}, or false when it was so before.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "routes/routes.h"
#include "services/crm_agent.h"
#include "services/crm_contacts.h"
#include "services/crm_tasks.h"
#include "services/services.h"
#include "services/whatsapp/provider.h"
#include "utils/clock.h"
#include "utils/form.h"
#include "utils/json.h"

enum { FIELDS_MAX = 8 };

struct change {
    struct db_op op; /* first */
    int (*make)(struct db_txn *txn, struct change *change);
    struct form query;
    const struct services *services;
    struct http_ticket *ticket;
    char request_id[HTTP_REQUEST_ID_MAX];
};

static const char *asked(const struct change *change, const char *name)
{
    const struct form_field *field = form_get(&change->query, name);

    return field ? field->value : "";
}

static int merge(struct db_txn *txn, struct change *change)
{
    return crm_contact_merge(txn, asked(change, "into"), asked(change, "from"), "by hand", clock_real_ms());
}

static int unmerge(struct db_txn *txn, struct change *change)
{
    return crm_contact_unmerge(txn, asked(change, "id"), clock_real_ms());
}

static struct json_object *one_tag(const char *tag)
{
    struct json_object *array = tag[0] ? json_object_new_array() : NULL;

    if (array && json_append(array, json_text(tag, strlen(tag))) < 0) {
        json_object_put(array);
        return NULL;
    }
    return array;
}

static int edit(struct db_txn *txn, struct change *change)
{
    scoped(json_object_put) struct json_object *tags = one_tag(asked(change, "tag")), *no_tags = one_tag(asked(change, "no_tag"));
    const char *stage = asked(change, "stage");
    struct contact_edit edit = { .stage = stage[0] ? contact_stage_parse(stage) : -1, .tags = tags, .no_tags = no_tags };

    if ((stage[0] && edit.stage < 0) || strlen(asked(change, "tag")) >= CONTACT_TAG_MAX)
        return -EINVAL;
    return crm_contact_edit(txn, asked(change, "id"), &edit, clock_real_ms());
}

static int task(struct db_txn *txn, struct change *change)
{
    int state = task_state_parse(asked(change, "state"));

    return state < 0 ? -EINVAL
                     : crm_task_edit(txn, asked(change, "id"), &(struct task_edit){ .state = state }, clock_real_ms());
}

static int agent(struct db_txn *txn, struct change *change)
{
    const char *wanted = asked(change, "agent"), *id = asked(change, "id");

    return strcmp(wanted, "silent") == 0 ? crm_agent_silence(txn, id, clock_real_ms())
           : strcmp(wanted, "on") == 0   ? crm_agent_release(txn, id, clock_real_ms())
                                         : -EINVAL;
}

static int read_messages(struct db_txn *txn, struct change *change)
{
    struct crm_reading reading;

    return whatsapp_read(change->services->whatsapp, txn, asked(change, "id"), "", clock_real_ms(), &reading);
}

static const struct {
    int r, status;
    const char *code, *text;
} refusals[] = {
    { -ENOENT, 404, "not_found", "there is no contact or task of that id" },
    { -EINVAL, 422, "bad_value", "there is no such stage, tag, state or id" },
    { -EALREADY, 409, "not_merged", "it was not merged into another one" },
    { -EMLINK, 409, "too_many", "too many contacts are one already" },
};

static void answer(struct db_op *op, int r)
{
    struct change *change = (struct change *)op;
    struct http_response response = { .content_type = "application/json", .body = r ? "{\"changed\":false}" : "{\"changed\":true}" };
    char text[HTTP_ERROR_MAX];

    if (r < 0)
        http_error(&response, 503, "not_kept", strerrordesc_np(-r) ?: "unknown error", change->request_id, text);
    else
        response.n_body = strlen(response.body);
    for (size_t i = 0; i < ELEMENTSOF(refusals); i++)
        if (refusals[i].r == r)
            http_error(&response, refusals[i].status, refusals[i].code, refusals[i].text, change->request_id, text);
    change->ticket->answer(change->ticket, &response);
    form_done(&change->query);
    free(change);
}

static int run(struct db_txn *txn, struct db_op *op)
{
    struct change *change = (struct change *)op;

    return change->make(txn, change);
}

static int take(struct http_request *request, int (*make)(struct db_txn *txn, struct change *change))
{
    const struct services *services = request->context;
    struct change *change = calloc(1, sizeof(*change));
    int r = change ? form_parse(request->query, strlen(request->query), FIELDS_MAX, &change->query) : -ENOMEM;

    if (r < 0) {
        free(change);
        return r;
    }
    change->op = (struct db_op){ .run = run, .done = answer, .what = "a change of a contact" };
    change->make = make;
    change->services = services;
    memcpy(change->request_id, request->request_id, sizeof(change->request_id));
    change->ticket = request->later(request);
    if (!change->ticket) {
        form_done(&change->query);
        free(change);
        return -ENOMEM;
    }
    r = db_submit(services->db, &change->op);
    if (r < 0)
        answer(&change->op, r);
    return HTTP_LATER;
}

static int merge_post(struct http_request *request, struct http_response *response)
{
    return take(request, merge);
}

static int unmerge_post(struct http_request *request, struct http_response *response)
{
    return take(request, unmerge);
}

static int edit_post(struct http_request *request, struct http_response *response)
{
    return take(request, edit);
}

static int agent_post(struct http_request *request, struct http_response *response)
{
    return take(request, agent);
}

static int read_post(struct http_request *request, struct http_response *response)
{
    return take(request, read_messages);
}

static int task_post(struct http_request *request, struct http_response *response)
{
    return take(request, task);
}

static const struct route routes[] = {
    { "POST", "/agent", AUTH_LOCAL, 0, agent_post, "Have the agent answer somebody on WhatsApp, or be silent" },
    { "POST", "/merge", AUTH_LOCAL, 0, merge_post, "Two contacts are one" },
    { "POST", "/unmerge", AUTH_LOCAL, 0, unmerge_post, "They are not after all" },
    { "POST", "/edit", AUTH_LOCAL, 0, edit_post, "Set a contact's stage, or a tag" },
    { "POST", "/read", AUTH_LOCAL, 0, read_post, "What a contact wrote is read" },
    { "POST", "/task", AUTH_LOCAL, 0, task_post, "Set a task's state" },
};

const struct blueprint admin_contacts = BLUEPRINT("admin_contacts", "/admin/contacts", routes);
