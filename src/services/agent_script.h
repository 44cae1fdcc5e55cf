#pragma once
/* agent_script.h - the scripted receptionist: a walk through the profile's questions. See agent.h. */

#include "services/agent.h"

struct agent_script;

int agent_script_new(const struct profile *profile, const struct agent_caller *caller, struct agent_script **ret_script);
void agent_script_free(struct agent_script *script);

void agent_script_turn(struct agent_script *script, const struct agent_input *input, struct agent_reply *ret_reply);

/* --- for somebody else who answers: the profile's own words, and a script that goes on where he stopped */

void agent_script_greet(struct agent_script *script, struct agent_reply *reply);
void agent_script_say(struct agent_script *script, const char *prompt, struct agent_reply *reply);
/* Learnt by him: its question need not be asked. */
void agent_script_know(struct agent_script *script, const char *field, const char *value);
/*
 * Go on with the first question whose answer is not known. words: what the caller said last and nobody answered; they
 * are learnt as the answer to that question where any words are one. "" none.
 */
void agent_script_take_over(struct agent_script *script, const char *words, struct agent_reply *ret_reply);
