#pragma once
/* admin.h - what the command line asks the running daemon to do, over its admin socket */

#include <stddef.h>

struct config;

/*
 * One request without a body. The answer's body is ret_body, to be freed.
 *
 * Returns: the status. Errors: -errno, -ENOENT or -ECONNREFUSED: no daemon listens there; -EPROTO the answer is no HTTP.
 */
int admin_ask(const struct config *config, const char *method, const char *path, char **ret_body);
