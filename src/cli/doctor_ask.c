/*
 * cli/doctor_ask.c - one request, waited for
 */
#include "cli/doctor.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CONNECT_MS = 4000 };

struct waiting {
    struct http_call call; /* first */
    sem_t over;
};

static void on_done(struct http_call *call)
{
    sem_post(&((struct waiting *)call)->over);
}

void doctor_answer_done(struct doctor_answer *answer)
{
    free(answer->body);
}

/* Only over TLS is it known who said what time it is. */
static void note_clock(struct doctor *doctor, const struct ask *ask, int64_t date_s)
{
    if (!date_s || strncmp(ask->url, "https://", 8) != 0)
        return;
    doctor->skew_s = (int64_t)time(NULL) - date_s;
    doctor->has_skew = true;
    (void)snprintf(doctor->skew_by, sizeof(doctor->skew_by), "%.*s", (int)strcspn(ask->url + 8, "/?"), ask->url + 8);
}

void doctor_ask(struct doctor *doctor, const struct ask *ask, struct doctor_answer *ret_answer)
{
    struct http_provider_options options = { .base_url = ask->url, .path = ask->path, .user = ask->user, .key = ask->key,
                                             .connect_ms = CONNECT_MS, .unix_socket = ask->unix_socket };
    scoped(http_provider_free) struct http_provider *provider = NULL;
    const struct http_header header = { ask->header, ask->value };
    struct waiting waiting;
    int r = http_provider_new(doctor->client, &options, &provider);

    *ret_answer = (struct doctor_answer){ .r = r };
    if (r < 0) {
        (void)snprintf(ret_answer->why, sizeof(ret_answer->why), "%s", r == -EINVAL ? "the URL or the key is none" : strerror(-r));
        return;
    }
    waiting.call = (struct http_call){
        .provider = provider,
        .query = ask->content ? NULL : ask->query ?: "",
        .content = ask->content,
        .n_content = ask->content ? strlen(ask->content) : 0,
        .content_type = ask->content_type,
        .bearer = ask->bearer,
        .headers = &header,
        .n_headers = ask->header ? 1 : 0,
        .first_byte_ms = DOCTOR_PATIENCE_MS,
        .stall_ms = DOCTOR_PATIENCE_MS,
        .total_ms = DOCTOR_PATIENCE_MS,
        .body_max = DOCTOR_BODY_MAX,
        .done = on_done,
    };
    sem_init(&waiting.over, 0, 0);
    http_start(&waiting.call);
    while (sem_wait(&waiting.over) < 0)
        ;
    sem_destroy(&waiting.over);
    *ret_answer = (struct doctor_answer){ .r = waiting.call.r, .status = waiting.call.status, .body = waiting.call.body };
    (void)snprintf(ret_answer->why, sizeof(ret_answer->why), "%s", waiting.call.why ?: "");
    note_clock(doctor, ask, waiting.call.date_s);
}
