#pragma once
/* http_provider.h - what http_client.c knows of who is asked; for it alone */

#include "services/http_client.h"
#include "services/http_policy.h"

enum { HTTP_URL_MAX = 2048 };

struct http_provider {
    struct http_client *client;
    struct http_breaker breaker; /* the client's thread, as all that is neither atomic nor constant */
    char url[HTTP_URL_MAX];
    char *authorization; /* NULL none */
    char *unix_socket;   /* NULL none */
    unsigned connect_ms;
    bool is_unguarded;
    _Atomic unsigned n_refs; /* its owner's, and the warm-up's */
    _Atomic uint64_t n_calls, n_failed, n_retries, n_refused, n_connections, n_warmed;
    _Atomic bool is_open;
    struct histogram took_us;
    struct http_call warm; /* whose is_warming is */
    _Atomic bool is_warming;
    _Atomic uint64_t used_ms; /* when it answered last; 0 never */
};

/* Whether it is the provider's own: a HEAD without its key, of whose end nobody learns. */
bool http_is_warm_up(const struct http_call *call);

void http_wipe(char *text); /* and frees it; NULL is fine */
