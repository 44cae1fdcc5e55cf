#pragma once
/* base64.h - standard alphabet, padded, strict */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BASE64_SIZE(n) (((n) + 2) / 3 * 4)

/*
 * Decode n characters into at most max bytes.
 *
 * Errors: -EBADMSG a character outside the alphabet, a wrong length, padding in the wrong place or
 *         non-zero spare bits; -EMSGSIZE more than max bytes. Returns: bytes written.
 */
ssize_t base64_decode(const char *text, size_t n, uint8_t *bytes, size_t max);

/* Writes BASE64_SIZE(n) characters, no NUL. */
void base64_encode(const uint8_t *bytes, size_t n, char *text);

/* The same with RFC 4648's letters for URLs and without padding. Takes BASE64_SIZE(n). Returns: characters, no NUL. */
size_t base64_encode_url(const uint8_t *bytes, size_t n, char *text);
