#pragma once
/* api_token.h - the AUTH_TOKEN guard: Authorization: Bearer API_TOKEN */

#include "http.h"

/* A guard_fn; request->context is struct services. Without API_TOKEN nobody passes. */
int api_token_guard(struct http_request *request, struct http_response *response, char *buffer);
