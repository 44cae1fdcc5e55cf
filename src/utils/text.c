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

void text_add_last(char *buffer, size_t size, size_t *n_used, const char *line)
{
    while (*n_used && *n_used + strlen(line) + 1 > size) {
        char *line_end = memchr(buffer, '\n', *n_used);
        size_t n_cut = line_end ? (size_t)(line_end - buffer) + 1 : *n_used;
        memmove(buffer, buffer + n_cut, *n_used + 1 - n_cut);
        *n_used -= n_cut;
    }
    text_add(buffer, size, n_used, line, strlen(line));
}

size_t text_set(char *buffer, size_t size, const char *text)
{
    size_t n_used = 0;

    text_add(buffer, size, &n_used, text, strlen(text));
    return n_used;
}
