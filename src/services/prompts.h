#pragma once
/* prompts.h - the fixed sentences of a profile, rendered before the first call */

struct clip;
struct engine;
struct profile;
struct tts;

/*
 * Render all fixed prompts, side by side; progress is logged when it takes long.
 *
 * ret_clips: one for each prompt of the profile, NULL for those that are not fixed, and for those that a voice over the
 *            network should speak and did not: they are asked for in the call.
 * Errors:    -EOPNOTSUPP nobody here speaks the language; what a voice said. What to do about it is logged.
 */
int prompts_render(struct engine *engine, struct tts *tts, const struct profile *profile, struct clip ***ret_clips);
void prompts_free(const struct profile *profile, struct clip **clips); /* NULL is fine */
