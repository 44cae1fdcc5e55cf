/*
 * routes/admin_events.c - what the command line asks about endpoints that are told of events, on the admin socket
 *
 * again/NAME?seq=N sends a dead letter once more, or all of them without seq; resume/NAME asks an endpoint at once that
 * was left alone. Both answer {"letters":N}: how many are wanted again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "routes/routes.h"
#include "services/event_hooks.h"
#include "services/hook_store.h"
#include "services/services.h"
#include "utils/form.h"

struct again {
    struct db_op op; /* first */
    struct event_hooks *hooks;
    struct http_ticket *ticket;
    char request_id[HTTP_REQUEST_ID_MAX];
    char hook[HOOK_NAME_MAX];
    uint64_t seq; /* 0: all */
};

static int run_again(struct db_txn *txn, struct db_op *op)
{
    struct again *again = (struct again *)op;

    return letter_again(txn, again->hook, again->seq);
}

static void answer(struct again *again, int r)
{
    struct http_response response = { .content_type = "application/json" };
    char text[HTTP_ERROR_MAX];

    if (r >= 0)
        r = event_hooks_resume(again->hooks, again->hook) ?: r;
    if (r == -ENOENT) {
        http_error(&response, 404, "not_found", "there is no such endpoint in EVENT_WEBHOOK_URL, or it has no such dead letter",
                   again->request_id, text);
    } else if (r < 0) {
        http_error(&response, 503, "not_kept", strerrordesc_np(-r) ?: "unknown error", again->request_id, text);
    } else {
        response.n_body = (size_t)snprintf(text, sizeof(text), "{\"letters\":%d}", r);
        response.body = text;
    }
    again->ticket->answer(again->ticket, &response);
    free(again);
}

/* Writer thread. */
static void again_done(struct db_op *op, int r)
{
    answer((struct again *)op, r);
}

/* "seq=5". Errors: -EINVAL. */
static int read_seq(const struct http_request *request, uint64_t *ret_seq)
{
    struct form form;
    int r = form_parse(request->query, strlen(request->query), 1, &form);

    if (r < 0)
        return r == -ENOMEM ? r : -EINVAL;
    const struct form_field *field = form_get(&form, "seq");
    char *end = NULL;
    *ret_seq = field ? strtoull(field->value, &end, 10) : 0;
    r = field && (*end || *ret_seq == 0) ? -EINVAL : 0;
    form_done(&form);
    return r;
}

static int take(struct http_request *request, struct again **ret_again)
{
    const struct services *services = request->context;
    struct again *again = strlen(request->param) < HOOK_NAME_MAX ? calloc(1, sizeof(*again)) : NULL;

    if (!again)
        return strlen(request->param) < HOOK_NAME_MAX ? -ENOMEM : -ENOENT;
    int r = read_seq(request, &again->seq);
    if (r == 0 && !(again->ticket = request->later(request)))
        r = -ENOMEM;
    if (r < 0) {
        free(again);
        return r;
    }
    again->hooks = services->event_hooks;
    strcpy(again->hook, request->param);
    memcpy(again->request_id, request->request_id, sizeof(again->request_id));
    *ret_again = again;
    return 0;
}

static int again_post(struct http_request *request, struct http_response *response)
{
    const struct services *services = request->context;
    struct again *again;
    int r = take(request, &again);

    if (r < 0)
        return r;
    again->op = (struct db_op){ .run = run_again, .done = again_done, .what = "dead letters again" };
    r = db_submit(services->db, &again->op);
    if (r < 0)
        answer(again, r);
    return HTTP_LATER;
}

static int resume_post(struct http_request *request, struct http_response *response)
{
    struct again *again;
    int r = take(request, &again);

    if (r < 0)
        return r;
    answer(again, 0);
    return HTTP_LATER;
}

static const struct route routes[] = {
    { "POST", "/again/{hook}", AUTH_LOCAL, 0, again_post, "Send events again that an endpoint never took" },
    { "POST", "/resume/{hook}", AUTH_LOCAL, 0, resume_post, "Tell an endpoint of events again at once" },
};

const struct blueprint admin_events = BLUEPRINT("admin_events", "/admin/events", routes);
