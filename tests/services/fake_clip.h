#pragma once
/* fake_clip.h - the clips' own functions, counted, for tests that need no voices */

#include <stdlib.h>

#include "services/clip.h"

static _Atomic int n_clips; /* that live */

struct clip *clip_ref(struct clip *clip)
{
    clip->n_refs++;
    return clip;
}

void clip_unref(struct clip *clip)
{
    if (!clip || --clip->n_refs)
        return;
    n_clips--;
    free(clip);
}

struct clip *clip_new(size_t n)
{
    struct clip *clip = calloc(1, sizeof(*clip) + n);

    if (!clip)
        abort();
    clip->n_refs = 1;
    clip->n = clip->room = n;
    n_clips++;
    return clip;
}

__attribute__((unused)) struct clip *clip_new_growing(size_t room)
{
    struct clip *clip = clip_new(room);

    clip->n = 0;
    clip->state = CLIP_GROWING;
    return clip;
}
