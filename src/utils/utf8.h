#pragma once
/* utf8.h - strict: no surrogates, no overlong forms, nothing over U+10FFFF */

#include <stdbool.h>
#include <stddef.h>

bool utf8_valid(const char *text, size_t n);

/* The size of the character at the front; 0: it is none. */
size_t utf8_first(const char *text, size_t n);
