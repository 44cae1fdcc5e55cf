#pragma once
/*
 * tts.h - text to speech, as mu-law clips
 *
 * One front for every voice; the engines live in tts_*.c. Order: operator's recorded prompt; Google, OpenAI,
 * TTS_COMMAND, the embedded voice, each with its cache on disk by (engine, voice, version, language, text as it is
 * spoken). Nobody waits: a sentence goes through engine threads and, for voices over the network, the http client's
 * thread, and tells its asker.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "services/clip.h"
#include "services/engine.h"
#include "utils/histogram.h"
#include "utils/scoped.h"

struct config;
struct google_token;
struct http_client;
struct tts;
struct tts_work;

struct tts_options {
    const struct config *config;
    const char *profile;        /* its name, below which PROMPTS_DIR holds the recordings; NULL none */
    struct http_client *client; /* NULL: nobody is asked over the network */
    struct google_token *token; /* NULL: Google is not */
};

/* Errors: -EINVAL a setting, logged; -ENOMEM. */
int tts_open(const struct tts_options *options, struct tts **ret_tts);
void tts_close(struct tts *tts); /* when all sentences are over */
SCOPED_PTR(struct tts, tts_close)

/* Whether anything here speaks the language; Hebrew has no embedded voice. */
bool tts_can(const struct tts *tts, const char *language);
/* Whether somebody over the network does, who may be back later when he is not there now. */
bool tts_can_remotely(const struct tts *tts, const char *language);

/* A connection for the first sentence of a call. Thread: any; never blocks, never allocates. */
void tts_warm(struct tts *tts);

enum { TTS_VOICES = 4, TTS_CAUSE_MAX = 128 };

/* A voice did not speak: it failed, or was not asked since it did a moment ago (is_rest). */
struct tts_step {
    const char *from, *to; /* names; to "": nobody */
    char cause[TTS_CAUSE_MAX];
    bool is_rest;
    uint64_t at_ms; /* clock_mono_ms() */
};

/* One sentence on its way to be heard; its asker's, and untouched by him between tts_say() and the end of it. */
struct tts_sentence {
    struct tts *tts;
    struct engine *engine;
    const char *language, *text; /* lent */
    const char *prompt; /* id of a profile's prompt, for the operator's recording of it (PROMPTS_DIR/<profile>/<id>.wav); NULL */
    bool is_patient;    /* nobody is waiting on the telephone */

    /*
     * Once: r and clip are there. The clip may still be growing, and is_over tells whether on_over() follows, once, when
     * nothing of the sentence is under way any more. Thread: an engine's or the http client's: quick, or hand on.
     */
    void (*on_audio)(struct tts_sentence *sentence, bool is_over);
    void (*on_over)(struct tts_sentence *sentence);

    /* 0; -EOPNOTSUPP nobody speaks the language; -ETIMEDOUT; -EAGAIN too much at once; -ECANCELED; -EIO */
    int r;
    struct clip *clip;  /* the sentence's, until tts_sentence_done() */
    const char *voice;  /* who speaks */
    uint64_t asked_ms, answered_ms; /* clock_mono_ms(): the wait for voices over the network; 0: for none */
    struct tts_step steps[TTS_VOICES]; /* on the way; when it is over */
    unsigned n_steps;

    /* not the asker's */
    struct engine_job job;
    struct tts_work *_Atomic work;
    _Atomic bool is_unwanted;
};

/*
 * What is asked above is set, the rest is zero. Never blocks, never allocates. Errors: -EAGAIN the engines' queue is
 * full; nothing is told then.
 */
int tts_say(struct tts_sentence *sentence);
/* It is over, and its clip broke: have it said from its start by the next voice. As tts_say(). */
int tts_say_again(struct tts_sentence *sentence);
/* It is not needed any more: over soon. Thread: the asker's; at any time before tts_sentence_done(). */
void tts_give_up(struct tts_sentence *sentence);
void tts_sentence_done(struct tts_sentence *sentence); /* when it is over, or was never begun */

struct tts_voice_stats {
    const char *name; /* NULL: it is not set up, as are those behind it */
    uint64_t n_spoken, n_cached, n_failed;
    uint64_t n_asked, n_retries, n_refused, n_connections; /* over the network */
    bool is_tripped, is_resting;
    struct histogram_sums took_us; /* see http_provider_stats */
};

struct tts_stats {
    struct tts_voice_stats voices[TTS_VOICES];
    uint64_t n_stepped_down, n_broken, n_unspoken; /* sentences: said by another voice; begun by one; by nobody */
};
void tts_stats(struct tts *tts, struct tts_stats *ret_stats); /* any thread */
