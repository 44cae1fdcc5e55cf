/*
 * chat.c - an OpenAI-compatible chat model, asked over the network and not waited for
 *
 * A round belongs to its worker; while it is asked, its request and what reads the answer (the stream) are the http
 * client's thread's. The parts cross over without a queue: the client's thread writes each once, into a place that is there
 * for all that there can be, and tells how many there are (n_parts, released and acquired). Two items of the
 * inbox wake the worker: `news`, posted when it is not on its way already, and `end`, posted once, as the last that the
 * client's thread does with the round. Items of one sender keep their order, so when `end` runs, nobody else knows the round
 * any more. The last part is not handed out before, and a round that was given up is the pool's again then.
 *
 * Deadlines: until the model has something to say or to do, CHAT_TIMEOUT_MS for everything, with all attempts, however
 * busily the server sends comments; from then on a stall, and a whole that no telephone call needs.
 */
#include "services/chat.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "services/chat_internal.h"
#include "utils/clock.h"
#include "utils/json.h"
#include "utils/log.h"

enum {
    CONNECT_MS = 1000,
    STALL_MS = 2000,
    TOTAL_MS = 30000,
    BYTES_MAX = 1 * MIB, /* of an answer with all that is around its text */
    TOKENS_MAX = 600,
    TOKENS_REASONING_MAX = 2000, /* with those that it thinks by */
    TAIL_MAX = 32,
};

enum round_state { ROUND_HOME, ROUND_NEW, ROUND_ASKED, ROUND_ENDED };

struct chat_round {
    struct chat_pool *pool;
    struct chat_round *next; /* in the pool's list */
    enum round_state state;  /* the worker's, as what follows */
    bool is_unwanted;
    const char *tools;
    size_t n_messages; /* bytes of them, behind the head */
    size_t n_taken;
    uint64_t asked_ms;
    void (*on_part)(struct chat_round *round, void *user);
    void *user;
    struct inbox_item news, end;

    struct http_call call; /* the client's thread's while it is asked, as the stream */
    struct chat_stream stream;

    _Atomic bool is_news_posted;
    _Atomic size_t n_parts; /* pairs: publish(), chat_take() */
    _Atomic uint64_t first_token_ms, first_sentence_ms;
    char body[CHAT_HEAD_MAX + CHAT_BODY_MAX + CHAT_TOOLS_BODY_MAX + TAIL_MAX];
};

struct chat_pool {
    struct chat *chat;
    struct inbox *inbox;
    struct chat_round *free;
    size_t n_rounds, n_out;
    struct chat_round rounds[];
};

/* --- the service */

static bool is_reasoning(const char *model)
{
    static const char *const families[] = { "o1", "o3", "o4", "gpt-5" };

    for (size_t i = 0; i < ELEMENTSOF(families); i++)
        if (strncmp(model, families[i], strlen(families[i])) == 0)
            return strstr(model, "chat") == NULL;
    return false;
}

const char *chat_tokens_key(const struct chat *chat)
{
    return chat->is_openai ? "max_completion_tokens" : "max_tokens";
}

/* OpenAI's reasoning models take no temperature, and think for long unless they are told not to. */
static int write_head(struct chat *chat)
{
    scoped(json_object_put) struct json_object *model = json_text(chat->model, strlen(chat->model));
    bool is_reasoning_there = chat->is_openai && chat->is_reasoning;
    size_t n;
    const char *quoted = model ? json_print(model, &n) : NULL;

    if (!quoted)
        return -ENOMEM;
    int n_head = snprintf(chat->head, sizeof(chat->head),
                          "{\"model\":%s,\"stream\":true,\"stream_options\":{\"include_usage\":true%s},"
                          "\"%s\":%d,%s,\"messages\":[",
                          quoted, chat->is_openai ? ",\"include_obfuscation\":false" : "", chat_tokens_key(chat),
                          is_reasoning_there ? TOKENS_REASONING_MAX : TOKENS_MAX,
                          is_reasoning_there ? "\"reasoning_effort\":\"low\"" : "\"temperature\":0.3");
    chat->n_head = (size_t)n_head;
    return chat->n_head < sizeof(chat->head) ? 0 : -EINVAL;
}

int chat_open(const struct config *config, struct http_client *client, struct chat **ret_chat)
{
    scoped(chat_close) struct chat *chat = NULL;
    struct http_provider_options options = {
        .base_url = config_chat_url(config),
        .path = "chat/completions",
        .key = config_chat_key(config),
        .connect_ms = CONNECT_MS,
    };

    if (!options.base_url || !client)
        return -ENOENT;
    chat = calloc(1, sizeof(*chat));
    if (!chat)
        return -ENOMEM;
    chat->url_name = config->chat_base_url ? "CHAT_BASE_URL" : "OPENAI_BASE_URL";
    chat->key_name = config->chat_base_url ? "CHAT_API_KEY" : "OPENAI_API_KEY";
    chat->timeout_ms = (unsigned)config->chat_timeout_ms;
    chat->is_openai = strncmp(options.base_url, "https://api.openai.com/", strlen("https://api.openai.com/")) == 0;
    chat->is_reasoning = is_reasoning(config->chat_model);
    chat->model = strdup(config->chat_model);
    int r = chat->model ? write_head(chat) : -ENOMEM;
    if (r == 0)
        r = http_provider_new(client, &options, &chat->provider);
    if (r == 0)
        *ret_chat = steal(&chat);
    return r;
}

void chat_close(struct chat *chat)
{
    if (!chat)
        return;
    http_provider_free(chat->provider);
    free(chat->model);
    free(chat);
}

void chat_warm(struct chat *chat)
{
    http_warm(chat->provider);
}

void chat_stats(struct chat *chat, struct chat_stats *ret_stats)
{
    struct http_provider_stats stats;

    http_provider_stats(chat->provider, &stats);
    *ret_stats = (struct chat_stats){
        .n_asked = stats.n_calls,
        .n_failed = chat->n_failed,
        .n_retries = stats.n_retries,
        .n_refused = stats.n_refused,
        .n_connections = stats.n_connections,
        .n_truncated = chat->n_truncated,
        .is_tripped = stats.is_open,
        .took_us = stats.took_us,
    };
}

/* What an operator can do about it. */
static const struct advice {
    int r;
    unsigned status; /* of HTTP; 0 any */
    const char *error; /* NULL any */
    const char *text;
    enum { ADVICE_ALONE, ADVICE_KEY, ADVICE_URL } setting; /* named behind it */
} advices[] = {
    { -EREMOTEIO, 401, NULL, "; its key is refused, set a valid ", ADVICE_KEY },
    { -EREMOTEIO, 403, NULL, "; its key may not do this, look at ", ADVICE_KEY },
    { -EREMOTEIO, 402, NULL, "; its account has nothing left, pay or set another ", ADVICE_KEY },
    { -EREMOTEIO, 429, "insufficient_quota", "; its account has nothing left, pay or set another ", ADVICE_KEY },
    { -EREMOTEIO, 404, NULL, "; it has no such model or path, look at CHAT_MODEL and ", ADVICE_URL },
    { -EREMOTEIO, 400, NULL, "; it does not take the request, look at CHAT_MODEL and ", ADVICE_URL },
    { -EPROTO, 0, NULL, "; PROVIDER_CA_FILE names other authorities", ADVICE_ALONE },
};

static const struct advice *advise(int r, unsigned status, const char *error)
{
    static const struct advice none = { .text = "" };

    for (size_t i = 0; i < ELEMENTSOF(advices); i++) {
        const struct advice *advice = &advices[i];

        if (advice->r == r && (!advice->status || advice->status == status) &&
            (!advice->error || strcmp(advice->error, error) == 0))
            return advice;
    }
    return &none;
}

void chat_failed(struct chat *chat, const char *what, const struct http_call *call, int r, const char *why, const char *error)
{
    const struct advice *advice = advise(r, call->status, error);
    const char *const settings[] = { "", chat->key_name, chat->url_name };
    char status[24] = "";

    if (r == -ECANCELED)
        return;
    chat->n_failed += r != -EHOSTDOWN; /* that is refused, and counted as such */
    if (call->status && call->status != 200)
        (void)snprintf(status, sizeof(status), ", HTTP %u", call->status);
    log_limited(LOG_WARNING, NULL, "%s from the chat model at %s: %s%s%s%s%s%s", what, chat->url_name, why, status,
                *error ? " " : "", error, advice->text, settings[advice->setting]);
}

/* --- the client's thread */

static void publish(struct chat_round *round)
{
    size_t n = atomic_load_explicit(&round->n_parts, memory_order_relaxed);

    if (n == round->stream.n_parts)
        return;
    if (round->first_sentence_ms == 0 && round->stream.n_said > 0)
        round->first_sentence_ms = clock_mono_ms();
    atomic_store_explicit(&round->n_parts, round->stream.n_parts, memory_order_release);
}

static int take_bytes(struct http_call *call, const char *bytes, size_t n)
{
    struct chat_round *round = (struct chat_round *)((char *)call - offsetof(struct chat_round, call));
    size_t n_before = round->stream.n_parts;
    int r = chat_stream_push(&round->stream, bytes, n);

    if (round->stream.has_begun && round->first_token_ms == 0) {
        round->first_token_ms = clock_mono_ms();
        if (call->stall_ms > STALL_MS)
            call->stall_ms = STALL_MS;
        call->total_ms = TOTAL_MS;
    }
    publish(round);
    if (round->stream.n_parts > n_before && !atomic_exchange(&round->is_news_posted, true))
        inbox_post(round->pool->inbox, &round->news);
    return r < 0 ? r : round->stream.is_finished;
}

/* The word for the error in the body of an answer that is one. */
static void read_error(struct http_call *call, char *ret_error)
{
    scoped(json_object_put) struct json_object *answer = NULL;
    scoped(free) char *body = steal(&call->body);

    if (body && json_parse(body, call->n_body, &answer) == 0)
        chat_stream_error(answer, ret_error);
}

static void done(struct http_call *call)
{
    struct chat_round *round = (struct chat_round *)((char *)call - offsetof(struct chat_round, call));
    struct chat_stream *stream = &round->stream;
    struct chat *chat = round->pool->chat;

    read_error(call, stream->error);
    bool is_late = call->r == -ETIMEDOUT && !stream->has_begun;
    chat_stream_end(stream, call->r, is_late ? "it had no word within CHAT_TIMEOUT_MS" : call->why);
    chat_stream_done(stream);
    if (stream->has_begun && round->first_token_ms == 0) /* the whole came at once */
        round->first_token_ms = clock_mono_ms();
    if (stream->r < 0)
        chat_failed(chat, "no whole reply", call, stream->r, stream->why, stream->error);
    else if (stream->is_truncated) {
        chat->n_truncated++;
        log_limited(LOG_WARNING, NULL, "the chat model did not stop talking and was cut short");
    }
    publish(round);
    inbox_post(round->pool->inbox, &round->end); /* the round is the worker's again */
}

/* --- the worker */

static void go_home(struct chat_round *round)
{
    struct chat_pool *pool = round->pool;

    round->state = ROUND_HOME;
    round->next = pool->free;
    pool->free = round;
    pool->n_out--;
}

static void run_news(struct inbox_item *item)
{
    struct chat_round *round = (struct chat_round *)((char *)item - offsetof(struct chat_round, news));

    atomic_store(&round->is_news_posted, false);
    if (!round->is_unwanted && round->n_taken < atomic_load_explicit(&round->n_parts, memory_order_acquire))
        round->on_part(round, round->user);
}

static void run_end(struct inbox_item *item)
{
    struct chat_round *round = (struct chat_round *)((char *)item - offsetof(struct chat_round, end));

    round->state = ROUND_ENDED;
    if (round->is_unwanted)
        go_home(round);
    else
        round->on_part(round, round->user); /* after which it may be another round */
}

int chat_pool_new(struct chat *chat, struct inbox *inbox, size_t n_rounds, struct chat_pool **ret_pool)
{
    struct chat_pool *pool = calloc(1, sizeof(*pool) + n_rounds * sizeof(pool->rounds[0]));

    if (!pool)
        return -ENOMEM;
    pool->chat = chat;
    pool->inbox = inbox_ref(inbox);
    pool->n_rounds = n_rounds;
    for (size_t i = n_rounds; i-- > 0;) {
        struct chat_round *round = &pool->rounds[i];

        round->pool = pool;
        round->news.run = run_news;
        round->end.run = run_end;
        round->next = pool->free;
        pool->free = round;
    }
    *ret_pool = pool;
    return 0;
}

void chat_pool_free(struct chat_pool *pool)
{
    if (!pool)
        return;
    assert(chat_pool_is_home(pool));
    inbox_unref(pool->inbox);
    free(pool);
}

bool chat_pool_is_home(const struct chat_pool *pool)
{
    return pool->n_out == 0;
}

struct chat_round *chat_get(struct chat_pool *pool)
{
    struct chat_round *round = pool->free;

    if (!round)
        return NULL;
    pool->free = round->next;
    pool->n_out++;
    round->state = ROUND_NEW;
    round->is_unwanted = false;
    round->tools = NULL;
    round->n_messages = round->n_taken = 0;
    round->asked_ms = 0;
    round->first_token_ms = 0;
    round->first_sentence_ms = 0;
    round->n_parts = 0;
    return round;
}

void chat_tools(struct chat_round *round, const char *tools)
{
    assert(!tools || strlen(tools) <= CHAT_TOOLS_BODY_MAX);
    round->tools = tools;
}

int chat_add(struct chat_round *round, const char *json, size_t n)
{
    assert(round->state == ROUND_NEW);
    if (n > CHAT_BODY_MAX - round->n_messages)
        return -EMSGSIZE;
    memcpy(round->body + round->pool->chat->n_head + round->n_messages, json, n);
    round->n_messages += n;
    return 0;
}

/* Returns: the length of the request, whose messages are in their place. */
static size_t write_body(struct chat_round *round)
{
    const struct chat *chat = round->pool->chat;
    size_t n = chat->n_head + round->n_messages;
    const char *const pieces[] = { "]", round->tools ? ",\"tools\":" : "", round->tools ? round->tools : "", "}" };

    memcpy(round->body, chat->head, chat->n_head);
    for (size_t i = 0; i < ELEMENTSOF(pieces); i++) {
        size_t n_piece = strlen(pieces[i]);
        memcpy(round->body + n, pieces[i], n_piece);
        n += n_piece;
    }
    return n;
}

void chat_ask(struct chat_round *round, void (*on_part)(struct chat_round *round, void *user), void *user)
{
    const struct chat *chat = round->pool->chat;

    assert(round->state == ROUND_NEW);
    round->state = ROUND_ASKED;
    round->on_part = on_part;
    round->user = user;
    round->asked_ms = clock_mono_ms();
    chat_stream_init(&round->stream);
    round->call = (struct http_call){
        .provider = chat->provider,
        .content = round->body,
        .n_content = write_body(round),
        .content_type = "application/json",
        .is_repeatable = true,
        .first_byte_ms = chat->timeout_ms,
        .stall_ms = chat->timeout_ms,
        .total_ms = chat->timeout_ms, /* more once it has begun, see take_bytes() */
        .body_max = BYTES_MAX,
        .on_bytes = take_bytes,
        .done = done,
    };
    http_start(&round->call);
}

bool chat_take(struct chat_round *round, struct chat_part *ret_part)
{
    if (round->is_unwanted || round->n_taken == atomic_load_explicit(&round->n_parts, memory_order_acquire))
        return false;
    struct chat_part part = round->stream.parts[round->n_taken];
    if (part.kind == CHAT_END && round->state != ROUND_ENDED)
        return false;
    round->n_taken++;
    *ret_part = part;
    if (part.kind == CHAT_END)
        go_home(round);
    return true;
}

void chat_times(const struct chat_round *round, struct chat_times *ret_times)
{
    *ret_times = (struct chat_times){ round->asked_ms, round->first_token_ms, round->first_sentence_ms };
}

void chat_give_up(struct chat_round *round)
{
    assert(round->state != ROUND_HOME);
    if (round->state != ROUND_ASKED) {
        go_home(round);
        return;
    }
    round->is_unwanted = true;
    http_abort(&round->call);
}
