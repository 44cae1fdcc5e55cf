#pragma once
/*
 * errand.h - what a call has done for it on an engine thread: speaking, recognising, keeping audio
 *
 * Errands come from a pool of the worker. Each goes out once and comes home once, through the inbox; whoever
 * sent it must still be there then. One that speaks may come home twice: with its audio, and, when that was not all
 * (is_over), with the end of it.
 */

#include <stdbool.h>

#include "models/call.h"
#include "services/engine.h"
#include "services/hearing.h"
#include "services/stt.h"
#include "services/tts.h"
#include "services/utterance.h"
#include "utils/inbox.h"

struct errand_pool;

struct errand_options {
    struct engine *engine;
    struct inbox *inbox;
    struct stt *stt;
    struct tts *tts;
    const char *language;
    const char *state_dir;
};

enum errand_kind { ERRAND_SPEAK, ERRAND_RECOGNISE, ERRAND_KEEP };

enum { ERRAND_PARTS_MAX = HEARING_MAX + 2 }; /* a turn, and what begins meanwhile */

struct errand {
    struct engine_job job; /* first */
    struct inbox_item home;
    struct errand_pool *pool;
    struct errand *next; /* the pool's, or the sender's list */
    void (*on_home)(struct errand *errand); /* on the worker; ends with errand_put() */
    void *user;
    enum errand_kind kind;
    unsigned number;           /* of the say or the utterance it is for */
    _Atomic bool is_unwanted;  /* not begun any more when set */
    int r;                     /* 0, or why not; -ECANCELED unwanted */
    const struct utterance *parts[ERRAND_PARTS_MAX]; /* audio, in order; not to be changed meanwhile */
    unsigned n_parts;
    union {
        struct {
            char text[TURN_TEXT_MAX];
            struct tts_sentence sentence; /* result: clip, voice, steps... */
            struct inbox_item end;
            bool is_over;  /* nothing more comes of it */
            bool is_taken; /* the sender's: its audio was */
        } speak;
        struct {
            enum answer_kind expect;
            const char *hints;         /* see stt_request; lent until it is home */
            struct stt_result result;
            struct stt_question *_Atomic question; /* what went out over the network; NULL nothing */
            bool is_settled;                       /* it was answered, or could not be asked */
            uint64_t asked_ms, answered_ms;        /* of it, clock_mono_ms(); 0 never */
            const char *failed;                    /* who was asked in vain before `asked` was; NULL nobody */
            char why_failed[STEP_CAUSE_MAX];
            const char *asked;                     /* last */
            const char *next;                      /* who took over from that, "" nobody; NULL: nobody had to */
            char cause[STEP_CAUSE_MAX];            /* why */
        } recognise;
        struct {
            char sid[SID_MAX];
            char path[TURN_AUDIO_MAX]; /* result: recordings/<CallSid>/<number>.wav, below the state directory */
        } keep;
    };
};

int errand_pool_new(const struct errand_options *options, size_t n_errands, struct errand_pool **ret_pool);
void errand_pool_free(struct errand_pool *pool); /* when all are home */

/* Returns: NULL when all are out. Thread: the worker, as for all below. */
struct errand *errand_get(struct errand_pool *pool, enum errand_kind kind, unsigned number);
/* Errors: -EAGAIN the engines' queue is full; the errand is still the caller's then. */
int errand_send(struct errand *errand, void (*on_home)(struct errand *errand), void *user);
/* One that speaks is over, and its clip broke: the next voice is sent. As errand_send(). */
int errand_send_again(struct errand *errand);
/* It is not needed any more: home it comes all the same, but soon. Once or more. */
void errand_give_up(struct errand *errand);
void errand_put(struct errand *errand); /* lets go of what it brought */
