#pragma once
/*
 * clip.h - mu-law audio, shared by calls
 *
 * Whole, and then immutable; or growing while it is played, by one writer, who ends it once: whole or broken. What is
 * published does not change any more.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "utils/scoped.h"

enum clip_state { CLIP_WHOLE, CLIP_GROWING, CLIP_BROKEN };

struct clip {
    _Atomic unsigned n_refs;
    _Atomic int state; /* enum clip_state */
    _Atomic size_t n;  /* bytes = samples that are published */
    size_t room;       /* bytes that ulaw[] can hold */
    size_t n_mapped;   /* of the mapping that a growing one lives in; 0: it lives on the heap */
    uint8_t ulaw[];    /* 8000 Hz */
};

struct clip *clip_new(size_t n); /* whole; one reference; NULL when out of memory */
/* Address space for that many samples, and memory for those that are written. */
struct clip *clip_new_growing(size_t room);
struct clip *clip_ref(struct clip *clip);
void clip_unref(struct clip *clip); /* NULL is fine */
SCOPED_PTR(struct clip, clip_unref)

/* Writer: the samples up to n were written. Pairs with clip_look(). */
static inline void clip_publish(struct clip *clip, size_t n)
{
    atomic_store_explicit(&clip->n, n, memory_order_release);
}

static inline void clip_end(struct clip *clip, enum clip_state state)
{
    atomic_store_explicit(&clip->state, state, memory_order_release);
}

/* Reader: how much is there. State is read first: of one that is whole, that is all of it. */
static inline size_t clip_look(const struct clip *clip, enum clip_state *ret_state)
{
    *ret_state = (enum clip_state)atomic_load_explicit(&clip->state, memory_order_acquire);
    return atomic_load_explicit(&clip->n, memory_order_acquire);
}
