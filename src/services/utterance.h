#pragma once
/*
 * utterance.h - what a caller said, as it came, until it is recognised or kept
 *
 * A worker's calls share one pool of chunks, so that a call in silence costs nothing and the whole is bounded.
 * When the pool is empty or an utterance is too long, what is held of it stays and the rest is not recorded.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UTTERANCE_CHUNK = 4000 /* bytes, i.e. 500 ms */, UTTERANCE_MAX = 60 * 8000 };

struct utterance_pool;
struct utterance_chunk;

int utterance_pool_new(size_t n_chunks, struct utterance_pool **ret_pool);
void utterance_pool_free(struct utterance_pool *pool); /* after all utterances were cleared */
size_t utterance_pool_n_free(const struct utterance_pool *pool);

struct utterance { /* zero-initialised: empty */
    struct utterance_chunk *first, *last;
    size_t n;    /* bytes of mu-law */
    bool is_cut; /* there was more */
};

/* Thread: the pool's worker. Returns: false once it is cut. */
bool utterance_add(struct utterance_pool *pool, struct utterance *utterance, const uint8_t *ulaw, size_t n);
void utterance_clear(struct utterance_pool *pool, struct utterance *utterance);

/* All of it as PCM, utterance->n samples. Thread: any, while nothing is added. */
void utterance_decode(const struct utterance *utterance, int16_t *pcm);
