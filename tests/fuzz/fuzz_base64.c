/*
 * fuzz_base64.c - what is decoded is encoded to the same text, and every decoding has one way
 *
 * The reference is the textbook: one character at a time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "utils/base64.h"

static int value(uint8_t c)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(letters, c) : NULL;

    return at ? (int)(at - letters) : -1;
}

static ssize_t reference(const uint8_t *text, size_t n, uint8_t *bytes)
{
    size_t n_letters = n, n_bytes = 0;
    unsigned bits = 0, n_bits = 0;

    while (n_letters && n - n_letters < 2 && text[n_letters - 1] == '=')
        n_letters--;
    if (n % 4)
        return -EBADMSG;
    for (size_t i = 0; i < n_letters; i++) {
        if (value(text[i]) < 0)
            return -EBADMSG;
        bits = bits << 6 | (unsigned)value(text[i]);
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            bytes[n_bytes++] = (uint8_t)(bits >> n_bits);
            bits &= (1u << n_bits) - 1;
        }
    }
    return bits ? -EBADMSG : (ssize_t)n_bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    uint8_t *bytes = malloc(n + 1), *want = malloc(n + 1);
    char *text = malloc(BASE64_SIZE(n) + 1);
    ssize_t r = base64_decode((const char *)data, n, bytes, n), r_want = reference(data, n, want);

    if (r != r_want || (r > 0 && memcmp(bytes, want, (size_t)r) != 0))
        abort();
    if (r >= 0) {
        base64_encode(bytes, (size_t)r, text);
        if (BASE64_SIZE((size_t)r) != n || memcmp(text, data, n) != 0)
            abort();
    }
    base64_encode(data, n, text);
    free(text);
    free(want);
    free(bytes);
    return 0;
}
