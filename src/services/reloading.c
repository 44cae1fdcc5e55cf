/*
 * reloading.c - who asked for a reload, and is told what came of it
 */
#include "services/reloading.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "utils/json.h"

struct reloading {
    _Atomic(struct http_ticket *) ticket;
};

int reloading_new(struct reloading **ret_reloading)
{
    struct reloading *reloading = calloc(1, sizeof(*reloading));

    if (!reloading)
        return -ENOMEM;
    *ret_reloading = reloading;
    return 0;
}

void reloading_free(struct reloading *reloading)
{
    if (!reloading)
        return;
    reloading_tell(reloading, 0, "the daemon stops");
    free(reloading);
}

int reloading_ask(struct reloading *reloading, struct http_ticket *ticket)
{
    struct http_ticket *nobody = NULL;

    if (!atomic_compare_exchange_strong(&reloading->ticket, &nobody, ticket))
        return -EALREADY;
    return kill(getpid(), SIGHUP) < 0 ? -errno : 0;
}

void reloading_tell(struct reloading *reloading, int pid, const char *why)
{
    struct http_ticket *ticket = atomic_exchange(&reloading->ticket, NULL);
    scoped(json_object_put) struct json_object *json = NULL;
    struct http_response response = { .status = pid ? 200 : 503, .content_type = "application/json" };

    if (!ticket)
        return;
    json = json_object_new_object();
    if (pid)
        json_object_object_add(json, "pid", json_object_new_int(pid));
    else
        json_object_object_add(json, "why", json_text(why, strlen(why)));
    response.body = json_print(json, &response.n_body);
    ticket->answer(ticket, &response);
}
