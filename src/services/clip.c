/*
 * clip.c - mu-law audio, shared by calls
 *
 * A growing clip lives in a mapping of its own: how long it will be nobody knows, the pages that were not written cost
 * nothing, and its readers need never be told of a move.
 */
#include "services/clip.h"

#include <stdlib.h>
#include <sys/mman.h>

static struct clip *begin(struct clip *clip, size_t n, size_t room, enum clip_state state)
{
    atomic_init(&clip->n_refs, 1);
    atomic_init(&clip->state, state);
    atomic_init(&clip->n, n);
    clip->room = room;
    clip->n_mapped = 0;
    return clip;
}

struct clip *clip_new(size_t n)
{
    struct clip *clip = malloc(sizeof(*clip) + n);

    return clip ? begin(clip, n, n, CLIP_WHOLE) : NULL;
}

struct clip *clip_new_growing(size_t room)
{
    size_t n_mapped = sizeof(struct clip) + room;
    void *memory = mmap(NULL, n_mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED)
        return NULL;
    struct clip *clip = begin(memory, 0, room, CLIP_GROWING);
    clip->n_mapped = n_mapped;
    return clip;
}

struct clip *clip_ref(struct clip *clip)
{
    atomic_fetch_add_explicit(&clip->n_refs, 1, memory_order_relaxed);
    return clip;
}

void clip_unref(struct clip *clip)
{
    if (!clip || atomic_fetch_sub_explicit(&clip->n_refs, 1, memory_order_acq_rel) != 1)
        return;
    if (clip->n_mapped)
        (void)munmap(clip, clip->n_mapped);
    else
        free(clip);
}
