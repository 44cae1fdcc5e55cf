/*
 * http_provider.c - who is asked, what he is to know us by, and connections opened ahead
 *
 * A warm-up is a call of the provider's own: it goes the way of all calls, but what becomes of it says nothing about
 * the provider's health. It holds a reference to the provider, whose owner may let go of it.
 */
#include "services/http_provider.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utils/base64.h"
#include "utils/clock.h"
#include "utils/log.h"

enum {
    WARM_MS = 5000,       /* for a warm-up */
    WARM_FRESH_MS = 5000, /* a connection that was used so lately is there still */
};

bool http_is_warm_up(const struct http_call *call)
{
    return call == &call->provider->warm;
}

void http_wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

/* Returns: what the provider is to know us by; NULL out of memory. */
static char *credentials(const char *user, const char *key)
{
    char *pair = NULL, *basic;

    if (!user)
        return asprintf(&pair, "Bearer %s", key) < 0 ? NULL : pair;
    int n = asprintf(&pair, "%s:%s", user, key);
    if (n < 0)
        return NULL;
    basic = calloc(1, strlen("Basic ") + BASE64_SIZE((size_t)n) + 1);
    if (basic)
        base64_encode((const uint8_t *)pair, (size_t)n, stpcpy(basic, "Basic "));
    http_wipe(pair);
    return basic;
}

static void provider_unref(struct http_provider *provider)
{
    if (--provider->n_refs > 0)
        return;
    http_wipe(provider->authorization);
    free(provider->unix_socket);
    free(provider);
}

static void warmed(struct http_call *call)
{
    struct http_provider *provider = call->provider;

    if (!call->status)
        log_debug("no connection could be opened ahead: %s", call->why);
    free(steal(&call->body));
    provider->is_warming = false;
    provider_unref(provider);
}

int http_provider_new(struct http_client *client, const struct http_provider_options *options,
                      struct http_provider **ret_provider)
{
    scoped(http_provider_free) struct http_provider *provider = calloc(1, sizeof(*provider));
    const char *user = options->user, *key = options->key;

    if (!provider)
        return -ENOMEM;
    provider->n_refs = 1;
    provider->client = client;
    provider->connect_ms = options->connect_ms;
    provider->is_unguarded = options->is_unguarded || options->unix_socket; /* to find nobody there costs nothing */
    provider->warm = (struct http_call){ .provider = provider, .first_byte_ms = WARM_MS, .stall_ms = WARM_MS,
                                         .total_ms = WARM_MS, .done = warmed };
    int r = options->path ? http_join(options->base_url, options->path, provider->url, sizeof(provider->url))
                          : http_take(options->base_url, provider->url, sizeof(provider->url));
    if (r < 0)
        return r;
    if (key && (!http_is_line(key) || (user && (!http_is_line(user) || strchr(user, ':')))))
        return -EINVAL;
    if (key && !(provider->authorization = credentials(user, key)))
        return -ENOMEM;
    if (options->unix_socket && !(provider->unix_socket = strdup(options->unix_socket)))
        return -ENOMEM;
    *ret_provider = steal(&provider);
    return 0;
}

void http_provider_free(struct http_provider *provider)
{
    if (provider)
        provider_unref(provider);
}

void http_provider_stats(struct http_provider *provider, struct http_provider_stats *ret_stats)
{
    *ret_stats = (struct http_provider_stats){
        .n_calls = provider->n_calls,
        .n_failed = provider->n_failed,
        .n_retries = provider->n_retries,
        .n_refused = provider->n_refused,
        .n_connections = provider->n_connections,
        .n_warmed = provider->n_warmed,
        .is_open = provider->is_open,
    };
    histogram_sum(&provider->took_us, &ret_stats->took_us);
}

void http_warm(struct http_provider *provider)
{
    uint64_t used_ms = provider->used_ms;
    bool is_fresh = used_ms && clock_mono_ms() - used_ms < WARM_FRESH_MS;

    if (is_fresh || provider->is_open || atomic_exchange(&provider->is_warming, true))
        return;
    provider->n_refs++;
    http_start(&provider->warm);
}
