/*
 * agent.c - decides what to say: who answers
 */
#include "services/agent.h"

#include <errno.h>
#include <stdlib.h>

#include "services/agent_script.h"

struct agent {
    struct agent_script *script;
};

int agent_new(const struct profile *profile, const struct agent_caller *caller, struct agent **ret_agent)
{
    scoped(agent_free) struct agent *agent = calloc(1, sizeof(*agent));

    if (!agent)
        return -ENOMEM;
    int r = agent_script_new(profile, caller, &agent->script);
    if (r < 0)
        return r;
    *ret_agent = steal(&agent);
    return 0;
}

void agent_free(struct agent *agent)
{
    if (!agent)
        return;
    agent_script_free(agent->script);
    free(agent);
}

bool agent_turn(struct agent *agent, const struct agent_input *input, struct agent_reply *ret_reply)
{
    agent_script_turn(agent->script, input, ret_reply);
    return true;
}

bool agent_take(struct agent *agent, struct agent_reply *ret_reply)
{
    return false;
}

void agent_cancel(struct agent *agent)
{
}

void agent_said(struct agent *agent, const struct turn *turn)
{
}

bool agent_is_at_rest(const struct agent *agent)
{
    return true;
}
