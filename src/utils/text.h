#pragma once
/* text.h - UTF-8 text in fixed buffers: what does not fit is cut between characters, never inside one */

#include <stddef.h>

/* The longest prefix of at most max bytes that ends between two characters. */
size_t text_fit(const char *text, size_t n, size_t max);

/* Append n bytes of text (or as much as fits) to buffer, which holds *n_used bytes and always stays terminated. */
void text_add(char *buffer, size_t size, size_t *n_used, const char *text, size_t n);

/* Append a line, which has its own end; where there is no room the first lines go, as a whole. */
void text_add_last(char *buffer, size_t size, size_t *n_used, const char *line);

/* The whole of text (or as much as fits) into buffer. Returns the bytes written without the NUL. */
size_t text_set(char *buffer, size_t size, const char *text);
