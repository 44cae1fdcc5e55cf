#pragma once
/*
 * server.h - listeners, event loops, drain
 *
 * Holds h2o (with websocket.c). Knows no service: requests go to a router.
 */

#include <stdbool.h>
#include <stdint.h>

#include "router.h"

struct server;

struct server_listener {
    enum http_listener kind;
    int fd; /* listening, becomes the server's; never shut down, PID 1 may hold the other end */
};

struct server_options {
    const struct router *router;
    unsigned n_loops;
    unsigned connections_max; /* over it the listener is not read until one closes */
    uint64_t request_timeout_ms;   /* header and body of one request, and idle keep-alive */
    uint64_t handshake_timeout_ms; /* TLS */
    uint64_t user_timeout_ms;      /* TCP_USER_TIMEOUT: a peer that does not read a response */
    const char *tls_cert_file, *tls_key_file; /* needed by a LISTENER_HTTPS */
};

/*
 * Listeners from systemd (sd_listen_fds_with_names: http, https, admin) and from --listen specs.
 *
 * spec:    NAME=ADDRESS:PORT or NAME=/path of a UNIX socket (made 0660), NAME one of the three.
 * Returns: how many were filled in; -EINVAL with the reason logged.
 */
int server_listeners(const char *const *specs, size_t n_specs, struct server_listener *listeners, size_t max);

int server_new(const struct server_options *options, const struct server_listener *listeners, size_t n,
               struct server **ret_server);

/* Start the loops; returns at once. */
int server_start(struct server *server);

/* Read the certificate files again; new connections use them. A failing one keeps the present one. */
int server_reload(struct server *server);

/* Stop accepting, answer what is under way, keep WebSockets. The fds are closed, not shut down. */
void server_drain(struct server *server);

/* WebSockets still open. */
unsigned server_n_websockets(const struct server *server);
unsigned server_n_connections(const struct server *server);

/* Close every WebSocket with code 1001, end the loops, join them. */
void server_stop(struct server *server);
void server_free(struct server *server);
