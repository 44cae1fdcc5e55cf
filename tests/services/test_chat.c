/*
 * test_chat.c - rounds and questions over a socket: what arrives, when, and what is done about it
 *
 * What a stream's bytes mean is shown by test_chat_stream.c. Nothing here is timed: servers wait for what the test posts,
 * and where a deadline is to pass, the model is an impatient one.
 */
#include "services/chat.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>

#include "config.h"
#include "fake_provider.h"
#include "services/chat_internal.h"
#include "tap.h"
#include "utils/json.h"
#include "utils/utf8.h"

#define KEY "sk-very-secret"
#define CALLER_WORDS "my secret words"

enum { PATIENT_MS = 30000, IMPATIENT_MS = 300, ROUNDS = 3, CHURN = 25 };

#define HEAD(status) "HTTP/1.1 " status "\r\nContent-Type: "
#define STREAM HEAD("200 OK") "text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n"
#define CHUNKED HEAD("200 OK") "text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#define JSON(status) HEAD(status) "application/json\r\nConnection: close\r\n\r\n"
#define TEXT(text) "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"},\"finish_reason\":null}]}\n\n"
#define FINISH(reason) "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"" reason "\"}]}\n\n"
#define DONE "data: [DONE]\n\n"
#define GOOD STREAM TEXT("Hello. ") TEXT("How are you?") FINISH("stop") DONE

/* Instead of a piece: says the last one for as long as it is taken, fast or in no hurry; says nothing more until the other side goes; resets. */
#define FOREVER "\1"
#define HANG "\2"
#define RESET "\3"
/* Waits until the test posts `gate`. */
#define GATE "\4"
#define SLOWLY "\5"
/* The connection goes on. */
#define AGAIN "\6"

static struct fake_provider server;
static struct http_client *client;
static _Thread_local struct inbox *inbox; /* of the worker that this thread is */
static sem_t gate;
static const char *const *script; /* what a request is answered with; pieces of one, NULL, those of the next... NULL, NULL */
static pthread_mutex_t script_lock = PTHREAD_MUTEX_INITIALIZER;
static char last_request[FAKE_REQUEST_MAX];

static void reset_connection(int fd)
{
    struct linger linger = { .l_onoff = 1 };
    scoped(close) int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    (void)dup2(nothing, fd); /* for who closes it */
}

static void say(struct fake_connection *connection, const char *piece, const char *before)
{
    char byte;

    if (strcmp(piece, GATE) == 0) {
        sem_wait(&gate);
    } else if (strcmp(piece, HANG) == 0) {
        while (recv(connection->fd, &byte, 1, 0) > 0)
            ;
    } else if (strcmp(piece, RESET) == 0) {
        reset_connection(connection->fd);
    } else if (strcmp(piece, FOREVER) == 0 || strcmp(piece, SLOWLY) == 0) {
        struct pollfd gone = { .fd = connection->fd, .events = POLLIN };

        while (send(connection->fd, before, strlen(before), MSG_NOSIGNAL) > 0 &&
               !(*piece == *SLOWLY && poll(&gone, 1, IMPATIENT_MS / 10) != 0))
            ;
    } else {
        fake_say(connection, piece);
    }
}

static void answer_with(const char *const *pieces)
{
    pthread_mutex_lock(&script_lock);
    script = pieces;
    server.n_requests = 0;
    pthread_mutex_unlock(&script_lock);
}

/* The next request's answer, or the last one's again. */
static bool serve(struct fake_connection *connection)
{
    const char *const *pieces;

    pthread_mutex_lock(&script_lock);
    memcpy(last_request, connection->request, sizeof(last_request));
    pieces = script;
    for (size_t i = 0; pieces[i]; i++)
        if (!pieces[i + 1] && pieces[i + 2])
            script = pieces + i + 2;
    pthread_mutex_unlock(&script_lock);
    for (size_t i = 0; pieces[i]; i++) {
        if (strcmp(pieces[i], AGAIN) == 0)
            return true;
        say(connection, pieces[i], i ? pieces[i - 1] : "");
    }
    return false;
}

static struct chat *open_chat(const char *key, unsigned timeout_ms)
{
    struct config config = { .openai_base_url = "https://api.openai.com/v1", .openai_api_key = "sk-openai",
                             .chat_base_url = server.url, .chat_api_key = (char *)key, .chat_model = "mod\"el",
                             .chat_timeout_ms = timeout_ms };
    struct chat *chat = NULL;

    if (chat_open(&config, client, &chat) < 0)
        abort();
    return chat;
}

/* --- the worker */

struct seen {
    char text[AGENT_SENTENCES_MAX * AGENT_SENTENCE_MAX + 1];
    size_t n;
    int n_woken;
    bool is_ended, takes_no_end, is_given_up;
    int r;
    const char *why;
    struct chat_times times;
};

static void take_parts(struct chat_round *round, void *user)
{
    struct seen *seen = user;
    struct chat_part part;

    if (seen->is_given_up)
        abort();
    seen->n_woken++;
    while (!(seen->takes_no_end && seen->n) && chat_take(round, &part)) {
        if (part.kind == CHAT_SENTENCE) {
            seen->n += (size_t)snprintf(seen->text + seen->n, sizeof(seen->text) - seen->n, "%s|", part.text);
            sem_post(&gate);
        } else if (part.kind == CHAT_TOOL) {
            seen->n += (size_t)snprintf(seen->text + seen->n, sizeof(seen->text) - seen->n, "<%s %s %s>|", part.id, part.name,
                                        part.arguments);
        } else {
            seen->is_ended = true;
            seen->r = part.r;
            seen->why = part.why;
            chat_times(round, &seen->times);
        }
    }
}

static void look_round(void)
{
    inbox_arm(inbox);
    inbox_run(inbox);
}

static void wait_for_end(const struct seen *seen)
{
    for (look_round(); !seen->is_ended; look_round())
        (void)inbox_wait(inbox, PATIENT_MS);
}

static void wait_for_home(const struct chat_pool *pool)
{
    for (look_round(); !chat_pool_is_home(pool); look_round())
        (void)inbox_wait(inbox, PATIENT_MS);
}

static const char messages[] = "{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"" CALLER_WORDS "\"}";

static void ask(struct chat_round *round, struct seen *seen)
{
    *seen = (struct seen){ 0 };
    if (chat_add(round, messages, strlen(messages)) < 0)
        abort();
    chat_ask(round, take_parts, seen);
}

/* --- answers, and what takes their place */

static const struct {
    const char *what, *script[16];
    bool is_impatient;
    const char *text;
    int r;
    unsigned n_requests;
    uint64_t n_failed, n_truncated;
    const char *says; /* in the log; NULL nothing */
} cases[] = {
    { "an answer", { GOOD }, false, "Hello.|How are you?|", 0, 1, 0, 0, NULL },
    { "401", { JSON("401 No") "{\"error\":{\"message\":\"Incorrect API key provided: " KEY "\",\"code\":\"invalid_api_key\"}}" }, false,
      "", -EREMOTEIO, 1, 1, 0, "HTTP 401 invalid_api_key; its key is refused, set a valid CHAT_API_KEY" },
    { "an account that is empty", { JSON("429 No") "{\"error\":{\"message\":\"" CALLER_WORDS "\",\"code\":\"insufficient_quota\"}}" }, false,
      "", -EREMOTEIO, 1, 1, 0, "HTTP 429 insufficient_quota; its account has nothing left, pay or set another CHAT_API_KEY" },
    { "no such model", { JSON("404 No") "{\"error\":{\"message\":\"" CALLER_WORDS "\",\"code\":\"model_not_found\"}}" }, false,
      "", -EREMOTEIO, 1, 1, 0, "HTTP 404 model_not_found; it has no such model or path, look at CHAT_MODEL and CHAT_BASE_URL" },
    { "400 in another dialect", { JSON("400 No") "{\"detail\":\"" CALLER_WORDS "\"}" }, false, "", -EREMOTEIO, 1, 1, 0,
      "HTTP 400; it does not take the request, look at CHAT_MODEL and CHAT_BASE_URL" },
    { "sentences come before the end", { STREAM TEXT("Hello. ") TEXT("How"), GATE, TEXT(" are you?") FINISH("stop") DONE }, false,
      "Hello.|How are you?|", 0, 1, 0, 0, NULL },
    { "a call of a tool", { STREAM "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"end_call\",\"arguments\":\"{}\"}}]}}]}\n\n" FINISH("tool_calls") DONE },
      false, "<a end_call {}>|", 0, 1, 0, 0, NULL },
    { "busy, then not", { "HTTP/1.1 429 Busy\r\nretry-after-ms: 1\r\nContent-Length: 0\r\n\r\n", NULL, GOOD }, false,
      "Hello.|How are you?|", 0, 2, 0, 0, NULL },
    { "busy for too long", { "HTTP/1.1 429 Busy\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n" }, false, "", -EREMOTEIO, 1, 1, 0, "HTTP 429" },
    { "500, then not", { JSON("500 Oops") "oops", NULL, GOOD }, false, "Hello.|How are you?|", 0, 2, 0, 0, NULL },
    { "500 whenever it is asked", { JSON("500 Oops") "oops" }, false, "", -EREMOTEIO, 3, 1, 0, NULL },
    { "closed unanswered, then not", { "", NULL, GOOD }, false, "Hello.|How are you?|", 0, 2, 0, 0, NULL },
    { "malformed SSE", { STREAM TEXT("Hello. ") TEXT("How") "data: {\"choices\":[{\"del\n\ndata: 7" }, false, "Hello.|", -EBADMSG, 1, 1, 0, NULL },
    { "half a JSON", { STREAM TEXT("Hello. ") TEXT("How") "data: {\"choices\":[{\"del" }, false, "Hello.|", -ENODATA, 1, 1, 0, NULL },
    { "the end too soon", { STREAM TEXT("Hello. ") TEXT("How") }, false, "Hello.|", -ENODATA, 1, 1, 0, NULL },
    { "a connection that breaks", { CHUNKED "1000\r\n" TEXT("Hello. ") TEXT("How") }, false, "Hello.|", -ECONNRESET, 1, 1, 0, NULL },
    { "a connection that is reset", { STREAM TEXT("Hello. ") TEXT("How"), GATE, RESET }, false, "Hello.|", -ECONNRESET, 1, 1, 0, NULL },
    { "an error in the stream", { STREAM TEXT("Hello. ") TEXT("How") "data: {\"error\":{\"message\":\"" CALLER_WORDS "\"}}\n\n" }, false,
      "Hello.|", -EREMOTEIO, 1, 1, 0, NULL },
    { "a page", { HEAD("200 OK") "text/html\r\nConnection: close\r\n\r\n<html>" }, false, "", -EBADMSG, 1, 1, 0, NULL },
    { "a whole answer", { JSON("200 OK") "{\"choices\":[{\"message\":{\"content\":\"Hello.\"},\"finish_reason\":\"stop\"}]}" }, false, "Hello.|", 0, 1, 0, 0, NULL },
    { "JSON that is no answer", { JSON("200 OK") "{\"detail\":1}" }, false, "", -ENODATA, 1, 1, 0, NULL },
    { "a model that never stops", { STREAM, TEXT("One more. "), FOREVER }, false,
      "One more.|One more.|One more.|One more.|One more.|One more.|One more.|One more.|", 0, 1, 0, 1, NULL },
    { "one that never ends its sentence", { STREAM TEXT("Hello. "), TEXT("on"), FOREVER }, false, NULL, 0, 1, 0, 1, NULL },
    { "one that never stops thinking", { STREAM TEXT("<think>"), TEXT("hm "), FOREVER }, false, "", -ENODATA, 1, 1, 0, NULL },
    { "calls of tools without an end", { STREAM, "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":\"x\",\"arguments\":\"{\"}}]}}]}\n\n", FOREVER },
      false, "", -EBADMSG, 1, 1, 0, NULL },
    { "silence", { HANG }, true, "", -ETIMEDOUT, 1, 1, 0, NULL },
    { "silence after the head", { STREAM, HANG }, true, "", -ETIMEDOUT, 1, 1, 0, NULL },
    { "comments and nothing else", { STREAM, ": PROCESSING\n\n", SLOWLY }, true, "", -ETIMEDOUT, 1, 1, 0, NULL },
    { "too many of them", { STREAM, ": PROCESSING\n\n", FOREVER }, false, "", -EFBIG, 1, 1, 0, NULL },
    { "silence after the first token", { STREAM TEXT("Hello. ") TEXT("How"), HANG }, true, "Hello.|", -ETIMEDOUT, 1, 1, 0, NULL },
    { "silence after the last one", { STREAM TEXT("Hello. ") FINISH("stop") DONE, HANG }, false, "Hello.|", 0, 1, 0, 0, NULL },
    { "comments after the last one", { STREAM TEXT("Hello. ") FINISH("stop") DONE, ": \n\n", FOREVER }, false, "Hello.|", 0, 1, 0, 0, NULL },
    { "a connection that breaks after it", { CHUNKED "1000\r\n" TEXT("Hello. ") FINISH("stop") }, false, "Hello.|", 0, 1, 0, 0, NULL },
};

static int kept_stderr, log_fds[2];

static void catch_log(void)
{
    kept_stderr = dup(STDERR_FILENO);
    if (pipe2(log_fds, O_NONBLOCK | O_CLOEXEC) < 0 || dup2(log_fds[1], STDERR_FILENO) < 0)
        exit(1);
}

static const char *caught_log(void)
{
    static char text[8192];
    ssize_t n = read(log_fds[0], text, sizeof(text) - 1);

    text[n > 0 ? n : 0] = '\0';
    (void)dup2(kept_stderr, STDERR_FILENO);
    close(kept_stderr);
    close(log_fds[0]);
    close(log_fds[1]);
    return text;
}

static void rounds_end_well_or_not(void)
{
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        scoped(chat_close) struct chat *chat = open_chat(KEY, cases[i].is_impatient ? IMPATIENT_MS : PATIENT_MS);
        struct chat_pool *pool = NULL;
        struct chat_stats stats;
        struct seen seen;

        sem_init(&gate, 0, 0);
        answer_with(cases[i].script);
        (void)chat_pool_new(chat, inbox, 1, &pool);
        catch_log();
        ask(chat_get(pool), &seen);
        wait_for_end(&seen);
        const char *log = caught_log();
        chat_stats(chat, &stats);
        if (!is_int(seen.r, cases[i].r, cases[i].what))
            printf("# %s\n", seen.why);
        if (cases[i].text)
            is_str(seen.text, cases[i].text, "  it says");
        ok(seen.r == 0 || *seen.why, "  and why: %s", seen.why);
        is_int(server.n_requests, cases[i].n_requests, "  requests");
        ok(stats.n_asked == 1 && stats.n_failed == cases[i].n_failed && stats.n_truncated == cases[i].n_truncated, "  counted");
        ok((cases[i].n_failed || cases[i].n_truncated || !*log) && (!cases[i].says || strstr(log, cases[i].says)),
           "  logged: %.*s", (int)strcspn(log, "\n"), log);
        ok(!strstr(log, KEY) && !strstr(log, CALLER_WORDS), "  without a secret");
        ok(!(seen.n || seen.r == 0) || (seen.times.asked_ms && seen.times.asked_ms <= seen.times.first_token_ms), "  its times are in order");
        ok(chat_pool_is_home(pool), "  and the round is home");
        chat_pool_free(pool);
        sem_destroy(&gate);
    }
}

/* Such a server is not left alone for it, and one that ends is asked over the same connection again. */
static void answers_that_are_whole_are_good(void)
{
    static const char *const hang[] = { STREAM TEXT("Hello. ") FINISH("stop") DONE, HANG, NULL, NULL };
    static const char *const kept[] = { CHUNKED "53\r\n" TEXT("Hello.") "\r\n43\r\n" FINISH("stop") "\r\n", GATE, "e\r\n" DONE "\r\n0\r\n\r\n", AGAIN, NULL, NULL };
    scoped(chat_close) struct chat *chat = open_chat(KEY, PATIENT_MS);
    struct chat_pool *pool = NULL;
    struct chat_stats before, stats;
    struct seen seen;

    sem_init(&gate, 0, 0);
    (void)chat_pool_new(chat, inbox, 1, &pool);
    answer_with(hang);
    for (int i = 0; i < 4; i++) {
        ask(chat_get(pool), &seen);
        wait_for_end(&seen);
    }
    chat_stats(chat, &before);
    ok(seen.r == 0 && !before.is_tripped && before.n_asked == 4, "answers without an end are whole");
    answer_with(kept);
    for (int i = 0; i < 3; i++) {
        ask(chat_get(pool), &seen);
        wait_for_end(&seen);
    }
    chat_stats(chat, &stats);
    ok(seen.r == 0 && stats.n_connections == before.n_connections + 1, "and those with an end leave their connection");
    chat_pool_free(pool);
    sem_destroy(&gate);
}

/* Each byte of a recorded stream by itself, as a slow network may bring it. */
static void bytes_come_one_by_one(void)
{
    static const char recorded[] = TEXT("שלום. ") TEXT("מה שלומך?") FINISH("stop") DONE;
    static char chunks[sizeof(recorded)][16];
    static const char *pieces[sizeof(recorded) + 4];
    scoped(chat_close) struct chat *chat = open_chat(KEY, PATIENT_MS);
    struct chat_pool *pool = NULL;
    struct seen seen;
    size_t n = 0;

    pieces[n++] = CHUNKED;
    for (size_t i = 0; recorded[i]; i++) {
        (void)snprintf(chunks[i], sizeof(chunks[i]), "1\r\n%c\r\n", recorded[i]);
        pieces[n++] = chunks[i];
    }
    pieces[n++] = "0\r\n\r\n";
    sem_init(&gate, 0, 0);
    answer_with(pieces);
    (void)chat_pool_new(chat, inbox, 1, &pool);
    ask(chat_get(pool), &seen);
    wait_for_end(&seen);
    is_str(seen.text, "שלום.|מה שלומך?|", "bytes that come one by one");
    chat_pool_free(pool);
    sem_destroy(&gate);
}

/* --- requests */

static struct json_object *body_of(const char *request)
{
    struct json_object *json = NULL;
    const char *body = strstr(request, "\r\n\r\n");

    (void)json_parse(body + 4, strlen(body + 4), &json);
    return json;
}

static void requests_have_what_is_asked_for(void)
{
    static const char *const good[] = { GOOD, NULL, NULL };
    scoped(chat_close) struct chat *chat = open_chat(NULL, PATIENT_MS);
    static char much[CHAT_BODY_MAX + 1];
    struct chat_pool *pool = NULL;
    struct json_object *list;
    struct seen seen;

    sem_init(&gate, 0, 0);
    answer_with(good);
    (void)chat_pool_new(chat, inbox, 1, &pool);
    for (int i = 0; i < 2; i++) {
        scoped(json_object_put) struct json_object *body = NULL;
        struct chat_round *round = chat_get(pool);

        if (i == 0)
            chat_tools(round, "[{\"type\":\"function\"}]");
        ask(round, &seen);
        wait_for_end(&seen);
        body = body_of(last_request);
        is_str(json_get_text(body, "model"), "mod\"el", "the model");
        ok(json_get_int(body, "stream") && json_get_int(body, "max_tokens") > 0 && !json_get_int(body, "max_completion_tokens"),
           "  is asked to stream, in the words of local servers");
        ok(json_object_object_get_ex(body, "messages", &list) && json_object_array_length(list) == 2, "  with all messages");
        ok(json_object_object_get_ex(body, "tools", &list) == (i == 0), "  and tools when there are any");
    }
    ok(strncmp(last_request, "POST /v1/chat/completions ", 26) == 0 || strncmp(last_request, "POST /chat/completions ", 23) == 0, "at its path");
    ok(!strcasestr(last_request, "Authorization"), "another server does not get OpenAI's key");

    struct chat_round *round = chat_get(pool);
    is_int(chat_add(round, much, CHAT_BODY_MAX), 0, "so much may be said");
    is_int(chat_add(round, much, 1), -EMSGSIZE, "and no more");
    chat_give_up(round);
    chat_pool_free(pool);
    sem_destroy(&gate);
}

static const struct {
    struct config config;
    int r;
    const char *has, *has_not; /* of the head of its requests */
} opened[] = {
    { { .openai_base_url = "https://api.openai.com/v1", .chat_model = "gpt-4o-mini" }, -ENOENT, NULL, NULL },
    { { .openai_base_url = "https://api.openai.com/v1", .openai_api_key = "k", .chat_model = "none" }, -ENOENT, NULL, NULL },
    { { .openai_base_url = "https://api.openai.com/v1", .openai_api_key = "k", .chat_model = "gpt-4o-mini" }, 0,
      "\"max_completion_tokens\":600,\"temperature\"", "\"max_tokens\"" },
    { { .openai_base_url = "https://api.openai.com/v1", .openai_api_key = "k", .chat_model = "gpt-5-mini" }, 0, "\"reasoning_effort\"", "\"temperature\"" },
    { { .openai_base_url = "https://api.openai.com/v1", .openai_api_key = "k", .chat_model = "gpt-5-chat-latest" }, 0, "\"temperature\"", "\"reasoning_effort\"" },
    { { .openai_base_url = "http://127.0.0.1:1/v1", .chat_model = "llama" }, 0, "\"max_tokens\"", "obfuscation" },
    { { .openai_base_url = "https://api.openai.com/v1", .chat_base_url = "http://127.0.0.1:1", .chat_model = "o3" }, 0, "\"temperature\"", "\"reasoning_effort\"" },
    { { .openai_base_url = "https://api.openai.com/v1", .chat_base_url = "http://api.openai.com.evil/", .chat_model = "m" }, 0, "\"max_tokens\"", "obfuscation" },
    { { .openai_base_url = "https://api.openai.com/v1", .chat_base_url = "http://a?b", .chat_model = "m" }, -EINVAL, NULL, NULL },
};

static void models_differ(void)
{
    for (size_t i = 0; i < ELEMENTSOF(opened); i++) {
        scoped(chat_close) struct chat *chat = NULL;

        is_int(chat_open(&opened[i].config, client, &chat), opened[i].r, "a model is opened, or not");
        if (opened[i].r == 0)
            ok(strstr(chat->head, opened[i].has) && !strstr(chat->head, opened[i].has_not), "  %s", chat->head);
    }
}

/* --- giving up, two at once, all out */

enum stage { UNASKED, ASKED, ANSWERING, SPEAKING, ENDED };

static void rounds_are_given_up(void)
{
    static const struct {
        const char *what, *script[5];
        enum stage stage;
    } rows[] = {
        { "before it was asked", { GOOD }, UNASKED },
        { "as soon as it was asked", { GOOD }, ASKED },
        { "while it thinks", { STREAM ": \n\n", HANG }, ANSWERING },
        { "after the first sentence", { STREAM TEXT("Hello. ") TEXT("How"), HANG }, SPEAKING },
        { "when all is there", { GOOD }, ENDED },
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        scoped(chat_close) struct chat *chat = open_chat(KEY, PATIENT_MS);
        struct chat_pool *pool = NULL;
        struct chat_part part;
        struct chat_stats stats;
        struct seen seen = { 0 };

        sem_init(&gate, 0, 0);
        answer_with(rows[i].script);
        (void)chat_pool_new(chat, inbox, 1, &pool);
        struct chat_round *round = chat_get(pool);
        if (rows[i].stage > UNASKED)
            ask(round, &seen);
        while (rows[i].stage == ANSWERING && server.n_requests == 0)
            (void)inbox_wait(inbox, 1);
        seen.takes_no_end = true;
        while ((rows[i].stage == SPEAKING && !seen.n) || (rows[i].stage == ENDED && seen.n_woken < 2)) {
            look_round();
            (void)inbox_wait(inbox, 1);
        }
        chat_give_up(round);
        seen.is_given_up = true;
        ok(rows[i].stage == UNASKED || rows[i].stage == ENDED || !chat_take(round, &part), "given up %s", rows[i].what);
        wait_for_home(pool);
        chat_stats(chat, &stats);
        ok(stats.n_failed == 0, "  it goes home, and is no failure");
        chat_pool_free(pool);
        sem_destroy(&gate);
    }
}

static void rounds_are_asked_at_once(void)
{
    static const char *const held[] = { STREAM TEXT("Hello. ") TEXT("How"), GATE, TEXT(" are you?") FINISH("stop") DONE, NULL, NULL };
    scoped(chat_close) struct chat *chat = open_chat(KEY, PATIENT_MS);
    struct chat_pool *pool = NULL;
    struct seen seen[ROUNDS];

    sem_init(&gate, 0, 0);
    answer_with(held);
    (void)chat_pool_new(chat, inbox, ROUNDS, &pool);
    for (int i = 0; i < ROUNDS; i++)
        ask(chat_get(pool), &seen[i]);
    ok(!chat_get(pool), "when all are out there is none");
    for (int i = 0; i < ROUNDS; i++) {
        wait_for_end(&seen[i]);
        is_str(seen[i].text, "Hello.|How are you?|", "each has its own answer");
    }
    struct chat_round *again = chat_get(pool);
    ok(again != NULL, "and when they are home there are some");
    chat_give_up(again);
    chat_pool_free(pool);
    sem_destroy(&gate);
}

struct worker {
    struct chat *chat;
    pthread_t thread;
    unsigned random, n_ended;
};

/* Asks, and gives up or not, by chance. */
static void churn(struct worker *worker, struct chat_pool *pool)
{
    struct seen *seen = calloc(CHURN, sizeof(*seen)); /* each its own: nothing may be heard after it was given up */
    struct chat_round *out[CHURN] = { NULL };

    for (unsigned n_asked = 0; n_asked < CHURN;) {
        struct chat_round *round = chat_get(pool);

        if (round) {
            out[n_asked] = round;
            ask(round, &seen[n_asked++]);
        }
        for (unsigned i = 0; i < n_asked; i++) {
            worker->random = worker->random * 1103515245 + 12345;
            if (!out[i] || seen[i].is_ended || worker->random >> 16 & 3)
                continue;
            chat_give_up(steal(&out[i]));
            seen[i].is_given_up = true;
        }
        look_round();
        (void)inbox_wait(inbox, worker->random >> 20 & 3);
    }
    wait_for_home(pool);
    for (unsigned i = 0; i < CHURN; i++)
        worker->n_ended += seen[i].is_ended;
    free(seen);
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct chat_pool *pool = NULL;

    if (inbox_new(&inbox) < 0 || chat_pool_new(worker->chat, inbox, ROUNDS, &pool) < 0)
        abort();
    churn(worker, pool);
    chat_pool_free(pool);
    inbox_unref(inbox);
    return NULL;
}

/* Whatever the moment: nothing is heard of who was given up, and everybody comes home, to two workers at once. */
static void rounds_are_given_up_at_any_moment(void)
{
    static const char *const good[] = { CHUNKED "3a\r\n" "data: {\"choices\":[{\"delta\":{\"content\":\"One. Two. Three.\"}}]}\n\n" "\r\n", "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n", AGAIN, NULL, NULL };
    scoped(chat_close) struct chat *chat = open_chat(KEY, PATIENT_MS);
    struct worker workers[2] = { { .chat = chat, .random = 1 }, { .chat = chat, .random = 2 } };

    sem_init(&gate, 0, 0);
    answer_with(good);
    for (size_t i = 0; i < ELEMENTSOF(workers); i++)
        if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]) != 0)
            abort();
    for (size_t i = 0; i < ELEMENTSOF(workers); i++) {
        pthread_join(workers[i].thread, NULL);
        ok(workers[i].n_ended <= CHURN, "given up at any moment: of %d, %u ended by themselves", CHURN, workers[i].n_ended);
    }
    sem_destroy(&gate);
}

/* --- questions */

struct answered {
    sem_t done;
    int r;
    char text[512];
};

static void on_answer(struct chat_question *question, int r, const char *text, void *user)
{
    struct answered *answered = user;

    answered->r = r;
    (void)snprintf(answered->text, sizeof(answered->text), "%s", text);
    chat_question_free(question);
    sem_post(&answered->done);
}

#define ANSWER(content) JSON("200 OK") "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":" content "},\"finish_reason\":\"stop\"}]}"

static const struct {
    const char *what, *script[6];
    bool json;
    int r;
    const char *text;
    unsigned n_requests;
} questions[] = {
    { "an answer", { ANSWER("\"Hello {you}\"") }, false, 0, "Hello {you}", 1 },
    { "an object", { ANSWER("\"{\\\"a\\\": 1}\"") }, true, 0, "{\"a\":1}", 1 },
    { "an object in a fence", { ANSWER("\"Here:\\n```json\\n{\\\"a\\\":{\\\"b\\\":[1]}}\\n```\\nDone.\"") }, true, 0, "{\"a\":{\"b\":[1]}}", 1 },
    { "an object behind thoughts", { ANSWER("\"<think>{no} {}</think>{\\\"a\\\":1}\"") }, true, 0, "{\"a\":1}", 1 },
    { "an object among braces", { ANSWER("\"{so} {\\\"a\\\":1} {}\"") }, true, 0, "{\"a\":1}", 1 },
    { "no object", { ANSWER("\"I cannot {do} that\"") }, true, -EBADMSG, "", 1 },
    { "a server that knows no format", { JSON("400 No") "{\"error\":\"response_format\"}", NULL, ANSWER("\"{\\\"a\\\":1}\"") }, true, 0, "{\"a\":1}", 2 },
    { "400 all the same", { JSON("400 No") "{\"error\":\"no\"}" }, true, -EREMOTEIO, "", 2 },
    { "no content", { ANSWER("null") }, false, -EBADMSG, "", 1 },
    { "a page", { HEAD("200 OK") "text/html\r\nConnection: close\r\n\r\n<html>" }, false, -EBADMSG, "", 1 },
    { "nothing", { JSON("200 OK") }, false, -EBADMSG, "", 1 },
    { "401", { JSON("401 No") "{}" }, false, -EREMOTEIO, "", 1 },
};

static void questions_are_answered(void)
{
    for (size_t i = 0; i < ELEMENTSOF(questions); i++) {
        scoped(chat_close) struct chat *chat = open_chat(KEY, PATIENT_MS);
        scoped(json_object_put) struct json_object *body = NULL;
        struct chat_question *question = NULL;
        struct answered answered = { 0 };

        sem_init(&answered.done, 0, 0);
        answer_with(questions[i].script);
        is_int(chat_question_new(chat, "Be brief. JSON.", CALLER_WORDS, questions[i].json, on_answer, &answered, &question), 0, questions[i].what);
        chat_question_ask(question);
        sem_wait(&answered.done);
        is_int(answered.r, questions[i].r, "  it ends so");
        is_str(answered.text, questions[i].text, "  with this");
        is_int(server.n_requests, questions[i].n_requests, "  requests");
        body = body_of(last_request);
        ok(body && json_object_object_get_ex(body, "response_format", NULL) == (questions[i].json && questions[i].n_requests == 1),
           "  and a format is asked for where it is known");
        sem_destroy(&answered.done);
    }
}

struct told {
    sem_t done;
    int r;
    size_t n_calls;
    char text[64], calls[256]; /* "name(arguments) id;" */
};

static void on_reply(struct chat_question *question, int r, const char *text, void *user)
{
    struct chat_call calls[CHAT_TOOLS_MAX];
    struct told *told = user;
    size_t n = 0;

    told->r = r;
    told->n_calls = r == 0 ? chat_question_calls(question, calls) : 0;
    (void)snprintf(told->text, sizeof(told->text), "%s", text);
    for (size_t i = 0; i < told->n_calls; i++)
        n += (size_t)snprintf(told->calls + n, sizeof(told->calls) - n, "%s(%s) %s;", calls[i].name, calls[i].arguments, calls[i].id);
    chat_question_free(question);
    sem_post(&told->done);
}

#define CALL(id, rest) "{\"id\":\"" id "\",\"type\":\"function\",\"function\":{" rest "}}"
#define REPLY(content, calls) ANSWER(content ",\"tool_calls\":[" calls "]")

static const struct {
    const char *what, *script[6];
    int r;
    const char *text, *calls;
} replies[] = {
    { "words", { ANSWER("\"Hello\"") }, 0, "Hello", "" },
    { "words behind thoughts", { ANSWER("\"<think>what?</think>\\n Hello\"") }, 0, "Hello", "" },
    { "a tool", { REPLY("null", CALL("c1", "\"name\":\"save\",\"arguments\":\"{}\"")) }, 0, "", "save({}) c1;" },
    { "words and two tools", { REPLY("\"So.\"", CALL("c1", "\"name\":\"save\",\"arguments\":\"{}\"") "," CALL("", "\"name\":\"end\"")) }, 0, "So.",
      "save({}) c1;end() ;" },
    { "a tool without a name", { REPLY("\"So.\"", CALL("c1", "\"arguments\":\"{}\"") ",7") }, 0, "So.", "" },
    { "nothing at all", { ANSWER("null") }, -EBADMSG, "", "" },
    { "tools that are none", { ANSWER("null,\"tool_calls\":7") }, -EBADMSG, "", "" },
    { "500", { JSON("500 No") "{}" }, -EREMOTEIO, "", "" },
};

static void conversations_are_answered(void)
{
    struct chat_question *question = NULL;

    for (size_t i = 0; i < ELEMENTSOF(replies); i++) {
        scoped(chat_close) struct chat *chat = open_chat(KEY, PATIENT_MS);
        scoped(json_object_put) struct json_object *body = NULL;
        struct told told = { .calls = "" };

        sem_init(&told.done, 0, 0);
        answer_with(replies[i].script);
        is_int(chat_question_of(chat, messages, i ? "[{\"type\":\"function\"}]" : NULL, on_reply, &told, &question), 0, replies[i].what);
        chat_question_ask(question);
        sem_wait(&told.done);
        is_int(told.r, replies[i].r, "  it ends so");
        is_str(told.text, replies[i].text, "  its words");
        is_str(told.calls, replies[i].calls, "  its tools");
        body = body_of(last_request);
        ok(body && json_object_array_length(json_object_object_get(body, "messages")) == 2 && !json_object_object_get_ex(body, "response_format", NULL) &&
               json_object_object_get_ex(body, "tools", NULL) == (i > 0), "  all of it was asked");
        sem_destroy(&told.done);
    }
    scoped(chat_close) struct chat *chat = open_chat(KEY, PATIENT_MS);
    is_int(chat_question_of(chat, "{\"role\"", NULL, on_reply, NULL, &question), -EBADMSG, "what is no conversation is not asked");
    is_int(chat_question_of(chat, messages, "[", on_reply, NULL, &question), -EBADMSG, "nor are tools that are none");
}

int main(void)
{
    if (!ok(fake_provider_open(&server, serve) == 0 && inbox_new(&inbox) == 0 &&
                http_client_new(&(struct http_client_options){ .calls_max = 16 }, &client) == 0, "a server, a client and a worker"))
        return done_testing();
    models_differ();
    requests_have_what_is_asked_for();
    rounds_end_well_or_not();
    answers_that_are_whole_are_good();
    bytes_come_one_by_one();
    rounds_are_given_up();
    rounds_are_asked_at_once();
    fake_provider_close(&server); /* which has only so many connections */
    if (!ok(fake_provider_open(&server, serve) == 0, "another server"))
        return done_testing();
    questions_are_answered();
    conversations_are_answered();
    fake_provider_close(&server);
    if (!ok(fake_provider_open(&server, serve) == 0, "and another"))
        return done_testing();
    rounds_are_given_up_at_any_moment();
    http_client_free(client);
    inbox_unref(inbox);
    fake_provider_close(&server);
    return done_testing();
}
