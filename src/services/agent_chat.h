#pragma once
/*
 * agent_chat.h - a chat model that answers the telephone
 *
 * Keeps what was said, asks for replies, does what the model wants done. It fails easily and says so; who uses it
 * has somebody else to answer then. Thread: the call's worker; nothing is allocated after agent_chat_new().
 */

#include "services/agent.h"

struct agent_chat;
struct chat_times;

int agent_chat_new(const struct profile *profile, const struct agent_caller *caller, struct agent_chat **ret_chat);
void agent_chat_free(struct agent_chat *chat); /* when it is at rest */
SCOPED_PTR(struct agent_chat, agent_chat_free)

/* Returns: 0, and parts will come; -EBUSY there is no round for it. */
int agent_chat_ask(struct agent_chat *chat, const struct agent_input *input);

enum agent_chat_outcome {
    AGENT_CHAT_NOTHING, /* yet */
    AGENT_CHAT_PART,    /* in *ret_reply, and more will come */
    AGENT_CHAT_WHOLE,   /* the last one */
    AGENT_CHAT_FAILED,  /* nothing more will come; see agent_chat_why(). Effects in *ret_reply hold all the same */
};
enum agent_chat_outcome agent_chat_take(struct agent_chat *chat, struct agent_reply *ret_reply);

const char *agent_chat_why(const struct agent_chat *chat);
bool agent_chat_has_spoken(const struct agent_chat *chat); /* a sentence in this turn */

void agent_chat_cancel(struct agent_chat *chat);
void agent_chat_said(struct agent_chat *chat, const struct turn *turn);
bool agent_chat_is_at_rest(const struct agent_chat *chat);
void agent_chat_times(const struct agent_chat *chat, struct chat_times *ret_times); /* of the latest question to the model */
