#pragma once
/* fake_request.h - an HTTP request without a socket, and what became of it */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"

enum { FAKE_FIELDS_MAX = 8 };

struct fake_request {
    struct http_request request;
    struct http_field fields[FAKE_FIELDS_MAX];
    struct http_ticket ticket;
    struct http_response response; /* body is body[] */
    char body[128 * 1024];
    int n_answers;
    int later_fails; /* out of memory */
};

static void fake_answer(struct http_ticket *ticket, const struct http_response *response)
{
    struct fake_request *fake =
        (struct fake_request *)((char *)ticket - offsetof(struct fake_request, ticket));

    fake->response = *response;
    if (response->n_body < sizeof(fake->body)) {
        if (response->n_body)
            memmove(fake->body, response->body, response->n_body);
        fake->body[response->n_body] = '\0';
    }
    fake->response.body = fake->body;
    fake->n_answers++;
}

static struct http_ticket *fake_later(struct http_request *request)
{
    struct fake_request *fake =
        (struct fake_request *)((char *)request - offsetof(struct fake_request, request));

    return fake->later_fails ? NULL : &fake->ticket;
}

/* Every string must outlive the request. */
static void fake_request(struct fake_request *fake, const char *method, const char *target,
                         const char *body, void *context)
{
    const char *query = strchr(target, '?');

    *fake = (struct fake_request){ .ticket.answer = fake_answer };
    fake->request = (struct http_request){
        .method = method,
        .path = target,
        .target = target,
        .query = query ? query + 1 : "",
        .param = "",
        .body = body,
        .n_body = body ? strlen(body) : 0,
        .fields = fake->fields,
        .request_id = "test",
        .peer = "192.0.2.1",
        .context = context,
        .later = fake_later,
    };
}

__attribute__((unused)) static void fake_field(struct fake_request *fake, const char *name,
                                               const char *value)
{
    fake->fields[fake->request.n_fields++] =
        (struct http_field){ name, strlen(name), value, strlen(value) };
}
