#pragma once
/* utf8.h - strict: no surrogates, no overlong forms, nothing over U+10FFFF */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool utf8_valid(const char *text, size_t n);

/* How many characters a text has; bytes that could continue one are not counted, whatever stands before them. */
size_t utf8_length(const char *text);

/* The size of the character at the front; 0: it is none. */
size_t utf8_first(const char *text, size_t n);

/* The character that text begins with. Returns: its bytes; 0 at the end, or what begins is not UTF-8. */
size_t utf8_decode(const char *text, size_t n, uint32_t *ret_character);
