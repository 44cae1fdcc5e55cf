#pragma once
/* fake_account.h - Google service accounts for one test: their keys are made when it runs and are nobody's */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "utils/scoped.h"

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
