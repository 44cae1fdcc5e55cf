/*
 * utterance.c - what a caller said, as it came, until it is recognised or kept
 *
 * Chunks are kept on a stack, so that the pages in use are those that were used
 * before: the memory of a pool is what its busiest moment took.
 */
#include "services/utterance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "utils/audio.h"

struct utterance_chunk {
    struct utterance_chunk *next;
    uint8_t ulaw[UTTERANCE_CHUNK];
};

struct utterance_pool {
    struct utterance_chunk *free;
    size_t n_free;
    size_t n_touched, n_chunks; /* of chunks[], which is given out in order before the stack is first used */
    struct utterance_chunk chunks[];
};

int utterance_pool_new(size_t n_chunks, struct utterance_pool **ret_pool)
{
    struct utterance_pool *pool = malloc(sizeof(*pool) + n_chunks * sizeof(pool->chunks[0]));
    if (!pool)
        return -ENOMEM;

    *pool = (struct utterance_pool){ .n_free = n_chunks, .n_chunks = n_chunks };
    *ret_pool = pool;
    return 0;
}

void utterance_pool_free(struct utterance_pool *pool)
{
    free(pool);
}

size_t utterance_pool_n_free(const struct utterance_pool *pool)
{
    return pool->n_free;
}

static struct utterance_chunk *chunk_get(struct utterance_pool *pool)
{
    struct utterance_chunk *chunk = pool->free;

    if (chunk)
        pool->free = chunk->next;
    else if (pool->n_touched < pool->n_chunks)
        chunk = &pool->chunks[pool->n_touched++];
    else
        return NULL;
    pool->n_free--;
    chunk->next = NULL;
    return chunk;
}

/* Room in the last chunk, of a further one when it is full; 0 when there is none. */
static size_t room(struct utterance_pool *pool, struct utterance *utterance)
{
    size_t used = utterance->n % UTTERANCE_CHUNK;

    if (utterance->last && used)
        return UTTERANCE_CHUNK - used;
    if (utterance->n >= UTTERANCE_MAX)
        return 0;

    struct utterance_chunk *chunk = chunk_get(pool);
    if (!chunk)
        return 0;
    if (utterance->last)
        utterance->last->next = chunk;
    else
        utterance->first = chunk;
    utterance->last = chunk;
    return UTTERANCE_CHUNK;
}

bool utterance_add(struct utterance_pool *pool, struct utterance *utterance, const uint8_t *ulaw, size_t n)
{
    while (n && !utterance->is_cut) {
        size_t n_room = room(pool, utterance), n_now = n < n_room ? n : n_room;

        utterance->is_cut = n_room == 0;
        if (n_now)
            memcpy(utterance->last->ulaw + utterance->n % UTTERANCE_CHUNK, ulaw, n_now);
        utterance->n += n_now;
        ulaw += n_now;
        n -= n_now;
    }
    return !utterance->is_cut;
}

void utterance_clear(struct utterance_pool *pool, struct utterance *utterance)
{
    for (struct utterance_chunk *chunk = utterance->first, *next; chunk; chunk = next) {
        next = chunk->next;
        chunk->next = pool->free;
        pool->free = chunk;
        pool->n_free++;
    }
    *utterance = (struct utterance){ 0 };
}

void utterance_decode(const struct utterance *utterance, int16_t *pcm)
{
    size_t left = utterance->n;

    for (const struct utterance_chunk *chunk = utterance->first; left; chunk = chunk->next) {
        size_t n = left < UTTERANCE_CHUNK ? left : UTTERANCE_CHUNK;

        ulaw_decode(chunk->ulaw, pcm, n);
        pcm += n;
        left -= n;
    }
}
