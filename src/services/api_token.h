#pragma once
/*
 * api_token.h - the AUTH_TOKEN guard: Authorization: Bearer one of API_TOKEN, and how often
 *
 * 401 for who has no token, 429 with Retry-After for a token that asks too often, and for an address that fails too
 * often; a good token is never held up by others' failures.
 */

#include "http.h"
#include "utils/scoped.h"

struct api_gate;
struct config;

/* now_us: the clock of the limits, e.g. clock_mono_us. Errors: -EINVAL API_TOKEN; -ENOMEM. */
int api_gate_new(const struct config *config, uint64_t (*now_us)(void), struct api_gate **ret_gate);
void api_gate_free(struct api_gate *gate);
SCOPED_PTR(struct api_gate, api_gate_free)

/* A guard_fn; request->context is struct services. Sets request->caller. Without API_TOKEN nobody passes. */
int api_token_guard(struct http_request *request, struct http_response *response, char *buffer);
