#pragma once
/* prompts.h - the fixed sentences of a profile, rendered before the first call */

struct clip;
struct engine;
struct profile;
struct tts;

/*
 * Render all fixed prompts on the engine threads, side by side; progress is logged when it takes long.
 *
 * ret_clips: one for each prompt of the profile, NULL for those that are not fixed.
 * Errors:    -EOPNOTSUPP nobody here speaks the language; what a voice said. What to do about it is logged.
 */
int prompts_render(struct engine *engine, struct tts *tts, const struct profile *profile, struct clip ***ret_clips);
void prompts_free(const struct profile *profile, struct clip **clips); /* NULL is fine */
