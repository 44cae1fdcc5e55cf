/*
 * engine.c - threads for work that takes its time: recognition, synthesis, files
 *
 * A list under a mutex: it is held for a few instructions only, and a job costs
 * milliseconds, so a lock-free queue would buy nothing that could be measured.
 */
#include "services/engine.h"

#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NICE = 5 };

struct engine_thread {
    struct engine *engine;
    unsigned number;
    pthread_t thread;
};

struct engine {
    pthread_mutex_t mutex;
    pthread_cond_t work;
    struct engine_job *first, **last;
    size_t n_queued, queue_max;
    bool closing;
    unsigned n_threads; /* started */
    struct engine_thread threads[];
};

/* NULL when closing and nothing is left. */
static struct engine_job *take(struct engine *engine)
{
    pthread_mutex_lock(&engine->mutex);
    while (!engine->first && !engine->closing)
        pthread_cond_wait(&engine->work, &engine->mutex);

    struct engine_job *job = engine->first;
    if (job) {
        engine->first = job->next;
        if (!engine->first)
            engine->last = &engine->first;
        engine->n_queued--;
    }
    pthread_mutex_unlock(&engine->mutex);
    return job;
}

static void *engine_main(void *arg)
{
    const struct engine_thread *self = arg;
    struct engine_job *job;

    (void)pthread_setname_np(pthread_self(), "engine");
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE); /* of this thread alone, on Linux */
    while ((job = take(self->engine))) {
        job->run(job, self->number);
        job->done(job);
    }
    return NULL;
}

int engine_new(unsigned n_threads, size_t queue_max, struct engine **ret_engine)
{
    scoped(engine_free) struct engine *engine = calloc(1, sizeof(*engine) + n_threads * sizeof(engine->threads[0]));
    if (!engine)
        return -ENOMEM;

    pthread_mutex_init(&engine->mutex, NULL);
    pthread_cond_init(&engine->work, NULL);
    engine->last = &engine->first;
    engine->queue_max = queue_max;
    for (unsigned i = 0; i < n_threads; i++) {
        engine->threads[i] = (struct engine_thread){ .engine = engine, .number = i };
        int r = pthread_create(&engine->threads[i].thread, NULL, engine_main, &engine->threads[i]);
        if (r)
            return -r;
        engine->n_threads++;
    }
    *ret_engine = steal(&engine);
    return 0;
}

int engine_submit(struct engine *engine, struct engine_job *job)
{
    int r = 0;

    job->next = NULL;
    pthread_mutex_lock(&engine->mutex);
    if (engine->n_queued >= engine->queue_max) {
        r = -EAGAIN;
    } else {
        *engine->last = job;
        engine->last = &job->next;
        engine->n_queued++;
        pthread_cond_signal(&engine->work); /* locked: once the job is done, the engine may be freed */
    }
    pthread_mutex_unlock(&engine->mutex);
    return r;
}

void engine_free(struct engine *engine)
{
    if (!engine)
        return;
    pthread_mutex_lock(&engine->mutex);
    engine->closing = true;
    pthread_mutex_unlock(&engine->mutex);
    pthread_cond_broadcast(&engine->work);
    for (unsigned i = 0; i < engine->n_threads; i++)
        pthread_join(engine->threads[i].thread, NULL);
    pthread_cond_destroy(&engine->work);
    pthread_mutex_destroy(&engine->mutex);
    free(engine);
}
