/*
 * test_http_policy.c - when to ask again, when to leave alone, and where
 */
#include "services/http_policy.h"

#include <errno.h>
#include <string.h>

#include "tap.h"
#include "utils/scoped.h"

static void test_retry(void)
{
    static const struct {
        const char *what;
        struct http_failure failure;
        unsigned n_tried;
        uint64_t left_ms;
        uint32_t random;
        int64_t want_ms;
    } rows[] = {
        { "500 is asked again", { .status = 500, .retry_after_ms = -1 }, 1, 2000, 0, 100 },
        { "with jitter", { .status = 500, .retry_after_ms = -1 }, 1, 2000, UINT32_MAX, 76 },
        { "longer the second time", { .status = 500, .retry_after_ms = -1 }, 2, 2000, 0, 200 },
        { "not a third", { .status = 500, .retry_after_ms = -1 }, 3, 2000, 0, -1 },
        { "not without time for it", { .status = 500, .retry_after_ms = -1 }, 1, 250, 0, -1 },
        { "429 when it says", { .status = 429, .retry_after_ms = 700 }, 1, 2000, 0, 700 },
        { "429 not when that is too late", { .status = 429, .retry_after_ms = 20000 }, 1, 2000, 0, -1 },
        { "429 not without money", { .status = 429, .retry_after_ms = -1, .is_spent = true }, 1, 2000, 0, -1 },
        { "x-should-retry: false", { .status = 500, .retry_after_ms = -1, .may_retry_said = true }, 1, 2000, 0, -1 },
        { "x-should-retry: true", { .status = 400, .retry_after_ms = -1, .may_retry_said = true, .may_retry = true }, 1, 2000, 0, 100 },
        { "401 not", { .status = 401, .retry_after_ms = -1 }, 1, 2000, 0, -1 },
        { "400 not", { .status = 400, .retry_after_ms = -1 }, 1, 2000, 0, -1 },
        { "a reset is", { .r = -ECONNRESET, .retry_after_ms = -1 }, 1, 2000, 0, 100 },
        { "silence not", { .r = -ETIMEDOUT, .retry_after_ms = -1 }, 1, 2000, 0, -1 },
        { "a bad certificate not", { .r = -EPROTO, .retry_after_ms = -1 }, 1, 2000, 0, -1 },
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++)
        is_int(http_retry_delay(&rows[i].failure, rows[i].n_tried, rows[i].left_ms, rows[i].random), rows[i].want_ms,
               rows[i].what);
}

static void test_headers(void)
{
    static const struct {
        const char *lines[3];
        int64_t retry_after_ms;
        bool said, may;
    } rows[] = {
        { { "HTTP/1.1 429 Busy\r\n", "Retry-After-Ms: 150\r\n" }, 150, false, false },
        { { "HTTP/2 500\r\n", "x-should-retry: false\r\n" }, HTTP_NO_DELAY, true, false },
        { { "HTTP/2 500\r\n", "X-Should-Retry:true\r\n" }, HTTP_NO_DELAY, true, true },
        { { "HTTP/1.1 100 Go\r\n", "x-should-retry: true\r\n", "HTTP/1.1 200 OK\r\n" }, HTTP_NO_DELAY, false, false },
        { { "HTTP/1.1 429 Busy\r\n", "retry-after-ms: 99999999999999999999999999\r\n" }, HTTP_NO_DELAY, false, false },
        { { "HTTP/1.1 429 Busy\r\n", "retry-after-ms: soon\r\n" }, 0, false, false },
        { { "HTTP/1.1 200 OK\r\n", "\r\n", "" }, HTTP_NO_DELAY, false, false },
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct http_failure failure = { 0 };

        for (int line = 0; line < 3 && rows[i].lines[line]; line++)
            http_failure_header(&failure, rows[i].lines[line], strlen(rows[i].lines[line]));
        ok(failure.retry_after_ms == rows[i].retry_after_ms && failure.may_retry_said == rows[i].said &&
               failure.may_retry == rows[i].may, "header %zu", i);
    }
}

static void test_lines(void)
{
    static const struct {
        const char *text;
        bool want;
    } rows[] = { { "sk-a b", true }, { "", true }, { "שלום", true }, { "a\n", false }, { "\ra", false }, { "a\tb", false }, { "\x7f", false } };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++)
        ok(http_is_line(rows[i].text) == rows[i].want, "line %zu", i);
}

static void test_breaker(void)
{
    struct http_breaker breaker = { 0 };

    for (int i = 0; i < 2; i++)
        http_breaker_bad(&breaker, 1000, -1);
    ok(http_breaker_admit(&breaker, 1000), "two failures are no reason");
    http_breaker_good(&breaker);
    for (int i = 0; i < 3; i++)
        http_breaker_bad(&breaker, 1000, -1);
    ok(!http_breaker_admit(&breaker, 1000) && !http_breaker_admit(&breaker, 5999), "three in a row are");
    http_breaker_bad(&breaker, 1500, -1);
    ok(http_breaker_admit(&breaker, 6000), "later one may try, whatever was still under way");
    ok(!http_breaker_admit(&breaker, 6000), "and one only");
    http_breaker_bad(&breaker, 6000, -1);
    ok(!http_breaker_admit(&breaker, 15999) && http_breaker_admit(&breaker, 16000), "who fails doubles the time");
    http_breaker_unknown(&breaker);
    ok(http_breaker_admit(&breaker, 16000), "who was given up makes room for another");
    http_breaker_good(&breaker);
    ok(http_breaker_admit(&breaker, 16000) && http_breaker_admit(&breaker, 16000), "who succeeds lets all through");
    http_breaker_bad(&breaker, 20000, 3000);
    ok(!http_breaker_admit(&breaker, 22999) && http_breaker_admit(&breaker, 23000), "a provider that says how long is believed");
    http_breaker_bad(&breaker, 23000, 3600000);
    ok(http_breaker_admit(&breaker, 83000), "up to a minute");
}

static void test_join(void)
{
    static const struct {
        const char *base, *want; /* NULL: refused */
    } rows[] = {
        { "https://api.openai.com/v1", "https://api.openai.com/v1/a/b" },
        { "https://api.openai.com/v1/", "https://api.openai.com/v1/a/b" },
        { "http://127.0.0.1:8000", "http://127.0.0.1:8000/v1/a/b" },
        { "http://127.0.0.1:8000//", "http://127.0.0.1:8000/v1/a/b" },
        { "http://gw/whisper/v1", "http://gw/whisper/v1/a/b" },
        { "http://gw/v1/a/b", "http://gw/v1/a/b" },
        { "ftp://gw", NULL },
        { "http://", NULL },
        { "http:///v1", NULL },
        { "http://gw/v1?key=1", NULL },
        { "", NULL },
    };
    char url[64];

    for (size_t i = 0; i < ELEMENTSOF(rows); i++)
        is_str(http_join(rows[i].base, "a/b", url, sizeof(url)) == 0 ? url : NULL, rows[i].want, rows[i].base);
    is_int(http_join("http://a-name-that-is-so-long-that-nothing-fits-behind-it.example.com", "a", url, sizeof(url)), -EMSGSIZE,
           "too long");
}

int main(void)
{
    test_retry();
    test_headers();
    test_lines();
    test_breaker();
    test_join();
    return done_testing();
}
