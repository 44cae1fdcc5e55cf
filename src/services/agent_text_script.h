#pragma once
/*
 * agent_text_script.h - the scripted receptionist, in writing: for when no chat model answers
 *
 * It asks what the profile asks in writing, one thing at a time and not what is known, and says in the end that somebody
 * will be in touch. Where it stands is in what it wrote last (struct message, asked), so nothing is kept elsewhere.
 */

#include "services/agent_text.h"
#include "services/crm_reply.h"

struct text_script_answer {
    struct crm_answer answer; /* whose texts are the rest */
    char text[AGENT_TEXT_MAX], asked[MESSAGE_ASKED_MAX];
    struct agent_learnt learnt[2];
};

/* country: of numbers without one. A profile without words for it says nothing, and has a human called. */
void agent_text_script(const struct profile *profile, const char *country, const struct crm_reply *reply, uint64_t now_ms,
                       struct text_script_answer *ret_answer);

/* What is said when a human goes on; "" nothing. */
const char *agent_text_script_farewell(const struct profile *profile);
