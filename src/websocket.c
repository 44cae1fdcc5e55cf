/*
 * websocket.c - one WebSocket on a loop
 *
 *   OPENING     the 101 is on its way
 *   OPEN        messages both ways
 *   CLOSING     our Close is sent, the peer's is awaited
 *   FINISHING   both are sent: over as soon as our output is with the kernel
 *   DISCARDING  the peer broke the rules: our Close is sent, what it sends is
 *               read and dropped, so that closing does not reset the connection
 *               before the peer has read why
 *   DEAD        the reaper is posted; nothing touches the socket any more
 *
 * The last three are bounded by close_by_ms. Death is always by the reaper, a
 * task of the loop: callbacks may therefore do anything to their socket, since
 * neither it nor the text they were given goes away under their feet, and
 * on_close never comes inside another callback.
 *
 * Input: on plain TCP we read ourselves, at most twice a turn, into the loop's
 * scratch memory, and parse there at the end of the turn; only what remains of an
 * incomplete frame is kept, in `part`, which grows with what has come, not with
 * what a header claims. Under TLS h2o reads and the frames are parsed in its buffer.
 * Output: frames are appended to `out`, which leaves in one write when the callback
 * is over, or the turn. Buffers are given back after two seconds without use.
 *
 * Both are system calls without glibc's wrapper, which makes each a point where the
 * thread may be cancelled: locked instructions twice a frame, for what nobody does here.
 */
#include "websocket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server_internal.h"
#include "utils/clock.h"
#include "utils/utf8.h"
#include "utils/wsframe.h"

enum {
    CACHE_LINE = 64,
    BUFFER_MIN = 512,
    OUT_KEEP = 8 * KIB,      /* a larger one, from a burst, is given back at once */
    SEND_BUFFER = 64 * KIB,  /* the kernel would take megabytes before it shows who does not read */
    CONTROL_PER_SECOND = 20, /* pings and pongs */
    CLOSE_MS = 3000,         /* for the peer's Close, and to take our output */
    DISCARD_MS = 1000,
    STOP_MS = 1000, /* the same as CLOSE_MS when the loop is to end: it does not wait longer itself */
    QUIET_SECONDS = 2,
};

enum state { OPENING, OPEN, CLOSING, FINISHING, DISCARDING, DEAD };

struct buffer {
    char *bytes;
    size_t n, max;
    unsigned quiet; /* seconds without use */
};

struct websocket {
    /* what a message touches; a cache line, and one for the buffers */
    _Alignas(CACHE_LINE) struct loop *loop;
    h2o_socket_t *socket; /* NULL before and after */
    const struct websocket_ops *ops;
    void *user;
    struct websocket **arrival, **departure; /* its places among the loop's; NULL: none */
    char *input;                             /* of this turn, n_input bytes */
    uint32_t n_input;
    enum state state : 8;
    bool direct : 1;  /* plain TCP */
    bool blocked : 1; /* the kernel has to take something first */
    bool in_callback : 1;
    bool is_counted : 1; /* from the answer to the handshake on, so that a drain waits for it */
    struct buffer part, out;

    struct buffer message;
    h2o_linklist_t link; /* of the loop's list */
    struct loop_task reaper;
    enum ws_opcode message_opcode; /* of the fragmented message, WS_CONTINUATION: there is none */
    unsigned n_control;
    int code;
    const char *why;
    uint64_t progress_ms, close_by_ms;
    size_t n_in_flight; /* output that is with h2o, under TLS */
};

/* --- buffers */

static bool reserve(struct buffer *buffer, size_t n)
{
    size_t max = buffer->max ? buffer->max : BUFFER_MIN;

    buffer->quiet = 0;
    while (max - buffer->n < n)
        max *= 2;
    if (max == buffer->max)
        return true;
    char *bytes = realloc(buffer->bytes, max);
    if (!bytes)
        return false;
    buffer->bytes = bytes;
    buffer->max = max;
    return true;
}

static bool append(struct buffer *buffer, const char *bytes, size_t n)
{
    if (!reserve(buffer, n))
        return false;
    if (n)
        memcpy(buffer->bytes + buffer->n, bytes, n);
    buffer->n += n;
    return true;
}

static void drop_front(struct buffer *buffer, size_t n)
{
    buffer->n -= n;
    if (buffer->n && n)
        memmove(buffer->bytes, buffer->bytes + n, buffer->n);
}

static void release(struct buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct buffer){ 0 };
}

static void give_back(struct buffer *buffer, size_t keep)
{
    if (buffer->n == 0 && (buffer->max > keep || ++buffer->quiet > QUIET_SECONDS))
        release(buffer);
}

/* --- death */

static void leave_lists(struct websocket *ws)
{
    if (ws->arrival)
        *ws->arrival = NULL;
    if (ws->departure)
        *ws->departure = NULL;
    if (h2o_linklist_is_linked(&ws->link))
        h2o_linklist_unlink(&ws->link);
}

static void reap(struct loop_task *task)
{
    struct websocket *ws = H2O_STRUCT_FROM_MEMBER(struct websocket, reaper, task);

    leave_lists(ws);
    if (ws->is_counted)
        atomic_fetch_sub_explicit(&ws->loop->n_websockets, 1, memory_order_relaxed);
    if (ws->socket) {
        ws->socket->data = NULL;
        h2o_socket_close(ws->socket);
    }
    ws->ops->on_close(ws, ws->user, ws->code, ws->why);
    release(&ws->out);
    release(&ws->part);
    release(&ws->message);
    free(ws);
}

static void die(struct websocket *ws, int code, const char *why)
{
    if (ws->state == DEAD)
        return;
    ws->state = DEAD;
    ws->code = code;
    ws->why = why;
    if (ws->socket)
        h2o_socket_read_stop(ws->socket);
    loop_post(ws->loop, &ws->reaper);
}

/* The connection is gone; once the end has been agreed on that changes nothing. */
static void lose(struct websocket *ws, const char *why)
{
    bool is_over = ws->state == FINISHING || ws->state == DISCARDING;

    die(ws, is_over ? ws->code : 1006, is_over ? ws->why : why);
}

/* --- output */

static void flush(struct websocket *ws);

static void on_writable(h2o_socket_t *socket, const char *err)
{
    struct websocket *ws = socket->data;

    if (!ws || ws->state == DEAD)
        return;
    ws->blocked = false;
    ws->n_in_flight = 0;
    ws->progress_ms = clock_mono_ms();
    if (err)
        lose(ws, "the connection broke");
    else
        flush(ws);
}

static void send_plain(struct websocket *ws)
{
    ssize_t n = syscall(SYS_sendto, h2o_socket_get_fd(ws->socket), ws->out.bytes, ws->out.n, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);

    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        lose(ws, "the connection broke");
        return;
    }
    drop_front(&ws->out, n > 0 ? (size_t)n : 0);
    if (ws->out.n == 0)
        return;
    ws->blocked = true;
    ws->progress_ms = clock_mono_ms();
    h2o_socket_notify_write(ws->socket, on_writable);
}

static void send_tls(struct websocket *ws)
{
    h2o_iovec_t all = h2o_iovec_init(ws->out.bytes, ws->out.n);

    ws->blocked = true;
    ws->progress_ms = clock_mono_ms();
    ws->n_in_flight = ws->out.n;
    ws->out.n = 0; /* h2o has encrypted, that is copied, all of it when it returns */
    h2o_socket_write(ws->socket, &all, 1, on_writable);
}

static void flush(struct websocket *ws)
{
    if (ws->state == DEAD || !ws->socket || ws->blocked)
        return;
    if (ws->out.n)
        (ws->direct ? send_plain : send_tls)(ws);
    if (ws->state == FINISHING && ws->out.n == 0 && !ws->blocked)
        die(ws, ws->code, ws->why);
    if (ws->state == DISCARDING && ws->out.n == 0 && !ws->blocked && ws->direct)
        (void)shutdown(h2o_socket_get_fd(ws->socket), SHUT_WR);
}

static char *begin_frame(struct websocket *ws, enum ws_opcode opcode, size_t n)
{
    uint8_t header[WS_HEADER_MAX];
    size_t n_header = ws_header_write(header, opcode, n, NULL);

    if (!reserve(&ws->out, n_header + n)) {
        die(ws, 1011, "out of memory");
        return NULL;
    }
    memcpy(ws->out.bytes + ws->out.n, header, n_header);
    ws->out.n += n_header + n;
    return ws->out.bytes + ws->out.n - n;
}

size_t websocket_n_waiting(const struct websocket *ws)
{
    return ws->out.n + ws->n_in_flight;
}

char *websocket_begin_text(struct websocket *ws, size_t n)
{
    if (ws->state != OPEN)
        return NULL;
    if (websocket_n_waiting(ws) + n > ws->ops->output_max) {
        die(ws, WEBSOCKET_UNREAD, "the peer does not read");
        return NULL;
    }
    count(&ws->loop->n_messages_out);
    return begin_frame(ws, WS_TEXT, n);
}

int websocket_send_text(struct websocket *ws, const char *text, size_t n)
{
    char *out = websocket_begin_text(ws, n);

    if (!out)
        return -EPIPE;
    if (n)
        memcpy(out, text, n);
    if (!ws->in_callback)
        flush(ws);
    return 0;
}

static void flush_all(struct loop *loop)
{
    for (size_t i = 0; i < loop->n_departures; i++) {
        struct websocket *ws = loop->departures[i];

        if (!ws)
            continue;
        ws->departure = NULL;
        flush(ws);
    }
    loop->n_departures = 0;
}

void websocket_flush(struct websocket *ws)
{
    struct loop *loop = ws->loop;

    if (ws->departure)
        return;
    if (loop->n_departures == LOOP_GATHERED)
        flush_all(loop);
    ws->departure = &loop->departures[loop->n_departures++];
    *ws->departure = ws;
}

static void send_close(struct websocket *ws, int code)
{
    char *out = begin_frame(ws, WS_CLOSE, code ? 2 : 0);

    if (out && code) {
        out[0] = (char)(code >> 8);
        out[1] = (char)(code & 255);
    }
}

static void begin_end(struct websocket *ws, enum state state, int code, const char *why,
                      unsigned within_ms)
{
    ws->code = code;
    ws->why = why;
    ws->close_by_ms = clock_mono_ms() + within_ms;
    ws->state = state;
}

void websocket_close(struct websocket *ws, int code, const char *why)
{
    if (ws->state != OPEN)
        return;
    begin_end(ws, CLOSING, code, why, CLOSE_MS);
    send_close(ws, code);
    if (!ws->in_callback)
        flush(ws);
}

/* The peer broke the rules. */
static void refuse(struct websocket *ws, int code, const char *why)
{
    bool is_sent = ws->state == CLOSING;

    begin_end(ws, DISCARDING, code, why, DISCARD_MS);
    if (!is_sent)
        send_close(ws, code);
}

/* --- input */

static void take_message(struct websocket *ws, enum ws_opcode opcode, char *bytes, size_t n, bool is_ascii)
{
    count(&ws->loop->n_messages_in);
    if (opcode == WS_TEXT && !is_ascii && !utf8_valid(bytes, n))
        refuse(ws, 1007, "not UTF-8");
    else if (ws->state != OPEN)
        return; /* we are closing: nobody listens any more */
    else if (opcode == WS_TEXT)
        ws->ops->on_text(ws, ws->user, bytes, n);
    else
        ws->ops->on_binary(ws, ws->user);
}

static void take_fragment(struct websocket *ws, const struct ws_header *header, char *bytes)
{
    enum ws_opcode opcode = ws->message_opcode;

    if (header->opcode != WS_CONTINUATION)
        opcode = ws->message_opcode = header->opcode;
    if (!append(&ws->message, bytes, header->n_payload)) {
        die(ws, 1011, "out of memory");
        return;
    }
    if (!header->fin)
        return;
    size_t n = ws->message.n;
    ws->message_opcode = WS_CONTINUATION;
    ws->message.n = 0;
    take_message(ws, opcode, ws->message.bytes, n, false);
}

static void take_close(struct websocket *ws, const char *bytes, size_t n)
{
    int code = n >= 2 ? (uint8_t)bytes[0] << 8 | (uint8_t)bytes[1] : 0;

    if (n == 1 || (n >= 2 && !ws_close_code_valid((unsigned)code))) {
        refuse(ws, 1002, "a malformed Close");
    } else if (n > 2 && !utf8_valid(bytes + 2, n - 2)) {
        refuse(ws, 1007, "not UTF-8");
    } else if (ws->state == CLOSING) { /* the answer to ours */
        begin_end(ws, FINISHING, ws->code, ws->why, CLOSE_MS);
    } else {
        begin_end(ws, FINISHING, code ? code : 1005, "the peer closed", CLOSE_MS);
        send_close(ws, code);
    }
}

static void take_control(struct websocket *ws, const struct ws_header *header, const char *bytes)
{
    char *out;

    if (header->opcode == WS_CLOSE)
        take_close(ws, bytes, header->n_payload);
    else if (++ws->n_control > CONTROL_PER_SECOND)
        refuse(ws, 1008, "too many control frames");
    else if (header->opcode == WS_PING && ws->state == OPEN) {
        out = begin_frame(ws, WS_PONG, header->n_payload);
        if (out && header->n_payload)
            memcpy(out, bytes, header->n_payload);
    }
}

/* What is wrong with a frame by its header alone: 0, or the code to close with. */
static int judge(const struct websocket *ws, const struct ws_header *header, const char **ret_why)
{
    bool is_control = header->opcode & 8, goes_on = header->opcode == WS_CONTINUATION;

    if (!header->masked) {
        *ret_why = "a frame without mask";
        return 1002;
    }
    if (is_control)
        return 0;
    if (goes_on != (ws->message_opcode != WS_CONTINUATION)) {
        *ret_why = goes_on ? "a continuation of nothing" : "a message inside another";
        return 1002;
    }
    if (header->opcode == WS_BINARY && !ws->ops->on_binary) {
        *ret_why = "a binary message";
        return 1003;
    }
    if (header->n_payload > ws->ops->message_max - ws->message.n) { /* message.n is never over it */
        *ret_why = "a message too long";
        return 1009;
    }
    return 0;
}

static bool is_reading(const struct websocket *ws)
{
    return ws->state == OPEN || ws->state == CLOSING;
}

/* Take all whole frames. Returns: bytes used; all of them once nothing more is wanted. */
static size_t parse(struct websocket *ws, char *bytes, size_t n)
{
    struct ws_header header;
    size_t at = 0;

    while (is_reading(ws)) {
        const char *why = "a malformed frame";
        int r = ws_header_parse((uint8_t *)bytes + at, n - at, &header);
        if (r == 0)
            return at;

        int code = r < 0 ? 1002 : judge(ws, &header, &why);
        if (code) {
            refuse(ws, code, why);
            break;
        }
        if (n - at < header.n_header + header.n_payload)
            return at;

        char *payload = bytes + at + header.n_header;
        bool is_ascii = ws_mask((uint8_t *)payload, header.n_payload, header.mask, 0);
        at += header.n_header + header.n_payload;
        if (header.opcode & 8)
            take_control(ws, &header, payload);
        else if (header.fin && header.opcode != WS_CONTINUATION)
            take_message(ws, header.opcode, payload, header.n_payload, is_ascii);
        else
            take_fragment(ws, &header, payload);
    }
    return n;
}

/* Receive at most max bytes. Returns: how many, 0 when there is nothing (any more). */
static size_t receive(struct websocket *ws, char *bytes, size_t max)
{
    ssize_t n = syscall(SYS_recvfrom, h2o_socket_get_fd(ws->socket), bytes, max, MSG_DONTWAIT, NULL, NULL);

    if (n > 0)
        return (size_t)n;
    if (n == 0)
        lose(ws, "the connection ended without a Close");
    else if (errno != EAGAIN && errno != EINTR)
        lose(ws, "the connection broke");
    return 0;
}

/* How much more completes the frame that part begins with; at least one byte. */
static size_t n_wanted(const struct websocket *ws)
{
    struct ws_header header;
    size_t n_doubled = ws->part.n < BUFFER_MIN ? BUFFER_MIN : ws->part.n;

    if (ws_header_parse((const uint8_t *)ws->part.bytes, ws->part.n, &header) <= 0)
        return WS_HEADER_MAX - ws->part.n;
    size_t n = header.n_header + (size_t)header.n_payload - ws->part.n;
    return n < n_doubled ? n : n_doubled;
}

static void after_read(struct websocket *ws)
{
    if (ws->state == OPEN && ws->ops->on_batch)
        ws->ops->on_batch(ws, ws->user);
    ws->in_callback = false;
    flush(ws);
}

/* Returns: true when part is done with and there may be more to read. */
static bool read_part(struct websocket *ws)
{
    size_t wanted = n_wanted(ws);

    if (!reserve(&ws->part, wanted)) {
        die(ws, 1011, "out of memory");
        return false;
    }
    size_t n = receive(ws, ws->part.bytes + ws->part.n, wanted);
    ws->part.n += n;
    if (n) {
        ws->in_callback = true;
        drop_front(&ws->part, parse(ws, ws->part.bytes, ws->part.n));
        after_read(ws);
    }
    return n == wanted && ws->part.n == 0;
}

static void parse_input(struct websocket *ws)
{
    size_t n = ws->n_input;

    ws->arrival = NULL;
    if (ws->state == DEAD)
        return;
    ws->in_callback = true;
    size_t n_used = parse(ws, ws->input, n);
    if (n_used < n && !append(&ws->part, ws->input + n_used, n - n_used))
        die(ws, 1011, "out of memory");
    after_read(ws);
}

/* What the next ones will touch is fetched meanwhile: after 20 ms it is far from the processor. */
static void parse_all(struct loop *loop)
{
    for (size_t i = 0; i < loop->n_arrivals; i++) {
        struct websocket **next = &loop->arrivals[i], *soon = i + 1 < loop->n_arrivals ? next[1] : NULL;

        if (i + 2 < loop->n_arrivals && next[2])
            __builtin_prefetch(next[2]->user);
        if (soon && soon->ops->on_soon)
            soon->ops->on_soon(soon->user);
        if (*next)
            parse_input(*next);
    }
    loop->n_arrivals = loop->n_scratch = 0;
}

/* What is there is left for the end of the turn, but for the rest of a frame that came in parts. */
static void read_plain(struct websocket *ws)
{
    struct loop *loop = ws->loop;

    if (ws->part.n && !read_part(ws))
        return;
    if (ws->arrival || loop->n_arrivals == LOOP_GATHERED || LOOP_SCRATCH - loop->n_scratch < LOOP_READ)
        parse_all(loop);
    ws->input = loop->scratch + loop->n_scratch;
    ws->n_input = (uint32_t)receive(ws, ws->input, LOOP_READ);
    loop->n_scratch += ws->n_input;
    if (!ws->n_input)
        return;
    ws->arrival = &loop->arrivals[loop->n_arrivals++];
    *ws->arrival = ws;
}

static void read_tls(struct websocket *ws)
{
    h2o_buffer_t **input = &ws->socket->input;

    ws->in_callback = true;
    if ((*input)->size)
        h2o_buffer_consume(input, parse(ws, (*input)->bytes, (*input)->size));
    after_read(ws);
}

static void on_readable(h2o_socket_t *socket, const char *err)
{
    struct websocket *ws = socket->data;

    if (!ws || ws->state == DEAD)
        return;
    ws->loop->n_read++;
    if (err)
        lose(ws, err);
    else if (ws->direct)
        read_plain(ws);
    else
        read_tls(ws);
}

/* --- the beginning */

static void on_upgraded(void *user, h2o_socket_t *socket, size_t n_request)
{
    struct websocket *ws = user;

    if (!socket) {
        lose(ws, "the connection broke while it was upgraded");
        return;
    }
    ws->socket = socket;
    socket->data = ws;
    ws->direct = socket->ssl == NULL;
    ws->state = OPEN;
    h2o_linklist_insert(&ws->loop->websockets, &ws->link);
    h2o_buffer_consume(&socket->input, n_request);
    h2o_socket_dont_read(socket, ws->direct);
    h2o_socket_read_start(socket, on_readable);
    (void)setsockopt(h2o_socket_get_fd(socket), SOL_SOCKET, SO_SNDBUF, &(int){ SEND_BUFFER }, sizeof(int));

    ws->in_callback = true;
    ws->ops->on_open(ws, ws->user);
    read_tls(ws); /* frames that came with the request are in h2o's buffer, TLS or not */
    if (ws->direct) {
        if (socket->input->size && !append(&ws->part, socket->input->bytes, socket->input->size))
            die(ws, 1011, "out of memory");
        h2o_buffer_dispose(&socket->input); /* from here on we read ourselves */
        h2o_buffer_init(&socket->input, &h2o_socket_buffer_prototype);
    }
}

static const h2o_iovec_t *header_value(h2o_req_t *req, const char *name, size_t n)
{
    ssize_t at = h2o_find_header_by_str(&req->headers, name, n, -1);

    return at < 0 ? NULL : &req->headers.entries[at].value;
}

/* 0, or the status to refuse with. */
static int check_handshake(h2o_req_t *req)
{
    const h2o_iovec_t *key = header_value(req, H2O_STRLIT("sec-websocket-key"));
    const h2o_iovec_t *version = header_value(req, H2O_STRLIT("sec-websocket-version"));

    if (!req->upgrade.base ||
        !h2o_lcstris(req->upgrade.base, req->upgrade.len, H2O_STRLIT("websocket")))
        return 426;
    if (!version || !h2o_memis(version->base, version->len, H2O_STRLIT("13")))
        return 426;
    if (req->version != 0x101 || !h2o_memis(req->method.base, req->method.len, H2O_STRLIT("GET")) ||
        req->entity.base || !key || key->len != WS_KEY_LEN)
        return 400;
    return 0;
}

int websocket_upgrade(h2o_req_t *req, struct loop *loop, const struct websocket_ops *ops,
                      void *user)
{
    struct websocket *ws = aligned_alloc(CACHE_LINE, sizeof(*ws));
    int status = check_handshake(req);

    if (!ws)
        h2o_fatal("no memory"); /* as h2o does for itself */
    *ws = (struct websocket){ .loop = loop, .ops = ops, .user = user, .reaper.run = reap };
    if (status) {
        die(ws, 1006, "not a WebSocket handshake");
        return status;
    }

    ws->is_counted = true;
    atomic_fetch_add_explicit(&loop->n_websockets, 1, memory_order_relaxed);
    char *accept = h2o_mem_alloc_pool(&req->pool, WS_ACCEPT_LEN + 1);
    ws_accept(header_value(req, H2O_STRLIT("sec-websocket-key"))->base, accept);
    req->res.status = 101;
    req->res.reason = "Switching Protocols";
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_UPGRADE, NULL, H2O_STRLIT("websocket"));
    h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("sec-websocket-accept"), 0,
                          NULL, accept, WS_ACCEPT_LEN);
    h2o_http1_upgrade(req, NULL, 0, on_upgraded, ws);
    return 0;
}

/* --- the loop's calls */

void websocket_turn(struct loop *loop)
{
    parse_all(loop);
    flush_all(loop);
}

static void second(struct websocket *ws, uint64_t mono_ms)
{
    ws->n_control = 0;
    give_back(&ws->out, OUT_KEEP);
    give_back(&ws->part, OUT_KEEP);
    if (ws->message_opcode == WS_CONTINUATION)
        give_back(&ws->message, OUT_KEEP);

    if (ws->state > OPEN && mono_ms >= ws->close_by_ms)
        die(ws, ws->state == CLOSING ? 1006 : ws->code,
            ws->state == CLOSING ? "no answer to our Close" : ws->why);
    else if (ws->blocked && mono_ms - ws->progress_ms > ws->ops->stall_ms)
        die(ws, WEBSOCKET_UNREAD, "the peer does not read");
    if (ws->state == OPEN && ws->ops->on_second) {
        ws->in_callback = true;
        ws->ops->on_second(ws, ws->user, mono_ms);
        ws->in_callback = false;
        flush(ws);
    }
}

/* Nobody leaves the list meanwhile: that is for reapers, and they are tasks. */
void websocket_second(struct loop *loop, uint64_t mono_ms)
{
    for (h2o_linklist_t *node = loop->websockets.next; node != &loop->websockets;
         node = node->next) {
        struct websocket *ws = H2O_STRUCT_FROM_MEMBER(struct websocket, link, node);
        if (ws->state != DEAD)
            second(ws, mono_ms);
    }
}

void websocket_close_all(struct loop *loop)
{
    uint64_t by_ms = clock_mono_ms() + STOP_MS;

    for (h2o_linklist_t *node = loop->websockets.next; node != &loop->websockets; node = node->next) {
        struct websocket *ws = H2O_STRUCT_FROM_MEMBER(struct websocket, link, node);
        websocket_close(ws, 1001, "the server stops");
        ws->close_by_ms = ws->close_by_ms < by_ms ? ws->close_by_ms : by_ms;
    }
}
