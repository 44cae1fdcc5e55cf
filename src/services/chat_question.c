/*
 * chat_question.c - one request to a chat model, whose whole answer somebody wants later
 *
 * An object is asked for by response_format. A server that does not know it either ignores it, so that the object is looked
 * for in what it writes (behind thoughts and in fences); or it refuses it with 400: then it is asked again without, and
 * no later question asks for it.
 */
#include "services/chat.h"

#include <errno.h>
#include <string.h>

#include "services/chat_internal.h"
#include "utils/json.h"

enum { TIMEOUT_MS = 20000, TOTAL_MS = 40000, BYTES_MAX = 256 * KIB, TOKENS_MAX = 1200, TOKENS_REASONING_MAX = 4000,
       BRACES_MAX = 4 };

struct chat_question {
    struct http_call call; /* first */
    struct chat *chat;
    struct json_object *request; /* whose text is sent */
    bool is_json, asked_for_json;
    bool is_talk;              /* of a conversation */
    struct json_object *whole; /* the answer, while somebody takes it */
    void (*on_answer)(struct chat_question *question, int r, const char *text, void *user);
    void *user;
};

/* --- the request */

static int add_message(struct json_object *messages, const char *role, const char *content)
{
    struct json_object *message = json_object_new_object();

    if (!message || json_add(message, "role", json_object_new_string(role)) < 0 ||
        json_add(message, "content", json_text(content, strlen(content))) < 0) {
        json_object_put(message);
        return -ENOMEM;
    }
    return json_append(messages, message);
}

static int add_messages(struct json_object *request, const char *system, const char *user_text)
{
    struct json_object *messages = json_object_new_array();
    int r = messages ? add_message(messages, "system", system) : -ENOMEM;

    if (r == 0)
        r = add_message(messages, "user", user_text);
    if (r == 0)
        return json_add(request, "messages", messages);
    json_object_put(messages);
    return r;
}

static int ask_for_json(struct json_object *request)
{
    struct json_object *format = json_object_new_object();

    if (!format || json_add(format, "type", json_object_new_string("json_object")) < 0) {
        json_object_put(format);
        return -ENOMEM;
    }
    return json_add(request, "response_format", format);
}

/* The service's own keys: its model, how long the answer may get, and how sober. */
static int add_manner(struct json_object *request, const struct chat *chat)
{
    bool is_reasoning = chat->is_openai && chat->is_reasoning;
    int r = json_add(request, "model", json_text(chat->model, strlen(chat->model)));

    if (r == 0)
        r = json_add(request, chat_tokens_key(chat), json_object_new_int(is_reasoning ? TOKENS_REASONING_MAX : TOKENS_MAX));
    if (r == 0)
        r = is_reasoning ? json_add(request, "reasoning_effort", json_object_new_string("low"))
                         : json_add(request, "temperature", json_object_new_double(0));
    return r;
}

static int compose(struct chat_question *question)
{
    size_t n;
    const char *text = json_print(question->request, &n);

    question->call.content = text;
    question->call.n_content = n;
    return text ? 0 : -ENOMEM;
}

/* --- the answer */

/* The object in a text, which may have a few braces of its own around it. Returns: NULL there is none. */
static struct json_object *find_object(const char *text)
{
    struct json_object *object = NULL;
    const char *thoughts = strstr(text, "</think>"), *from = thoughts ? thoughts : text;

    for (int n_from = 0; n_from < BRACES_MAX && (from = strchr(from, '{')); n_from++, from++) {
        const char *to = from + strlen(from);

        for (int n_to = 0; n_to < BRACES_MAX && (to = memrchr(from, '}', (size_t)(to - from))); n_to++)
            if (json_parse(from, (size_t)(to - from) + 1, &object) == 0)
                return object;
    }
    return NULL;
}

static void answer(struct chat_question *question, int r, const char *why, const char *error, const char *text)
{
    if (r < 0)
        chat_failed(question->chat, "no answer", &question->call, r, why, error);
    question->on_answer(question, r, r < 0 ? "" : text, question->user); /* which may free it */
}

/* What it writes, less what it thought; "" when it calls tools instead. NULL: neither. */
static const char *words_of(struct json_object *whole)
{
    struct chat_call calls[CHAT_TOOLS_MAX];
    const char *text = chat_stream_text(whole), *thoughts = text ? strstr(text, "</think>") : NULL;

    if (!text)
        return chat_stream_calls(whole, calls) ? "" : NULL;
    text = thoughts ? thoughts + strlen("</think>") : text;
    return text + strspn(text, " \t\r\n");
}

static void take_answer(struct chat_question *question, struct json_object *whole)
{
    scoped(json_object_put) struct json_object *object = NULL;
    const char *text = question->is_talk ? words_of(whole) : chat_stream_text(whole);
    size_t n;

    question->whole = whole;
    if (text && question->is_json) {
        object = find_object(text);
        text = object ? json_print(object, &n) : NULL;
    }
    answer(question, text ? 0 : -EBADMSG, question->is_json ? "its answer is no JSON" : "its answer cannot be read", "", text);
}

static void done(struct http_call *call)
{
    struct chat_question *question = (struct chat_question *)call;
    scoped(json_object_put) struct json_object *whole = NULL;
    scoped(free) char *body = steal(&call->body);
    char error[CHAT_ERROR_MAX] = "";

    if (call->r == -EREMOTEIO && call->status == 400 && question->asked_for_json) {
        question->chat->is_plain = true;
        question->asked_for_json = false;
        json_object_object_del(question->request, "response_format");
        if (compose(question) == 0) {
            http_start(call);
            return;
        }
    }
    int r = body ? json_parse(body, call->n_body, &whole) : -EBADMSG;
    chat_stream_error(whole, error);
    if (call->r < 0)
        answer(question, call->r, call->why, error, "");
    else if (r < 0)
        answer(question, r, "its answer cannot be read", "", "");
    else
        take_answer(question, whole);
}

/* --- for the others */

static struct chat_question *make(struct chat *chat, bool json,
                                  void (*on_answer)(struct chat_question *question, int r, const char *text, void *user), void *user)
{
    struct chat_question *question = calloc(1, sizeof(*question));

    if (!question)
        return NULL;
    question->chat = chat;
    question->is_json = json;
    question->asked_for_json = json && !chat->is_plain;
    question->on_answer = on_answer;
    question->user = user;
    question->call.provider = chat->provider;
    question->call.content_type = "application/json";
    question->call.is_repeatable = true;
    question->call.first_byte_ms = question->call.stall_ms = TIMEOUT_MS;
    question->call.total_ms = TOTAL_MS;
    question->call.body_max = BYTES_MAX;
    question->call.done = done;
    question->request = json_object_new_object();
    if (!question->request || add_manner(question->request, chat) < 0 ||
        (question->asked_for_json && ask_for_json(question->request) < 0)) {
        chat_question_free(question);
        return NULL;
    }
    return question;
}

/* r: how it went to fill the request. */
static int finish(struct chat_question *question, int r, struct chat_question **ret_question)
{
    if (r == 0)
        r = compose(question);
    if (r < 0)
        chat_question_free(question);
    else
        *ret_question = question;
    return r;
}

int chat_question_new(struct chat *chat, const char *system, const char *user_text, bool json,
                      void (*on_answer)(struct chat_question *question, int r, const char *text, void *user), void *user,
                      struct chat_question **ret_question)
{
    struct chat_question *question = make(chat, json, on_answer, user);

    return question ? finish(question, add_messages(question->request, system, user_text), ret_question) : -ENOMEM;
}

/* A member that is JSON already. Errors: -EBADMSG it is none. */
static int add_json(struct json_object *request, const char *key, const char *before, const char *json, const char *behind)
{
    scoped(json_object_put) struct json_object *value = NULL;
    scoped(free) char *text = NULL;
    int n = asprintf(&text, "%s%s%s", before, json, behind);
    int r = n < 0 ? -ENOMEM : json_parse(text, (size_t)n, &value);

    return r < 0 ? r : json_add(request, key, json_object_get(value));
}

int chat_question_of(struct chat *chat, const char *messages, const char *tools,
                     void (*on_answer)(struct chat_question *question, int r, const char *text, void *user), void *user,
                     struct chat_question **ret_question)
{
    struct chat_question *question = make(chat, false, on_answer, user);

    if (!question)
        return -ENOMEM;
    question->is_talk = true;
    int r = add_json(question->request, "messages", "[", messages, "]");
    if (r == 0 && tools)
        r = add_json(question->request, "tools", "", tools, "");
    return finish(question, r, ret_question);
}

size_t chat_question_calls(const struct chat_question *question, struct chat_call ret_calls[CHAT_TOOLS_MAX])
{
    return chat_stream_calls(question->whole, ret_calls);
}

void chat_question_ask(struct chat_question *question)
{
    http_start(&question->call);
}

void chat_question_abort(struct chat_question *question)
{
    http_abort(&question->call);
}

void chat_question_free(struct chat_question *question)
{
    if (!question)
        return;
    json_object_put(question->request);
    free(question);
}
