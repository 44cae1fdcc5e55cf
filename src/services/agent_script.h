#pragma once
/* agent_script.h - the scripted receptionist: a walk through the profile's questions. See agent.h. */

#include "services/agent.h"

struct agent_script;

int agent_script_new(const struct profile *profile, const struct agent_caller *caller, struct agent_script **ret_script);
void agent_script_free(struct agent_script *script);

void agent_script_turn(struct agent_script *script, const struct agent_input *input, struct agent_reply *ret_reply);
