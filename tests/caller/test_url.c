/*
 * test_url.c - URLs taken apart
 */
#include "caller/url.h"

#include <stdio.h>

#include "tap.h"

static const struct {
    const char *text;
    const char *want; /* scheme tls host port authority target; NULL: refused */
} cases[] = {
    { "http://127.0.0.1:8080/webhook/incoming_call", "http 0 127.0.0.1 8080 127.0.0.1:8080 /webhook/incoming_call" },
    { "https://gw.example.com", "https 1 gw.example.com 443 gw.example.com /" },
    { "wss://gw.example.com/ws?x=1#f", "wss 1 gw.example.com 443 gw.example.com /ws?x=1" },
    { "http://h?x", "http 0 h 80 h /?x" },
    { "http://[::1]:80/", "http 0 ::1 80 [::1]:80 /" },
    { "ftp://h/", NULL },
    { "//h/", NULL },
    { "h/x", NULL },
    { "http://", NULL },
    { "http:///x", NULL },
    { "http://u:p@h/", NULL },
    { "http://h:/", NULL },
    { "http://h:x/", NULL },
    { "http://h:65536/", NULL },
    { "http://[::1/", NULL },
    { "http://[::1]x/", NULL },
    { "http://h/a b", NULL },
    { "http://h/\n", NULL },
    { "", NULL },
};

int main(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct url url;
        char text[4096];

        if (url_parse(cases[i].text, &url) < 0) {
            ok(!cases[i].want, "'%s' is refused", cases[i].text);
            continue;
        }
        (void)snprintf(text, sizeof(text), "%s %d %s %s %s %s", url.scheme, url.tls, url.host, url.port, url.authority,
                       url.target);
        is_str(text, cases[i].want, cases[i].text);
    }
    return done_testing();
}
