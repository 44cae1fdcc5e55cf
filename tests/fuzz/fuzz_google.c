/*
 * fuzz_google.c - any bytes as a service account's key file, as a token endpoint's answer and as its refusal
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "services/google_key.h"
#include "services/google_lease.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void key_file(const char *text, size_t n)
{
    scoped(google_key_free) struct google_key *key = NULL;
    char problem[128] = "", jwt[GOOGLE_JWT_MAX];

    int r = google_key_parse(text, n, problem, sizeof(problem), &key);
    assert((r == 0) == (key != NULL));
    assert(r == 0 || problem[0]);
    if (key)
        assert(google_key_sign(key, GOOGLE_JWT_ASSERTION, n, jwt) == 0 && !strpbrk(jwt, "+/= \r\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *text = (const char *)data;
    char token[GOOGLE_TOKEN_MAX], why[256];
    unsigned life_s;

    key_file(text, n);
    if (google_lease_read(text, n, token, &life_s) == 0)
        assert(life_s > 0 && life_s <= GOOGLE_TOKEN_LIFE_S && token[0] && !strpbrk(token, " \r\n"));
    (void)google_lease_explain(400, text, n, why, sizeof(why));
    assert(!strpbrk(why, "\r\n"));
    return 0;
}
