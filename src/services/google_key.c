/*
 * google_key.c - a Google service account
 *
 * The key is only ever wanted as OpenSSL's own object. Where that has a secure heap (locked in memory, left out of core
 * dumps) it lies there; the texts it came through are wiped.
 *
 * A JWT is header.claims.signature, each in base64url; see RFC 7515 for the form and google_jwts[] for the claims.
 */
#include "services/google_key.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "utils/base64.h"
#include "utils/json.h"
#include "utils/url.h"

SCOPED_PTR(BIO, BIO_free_all)
SCOPED_PTR(EVP_PKEY, EVP_PKEY_free)
SCOPED_PTR(EVP_MD_CTX, EVP_MD_CTX_free)

enum {
    KEY_BITS_MIN = 2048,
    KEY_BITS_MAX = 4096, /* its signature still fits GOOGLE_JWT_MAX */
    FIELD_MAX = 256,     /* of what goes into a JWT */
    BACKDATE_S = 30,
    HEAP_BYTES = 64 * KIB,
    HEAP_LEAST = 16,
};

static const char default_token_uri[] = "https://oauth2.googleapis.com/token";

struct google_key {
    EVP_PKEY *private_key;
    char id[FIELD_MAX], email[FIELD_MAX], token_uri[FIELD_MAX];
};

/* --- the file */

__attribute__((format(printf, 3, 4))) static int refuse(char *problem, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(problem, size, format, args);
    va_end(args);
    return -EINVAL;
}

static const struct {
    const char *type, *what;
} other_types[] = {
    { "authorized_user", "a person's own login" },
    { "external_account", "a login through another provider" },
    { "impersonated_service_account", "a login in another account's name" },
};

static int check_type(const char *type, char *problem, size_t size)
{
    static const char advice[] = "make a key of a service account (Cloud console, IAM, service accounts, keys, add key, JSON)";

    if (!type)
        return refuse(problem, size, "has no type; %s", advice);
    if (strcmp(type, "service_account") == 0)
        return 0;
    for (size_t i = 0; i < ELEMENTSOF(other_types); i++)
        if (strcmp(type, other_types[i].type) == 0)
            return refuse(problem, size, "is of type %s, %s, which a daemon cannot use; %s", type, other_types[i].what, advice);
    return refuse(problem, size, "is of a type that is not known here; %s", advice);
}

/* What goes into JSON and a log line as it is. */
static bool is_plain(const char *text, size_t n_max)
{
    size_t n = strlen(text);

    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c > '~' || *c == '"' || *c == '\\')
            return false;
    return n > 0 && n < n_max;
}

/* The path may not end with '/', since http_join() takes that off. */
static bool is_token_uri(const char *uri)
{
    const char *path = url_is_service(uri) && !url_is_exposed(uri) ? strchr(uri + strlen("https://"), '/') : NULL;

    return path && path[1] && path[strlen(path) - 1] != '/' && is_plain(uri, FIELD_MAX);
}

static int no_passphrase(char *buffer, int size, int is_writing, void *user)
{
    return -1; /* else OpenSSL would ask on the terminal */
}

static int read_private_key(const char *pem, EVP_PKEY **ret_key, char *problem, size_t size)
{
    static const char advice[] = "download the key again, and hand it on as it is (in an env file within single quotes)";
    scoped(EVP_PKEY_free) EVP_PKEY *key = NULL;

    if (!CRYPTO_secure_malloc_initialized())
        (void)CRYPTO_secure_malloc_init(HEAP_BYTES, HEAP_LEAST);

    scoped(BIO_free_all) BIO *bio = BIO_new_mem_buf(pem, -1);
    if (!bio)
        return -ENOMEM;
    key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    if (!key)
        return refuse(problem, size, "has a private_key that cannot be read; %s", advice);
    if (!EVP_PKEY_is_a(key, "RSA"))
        return refuse(problem, size, "has a private_key that is not RSA; %s", advice);
    int n_bits = EVP_PKEY_get_bits(key);
    if (n_bits < KEY_BITS_MIN || n_bits > KEY_BITS_MAX)
        return refuse(problem, size, "has a private_key of %d bits; make one of %d", n_bits, KEY_BITS_MIN);
    *ret_key = steal(&key);
    return 0;
}

static int read_fields(struct json_object *json, struct google_key *key, char *problem, size_t size)
{
    const char *id = json_get_text(json, "private_key_id"), *email = json_get_text(json, "client_email");
    const char *uri = json_get_text(json, "token_uri") ?: default_token_uri, *pem = json_get_text(json, "private_key");
    int r = check_type(json_get_text(json, "type"), problem, size);

    if (r < 0)
        return r;
    if (!email || !is_plain(email, sizeof(key->email)) || !strchr(email, '@'))
        return refuse(problem, size, "has no client_email; download the key again");
    if (id && !is_plain(id, sizeof(key->id)))
        return refuse(problem, size, "has a private_key_id that is none; download the key again");
    if (!is_token_uri(uri))
        return refuse(problem, size, "has a token_uri that is no https URL; it is %s with Google", default_token_uri);
    if (!pem)
        return refuse(problem, size, "has no private_key; download the key again");
    (void)snprintf(key->email, sizeof(key->email), "%s", email);
    (void)snprintf(key->id, sizeof(key->id), "%s", id ?: "");
    (void)snprintf(key->token_uri, sizeof(key->token_uri), "%s", uri);
    return read_private_key(pem, &key->private_key, problem, size);
}

int google_key_parse(const char *json, size_t n, char *ret_problem, size_t size, struct google_key **ret_key)
{
    scoped(google_key_free) struct google_key *key = calloc(1, sizeof(*key));
    scoped(json_object_put) struct json_object *object = NULL;

    if (!key)
        return -ENOMEM;
    int r = json_parse(json, n, &object);
    if (r == -EBADMSG)
        return refuse(ret_problem, size, "is no JSON; give it the content of the key file as Google made it");
    if (r < 0)
        return r;
    r = read_fields(object, key, ret_problem, size);
    char *pem = (char *)json_get_text(object, "private_key");
    if (pem)
        explicit_bzero(pem, strlen(pem));
    if (r == 0)
        *ret_key = steal(&key);
    return r;
}

void google_key_free(struct google_key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->private_key);
    free(key);
}

const char *google_key_token_uri(const struct google_key *key)
{
    return key->token_uri;
}

const char *google_key_email(const struct google_key *key)
{
    return key->email;
}

/* --- what is signed */

static const struct {
    const char *audience, *scope; /* NULL: the token endpoint; none */
    bool has_subject;
} jwts[] = {
    [GOOGLE_JWT_ASSERTION] = { NULL, "https://www.googleapis.com/auth/cloud-platform", false },
    [GOOGLE_JWT_BEARER] = { "https://texttospeech.googleapis.com/", NULL, true },
};

static int print_header(const struct google_key *key, char *text, size_t size)
{
    if (!key->id[0])
        return snprintf(text, size, "{\"alg\":\"RS256\",\"typ\":\"JWT\"}");
    return snprintf(text, size, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"%s\"}", key->id);
}

static int print_claims(const struct google_key *key, enum google_jwt kind, uint64_t now_s, char *text, size_t size)
{
    unsigned long long from_s = now_s > BACKDATE_S ? now_s - BACKDATE_S : 0;
    const char *scope = jwts[kind].scope;

    return snprintf(text, size, "{\"iss\":\"%s\"%s%s%s%s%s%s,\"aud\":\"%s\",\"iat\":%llu,\"exp\":%llu}", key->email,
                    jwts[kind].has_subject ? ",\"sub\":\"" : "", jwts[kind].has_subject ? key->email : "",
                    jwts[kind].has_subject ? "\"" : "", scope ? ",\"scope\":\"" : "", scope ?: "", scope ? "\"" : "",
                    jwts[kind].audience ?: key->token_uri, from_s, from_s + GOOGLE_JWT_LIFE_S);
}

static int sign(EVP_PKEY *key, const char *text, size_t n, uint8_t *ret_signature, size_t *n_signature)
{
    scoped(EVP_MD_CTX_free) EVP_MD_CTX *context = EVP_MD_CTX_new();

    if (!context)
        return -ENOMEM;
    return EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
                   EVP_DigestSign(context, ret_signature, n_signature, (const uint8_t *)text, n) == 1
               ? 0
               : -EIO;
}

int google_key_sign(const struct google_key *key, enum google_jwt kind, uint64_t now_s, char ret_jwt[GOOGLE_JWT_MAX])
{
    char header[FIELD_MAX + 64], claims[4 * FIELD_MAX];
    uint8_t signature[KEY_BITS_MAX / 8];
    size_t n_signature = sizeof(signature);
    int n_header = print_header(key, header, sizeof(header));
    int n_claims = print_claims(key, kind, now_s, claims, sizeof(claims));
    size_t n = base64_encode_url((const uint8_t *)header, (size_t)n_header, ret_jwt);

    ret_jwt[n++] = '.';
    n += base64_encode_url((const uint8_t *)claims, (size_t)n_claims, ret_jwt + n);
    int r = sign(key->private_key, ret_jwt, n, signature, &n_signature);
    if (r < 0)
        return r;
    ret_jwt[n++] = '.';
    n += base64_encode_url(signature, n_signature, ret_jwt + n);
    ret_jwt[n] = '\0';
    return 0;
}
