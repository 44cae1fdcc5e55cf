#pragma once
/*
 * agent_tools.h - what a chat model may do in a call or a written conversation, besides talking
 *
 * One table says what the model is told of each tool and what is checked before anything is done: what it may not
 * or cannot do it is told, with the reason, and nothing happens. Immutable once made; shared by all threads.
 */

#include "services/agent.h"

enum { AGENT_RESULT_MAX = 320 };

struct agent_tools;

struct agent_tools_options {
    const struct profile *profile; /* its fields and messages; must outlive the tools */
    const char *country;           /* DEFAULT_COUNTRY */
    bool can_transfer, can_message;
    bool is_written; /* for conversations in writing; the tools of a call otherwise */
};

/* Errors: -EMSGSIZE the profile has more than a request may say; -ENOMEM. */
int agent_tools_new(const struct agent_tools_options *options, struct agent_tools **ret_tools);
void agent_tools_free(struct agent_tools *tools);
SCOPED_PTR(struct agent_tools, agent_tools_free)

/*
 * An array, for the request. Where the profile says when somebody is in the office, nobody is put through while nobody is:
 * the tool is not offered, and refused.
 */
const char *agent_tools_json(const struct agent_tools *tools, uint64_t unix_ms);

struct agent_tools_call {
    const char *name, *arguments; /* as the model wrote them */
    const char *from;             /* the caller's number, "" hidden */
    uint64_t unix_ms;
};

/*
 * Check a call and do it: learnt, whatsapp, end and end_as of the reply are set.
 *
 * Returns: 0 and the result for the model. -EINVAL: the result says what is wrong, and the reply is as it was.
 */
int agent_tools_run(const struct agent_tools *tools, const struct agent_tools_call *call, struct agent_reply *reply,
                    char ret_result[AGENT_RESULT_MAX]);
