#pragma once
/* url.h - an absolute http, https, ws or wss URL, taken apart */

#include <stdbool.h>

enum { URL_MAX = 2048 };

struct url {
    char scheme[8];
    bool tls;             /* https or wss */
    char host[256];       /* without the brackets of an IPv6 address */
    char port[8];         /* the scheme's own when the URL names none */
    char authority[272];  /* host[:port] as written; what goes into Host: */
    char target[URL_MAX]; /* path and query, at least "/"; no fragment */
};

/* Errors: -EINVAL another scheme, user information, no host, a port that is no number, blanks or control characters. */
int url_parse(const char *text, struct url *ret_url);
