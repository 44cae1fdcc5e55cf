/*
 * agent.c - decides what to say: who answers
 *
 * A chat model, when there is one, from the first answer on: the greeting and the first question are the profile's, so
 * that nobody waits for the first word. When it fails the script takes over for the rest of the call, with this turn's
 * reply when nothing of it was said yet, else with the next one. The script also takes over where the model is of no
 * use: when the caller is not understood, since it knows the keypad, and when no voice can say what is not recorded.
 */
#include "services/agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "models/call.h"
#include "services/agent_chat.h"
#include "services/agent_script.h"
#include "services/chat.h"
#include "utils/log.h"
#include "utils/text.h"

enum {
    SILENCES_MAX = 3,    /* in a row; the last one is answered with goodbye */
    UNCLEAR_MAX = 3,     /* the same; then the keypad is better */
};

struct agent {
    const struct profile *profile;
    struct agent_script *script;
    struct agent_chat *chat;        /* NULL: there is none */
    bool is_down;                   /* the script answers, ever since there was a reason */
    char words[AGENT_VALUE_MAX];    /* the caller's last, as long as nobody answered them */
    char why[AGENT_WHY_MAX];        /* the chat failed in the middle of a reply; "" not */
    unsigned n_silences, n_unclear; /* in a row */
};

static bool is_script(const struct agent *agent)
{
    return !agent->chat || agent->is_down;
}

static bool wants_chat(const struct profile *profile, const struct agent_caller *caller)
{
    return caller->chat && caller->tools && profile->has_chat && !(caller->deaf_to & 1U << ANSWER_FREE);
}

int agent_new(const struct profile *profile, const struct agent_caller *caller, struct agent **ret_agent)
{
    scoped(agent_free) struct agent *agent = calloc(1, sizeof(*agent));

    if (!agent)
        return -ENOMEM;
    agent->profile = profile;
    int r = agent_script_new(profile, caller, &agent->script);
    if (r == 0 && wants_chat(profile, caller))
        r = agent_chat_new(profile, caller, &agent->chat);
    if (r == -EMSGSIZE) /* the script can do without */
        log_limited(LOG_ERR, NULL, "AGENT_PROFILE: \"chat\" and \"questions\" are too long for a chat model; the script answers");
    else if (r < 0)
        return r;
    *ret_agent = steal(&agent);
    return 0;
}

void agent_free(struct agent *agent)
{
    if (!agent)
        return;
    agent_chat_free(agent->chat);
    agent_script_free(agent->script);
    free(agent);
}

/* The script answers from now on, with this reply. */
static void step_down(struct agent *agent, const char *why, struct agent_reply *reply)
{
    agent_chat_cancel(agent->chat);
    agent->is_down = true;
    agent_script_take_over(agent->script, agent->words, reply);
    (void)text_set(reply->stepped, sizeof(reply->stepped), why);
}

static void begin(struct agent *agent, struct agent_reply *reply)
{
    *reply = (struct agent_reply){ 0 };
    agent_script_greet(agent->script, reply);
    agent_script_say(agent->script, agent->profile->chat.opening, reply);
}

static void say_goodbye_to_nobody(struct agent *agent, struct agent_reply *reply)
{
    *reply = (struct agent_reply){ .end = true, .end_as = CALL_END_SILENCE };
    agent_script_say(agent->script, "goodbye_silence", reply);
}

static void count(struct agent *agent, const struct agent_input *input)
{
    bool unclear = input->kind == AGENT_UNCLEAR || input->kind == AGENT_UNHEARD;

    agent->n_silences = input->kind == AGENT_SILENCE ? agent->n_silences + 1 : 0;
    agent->n_unclear = unclear ? agent->n_unclear + 1 : 0;
}

/* NULL: the model can be asked. */
static const char *why_not(const struct agent *agent, const struct agent_input *input)
{
    if (agent->why[0])
        return agent->why;
    if (input->kind == AGENT_FAILED)
        return "its reply could not be spoken, or did not come";
    return agent->n_unclear == UNCLEAR_MAX ? "the caller is not understood" : NULL;
}

/* Returns: whether the reply is there already. */
static bool ask_chat(struct agent *agent, const struct agent_input *input, struct agent_reply *reply)
{
    count(agent, input);
    agent_chat_cancel(agent->chat);
    if (input->kind == AGENT_HEARD || input->kind == AGENT_CONTINUED)
        (void)text_set(agent->words, sizeof(agent->words), input->text);
    else if (input->kind != AGENT_FAILED)
        agent->words[0] = '\0';

    const char *why = why_not(agent, input);
    if (!why && agent->n_silences == SILENCES_MAX)
        say_goodbye_to_nobody(agent, reply);
    else if (why)
        step_down(agent, why, reply);
    else if (agent_chat_ask(agent->chat, input) == 0)
        return false;
    else
        step_down(agent, agent_chat_why(agent->chat), reply);
    return true;
}

bool agent_turn(struct agent *agent, const struct agent_input *input, struct agent_reply *ret_reply)
{
    if (is_script(agent)) {
        agent_script_turn(agent->script, input, ret_reply);
        return true;
    }
    struct agent_input safe = *input;

    safe.text = input->text ? input->text : "";
    if (input->is_last) {
        agent_cancel(agent);
        *ret_reply = (struct agent_reply){ 0 };
        return true;
    }
    if (input->kind == AGENT_BEGIN) {
        begin(agent, ret_reply);
        return true;
    }
    return ask_chat(agent, &safe, ret_reply);
}

/* What was learnt need not be asked, should the script take over. */
static void note_learnt(struct agent *agent, const struct agent_reply *reply)
{
    for (size_t i = 0; i < reply->n_learnt; i++)
        agent_script_know(agent->script, reply->learnt[i].field, reply->learnt[i].value);
}

/* A model that ends a call without a word is impolite. */
static void end_politely(struct agent *agent, struct agent_reply *reply)
{
    if (reply->end && !agent_chat_has_spoken(agent->chat))
        agent_script_say(agent->script, reply->end_as == CALL_END_TRANSFER ? "wait" : "goodbye", reply);
}

/* Nothing more comes from the model: its words, if there were any, are the reply. */
static void take_failure(struct agent *agent, struct agent_reply *reply)
{
    if (!agent_chat_has_spoken(agent->chat)) {
        step_down(agent, agent_chat_why(agent->chat), reply);
        return;
    }
    (void)text_set(agent->why, sizeof(agent->why), agent_chat_why(agent->chat));
    agent->words[0] = '\0'; /* they were answered, somehow */
    reply->more = false;
}

bool agent_take(struct agent *agent, struct agent_reply *ret_reply)
{
    if (is_script(agent))
        return false;
    enum agent_chat_outcome outcome = agent_chat_take(agent->chat, ret_reply);
    if (outcome == AGENT_CHAT_NOTHING)
        return false;
    note_learnt(agent, ret_reply);
    if (outcome == AGENT_CHAT_WHOLE)
        end_politely(agent, ret_reply);
    if (outcome == AGENT_CHAT_FAILED)
        take_failure(agent, ret_reply);
    return true;
}

void agent_cancel(struct agent *agent)
{
    if (agent->chat)
        agent_chat_cancel(agent->chat);
}

void agent_said(struct agent *agent, const struct turn *turn)
{
    if (!is_script(agent))
        agent_chat_said(agent->chat, turn);
}

bool agent_is_at_rest(const struct agent *agent)
{
    return !agent->chat || agent_chat_is_at_rest(agent->chat);
}

void agent_times(const struct agent *agent, struct chat_times *ret_times)
{
    *ret_times = (struct chat_times){ 0 };
    if (agent->chat)
        agent_chat_times(agent->chat, ret_times);
}
