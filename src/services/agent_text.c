/*
 * agent_text.c - a chat model that answers in writing
 *
 * The sibling of agent_chat.c for who need not be answered within a breath: each round is a question whose whole answer is
 * waited for. They share what the model is told, the history and the tools. A round that calls tools is followed by one
 * that is told their results, TOOL_ROUNDS_MAX times; what was written beside them is part of the reply.
 */
#include "services/agent_text.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/call.h"
#include "services/agent_history.h"
#include "services/agent_prompt.h"
#include "services/agent_tools.h"
#include "services/chat.h"
#include "utils/text.h"
#include "utils/when.h"

enum { TOOL_ROUNDS_MAX = 3, WORDS_MAX = 1024 /* of one message, for the model */ };

struct agent_text {
    struct agent_text_options options;
    char from[ADDRESS_MAX];
    char *system; /* the first message, as JSON */
    struct agent_history history;
    struct history_tools called; /* of this round */
    unsigned n_rounds, n_calls;
    struct agent_reply one; /* of one call of a tool */
    struct agent_text_reply reply;
    size_t n_text;
    pthread_mutex_t lock; /* of: */
    struct chat_question *question; /* under way */
    bool is_aborted;
};

int agent_text_new(const struct agent_text_options *options, struct agent_text **ret_text)
{
    struct agent_text *text = calloc(1, sizeof(*text));

    if (!text)
        return -ENOMEM;
    (void)pthread_mutex_init(&text->lock, NULL);
    text->options = *options;
    (void)text_set(text->from, sizeof(text->from), options->writer.from ? options->writer.from : "");
    int r = agent_prompt_written(options->profile, &options->writer, options->calls ? options->calls : "", &text->system);
    if (r < 0) {
        agent_text_free(text);
        return r;
    }
    *ret_text = text;
    return 0;
}

void agent_text_free(struct agent_text *text)
{
    if (!text)
        return;
    chat_question_free(text->question);
    (void)pthread_mutex_destroy(&text->lock);
    free(text->system);
    free(text);
}

void agent_text_add(struct agent_text *text, enum agent_text_who who, uint64_t unix_ms, const char *words, const char *what)
{
    static const char *const marks[][2] = { [TEXT_CUSTOMER] = { "<caller>", "</caller>" },
                                            [TEXT_COLLEAGUE] = { "<colleague>", "</colleague>" } };
    char data[WORDS_MAX], before[WHEN_MAX + 64], time[WHEN_MAX];

    if (who == TEXT_AGENT) {
        history_say(&text->history, HISTORY_ASSISTANT, "", words[0] ? words : what, "");
        return;
    }
    when_print(unix_ms, time);
    agent_prompt_as_data(words, data, sizeof(data));
    (void)snprintf(before, sizeof(before), words[0] ? "%s %s" : "%s (%s%s", time, words[0] ? marks[who][0] : "", words[0] ? "" : what);
    history_say(&text->history, HISTORY_USER, before, data, words[0] ? marks[who][1] : ")");
}

/* --- asking */

static void end(struct agent_text *text, int r, const char *why)
{
    text->options.on_end(text, r, why, &text->reply, text->options.user); /* which may free it */
}

static int put(void *user, const char *json, size_t n)
{
    return fwrite(json, 1, n, user) == n ? 0 : -ENOMEM;
}

static void on_answer(struct chat_question *question, int r, const char *words, void *user);

static int compose(struct agent_text *text, struct chat_question **ret_question)
{
    scoped(free) char *messages = NULL;
    size_t n;
    FILE *out = open_memstream(&messages, &n);

    if (!out)
        return -ENOMEM;
    fputs(text->system, out);
    int r = history_put(&text->history, text->reply.text, put, out);
    if (fclose(out) != 0 || r < 0)
        return -ENOMEM;
    return chat_question_of(text->options.chat, messages, agent_tools_json(text->options.tools, text->options.writer.unix_ms),
                            on_answer, text, ret_question);
}

static void ask(struct agent_text *text)
{
    struct chat_question *question = NULL;
    int r = compose(text, &question);

    history_tools_clear(&text->called);
    (void)pthread_mutex_lock(&text->lock);
    text->question = question;
    bool is_aborted = text->is_aborted;
    if (r == 0 && !is_aborted)
        chat_question_ask(question);
    (void)pthread_mutex_unlock(&text->lock);
    if (r < 0 || is_aborted)
        end(text, r < 0 ? r : -ECANCELED, r < 0 ? "the conversation cannot be put to the chat model" : "");
}

/* --- tools */

static bool keep_learnt(struct agent_text *text)
{
    struct agent_text_reply *reply = &text->reply;

    if (reply->n_learnt + text->one.n_learnt > AGENT_TEXT_LEARNT_MAX)
        return false;
    memcpy(reply->learnt + reply->n_learnt, text->one.learnt, text->one.n_learnt * sizeof(reply->learnt[0]));
    reply->n_learnt += text->one.n_learnt;
    reply->to_human |= text->one.end && text->one.end_as == CALL_END_TRANSFER;
    return true;
}

static void run(struct agent_text *text, const struct chat_call *asked)
{
    struct agent_tools_call call = { asked->name, asked->arguments, text->from, text->options.writer.unix_ms };
    char result[AGENT_RESULT_MAX], id[CHAT_ID_MAX];

    text->one = (struct agent_reply){ 0 };
    (void)snprintf(id, sizeof(id), "call_%u", text->n_calls++);
    if (agent_tools_run(text->options.tools, &call, &text->one, result) == 0 && !keep_learnt(text))
        (void)text_set(result, sizeof(result), "refused: too much was saved in this reply");
    bool is_json = asked->arguments[0] == '{' && strncmp(result, "refused: the arguments", 22) != 0;
    history_tools_add(&text->called, asked->id[0] && strlen(asked->id) < sizeof(id) ? asked->id : id, asked->name, asked->arguments,
                      is_json, result);
}

/* --- the answer */

static void add_words(struct agent_text *text, const char *words)
{
    struct agent_text_reply *reply = &text->reply;
    size_t n = strlen(words);

    while (n && strchr(" \t\r\n", words[n - 1]))
        n--;
    if (!n)
        return;
    text_add(reply->text, sizeof(reply->text), &text->n_text, "\n", text->n_text > 0);
    text_add(reply->text, sizeof(reply->text), &text->n_text, words, n);
}

static void on_answer(struct chat_question *question, int r, const char *words, void *user)
{
    struct agent_text *text = user;
    struct chat_call calls[CHAT_TOOLS_MAX];
    size_t n = r == 0 ? chat_question_calls(question, calls) : 0;

    if (r == 0)
        add_words(text, words);
    for (size_t i = 0; i < n; i++)
        run(text, &calls[i]);
    (void)pthread_mutex_lock(&text->lock);
    text->question = NULL;
    (void)pthread_mutex_unlock(&text->lock);
    chat_question_free(question);
    if (n)
        history_call(&text->history, &text->called);
    if (r < 0)
        end(text, r, "the chat model does not answer");
    else if (n == 0 || text->reply.to_human)
        end(text, text->reply.text[0] || text->reply.to_human ? 0 : -EBADMSG, "the chat model writes nothing");
    else if (text->n_rounds++ == TOOL_ROUNDS_MAX)
        end(text, text->reply.text[0] ? 0 : -EBADMSG, "the chat model does not stop calling tools");
    else
        ask(text);
}

void agent_text_ask(struct agent_text *text)
{
    history_turn(&text->history);
    ask(text);
}

void agent_text_abort(struct agent_text *text)
{
    (void)pthread_mutex_lock(&text->lock);
    text->is_aborted = true;
    if (text->question)
        chat_question_abort(text->question);
    (void)pthread_mutex_unlock(&text->lock);
}
