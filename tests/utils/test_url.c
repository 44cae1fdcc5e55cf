/*
 * test_url.c - which URLs a service may have, and where a key may go
 */
#include "utils/url.h"

#include "tap.h"
#include "utils/scoped.h"

static const struct {
    const char *url;
    bool is_service, is_exposed;
} rows[] = {
    { "https://api.openai.com/v1", true, false },
    { "https://a.example:8443", true, false },
    { "http://127.0.0.1:8000/v1", true, false },
    { "http://127.9.8.7", true, false },
    { "http://localhost:1/", true, false },
    { "http://LOCALHOST/", true, false },
    { "http://[::1]:8000/v1", true, false },
    { "http://whisper_1/inference", true, true },
    { "http://192.168.1.5:8000/v1", true, true },
    { "http://[fe80::1]/v1", true, true },
    { "http://127.0.0.1.example.com/", true, true },
    { "http://127.example.1.1/", true, true },
    { "http://localhost.example/", true, true },
    { "http://localhos", true, true },
    { "https://key@a.example/", false, false },
    { "http://127.0.0.1@a.example/", false, false },
    { "http://127.0.0.1:80@a.example/", false, false },
    { "http://127.0.0.1\\@a.example/", false, false },
    { "https://a.example/v1?key=1", false, false },
    { "https://a.example/#v1", false, false },
    { "https://a.example/v 1", false, false },
    { "https://a.example/v\n1", false, false },
    { "https://a.example:", false, false },
    { "https://a.example:123456/", false, false },
    { "https://[::1/", false, false },
    { "https:///v1", false, false },
    { "https://", false, false },
    { "HTTPS://a.example", false, false },
    { "ftp://a.example", false, false },
    { "a.example", false, false },
    { "", false, false },
};

static const struct {
    const char *url;
    bool is_public;
} public_rows[] = {
    { "https://a.example/x.jpg", true },
    { "https://a.example:8443/x?key=1&b=@", true },
    { "https://a.example?x", true },
    { "https://a.example", true },
    { "http://a.example/x.jpg", false },
    { "https://localhost/x.jpg", false },
    { "https://10.0.0.1/x.jpg", false },
    { "https://127.1/x.jpg", false },
    { "https://[::1]/x.jpg", false },
    { "https://[::ffff:127.0.0.1]/x.jpg", false },
    { "https://a.example./x.jpg", false },
    { "https://user@a.example/x.jpg", false },
    { "https://a.example:x/", false },
    { "https://a.example/x y", false },
    { "https://a.example/#x", false },
    { "https://", false },
    { "", false },
};

int main(void)
{
    for (size_t i = 0; i < ELEMENTSOF(public_rows); i++)
        ok(url_is_public(public_rows[i].url) == public_rows[i].is_public, "%s is %sfor others to fetch", public_rows[i].url, public_rows[i].is_public ? "" : "not ");
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        ok(url_is_service(rows[i].url) == rows[i].is_service, "%s %s", rows[i].url, rows[i].is_service ? "is one" : "is none");
        if (rows[i].is_service)
            ok(url_is_exposed(rows[i].url) == rows[i].is_exposed, "  what goes there %s", rows[i].is_exposed ? "can be read" : "cannot be read");
    }
    return done_testing();
}
