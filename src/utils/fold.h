#pragma once
/*
 * fold.h - words as they are looked for: without case, points and accents
 *
 * "D\"r. Ren\u00e9 Cohen" is "dr", "rene", "cohen"; Hebrew loses its points and has no final letters, so that the beginning of
 * a word is found whatever follows. Latin, Hebrew, Greek, Cyrillic and Arabic points; of other scripts words are as written.
 */

#include <stddef.h>

enum { FOLD_WORD_MAX = 48 }; /* bytes with the NUL; a longer word is cut between two characters */

/* 0 goes on, anything else stops and is returned. */
typedef int fold_fn(const char *word, void *arg);

/* Each word of text, which is UTF-8; what is not is a space. */
int fold_words(const char *text, fold_fn *fn, void *arg);
