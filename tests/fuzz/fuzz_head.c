/*
 * fuzz_head.c - any bytes as the head of a request
 */
#include "http.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *why = NULL;
    int status = http_check_head((const char *)data, n, &why);

    assert(status == 0 || ((status == 400 || status == 431) && why));
    return 0;
}
