/*
 * http_client.c - requests to other services, without waiting for them
 *
 * One thread with one curl multi, for all workers, and not a multi in each: curl allocates and shakes hands for
 * milliseconds, which a thread that owes frames to callers must not do; and a connection that one call has opened is
 * there for all others. What it costs is one hop through the inbox each way. Calls come in by the inbox;
 * done() is called on this thread and hands on to whoever asked.
 *
 * A call is waiting for its next attempt (easy is NULL, due_ms says when) or has one under way. Handles are removed
 * outside curl's callbacks only. Our own deadlines are looked at each round, so that there is one clock for all of
 * them; curl has only that of connecting. The sooner of both ends an attempt.
 */
#include "services/http_client.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>
#include <openssl/rand.h>

#include "services/http_policy.h"
#include "utils/clock.h"

enum { URL_MAX_BYTES = 2048, CONNECTIONS_KEPT = 64, BODY_FIRST = 4 * KIB, POLL_MAX_MS = 60000 };

struct http_provider {
    struct http_client *client;
    struct http_breaker breaker; /* the client's thread, as all but the counters */
    char url[URL_MAX_BYTES];
    struct curl_slist *headers;
    unsigned connect_ms;
    _Atomic uint64_t n_calls, n_failed, n_retries, n_refused, n_connections;
    _Atomic bool is_open;
};

struct http_transfer {
    struct http_call *call;
    struct http_transfer *next;
    CURL *easy; /* NULL: between two attempts */
    curl_mime *mime;
    uint64_t started_ms, attempt_ms, last_byte_ms, due_ms; /* last_byte 0: none yet */
    unsigned n_tried;
    size_t body_size;
    bool is_too_big;
    struct http_failure failure; /* what the headers said */
};

struct http_client {
    CURLM *multi;
    struct inbox *inbox;
    char *ca_file;
    unsigned n_calls, calls_max;
    struct http_transfer *transfers;
    pthread_t thread;
    bool is_running;
    _Atomic bool is_stopping;
};

/* --- curl's words and ours */

static const struct outcome {
    CURLcode code;
    int r;
    const char *why;
} outcomes[] = {
    { CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT, "the connection is not made in time" },
    { CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH, "the name of the host is not known" },
    { CURLE_COULDNT_RESOLVE_PROXY, -EHOSTUNREACH, "the name of the proxy is not known" },
    { CURLE_COULDNT_CONNECT, -ECONNREFUSED, "nobody takes the connection" },
    { CURLE_PEER_FAILED_VERIFICATION, -EPROTO, "the certificate does not verify" },
    { CURLE_SSL_CONNECT_ERROR, -EPROTO, "TLS cannot be agreed on" },
    { CURLE_SSL_CACERT_BADFILE, -EPROTO, "the file of authorities cannot be read" },
    { CURLE_GOT_NOTHING, -ECONNRESET, "the connection was closed without an answer" },
    { CURLE_RECV_ERROR, -ECONNRESET, "the connection broke" },
    { CURLE_SEND_ERROR, -ECONNRESET, "the connection broke" },
    { CURLE_PARTIAL_FILE, -ECONNRESET, "the connection broke within the answer" },
    { CURLE_HTTP2, -ECONNRESET, "the connection broke" },
    { CURLE_HTTP2_STREAM, -ECONNRESET, "the connection broke" },
    { CURLE_OUT_OF_MEMORY, -ENOMEM, "out of memory" },
};

static struct outcome outcome_of(CURLcode code)
{
    for (size_t i = 0; i < ELEMENTSOF(outcomes); i++)
        if (outcomes[i].code == code)
            return outcomes[i];
    return (struct outcome){ code, -EIO, "the answer is no HTTP, or the request cannot be made" };
}

/* --- what comes in; inside curl */

static size_t on_header(char *line, size_t size, size_t n, void *user)
{
    struct http_transfer *transfer = user;
    struct http_failure *failure = &transfer->failure;
    char text[64];
    int n_text = (int)(n < sizeof(text) - 1 ? n : sizeof(text) - 1);

    transfer->last_byte_ms = clock_mono_ms();
    (void)snprintf(text, sizeof(text), "%.*s", n_text, line);
    if (strncasecmp(text, "HTTP/", 5) == 0)
        *failure = (struct http_failure){ .retry_after_ms = HTTP_NO_DELAY }; /* what came before was a 100 or the proxy's */
    else if (strncasecmp(text, "retry-after-ms:", 15) == 0)
        failure->retry_after_ms = (int64_t)strtoul(text + 15, NULL, 10);
    else if (strncasecmp(text, "x-should-retry:", 15) == 0) {
        failure->may_retry_said = true;
        failure->may_retry = strstr(text + 15, "true") != NULL;
    }
    return n;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *user)
{
    struct http_transfer *transfer = user;
    struct http_call *call = transfer->call;

    transfer->last_byte_ms = clock_mono_ms();
    if (call->n_body + n > call->body_max) {
        transfer->is_too_big = true;
        return 0;
    }
    if (call->n_body + n + 1 > transfer->body_size) {
        size_t body_size = 2 * (call->n_body + n) + BODY_FIRST;
        char *body = realloc(call->body, body_size);
        if (!body)
            return 0;
        call->body = body;
        transfer->body_size = body_size;
    }
    memcpy(call->body + call->n_body, bytes, n);
    call->n_body += n;
    call->body[call->n_body] = '\0';
    return n;
}

/* --- attempts */

static int compose(struct http_transfer *transfer)
{
    const struct http_call *call = transfer->call;
    CURLcode code = CURLE_OK;

    transfer->mime = curl_mime_init(transfer->easy);
    for (size_t i = 0; transfer->mime && i < call->n_parts; i++) {
        const struct http_part *part = &call->parts[i];
        curl_mimepart *made = curl_mime_addpart(transfer->mime);

        code |= curl_mime_name(made, part->name);
        code |= curl_mime_data(made, part->bytes, part->n);
        if (part->filename)
            code |= curl_mime_filename(made, part->filename);
        if (part->type)
            code |= curl_mime_type(made, part->type);
    }
    return transfer->mime && code == CURLE_OK ? 0 : -ENOMEM;
}

static int prepare(struct http_client *client, struct http_transfer *transfer)
{
    const struct http_provider *provider = transfer->call->provider;
    CURL *easy = transfer->easy = curl_easy_init();

    if (!easy)
        return -ENOMEM;
    curl_easy_setopt(easy, CURLOPT_URL, provider->url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, provider->headers);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)provider->connect_ms);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* an abort does not wait for the resolver */
#endif
    if (client->ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_file);
    int r = compose(transfer);
    if (r < 0)
        return r;
    return curl_easy_setopt(easy, CURLOPT_MIMEPOST, transfer->mime) == CURLE_OK ? 0 : -ENOMEM;
}

static void detach(struct http_client *client, struct http_transfer *transfer)
{
    if (transfer->easy) {
        curl_multi_remove_handle(client->multi, transfer->easy);
        curl_easy_cleanup(transfer->easy);
    }
    curl_mime_free(transfer->mime);
    transfer->easy = NULL;
    transfer->mime = NULL;
}

static void drop_body(struct http_transfer *transfer)
{
    free(steal(&transfer->call->body));
    transfer->call->n_body = transfer->body_size = 0;
}

/* The call is over; the transfer is not there any more afterwards. */
static void finish(struct http_client *client, struct http_transfer *transfer, int r, const char *why)
{
    struct http_call *call = transfer->call;
    struct http_transfer **at = &client->transfers;

    detach(client, transfer);
    while (*at != transfer)
        at = &(*at)->next;
    *at = transfer->next;
    client->n_calls--;
    if (r < 0 && r != -EREMOTEIO) /* that has something to say */
        drop_body(transfer);
    free(transfer);
    call->r = r;
    call->why = why;
    call->done(call);
}

static void note(struct http_provider *provider, const struct http_failure *failure, bool good)
{
    if (good || !http_failure_counts(failure))
        failure->r == -ECANCELED || failure->r == -ENOMEM ? http_breaker_unknown(&provider->breaker)
                                                          : http_breaker_good(&provider->breaker);
    else
        http_breaker_bad(&provider->breaker, clock_mono_ms(), failure->retry_after_ms);
    provider->is_open = provider->breaker.open_ms > 0;
}

static void attempt(struct http_client *client, struct http_transfer *transfer, uint64_t now_ms)
{
    transfer->attempt_ms = now_ms;
    transfer->last_byte_ms = 0;
    transfer->failure = (struct http_failure){ .retry_after_ms = HTTP_NO_DELAY };
    transfer->n_tried++;
    transfer->call->status = 0;
    transfer->is_too_big = false;
    drop_body(transfer);
    if (prepare(client, transfer) == 0 && curl_multi_add_handle(client->multi, transfer->easy) == CURLM_OK)
        return;
    note(transfer->call->provider, &(struct http_failure){ .r = -ENOMEM }, false);
    finish(client, transfer, -ENOMEM, "out of memory");
}

/* An attempt failed: another one, or the end. */
static void failed(struct http_client *client, struct http_transfer *transfer, int r, const char *why)
{
    struct http_call *call = transfer->call;
    struct http_failure *failure = &transfer->failure;
    uint64_t now_ms = clock_mono_ms(), spent_ms = now_ms - transfer->started_ms;
    uint32_t random = 0;

    failure->r = r == -EREMOTEIO ? 0 : r;
    failure->status = call->status;
    failure->is_spent = call->body && strstr(call->body, "insufficient_quota");
    (void)RAND_bytes((unsigned char *)&random, sizeof(random));
    int64_t delay_ms = HTTP_NO_DELAY;
    if (call->is_repeatable && spent_ms < call->total_ms)
        delay_ms = http_retry_delay(failure, transfer->n_tried, call->total_ms - spent_ms, random);
    if (delay_ms >= 0) {
        detach(client, transfer);
        transfer->due_ms = now_ms + (uint64_t)delay_ms;
        call->provider->n_retries++;
        return;
    }
    if (http_failure_counts(failure))
        call->provider->n_failed++;
    note(call->provider, failure, false);
    finish(client, transfer, r, why);
}

static void completed(struct http_client *client, struct http_transfer *transfer, CURLcode code)
{
    struct http_call *call = transfer->call;
    struct outcome outcome = outcome_of(code);
    long status = 0, n_connections = 0;
    curl_off_t retry_after_s = 0;
    char *type = NULL;

    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &n_connections);
    curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &type);
    curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    call->status = (unsigned)status;
    call->is_json = type && strstr(type, "json");
    call->provider->n_connections += (uint64_t)n_connections;
    if (transfer->failure.retry_after_ms < 0 && retry_after_s > 0)
        transfer->failure.retry_after_ms = retry_after_s * 1000;

    if (transfer->is_too_big)
        failed(client, transfer, -EFBIG, "the answer is too long");
    else if (code != CURLE_OK)
        failed(client, transfer, outcome.r, outcome.why);
    else if (status / 100 != 2)
        failed(client, transfer, -EREMOTEIO, "it answers with an error");
    else {
        note(call->provider, &transfer->failure, true);
        finish(client, transfer, 0, "");
    }
}

/* --- the round */

static void refuse(struct http_call *call, int r, const char *why)
{
    call->r = r;
    call->why = why;
    call->done(call);
}

static void start(struct inbox_item *item)
{
    struct http_call *call = (struct http_call *)((char *)item - offsetof(struct http_call, start));
    struct http_provider *provider = call->provider;
    struct http_client *client = provider->client;
    uint64_t now_ms = clock_mono_ms();

    if (client->is_stopping || call->is_unwanted) {
        refuse(call, -ECANCELED, "it is not wanted any more");
        return;
    }
    if (client->n_calls >= client->calls_max) {
        refuse(call, -EAGAIN, "too many requests are under way");
        return;
    }
    struct http_transfer *transfer = malloc(sizeof(*transfer));
    if (!transfer) {
        refuse(call, -ENOMEM, "out of memory");
        return;
    }
    if (!http_breaker_admit(&provider->breaker, now_ms)) {
        free(transfer);
        provider->n_refused++;
        refuse(call, -EHOSTDOWN, "it failed too often and is left alone for a while");
        return;
    }
    *transfer = (struct http_transfer){ .call = call, .started_ms = now_ms, .next = client->transfers };
    client->transfers = transfer;
    client->n_calls++;
    provider->n_calls++;
    attempt(client, transfer, now_ms);
}

/* Returns: when the transfer is to be looked at; *ret_why what is over then. */
static uint64_t deadline_of(const struct http_transfer *transfer, const char **ret_why)
{
    const struct http_call *call = transfer->call;
    uint64_t total_ms = transfer->started_ms + call->total_ms, stage_ms;

    *ret_why = "the answer is not there in time";
    if (!transfer->easy)
        return transfer->due_ms < total_ms ? transfer->due_ms : total_ms;
    if (!transfer->last_byte_ms) {
        stage_ms = transfer->attempt_ms + call->first_byte_ms;
    } else {
        stage_ms = transfer->last_byte_ms + call->stall_ms;
        if (stage_ms < total_ms)
            *ret_why = "the answer stopped half way";
    }
    return stage_ms < total_ms ? stage_ms : total_ms;
}

/* Returns: the next deadline. */
static uint64_t look_at_transfers(struct http_client *client, uint64_t now_ms)
{
    uint64_t next_ms = UINT64_MAX;
    const char *why;

    for (struct http_transfer *transfer = client->transfers, *next; transfer; transfer = next) {
        uint64_t deadline_ms = deadline_of(transfer, &why);

        next = transfer->next; /* done() does not end others */
        if (client->is_stopping || transfer->call->is_unwanted) {
            note(transfer->call->provider, &(struct http_failure){ .r = -ECANCELED }, false);
            finish(client, transfer, -ECANCELED, "it is not wanted any more");
        } else if (deadline_ms <= now_ms && !transfer->easy && now_ms < transfer->started_ms + transfer->call->total_ms) {
            attempt(client, transfer, now_ms);
            next_ms = now_ms;
        } else if (deadline_ms <= now_ms) {
            failed(client, transfer, -ETIMEDOUT, why);
        } else if (deadline_ms < next_ms) {
            next_ms = deadline_ms;
        }
    }
    return next_ms;
}

static void take_completed(struct http_client *client)
{
    struct http_transfer *transfer;
    CURLMsg *message;
    int n;

    while ((message = curl_multi_info_read(client->multi, &n))) {
        CURLcode code = message->data.result;

        if (message->msg == CURLMSG_DONE && curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer) == CURLE_OK)
            completed(client, transfer, code);
    }
}

static void *client_main(void *arg)
{
    struct http_client *client = arg;
    struct curl_waitfd bell = { .fd = inbox_fd(client->inbox), .events = CURL_WAIT_POLLIN };
    int n;

    (void)pthread_setname_np(pthread_self(), "http client");
    for (;;) {
        bool stop = client->is_stopping; /* read before the inbox: nothing is posted any more */

        inbox_arm(client->inbox);
        inbox_run(client->inbox);
        (void)curl_multi_perform(client->multi, &n);
        take_completed(client);

        uint64_t now_ms = clock_mono_ms(), next_ms = look_at_transfers(client, now_ms);
        if (stop && !client->transfers)
            return NULL;
        uint64_t wait_ms = next_ms <= now_ms ? 0 : next_ms - now_ms;
        (void)curl_multi_poll(client->multi, &bell, 1, (int)(wait_ms < POLL_MAX_MS ? wait_ms : POLL_MAX_MS), &n);
        (void)inbox_wait(client->inbox, 0); /* reads the bell */
    }
}

/* --- for the others */

int http_client_new(const struct http_client_options *options, struct http_client **ret_client)
{
    scoped(http_client_free) struct http_client *client = calloc(1, sizeof(*client));

    if (!client || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return -ENOMEM;
    client->calls_max = options->calls_max;
    client->ca_file = options->ca_file ? strdup(options->ca_file) : NULL;
    client->multi = curl_multi_init();
    if (!client->multi || (options->ca_file && !client->ca_file))
        return -ENOMEM;
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
    int r = inbox_new(&client->inbox);
    if (r == 0)
        r = -pthread_create(&client->thread, NULL, client_main, client);
    client->is_running = r == 0;
    if (r == 0)
        *ret_client = steal(&client);
    return r;
}

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    client->is_stopping = true;
    if (client->is_running) {
        inbox_ring(client->inbox);
        pthread_join(client->thread, NULL);
    }
    if (client->multi)
        curl_multi_cleanup(client->multi);
    if (client->inbox)
        inbox_unref(client->inbox);
    free(client->ca_file);
    free(client);
}

static int add_header(struct http_provider *provider, const char *line)
{
    struct curl_slist *headers = curl_slist_append(provider->headers, line);

    if (headers)
        provider->headers = headers;
    return headers ? 0 : -ENOMEM;
}

int http_provider_new(struct http_client *client, const struct http_provider_options *options,
                      struct http_provider **ret_provider)
{
    scoped(http_provider_free) struct http_provider *provider = calloc(1, sizeof(*provider));
    char *bearer = NULL;

    if (!provider)
        return -ENOMEM;
    provider->client = client;
    provider->connect_ms = options->connect_ms;
    int r = http_join(options->base_url, options->path, provider->url, sizeof(provider->url));
    if (r == 0)
        r = add_header(provider, "Expect:");
    if (r == 0 && options->key) {
        r = asprintf(&bearer, "Authorization: Bearer %s", options->key) < 0 ? -ENOMEM : add_header(provider, bearer);
        if (r == 0)
            explicit_bzero(bearer, strlen(bearer));
        free(bearer);
    }
    if (r == 0)
        *ret_provider = steal(&provider);
    return r;
}

void http_provider_free(struct http_provider *provider)
{
    if (!provider)
        return;
    for (struct curl_slist *header = provider->headers; header; header = header->next)
        explicit_bzero(header->data, strlen(header->data));
    curl_slist_free_all(provider->headers);
    free(provider);
}

void http_provider_stats(struct http_provider *provider, struct http_provider_stats *ret_stats)
{
    *ret_stats = (struct http_provider_stats){
        .n_calls = provider->n_calls,
        .n_failed = provider->n_failed,
        .n_retries = provider->n_retries,
        .n_refused = provider->n_refused,
        .n_connections = provider->n_connections,
        .is_open = provider->is_open,
    };
}

void http_start(struct http_call *call)
{
    call->start.run = start;
    call->r = 0;
    call->why = "";
    call->status = 0;
    call->is_json = false;
    call->body = NULL;
    call->n_body = 0;
    inbox_post(call->provider->client->inbox, &call->start);
}

void http_abort(struct http_call *call)
{
    call->is_unwanted = true;
    inbox_ring(call->provider->client->inbox);
}
