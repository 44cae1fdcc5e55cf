/*
 * server.c - event loops, accepting, drain
 *
 * A loop is a thread with an h2o context. A turn is: wait for sockets, run their
 * callbacks, wait again. Tasks of other threads are run from the callback of the
 * inbox's eventfd, since what is written outside h2o's callbacks is not completed
 * before the next wait returns.
 *
 * While many WebSockets are open, a turn is followed by a pause until 4 to 8 ms
 * after it began. Frames come every 20 ms on each of them: waking for every single
 * one costs more than reading it, so readiness is left to gather and one turn takes
 * all of it; the fewer they are the longer it takes to make waking worth its while.
 * Below GATHER_FROM sockets nothing is delayed. What other threads post, the workers'
 * audio above all, ends no pause: it is attended to in the midst of it, and what is
 * read by the way waits for the end of the pause to be handed on.
 *
 * The second is kept by a timerfd on the monotonic clock: h2o's own timers follow
 * the wall clock and stand still when it is set back.
 *
 * Loop 0 accepts and gives each connection to the loop that has the fewest, as a
 * task. At the limit it stops listening, until a connection closes.
 *
 * The end: server_stop() has the loops close what is open; a loop returns when
 * nothing is left or time is up. Only in the first case is its h2o context
 * released, in the other somebody may still point into it.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "server_internal.h"
#include "tls.h"
#include "utils/clock.h"
#include "utils/log.h"

enum {
    LOOP_STACK = 2 * MIB, /* h2o puts a header name on the stack, up to 417 KB of it */
    WAIT_MS = 1000,
    CLOSING_WAIT_MS = 20,
    GATHER_FROM = 16,
    GATHER_FRAMES = 100,
    FRAME_US = 20000, /* from one frame of a WebSocket to its next */
    GATHER_MIN_US = 4000,
    GATHER_MAX_US = 8000,
    TURN_FULL = 200, /* WebSockets; a turn of h2o has 256 events, of all kinds */
    STOP_MS = 3000,
    BEAT_MS = 3000,
    ACCEPT_BATCH = 64,       /* connections in one turn of loop 0 */
    ADMIN_SPARE = 32,        /* connections that admin has above the limit */
    DESCRIPTORS_SPARE = 256, /* for everything that is not a connection */
    BODY_MIN = 16 * KIB,
    RECEIVE_BUFFER = 64 * KIB, /* what a flood can make h2o hold */
};

/* --- accepting, on loop 0 */

static void on_acceptable(h2o_socket_t *socket, const char *err);

static void listen_on(struct server *server)
{
    for (size_t i = 0; i < server->n_acceptors; i++)
        if (server->acceptors[i].socket && !h2o_socket_is_reading(server->acceptors[i].socket))
            h2o_socket_read_start(server->acceptors[i].socket, on_acceptable);
}

static void on_resume(struct loop_task *task)
{
    listen_on(H2O_STRUCT_FROM_MEMBER(struct server, resume, task));
}

static bool is_full(const struct acceptor *acceptor)
{
    unsigned max = acceptor->server->options.connections_max;

    return atomic_load(&acceptor->server->n_connections) >=
           max + (acceptor->kind == LISTENER_ADMIN ? ADMIN_SPARE : 0);
}

/*
 * Stop listening, on admin only when it is admin that cannot be served. Who closes a connection
 * clears is_paused and posts the resumption, once; if all did so just before, it is done here.
 */
static void pause_listening(struct acceptor *unserved)
{
    struct server *server = unserved->server;

    for (size_t i = 0; i < server->n_acceptors; i++) {
        struct acceptor *acceptor = &server->acceptors[i];
        if (acceptor->socket && (acceptor->kind != LISTENER_ADMIN || acceptor == unserved))
            h2o_socket_read_stop(acceptor->socket);
    }
    count(&server->n_paused);
    atomic_store(&server->is_paused, true);
}

static void pause_until_one_closes(struct acceptor *unserved)
{
    struct server *server = unserved->server;

    pause_listening(unserved);
    if (!is_full(unserved) && atomic_exchange(&server->is_paused, false))
        listen_on(server);
}

void server_make_room(struct server *server)
{
    atomic_fetch_sub(&server->n_connections, 1);
    if (atomic_load(&server->is_paused) && atomic_exchange(&server->is_paused, false))
        loop_post(server->loops, &server->resume);
}

/* Descriptors may be there again. */
static void try_again(struct server *server)
{
    if (atomic_load(&server->n_connections) < server->options.connections_max &&
        atomic_exchange(&server->is_paused, false))
        listen_on(server);
}

static struct loop *least_loaded(struct server *server)
{
    struct loop *best = server->loops;

    for (struct loop *loop = best + 1; loop < server->loops + server->options.n_loops; loop++)
        if (atomic_load_explicit(&loop->n_connections, memory_order_relaxed) <
            atomic_load_explicit(&best->n_connections, memory_order_relaxed))
            best = loop;
    return best;
}

static void hand_out(struct acceptor *acceptor, int fd)
{
    struct loop *loop = least_loaded(acceptor->server);
    struct loop_task *arrival;

    count(&acceptor->server->n_accepted);
    if (connection_new(loop, acceptor->kind, fd, &arrival) == 0)
        loop_post(loop, arrival);
}

static void on_acceptable(h2o_socket_t *socket, const char *err)
{
    struct acceptor *acceptor = socket->data;

    for (unsigned i = 0; i < ACCEPT_BATCH; i++) {
        if (is_full(acceptor)) {
            pause_until_one_closes(acceptor);
            return;
        }
        int fd = accept4(acceptor->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            hand_out(acceptor, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log_limited(LOG_ERR, NULL, "cannot accept connections: %s", strerrordesc_np(errno));
            pause_listening(acceptor); /* the next second tries again */
            return;
        } else if (errno == EAGAIN || errno == EINVAL) {
            return;
        }
    }
}

static void close_acceptors(struct server *server, bool also_admin)
{
    for (size_t i = 0; i < server->n_acceptors; i++) {
        struct acceptor *acceptor = &server->acceptors[i];
        if (acceptor->socket && (also_admin || acceptor->kind != LISTENER_ADMIN))
            h2o_socket_close(steal(&acceptor->socket)); /* no shutdown(): PID 1 has it, too */
    }
}

/* Nobody is to wait in a queue that is never looked at again. */
static void close_listeners(struct server *server, bool also_admin)
{
    close_acceptors(server, also_admin);
    for (size_t i = 0; i < server->n_acceptors; i++) {
        struct acceptor *acceptor = &server->acceptors[i];
        if (acceptor->fd >= 0 && (also_admin || acceptor->kind != LISTENER_ADMIN)) {
            close(acceptor->fd);
            acceptor->fd = -1;
        }
    }
}

/* A copy, since h2o closes its own. Errors: -errno. */
static int open_acceptors(struct loop *loop)
{
    struct server *server = loop->server;

    for (size_t i = 0; i < server->n_acceptors; i++) {
        struct acceptor *acceptor = &server->acceptors[i];
        if (acceptor->socket || acceptor->fd < 0)
            continue;
        int fd = fcntl(acceptor->fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
            return -errno;
        acceptor->socket = h2o_evloop_socket_create(loop->evloop, fd, H2O_SOCKET_FLAG_DONT_READ);
        acceptor->socket->data = acceptor;
    }
    return 0;
}

/* --- a loop */

static bool is_first(const struct loop *loop)
{
    return loop == loop->server->loops;
}

static void on_bell(h2o_socket_t *socket, const char *err)
{
    struct loop *loop = socket->data;
    eventfd_t n;

    (void)eventfd_read(inbox_fd(loop->inbox), &n);
    inbox_arm(loop->inbox); /* what is posted from here on rings again: each turn has an end */
    inbox_run(loop->inbox);
}

static void on_timer(h2o_socket_t *socket, const char *err)
{
    struct loop *loop = socket->data;
    uint64_t n, now = clock_mono_ms();

    if (read(h2o_socket_get_fd(socket), &n, sizeof(n)) != sizeof(n))
        return;
    count(&loop->n_beats);
    connection_second(loop, now);
    websocket_second(loop, now);
    if (is_first(loop))
        try_again(loop->server);
}

/* Takes the fd. DONT_READ: the callback reads it, since h2o would read until there is no more. */
static h2o_socket_t *watch(struct loop *loop, int fd, h2o_socket_cb callback)
{
    h2o_socket_t *socket = h2o_evloop_socket_create(loop->evloop, fd, H2O_SOCKET_FLAG_DONT_READ);

    socket->data = loop;
    h2o_socket_read_start(socket, callback);
    return socket;
}

static int prepare(struct loop *loop)
{
    static const struct itimerspec second = { { 1, 0 }, { 1, 0 } };
    scoped(close) int timer_fd = -1, bell_fd = -1;

    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    bell_fd = fcntl(inbox_fd(loop->inbox), F_DUPFD_CLOEXEC, 3); /* h2o closes its own */
    if (timer_fd < 0 || bell_fd < 0 || timerfd_settime(timer_fd, 0, &second, NULL) < 0)
        return -errno;
    if (getrandom(&loop->id_seed, sizeof(loop->id_seed), 0) != sizeof(loop->id_seed))
        return -EIO;

    loop->evloop = h2o_evloop_create();
    h2o_context_init(&loop->context, loop->evloop, &loop->server->conf);
    h2o_linklist_init_anchor(&loop->connections);
    h2o_linklist_init_anchor(&loop->tickets);
    h2o_linklist_init_anchor(&loop->websockets);
    loop->timer = watch(loop, timer_fd, on_timer);
    loop->bell = watch(loop, bell_fd, on_bell);
    timer_fd = bell_fd = -1;
    int r = is_first(loop) ? open_acceptors(loop) : 0;
    if (r < 0)
        return r;
    inbox_arm(loop->inbox);
    inbox_run(loop->inbox); /* what was posted before anybody could hear it */
    return 0;
}

/* Returns: 0, or the errno of a wait that failed. */
static int turn(struct loop *loop, int wait_ms)
{
    int error = h2o_evloop_run(loop->evloop, wait_ms) == 0 ? 0 : errno;

    websocket_turn(loop);
    return error;
}

static bool has_rung(struct loop *loop, uint64_t within_us)
{
    struct pollfd bell = { .fd = inbox_fd(loop->inbox), .events = POLLIN };

    return ppoll(&bell, 1, &(struct timespec){ (time_t)(within_us / 1000000), (long)(within_us % 1000000) * 1000 }, NULL) > 0;
}

/* How long it takes until so much has come that waking is worth its while. */
static uint64_t pause_us(unsigned n_websockets)
{
    uint64_t us = (uint64_t)GATHER_FRAMES * FRAME_US / n_websockets;

    return us < GATHER_MIN_US ? GATHER_MIN_US : us > GATHER_MAX_US ? GATHER_MAX_US : us;
}

/*
 * Until the next turn may begin; *turn_us: when the last one began. One in which as much was read as h2o asks the kernel
 * for at once has left something behind, and the next follows it.
 */
static void gather(struct loop *loop, uint64_t *turn_us)
{
    unsigned n_websockets = atomic_load_explicit(&loop->n_websockets, memory_order_relaxed);
    bool is_full = loop->n_read >= TURN_FULL;

    loop->n_read = 0;
    if (n_websockets < GATHER_FROM || loop->is_closing || is_full)
        return;
    uint64_t until_us = *turn_us + pause_us(n_websockets), now_us;
    while ((now_us = clock_mono_us()) < until_us && !loop->is_closing && has_rung(loop, until_us - now_us))
        (void)turn(loop, 0);
    *turn_us = now_us;
}

static bool finished(struct loop *loop)
{
    return loop->is_closing &&
           (h2o_linklist_is_empty(&loop->connections) || clock_mono_ms() >= loop->close_by_ms);
}

static void release_context(struct loop *loop)
{
    h2o_socket_close(loop->bell);
    h2o_socket_close(loop->timer);
    if (!h2o_linklist_is_empty(&loop->connections))
        return;
    /* armed for a second by h2o_context_request_shutdown(), must not be when h2o disposes */
    h2o_timeout_unlink(&loop->context.http2._graceful_shutdown_timeout);
    h2o_context_dispose(&loop->context);
    (void)h2o_evloop_run(loop->evloop, 0); /* frees what was closed */
    h2o_evloop_destroy(loop->evloop);
}

static void complain(int error)
{
    static const struct timespec pause = { 0, 10 * 1000000 };

    log_limited(LOG_ERR, NULL, "an event loop cannot watch a socket: %s",
                strerrordesc_np(error) ?: "?");
    (void)nanosleep(&pause, NULL);
}

struct start {
    struct loop *loop;
    sem_t ready;
    int result;
};

static void *loop_main(void *arg)
{
    struct start *start = arg; /* gone once it is told that we are ready */
    struct loop *loop = start->loop;
    int r = start->result = prepare(loop);
    uint64_t turn_us = 0;

    sem_post(&start->ready);
    if (r < 0)
        return NULL;
    while (!finished(loop)) {
        int wait_ms = loop->bells.n ? 0 : loop->is_closing ? CLOSING_WAIT_MS : WAIT_MS;
        int error = turn(loop, wait_ms);
        bells_ring(&loop->bells);
        if (!error)
            gather(loop, &turn_us);
        else if (error != EINTR) /* no memory for one socket: the others go on, we do not spin */
            complain(error);
    }
    bells_ring(&loop->bells);
    release_context(loop);
    return NULL;
}

static int start_thread(struct start *start)
{
    pthread_attr_t attr;
    int r;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, LOOP_STACK);
    r = -pthread_create(&start->loop->thread, &attr, loop_main, start);
    pthread_attr_destroy(&attr);
    return r;
}

static void on_drain(struct loop_task *task)
{
    struct loop *loop = H2O_STRUCT_FROM_MEMBER(struct loop, drain, task);

    if (is_first(loop))
        close_listeners(loop->server, false);
    h2o_context_request_shutdown(&loop->context); /* the next response says Connection: close */
    connection_end_idle(loop);
}

/* Connections stay: a request may be on its way on any of them, and is answered with Connection: close. */
static void step_down(struct loop *loop)
{
    if (is_first(loop))
        close_acceptors(loop->server, true);
    h2o_context_request_shutdown(&loop->context);
}

static void step_up(struct loop *loop)
{
    loop->context.shutdown_requested = 0;
    if (!is_first(loop))
        return;
    int r = open_acceptors(loop);
    if (r < 0)
        (void)log_err(r, "cannot accept connections again");
    listen_on(loop->server);
}

static void on_stance(struct loop_task *task)
{
    struct loop *loop = H2O_STRUCT_FROM_MEMBER(struct loop, stance, task);

    atomic_store(&loop->is_stance_posted, false);
    (atomic_load(&loop->server->is_down) ? step_down : step_up)(loop);
}

static void on_stop(struct loop_task *task)
{
    struct loop *loop = H2O_STRUCT_FROM_MEMBER(struct loop, stop, task);

    if (is_first(loop))
        close_listeners(loop->server, true);
    h2o_context_request_shutdown(&loop->context);
    websocket_close_all(loop);
    connection_end_waiting(loop);
    loop->is_closing = true;
    loop->close_by_ms = clock_mono_ms() + STOP_MS;
}

static int start_loop(struct loop *loop, struct server *server)
{
    struct start start = { .loop = loop };
    int r;

    loop->server = server;
    loop->drain.run = on_drain;
    loop->stop.run = on_stop;
    loop->stance.run = on_stance;
    r = inbox_new(&loop->inbox);
    if (r < 0)
        return r;

    sem_init(&start.ready, 0, 0);
    r = start_thread(&start);
    if (r == 0) {
        while (sem_wait(&start.ready) < 0)
            ;
        r = start.result;
        if (r < 0)
            pthread_join(loop->thread, NULL);
    }
    sem_destroy(&start.ready);
    if (r < 0)
        inbox_unref(steal(&loop->inbox));
    return r;
}

void loop_post(struct loop *loop, struct loop_task *task)
{
    inbox_post(loop->inbox, task);
}

void loop_put(struct loop *loop, struct loop_task *task, struct bells *bells)
{
    bells_put(bells, loop->inbox, task);
}

void loop_tell(struct loop *loop, struct inbox *inbox, struct inbox_item *item)
{
    bells_put(&loop->bells, inbox, item);
}

/* --- the server */

/* What h2o takes at all; at least a small form, so that a wrong method is told as such. */
static size_t body_max(const struct router *router)
{
    size_t max = router_body_max(router);

    return max < BODY_MIN ? (size_t)BODY_MIN : max;
}

static void configure(struct server *server)
{
    h2o_globalconf_t *conf = &server->conf;

    h2o_config_init(conf);
    conf->server_name = h2o_iovec_init(NULL, 0); /* no Server header */
    conf->http1.upgrade_to_http2 = 0;
    /* a backstop: connection.c comes first */
    conf->http1.req_timeout = 2 * server->options.request_timeout_ms + 5000 + body_max(server->options.router) / 64;
    /* what comes in chunks is refused at the limit already, else over it */
    conf->max_request_entity_size = body_max(server->options.router) + 1;
    connection_configure(server);
}

/* Accepted sockets inherit these. */
static void prepare_listener(const struct server_options *options, int fd)
{
    static const struct {
        int level, name, value;
    } settings[] = {
        { SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER }, { IPPROTO_TCP, TCP_NODELAY, 1 },
        { SOL_SOCKET, SO_KEEPALIVE, 1 },           { IPPROTO_TCP, TCP_KEEPIDLE, 60 },
        { IPPROTO_TCP, TCP_KEEPINTVL, 10 },        { IPPROTO_TCP, TCP_KEEPCNT, 3 },
    };
    unsigned timeout_ms = (unsigned)options->user_timeout_ms;

    for (size_t i = 0; i < ELEMENTSOF(settings); i++) /* a UNIX socket takes few of them */
        (void)setsockopt(fd, settings[i].level, settings[i].name, &settings[i].value, sizeof(int));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
}

/* A listener that runs out of descriptors would spin; fewer connections than descriptors, then. */
static unsigned bounded_by_descriptors(unsigned connections_max)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
        limit.rlim_cur >= (rlim_t)connections_max + DESCRIPTORS_SPARE)
        return connections_max;
    unsigned fewer = limit.rlim_cur > 2 * DESCRIPTORS_SPARE
                         ? (unsigned)limit.rlim_cur - DESCRIPTORS_SPARE
                         : (unsigned)limit.rlim_cur / 2;
    (void)log_warning(
        0, "only %u connections: the limit of open files is %llu, MAX_CONNECTIONS asks for %u",
        fewer, (unsigned long long)limit.rlim_cur, connections_max);
    return fewer;
}

static int load_certificate(struct server *server)
{
    const struct server_options *options = &server->options;

    if (!options->tls_cert_file || !options->tls_key_file)
        return log_err(-EINVAL, "the https listener needs TLS_CERT_FILE and TLS_KEY_FILE");
    return tls_new(options->tls_cert_file, options->tls_key_file, &server->tls);
}

int server_new(const struct server_options *options, const struct listener *listeners, size_t n,
               struct server **ret_server)
{
    scoped(server_free) struct server *server = calloc(1, sizeof(*server));

    if (!server) {
        listeners_close(listeners, n);
        return -ENOMEM;
    }
    server->options = *options;
    server->options.connections_max = bounded_by_descriptors(options->connections_max);
    server->resume.run = on_resume;
    for (size_t i = 0; i < n; i++) {
        server->acceptors[i] =
            (struct acceptor){ server, listeners[i].kind, listeners[i].fd, NULL };
        server->n_acceptors++;
        prepare_listener(options, listeners[i].fd);
    }
    for (size_t i = 0; i < n && !server->tls; i++) {
        int r = listeners[i].kind == LISTENER_HTTPS ? load_certificate(server) : 0;
        if (r < 0)
            return r;
    }
    server->loops = aligned_alloc(_Alignof(struct loop), options->n_loops * sizeof(*server->loops));
    if (!server->loops)
        return -ENOMEM;
    memset(server->loops, 0, options->n_loops * sizeof(*server->loops));

    (void)signal(SIGPIPE, SIG_IGN); /* h2o writes with writev() */
    configure(server);
    *ret_server = steal(&server);
    return 0;
}

int server_start(struct server *server)
{
    server->is_started = true;
    for (unsigned i = server->options.n_loops; i-- > 0;) { /* loop 0 is last: it accepts for all */
        int r = start_loop(&server->loops[i], server);
        if (r < 0)
            return log_err(r, "cannot start an event loop");
    }
    loop_post(server->loops, &server->resume);
    return 0;
}

int server_reload(struct server *server)
{
    return server->tls ? tls_reload(server->tls) : 0;
}

int server_reload_if_changed(struct server *server)
{
    return server->tls ? tls_reload_if_changed(server->tls) : 0;
}

uint64_t server_certificate_end_ms(struct server *server)
{
    return server->tls ? tls_end_ms(server->tls) : 0;
}

struct loop *server_loop(struct server *server, unsigned i)
{
    return &server->loops[i];
}

void server_drain(struct server *server)
{
    for (unsigned i = 0; i < server->options.n_loops; i++)
        loop_post(&server->loops[i], &server->loops[i].drain);
}

static void set_stance(struct server *server, bool is_down)
{
    atomic_store(&server->is_down, is_down);
    for (unsigned i = 0; i < server->options.n_loops; i++)
        if (!atomic_exchange(&server->loops[i].is_stance_posted, true))
            loop_post(&server->loops[i], &server->loops[i].stance);
}

void server_step_down(struct server *server)
{
    set_stance(server, true);
}

void server_step_up(struct server *server)
{
    set_stance(server, false);
}

size_t server_listeners(const struct server *server, struct listener ret_listeners[LISTENERS_MAX])
{
    for (size_t i = 0; i < server->n_acceptors; i++)
        ret_listeners[i] = (struct listener){ server->acceptors[i].kind, server->acceptors[i].fd };
    return server->n_acceptors;
}

void server_stats(const struct server *server, struct server_stats *ret_stats)
{
    *ret_stats = (struct server_stats){
        .n_connections = atomic_load(&server->n_connections),
        .n_accepted = atomic_load_explicit(&server->n_accepted, memory_order_relaxed),
        .n_paused = atomic_load_explicit(&server->n_paused, memory_order_relaxed),
    };
    for (unsigned i = 0; i < server->options.n_loops; i++) {
        const struct loop *loop = &server->loops[i];
        ret_stats->n_websockets += atomic_load_explicit(&loop->n_websockets, memory_order_relaxed);
        ret_stats->n_requests += atomic_load_explicit(&loop->n_requests, memory_order_relaxed);
        ret_stats->n_messages_in +=
            atomic_load_explicit(&loop->n_messages_in, memory_order_relaxed);
        ret_stats->n_messages_out +=
            atomic_load_explicit(&loop->n_messages_out, memory_order_relaxed);
    }
}

bool server_is_alive(struct server *server, uint64_t mono_ms)
{
    bool all = true;

    for (unsigned i = 0; i < server->options.n_loops; i++) {
        struct loop *loop = &server->loops[i];
        uint64_t n_beats = atomic_load_explicit(&loop->n_beats, memory_order_relaxed);
        if (n_beats != loop->n_beats_seen || loop->beat_ms == 0)
            loop->beat_ms = mono_ms;
        loop->n_beats_seen = n_beats;
        all &= mono_ms - loop->beat_ms < BEAT_MS;
    }
    return all;
}

void server_stop(struct server *server)
{
    if (!server || !server->is_started || server->is_stopped)
        return;
    for (unsigned i = 0; i < server->options.n_loops; i++)
        if (server->loops[i].inbox)
            loop_post(&server->loops[i], &server->loops[i].stop);
    for (unsigned i = 0; i < server->options.n_loops; i++)
        if (server->loops[i].inbox)
            pthread_join(server->loops[i].thread, NULL);
    server->is_stopped = true;
}

void server_free(struct server *server)
{
    if (!server)
        return;
    server_stop(server);
    server->is_stopped = true;
    for (unsigned i = server->loops ? server->options.n_loops : 0; i-- > 0;)
        if (server->loops[i].inbox)
            inbox_run(server->loops[i].inbox); /* what was posted since, on this thread */
    for (unsigned i = 0; server->loops && i < server->options.n_loops; i++)
        if (server->loops[i].inbox)
            inbox_unref(server->loops[i].inbox);
    for (size_t i = 0; i < server->n_acceptors; i++)
        if (server->acceptors[i].fd >= 0)
            close(server->acceptors[i].fd);
    if (server->conf.hosts && atomic_load(&server->n_connections) == 0)
        h2o_config_dispose(&server->conf);
    tls_free(server->tls);
    free(server->loops);
    free(server);
}
