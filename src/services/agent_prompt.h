#pragma once
/* agent_prompt.h - what a chat model is told before a call begins, or before it writes */

#include "services/agent.h"

/*
 * The first message of every request, as JSON.
 *
 * Owner:  *ret_json is the caller's to free.
 * Errors: -EMSGSIZE the profile says so much that no conversation would fit behind it; -ENOMEM.
 */
int agent_prompt_new(const struct profile *profile, const struct agent_caller *caller, char **ret_json);

/* The same for who answers in writing. calls: what was said with this person on the telephone, lines; "" nothing. */
int agent_prompt_written(const struct profile *profile, const struct agent_caller *writer, const char *calls, char **ret_json);

/* What others wrote or said, as data: it cannot end the marks it stands between. */
void agent_prompt_as_data(const char *text, char *ret_data, size_t size);
