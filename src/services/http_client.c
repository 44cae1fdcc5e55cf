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
 *
 * There is no limit of connections to one host: who calls does not wait in a queue of ours, and one session of HTTP/2
 * carries a hundred calls; what bounds them is calls_max. A peer that takes nothing any more is let go of after
 * DEAD_MS, so that calls do not go on being given to a connection that nobody is at the other end of.
 *
 * Keys are in memory of ours only in the provider and in the headers of an attempt, and wiped with them.
 */
#include "services/http_client.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>
#include <openssl/rand.h>

#include "services/http_provider.h"
#include "utils/clock.h"
#include "utils/log.h"

enum {
    CONNECTIONS_KEPT = 64,
    DEAD_MS = 5000, /* without an acknowledgement of what was sent */
    IDLE_S = 30,    /* until a connection is tried for whether it is there still */
    IDLE_TRY_S = 5,
    BODY_FIRST = 4 * KIB,
    POLL_MAX_MS = 60000,
    RETRY_AFTER_MAX_S = 24 * 3600,
    PROVIDER_NAME_MAX = 128,
    LINGER_MS = 250, /* for the end of an answer of which enough is there */
};

struct http_transfer {
    struct http_call *call;
    struct http_transfer *next;
    CURL *easy; /* NULL: between two attempts */
    curl_mime *mime;
    struct curl_slist *headers;
    uint64_t started_ms, attempt_ms, last_byte_ms, due_ms; /* last_byte 0: none yet */
    unsigned n_tried;
    size_t body_size, n_streamed;
    uint64_t enough_ms; /* when on_bytes() had all it wants; 0 not yet */
    int refused_r; /* by us, in the middle of the answer: too long, or on_bytes() said so */
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

static int on_socket(void *user, curl_socket_t fd, curlsocktype purpose)
{
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &(unsigned){ DEAD_MS }, sizeof(unsigned));
    return CURL_SOCKOPT_OK;
}

static size_t on_header(char *line, size_t size, size_t n, void *user)
{
    struct http_transfer *transfer = user;

    transfer->last_byte_ms = clock_mono_ms();
    http_failure_header(&transfer->failure, line, n);
    if (n > 5 && strncasecmp(line, "date:", 5) == 0) {
        char text[64];
        (void)snprintf(text, sizeof(text), "%.*s", (int)(n - 5), line + 5);
        time_t date = curl_getdate(text, NULL);
        transfer->call->date_s = date > 0 ? (int64_t)date : 0;
    }
    return n;
}

/* What the headers said, for whoever reads the body. */
static void describe(struct http_transfer *transfer)
{
    struct http_call *call = transfer->call;
    long status = 0;
    char *type = NULL;

    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &type);
    call->status = (unsigned)status;
    (void)snprintf(call->type, sizeof(call->type), "%.*s", type ? (int)strcspn(type, "; ") : 0, type ?: "");
    for (char *c = call->type; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    call->is_json = strstr(call->type, "json");
}

/* Nobody follows it but who asked; what does not fit leads nowhere. */
static void note_location(struct http_transfer *transfer)
{
    struct http_call *call = transfer->call;
    char *url = NULL;

    if (!call->location)
        return;
    curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, &url);
    if (snprintf(call->location, call->location_size, "%s", url ?: "") >= (int)call->location_size)
        call->location[0] = '\0';
}

static int gather(struct http_transfer *transfer, const char *bytes, size_t n)
{
    struct http_call *call = transfer->call;

    if (call->n_body + n + 1 > transfer->body_size) {
        size_t body_size = 2 * (call->n_body + n) + BODY_FIRST;
        char *body = realloc(call->body, body_size);
        if (!body)
            return -ENOMEM;
        call->body = body;
        transfer->body_size = body_size;
    }
    memcpy(call->body + call->n_body, bytes, n);
    call->n_body += n;
    call->body[call->n_body] = '\0';
    return 0;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *user)
{
    struct http_transfer *transfer = user;
    struct http_call *call = transfer->call;

    transfer->last_byte_ms = clock_mono_ms();
    if (call->is_unwanted)
        return 0;
    if (transfer->enough_ms)
        return n;
    if (!call->first_ms) {
        call->first_ms = transfer->last_byte_ms;
        describe(transfer);
    }
    if (call->n_body + transfer->n_streamed + n > call->body_max) {
        transfer->refused_r = -EFBIG;
    } else if (call->on_bytes && call->status / 100 == 2) {
        transfer->n_streamed += n;
        transfer->refused_r = call->on_bytes(call, bytes, n);
        if (transfer->refused_r > 0)
            transfer->enough_ms = transfer->last_byte_ms;
    } else {
        transfer->refused_r = gather(transfer, bytes, n);
    }
    return transfer->refused_r < 0 ? 0 : n;
}

/* --- attempts */

/* Errors: -EINVAL it would end the line and begin another. */
static int add_header(struct http_transfer *transfer, const char *name, const char *value)
{
    char *line = NULL;

    if (!http_is_line(value))
        return -EINVAL;
    if (asprintf(&line, "%s:%s%s", name, *value ? " " : "", value) < 0)
        return -ENOMEM;
    struct curl_slist *headers = curl_slist_append(transfer->headers, line);
    http_wipe(line);
    if (headers)
        transfer->headers = headers;
    return headers ? 0 : -ENOMEM;
}

static int authorize(struct http_transfer *transfer)
{
    const struct http_call *call = transfer->call;
    char *bearer = NULL;

    if (!call->bearer)
        return call->provider->authorization ? add_header(transfer, "Authorization", call->provider->authorization) : 0;
    if (asprintf(&bearer, "Bearer %s", call->bearer) < 0)
        return -ENOMEM;
    int r = add_header(transfer, "Authorization", bearer);
    http_wipe(bearer);
    return r;
}

static int compose_form(struct http_transfer *transfer)
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
    code |= curl_easy_setopt(transfer->easy, CURLOPT_MIMEPOST, transfer->mime);
    return transfer->mime && code == CURLE_OK ? 0 : -ENOMEM;
}

static int ask_for(struct http_transfer *transfer)
{
    scoped(free) char *url = NULL;

    if (!*transfer->call->query) {
        curl_easy_setopt(transfer->easy, CURLOPT_HTTPGET, 1L);
        return 0;
    }
    if (asprintf(&url, "%s?%s", transfer->call->provider->url, transfer->call->query) < 0)
        return -ENOMEM;
    return curl_easy_setopt(transfer->easy, CURLOPT_URL, url) == CURLE_OK ? 0 : -ENOMEM; /* it keeps its own */
}

static int compose(struct http_transfer *transfer)
{
    const struct http_call *call = transfer->call;
    int r = add_header(transfer, "Expect", "");

    if (http_is_warm_up(call))
        curl_easy_setopt(transfer->easy, CURLOPT_NOBODY, 1L);
    else if (r == 0)
        r = authorize(transfer);
    if (r == 0 && call->content_type)
        r = add_header(transfer, "Content-Type", call->content_type);
    for (size_t i = 0; r == 0 && i < call->n_headers; i++)
        r = add_header(transfer, call->headers[i].name, call->headers[i].value);
    if (r == 0 && call->n_parts)
        return compose_form(transfer);
    if (r == 0 && call->query)
        return ask_for(transfer);
    if (r == 0 && !http_is_warm_up(call)) {
        curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->n_content);
        curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS, call->content ?: "");
    }
    return r;
}

static int prepare(struct http_client *client, struct http_transfer *transfer)
{
    const struct http_provider *provider = transfer->call->provider;
    CURL *easy = transfer->easy = curl_easy_init();

    if (!easy)
        return -ENOMEM;
    curl_easy_setopt(easy, CURLOPT_URL, provider->url);
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
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)IDLE_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)IDLE_TRY_S);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* what a proxy says is no answer */
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
    if (provider->unix_socket) {
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, provider->unix_socket);
        curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* which could not reach it */
    }
    if (transfer->call->is_once) /* curl would ask again over another one */
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    int r = compose(transfer);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    return r;
}

static void detach(struct http_client *client, struct http_transfer *transfer)
{
    if (transfer->easy) {
        long n_sent = 0;
        curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &n_sent);
        transfer->call->was_sent |= n_sent > 0;
        curl_multi_remove_handle(client->multi, transfer->easy);
        curl_easy_cleanup(transfer->easy);
    }
    curl_mime_free(steal(&transfer->mime));
    for (struct curl_slist *header = transfer->headers; header; header = header->next)
        explicit_bzero(header->data, strlen(header->data));
    curl_slist_free_all(steal(&transfer->headers));
    transfer->easy = NULL;
}

static void drop_body(struct http_transfer *transfer)
{
    free(steal(&transfer->call->body));
    transfer->call->n_body = transfer->body_size = 0;
}

static void answer(struct http_call *call, int r, const char *why)
{
    call->r = r;
    call->why = why;
    call->done_ms = clock_mono_ms();
    call->done(call);
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
    client->n_calls -= !http_is_warm_up(call);
    if (!http_is_warm_up(call) && r != -ECANCELED)
        histogram_add(&call->provider->took_us, &histogram_us, (clock_mono_ms() - transfer->started_ms) * 1000);
    if (r < 0 && r != -EREMOTEIO) /* that has something to say */
        drop_body(transfer);
    free(transfer);
    answer(call, r, why);
}

/* The host alone: what else is in a URL may be nobody's business. */
static void tell_breaker(const struct http_provider *provider)
{
    const char *host = strstr(provider->url, "://");
    char name[PROVIDER_NAME_MAX];

    host = host ? host + 3 : provider->url;
    (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(host, "/?"), host);
    if (provider->is_open)
        (void)log_about(LOG_WARNING, 0, &(struct log_about){ LOG_PROVIDER_FAILED, .provider = name },
                        "%s fails: it is left alone for a while, then tried again", name);
    else
        (void)log_about(LOG_INFO, 0, &(struct log_about){ LOG_PROVIDER_RECOVERED, .provider = name }, "%s answers again", name);
}

static void note(struct http_call *call, const struct http_failure *failure, bool good)
{
    struct http_provider *provider = call->provider;

    bool was_open = provider->is_open;

    if (http_is_warm_up(call) || provider->is_unguarded)
        return;
    if (good || !http_failure_counts(failure))
        failure->r == -ECANCELED || failure->r == -ENOMEM ? http_breaker_unknown(&provider->breaker)
                                                          : http_breaker_good(&provider->breaker);
    else
        http_breaker_bad(&provider->breaker, clock_mono_ms(), failure->retry_after_ms);
    provider->is_open = provider->breaker.open_ms > 0;
    if (provider->is_open != was_open)
        tell_breaker(provider);
}

static void attempt(struct http_client *client, struct http_transfer *transfer, uint64_t now_ms)
{
    transfer->attempt_ms = now_ms;
    transfer->last_byte_ms = 0;
    transfer->failure = (struct http_failure){ .retry_after_ms = HTTP_NO_DELAY };
    transfer->n_tried++;
    transfer->call->status = 0;
    transfer->call->first_ms = 0;
    transfer->refused_r = 0;
    transfer->enough_ms = 0;
    drop_body(transfer);
    int r = prepare(client, transfer);
    if (r == 0 && curl_multi_add_handle(client->multi, transfer->easy) == CURLM_OK)
        return;
    note(transfer->call, &(struct http_failure){ .r = -ENOMEM }, false);
    if (r == -EINVAL)
        finish(client, transfer, r, "a header of it would be two");
    else
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
    if (call->is_repeatable && !transfer->n_streamed && spent_ms < call->total_ms)
        delay_ms = http_retry_delay(failure, transfer->n_tried, call->total_ms - spent_ms, random);
    if (delay_ms >= 0) {
        detach(client, transfer);
        transfer->due_ms = now_ms + (uint64_t)delay_ms;
        call->provider->n_retries++;
        return;
    }
    if (http_failure_counts(failure) && !http_is_warm_up(call))
        call->provider->n_failed++;
    call->retry_after_ms = failure->retry_after_ms > 0 ? failure->retry_after_ms : 0;
    note(call, failure, false);
    finish(client, transfer, r, why);
}

static void given_up(struct http_client *client, struct http_transfer *transfer)
{
    note(transfer->call, &(struct http_failure){ .r = -ECANCELED }, false);
    finish(client, transfer, -ECANCELED, "it is not wanted any more");
}

/* Ours in the middle of it: that is nothing to try again. */
static void refused(struct http_client *client, struct http_transfer *transfer)
{
    int r = transfer->refused_r;

    if (r == -EFBIG) {
        failed(client, transfer, r, "the answer is too long");
        return;
    }
    note(transfer->call, &(struct http_failure){ .r = -ECANCELED }, false);
    finish(client, transfer, r, r == -ENOMEM ? "out of memory" : "its answer was refused");
}

static void succeeded(struct http_client *client, struct http_transfer *transfer)
{
    note(transfer->call, &transfer->failure, true);
    finish(client, transfer, 0, "");
}

static void completed(struct http_client *client, struct http_transfer *transfer, CURLcode code)
{
    struct http_call *call = transfer->call;
    struct outcome outcome = outcome_of(code);
    long n_connections = 0, proxy_status = 0;
    curl_off_t retry_after_s = 0;

    describe(transfer);
    note_location(transfer);
    curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &n_connections);
    curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
    if (proxy_status >= 300)
        outcome = (struct outcome){ code, -EHOSTUNREACH, "the proxy does not let it through" };
    call->provider->n_connections += (uint64_t)n_connections;
    if (call->status)
        call->provider->used_ms = clock_mono_ms();
    if (transfer->failure.retry_after_ms < 0 && retry_after_s > 0)
        transfer->failure.retry_after_ms = (retry_after_s < RETRY_AFTER_MAX_S ? retry_after_s : RETRY_AFTER_MAX_S) * 1000;

    if (call->is_unwanted)
        given_up(client, transfer);
    else if (transfer->refused_r < 0)
        refused(client, transfer);
    else if (transfer->enough_ms)
        succeeded(client, transfer);
    else if (code != CURLE_OK)
        failed(client, transfer, outcome.r, outcome.why);
    else if (call->status / 100 != 2)
        failed(client, transfer, -EREMOTEIO, "it answers with an error");
    else
        succeeded(client, transfer);
}

/* --- the round */

static bool is_admitted(struct http_provider *provider, const struct http_call *call, uint64_t now_ms)
{
    bool admitted = http_is_warm_up(call) || http_breaker_admit(&provider->breaker, now_ms);

    *(http_is_warm_up(call) ? &provider->n_warmed : admitted ? &provider->n_calls : &provider->n_refused) += 1;
    return admitted;
}

static void start(struct inbox_item *item)
{
    struct http_call *call = (struct http_call *)((char *)item - offsetof(struct http_call, start));
    struct http_provider *provider = call->provider;
    struct http_client *client = provider->client;
    uint64_t now_ms = clock_mono_ms();

    if (client->is_stopping || call->is_unwanted) {
        answer(call, -ECANCELED, "it is not wanted any more");
        return;
    }
    if (client->n_calls >= client->calls_max && !http_is_warm_up(call)) {
        answer(call, -EAGAIN, "too many requests are under way");
        return;
    }
    struct http_transfer *transfer = malloc(sizeof(*transfer));
    if (!transfer) {
        answer(call, -ENOMEM, "out of memory");
        return;
    }
    if (!is_admitted(provider, call, now_ms)) {
        free(transfer);
        answer(call, -EHOSTDOWN, "it failed too often and is left alone for a while");
        return;
    }
    *transfer = (struct http_transfer){ .call = call, .started_ms = now_ms, .next = client->transfers };
    client->transfers = transfer;
    client->n_calls += !http_is_warm_up(call);
    call->asked_ms = now_ms;
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
    if (transfer->enough_ms)
        return transfer->enough_ms + LINGER_MS;
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
            given_up(client, transfer);
        } else if (deadline_ms <= now_ms && !transfer->easy && now_ms < transfer->started_ms + transfer->call->total_ms) {
            attempt(client, transfer, now_ms);
            next_ms = now_ms;
        } else if (deadline_ms <= now_ms && transfer->enough_ms) {
            succeeded(client, transfer);
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
    if (!(curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_ASYNCHDNS))
        (void)log_warning(0, "this libcurl looks names up while all other calls wait; take one with a resolver of its own");
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

void http_start(struct http_call *call)
{
    call->start.run = start;
    call->r = 0;
    call->why = "";
    call->status = 0;
    call->asked_ms = call->first_ms = call->done_ms = 0;
    call->type[0] = '\0';
    call->is_json = call->was_sent = false;
    call->retry_after_ms = 0;
    call->body = NULL;
    call->n_body = 0;
    inbox_post(call->provider->client->inbox, &call->start);
}

void http_abort(struct http_call *call)
{
    call->is_unwanted = true;
    inbox_ring(call->provider->client->inbox);
}
