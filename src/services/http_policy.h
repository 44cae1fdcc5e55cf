#pragma once
/*
 * http_policy.h - what to do about a provider that fails: whether to ask it, whether to ask again, and when
 *
 * No clock, no chance and no network of its own. Thread: whoever owns the struct.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Under it nothing is asked again; also for what a header says in milliseconds. */
enum { HTTP_NO_DELAY = -1 };

struct http_failure {
    int r;                  /* -errno when there was no answer; 0: see status */
    unsigned status;        /* of HTTP; 0 none */
    int64_t retry_after_ms; /* what the answer asks for, or HTTP_NO_DELAY */
    bool may_retry_said, may_retry; /* x-should-retry */
    bool is_spent;          /* the account has nothing left: 429 until somebody pays */
};

/* Take one line of the answer's header, status line first; not terminated. Retry-After is not read here. */
void http_failure_header(struct http_failure *failure, const char *line, size_t n);

/* Whether the provider is to blame, rather than the request or our own haste. */
bool http_failure_counts(const struct http_failure *failure);

/*
 * How long to wait before attempt number n_tried + 1.
 *
 * random: 32 bits of chance, for the jitter.
 * Returns: HTTP_NO_DELAY it is no use, or the answer could not come within left_ms.
 */
int64_t http_retry_delay(const struct http_failure *failure, unsigned n_tried, uint64_t left_ms, uint32_t random);

/* Opens after failures in a row; then lets one call through now and then, and closes when that succeeds. */
struct http_breaker {
    unsigned n_failed; /* in a row */
    uint64_t open_until_ms, open_ms; /* 0: closed */
    bool is_probing;
};

bool http_breaker_admit(struct http_breaker *breaker, uint64_t now_ms);
/* One of these for every call that was admitted. */
void http_breaker_good(struct http_breaker *breaker);
void http_breaker_bad(struct http_breaker *breaker, uint64_t now_ms, int64_t retry_after_ms);
void http_breaker_unknown(struct http_breaker *breaker); /* given up by ourselves */

/*
 * The URL of path below base: "/v1" is neither doubled nor forgotten, and a base that names the whole is the whole.
 *
 * Errors: -EINVAL base is none of a service, see url_is_service(); -EMSGSIZE.
 */
int http_join(const char *base, const char *path, char *ret_url, size_t size);

/* The same of one that names the whole, as it stands. */
int http_take(const char *url, char *ret_url, size_t size);

/* What may stand in a header: no control characters, which could end it and begin another. */
bool http_is_line(const char *text);
