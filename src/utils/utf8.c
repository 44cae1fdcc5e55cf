/*
 * utf8.c - strict UTF-8
 *
 * What a peer sends is nearly always ASCII, so 16 bytes at a time are passed
 * while no top bit is set. The rest is by the table of the Unicode Standard
 * (3-7): the first byte says how many follow and what the second may be.
 */
#include "utils/utf8.h"

#include <stdint.h>
#include <string.h>

struct lead {
    uint8_t from, to;          /* the first byte */
    uint8_t n_more;            /* bytes that follow it */
    uint8_t second, second_to; /* range of the one after it; the others are 80..BF */
};

static const struct lead leads[] = {
    { 0xC2, 0xDF, 1, 0x80, 0xBF },
    { 0xE0, 0xE0, 2, 0xA0, 0xBF }, /* below A0: overlong */
    { 0xE1, 0xEC, 2, 0x80, 0xBF },
    { 0xED, 0xED, 2, 0x80, 0x9F }, /* above 9F: surrogates */
    { 0xEE, 0xEF, 2, 0x80, 0xBF },
    { 0xF0, 0xF0, 3, 0x90, 0xBF }, /* below 90: overlong */
    { 0xF1, 0xF3, 3, 0x80, 0xBF },
    { 0xF4, 0xF4, 3, 0x80, 0x8F }, /* above 8F: over U+10FFFF */
};

static size_t n_ascii(const uint8_t *bytes, size_t n)
{
    size_t i = 0;

    for (; n - i >= 16; i += 16) {
        uint64_t low, high;
        memcpy(&low, bytes + i, 8);
        memcpy(&high, bytes + i + 8, 8);
        if ((low | high) & UINT64_C(0x8080808080808080))
            break;
    }
    while (i < n && bytes[i] < 0x80)
        i++;
    return i;
}

/* Returns: the size of the character of several bytes at the front, 0 when it is none. */
static size_t character(const uint8_t *bytes, size_t n)
{
    const struct lead *lead = leads;

    while (lead < leads + sizeof(leads) / sizeof(leads[0]) && bytes[0] > lead->to)
        lead++;
    if (lead == leads + sizeof(leads) / sizeof(leads[0]) || bytes[0] < lead->from)
        return 0;
    if (n <= lead->n_more || bytes[1] < lead->second || bytes[1] > lead->second_to)
        return 0;
    for (size_t i = 2; i <= lead->n_more; i++)
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
    return lead->n_more + 1u;
}

bool utf8_valid(const char *text, size_t n)
{
    const uint8_t *bytes = (const uint8_t *)text;

    for (size_t i = n_ascii(bytes, n); i < n; i += n_ascii(bytes + i, n - i)) {
        size_t size = character(bytes + i, n - i);
        if (size == 0)
            return false;
        i += size;
    }
    return true;
}

size_t utf8_length(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

size_t utf8_first(const char *text, size_t n)
{
    enum { LONGEST = 4 };

    for (size_t size = 1; size <= LONGEST && size <= n; size++)
        if (utf8_valid(text, size))
            return size;
    return 0;
}

size_t utf8_decode(const char *text, size_t n, uint32_t *ret_character)
{
    const uint8_t *bytes = (const uint8_t *)text;
    size_t n_bytes = n == 0 ? 0 : bytes[0] < 0x80 ? 1 : character(bytes, n);

    if (n_bytes == 0)
        return 0;
    uint32_t point = n_bytes == 1 ? bytes[0] : bytes[0] & (0x7Fu >> n_bytes);
    for (size_t i = 1; i < n_bytes; i++)
        point = point << 6 | (bytes[i] & 0x3F);
    *ret_character = point;
    return n_bytes;
}
