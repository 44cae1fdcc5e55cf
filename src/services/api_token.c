/*
 * api_token.c - the AUTH_TOKEN guard
 *
 * Every token is compared, whichever it is, in a time that depends on the lengths alone. Each has a bucket; addresses
 * that fail share FAILURES buckets by a hash whose seed nobody knows, so that memory is bounded and nobody can choose
 * with whom he shares.
 */
#include "services/api_token.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include <openssl/crypto.h>

#include "config.h"
#include "services/services.h"
#include "utils/bucket.h"
#include "utils/log.h"
#include "utils/token_list.h"

enum { FAILURES = 1024, SECOND_US = 1000000 };

struct api_gate {
    struct token_list list;
    struct bucket_rule rule, failure_rule;
    uint64_t (*now_us)(void);
    uint64_t seed;
    bucket_level levels[TOKENS_MAX];
    bucket_level failures[FAILURES];
};

int api_gate_new(const struct config *config, uint64_t (*now_us)(void), struct api_gate **ret_gate)
{
    scoped(api_gate_free) struct api_gate *gate = calloc(1, sizeof(*gate));

    if (!gate)
        return -ENOMEM;
    if (config->api_token && token_list_parse(config->api_token, &gate->list))
        return -EINVAL;
    gate->rule = (struct bucket_rule){ .burst = config->api_burst, .per_minute = config->api_per_minute };
    gate->failure_rule = (struct bucket_rule){ .burst = config->api_failures, .per_minute = config->api_failures };
    gate->now_us = now_us;
    if (getrandom(&gate->seed, sizeof(gate->seed), 0) != sizeof(gate->seed))
        return -EIO;
    *ret_gate = steal(&gate);
    return 0;
}

void api_gate_free(struct api_gate *gate)
{
    free(gate);
}

/* Returns: which token a field brings; NULL none of ours. */
static const struct token *token_of(const struct api_gate *gate, const struct http_field *field)
{
    static const char scheme[] = "bearer ";
    size_t n_scheme = sizeof(scheme) - 1;
    const struct token *found = NULL;

    if (field->n_value <= n_scheme || strncasecmp(field->value, scheme, n_scheme) != 0)
        return NULL;
    for (size_t i = 0; i < gate->list.n; i++) {
        const struct token *token = &gate->list.tokens[i];
        bool is_it = field->n_value - n_scheme == token->n && CRYPTO_memcmp(field->value + n_scheme, token->secret, token->n) == 0;
        found = is_it ? token : found;
    }
    return found;
}

static bucket_level *failures_of(struct api_gate *gate, const char *peer)
{
    uint64_t hash = gate->seed;

    for (; *peer; peer++)
        hash = (hash ^ (unsigned char)*peer) * 0x100000001b3u;
    return &gate->failures[(hash ^ hash >> 32) % FAILURES];
}

/* Behind the error's text in buffer there is room for the number. */
static int too_often(const struct http_request *request, struct http_response *response, char *buffer, uint64_t wait_us)
{
    http_error(response, 429, "too_many_requests", "You ask too often; wait as long as Retry-After says.", request->request_id,
               buffer);
    char *text = buffer + response->n_body + 1;
    int n = snprintf(text, HTTP_ERROR_MAX - response->n_body - 1, "%llu", (unsigned long long)((wait_us + SECOND_US - 1) / SECOND_US));
    response->extra[response->n_extra++] = (struct http_field){ "retry-after", 11, text, (size_t)n };
    return 1;
}

static int refuse(struct api_gate *gate, const struct http_request *request, struct http_response *response, char *buffer)
{
    uint64_t wait_us = bucket_take(failures_of(gate, request->peer), &gate->failure_rule, gate->now_us());

    if (wait_us) {
        log_limited(LOG_WARNING, NULL, "API: too many requests without a valid token");
        return too_often(request, response, buffer, wait_us);
    }
    http_error(response, 401, "unauthorized", gate->list.n ? "A valid API token is needed." : "The API is not set up.",
               request->request_id, buffer);
    response->extra[response->n_extra++] = (struct http_field){ "www-authenticate", 16, "Bearer", 6 };
    return 1;
}

int api_token_guard(struct http_request *request, struct http_response *response, char *buffer)
{
    struct api_gate *gate = ((const struct services *)request->context)->api_gate;
    const struct http_field *field = http_field(request, "authorization", 0);
    const struct token *token = field && !http_field(request, "authorization", 1) ? token_of(gate, field) : NULL;

    if (!token)
        return refuse(gate, request, response, buffer);
    uint64_t wait_us = bucket_take(&gate->levels[token - gate->list.tokens], &gate->rule, gate->now_us());
    if (wait_us) {
        log_limited(LOG_WARNING, NULL, "API: token %s asks too often", token->name);
        return too_often(request, response, buffer, wait_us);
    }
    request->caller = token->name;
    return 0;
}
