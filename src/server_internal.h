#pragma once
/*
 * server_internal.h - what server.c, connection.c and websocket.c share
 *
 * The one header that includes h2o; nobody but these three includes it.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <h2o.h>
#include <h2o/http1.h>

#include "loop.h"
#include "server.h"
#include "websocket.h"

enum { LOOP_READ = 16 * KIB, LOOP_SCRATCH = 8 * LOOP_READ, LOOP_GATHERED = 256 };

/*
 * A loop. Counters are written by the loop's thread alone (n_connections by loop 0, too) and read by
 * anybody; everything else belongs to the loop's thread while it runs.
 */
struct loop {
    h2o_context_t context; /* first: this is how a request finds its loop */
    h2o_evloop_t *evloop;
    struct server *server;
    struct inbox *inbox; /* NULL: it was never started */
    h2o_socket_t *bell, *timer;
    h2o_linklist_t connections, tickets, websockets;
    struct websocket *arrivals[LOOP_GATHERED], *departures[LOOP_GATHERED]; /* whose input is in scratch, whose output
                                                                              waits; NULL: it died since */
    size_t n_arrivals, n_departures, n_scratch;
    struct loop_task drain, stop, stance;
    _Atomic bool is_stance_posted;
    struct bells bells; /* to be rung when the turn is over */
    unsigned n_read; /* WebSockets in this turn */
    bool is_closing; /* ends as soon as nothing is open, or at close_by_ms */
    uint64_t close_by_ms;
    uint64_t id_seed, id_counter; /* of request ids */
    uint64_t n_input;             /* bytes of requests that are coming, as of the last second */
    pthread_t thread;
    uint64_t n_beats_seen, beat_ms; /* server_is_alive()'s */
    _Alignas(64) _Atomic unsigned n_connections, n_websockets;
    _Atomic uint64_t n_requests, n_messages_in, n_messages_out, n_beats;
    char scratch[LOOP_SCRATCH]; /* what a turn's reads bring, before it is parsed */
};

struct acceptor {
    struct server *server;
    enum http_listener kind;
    int fd;               /* -1: closed for good */
    h2o_socket_t *socket; /* of a copy of fd; NULL while nobody is accepted */
};

struct server {
    struct server_options options;
    struct tls *tls; /* NULL without https */
    h2o_globalconf_t conf;
    struct acceptor acceptors[LISTENERS_MAX];
    size_t n_acceptors;
    struct loop_task resume;
    _Atomic bool is_paused;
    _Atomic bool is_down; /* another process accepts */
    _Atomic unsigned n_connections;
    _Atomic uint64_t n_accepted, n_paused;
    bool is_started;
    bool is_stopped; /* the loops have ended: tasks run on the thread that frees */
    struct loop *loops;
};

static inline void count(_Atomic uint64_t *counter) /* one writer */
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}

/* --- server.c: a connection is gone; there may be room for another now. Thread: any loop. */
void server_make_room(struct server *server);

/* --- connection.c; all on the connection's loop, but for connection_new() */

/* Let requests come to us. */
void connection_configure(struct server *server);

/* Counts it. Owner: the fd is the connection's, that of its loop once the task was run there. */
int connection_new(struct loop *loop, enum http_listener kind, int fd, struct loop_task **ret_arrival);

void connection_second(struct loop *loop, uint64_t mono_ms); /* time-outs */
void connection_end_idle(struct loop *loop);    /* those without a byte of a request */
void connection_end_waiting(struct loop *loop); /* all but those whose answer is in work, and WebSockets */

/* --- websocket.c */

/*
 * Answer a request by becoming a WebSocket.
 *
 * Returns: 0, and on_open follows; otherwise the status that is to be sent instead (400, 426), and
 *          on_close follows without on_open.
 */
int websocket_upgrade(h2o_req_t *req, struct loop *loop, const struct websocket_ops *ops, void *user);

/*
 * What the turn brought is parsed and handed on, then what there is to send is sent: each kind of work for all WebSockets
 * before the next kind, which keeps its instructions near the processor. After every turn.
 */
void websocket_turn(struct loop *loop);

void websocket_second(struct loop *loop, uint64_t mono_ms);
void websocket_close_all(struct loop *loop); /* with 1001 */
