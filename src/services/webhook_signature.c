/*
 * webhook_signature.c - what proves to whoever takes an event that it is ours
 *
 * While secrets are rotated there are two signatures in one header, and whoever has either secret finds his.
 */
#include "services/webhook_signature.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "utils/base64.h"
#include "utils/hook_list.h"
#include "utils/scoped.h"

enum { DIGEST_BYTES = 32 };

static int sign_one(const char *secret, const char *signed_text, size_t n, char **at)
{
    uint8_t key[HOOK_SECRET_MAX], digest[EVP_MAX_MD_SIZE];
    int n_key = hook_secret_parse(secret, key);
    unsigned n_digest = 0;

    if (n_key < 0)
        return n_key;
    const uint8_t *done = HMAC(EVP_sha256(), key, n_key, (const uint8_t *)signed_text, n, digest, &n_digest);
    explicit_bzero(key, sizeof(key));
    if (!done || n_digest != DIGEST_BYTES)
        return -ENOMEM;
    *at = stpcpy(*at, "v1,");
    base64_encode(digest, DIGEST_BYTES, *at);
    *at += BASE64_SIZE(DIGEST_BYTES);
    **at = '\0';
    return 0;
}

int webhook_sign(const char *secret, const char *next_secret, const char *id, uint64_t unix_s, const char *body, size_t n_body,
                 char ret_text[WEBHOOK_SIGNATURE_MAX])
{
    scoped(free) char *text = NULL;
    char *at = ret_text;
    int n = asprintf(&text, "%s.%" PRIu64 ".%.*s", id, unix_s, (int)n_body, body);

    if (n < 0) {
        text = NULL;
        return -ENOMEM;
    }
    int r = sign_one(secret, text, (size_t)n, &at);
    if (r == 0 && next_secret) {
        *at++ = ' ';
        r = sign_one(next_secret, text, (size_t)n, &at);
    }
    return r;
}
