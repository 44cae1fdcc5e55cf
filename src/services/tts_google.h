#pragma once
/* tts_google.h - Google's Text-to-Speech: what tests see of it */

#include <stddef.h>

#include "utils/audio.h"

enum { TTS_GOOGLE_PIECE_MAX = 5000 }; /* bytes of text in one request */

/*
 * The audio in the answer to text:synthesize.
 *
 * Owner:  *ret_wav is to be released with wav_done(). Thread: any.
 * Errors: -EBADMSG it is damaged (*ret_why), -ENOMEM.
 */
int tts_google_read(const char *json, size_t n, struct wav *ret_wav, const char **ret_why);

/* How many bytes of text are said first: up to max, to the end of a sentence, else of a word, else of a character. */
size_t tts_google_piece(const char *text, size_t max);
