/*
 * http_policy.c - what to do about a provider that fails
 *
 * Somebody is waiting on the telephone: so attempts follow each other quickly, a wait that leaves no time for an
 * answer is not begun, and a provider that failed a few times in a row is left alone instead of being waited for.
 */
#include "services/http_policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "utils/backoff.h"
#include "utils/url.h"

enum {
    TRIES_MAX = 3,
    BACKOFF_MS = 100,
    BACKOFF_MAX_MS = 1000,
    ANSWER_MS = 200,  /* what an answer takes at least */
    TRIP_AFTER = 3,
    OPEN_MS = 5000, /* doubled with each probe that fails */
    OPEN_MAX_MS = 60000,
};

bool http_failure_counts(const struct http_failure *failure)
{
    if (failure->r < 0)
        return failure->r != -ECANCELED && failure->r != -ENOMEM && failure->r != -EAGAIN;
    return failure->status >= 500 || failure->status == 401 || failure->status == 403 || failure->status == 408 ||
           failure->status == 429;
}

void http_failure_header(struct http_failure *failure, const char *line, size_t n)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "%.*s", (int)(n < sizeof(text) - 1 ? n : sizeof(text) - 1), line);
    if (strncasecmp(text, "HTTP/", 5) == 0)
        *failure = (struct http_failure){ .retry_after_ms = HTTP_NO_DELAY }; /* what came before was a 100 */
    else if (strncasecmp(text, "retry-after-ms:", 15) == 0)
        failure->retry_after_ms = (int64_t)strtoul(text + 15, NULL, 10);
    else if (strncasecmp(text, "x-should-retry:", 15) == 0) {
        failure->may_retry_said = true;
        failure->may_retry = strstr(text + 15, "true") != NULL;
    }
}

/* Another attempt may end otherwise. */
static bool may_pass(const struct http_failure *failure)
{
    if (failure->may_retry_said)
        return failure->may_retry;
    if (failure->is_spent)
        return false;
    if (failure->r < 0)
        return failure->r == -ECONNREFUSED || failure->r == -ECONNRESET;
    return failure->status >= 500 || failure->status == 408 || failure->status == 409 || failure->status == 429;
}

int64_t http_retry_delay(const struct http_failure *failure, unsigned n_tried, uint64_t left_ms, uint32_t random)
{
    if (n_tried >= TRIES_MAX || !may_pass(failure))
        return HTTP_NO_DELAY;

    uint64_t delay_ms = backoff_ms(BACKOFF_MS, BACKOFF_MAX_MS, n_tried - 1, random);
    if (failure->retry_after_ms > (int64_t)delay_ms)
        delay_ms = (uint64_t)failure->retry_after_ms;
    return delay_ms + ANSWER_MS <= left_ms ? (int64_t)delay_ms : HTTP_NO_DELAY;
}

bool http_breaker_admit(struct http_breaker *breaker, uint64_t now_ms)
{
    if (!breaker->open_ms)
        return true;
    if (breaker->is_probing || now_ms < breaker->open_until_ms)
        return false;
    breaker->is_probing = true;
    return true;
}

void http_breaker_good(struct http_breaker *breaker)
{
    *breaker = (struct http_breaker){ 0 };
}

void http_breaker_bad(struct http_breaker *breaker, uint64_t now_ms, int64_t retry_after_ms)
{
    bool probe = breaker->is_probing;

    breaker->is_probing = false;
    breaker->n_failed++;
    if (retry_after_ms <= 0 && breaker->n_failed < TRIP_AFTER)
        return;
    if (breaker->open_ms && !probe)
        return; /* one that was under way when it opened */
    breaker->open_ms = breaker->open_ms ? 2 * breaker->open_ms : OPEN_MS;
    if (retry_after_ms > 0)
        breaker->open_ms = (uint64_t)retry_after_ms; /* it knows best */
    if (breaker->open_ms > OPEN_MAX_MS)
        breaker->open_ms = OPEN_MAX_MS;
    breaker->open_until_ms = now_ms + breaker->open_ms;
}

void http_breaker_unknown(struct http_breaker *breaker)
{
    breaker->is_probing = false;
}

int http_join(const char *base, const char *path, char *ret_url, size_t size)
{
    size_t n_scheme = strncmp(base, "http://", 7) == 0 ? 7 : strncmp(base, "https://", 8) == 0 ? 8 : 0;
    size_t n = strlen(base), n_path = strlen(path);

    while (n > n_scheme && base[n - 1] == '/')
        n--;
    if (!url_is_service(base))
        return -EINVAL;

    bool is_whole = n > n_path + 1 && base[n - n_path - 1] == '/' && memcmp(base + n - n_path, path, n_path) == 0;
    bool is_bare = !memchr(base + n_scheme, '/', n - n_scheme);
    int n_url = snprintf(ret_url, size, "%.*s%s%s", (int)n, base, is_whole ? "" : is_bare ? "/v1/" : "/",
                         is_whole ? "" : path);
    return n_url < (int)size ? 0 : -EMSGSIZE;
}

int http_take(const char *url, char *ret_url, size_t size)
{
    if (!url_is_service(url))
        return -EINVAL;
    return snprintf(ret_url, size, "%s", url) < (int)size ? 0 : -EMSGSIZE;
}

bool http_is_line(const char *text)
{
    while (*text && (unsigned char)*text >= ' ' && *text != 0x7f)
        text++;
    return !*text;
}
