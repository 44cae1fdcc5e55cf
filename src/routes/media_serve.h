#pragma once
/* media_serve.h - a kept file as an answer, piece by piece, without a loop ever waiting for the disk */

#include "http.h"
#include "models/message.h"

/*
 * Promise the n-th media of a message. A browser that gets it runs nothing of it: what could be run is for saving alone,
 * and all of it in a sandbox.
 *
 * Returns: HTTP_LATER. Errors: -ENOENT it is not here; -EAGAIN too much is under way; -ENOMEM.
 */
int media_serve(struct http_request *request, const struct message *message, unsigned n);
