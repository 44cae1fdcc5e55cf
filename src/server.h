#pragma once
/*
 * server.h - listeners, event loops, drain
 *
 * Holds h2o (with loop.c and websocket.c). Knows no service: requests go to a router.
 */

#include <stdbool.h>
#include <stdint.h>

#include "listeners.h"
#include "router.h"

struct server;

struct server_options {
    const struct router *router;
    unsigned n_loops;
    unsigned connections_max;      /* over it the listeners wait until one closes; admin has a few more */
    uint64_t request_timeout_ms;   /* for header and body of one request: 408; and for idle keep-alive */
    uint64_t handshake_timeout_ms; /* TLS */
    int log_requests;              /* the level of a line for each answer */
    uint64_t user_timeout_ms;      /* TCP_USER_TIMEOUT: a peer that does not read a response */
    const char *tls_cert_file, *tls_key_file; /* needed by a LISTENER_HTTPS; live as long as the server */
};

/*
 * Errors: -EINVAL https without a usable certificate; the reason is logged.
 * Owner:  the listeners' fds are the server's from here on, also when it fails.
 */
int server_new(const struct server_options *options, const struct listener *listeners, size_t n,
               struct server **ret_server);

/* Start the loops and accept; returns at once. */
int server_start(struct server *server);

/* Read the certificate files again; new connections use them. A failing one keeps the present one, with a warning. */
int server_reload(struct server *server);
/* The same when they were replaced since they were last read. Returns: 1 reloaded; 0 as they were. */
int server_reload_if_changed(struct server *server);

/* When the certificate of https that is served ends, unix time; 0 there is none. */
uint64_t server_certificate_end_ms(struct server *server);

struct loop *server_loop(struct server *server, unsigned i);

/* Stop accepting but on admin, answer what is under way, close idle connections, keep WebSockets. */
void server_drain(struct server *server);

/*
 * Another process accepts from the same sockets: stop accepting, on admin too. What is open goes on, what idles also, and
 * is told with its next response to come anew. step_up: he does not any more, so begin again.
 */
void server_step_down(struct server *server);
void server_step_up(struct server *server);

/* What it listens at, for him. Not once it drains. Returns: how many. */
size_t server_listeners(const struct server *server, struct listener ret_listeners[LISTENERS_MAX]);

struct server_stats {
    unsigned n_connections, n_websockets;
    uint64_t n_accepted, n_requests, n_messages_in, n_messages_out;
    uint64_t n_paused; /* how often the listeners had to wait: too many connections or descriptors */
};
void server_stats(const struct server *server, struct server_stats *ret_stats); /* any thread */

/* Every loop went round since the last call, or in the last three seconds. Thread: one at a time. */
bool server_is_alive(struct server *server, uint64_t mono_ms);

/* Close every WebSocket with code 1001, answer what was promised, end the loops, join them; a few seconds at most. */
void server_stop(struct server *server);

/*
 * After everybody stopped who may answer a ticket or post to a loop: what they posted after server_stop()
 * is run here, tickets are dropped.
 */
void server_free(struct server *server);
SCOPED_PTR(struct server, server_free)
