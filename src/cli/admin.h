#pragma once
/* admin.h - what the command line asks the running daemon to do, or a program beside it, over their unix sockets */

#include <stddef.h>

struct config;

/*
 * One request without a body. The answer's body is ret_body, to be freed.
 *
 * Returns: the status. Errors: -errno, -ENOENT or -ECONNREFUSED: no daemon listens there; -EPROTO the answer is no HTTP.
 */
int admin_ask(const struct config *config, const char *method, const char *path, char **ret_body);

/* The same of whoever listens at a socket. */
struct socket_request {
    const char *socket, *method, *path;
    const char *content; /* JSON; "" none */
    unsigned patience_s;
};
int socket_ask(const struct socket_request *request, char **ret_body);
