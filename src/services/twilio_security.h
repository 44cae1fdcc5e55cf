#pragma once
/* twilio_security.h - the signature that guards every Twilio route, and signs our simulated ones */

#include <stdbool.h>
#include <stddef.h>

#include "http.h"
#include "utils/scoped.h"

struct config;
struct twilio_security;

enum { TWILIO_SIGNATURE_LEN = 28, TWILIO_PARAMS_MAX = 256, TWILIO_HOST_MAX = 254 + 6 };

/*
 * The signature of a request.
 *
 * Shape:  url as Twilio was given it, without fragment; body is the raw form (NULL: none, or not a form).
 * Errors: -EBADMSG the form cannot be decoded; -E2BIG more than TWILIO_PARAMS_MAX fields, or a URL over 8 KiB.
 * Source: twilio-signature, "Message"; vectors V01-V15.
 */
int twilio_sign(const char *token, const char *url, const char *body, size_t n_body,
                char ret_signature[TWILIO_SIGNATURE_LEN + 1]);

/* Keeps pointers into config. */
int twilio_security_new(const struct config *config, struct twilio_security **ret_security);
void twilio_security_free(struct twilio_security *security);
SCOPED_PTR(struct twilio_security, twilio_security_free)

/*
 * The name (and :port) under which the peer reaches us: PUBLIC_HOST. development without one: a loopback
 * peer's Host header.
 *
 * Returns: a pointer into the config, or buffer; NULL when there is no name to be believed.
 */
const char *twilio_security_host(const struct twilio_security *security, const struct http_request *request,
                                 char buffer[TWILIO_HOST_MAX]);

/*
 * The AUTH_TWILIO guard (a router guard_fn): request->context is struct services.
 *
 * Tries every form of the URL that Twilio may have signed (with and without port; the host in other letter case; wss for an upgrade, with and
 * without a trailing slash), with both tokens, in constant time. The body must be covered: a form, or JSON with
 * bodySHA256. AccountSid must be TWILIO_ACCOUNT_SID when that is set. 403 with an empty body otherwise, and one
 * rate-limited line with the URL that was checked. development admits unsigned loopback peers.
 */
int twilio_security_guard(struct http_request *request, struct http_response *response, char *buffer);
