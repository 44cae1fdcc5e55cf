/*
 * media_link.c - a URL by which somebody outside fetches one file, for a while
 *
 *   TOKEN = MESSAGE_ID - N - EXPIRES - SIGNATURE     the third in seconds of unix time, hexadecimal
 *
 * The signature is HMAC-SHA256 of what stands before it, cut to 128 bits. While tokens are rotated both are taken.
 */
#include "services/media_link.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "config.h"
#include "utils/scoped.h"

enum { SIGNED_MAX = 96, SIGNATURE_BYTES = 16, SIGNATURE_DIGITS = 2 * SIGNATURE_BYTES };

/* No other text that is signed with the token begins so. */
static const char context[] = "agentlocator media ";

static int sign(const char *key, const char *text, size_t n_text, char ret_signature[SIGNATURE_DIGITS + 1])
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    char whole[sizeof(context) + SIGNED_MAX];
    int n = snprintf(whole, sizeof(whole), "%s%.*s", context, (int)n_text, text);

    if (n >= (int)sizeof(whole) || !HMAC(EVP_sha256(), key, (int)strlen(key), (const unsigned char *)whole, (size_t)n, mac, NULL))
        return -EIO;
    for (size_t i = 0; i < SIGNATURE_BYTES; i++)
        (void)snprintf(ret_signature + 2 * i, 3, "%02x", mac[i]);
    return 0;
}

int media_link_make(const struct config *config, const char *message_id, unsigned n, uint64_t expires_ms, char ret_url[MEDIA_LINK_MAX])
{
    char text[SIGNED_MAX], signature[SIGNATURE_DIGITS + 1];

    if (!config->public_host || !config->twilio_auth_token)
        return -ENOENT;
    (void)snprintf(text, sizeof(text), "%.31s-%u-%" PRIx64, message_id, n, expires_ms / 1000);
    int r = sign(config->twilio_auth_token, text, strlen(text), signature);
    if (r == 0)
        (void)snprintf(ret_url, MEDIA_LINK_MAX, "https://%s/media/%s-%s", config->public_host, text, signature);
    return r;
}

static bool is_signed(const char *key, const char *token, size_t n, const char *signature)
{
    char want[SIGNATURE_DIGITS + 1];

    return key && sign(key, token, n, want) == 0 && CRYPTO_memcmp(want, signature, SIGNATURE_DIGITS) == 0;
}

int media_link_check(const struct config *config, const char *token, uint64_t now_ms, char ret_message_id[CONTACT_ID_MAX],
                     unsigned *ret_n)
{
    const char *dash = strrchr(token, '-');
    char id[CONTACT_ID_MAX];
    uint64_t expires_s;
    unsigned n;

    if (!dash || strlen(dash + 1) != SIGNATURE_DIGITS || dash - token >= SIGNED_MAX)
        return -ENOENT;
    if (!is_signed(config->twilio_auth_token, token, (size_t)(dash - token), dash + 1) &&
        !is_signed(config->twilio_auth_token_next, token, (size_t)(dash - token), dash + 1))
        return -ENOENT;
    if (sscanf(token, "%31[A-Za-z0-9]-%u-%" SCNx64 "-", id, &n, &expires_s) != 3)
        return -ENOENT;
    if (now_ms / 1000 > expires_s)
        return -ETIME;
    memcpy(ret_message_id, id, sizeof(id));
    *ret_n = n;
    return 0;
}
