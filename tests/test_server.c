/*
 * test_server.c - loops, as other threads see them
 */
#include "server.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"
#include "tap.h"
#include "utils/log.h"

enum { N_LOOPS = 3, N_THREADS = 4, N_TASKS = 64, N_ROUNDS = 50 };

/* --- tasks from many threads */

struct counted {
    struct loop_task task;
    struct sender *sender;
    struct loop *loop;
    unsigned n_rounds; /* the loop's while queued */
    unsigned number;
};

struct sender {
    struct server *server;
    unsigned number;
    unsigned last[N_LOOPS]; /* number of the last one seen, per loop: the loop's */
    pthread_t on[N_LOOPS];
    struct counted tasks[N_TASKS];
};

static _Atomic unsigned n_run, n_wrong;
static sem_t all_done;

static void run(struct loop_task *task)
{
    struct counted *counted = (struct counted *)task;
    struct sender *sender = counted->sender;
    unsigned which = counted->number % N_LOOPS;

    if (counted->n_rounds ==
        0) { /* the first time round: in the order they were sent, on one thread */
        n_wrong += sender->last[which] > counted->number;
        sender->last[which] = counted->number;
        if (!sender->on[which])
            sender->on[which] = pthread_self();
    }
    n_wrong += !pthread_equal(sender->on[which], pthread_self());
    if (++counted->n_rounds < N_ROUNDS)
        loop_post(counted->loop, &counted->task); /* ours again, so we may */
    else if (++n_run == N_THREADS * N_TASKS)
        sem_post(&all_done);
}

static void *send_all(void *arg)
{
    struct sender *sender = arg;

    for (unsigned i = 0; i < N_TASKS; i++) {
        struct counted *counted = &sender->tasks[i];
        *counted = (struct counted){
            { run, NULL }, sender, server_loop(sender->server, i % N_LOOPS), 0, i
        };
        loop_post(counted->loop, &counted->task);
    }
    return NULL;
}

static void test_tasks(struct server *server)
{
    struct sender *senders = calloc(N_THREADS, sizeof(*senders));
    pthread_t threads[N_THREADS];

    sem_init(&all_done, 0, 0);
    for (unsigned i = 0; i < N_THREADS; i++) {
        senders[i].server = server;
        senders[i].number = i;
        pthread_create(&threads[i], NULL, send_all, &senders[i]);
    }
    for (unsigned i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    sem_wait(&all_done);
    is_int(n_run, N_THREADS * N_TASKS,
           "every task of every thread is run, as often as it is posted");
    is_int(n_wrong, 0, "on its loop's thread, those of one sender in order");
    sem_destroy(&all_done);
    free(senders);
}

/* --- tasks of a loop that has ended */

static void run_late(struct loop_task *task)
{
    n_run++;
}

static void test_late(struct server *server)
{
    struct loop_task late = { run_late, NULL };

    n_run = 0;
    server_stop(server);
    loop_post(server_loop(server, 1), &late);
    is_int(n_run, 0, "a task for a loop that has ended waits");
    server_free(server);
    is_int(n_run, 1, "and is run when the server is freed");
}

/* --- answers from other threads */

static pthread_t answerers[64];
static unsigned n_answerers; /* loop 0's */

static void *answer(void *arg)
{
    struct http_ticket *ticket = arg;
    struct http_response response = { .body = "later", .n_body = 5 };

    ticket->answer(ticket, &response);
    return NULL;
}

static int later_handler(struct http_request *request, struct http_response *response)
{
    pthread_create(&answerers[n_answerers++], NULL, answer, request->later(request));
    return HTTP_LATER;
}

static struct http_ticket *kept;
static sem_t is_kept;

static int keep_handler(struct http_request *request, struct http_response *response)
{
    kept = request->later(request);
    sem_post(&is_kept);
    return HTTP_LATER;
}

static const struct route routes[] = {
    { "GET", "/later", AUTH_NONE, 0, later_handler, "" },
    { "GET", "/keep", AUTH_NONE, 0, keep_handler, "" },
};
static const struct blueprint blueprint = BLUEPRINT("test", "", routes);
static const struct blueprint *const blueprints[] = { &blueprint };

static int connect_to(const struct listener *listener)
{
    struct sockaddr_in address;
    socklen_t n = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (getsockname(listener->fd, (struct sockaddr *)&address, &n) < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        perror("# connect");
    return fd;
}

static bool ask(int fd, const char *path)
{
    char text[512];
    int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);

    return write(fd, text, (size_t)n) == n;
}

static bool is_answered(int fd)
{
    char text[1024];
    ssize_t n = read(fd, text, sizeof(text) - 1);

    text[n > 0 ? n : 0] = '\0';
    return strncmp(text, "HTTP/1.1 200", 12) == 0 && strstr(text, "later");
}

static void test_tickets(struct server *server, const struct listener *listener)
{
    enum { N = 16 };
    int fds[N], n_answered = 0;
    char text[1024];

    for (int i = 0; i < N; i++) {
        fds[i] = connect_to(listener);
        (void)ask(fds[i], "/later");
    }
    for (int i = 0; i < N; i++) {
        n_answered += is_answered(fds[i]);
        close(fds[i]);
    }
    is_int(n_answered, N, "what is answered on other threads arrives");

    sem_init(&is_kept, 0, 0);
    int fd = connect_to(listener);
    (void)ask(fd, "/keep");
    sem_wait(&is_kept);
    server_stop(server); /* does not wait for a promise for ever */
    ok(read(fd, text, sizeof(text)) > 12 && strncmp(text, "HTTP/1.1 503", 12) == 0,
       "who waits when the server ends is told 503");
    close(fd);
    for (unsigned i = 0; i < n_answerers; i++)
        pthread_join(answerers[i], NULL);
    (void)answer(kept);
    server_free(server);
    ok(true, "the answer that comes after the end is dropped");
    sem_destroy(&is_kept);
}

static struct server *start(const struct router *router, unsigned n_loops,
                            const struct listener *listeners, size_t n)
{
    struct server_options options = { .router = router,
                                      .n_loops = n_loops,
                                      .connections_max = 100,
                                      .request_timeout_ms = 10000,
                                      .handshake_timeout_ms = 1000,
                                      .user_timeout_ms = 5000 };
    struct server *server = NULL;

    is_int(server_new(&options, listeners, n, &server), 0, "a server is made");
    is_int(server_start(server), 0, "and starts");
    return server;
}

int main(void)
{
    static const char *const specs[] = { "http=127.0.0.1:0" };
    struct listener listeners[LISTENERS_MAX];
    struct router *router = NULL;

    log_setup(LOG_WARNING, NULL);
    is_int(router_new(blueprints, 1, NULL, stderr, &router), 0, "the routes are in order");
    struct server *server = start(router, N_LOOPS, NULL, 0);
    test_tasks(server);
    test_late(server);

    is_int(listeners_open(specs, 1, listeners), 1, "a listener is opened");
    test_tickets(start(router, 1, listeners, 1), listeners);
    server_free(NULL);
    router_free(router);
    return done_testing();
}
