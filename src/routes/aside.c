/*
 * aside.c - handlers that may take their time, on threads of their own
 *
 *   loop     copy the request's line, promise an answer, queue the handler
 *   engine   run it; the promise it asks for is the one that was given
 *
 * Of the request there is its line and who sent it, but neither fields nor a body: they go with the client, who need not
 * wait.
 */
#include "routes/aside.h"

#include <errno.h>
#include <stdlib.h>

#include "services/engine.h"
#include "services/services.h"
#include "utils/scoped.h"

struct aside {
    struct engine_job job; /* first */
    int (*handler)(struct http_request *request, struct http_response *response);
    struct http_request request;
    char *storage; /* of its texts */
    struct http_ticket *ticket; /* NULL: the handler has it */
};

static struct http_ticket *hand_over(struct http_request *request)
{
    struct aside *aside = (struct aside *)((char *)request - offsetof(struct aside, request));

    return steal(&aside->ticket);
}

/* The work is done by done(), after which the engine does not look at the job any more: it is gone. */
static void run_nothing(struct engine_job *job, unsigned thread)
{
}

static void end(struct aside *aside, int r, struct http_response *response)
{
    char error[HTTP_ERROR_MAX];

    if (r < 0)
        (void)router_fail(&aside->request, response, r, error);
    if (aside->ticket)
        aside->ticket->answer(aside->ticket, response);
    free(aside->storage);
    free(aside);
}

static void work(struct engine_job *job)
{
    struct aside *aside = (struct aside *)job;
    struct http_response response = { 0 };

    end(aside, aside->handler(&aside->request, &response), &response);
}

int aside_take(const struct route *route, struct http_request *request)
{
    const struct services *services = request->context;
    struct aside *aside = calloc(1, sizeof(*aside));
    int r = aside ? http_request_copy(request, &aside->request, &aside->storage) : -ENOMEM;

    if (r == 0)
        r = (aside->ticket = request->later(request)) ? 0 : -ENOMEM;
    if (r < 0) {
        if (aside)
            free(aside->storage);
        free(aside);
        return r;
    }
    aside->job = (struct engine_job){ .run = run_nothing, .done = work };
    aside->handler = route->handler;
    aside->request.later = hand_over;
    r = engine_submit(services->read_engine, &aside->job);
    if (r < 0)
        end(aside, r, &(struct http_response){ 0 });
    return HTTP_LATER;
}
