/*
 * test_engine.c - a bounded queue for slow work
 */
#include "services/engine.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>

#include "tap.h"

enum { N_JOBS = 8, QUEUE_MAX = 4 };

struct job {
    struct engine_job super;
    sem_t *gate; /* NULL: it does not wait */
    _Atomic unsigned n_run, n_done;
    unsigned thread;
};

static sem_t all_done, begun;

static void run(struct engine_job *super, unsigned thread)
{
    struct job *job = (struct job *)super;

    job->thread = thread;
    if (job->gate) {
        sem_post(&begun);
        sem_wait(job->gate);
    }
    job->n_run++;
}

static void done(struct engine_job *super)
{
    struct job *job = (struct job *)super;

    job->n_done++;
    sem_post(&all_done);
}

static void test_bounds(void)
{
    scoped(engine_free) struct engine *engine = NULL;
    struct job jobs[N_JOBS] = { 0 };
    unsigned n_taken = 0, n_once = 0;
    sem_t gate;

    sem_init(&gate, 0, 0);
    is_int(engine_new(1, QUEUE_MAX, &engine), 0, "one thread starts");
    for (int i = 0; i < N_JOBS; i++)
        jobs[i].super = (struct engine_job){ .run = run, .done = done };
    jobs[0].gate = &gate;
    engine_submit(engine, &jobs[0].super);
    sem_wait(&begun); /* it is busy now, so that what follows must wait */
    for (int i = 1; i < N_JOBS; i++)
        n_taken += engine_submit(engine, &jobs[i].super) == 0;
    is_int(n_taken, QUEUE_MAX, "as many wait as may");
    is_int(engine_submit(engine, &jobs[N_JOBS - 1].super), -EAGAIN, "one more is refused at once");
    sem_post(&gate);
    for (int i = 0; i < 1 + QUEUE_MAX; i++)
        sem_wait(&all_done);
    for (int i = 0; i < N_JOBS; i++)
        n_once += jobs[i].n_run == 1 && jobs[i].n_done == 1;
    is_int(n_once, 1 + QUEUE_MAX, "what was taken ran once, the rest not at all");
    is_int(engine_submit(engine, &jobs[N_JOBS - 1].super), 0, "later there is room again");
    sem_wait(&all_done);
    sem_destroy(&gate);
}

static void test_threads(void)
{
    scoped(engine_free) struct engine *engine = NULL;
    struct job jobs[2] = { 0 };
    sem_t gate;

    sem_init(&gate, 0, 0);
    engine_new(2, QUEUE_MAX, &engine);
    for (int i = 0; i < 2; i++) {
        jobs[i] = (struct job){ .super = { .run = run, .done = done }, .gate = &gate };
        engine_submit(engine, &jobs[i].super);
    }
    sem_wait(&begun);
    sem_wait(&begun);
    ok(jobs[0].thread != jobs[1].thread && jobs[0].thread + jobs[1].thread == 1, "two jobs run side by side, each with its number");
    sem_post(&gate);
    sem_post(&gate);
    sem_wait(&all_done);
    sem_wait(&all_done);
    sem_destroy(&gate);
}

static void test_free(void)
{
    struct engine *engine = NULL;
    struct job jobs[QUEUE_MAX] = { 0 };
    unsigned n = 0;

    engine_new(1, QUEUE_MAX, &engine);
    for (int i = 0; i < QUEUE_MAX; i++) {
        jobs[i].super = (struct engine_job){ .run = run, .done = done };
        engine_submit(engine, &jobs[i].super);
    }
    engine_free(engine);
    for (int i = 0; i < QUEUE_MAX; i++)
        n += jobs[i].n_done;
    is_int(n, QUEUE_MAX, "what is queued is done before the threads end");
}

int main(void)
{
    sem_init(&all_done, 0, 0);
    sem_init(&begun, 0, 0);
    test_bounds();
    test_threads();
    test_free();
    return done_testing();
}
