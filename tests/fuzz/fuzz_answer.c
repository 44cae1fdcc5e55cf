/*
 * fuzz_answer.c - any bytes as an HTTP response: what was taken whole is taken alike in pieces
 */
#include "caller/answer.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *bytes = (const char *)data, *why = NULL;
    struct answer answer, again;

    long n_taken = answer_parse(bytes, n, true, &answer, &why);
    if (n_taken <= 0)
        return 0;
    assert((size_t)n_taken <= n && answer.status >= 100 && answer.status <= 999);
    assert(answer.body[answer.n_body] == '\0');
    (void)answer_has_token(&answer, "connection", "upgrade");

    long early = answer_parse(bytes, (size_t)n_taken - 1, false, &again, &why);
    if (early > 0) /* nothing but a body that ends with the connection can end earlier */
        answer_done(&again);
    assert(early <= 0);
    answer_done(&answer);
    return 0;
}
