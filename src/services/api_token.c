/*
 * api_token.c - the AUTH_TOKEN guard
 */
#include "services/api_token.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>

#include "config.h"
#include "services/services.h"

static bool is_token(const struct http_field *field, const char *token)
{
    static const char scheme[] = "bearer ";
    size_t n_scheme = sizeof(scheme) - 1, n = strlen(token);

    return field->n_value == n_scheme + n && strncasecmp(field->value, scheme, n_scheme) == 0 &&
           CRYPTO_memcmp(field->value + n_scheme, token, n) == 0;
}

int api_token_guard(struct http_request *request, struct http_response *response, char *buffer)
{
    const struct services *services = request->context;
    const char *token = services->config->api_token;
    const struct http_field *field = http_field(request, "authorization", 0);

    if (token && field && !http_field(request, "authorization", 1) && is_token(field, token))
        return 0;
    http_error(response, 401, "unauthorized",
               token ? "A valid API token is needed." : "The API is not set up.",
               request->request_id, buffer);
    response->extra[response->n_extra++] =
        (struct http_field){ "www-authenticate", 16, "Bearer", 6 };
    return 1;
}
