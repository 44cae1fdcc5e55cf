#pragma once
/* fake_vad.h - what is loud is speech, from the onset on and until the offset is over */

#include <errno.h>
#include <stdlib.h>

#include "services/vad.h"

enum { FAKE_VAD_FRAME_MS = 20 };

struct vad {
    unsigned n_loud, n_quiet;
    bool is_speaking;
};

int vad_new(struct vad **ret_vad)
{
    *ret_vad = calloc(1, sizeof(**ret_vad));
    return *ret_vad ? 0 : -ENOMEM;
}

void vad_free(struct vad *vad)
{
    free(vad);
}

enum vad_change vad_push(struct vad *vad, const int16_t pcm[VAD_FRAME])
{
    bool is_loud = abs(pcm[VAD_FRAME / 2]) > 1000;

    vad->n_loud = is_loud ? vad->n_loud + 1 : 0;
    vad->n_quiet = is_loud ? 0 : vad->n_quiet + 1;
    if (!vad->is_speaking && vad->n_loud * FAKE_VAD_FRAME_MS >= VAD_ONSET_MS) {
        vad->is_speaking = true;
        return VAD_STARTED;
    }
    if (vad->is_speaking && vad->n_quiet * FAKE_VAD_FRAME_MS >= VAD_OFFSET_MS) {
        vad->is_speaking = false;
        return VAD_ENDED;
    }
    return VAD_NOTHING;
}
