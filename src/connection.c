/*
 * connection.c - one connection: its handshake, its requests, their answers, its end
 *
 * A connection is HANDSHAKING (h2o drives libssl), then SERVING (it is h2o's, who
 * reads requests and calls on_request() with the whole body), or it became a
 * WebSocket (websocket.c's). struct connection lives as long as the socket does;
 * its address is the socket's on_close.data.
 *
 * Time. h2o knows one timer for everything that is not a handler's time, closes
 * without a word when it fires, and it follows the wall clock. It is therefore
 * set far off as a backstop, and once a second we look ourselves. That a socket
 * is being read tells that h2o waits for (the rest of) a request: without a byte
 * of it the connection is ended quietly, with some the client is told 408. It is
 * ended by calling the read callback with an error, as if the peer had closed.
 *
 * To say 408, where h2o has no hook, its socket is taken over for a moment: the
 * read callback is kept, one of ours drops what comes, our text is written, and
 * when the peer closes, or after GRACE_MS, h2o's callback is told the end.
 *
 * Errors h2o makes itself (413, 400 for a broken body, 417) pass through a filter
 * that puts our JSON in their place and holds the end back in the same way:
 * closing at once would reset a connection whose client is still sending, before
 * it has read why.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "server_internal.h"
#include "tls.h"
#include "utils/clock.h"
#include "utils/log.h"

enum {
    ROUTE_NAME_MAX = 128,
    GRACE_MS = 1000,   /* to read why we close */
    BODY_LEAST = 64 * KIB,
    LARGE_INPUT = HTTP_HEAD_MAX + BODY_LEAST,
    INPUT_MAX = 128 * MIB, /* of requests that are coming, on one loop; over it the large ones are turned away */
    PACE_BYTES_A_MS = 64,
    STREAM_PIECE = 64 * KIB, /* what is held of a body that comes piece by piece */
    PROMISE_MS = 1500, /* before the loop ends, promised answers that did not come are given up */
};

enum phase { HANDSHAKING, SERVING, UPGRADED, TAKEN_OVER, LEAVING };

struct connection {
    h2o_linklist_t link; /* of its loop's connections */
    struct loop *loop;
    h2o_socket_t *socket;
    SSL_CTX *context; /* what it began with; NULL without TLS */
    struct loop_task arrival;
    int fd; /* until it arrives */
    enum http_listener kind;
    enum phase phase;
    uint64_t since_ms;      /* connected, last seen with a request in work, or taken over */
    uint64_t unfinished_ms; /* first seen with a part of a request; 0: none */
    /* while taken over */
    h2o_socket_cb h2o_read;
    struct held_back *held; /* the response whose end is held back; NULL: farewell was sent */
    char *farewell;
};

static struct connection *connection_of(h2o_req_t *req)
{
    return req->conn->callbacks->get_socket(req->conn)->on_close.data;
}

/* --- responses */

static void proceed_nothing(h2o_generator_t *generator, h2o_req_t *req)
{
}

/* Of whole bodies. */
static h2o_generator_t whole_body = { proceed_nothing, NULL };

static void add_header(h2o_req_t *req, const char *name, const char *value, size_t n_value)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 1, NULL, value,
                          n_value);
}

static void add_common_headers(h2o_req_t *req, const char *request_id, bool is_cacheable)
{
    add_header(req, "x-request-id", h2o_strdup(&req->pool, request_id, SIZE_MAX).base,
               strlen(request_id));
    add_header(req, "x-content-type-options", H2O_STRLIT("nosniff"));
    if (!is_cacheable)
        add_header(req, "cache-control", H2O_STRLIT("no-store"));
}

static bool is_line(const char *text, size_t n)
{
    return !memchr(text, '\r', n) && !memchr(text, '\n', n);
}

/* Vary also where nobody is let in: what is kept of it must not be shown to another. */
static void add_cors(h2o_req_t *req, const struct http_cors *cors)
{
    if (!cors->is_judged)
        return;
    add_header(req, "vary", H2O_STRLIT("origin"));
    if (!cors->origin)
        return;
    add_header(req, "access-control-allow-origin", h2o_strdup(&req->pool, cors->origin, cors->n_origin).base, cors->n_origin);
    if (cors->origin[0] != '*')
        add_header(req, "access-control-allow-credentials", H2O_STRLIT("true"));
    add_header(req, "access-control-expose-headers", H2O_STRLIT("x-request-id, retry-after, idempotency-replayed"));
}

static void add_headers(h2o_req_t *req, const struct http_response *response,
                        const char *request_id)
{
    bool is_cacheable = false;

    if (response->content_type)
        add_header(req, "content-type",
                   h2o_strdup(&req->pool, response->content_type, SIZE_MAX).base,
                   strlen(response->content_type));
    for (size_t i = 0; i < response->n_extra; i++) {
        const struct http_field *field = &response->extra[i];
        h2o_iovec_t name = h2o_strdup(&req->pool, field->name, field->n_name);
        if (!is_line(field->value, field->n_value)) /* it would become a header of its own */
            continue;
        is_cacheable |= strcmp(name.base, "cache-control") == 0;
        add_header(req, name.base, h2o_strdup(&req->pool, field->value, field->n_value).base,
                   field->n_value);
    }
    add_common_headers(req, request_id, is_cacheable);
}

/* --- bodies that come piece by piece */

/* It lives until the request has gone and no pull is out. */
struct stream {
    h2o_generator_t generator; /* first */
    struct http_pull pull;
    struct loop_task arrival;
    struct loop *loop;
    struct http_source *source;
    h2o_req_t *req;        /* NULL: the client has gone */
    struct stream **owner; /* in the request's memory, whose end tells us */
    uint64_t n_left;
    bool is_pulling;
    int n; /* what came */
    char buffer[STREAM_PIECE];
};

static void end_stream(struct stream *stream)
{
    stream->source->close(stream->source);
    free(stream);
}

static void on_stream_gone(void *arg)
{
    struct stream **owner = arg, *stream = *owner;

    if (!stream)
        return;
    stream->req = NULL;
    if (!stream->is_pulling)
        end_stream(stream);
}

static void pull(struct stream *stream)
{
    size_t size = stream->n_left < sizeof(stream->buffer) ? (size_t)stream->n_left : sizeof(stream->buffer);

    stream->is_pulling = true;
    stream->source->pull(stream->source, stream->buffer, size, &stream->pull);
}

static void proceed_stream(h2o_generator_t *generator, h2o_req_t *req)
{
    pull((struct stream *)generator);
}

static void piece_arrived(struct loop_task *task)
{
    struct stream *stream = H2O_STRUCT_FROM_MEMBER(struct stream, arrival, task);
    h2o_iovec_t piece = h2o_iovec_init(stream->buffer, stream->n > 0 ? (size_t)stream->n : 0);
    bool is_stopped = stream->loop->server->is_stopped; /* then the request may be there for ever, and must not be touched */

    stream->is_pulling = false;
    if (!stream->req || is_stopped) {
        if (stream->req)
            *stream->owner = NULL;
        end_stream(stream);
        return;
    }
    stream->n_left -= piece.len;
    h2o_send(stream->req, &piece, piece.len ? 1 : 0,
             !piece.len           ? H2O_SEND_STATE_ERROR
             : stream->n_left > 0 ? H2O_SEND_STATE_IN_PROGRESS
                                  : H2O_SEND_STATE_FINAL);
}

static void pulled(struct http_pull *super, int n)
{
    struct stream *stream = H2O_STRUCT_FROM_MEMBER(struct stream, pull, super);

    stream->n = n;
    loop_post(stream->loop, &stream->arrival);
}

/* Takes the source. Errors: -ENOMEM. */
static int start_stream(h2o_req_t *req, struct http_source *source)
{
    struct stream *stream = malloc(sizeof(*stream));

    if (!stream) {
        source->close(source);
        return -ENOMEM;
    }
    memset(stream, 0, offsetof(struct stream, buffer));
    stream->generator.proceed = proceed_stream;
    stream->pull.done = pulled;
    stream->arrival.run = piece_arrived;
    stream->loop = H2O_STRUCT_FROM_MEMBER(struct loop, context, req->conn->ctx);
    stream->source = source;
    stream->req = req;
    stream->n_left = source->n_bytes;
    stream->owner = h2o_mem_alloc_shared(&req->pool, sizeof(*stream->owner), on_stream_gone);
    *stream->owner = stream;
    h2o_start_response(req, &stream->generator);
    pull(stream);
    return 0;
}

/* Told from what h2o makes itself. */
static bool is_ours(const h2o_req_t *req)
{
    return req->_generator && (req->_generator == &whole_body || req->_generator->proceed == proceed_stream);
}

/* Of one request, while it is there. */
struct exchange { /* in the request's memory */
    struct http_request request;
    h2o_req_t *req;
    struct connection *connection;
    uint64_t began_us;
    bool is_promised;
    char id[HTTP_REQUEST_ID_MAX], peer[HTTP_PEER_MAX], error[HTTP_ERROR_MAX];
};

/* The route's name, and not the path: ids, and whatever a peer invents, are nobody's business. */
static void note_answer(const struct exchange *exchange, int status)
{
    const struct server_options *options = &exchange->connection->loop->server->options;
    const struct http_request *request = &exchange->request;
    uint64_t took_us = clock_mono_us() - exchange->began_us;
    char route[ROUTE_NAME_MAX] = "no route";

    router_note(options->router, request->meter, status, took_us);
    if (request->meter)
        (void)snprintf(route, sizeof(route), "%s %s", request->meter->method, request->meter->path);
    (void)log_about(options->log_requests, 0,
                    &(struct log_about){ LOG_REQUEST, .request_id = exchange->id, .route = route, .peer = request->peer,
                                         .status = (unsigned)status, .duration_us = took_us },
                    "%s: %d after %.1f ms, request %s of %s", route, status, (double)took_us / 1000, exchange->id,
                    request->peer[0] ? request->peer : "the admin socket");
}

static void send_response(struct exchange *exchange, const struct http_response *response)
{
    h2o_req_t *req = exchange->req;
    bool has_body = !h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));
    struct http_source *source = response->source;
    h2o_iovec_t body =
        h2o_strdup(&req->pool, response->body ? response->body : "", response->n_body);

    req->res.status = response->status ? response->status : 200;
    req->res.reason = http_reason(req->res.status);
    req->res.content_length = source ? source->n_bytes : response->n_body; /* without it h2o would close, or chunk */
    if (req->conn->ctx->shutdown_requested) /* perhaps since it was read */
        req->http1_is_persistent = 0;
    add_headers(req, response, exchange->id);
    add_cors(req, &exchange->request.cors);
    note_answer(exchange, req->res.status);
    if (source && has_body && source->n_bytes > 0) {
        if (start_stream(req, source) == 0)
            return;
        source = NULL;
        req->http1_is_persistent = 0; /* what was promised does not come */
        has_body = false;
    }
    if (source)
        source->close(source);
    h2o_start_response(req, &whole_body);
    h2o_send(req, &body, has_body && body.len ? 1 : 0, H2O_SEND_STATE_FINAL);
}

/* --- tickets: answers that come later, from any thread */

struct ticket {
    struct http_ticket super; /* first */
    h2o_linklist_t link;      /* of its loop's tickets */
    struct loop_task delivery;
    struct loop *loop;
    struct exchange *exchange; /* NULL: the client has gone */
    struct ticket **owner;     /* in the request's memory, whose end tells us */
    struct http_response response;
    char *text; /* what response points into */
};

static void on_client_gone(void *arg)
{
    struct ticket **owner = arg;

    if (*owner)
        (*owner)->exchange = NULL;
}

static void settle(struct ticket *ticket, const struct http_response *response)
{
    struct exchange *exchange = steal(&ticket->exchange);

    if (!exchange || ticket->loop->server->is_stopped) {
        if (response->source)
            response->source->close(response->source);
        return;
    }
    *ticket->owner = NULL;
    send_response(exchange, response);
}

/* The server ends, and somebody has not kept his promise. */
static void break_promises(struct loop *loop)
{
    char buffer[HTTP_ERROR_MAX];

    for (h2o_linklist_t *node = loop->tickets.next; node != &loop->tickets; node = node->next) {
        struct ticket *ticket = H2O_STRUCT_FROM_MEMBER(struct ticket, link, node);
        struct http_response response = { 0 };
        http_error(&response, 503, "shutting_down", "The server is stopping.", ticket->exchange ? ticket->exchange->id : "",
                   buffer);
        settle(ticket, &response);
    }
}

static void deliver(struct loop_task *task)
{
    struct ticket *ticket = H2O_STRUCT_FROM_MEMBER(struct ticket, delivery, task);

    settle(ticket, &ticket->response);
    h2o_linklist_unlink(&ticket->link);
    free(ticket->text);
    free(ticket);
}

static void answer(struct http_ticket *super, const struct http_response *response)
{
    struct ticket *ticket = (struct ticket *)super;

    if (http_response_copy(response, &ticket->response, &ticket->text) < 0) {
        if (response->source)
            response->source->close(response->source);
        ticket->response = (struct http_response){ .status = 503 };
    }
    loop_post(ticket->loop, &ticket->delivery);
}

/* --- requests */

static struct http_ticket *later(struct http_request *request)
{
    struct exchange *exchange = H2O_STRUCT_FROM_MEMBER(struct exchange, request, request);
    struct ticket *ticket = calloc(1, sizeof(*ticket));

    if (!ticket)
        return NULL;
    ticket->super.answer = answer;
    ticket->delivery.run = deliver;
    ticket->loop = exchange->connection->loop;
    ticket->exchange = exchange;
    ticket->owner =
        h2o_mem_alloc_shared(&exchange->req->pool, sizeof(*ticket->owner), on_client_gone);
    *ticket->owner = ticket;
    h2o_linklist_insert(&ticket->loop->tickets, &ticket->link);
    exchange->is_promised = true;
    return &ticket->super;
}

static void make_request_id(struct loop *loop, char ret_id[HTTP_REQUEST_ID_MAX])
{
    http_request_id(loop->id_seed, ++loop->id_counter, ret_id);
}

static void name_peer(struct exchange *exchange)
{
    struct sockaddr_storage storage = { 0 };
    struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;
    struct http_request *request = &exchange->request;

    request->peer = exchange->peer;
    if (h2o_socket_getpeername(exchange->connection->socket, (struct sockaddr *)&storage) == 0)
        return;
    if (storage.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        struct in_addr mapped;
        memcpy(&mapped, v6->sin6_addr.s6_addr + 12, sizeof(mapped));
        storage.ss_family = AF_INET;
        v4->sin_addr = mapped;
    }
    if (storage.ss_family == AF_INET) {
        (void)inet_ntop(AF_INET, &v4->sin_addr, exchange->peer, sizeof(exchange->peer));
        request->peer_is_loopback = ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    } else if (storage.ss_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, exchange->peer, sizeof(exchange->peer));
        request->peer_is_loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    }
}

/* h2o keeps Host and Upgrade apart from the other headers. */
static void list_fields(struct exchange *exchange)
{
    h2o_req_t *req = exchange->req;
    struct http_field *fields =
        h2o_mem_alloc_pool(&req->pool, sizeof(*fields) * (req->headers.size + 2));
    size_t n = 0;

    for (size_t i = 0; i < req->headers.size; i++) {
        const h2o_header_t *header = &req->headers.entries[i];
        if (header->name && header->name->base) /* a folded line has none */
            fields[n++] = (struct http_field){ header->name->base, header->name->len,
                                               header->value.base, header->value.len };
    }
    if (req->input.authority.base)
        fields[n++] =
            (struct http_field){ "host", 4, req->input.authority.base, req->input.authority.len };
    if (req->upgrade.base)
        fields[n++] = (struct http_field){ "upgrade", 7, req->upgrade.base, req->upgrade.len };
    exchange->request.fields = fields;
    exchange->request.n_fields = n;
}

static const char *text_of(h2o_req_t *req, h2o_iovec_t bytes)
{
    return h2o_strdup(&req->pool, bytes.base, bytes.len).base;
}

static struct exchange *make_exchange(h2o_req_t *req, struct connection *connection)
{
    struct exchange *exchange = h2o_mem_alloc_pool(&req->pool, sizeof(*exchange));
    struct http_request *request = &exchange->request;

    memset(exchange, 0, sizeof(*exchange));
    exchange->req = req;
    exchange->connection = connection;
    exchange->began_us = clock_mono_us();
    request->method = text_of(req, req->input.method);
    request->path = text_of(req, req->path_normalized);
    request->target = text_of(req, req->input.path);
    request->query = strchr(request->target, '?') ? strchr(request->target, '?') + 1 : "";
    request->param = "";
    request->body = req->entity.base;
    request->n_body = req->entity.base ? req->entity.len : 0;
    request->request_id = exchange->id;
    request->listener = connection->kind;
    request->loop = connection->loop;
    request->later = later;
    name_peer(exchange);
    list_fields(exchange);
    if (!http_brought_id(request, exchange->id))
        make_request_id(connection->loop, exchange->id);
    return exchange;
}

static void send_error(struct exchange *exchange, int status, const char *code, const char *message)
{
    struct http_response response = { 0 };

    http_error(&response, status, code, message, exchange->id, exchange->error);
    if (status == 426)
        response.extra[response.n_extra++] =
            (struct http_field){ "sec-websocket-version", 21, "13", 2 };
    send_response(exchange, &response);
}

static void upgrade(struct exchange *exchange, const struct http_response *response)
{
    int status;

    add_common_headers(exchange->req, exchange->id, true);
    exchange->connection->phase = UPGRADED;
    status = websocket_upgrade(exchange->req, exchange->connection->loop, response->upgrade_ops,
                               response->upgrade_user);
    if (!status) {
        note_answer(exchange, 101);
        return;
    }
    exchange->connection->phase = SERVING;
    memset(&exchange->req->res.headers, 0, sizeof(exchange->req->res.headers));
    send_error(exchange, status, "websocket_only",
               "This path takes a WebSocket handshake, version 13.");
}

static bool has_nul(const struct http_request *request)
{
    const char *nul = strstr(request->target, "%00");

    return nul && (request->query[0] == '\0' || nul < request->query);
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    struct connection *connection = connection_of(req);
    const struct router *router = connection->loop->server->options.router;
    struct exchange *exchange = make_exchange(req, connection);
    const h2o_buffer_t *input = connection->socket->input;
    struct http_response response = { 0 };
    const char *why;

    count(&connection->loop->n_requests);
    connection->since_ms = clock_mono_ms();
    connection->unfinished_ms = 0;
    int status = http_check_head(input->bytes, input->size, &why);
    if (!status && has_nul(&exchange->request)) {
        status = 400; /* the path would end there */
        why = "There is a NUL in the path.";
    }
    if (status) {
        req->http1_is_persistent = 0; /* nobody knows where the next one begins */
        send_error(exchange, status, status == 431 ? "header_too_large" : "bad_request", why);
        return 0;
    }

    int r = router_dispatch(router, &exchange->request, &response, exchange->error);
    assert(exchange->is_promised == (r == HTTP_LATER));
    if (r == HTTP_DONE)
        send_response(exchange, &response);
    else if (r == HTTP_UPGRADE)
        upgrade(exchange, &response);
    return 0;
}

/* --- the end of a connection */

struct held_back {
    h2o_ostream_t super; /* first */
    h2o_req_t *req;
    struct connection *connection;
    bool is_sent;
    struct http_response response;
    char id[HTTP_REQUEST_ID_MAX], error[HTTP_ERROR_MAX];
};

/* Let go of a connection that waits for its peer. One with a request in work ends behind it. */
static void finish(struct connection *connection)
{
    h2o_socket_t *socket = connection->socket;

    if (connection->phase == HANDSHAKING) {
        connection->phase = LEAVING;
        h2o_socket_close(socket);
    } else if (connection->phase == TAKEN_OVER) {
        connection->phase = LEAVING;
        if (connection->held)
            h2o_ostream_send_next(&connection->held->super, connection->held->req, NULL, 0,
                                  H2O_SEND_STATE_FINAL);
        else
            connection->h2o_read(socket, h2o_socket_error_closed);
    } else if (connection->phase == SERVING && h2o_socket_is_reading(socket)) {
        connection->phase = LEAVING;
        socket->_cb.read(socket, h2o_socket_error_closed);
    }
}

static void drop_input(h2o_socket_t *socket, const char *err)
{
    if (err)
        finish(socket->on_close.data);
    else if (socket->input->size)
        h2o_buffer_consume(&socket->input, socket->input->size);
}

static void take_over(struct connection *connection)
{
    connection->phase = TAKEN_OVER;
    connection->since_ms = clock_mono_ms();
    connection->h2o_read = connection->socket->_cb.read;
    h2o_socket_read_start(connection->socket, drop_input);
}

static void end_output(struct connection *connection)
{
    if (!connection->socket->ssl)
        (void)shutdown(h2o_socket_get_fd(connection->socket), SHUT_WR);
}

/* --- errors that are not a handler's */

static const struct {
    int status;
    const char *code, *message;
} own_errors[] = {
    { 408, "request_timeout",  "The request took too long to arrive." },
    { 413, "too_large",        "The body is too large." },
    { 417, "expectation",      "Only 100-continue can be expected." },
    { 503, "busy",             "Too much is coming in; try again." },
    { 431, "header_too_large", "The header is too large." },
    { 400, "bad_request",      "The body cannot be read." }, /* and any other */
};

static void own_error(struct connection *connection, int status, struct http_response *response,
                      char id[HTTP_REQUEST_ID_MAX], char error[HTTP_ERROR_MAX])
{
    size_t i = 0;

    while (i < ELEMENTSOF(own_errors) - 1 && own_errors[i].status != status)
        i++;
    make_request_id(connection->loop, id);
    router_note(connection->loop->server->options.router, NULL, status, 0);
    http_error(response, status, own_errors[i].code, own_errors[i].message, id, error);
}

/* The first call brings h2o's text; the second comes when ours is written. */
static void hold_back(h2o_ostream_t *super, h2o_req_t *req, h2o_iovec_t *bufs, size_t n_bufs,
                      h2o_send_state_t state)
{
    struct held_back *held = (struct held_back *)super;
    h2o_iovec_t body = h2o_iovec_init(held->response.body, held->response.n_body);

    if (n_bufs && !held->is_sent) {
        held->is_sent = true;
        h2o_ostream_send_next(super, req, &body, 1, H2O_SEND_STATE_IN_PROGRESS);
    } else if (held->is_sent && held->connection->phase == SERVING) {
        end_output(held->connection);
        held->connection->held = held;
        take_over(held->connection);
    } else { /* HEAD has no text */
        h2o_ostream_send_next(super, req, NULL, 0, H2O_SEND_STATE_FINAL);
    }
}

static void on_setup_ostream(h2o_filter_t *filter, h2o_req_t *req, h2o_ostream_t **slot)
{
    struct held_back *held;

    if (!is_ours(req)) {
        held = (struct held_back *)h2o_add_ostream(req, sizeof(*held), slot);
        held->super.do_send = hold_back;
        held->req = req;
        held->connection = connection_of(req);
        held->is_sent = false;
        held->response = (struct http_response){ 0 };
        own_error(held->connection, req->res.status, &held->response, held->id, held->error);
        memset(&req->res.headers, 0, sizeof(req->res.headers));
        add_headers(req, &held->response, held->id);
        req->res.content_length = held->response.n_body;
        req->res.reason = http_reason(req->res.status);
        slot = &held->super.next;
    }
    h2o_setup_next_ostream(req, slot);
}

static void on_farewell(h2o_socket_t *socket, const char *err)
{
    struct connection *connection = socket->on_close.data;

    if (err)
        finish(connection);
    else
        end_output(connection);
}

/* For a request that is not there yet. */
static void say_farewell(struct connection *connection, int status)
{
    struct http_response response = { 0 };
    char id[HTTP_REQUEST_ID_MAX], error[HTTP_ERROR_MAX];
    h2o_iovec_t text;
    int n;

    own_error(connection, status, &response, id, error);
    n = asprintf(
        &connection->farewell,
        "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
        "X-Request-Id: %s\r\nX-Content-Type-Options: nosniff\r\n"
        "Cache-Control: no-store\r\n\r\n%.*s",
        status, http_reason(status), response.content_type, response.n_body, id,
        (int)response.n_body, response.body);
    if (n < 0) {
        connection->farewell = NULL;
        finish(connection);
        return;
    }
    take_over(connection);
    text = h2o_iovec_init(connection->farewell, (size_t)n);
    h2o_socket_write(connection->socket, &text, 1, on_farewell);
}

/* --- connections */

static void on_socket_closed(void *arg)
{
    struct connection *connection = arg;
    struct server *server = connection->loop->server;

    h2o_linklist_unlink(&connection->link);
    atomic_fetch_sub_explicit(&connection->loop->n_connections, 1, memory_order_relaxed);
    SSL_CTX_free(connection->context);
    free(connection->farewell);
    free(connection);
    server_make_room(server);
}

static void serve(struct connection *connection)
{
    struct loop *loop = connection->loop;
    h2o_accept_ctx_t accept_ctx = { .ctx = &loop->context,
                                    .hosts = connection->loop->server->conf.hosts };

    connection->phase = SERVING;
    connection->since_ms = clock_mono_ms();
    h2o_http1_accept(&accept_ctx, connection->socket,
                     *h2o_get_timestamp(&loop->context, NULL, NULL));
}

static void on_handshake(h2o_socket_t *socket, const char *err)
{
    struct connection *connection = socket->on_close.data;

    if (!err) {
        serve(connection);
        return;
    }
    connection->phase = LEAVING;
    h2o_socket_close(socket);
}

static void arrive(struct loop_task *task)
{
    struct connection *connection = H2O_STRUCT_FROM_MEMBER(struct connection, arrival, task);
    struct loop *loop = connection->loop;

    if (loop->server->is_stopped || loop->is_closing) { /* it was on its way when that ended */
        atomic_fetch_sub_explicit(&loop->n_connections, 1, memory_order_relaxed);
        server_make_room(loop->server);
        close(connection->fd);
        free(connection);
        return;
    }
    connection->socket = h2o_evloop_socket_create(loop->evloop, connection->fd,
                                                  H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
    connection->socket->on_close.cb = on_socket_closed;
    connection->socket->on_close.data = connection;
    connection->since_ms = clock_mono_ms();
    h2o_linklist_insert(&loop->connections, &connection->link);
    if (connection->kind != LISTENER_HTTPS) {
        serve(connection);
        return;
    }
    connection->phase = HANDSHAKING;
    connection->context = tls_context(loop->server->tls);
    h2o_socket_ssl_handshake(connection->socket, connection->context, NULL, on_handshake);
}

/* The most that the request that is coming may have; of one whose first line is not there yet, a small form. */
static size_t request_max(const struct connection *connection)
{
    const struct router *router = connection->loop->server->options.router;
    const h2o_buffer_t *input = connection->socket->input;
    char path[512];
    const char *blank = memchr(input->bytes, ' ', input->size < sizeof(path) ? input->size : sizeof(path));
    size_t at = blank ? (size_t)(blank - input->bytes) + 1 : 0, n = 0;

    while (blank && at + n < input->size && n < sizeof(path) - 1 && !strchr(" ?\r\n", input->bytes[at + n]))
        n++;
    memcpy(path, input->bytes + at, n);
    path[n] = '\0';
    size_t max = router_path_body_max(router, path);
    return HTTP_HEAD_MAX + (max > BODY_LEAST ? max : BODY_LEAST);
}

/* Somebody who sends much has more time, as long as it comes at a good pace. */
static uint64_t time_for(const struct server_options *options, size_t n)
{
    return options->request_timeout_ms + n / PACE_BYTES_A_MS;
}

/* Whether all that is coming on this loop is too much to be held, and this is one of the large ones. */
static bool is_over_budget(const struct connection *connection, size_t n)
{
    return n > LARGE_INPUT && connection->loop->n_input > INPUT_MAX;
}

/* h2o waits for (the rest of) a request. */
static void check_reading(struct connection *connection, uint64_t now)
{
    const struct server_options *options = &connection->loop->server->options;
    size_t n = connection->socket->input->size;

    if (n == 0) {
        connection->unfinished_ms = 0;
        if (now - connection->since_ms >= options->request_timeout_ms)
            finish(connection);
    } else if (n > LARGE_INPUT && n > request_max(connection)) {
        say_farewell(connection, memmem(connection->socket->input->bytes, n, "\r\n\r\n", 4) ? 413 : 431);
    } else if (is_over_budget(connection, n)) {
        connection->loop->n_input -= n;
        say_farewell(connection, 503);
    } else if (connection->unfinished_ms == 0) {
        connection->unfinished_ms = now;
    } else if (now - connection->unfinished_ms >= time_for(options, n)) {
        say_farewell(connection, 408);
    }
}

static void check(struct connection *connection, uint64_t now)
{
    switch (connection->phase) {
    case HANDSHAKING:
        if (now - connection->since_ms >= connection->loop->server->options.handshake_timeout_ms)
            finish(connection);
        break;
    case SERVING:
        if (h2o_socket_is_reading(connection->socket))
            check_reading(connection, now);
        else
            connection->since_ms = now;
        break;
    case TAKEN_OVER:
        if (now - connection->since_ms >= GRACE_MS)
            finish(connection);
        break;
    case UPGRADED:
    case LEAVING:
        break;
    }
}

static void for_each_connection(struct loop *loop,
                                void (*fn)(struct connection *connection, uint64_t arg),
                                uint64_t arg)
{
    h2o_linklist_t *next;

    for (h2o_linklist_t *node = loop->connections.next; node != &loop->connections; node = next) {
        next = node->next; /* fn may end its own connection, no other */
        fn(H2O_STRUCT_FROM_MEMBER(struct connection, link, node), arg);
    }
}

static void add_input(struct connection *connection, uint64_t arg)
{
    if (connection->phase == SERVING)
        connection->loop->n_input += connection->socket->input->size;
}

void connection_second(struct loop *loop, uint64_t mono_ms)
{
    loop->n_input = 0;
    for_each_connection(loop, add_input, 0);
    for_each_connection(loop, check, mono_ms);
    if (loop->is_closing && mono_ms + PROMISE_MS >= loop->close_by_ms)
        break_promises(loop);
}

static void end_idle(struct connection *connection, uint64_t arg)
{
    if (connection->phase == SERVING && connection->socket->input->size == 0)
        finish(connection);
}

void connection_end_idle(struct loop *loop)
{
    for_each_connection(loop, end_idle, 0);
}

static void end_waiting(struct connection *connection, uint64_t arg)
{
    finish(connection);
}

void connection_end_waiting(struct loop *loop)
{
    for_each_connection(loop, end_waiting, 0);
}

int connection_new(struct loop *loop, enum http_listener kind, int fd,
                   struct loop_task **ret_arrival)
{
    struct connection *connection = calloc(1, sizeof(*connection));

    if (!connection) {
        close(fd);
        return -ENOMEM;
    }
    connection->loop = loop;
    connection->kind = kind;
    connection->fd = fd;
    connection->arrival.run = arrive;
    atomic_fetch_add(&loop->server->n_connections, 1);
    atomic_fetch_add_explicit(&loop->n_connections, 1, memory_order_relaxed);
    *ret_arrival = &connection->arrival;
    return 0;
}

void connection_configure(struct server *server)
{
    h2o_hostconf_t *host =
        h2o_config_register_host(&server->conf, h2o_iovec_init(H2O_STRLIT("default")), 65535);

    /* everything is the fallback's: paths are the router's business */
    h2o_create_handler(&host->fallback_path, sizeof(h2o_handler_t))->on_req = on_request;
    h2o_create_filter(&host->fallback_path, sizeof(h2o_filter_t))->on_setup_ostream =
        on_setup_ostream;
}
