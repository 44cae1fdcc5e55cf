#pragma once
/*
 * tts_engine.h - what tts.c asks of a voice; one row in its list for each
 *
 * A voice either renders, blocking an engine thread, or is remote: asked over the network and not waited for.
 */

#include <stdbool.h>
#include <stddef.h>

#include "services/clip.h"
#include "services/http_client.h"
#include "utils/audio.h"

struct config;
struct tts_options;

enum {
    TTS_RATE_HZ = 8000,
    TTS_CLIP_MAX = 180 * TTS_RATE_HZ, /* nobody listens for longer */
    TTS_QUIET = 200, /* a sample below this is silence at the ends, -44 dBFS: flite's own is at 150 */
    TTS_LEAD = TTS_RATE_HZ * 30 / 1000,
    TTS_TAIL = TTS_RATE_HZ * 120 / 1000,
};

/* One text asked of one remote voice. What it brings and how it ends is told on the http client's thread. */
struct tts_attempt {
    struct http_call call; /* first; has its provider from the beginning, so that it can be aborted at any time */
    void (*on_audio)(struct tts_attempt *attempt); /* clip is there, whole or growing; at most once */
    void (*on_end)(struct tts_attempt *attempt);   /* once, last: r, and why not */
    void *user;
    struct clip *clip; /* one reference, taken by whoever takes it */
    int r;             /* 0, or as of http_client.h; -EBADMSG damaged, -EIO nothing to be heard, -EMSGSIZE the text is too long */
    const char *why;   /* "" when all went well */
    uint64_t audio_ms; /* clock_mono_ms(): when there was enough to be played; 0 never */
};

struct tts_order {
    const char *language, *text; /* text lent until the attempt is over */
    unsigned timeout_ms;         /* to the first audio */
};

struct tts_remote {
    /* Errors: -EINVAL the settings, logged; -ENOMEM. */
    int (*open)(const struct tts_options *options, void **ret_voice); /* NULL: something it needs is not set up */
    void (*close)(void *voice); /* when no attempt is under way */
    void (*warm)(void *voice);  /* any thread; never blocks, never allocates */
    void (*stats)(void *voice, struct http_provider_stats *ret_stats);

    int (*attempt_new)(void *voice, const struct tts_order *order, struct tts_attempt **ret_attempt); /* may allocate */
    void (*start)(struct tts_attempt *attempt); /* any thread; never blocks, never allocates */
    void (*release)(struct tts_attempt *attempt);
};

struct tts_engine {
    const char *name;

    /* Whether it is set up and speaks the language ("en", "en-US", "he"). */
    bool (*can)(const struct config *config, const char *language);

    /* What, beside name, language and text, decides how it sounds: part of the cache's key. To be freed; NULL out of memory. */
    char *(*identity)(const struct config *config);

    /*
     * Blocking, on several threads at once. NULL: it is remote.
     *
     * Owner:  *ret_wav is to be released with wav_done().
     * Errors: -ETIMEDOUT, -EIO it failed, -EBADMSG its audio is damaged, -EFBIG it is too long.
     */
    int (*render)(const struct config *config, const char *language, const char *text,
                  struct wav *ret_wav);
    const struct tts_remote *remote; /* NULL: it renders */
};

extern const struct tts_engine tts_google;  /* GOOGLE_TTS_SA_JSON or GOOGLE_APPLICATION_CREDENTIALS */
extern const struct tts_engine tts_openai;  /* OPENAI_TTS_MODEL */
extern const struct tts_engine tts_command; /* TTS_COMMAND */
extern const struct tts_engine tts_flite;   /* TTS_VOICE, English */
