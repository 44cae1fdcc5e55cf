/*
 * text.c - UTF-8 text in fixed buffers
 */
#include "utils/text.h"

#include <string.h>

size_t text_fit(const char *text, size_t n, size_t max)
{
    if (n <= max)
        return n;
    while (max && ((unsigned char)text[max] & 0xC0) == 0x80) /* a continuation byte: the character began before */
        max--;
    return max;
}

void text_add(char *buffer, size_t size, size_t *n_used, const char *text, size_t n)
{
    n = text_fit(text, n, size - 1 - *n_used);
    memcpy(buffer + *n_used, text, n);
    *n_used += n;
    buffer[*n_used] = '\0';
}

size_t text_set(char *buffer, size_t size, const char *text)
{
    size_t n_used = 0;

    text_add(buffer, size, &n_used, text, strlen(text));
    return n_used;
}
