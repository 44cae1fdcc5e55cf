#pragma once
/* fake_account.h - Google service accounts for one test: their keys are made when it runs and are nobody's */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "utils/base64.h"
#include "utils/scoped.h"

enum { FAKE_JWT_MAX = 4096 };

#define FAKE_EMAIL "voice@project-1.iam.gserviceaccount.com"
#define FAKE_KEY_ID "0123456789abcdef0123456789abcdef01234567"

/* One member of the JSON that is not as Google makes it. */
struct fake_member {
    const char *name, *value; /* value as JSON; NULL: left out */
};

/* The key as PEM with escaped newlines, as it stands in JSON. To be freed. */
__attribute__((unused)) static char *fake_account_pem(EVP_PKEY *key)
{
    char *text, *escaped, *to;
    BIO *bio = BIO_new(BIO_s_mem());

    if (!bio || !PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL))
        abort();
    long n = BIO_get_mem_data(bio, &text);
    escaped = to = malloc(2 * (size_t)n + 1);
    for (long i = 0; i < n && escaped; i++) {
        if (text[i] == '\n')
            *to++ = '\\';
        *to++ = text[i] == '\n' ? 'n' : text[i];
    }
    *to = '\0';
    BIO_free_all(bio);
    return escaped;
}

/* The content of a key file. other (may be NULL) takes the place of a member. To be freed. */
__attribute__((unused)) static char *fake_account(EVP_PKEY *key, const char *token_uri, const struct fake_member *other)
{
    scoped(free) char *pem = fake_account_pem(key), *quoted_pem = NULL, *quoted_uri = NULL;
    char *json = NULL;
    size_t n, n_printed = 0;
    FILE *out = open_memstream(&json, &n);

    if (!out || asprintf(&quoted_pem, "\"%s\"", pem) < 0 || asprintf(&quoted_uri, "\"%s\"", token_uri) < 0)
        abort();
    const struct fake_member members[] = {
        { "type", "\"service_account\"" }, { "project_id", "\"project-1\"" },     { "private_key_id", "\"" FAKE_KEY_ID "\"" },
        { "private_key", quoted_pem },     { "client_email", "\"" FAKE_EMAIL "\"" }, { "client_id", "\"1\"" },
        { "token_uri", quoted_uri },       { "universe_domain", "\"googleapis.com\"" },
    };
    fputc('{', out);
    for (size_t i = 0; i < ELEMENTSOF(members); i++) {
        const struct fake_member *member = other && other->name && strcmp(other->name, members[i].name) == 0 ? other : &members[i];
        if (member->value)
            fprintf(out, "%s\n  \"%s\": %s", n_printed++ ? "," : "", member->name, member->value);
    }
    fputs("\n}\n", out);
    fclose(out);
    return json;
}

/* The bytes of one base64url piece, NUL-terminated. Returns: how many, or < 0. */
__attribute__((unused)) static ssize_t fake_account_decode(const char *piece, size_t n, uint8_t *bytes, size_t size)
{
    char text[FAKE_JWT_MAX];

    if (n + 3 >= sizeof(text))
        return -EMSGSIZE;
    for (size_t i = 0; i < n; i++) {
        if (strchr("+/=", piece[i]))
            return -EBADMSG; /* not the letters for URLs */
        text[i] = piece[i] == '-' ? '+' : piece[i] == '_' ? '/' : piece[i];
    }
    while (n % 4)
        text[n++] = '=';
    ssize_t r = base64_decode(text, n, bytes, size - 1);
    if (r >= 0)
        bytes[r] = '\0';
    return r;
}

/* Header and claims as text, once the signature was verified. */
__attribute__((unused)) static bool fake_account_read_jwt(EVP_PKEY *key, const char *jwt, char *header, char *claims, size_t size)
{
    uint8_t signature[1024];
    const char *first = strchr(jwt, '.'), *second = first ? strchr(first + 1, '.') : NULL;

    if (!second || strchr(second + 1, '.'))
        return false;
    ssize_t n = fake_account_decode(second + 1, strlen(second + 1), signature, sizeof(signature));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = n > 0 && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestVerify(context, signature, (size_t)n, (const uint8_t *)jwt, (size_t)(second - jwt)) == 1;
    EVP_MD_CTX_free(context);
    return good && fake_account_decode(jwt, (size_t)(first - jwt), (uint8_t *)header, size) > 0 &&
           fake_account_decode(first + 1, (size_t)(second - first - 1), (uint8_t *)claims, size) > 0;
}
