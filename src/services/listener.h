#pragma once
/*
 * listener.h - cuts a caller's audio into utterances and holds them
 *
 * Thread: the call's worker.
 */

#include "services/utterance.h"
#include "services/vad.h"

enum {
    LISTENER_BLOCK = VAD_FRAME, /* bytes = samples */
    LISTENER_BLOCK_MS = 20,
    LISTENER_LEAD = VAD_LEAD_MS / LISTENER_BLOCK_MS + 1, /* blocks */
    LISTENER_SLOTS = 8, /* utterances held at once */
};

struct held_utterance {
    unsigned number; /* from 1 on; 0: the slot is free */
    struct utterance audio;
    unsigned n_readers; /* who still needs the audio */
    bool is_dismissed;  /* goes with the last of them */
};

struct listener {
    const char *sid; /* for the log; lent, as is the pool */
    struct utterance_pool *pool;
    struct vad *vad;
    struct held_utterance slots[LISTENER_SLOTS];
    struct held_utterance *recording; /* NULL: nobody speaks, or it is not recorded */
    unsigned n_utterances;            /* ever */
    uint64_t began_ms;                /* the last one */
    size_t n_block;
    unsigned n_lead, lead_at; /* blocks held, the next to be overwritten */
    uint8_t block[LISTENER_BLOCK];
    uint8_t lead[LISTENER_LEAD][LISTENER_BLOCK];
};

int listener_init(struct listener *listener, const char *sid, struct utterance_pool *pool);
void listener_done(struct listener *listener); /* nobody reads any more */

/* What became of the bytes up to the first change. */
struct listener_change {
    enum vad_change kind;
    unsigned utterance;
    uint64_t at_ms;     /* when it really began or ended */
    uint32_t speech_ms; /* of one that ended */
};

/* Take mu-law, up to the first change. Returns: how many bytes; to be called until all are taken. */
size_t listener_hear(struct listener *listener, uint64_t now_ms, const uint8_t *ulaw, size_t n,
                     struct listener_change *ret_change);

/* An utterance that is held; if it is being recorded it ends there. NULL: it is not held. */
struct held_utterance *listener_find(struct listener *listener, unsigned number);

/* Its audio stays as it is until read_done(). */
const struct utterance *listener_read(struct held_utterance *held);
void listener_read_done(struct listener *listener, const struct utterance *audio);
/* Not needed any more but by those who read it. */
void listener_dismiss(struct listener *listener, struct held_utterance *held);
