/*
 * agent_chat.c - a chat model that answers the telephone
 *
 * A turn of the model's is one round, or several: a round that calls tools is followed by one that is told their results,
 * TOOL_ROUNDS_MAX times. Sentences are handed on as they come, from whichever round. A tool is run when its call is
 * whole, before the round ends, and written into the history when the round is over or given up: done is done.
 *
 * What the model said is in the history only as far as it was heard, see agent_chat_said(). What it asked for twice
 * under the same id is done once, and answered as the first time.
 */
#include "services/agent_chat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/call.h"
#include "services/agent_history.h"
#include "services/agent_prompt.h"
#include "services/agent_tools.h"
#include "services/chat.h"
#include "utils/text.h"

enum {
    TOOL_ROUNDS_MAX = 3,
    DONE_MAX = 16, /* calls of tools that are remembered */
    DONE_RESULT_MAX = 128,
};

struct done {
    uint64_t key; /* of id, name and arguments: servers that number calls from 0 in each reply are not to be misunderstood */
    char result[DONE_RESULT_MAX];
};

struct agent_chat {
    struct chat_pool *pool;
    const struct agent_tools *tools;
    void (*on_part)(void *user);
    void *user;
    char from[ADDRESS_MAX];
    char *system; /* the first message, as JSON */
    struct agent_history history;

    struct chat_round *round; /* under way; NULL: none is */
    uint64_t unix_ms;         /* of the turn */
    unsigned n_rounds;        /* that called tools, in this turn */
    unsigned n_said;          /* sentences in this turn */
    char said[TURN_TEXT_MAX]; /* they, for the next round of it */
    size_t n_said_bytes;
    struct chat_times times;
    struct history_tools called; /* of this round */
    bool is_refused, is_ending;  /* a tool of this round was; one wants the call to end */
    int end_as;
    char why[AGENT_WHY_MAX];

    struct done done[DONE_MAX];
    unsigned n_done; /* ever */
};

int agent_chat_new(const struct profile *profile, const struct agent_caller *caller, struct agent_chat **ret_chat)
{
    scoped(agent_chat_free) struct agent_chat *chat = calloc(1, sizeof(*chat));

    if (!chat)
        return -ENOMEM;
    chat->pool = caller->chat;
    chat->tools = caller->tools;
    chat->on_part = caller->on_part;
    chat->user = caller->user;
    (void)text_set(chat->from, sizeof(chat->from), caller->from ? caller->from : "");
    int r = agent_prompt_new(profile, caller, &chat->system);
    if (r < 0)
        return r;
    *ret_chat = steal(&chat);
    return 0;
}

void agent_chat_free(struct agent_chat *chat)
{
    if (!chat)
        return;
    free(chat->system);
    free(chat);
}

/* --- asking */

static void on_part(struct chat_round *round, void *user)
{
    struct agent_chat *chat = user;

    chat->on_part(chat->user);
}

static int put(void *user, const char *json, size_t n)
{
    return chat_add(user, json, n);
}

static int ask(struct agent_chat *chat)
{
    struct chat_round *round = chat_get(chat->pool);

    if (!round)
        return -EBUSY;
    history_tools_clear(&chat->called);
    chat->is_refused = chat->is_ending = false;
    chat->end_as = CALL_END_NONE;
    int r = chat_add(round, chat->system, strlen(chat->system));
    if (r == 0)
        r = history_put(&chat->history, chat->said, put, round);
    if (r < 0) {
        chat_give_up(round);
        return r;
    }
    chat_tools(round, agent_tools_json(chat->tools, chat->unix_ms));
    chat->round = round;
    chat_ask(round, on_part, chat);
    return 0;
}

/* What happened, or what the caller said, as the model is told it. */
static void tell(struct agent_chat *chat, const struct agent_input *input)
{
    char data[TURN_TEXT_MAX], keys[2 * AGENT_FIELD_MAX] = "";
    size_t n = 0;

    if (input->kind == AGENT_KEYED) {
        for (const char *p = input->text; *p && n + 2 < sizeof(keys); p++)
            n += (size_t)sprintf(keys + n, " %c", *p);
        history_say(&chat->history, HISTORY_USER, "(pressed", n ? keys : " #", ")");
    } else if (input->kind == AGENT_SILENCE) {
        history_say(&chat->history, HISTORY_USER, "", "(silence)", "");
    } else if (input->text[0]) {
        agent_prompt_as_data(input->text, data, sizeof(data));
        history_say(&chat->history, HISTORY_USER, "<caller>", data, "</caller>");
    } else {
        history_say(&chat->history, HISTORY_USER, "", "(could not be understood)", "");
    }
}

int agent_chat_ask(struct agent_chat *chat, const struct agent_input *input)
{
    agent_chat_cancel(chat);
    tell(chat, input);
    history_turn(&chat->history);
    chat->unix_ms = input->unix_ms;
    chat->n_rounds = chat->n_said = 0;
    chat->n_said_bytes = 0;
    chat->said[0] = '\0';
    chat->times = (struct chat_times){ 0 };
    int r = ask(chat);
    if (r < 0)
        (void)snprintf(chat->why, sizeof(chat->why), "%s", r == -EBUSY ? "too many replies under way" : "the call is too long");
    return r;
}

/* --- tools */

static uint64_t hash(uint64_t hash, const char *text)
{
    do /* FNV-1a, with the NUL */
        hash = (hash ^ (uint8_t)*text) * 1099511628211u;
    while (*text++);
    return hash;
}

static uint64_t key_of(const struct chat_part *part)
{
    return part->id[0] ? hash(hash(hash(14695981039346656037u, part->id), part->name), part->arguments) : 0;
}

static const struct done *find_done(const struct agent_chat *chat, uint64_t key)
{
    for (unsigned i = 0; i < DONE_MAX && i < chat->n_done; i++)
        if (key && chat->done[i].key == key)
            return &chat->done[i];
    return NULL;
}

/* A call that ends while something else is to be mended would end too early. */
static int run(struct agent_chat *chat, const struct chat_part *part, struct agent_reply *reply, char result[AGENT_RESULT_MAX])
{
    struct agent_tools_call call = {
        .name = part->name,
        .arguments = part->arguments,
        .from = chat->from,
        .unix_ms = chat->unix_ms,
    };
    int r = agent_tools_run(chat->tools, &call, reply, result);

    chat->is_refused |= r < 0;
    if (reply->end && chat->is_refused)
        (void)text_set(result, AGENT_RESULT_MAX, "refused: not yet, something else was refused; mend that first");
    else if (reply->end) {
        chat->is_ending = true;
        chat->end_as = reply->end_as;
    }
    reply->end = false;
    reply->end_as = CALL_END_NONE;
    return r;
}

static void take_tool(struct agent_chat *chat, const struct chat_part *part, struct agent_reply *reply)
{
    uint64_t key = key_of(part);
    const struct done *done = find_done(chat, key);
    char result[AGENT_RESULT_MAX], id[CHAT_ID_MAX];

    (void)snprintf(id, sizeof(id), "call_%u", chat->n_done);
    if (part->id[0])
        (void)text_set(id, sizeof(id), part->id);
    if (done)
        (void)text_set(result, sizeof(result), done->result);
    else if (run(chat, part, reply, result) == 0) {
        struct done *slot = &chat->done[chat->n_done++ % DONE_MAX];
        slot->key = key;
        (void)text_set(slot->result, sizeof(slot->result), result);
    }
    bool is_json = part->arguments[0] == '{' && strncmp(result, "refused: the arguments", 22) != 0;
    history_tools_add(&chat->called, id, part->name, part->arguments, is_json, result);
}

/* --- taking */

static void take_sentence(struct agent_chat *chat, const char *text, struct agent_reply *reply)
{
    if (chat->n_said == AGENT_SENTENCES_MAX)
        return;
    chat->n_said++;
    struct agent_sentence *sentence = &reply->sentences[reply->n_sentences++];
    sentence->prompt = NULL;
    (void)text_set(sentence->text, sizeof(sentence->text), text);
    text_add(chat->said, sizeof(chat->said), &chat->n_said_bytes, " ", chat->n_said_bytes > 0);
    text_add(chat->said, sizeof(chat->said), &chat->n_said_bytes, text, strlen(text));
}

static enum agent_chat_outcome fail(struct agent_chat *chat, const char *why)
{
    (void)text_set(chat->why, sizeof(chat->why), why);
    return AGENT_CHAT_FAILED;
}

static enum agent_chat_outcome whole(const struct agent_chat *chat, struct agent_reply *reply)
{
    reply->more = false;
    reply->end = chat->is_ending;
    reply->end_as = chat->end_as;
    return AGENT_CHAT_WHOLE;
}

/* The round is over: so is the turn, unless tools were called whose results the model has to be told. */
static enum agent_chat_outcome end_round(struct agent_chat *chat, const struct chat_part *part, struct agent_reply *reply)
{
    bool has_called = chat->called.n > 0;

    chat->round = NULL;
    history_call(&chat->history, &chat->called);
    history_tools_clear(&chat->called);
    chat->is_ending &= !chat->is_refused;
    if (part->r < 0)
        return fail(chat, part->why && part->why[0] ? part->why : strerror(-part->r));
    if (chat->is_ending || (has_called && chat->n_said == AGENT_SENTENCES_MAX))
        return whole(chat, reply);
    if (!has_called)
        return chat->n_said ? whole(chat, reply) : fail(chat, "it said nothing");
    if (chat->n_rounds++ == TOOL_ROUNDS_MAX)
        return fail(chat, "it does not stop calling tools");
    return ask(chat) < 0 ? fail(chat, "too many replies under way") : AGENT_CHAT_PART;
}

/* Of the first round, as far as it had any: a reply may begin with tools and without a word. */
static void note_times(struct agent_chat *chat)
{
    struct chat_times times;

    chat_times(chat->round, &times);
    if (!chat->times.asked_ms)
        chat->times.asked_ms = times.asked_ms;
    if (!chat->times.first_token_ms)
        chat->times.first_token_ms = times.first_token_ms;
    if (!chat->times.first_sentence_ms)
        chat->times.first_sentence_ms = times.first_sentence_ms;
}

enum agent_chat_outcome agent_chat_take(struct agent_chat *chat, struct agent_reply *ret_reply)
{
    struct agent_reply *reply = ret_reply;
    struct chat_part part;

    reply->n_sentences = reply->n_learnt = 0;
    reply->expect = ANSWER_FREE;
    reply->keypad = reply->end = false;
    reply->digits_min = reply->digits_max = 0;
    reply->end_as = CALL_END_NONE;
    reply->whatsapp[0] = reply->stepped[0] = '\0';
    reply->may_reword = false;
    reply->more = true;
    while (chat->round) {
        note_times(chat);
        if (!chat_take(chat->round, &part))
            return reply->n_sentences ? AGENT_CHAT_PART : AGENT_CHAT_NOTHING;
        if (part.kind == CHAT_END)
            return end_round(chat, &part, reply);
        if (part.kind == CHAT_TOOL) { /* a part of its own: what it brings is written down at once */
            take_tool(chat, &part, reply);
            return AGENT_CHAT_PART;
        }
        take_sentence(chat, part.text, reply);
    }
    return AGENT_CHAT_NOTHING;
}

/* --- the rest */

const char *agent_chat_why(const struct agent_chat *chat)
{
    return chat->why;
}

bool agent_chat_has_spoken(const struct agent_chat *chat)
{
    return chat->n_said > 0;
}

void agent_chat_cancel(struct agent_chat *chat)
{
    if (!chat->round)
        return;
    note_times(chat);
    chat_give_up(steal(&chat->round));
    history_call(&chat->history, &chat->called);
    history_tools_clear(&chat->called);
}

void agent_chat_said(struct agent_chat *chat, const struct turn *turn)
{
    if (turn->who == TURN_AGENT && turn->text[0])
        history_say(&chat->history, HISTORY_ASSISTANT, "", turn->text,
                    turn->interrupted ? " [interrupted by the caller here]" : "");
}

bool agent_chat_is_at_rest(const struct agent_chat *chat)
{
    return !chat->round;
}

void agent_chat_times(const struct agent_chat *chat, struct chat_times *ret_times)
{
    *ret_times = chat->times;
}
