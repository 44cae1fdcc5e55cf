#pragma once
/* fake_clip.h - the clips' own functions, counted, for tests that need no voices */

#include <stdlib.h>

#include "services/tts.h"

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
    clip->n = n;
    n_clips++;
    return clip;
}
