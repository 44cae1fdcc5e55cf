/*
 * test_aside.c - what reads the store does not run on a loop, and is answered all the same
 */
#include "routes/aside.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>

#include "app.h"
#include "fake_request.h"
#include "services/engine.h"
#include "services/services.h"
#include "tap.h"

static struct services services;
static sem_t entered, let_go, answered;
static pthread_t ran_on;

/* --- handlers that wait until they are told; ?ERRNO fails */

static int hold(struct http_request *request)
{
    ran_on = pthread_self();
    sem_post(&entered);
    sem_wait(&let_go);
    return -atoi(request->query);
}

static int done_handler(struct http_request *request, struct http_response *response)
{
    int r = hold(request);

    response->body = request->param;
    response->n_body = strlen(request->param);
    return r;
}

static int later_handler(struct http_request *request, struct http_response *response)
{
    int r = hold(request);
    struct http_ticket *ticket = r < 0 ? NULL : request->later(request);

    if (!ticket)
        return r;
    response->status = request->n_fields || request->n_body ? 500 : 202;
    response->body = request->request_id;
    response->n_body = strlen(request->request_id);
    ticket->answer(ticket, response);
    return HTTP_LATER;
}

static const struct route routes[] = {
    { "GET", "/done/{id}", AUTH_NONE, 0, done_handler, "", NULL, ASIDE },
    { "GET", "/later", AUTH_NONE, 0, later_handler, "", NULL, ASIDE },
};
static const struct blueprint held = BLUEPRINT("held", "", routes);
static const struct blueprint *const blueprints[] = { &held };

static void tell_answer(struct http_ticket *ticket, const struct http_response *response)
{
    fake_answer(ticket, response);
    sem_post(&answered);
}

static const struct {
    const char *what, *path, *query;
    int status;
    const char *body; /* NULL: whatever it says */
} rows[] = {
    { "a handler that is done", "/done/seven", "0", 200, "seven" },
    { "one that fails", "/done/seven", "2", 404, NULL },
    { "one that promised", "/later", "0", 202, "test" },
    { "one that fails before it promised", "/later", "16", 503, NULL },
};

static void test_answers(const struct router *router)
{
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct fake_request fake;
        struct http_response response = { 0 };
        char error[HTTP_ERROR_MAX], path[32], query[8];

        fake_request(&fake, "GET", strcpy(path, rows[i].path), "body", &services);
        fake.request.query = strcpy(query, rows[i].query);
        fake.request.n_body = 0;
        fake_field(&fake, "accept", "*/*");
        fake.ticket.answer = tell_answer;
        is_int(router_dispatch(router, &fake.request, &response, error), HTTP_LATER, rows[i].what);
        sem_wait(&entered);
        ok(!pthread_equal(ran_on, pthread_self()) && fake.n_answers == 0, "runs while the loop has gone on");
        memset(path, 'x', sizeof(path) - 1), memset(query, 'x', sizeof(query) - 1); /* the client has gone */
        sem_post(&let_go);
        sem_wait(&answered);
        is_int(fake.response.status ?: 200, rows[i].status, "and is answered,");
        is_int(fake.n_answers, 1, "once");
        if (rows[i].body)
            is_str(fake.body, rows[i].body, "with what it had to say");
    }
}

/* One runs, ASIDE_WAITING_MAX wait, and there is no room for more. */
static void test_bound(const struct router *router)
{
    enum { N = ASIDE_WAITING_MAX + 2 };
    struct fake_request *fakes = calloc(N, sizeof(*fakes));
    char error[HTTP_ERROR_MAX];
    int n_taken = 0, n_right = 0;

    for (int i = 0; i < N; i++) {
        struct http_response response = { 0 };
        fake_request(&fakes[i], "GET", "/done/x", NULL, &services);
        fakes[i].request.query = "0";
        fakes[i].ticket.answer = i == N - 1 ? fake_answer : tell_answer;
        n_taken += router_dispatch(router, &fakes[i].request, &response, error) == HTTP_LATER;
        if (i == 0)
            sem_wait(&entered); /* it does not wait any more */
    }
    is_int(n_taken, N, "many requests");
    is_int(fakes[N - 1].response.status, 503, "one too many is told so at once");
    for (int i = 0; i < N - 1; i++)
        sem_post(&let_go);
    for (int i = 0; i < N - 1; i++)
        sem_wait(&answered);
    for (int i = 0; i < N - 1; i++)
        n_right += fakes[i].n_answers == 1 && strcmp(fakes[i].body, "x") == 0;
    is_int(n_right, N - 1, "all others are answered");
    free(fakes);
}

static void test_memory(const struct router *router)
{
    struct fake_request fake;
    struct http_response response = { 0 };
    char error[HTTP_ERROR_MAX];

    fake_request(&fake, "GET", "/later", NULL, &services);
    fake.later_fails = 1;
    is_int(router_dispatch(router, &fake.request, &response, error), HTTP_DONE, "without memory for a promise");
    is_int(response.status, 500, "it is refused");
}

/* --- the daemon's own rows */

static int check_place(const struct route *route, const char *path, void *arg)
{
    static const char *const quick[] = { "/health", "/ws/twilio-media" };
    bool is_quick = strcmp(route->method, "GET") != 0;

    for (size_t i = 0; i < ELEMENTSOF(quick); i++)
        is_quick |= strcmp(path, quick[i]) == 0;
    ok((route->place == ON_LOOP) == is_quick, "%s %s runs %s", route->method, path, is_quick ? "on the loop" : "aside");
    return 0;
}

static void test_rows(void)
{
    scoped(router_free) struct router *router = NULL;

    is_int(app_router(NULL, stdout, &router), 0, "the daemon's routes");
    is_int(router_each(router, check_place, NULL), 0, "were all looked at");
}

int main(void)
{
    scoped(router_free) struct router *router = NULL;

    sem_init(&entered, 0, 0), sem_init(&let_go, 0, 0), sem_init(&answered, 0, 0);
    if (router_new(blueprints, 1, &services, stderr, &router) < 0 || engine_new(1, ASIDE_WAITING_MAX, &services.read_engine) < 0)
        return 1;
    router_set_aside(router, aside_take);
    test_answers(router);
    test_bound(router);
    test_memory(router);
    engine_free(services.read_engine);
    test_rows();
    return done_testing();
}
