/*
 * url.c - what the URL of a service says before anybody follows it
 *
 * Strict, since a doubtful URL is one that curl may read in another way than we do: a host is letters, digits, '-', '.',
 * '_' or an IPv6 address in brackets. 127.1 and the like are loopback for curl, too, but count as exposed here.
 */
#include "utils/url.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "utils/scoped.h"

static const char host_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

/* Returns: where the host begins; NULL no scheme that is known. */
static const char *host_of(const char *url, size_t *ret_n)
{
    const char *host = strncmp(url, "http://", 7) == 0 ? url + 7 : strncmp(url, "https://", 8) == 0 ? url + 8 : NULL;

    if (!host)
        return NULL;
    if (*host != '[') {
        *ret_n = strspn(host, host_letters);
    } else {
        size_t n = strspn(host + 1, "0123456789abcdefABCDEF:.");
        *ret_n = n && host[1 + n] == ']' ? n + 2 : 0;
    }
    return host;
}

/* Returns: what follows host and port; NULL they are not right. */
static const char *rest_of(const char *host, size_t n)
{
    const char *rest = host + n;

    if (!host || n == 0)
        return NULL;
    if (*rest == ':') {
        size_t n_digits = strspn(rest + 1, "0123456789");
        if (n_digits == 0 || n_digits > 5)
            return NULL;
        rest += 1 + n_digits;
    }
    return rest;
}

static bool is_printable_without(const char *text, const char *forbidden)
{
    for (; *text; text++)
        if (*text <= ' ' || *text > '~' || strchr(forbidden, *text))
            return false;
    return true;
}

bool url_is_service(const char *url)
{
    size_t n = 0;
    const char *host = host_of(url, &n), *rest = host ? rest_of(host, n) : NULL;

    return rest && (!*rest || *rest == '/') && is_printable_without(rest, "?#@\\\"");
}

bool url_is_public(const char *url)
{
    size_t n = 0;
    const char *host = host_of(url, &n), *rest = host ? rest_of(host, n) : NULL, *dot = host ? memrchr(host, '.', n) : NULL;

    if (!rest || strncmp(url, "https:", 6) != 0 || !dot || strspn(dot + 1, "0123456789") > 0 || dot + 1 == host + n)
        return false;
    return (!*rest || *rest == '/' || *rest == '?') && is_printable_without(rest, "#\\\"");
}

static bool is_loopback(const char *host, size_t n)
{
    static const char *const names[] = { "localhost", "[::1]" };

    for (size_t i = 0; i < ELEMENTSOF(names); i++)
        if (n == strlen(names[i]) && strncasecmp(host, names[i], n) == 0)
            return true;
    size_t n_dots = 0;
    for (size_t i = 0; i < n; i++)
        n_dots += host[i] == '.';
    return strncmp(host, "127.", 4) == 0 && n_dots == 3 && strspn(host, "0123456789.") == n;
}

bool url_is_exposed(const char *url)
{
    size_t n;
    const char *host = host_of(url, &n);

    return host && strncmp(url, "https:", 6) != 0 && !is_loopback(host, n);
}
