#pragma once
/*
 * vad.h - is somebody speaking? and utterances cut from the answer
 *
 * speexdsp denoise, then WebRtcVad mode 3 (looked up at start; the speex probability stands in), then
 * hangover. An energy gate in front skips both in plain silence.
 */

#include <stdbool.h>
#include <stdint.h>

struct vad;

enum { VAD_FRAME = 160 }; /* samples, 20 ms at 8 kHz */

enum vad_change { VAD_NOTHING, VAD_STARTED, VAD_ENDED };

int vad_new(struct vad **ret_vad); /* everything it will need; vad_push() allocates nothing */
void vad_free(struct vad *vad);
const char *vad_engine(void); /* "webrtc" or "speex": which is in use */

/*
 * Take 20 ms.
 *
 * Returns: VAD_STARTED once onset_ms of speech were seen (in-call default 120), VAD_ENDED after
 *          offset_ms (default 300) without; VAD_NOTHING otherwise.
 */
enum vad_change vad_push(struct vad *vad, const int16_t pcm[VAD_FRAME]);
bool vad_speaking(const struct vad *vad);
void vad_reset(struct vad *vad);
