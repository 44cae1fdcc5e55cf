/*
 * baileys_forget.c - has the linked device's program forget somebody, and waits for it
 *
 * One at a time, for the keeper's thread. What it is told is on its disk when it answers; it may be told again.
 */
#include "services/whatsapp/baileys.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "services/http_client.h"
#include "utils/json.h"

enum { ANSWER_MS = 10000, CONNECT_MS = 1000, BODY_MAX = 4096 };

struct baileys_forgetter {
    struct http_call call; /* first */
    struct http_provider *provider;
    sem_t answered;
};

static void answered(struct http_call *call)
{
    struct baileys_forgetter *forgetter = (struct baileys_forgetter *)call;

    sem_post(&forgetter->answered);
}

static struct json_object *request_json(const char *address, uint64_t before_ms)
{
    scoped(json_object_put) struct json_object *json = json_object_new_object();
    const char *to = baileys_bare(address);
    int r = json ? json_add(json, "to", json_text(to, strlen(to))) : -ENOMEM;

    if (r == 0)
        r = json_add(json, "action", json_object_new_string("forget"));
    if (r == 0)
        r = json_add(json, "before", json_object_new_int64((int64_t)before_ms));
    return r < 0 ? NULL : steal(&json);
}

int baileys_forget(struct baileys_forgetter *forgetter, const char *address, uint64_t before_ms)
{
    scoped(json_object_put) struct json_object *json = request_json(address, before_ms);
    struct http_call *call = &forgetter->call;

    call->content = json ? json_print(json, &call->n_content) : NULL;
    if (!call->content)
        return -ENOMEM;
    http_start(call);
    while (sem_wait(&forgetter->answered) < 0)
        continue;
    call->content = NULL;
    free(steal(&call->body));
    return call->r;
}

void baileys_forgetter_start(struct baileys_forgetter *forgetter)
{
    forgetter->call.is_unwanted = false;
}

void baileys_forgetter_stop(struct baileys_forgetter *forgetter)
{
    http_abort(&forgetter->call);
}

int baileys_forgetter_new(struct http_client *client, const char *socket, struct baileys_forgetter **ret_forgetter)
{
    struct baileys_forgetter *forgetter = calloc(1, sizeof(*forgetter));
    struct http_provider_options options = { .base_url = "http://baileys", .path = "chat", .unix_socket = socket,
                                             .connect_ms = CONNECT_MS };
    int r = forgetter ? http_provider_new(client, &options, &forgetter->provider) : -ENOMEM;

    if (r < 0) {
        free(forgetter);
        return r;
    }
    (void)sem_init(&forgetter->answered, 0, 0);
    forgetter->call = (struct http_call){ .provider = forgetter->provider, .content_type = "application/json", .is_repeatable = true,
                                          .first_byte_ms = ANSWER_MS, .stall_ms = ANSWER_MS, .total_ms = ANSWER_MS,
                                          .body_max = BODY_MAX, .done = answered };
    *ret_forgetter = forgetter;
    return 0;
}

void baileys_forgetter_free(struct baileys_forgetter *forgetter)
{
    if (!forgetter)
        return;
    http_provider_free(forgetter->provider);
    sem_destroy(&forgetter->answered);
    free(forgetter);
}
