/*
 * url.c - an absolute URL, taken apart
 */
#include "caller/url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utils/scoped.h"

static const struct {
    const char *scheme, *port;
    bool tls;
} schemes[] = {
    { "http", "80", false },
    { "https", "443", true },
    { "ws", "80", false },
    { "wss", "443", true },
};

static int take(char *out, size_t max, const char *from, size_t n)
{
    if (n >= max)
        return -EINVAL;
    memcpy(out, from, n);
    out[n] = '\0';
    return 0;
}

/* host[:port], where host may be [an IPv6 address]. */
static int split_authority(struct url *url)
{
    const char *host = url->authority, *end;
    bool bracketed = *host == '[';

    if (strchr(host, '@'))
        return -EINVAL;
    host += bracketed;
    end = bracketed ? strchr(host, ']') : host + strcspn(host, ":");
    if (!end || end == host || take(url->host, sizeof(url->host), host, (size_t)(end - host)) < 0)
        return -EINVAL;
    end += bracketed;
    if (*end == '\0')
        return 0;

    const char *port = end + 1;
    if (*end != ':' || *port == '\0' || port[strspn(port, "0123456789")] != '\0' ||
        strlen(port) > 5 || atoi(port) > 65535)
        return -EINVAL;
    strcpy(url->port, port);
    return 0;
}

int url_parse(const char *text, struct url *ret_url)
{
    struct url url = { 0 };
    const char *separator = strstr(text, "://");

    for (const char *c = text; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7F)
            return -EINVAL;
    if (!separator || take(url.scheme, sizeof(url.scheme), text, (size_t)(separator - text)) < 0)
        return -EINVAL;
    for (size_t i = 0; i < ELEMENTSOF(schemes); i++)
        if (strcmp(url.scheme, schemes[i].scheme) == 0) {
            url.tls = schemes[i].tls;
            strcpy(url.port, schemes[i].port);
        }
    if (url.port[0] == '\0')
        return -EINVAL;

    const char *authority = separator + 3;
    size_t n = strcspn(authority, "/?#");
    if (take(url.authority, sizeof(url.authority), authority, n) < 0 || split_authority(&url) < 0)
        return -EINVAL;

    const char *target = authority + n;
    size_t n_target = strcspn(target, "#");
    bool rooted = *target == '/';
    if (n_target + 2 > sizeof(url.target))
        return -EINVAL;
    (void)snprintf(url.target, sizeof(url.target), "%s%.*s", rooted ? "" : "/", (int)n_target,
                   target);
    *ret_url = url;
    return 0;
}
