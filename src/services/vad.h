#pragma once
/*
 * vad.h - is somebody speaking? and utterances cut from the answer
 *
 * speexdsp denoise, then WebRtcVad mode 3 (looked up at start; the speex probability stands in),
 * then hangover. An energy gate in front skips both in plain silence, and loud speech on a quiet line needs no denoising.
 */

#include <stdint.h>

#include "utils/scoped.h"

struct vad;

enum { VAD_FRAME = 160 }; /* samples, 20 ms at 8 kHz */

/*
 * Speech that VAD_STARTED tells of began up to VAD_LEAD_MS earlier: whoever cuts utterances keeps
 * that much audio from before it, so that no first consonant is lost.
 */
enum { VAD_ONSET_MS = 120, VAD_OFFSET_MS = 300, VAD_LEAD_MS = 300 };

enum vad_change { VAD_NOTHING, VAD_STARTED, VAD_ENDED };

/* 14 KB: everything it will need; vad_push() allocates nothing. */
int vad_new(struct vad **ret_vad);
void vad_free(struct vad *vad);
SCOPED_PTR(struct vad, vad_free)
const char *vad_engine(void); /* "webrtc" or "speex": which is in use; the first caller logs it */

/*
 * Take 20 ms.
 *
 * Returns: VAD_STARTED once VAD_ONSET_MS of speech were seen, VAD_ENDED after VAD_OFFSET_MS
 *          without; VAD_NOTHING otherwise.
 * Thread:  one at a time per vad; never blocks.
 */
enum vad_change vad_push(struct vad *vad, const int16_t pcm[VAD_FRAME]);

/* For tests and benchmarks: with the stand-in in spite of the better one. */
int vad_new_stand_in(struct vad **ret_vad);
