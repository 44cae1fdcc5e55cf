/*
 * wire.c - non-blocking TCP and TLS client connections on one epoll
 *
 * States: connecting (writable means connected or refused) -> securing (TLS only)
 * -> open -> ended. Level-triggered; EPOLLOUT is asked for only while something
 * waits to be written or connected. TLS may want to read in order to write and the
 * other way round: whatever wakes it, it simply tries both.
 *
 * A wire freed inside a callback may still be named by an event of the same
 * batch, so it is only marked, and buried when the batch is over.
 */
#include "caller/wire.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "utils/clock.h"

enum { READ_MAX = 64 * 1024, EVENTS_MAX = 256 };

enum wire_state { WIRE_CONNECTING, WIRE_SECURING, WIRE_OPEN, WIRE_ENDED };

struct wire {
    struct wire_set *set;
    const struct wire_ops *ops;
    void *user;
    struct wire *next_buried;
    const struct wire_address *address;
    size_t n_tried; /* of the addresses */
    SSL *tls;
    int fd;
    enum wire_state state;
    bool buried, wants_out, eof;
    uint8_t *out, *rest; /* output that waits; input that was not taken */
    size_t n_out, n_out_room, n_rest;
};

struct wire_set {
    int epoll_fd, timer_fd;
    SSL_CTX *context; /* made at the first need */
    bool insecure;
    const char *ca_file;
    struct wire *buried;
    uint8_t input[READ_MAX];
};

int wire_set_new(bool insecure, const char *ca_file, struct wire_set **ret_set)
{
    scoped(wire_set_free) struct wire_set *set = malloc(sizeof(*set));

    if (!set)
        return -ENOMEM;
    *set = (struct wire_set){
        .epoll_fd = -1, .timer_fd = -1, .insecure = insecure, .ca_file = ca_file
    };
    set->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    set->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
    if (set->epoll_fd < 0 || set->timer_fd < 0 ||
        epoll_ctl(set->epoll_fd, EPOLL_CTL_ADD, set->timer_fd, &event) < 0)
        return -errno;
    *ret_set = steal(&set);
    return 0;
}

static void bury_all(struct wire_set *set)
{
    while (set->buried) {
        struct wire *wire = set->buried;
        set->buried = wire->next_buried;
        free(wire->out);
        free(wire->rest);
        free(wire);
    }
}

void wire_set_free(struct wire_set *set)
{
    if (!set)
        return;
    bury_all(set);
    SSL_CTX_free(set->context);
    if (set->epoll_fd >= 0)
        close(set->epoll_fd);
    if (set->timer_fd >= 0)
        close(set->timer_fd);
    free(set);
}

int wire_resolve(const char *host, const char *port, bool tls, struct wire_address *ret_address)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;

    if (strlen(host) >= WIRE_NAME_MAX || getaddrinfo(host, port, &hints, &found) != 0)
        return -ENOENT;
    *ret_address = (struct wire_address){ .tls = tls };
    strcpy(ret_address->name, host);
    for (struct addrinfo *one = found; one && ret_address->n_at < WIRE_ADDRESSES_MAX;
         one = one->ai_next) {
        memcpy(&ret_address->at[ret_address->n_at].storage, one->ai_addr, one->ai_addrlen);
        ret_address->at[ret_address->n_at++].n = one->ai_addrlen;
    }
    freeaddrinfo(found);
    return 0;
}

static int make_context(struct wire_set *set)
{
    if (set->context)
        return 0;
    set->context = SSL_CTX_new(TLS_client_method());
    if (!set->context)
        return -ENOMEM;
    SSL_CTX_set_min_proto_version(set->context, TLS1_2_VERSION);
    SSL_CTX_set_mode(set->context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(set->context, set->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    int loaded = set->ca_file ? SSL_CTX_load_verify_locations(set->context, set->ca_file, NULL)
                              : SSL_CTX_set_default_verify_paths(set->context);
    return loaded == 1 ? 0 : -EINVAL;
}

static int make_tls(struct wire *wire)
{
    int r = make_context(wire->set);
    if (r < 0)
        return r;
    wire->tls = SSL_new(wire->set->context);
    if (!wire->tls || SSL_set_fd(wire->tls, wire->fd) != 1)
        return -ENOMEM;
    SSL_set_connect_state(wire->tls);
    (void)SSL_set_tlsext_host_name(wire->tls, wire->address->name);
    return SSL_set1_host(wire->tls, wire->address->name) == 1 ? 0 : -ENOMEM;
}

/* Begin to connect to the next address, on a socket of its own. */
static int try_next(struct wire *wire)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT, .data.ptr = wire };
    const struct wire_address *address = wire->address;
    const size_t i = wire->n_tried++;
    const int on = 1;

    if (wire->fd >= 0)
        close(wire->fd);
    wire->fd =
        socket(address->at[i].storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (wire->fd < 0)
        return -errno;
    (void)setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(wire->fd, (const struct sockaddr *)&address->at[i].storage, address->at[i].n) < 0 &&
        errno != EINPROGRESS)
        return -errno;
    return epoll_ctl(wire->set->epoll_fd, EPOLL_CTL_ADD, wire->fd, &event) < 0 ? -errno : 0;
}

/* ... or to the first one after it that can be tried at all. Returns: 0, or why the last cannot. */
static int try_on(struct wire *wire)
{
    int r = -EHOSTUNREACH;

    while (wire->n_tried < wire->address->n_at && (r = try_next(wire)) < 0)
        ;
    return r;
}

int wire_open(struct wire_set *set, const struct wire_address *address, const struct wire_ops *ops,
              void *user, struct wire **ret_wire)
{
    struct wire *wire = calloc(1, sizeof(*wire));

    if (!wire)
        return -ENOMEM;
    *wire = (struct wire){
        .set = set, .ops = ops, .user = user, .address = address, .fd = -1, .wants_out = true
    };
    int r = try_on(wire);
    if (r < 0) {
        wire_free(wire);
        return r;
    }
    *ret_wire = wire;
    return 0;
}

void wire_free(struct wire *wire)
{
    if (!wire || wire->buried)
        return;
    if (wire->tls && wire->state == WIRE_OPEN)
        (void)SSL_shutdown(wire->tls);
    wire->buried = true;
    wire->state = WIRE_ENDED;
    SSL_free(wire->tls);
    wire->tls = NULL;
    if (wire->fd >= 0)
        close(wire->fd);
    wire->next_buried = wire->set->buried;
    wire->set->buried = wire;
}

static void end(struct wire *wire, int error, const char *why)
{
    if (wire->state == WIRE_ENDED)
        return;
    wire->state = WIRE_ENDED;
    (void)epoll_ctl(wire->set->epoll_fd, EPOLL_CTL_DEL, wire->fd, NULL);
    wire->ops->on_end(wire, wire->user, error, why);
}

/* --- output */

uint8_t *wire_reserve(struct wire *wire, size_t n)
{
    if (wire->n_out + n > WIRE_OUTPUT_MAX)
        return NULL;
    if (wire->n_out + n > wire->n_out_room) {
        size_t n_room = wire->n_out_room ? wire->n_out_room : 1024;
        while (n_room < wire->n_out + n)
            n_room *= 2;
        uint8_t *out = realloc(wire->out, n_room);
        if (!out)
            return NULL;
        wire->out = out;
        wire->n_out_room = n_room;
    }
    return wire->out + wire->n_out;
}

void wire_commit(struct wire *wire, size_t n)
{
    wire->n_out += n;
}

/* Returns: bytes written, -EAGAIN, or another -errno. */
static ssize_t write_some(struct wire *wire)
{
    if (!wire->tls) {
        ssize_t n = send(wire->fd, wire->out, wire->n_out, MSG_NOSIGNAL);
        return n < 0 ? -errno : n;
    }
    ERR_clear_error();
    int n = SSL_write(wire->tls, wire->out, (int)wire->n_out);
    if (n > 0)
        return n;
    int error = SSL_get_error(wire->tls, n);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? -EAGAIN : -EPIPE;
}

static void want_out(struct wire *wire, bool wants)
{
    struct epoll_event event = { .events = EPOLLIN | (wants ? EPOLLOUT : 0), .data.ptr = wire };

    if (wire->wants_out == wants || wire->state == WIRE_ENDED)
        return;
    wire->wants_out = wants;
    (void)epoll_ctl(wire->set->epoll_fd, EPOLL_CTL_MOD, wire->fd, &event);
}

void wire_flush(struct wire *wire)
{
    if (wire->state != WIRE_OPEN)
        return;
    while (wire->n_out > 0) {
        ssize_t n = write_some(wire);
        if (n == -EINTR)
            continue;
        if (n < 0 && n != -EAGAIN) /* the reader will learn why, after what still waits for it */
            wire->n_out = 0;
        if (n < 0)
            break;
        wire->n_out -= (size_t)n;
        memmove(wire->out, wire->out + n, wire->n_out);
    }
    want_out(wire, wire->n_out > 0);
}

/* --- input */

/* Hand over all that waits; keep what is not taken. */
static void hand_over(struct wire *wire, uint8_t *bytes, size_t n)
{
    size_t at = 0, n_taken;

    do {
        n_taken = wire->ops->on_bytes(wire, wire->user, bytes + at, n - at, wire->eof);
        at += n_taken;
    } while (n_taken > 0 && at < n && !wire->buried);
    if (wire->buried)
        return;

    size_t n_rest = n - at;
    if (n_rest == 0) {
        free(wire->rest);
        wire->rest = NULL;
    } else if (bytes == wire->rest) {
        memmove(wire->rest, wire->rest + at, n_rest);
    } else {
        wire->rest = malloc(n_rest);
        if (!wire->rest) {
            end(wire, -ENOMEM, "out of memory");
            return;
        }
        memcpy(wire->rest, bytes + at, n_rest);
    }
    wire->n_rest = n_rest;
}

static void take_input(struct wire *wire, size_t n)
{
    if (wire->n_rest == 0) {
        hand_over(wire, wire->set->input, n);
        return;
    }
    uint8_t *rest = realloc(wire->rest, wire->n_rest + n);
    if (!rest) {
        end(wire, -ENOMEM, "out of memory");
        return;
    }
    memcpy(rest + wire->n_rest, wire->set->input, n);
    wire->rest = rest;
    hand_over(wire, rest, wire->n_rest + n);
}

/* Returns: bytes read, 0 at the end, -EAGAIN, or another -errno. */
static ssize_t read_some(struct wire *wire)
{
    uint8_t *input = wire->set->input;

    if (!wire->tls) {
        ssize_t n = recv(wire->fd, input, READ_MAX, 0);
        return n < 0 ? -errno : n;
    }
    ERR_clear_error();
    int n = SSL_read(wire->tls, input, READ_MAX);
    if (n > 0)
        return n;
    switch (SSL_get_error(wire->tls, n)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        return -EPIPE;
    }
}

/* A short read of a socket is all there is: that spares the call that would say so. */
static bool may_have_more(const struct wire *wire, ssize_t n)
{
    return n == READ_MAX || n == -EINTR || (n > 0 && wire->tls && SSL_pending(wire->tls) > 0);
}

static void read_all(struct wire *wire)
{
    ssize_t n;

    do {
        n = read_some(wire);
        if (n > 0)
            take_input(wire, (size_t)n);
        if (wire->state != WIRE_OPEN) /* freed by its owner, perhaps */
            return;
    } while (may_have_more(wire, n));
    if (n > 0 || n == -EAGAIN)
        return;

    wire->eof = true;
    hand_over(wire, wire->rest, wire->n_rest);
    if (wire->state == WIRE_OPEN)
        end(wire, (int)n, n == 0 ? "closed by the server" : strerror((int)-n));
}

/* --- becoming open */

static void become_open(struct wire *wire)
{
    wire->state = WIRE_OPEN;
    wire->ops->on_open(wire, wire->user);
    if (!wire->buried)
        wire_flush(wire);
}

static void secure(struct wire *wire)
{
    ERR_clear_error();
    int r = SSL_do_handshake(wire->tls);
    if (r == 1) {
        become_open(wire);
        return;
    }

    int error = SSL_get_error(wire->tls, r);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        want_out(wire, error == SSL_ERROR_WANT_WRITE);
        return;
    }
    long verified = SSL_get_verify_result(wire->tls);
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    if (verified != X509_V_OK)
        reason = X509_verify_cert_error_string(verified);
    end(wire, -EPROTO, reason ? reason : "TLS handshake failed");
}

static void finish_connect(struct wire *wire)
{
    int error = 0;
    socklen_t n = sizeof(error);

    (void)getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &error, &n);
    if (error && try_on(wire) == 0)
        return;
    if (error) {
        end(wire, -error, strerror(error));
        return;
    }
    if (!wire->address->tls) {
        become_open(wire);
        return;
    }
    int r = make_tls(wire);
    if (r < 0) {
        end(wire, r, "TLS cannot be set up");
        return;
    }
    wire->state = WIRE_SECURING;
    secure(wire);
}

static void handle(struct wire *wire, uint32_t events)
{
    if (wire->buried || wire->state == WIRE_ENDED)
        return;
    if (wire->state == WIRE_CONNECTING) {
        if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
            finish_connect(wire);
        return;
    }
    if (wire->state == WIRE_SECURING) {
        secure(wire);
        return;
    }
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        read_all(wire);
    if (events & EPOLLOUT)
        wire_flush(wire);
}

/* --- the set */

static void arm(struct wire_set *set, uint64_t deadline_us)
{
    const struct itimerspec at = {
        .it_value = { (time_t)(deadline_us / 1000000), (long)(deadline_us % 1000000) * 1000 },
    };

    (void)timerfd_settime(set->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

void wire_set_run(struct wire_set *set, uint64_t deadline_us, bool gather)
{
    struct epoll_event events[EVENTS_MAX];
    uint64_t n_expired;
    int n;

    if (gather) {
        const struct timespec at = { (time_t)(deadline_us / 1000000),
                                     (long)(deadline_us % 1000000) * 1000 };
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
            ;
    } else {
        arm(set, deadline_us);
    }

    do {
        n = epoll_wait(set->epoll_fd, events, EVENTS_MAX, gather ? 0 : -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                handle(events[i].data.ptr, events[i].events);
            else
                (void)!read(set->timer_fd, &n_expired, sizeof(n_expired));
        }
    } while (gather && n == EVENTS_MAX);
    bury_all(set);
}
