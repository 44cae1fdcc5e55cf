#pragma once
/* tts_engine.h - what tts.c asks of a voice; one row in its list for each */

#include <stdbool.h>
#include <stddef.h>

#include "utils/audio.h"

struct config;

struct tts_engine {
    const char *name;

    /* Whether it is set up and speaks the language ("en", "en-US", "he"). */
    bool (*can)(const struct config *config, const char *language);

    /* What, beside name, language and text, decides how it sounds: part of the cache's key. */
    const char *(*identity)(const struct config *config);

    /*
     * Blocking, on several threads at once.
     *
     * Owner:  *ret_wav is to be released with wav_done().
     * Errors: -ETIMEDOUT, -EIO it failed, -EBADMSG its audio is damaged, -EFBIG it is too long.
     */
    int (*render)(const struct config *config, const char *language, const char *text,
                  struct wav *ret_wav);
};

extern const struct tts_engine tts_command; /* TTS_COMMAND */
extern const struct tts_engine tts_flite;   /* TTS_VOICE, English */
