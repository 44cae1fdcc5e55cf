#pragma once
/* url.h - what the URL of a service says before anybody follows it */

#include <stdbool.h>

/*
 * http:// or https://, a host, perhaps a port and a path, and nothing else: no user or password, which would be shown
 * with it, no query, no fragment, no blanks or control characters.
 */
bool url_is_service(const char *url);

/*
 * https:// and a host name with a dot in it, perhaps a port, a path, a query, and nothing else: what another service can
 * be asked to fetch. No address in digits, no name of this machine.
 */
bool url_is_public(const char *url);

/* What is sent there can be read on its way: plain http to another machine. */
bool url_is_exposed(const char *url);
