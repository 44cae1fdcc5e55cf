/*
 * fuzz_profile.c - any bytes as a profile: refused by name, or good for a whole conversation
 */
#include <stdint.h>

#include "services/agent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void talk(const struct profile *profile)
{
    struct agent_caller caller = { "+972501234567", "", "972", 0 };
    scoped(agent_free) struct agent *agent = NULL;
    static struct agent_reply reply;
    static const struct agent_input inputs[] = {
        { AGENT_BEGIN, "", "", 1 },  { AGENT_HEARD, "yes", "", 1 },      { AGENT_HEARD, "no", "", 1 },
        { AGENT_KEYED, "052", "", 1 }, { AGENT_UNHEARD, "", "rec/1", 1 }, { AGENT_HEARD, "two hundred and six", "", 1 },
    };

    if (agent_new(profile, &caller, &agent) < 0)
        return;
    for (int i = 0; i < AGENT_TURNS_MAX && !reply.end; i++)
        agent_turn(agent, &inputs[i % (int)ELEMENTSOF(inputs)], &reply);
    reply.end = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    scoped(profile_free) struct profile *profile = NULL;
    char problems[512];

    if (profile_parse((const char *)data, n, "Acme", problems, sizeof(problems), &profile) == 0 &&
        profile->mode == PROFILE_SCRIPT)
        talk(profile);
    return 0;
}
