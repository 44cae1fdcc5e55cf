#pragma once
/*
 * webhook_signature.h - what proves to whoever takes an event that it is ours
 *
 * Source: Standard Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md), "Signature
 * scheme": v1, HMAC-SHA256 over "id.timestamp.body", base64.
 */

#include <stddef.h>
#include <stdint.h>

enum { WEBHOOK_SIGNATURES = 2, WEBHOOK_SIGNATURE_MAX = WEBHOOK_SIGNATURES * 48 };

/*
 * Sign for each of two secrets (see hook_secret_parse()); the second may be NULL.
 *
 * ret_text: the value of webhook-signature. Errors: -EINVAL a secret is none. Thread: any.
 */
int webhook_sign(const char *secret, const char *next_secret, const char *id, uint64_t unix_s, const char *body, size_t n_body,
                 char ret_text[WEBHOOK_SIGNATURE_MAX]);
