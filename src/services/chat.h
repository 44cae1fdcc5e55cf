#pragma once
/*
 * chat.h - an OpenAI-compatible chat model, asked over the network and not waited for
 *
 * A round is one request whose answer is streamed: speakable sentences as they are complete, calls of tools, an end.
 * A question is one request whose whole answer somebody wants later, and who is not on the telephone: of two texts, or of a
 * conversation in writing, with tools.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "services/agent.h"
#include "utils/histogram.h"
#include "utils/inbox.h"
#include "utils/scoped.h"

struct chat;
struct chat_pool;
struct chat_round;
struct config;
struct http_client;

/* client: may be NULL when none is configured. Errors: -ENOENT that; -EINVAL the URL or the key; -ENOMEM. */
int chat_open(const struct config *config, struct http_client *client, struct chat **ret_chat);
void chat_close(struct chat *chat); /* when nothing is out */
SCOPED_PTR(struct chat, chat_close)

void chat_warm(struct chat *chat); /* a connection for the first question of a call; any thread */

struct chat_stats {
    uint64_t n_asked, n_failed, n_retries, n_refused, n_connections, n_truncated; /* truncated: it did not stop talking */
    bool is_tripped;
    struct histogram_sums took_us; /* see http_provider_stats */
};
void chat_stats(struct chat *chat, struct chat_stats *ret_stats); /* any thread */

/* --- rounds: a pool of a worker's; all on the worker's thread */

enum {
    CHAT_BODY_MAX = 32 * KIB, /* of the messages of a round, as JSON */
    CHAT_TOOLS_BODY_MAX = 16 * KIB, /* of its tools */
    CHAT_TOOLS_MAX = 4,       /* calls of tools in a round; more are an error of the model */
    CHAT_ID_MAX = 64,
    CHAT_NAME_MAX = 64,
    CHAT_ARGUMENTS_MAX = 2 * KIB,
};

int chat_pool_new(struct chat *chat, struct inbox *inbox, size_t n_rounds, struct chat_pool **ret_pool);
void chat_pool_free(struct chat_pool *pool); /* when all rounds are home */

struct chat_round *chat_get(struct chat_pool *pool); /* NULL: all are out */

/*
 * The request: tools (a JSON array, or NULL) and messages, piece by piece as JSON text, commas and all, without the
 * outer brackets. tools: lent until the round is over. Errors: -EMSGSIZE over CHAT_BODY_MAX.
 */
void chat_tools(struct chat_round *round, const char *tools);
int chat_add(struct chat_round *round, const char *json, size_t n);

/* on_part: on the worker, when there is something to take; never after chat_give_up(). Never blocks, never allocates. */
void chat_ask(struct chat_round *round, void (*on_part)(struct chat_round *round, void *user), void *user);

enum chat_part_kind {
    CHAT_SENTENCE, /* text, AGENT_SENTENCES_MAX at most; at one more the model is stopped */
    CHAT_TOOL,     /* id ("": the server gave none), name, arguments: whole, and not checked yet */
    CHAT_END,      /* r, why: the last part, always; the round is the pool's again once it was taken */
};

struct chat_part { /* lives until the next chat_take() of the round */
    enum chat_part_kind kind;
    const char *text;
    const char *id, *name, *arguments;
    /*
     * 0: it ended as it should, or was stopped since it did not stop talking; -EBADMSG the stream cannot be read;
     * -ENODATA it broke off; those of http_client.h. What came before the error holds all the same.
     */
    int r;
    const char *why;
};
bool chat_take(struct chat_round *round, struct chat_part *ret_part);

struct chat_times { uint64_t asked_ms, first_token_ms, first_sentence_ms; }; /* clock_mono_ms(); 0: not yet */
void chat_times(const struct chat_round *round, struct chat_times *ret_times);

/* Its answer is not wanted any more; the request is aborted and the round goes home by itself. */
void chat_give_up(struct chat_round *round);
/* All rounds are home: nothing of the pool is used by another thread. */
bool chat_pool_is_home(const struct chat_pool *pool);

/* --- questions */

struct chat_question;

/*
 * json: the answer has to be one JSON object. on_answer: on the http client's thread, once; r as above, text the whole
 * answer ("" when r < 0), which lives until it returns. Errors: -ENOMEM.
 */
int chat_question_new(struct chat *chat, const char *system, const char *user_text, bool json,
                      void (*on_answer)(struct chat_question *question, int r, const char *text, void *user), void *user,
                      struct chat_question **ret_question);
/*
 * The same of a whole conversation: messages as JSON, an array without its brackets, and tools, an array, or NULL. text is
 * what the model writes, less its thoughts; "" while it calls tools only, whose results are for the next question.
 */
int chat_question_of(struct chat *chat, const char *messages, const char *tools,
                     void (*on_answer)(struct chat_question *question, int r, const char *text, void *user), void *user,
                     struct chat_question **ret_question);
struct chat_call {
    const char *id, *name, *arguments; /* as the model wrote them: not checked; id "" when the server gave none */
};
/* In on_answer(): the tools it calls, which live until that returns. Returns: how many, of which more are left out. */
size_t chat_question_calls(const struct chat_question *question, struct chat_call ret_calls[CHAT_TOOLS_MAX]);
void chat_question_ask(struct chat_question *question); /* any thread */
/* The answer is not wanted any more: -ECANCELED comes soon, if nothing else has. While it is out, or before. Any thread. */
void chat_question_abort(struct chat_question *question);
void chat_question_free(struct chat_question *question); /* not while it is out, but in on_answer() too */
