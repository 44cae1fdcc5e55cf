/*
 * test_google_key.c - which key files are taken, and that what is signed with them is what Google expects
 *
 * RS256 is deterministic: what is signed twice is the same. It is verified with the public key alone.
 */
#include "services/google_key.h"

#include <errno.h>

#include "services/fake_account.h"
#include "tap.h"

#define URI "https://oauth2.googleapis.com/token"

enum { NOW_S = 1800000000 };

static EVP_PKEY *rsa;

static const struct {
    const char *what;
    struct fake_member member;
    const char *problem; /* what is said of it; NULL: taken */
} rows[] = {
    { "as Google makes it", { NULL }, NULL },
    { "without a universe", { "universe_domain", NULL }, NULL },
    { "without a key id", { "private_key_id", NULL }, NULL },
    { "without a token_uri", { "token_uri", NULL }, NULL },
    { "an endpoint on this machine", { "token_uri", "\"http://127.0.0.1:8080/token\"" }, NULL },
    { "another one", { "token_uri", "\"http://localhost/token\"" }, NULL },
    { "no type", { "type", NULL }, "has no type; make a key of a service account" },
    { "a type that is a number", { "type", "7" }, "has no type" },
    { "a person's login", { "type", "\"authorized_user\"" }, "is of type authorized_user, a person's own login, which a daemon cannot use" },
    { "another provider's", { "type", "\"external_account\"" }, "is of type external_account, a login through another provider" },
    { "in another's name", { "type", "\"impersonated_service_account\"" }, "in another account's name" },
    { "a type of the future", { "type", "\"x\\ny\"" }, "is of a type that is not known here" },
    { "no address", { "client_email", NULL }, "has no client_email" },
    { "an address that is none", { "client_email", "\"voice\"" }, "has no client_email" },
    { "an address that ends the JSON", { "client_email", "\"a@b\\\",\\\"sub\\\":\\\"x\"" }, "has no client_email" },
    { "a key id with a quote", { "private_key_id", "\"\\\"\"" }, "has a private_key_id that is none" },
    { "http to elsewhere", { "token_uri", "\"http://oauth2.googleapis.com/token\"" }, "has a token_uri that is no https URL" },
    { "http to what only begins like here", { "token_uri", "\"http://127.0.0.1.example/token\"" }, "has a token_uri" },
    { "a user before the host", { "token_uri", "\"http://localhost:1@example.com/token\"" }, "has a token_uri" },
    { "no scheme", { "token_uri", "\"oauth2.googleapis.com/token\"" }, "has a token_uri" },
    { "no path", { "token_uri", "\"https://oauth2.googleapis.com\"" }, "has a token_uri" },
    { "an empty path", { "token_uri", "\"https://oauth2.googleapis.com/\"" }, "has a token_uri" },
    { "no host", { "token_uri", "\"https:///token\"" }, "has a token_uri" },
    { "a newline in it", { "token_uri", "\"https://a/b\\nc\"" }, "has a token_uri" },
    { "no key", { "private_key", NULL }, "has no private_key" },
    { "a key that is a path", { "private_key", "\"/etc/key.pem\"" }, "has a private_key that cannot be read; download" },
    { "a key cut short", { "private_key", "\"-----BEGIN PRIVATE KEY-----\\nMIIEvQ\\n\"" }, "has a private_key that cannot be read" },
    { "a key whose newlines were eaten", { "private_key", "\"-----BEGIN PRIVATE KEY-----nMIIEvQn\"" }, "within single quotes" },
};

static void key_files_are_judged(void)
{
    char problem[512];

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        scoped(google_key_free) struct google_key *key = NULL;
        scoped(free) char *json = fake_account(rsa, URI, &rows[i].member);

        problem[0] = '\0';
        int r = google_key_parse(json, strlen(json), problem, sizeof(problem), &key);
        ok(rows[i].problem ? r == -EINVAL && strstr(problem, rows[i].problem) : r == 0, "%s: %s", rows[i].what, r ? problem : "taken");
    }
    static const char *const texts[] = { "", "{", "[]", "null", "/etc/key.json", "{\"type\":\"service_account\"} x" };
    for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
        scoped(google_key_free) struct google_key *key = NULL;
        is_int(google_key_parse(texts[i], strlen(texts[i]), problem, sizeof(problem), &key), -EINVAL, texts[i]);
    }
}

static void keys_are_judged(void)
{
    const struct {
        const char *what;
        EVP_PKEY *key;
        const char *problem;
    } keys[] = {
        { "a short key", EVP_RSA_gen(1024), "has a private_key of 1024 bits; make one of 2048" },
        { "a curve", EVP_EC_gen("P-256"), "has a private_key that is not RSA" },
    };
    char problem[512] = "";

    for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
        scoped(google_key_free) struct google_key *key = NULL;
        scoped(free) char *json = fake_account(keys[i].key, URI, NULL);
        int r = google_key_parse(json, strlen(json), problem, sizeof(problem), &key);
        ok(r == -EINVAL && strstr(problem, keys[i].problem), "%s: %s", keys[i].what, problem);
        EVP_PKEY_free(keys[i].key);
    }
}

static void what_is_signed(void)
{
    static const char header_want[] = "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"" FAKE_KEY_ID "\"}";
    static const struct {
        const char *what;
        enum google_jwt kind;
        const char *claims;
    } kinds[] = {
        { "an assertion", GOOGLE_JWT_ASSERTION,
          "{\"iss\":\"" FAKE_EMAIL "\",\"scope\":\"https://www.googleapis.com/auth/cloud-platform\",\"aud\":\"" URI
          "\",\"iat\":1799999970,\"exp\":1800003570}" },
        { "a bearer", GOOGLE_JWT_BEARER,
          "{\"iss\":\"" FAKE_EMAIL "\",\"sub\":\"" FAKE_EMAIL "\",\"aud\":\"https://texttospeech.googleapis.com/\","
          "\"iat\":1799999970,\"exp\":1800003570}" },
    };
    scoped(google_key_free) struct google_key *key = NULL;
    scoped(free) char *json = fake_account(rsa, URI, NULL);
    char jwt[GOOGLE_JWT_MAX], again[GOOGLE_JWT_MAX], header[2048] = "", claims[2048] = "", problem[256];

    is_int(google_key_parse(json, strlen(json), problem, sizeof(problem), &key), 0, "a key");
    is_str(google_key_token_uri(key), URI, "its endpoint");
    is_str(google_key_email(key), FAKE_EMAIL, "its account");
    for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
        is_int(google_key_sign(key, kinds[i].kind, NOW_S, jwt), 0, kinds[i].what);
        ok(fake_account_read_jwt(rsa, jwt, header, claims, sizeof(header)), "its signature is the key's");
        is_str(header, header_want, "its header");
        is_str(claims, kinds[i].claims, "its claims: backdated, an hour long");
        (void)google_key_sign(key, kinds[i].kind, NOW_S, again);
        is_str(again, jwt, "signed again it is the same");
        jwt[20] ^= 1;
        ok(!fake_account_read_jwt(rsa, jwt, header, claims, sizeof(header)), "one bit of it turned, it is nobody's");
    }
    is_int(google_key_sign(key, GOOGLE_JWT_BEARER, 0, jwt), 0, "a clock that was never set");
    ok(fake_account_read_jwt(rsa, jwt, header, claims, sizeof(header)) && strstr(claims, "\"iat\":0,\"exp\":3600}"), "is no reason to fail: %s", claims);
}

static void the_longest_fits(void)
{
    scoped(google_key_free) struct google_key *key = NULL;
    EVP_PKEY *large = EVP_RSA_gen(4096);
    char email[512], problem[256], jwt[GOOGLE_JWT_MAX];

    (void)snprintf(email, sizeof(email), "\"%0250d@b\"", 0);
    scoped(free) char *json = fake_account(large, URI, &(struct fake_member){ "client_email", email });
    is_int(google_key_parse(json, strlen(json), problem, sizeof(problem), &key), 0, "a key of 4096 bits and a long address");
    is_int(key ? google_key_sign(key, GOOGLE_JWT_BEARER, NOW_S, jwt) : -1, 0, "signs");
    ok(strlen(jwt) < GOOGLE_JWT_MAX / 2, "and fits");
    EVP_PKEY_free(large);
}

int main(void)
{
    rsa = EVP_RSA_gen(2048);
    key_files_are_judged();
    keys_are_judged();
    what_is_signed();
    the_longest_fits();
    EVP_PKEY_free(rsa);
    return done_testing();
}
