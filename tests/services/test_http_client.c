/*
 * test_http_client.c - calls that end by themselves, and calls that do not
 *
 * The servers are sockets of the test's own; TLS, HTTP/2 and proxies are in test_http_wire.py, faults within a call in
 * test_whisper.py.
 */
#include "services/http_client.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <semaphore.h>

#include <sys/un.h>

#include "fake_provider.h"
#include "scratch.h"
#include "tap.h"

enum { N = 4 };

struct asked {
    struct http_call call; /* first */
    sem_t *done;
    _Atomic unsigned n_done;
};

static const struct http_part parts[] = { { .name = "a", .bytes = "b", .n = 1 } };

static void done(struct http_call *call)
{
    struct asked *asked = (struct asked *)call;

    asked->n_done++;
    sem_post(asked->done);
}

/* A socket that takes connections into its backlog and never says anything, or no socket any more. */
static int deaf(char *url, size_t size)
{
    return fake_listen(url, size, 16);
}

static void prepare(struct asked *asked, struct http_provider *provider, sem_t *all_done, unsigned total_ms)
{
    *asked = (struct asked){ .done = all_done };
    asked->call = (struct http_call){ .provider = provider, .parts = parts, .n_parts = 1, .first_byte_ms = total_ms,
                                      .stall_ms = total_ms, .total_ms = total_ms, .body_max = KIB, .done = done };
}

/* --- what is sent, and what comes back in pieces */

enum { PIECES_MAX = 8 };

struct streamed {
    struct asked asked; /* first */
    char pieces[PIECES_MAX][32];
    unsigned n_pieces, status;
    int refuse_r; /* what the first piece is answered with */
    bool abort;   /* at the first piece */
};

static sem_t *_Atomic next; /* the server goes on; a row has its own, since the server may be late to take it */

#define OK "HTTP/1.1 200 OK\r\nContent-Type: text/Event-Stream; charset=utf-8\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

static bool serve(struct fake_connection *connection)
{
    static const struct {
        const char *path, *answer[3];
        bool goes_on;
    } rows[] = {
        { "/ok", { OK "Content-Length: 2\r\n\r\nok" }, true },
        { "/pieces", { CHUNKED "3\r\none\r\n", "3\r\ntwo\r\n0\r\n\r\n" }, true },
        { "/breaks", { CHUNKED "3\r\none\r\n", "3\r\ntw" }, false },
        { "/breaksonce", { OK "Content-Length: 2\r\n\r\n" }, false },
        { "/error", { "HTTP/1.1 500 Oops\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\noops" }, true },
        { "/busy", { "HTTP/1.1 429 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n" }, true },
        { "/closes", { NULL }, false },
        { "/nothing", { "HTTP/1.1 204 None\r\n\r\n" }, true },
        { "HEAD", { "HTTP/1.1 405 No\r\nContent-Length: 9\r\n\r\n" }, true },
    };
    const char *request = connection->request;

    sem_t *its_next = next;

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        bool is_head = strncmp(request, "HEAD", 4) == 0, is_it = false;
        const char *at = strstr(request, rows[i].path);

        is_it = is_head ? rows[i].path[0] == 'H' : at && strchr(" ?", at[strlen(rows[i].path)]);
        if (!is_it)
            continue;
        for (int part = 0; part < 3 && rows[i].answer[part]; part++) {
            if (part > 0)
                sem_wait(its_next);
            fake_say(connection, rows[i].answer[part]);
        }
        return rows[i].goes_on;
    }
    return false;
}

static int piece(struct http_call *call, const char *bytes, size_t n)
{
    struct streamed *streamed = (struct streamed *)call;

    if (streamed->n_pieces < PIECES_MAX)
        (void)snprintf(streamed->pieces[streamed->n_pieces++], sizeof(streamed->pieces[0]), "%.*s", (int)n, bytes);
    streamed->status = call->status;
    if (streamed->abort)
        http_abort(call);
    sem_post(next); /* only now is there more */
    return streamed->refuse_r;
}

static void bodies_come_in_pieces(struct http_client *client, struct fake_provider *server)
{
    static const struct {
        const char *what, *path;
        size_t body_max;
        int refuse_r;
        bool abort;
        int r;
        unsigned status;
        const char *pieces[PIECES_MAX], *body; /* body NULL: none */
        uint64_t n_retries;
    } rows[] = {
        { "each piece as it comes", "pieces", 6, 0, false, 0, 200, { "one", "two" }, NULL, 0 },
        { "an error is gathered", "error", 6, 0, false, -EREMOTEIO, 500, { NULL }, "oops", 2 },
        { "nothing is nothing", "nothing", 6, 0, false, 0, 204, { NULL }, NULL, 0 },
        { "too much of all", "pieces", 5, 0, false, -EFBIG, 200, { "one" }, NULL, 0 },
        { "what is refused ends", "pieces", 6, -EBADMSG, false, -EBADMSG, 200, { "one" }, NULL, 0 },
        { "what is aborted within ends", "pieces", 6, 0, true, -ECANCELED, 200, { "one" }, NULL, 0 },
        { "what breaks within is not tried again", "breaks", 6, 0, false, -ECONNRESET, 200, { "one", "tw" }, NULL, 0 },
        { "what breaks before is", "breaksonce", 6, 0, false, -ECONNRESET, 200, { NULL }, NULL, 2 },
    };

    static sem_t nexts[ELEMENTSOF(rows)];

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        scoped(http_provider_free) struct http_provider *provider = NULL;
        struct http_provider_options options = { .base_url = server->url, .path = rows[i].path, .connect_ms = 1000 };
        struct http_provider_stats stats;
        struct streamed s = { .refuse_r = rows[i].refuse_r, .abort = rows[i].abort };
        unsigned n_pieces = 0;
        sem_t over;

        sem_init(&over, 0, 0);
        sem_init(&nexts[i], 0, 0);
        next = &nexts[i];
        if (!ok(http_provider_new(client, &options, &provider) == 0, "%s", rows[i].what))
            return;
        prepare(&s.asked, provider, &over, 60000);
        s.asked.call.n_parts = 0;
        s.asked.call.is_repeatable = true;
        s.asked.call.on_bytes = piece;
        s.asked.call.body_max = rows[i].body_max;
        http_start(&s.asked.call);
        sem_wait(&over);
        sem_post(&nexts[i]);
        const struct http_call *call = &s.asked.call;
        ok(call->r == rows[i].r && call->status == rows[i].status && s.asked.n_done == 1, "  it ends so: %d, %u", call->r, call->status);
        is_str(call->body, rows[i].body, "  with the body");
        for (; n_pieces < PIECES_MAX && rows[i].pieces[n_pieces]; n_pieces++)
            is_str(s.pieces[n_pieces], rows[i].pieces[n_pieces], "  a piece");
        ok(s.n_pieces == n_pieces && (!n_pieces || s.status == 200), "  and no more, with the status known");
        ok(call->asked_ms && call->asked_ms <= call->done_ms && (call->first_ms != 0) == (n_pieces > 0 || rows[i].body) &&
               call->first_ms <= call->done_ms, "  its times are in order");
        http_provider_stats(provider, &stats);
        is_int((long long)stats.n_retries, (long long)rows[i].n_retries, "  tries");
        free(call->body);
        sem_destroy(&over);
    }
}

static void requests_say_who_we_are(struct http_client *client, struct fake_provider *server)
{
    static const struct {
        const char *what, *user, *key, *bearer, *content, *type;
        int r;
        const char *want, *want_not; /* of the request */
    } rows[] = {
        { "a key", NULL, "sk-k", NULL, "{}", "application/json", 0, "\r\nAuthorization: Bearer sk-k\r\n", "Basic" },
        { "a user and a password", "AC1", "pw", NULL, "a=b", "application/x-www-form-urlencoded", 0,
          "\r\nAuthorization: Basic QUMxOnB3\r\n", "Bearer" },
        { "a token of the call", NULL, "sk-k", "ya29.t", "{}", "application/json", 0, "\r\nAuthorization: Bearer ya29.t\r\n", "sk-k" },
        { "nobody", NULL, NULL, NULL, "{}", "application/json", 0, "\r\n\r\n{}", "Authorization" },
        { "its type", NULL, NULL, NULL, "{}", "application/json", 0, "\r\nContent-Type: application/json\r\n", "urlencoded" },
        { "its length", NULL, NULL, NULL, "{\"a\":1}", "application/json", 0, "\r\nContent-Length: 7\r\n", "Expect" },
        { "nothing at all", NULL, NULL, NULL, NULL, NULL, 0, "\r\nContent-Length: 0\r\n", "Expect" },
        { "a token that ends the line", NULL, "sk-k", "t\r\nX-Evil: 1", "{}", NULL, -EINVAL, "", "Evil" },
        { "a type that ends the line", NULL, "sk-k", NULL, "{}", "a\nX-Evil: 1", -EINVAL, "", "Evil" },
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        scoped(http_provider_free) struct http_provider *provider = NULL;
        struct http_provider_options options = { .base_url = server->url, .path = "ok", .user = rows[i].user,
                                                 .key = rows[i].key, .connect_ms = 1000 };
        struct asked asked;
        sem_t over;

        sem_init(&over, 0, 0);
        fake_forget(server);
        is_int(http_provider_new(client, &options, &provider), 0, rows[i].what);
        prepare(&asked, provider, &over, 60000);
        asked.call.n_parts = 0;
        asked.call.content = rows[i].content;
        asked.call.n_content = rows[i].content ? strlen(rows[i].content) : 0;
        asked.call.content_type = rows[i].type;
        asked.call.bearer = rows[i].bearer;
        http_start(&asked.call);
        sem_wait(&over);
        is_int(asked.call.r, rows[i].r, "  it ends so");
        ok(fake_was_asked(server, rows[i].want) == (rows[i].r == 0) && !fake_was_asked(server, rows[i].want_not), "  and was asked so");
        is_str(asked.call.type, rows[i].r == 0 ? "text/event-stream" : "", "  the type of the answer");
        free(asked.call.body);
        sem_destroy(&over);
    }
}

/* --- whether something left, for those who must not ask twice */

static void requests_leave_or_do_not(struct http_client *client, struct fake_provider *server)
{
    static const struct {
        const char *what, *path, *query;
        bool is_deaf, is_once;
        int r;
        bool was_sent;
        int64_t retry_after_ms;
        unsigned n_connections;
        const char *want; /* of the request */
    } rows[] = {
        { "posted", "ok", NULL, false, false, 0, true, 0, 1, "POST /v1/ok HTTP" },
        { "asked for", "ok", "a=b%20c", false, false, 0, true, 0, 0, "GET /v1/ok?a=b%20c HTTP" },
        { "once, over a connection of its own", "ok", NULL, false, true, 0, true, 0, 1, "POST /v1/ok HTTP" },
        { "busy says when", "busy", NULL, false, false, -EREMOTEIO, true, 7000, 0, "POST /v1/busy HTTP" },
        { "closed without an answer", "closes", NULL, false, true, -ECONNRESET, true, 0, 1, "POST /v1/closes HTTP" },
        { "nobody is there", "ok", NULL, true, true, -ECONNREFUSED, false, 0, 0, "" },
    };
    char nowhere[64];
    int fd = fake_listen(nowhere, sizeof(nowhere), 1);

    close(fd);
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        scoped(http_provider_free) struct http_provider *provider = NULL;
        struct http_provider_options options = { .base_url = rows[i].is_deaf ? nowhere : server->url, .path = rows[i].path,
                                                 .connect_ms = 1000 };
        struct http_provider_stats stats;
        struct asked asked;
        sem_t over;

        sem_init(&over, 0, 0);
        fake_forget(server);
        is_int(http_provider_new(client, &options, &provider), 0, rows[i].what);
        prepare(&asked, provider, &over, 60000);
        asked.call.n_parts = 0;
        asked.call.query = rows[i].query;
        asked.call.is_once = rows[i].is_once;
        http_start(&asked.call);
        sem_wait(&over);
        is_int(asked.call.r, rows[i].r, "  it ends so");
        ok(asked.call.was_sent == rows[i].was_sent, "  some of it left, or nothing");
        is_int(asked.call.retry_after_ms, rows[i].retry_after_ms, "  when to come again");
        ok(fake_was_asked(server, rows[i].want) == !rows[i].is_deaf, "  and was asked so");
        http_provider_stats(provider, &stats);
        if (rows[i].is_once)
            is_int((int64_t)stats.n_connections, rows[i].n_connections, "  over a new connection");
        free(asked.call.body);
        sem_destroy(&over);
    }
}

static void keys_are_one_line(struct http_client *client)
{
    static const struct {
        const char *user, *key;
    } rows[] = { { NULL, "a\r\nX: 1" }, { NULL, "a\n" }, { NULL, "a\x7f" }, { "u\r\n", "a" }, { "u:v", "a" } };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct http_provider *provider = NULL;
        struct http_provider_options options = { .base_url = "http://127.0.0.1", .path = "a", .user = rows[i].user, .key = rows[i].key };

        is_int(http_provider_new(client, &options, &provider), -EINVAL, "a key or user that is none is refused");
    }
}

/* --- names */

static sem_t resolver_in, resolver_out;

/* In the place of libc's, for curl too. */
int getaddrinfo(const char *restrict host, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict ret_list)
{
    static int (*libc)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

    if (host && strcmp(host, "slow.example") == 0) {
        sem_post(&resolver_in);
        sem_wait(&resolver_out);
        sem_post(&resolver_in);
        return EAI_NONAME;
    }
    *(void **)&libc = dlsym(RTLD_NEXT, "getaddrinfo");
    return libc(host, service, hints, ret_list);
}

static _Atomic unsigned n_watched; /* sockets that are not believed in for ever */

int setsockopt(int fd, int level, int name, const void *value, socklen_t n)
{
    static int (*libc)(int, int, int, const void *, socklen_t);

    n_watched += level == IPPROTO_TCP && name == TCP_USER_TIMEOUT && n == sizeof(int) && *(const int *)value > 0;
    *(void **)&libc = dlsym(RTLD_NEXT, "setsockopt");
    return libc(fd, level, name, value, n);
}

static void names_block_nobody(struct fake_provider *server)
{
    scoped(http_client_free) struct http_client *client = NULL;
    scoped(http_provider_free) struct http_provider *slow = NULL, *provider = NULL;
    struct http_provider_options options = { .base_url = "http://slow.example", .path = "ok", .connect_ms = 60000 };
    struct asked asked[3];
    sem_t over[3];

    sem_init(&resolver_in, 0, 0);
    sem_init(&resolver_out, 0, 0);
    is_int(http_client_new(&(struct http_client_options){ .calls_max = 4 }, &client), 0, "a client of its own");
    is_int(http_provider_new(client, &options, &slow), 0, "a provider whose name takes long");
    options.base_url = server->url;
    is_int(http_provider_new(client, &options, &provider), 0, "and one that is there");
    for (size_t i = 0; i < ELEMENTSOF(asked); i++) {
        sem_init(&over[i], 0, 0);
        prepare(&asked[i], i == 1 ? provider : slow, &over[i], 60000);
    }
    http_start(&asked[0].call);
    sem_wait(&resolver_in);
    http_start(&asked[1].call);
    sem_wait(&over[1]);
    is_int(asked[1].call.r, 0, "while a name is looked up others are asked");
    free(asked[1].call.body);
    http_abort(&asked[0].call);
    sem_wait(&over[0]);
    is_int(asked[0].call.r, -ECANCELED, "who waits for a name can be given up");
    http_start(&asked[2].call);
    sem_wait(&resolver_in);
    http_client_free(steal(&client));
    is_int(asked[2].call.r, -ECANCELED, "and the client's end does not wait for it");
    for (int i = 0; i < 2; i++) {
        sem_post(&resolver_out);
        sem_wait(&resolver_in);
    }
    for (size_t i = 0; i < ELEMENTSOF(asked); i++)
        sem_destroy(&over[i]);
}

/* --- connections opened ahead */

/* Its warm-up is over when the count of connections is there. */
static void wait_for_connections(struct http_provider *provider, uint64_t n)
{
    struct http_provider_stats stats;

    do {
        sched_yield();
        http_provider_stats(provider, &stats);
    } while (stats.n_connections < n);
}

static void connections_are_opened_ahead(struct http_client *client)
{
    static struct fake_provider its_own;
    struct fake_provider *server = &its_own;
    scoped(http_provider_free) struct http_provider *provider = NULL, *nobody = NULL;
    struct http_provider_options options = { .base_url = server->url, .path = "ok", .key = "sk-k", .connect_ms = 1000 };
    struct http_provider_stats stats;
    struct asked asked;
    char url[64];
    sem_t over;

    sem_init(&over, 0, 0);
    if (!ok(fake_provider_open(server, serve) == 0, "a server that nobody knows yet"))
        return;
    is_int(http_provider_new(client, &options, &provider), 0, "a provider that is not asked yet");
    http_warm(provider);
    http_warm(provider);
    wait_for_connections(provider, 1);
    prepare(&asked, provider, &over, 60000);
    asked.call.n_parts = 0;
    http_start(&asked.call);
    sem_wait(&over);
    is_int(asked.call.r, 0, "it answers");
    free(asked.call.body);
    http_warm(provider);
    http_provider_stats(provider, &stats);
    ok(stats.n_warmed == 1 && stats.n_calls == 1, "warmed once, not twice at once, and not a moment after an answer");
    is_int((long long)stats.n_connections, 1, "the call took the connection that was there");
    ok(n_watched >= stats.n_connections, "a peer that takes nothing any more is noticed");
    ok(server->n_requests >= 2 && stats.n_failed == 0 && !stats.is_open, "that it takes no HEAD is no failure");

    close(fake_listen(url, sizeof(url), 1));
    options.base_url = url;
    is_int(http_provider_new(client, &options, &nobody), 0, "a provider that is not there");
    for (unsigned i = 1; i <= 5; i++) {
        do {
            http_warm(nobody);
            sched_yield();
            http_provider_stats(nobody, &stats);
        } while (stats.n_warmed < i);
    }
    ok(!stats.is_open && stats.n_failed == 0 && stats.n_calls == 0, "warm-ups that fail leave the breaker closed");
    prepare(&asked, nobody, &over, 60000);
    http_start(&asked.call);
    sem_wait(&over);
    is_int(asked.call.r, -ECONNREFUSED, "so a call is made all the same");
    http_warm(nobody);
    http_provider_free(steal(&nobody));
    ok(true, "a provider may go while it is being warmed");
    fake_provider_close(server);
    sem_destroy(&over);
}

static void calls_end(void)
{
    scoped(http_client_free) struct http_client *client = NULL;
    scoped(http_provider_free) struct http_provider *provider = NULL, *other = NULL;
    struct asked asked[N];
    struct http_provider_stats stats;
    char url[64], other_url[64];
    sem_t all_done;
    int fd = deaf(url, sizeof(url)), nobody = deaf(other_url, sizeof(other_url));
    struct http_provider_options options = { .base_url = url, .path = "a", .key = "sk-secret", .connect_ms = 1000 };

    sem_init(&all_done, 0, 0);
    if (!ok(fd >= 0 && http_client_new(&(struct http_client_options){ .calls_max = N - 1 }, &client) == 0, "a client"))
        return;
    is_int(http_provider_new(client, &(struct http_provider_options){ .base_url = "gopher://x", .path = "a" }, &provider), -EINVAL,
           "a provider needs a URL");
    is_int(http_provider_new(client, &options, &provider), 0, "a provider");
    options.base_url = other_url;
    is_int(http_provider_new(client, &options, &other), 0, "another");

    for (int i = 0; i < N; i++) {
        prepare(&asked[i], provider, &all_done, 60000);
        http_start(&asked[i].call);
    }
    sem_wait(&all_done);
    ok(asked[N - 1].call.r == -EAGAIN && asked[N - 1].n_done == 1, "one more than may is refused at once");
    http_abort(&asked[0].call);
    sem_wait(&all_done);
    ok(asked[0].call.r == -ECANCELED && !asked[0].call.body, "one that is aborted ends, long before its time");
    ok(!strstr(asked[0].call.why, "secret"), "and says why");
    prepare(&asked[0], provider, &all_done, 1);
    http_start(&asked[0].call);
    sem_wait(&all_done);
    is_int(asked[0].call.r, -ETIMEDOUT, "silence ends with the time");

    prepare(&asked[0], provider, &all_done, 60000);
    asked[0].call.is_unwanted = true;
    http_start(&asked[0].call);
    sem_wait(&all_done);
    is_int(asked[0].call.r, -ECANCELED, "what was aborted before it began does not begin");
    http_provider_stats(provider, &stats);
    ok(stats.n_calls == N && stats.n_failed == 1 && !stats.is_open, "and all is counted");

    close(nobody);
    prepare(&asked[0], other, &all_done, 60000);
    for (int i = 0; i < 3; i++) {
        http_start(&asked[0].call);
        sem_wait(&all_done);
        is_int(asked[0].call.r, -ECONNREFUSED, "nobody there");
    }
    http_start(&asked[0].call);
    sem_wait(&all_done);
    is_int(asked[0].call.r, -EHOSTDOWN, "who failed three times in a row is not asked");

    http_client_free(steal(&client));
    ok(asked[1].call.r == -ECANCELED && asked[2].call.r == -ECANCELED && asked[1].n_done == 1 && asked[2].n_done == 1,
       "the end of the client ends what is under way");
    sem_destroy(&all_done);
    close(fd);
}

/* --- sockets that have a path */

static int unix_listen(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 16) < 0 ? -1 : fd;
}

static int ask_once(struct http_provider *provider)
{
    struct asked asked;
    sem_t over;

    sem_init(&over, 0, 0);
    prepare(&asked, provider, &over, 60000);
    http_start(&asked.call);
    sem_wait(&over);
    free(asked.call.body);
    sem_destroy(&over);
    return asked.call.r;
}

static void a_socket_has_a_path(struct http_client *client)
{
    enum { TRIES = 8 };
    static struct fake_provider local = { .serve = serve, .lock = PTHREAD_MUTEX_INITIALIZER };
    scoped(http_provider_free) struct http_provider *provider = NULL;
    struct http_provider_options options = { .base_url = "http://nobody.invalid", .path = "ok", .connect_ms = 1000,
                                             .unix_socket = scratch_file("socket") };
    unsigned n_refused = 0;

    (void)setenv("http_proxy", "http://127.0.0.1:1", 1);
    is_int(http_provider_new(client, &options, &provider), 0, "a socket with a path");
    while (n_refused < TRIES && ask_once(provider) == -ECONNREFUSED)
        n_refused++;
    is_int(n_refused, TRIES, "  nobody is there, however often");
    local.fd = unix_listen(options.unix_socket);
    if (!ok(local.fd >= 0 && pthread_create(&local.thread, NULL, fake_provider_main, &local) == 0, "  a server"))
        return;
    is_int(ask_once(provider), 0, "  it answers at once, whatever host and proxy there are");
    ok(fake_was_asked(&local, "POST /v1/ok ") && fake_was_asked(&local, "Host: nobody.invalid"), "  and was asked by its name");
    (void)unsetenv("http_proxy");
    fake_provider_close(&local);
}

int main(void)
{
    scoped(http_client_free) struct http_client *client = NULL;
    static struct fake_provider server;

    calls_end();
    if (ok(fake_provider_open(&server, serve) == 0 && http_client_new(&(struct http_client_options){ .calls_max = 64 }, &client) == 0,
           "a server, and a client")) {
        bodies_come_in_pieces(client, &server);
        requests_say_who_we_are(client, &server);
        requests_leave_or_do_not(client, &server);
        keys_are_one_line(client);
        names_block_nobody(&server);
        connections_are_opened_ahead(client);
        a_socket_has_a_path(client);
        http_client_free(steal(&client));
        fake_provider_close(&server);
    }
    return done_testing();
}
