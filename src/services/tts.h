#pragma once
/*
 * tts.h - text to speech, as mu-law clips
 *
 * One front for every voice; the engines live in tts_*.c. Order: operator's recorded prompt;
 * TTS_COMMAND, then the embedded voice, each with its cache on disk by (engine, voice, version,
 * language, text). Blocking: called on engine threads only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "services/clip.h"
#include "utils/scoped.h"

struct config;
struct tts;

/* profile: its name, below which PROMPTS_DIR holds the recordings; NULL none. */
int tts_open(const struct config *config, const char *profile, unsigned n_threads,
             struct tts **ret_tts);
void tts_close(struct tts *tts);
SCOPED_PTR(struct tts, tts_close)

/* Whether anything here speaks the language; Hebrew needs TTS_COMMAND or recorded prompts. */
bool tts_can(const struct tts *tts, const char *language);

/*
 * prompt:  id of a profile's prompt, for the operator's recording of it
 *          (PROMPTS_DIR/<profile>/<id>.wav); NULL none.
 * Thread:  engine thread number `thread`.
 * Errors:  -EOPNOTSUPP nobody speaks the language; -ETIMEDOUT; -EIO, also when there is nothing to
 *          be heard.
 */
int tts_speak(struct tts *tts, unsigned thread, const char *language, const char *prompt,
              const char *text, struct clip **ret_clip);
