#pragma once
/* google_key.h - a Google service account: its key file, and what is signed with it */

#include <stddef.h>
#include <stdint.h>

#include "utils/scoped.h"

enum {
    GOOGLE_JWT_MAX = 4096, /* with the NUL; of any account that google_key_parse() takes */
    GOOGLE_JWT_LIFE_S = 3600,
};

struct google_key;

/*
 * Read what the Cloud console hands out as "JSON key".
 *
 * Errors: -EINVAL after a sentence of what is wrong and what to do was written to ret_problem, without anything of
 *         the key; -ENOMEM.
 * Owner:  keeps nothing of json; what it has copied of the key is wiped.
 */
int google_key_parse(const char *json, size_t n, char *ret_problem, size_t size, struct google_key **ret_key);
void google_key_free(struct google_key *key);
SCOPED_PTR(struct google_key, google_key_free)

/* Where an assertion is exchanged for an access token: https, or http on this machine; it has a path. */
const char *google_key_token_uri(const struct google_key *key);
const char *google_key_email(const struct google_key *key);

enum google_jwt {
    GOOGLE_JWT_ASSERTION, /* for token_uri: asks for an access token */
    GOOGLE_JWT_BEARER,    /* for Text-to-Speech: is one by itself */
};

/*
 * Good from now_s (less half a minute, for clocks that disagree) and for GOOGLE_JWT_LIFE_S of the clock it was cut by.
 *
 * Errors: -ENOMEM; -EIO it cannot be signed.
 * Thread: any.
 * Source: RFC 7515, RFC 7523.
 */
int google_key_sign(const struct google_key *key, enum google_jwt kind, uint64_t now_s, char ret_jwt[GOOGLE_JWT_MAX]);
