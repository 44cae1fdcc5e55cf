#pragma once
/* tts_render.h - audio that is there as a whole, made into clips */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "services/clip.h"
#include "services/tts_engine.h"

/* Without the silence at both ends, but for what a sentence needs to stand beside the next. Returns: samples left from *ret_first on. */
size_t tts_cut(const int16_t *pcm, size_t n, size_t *ret_first);

/* Errors: -EFBIG nobody listens for so long; -ENOMEM. */
int tts_clip_from(const int16_t *pcm, size_t n, struct clip **ret_clip);

/*
 * What a voice renders, made fit for the telephone: one channel, 8000 Hz, cut, its peak at -3 dBFS.
 *
 * Thread: an engine's. Errors: those of the voice; -EIO there is nothing to be heard.
 */
int tts_render(const struct tts_engine *engine, const struct config *config, const char *language, const char *text,
               struct clip **ret_clip);

/* <folder>/<prompt>.wav as it was made, only its rate is changed. folder, prompt may be NULL. Errors: -ENOENT, -errno; logged. */
int tts_recording(const char *folder, const char *prompt, struct clip **ret_clip);
bool tts_recordings_any(const char *folder);
bool tts_is_name(const char *name); /* it can be no path */
