#pragma once
/* fake_loop.h - an event loop that only runs posted tasks, on the thread of the test */

#include <pthread.h>
#include <stddef.h>

#include "loop.h"
#include "utils/inbox.h"

struct loop {
    pthread_mutex_t mutex;
    struct loop_task *first, **last;
    struct inbox *bell;
    unsigned n_posted;
};

static int fake_loop_init(struct loop *loop)
{
    *loop = (struct loop){ .last = &loop->first };
    pthread_mutex_init(&loop->mutex, NULL);
    return inbox_new(&loop->bell);
}

static void fake_loop_done(struct loop *loop)
{
    inbox_unref(loop->bell);
    pthread_mutex_destroy(&loop->mutex);
}

void loop_post(struct loop *loop, struct loop_task *task)
{
    pthread_mutex_lock(&loop->mutex);
    task->next = NULL;
    *loop->last = task;
    loop->last = &task->next;
    loop->n_posted++;
    pthread_mutex_unlock(&loop->mutex);
    inbox_ring(loop->bell);
}

void loop_put(struct loop *loop, struct loop_task *task, struct bells *bells)
{
    loop_post(loop, task);
}

void loop_tell(struct loop *loop, struct inbox *inbox, struct inbox_item *item)
{
    inbox_post(inbox, item);
}

/* Run what was posted; wait at most so long for something. */
static void fake_loop_run(struct loop *loop, uint64_t timeout_ms)
{
    struct loop_task *task;

    inbox_arm(loop->bell);
    pthread_mutex_lock(&loop->mutex);
    task = loop->first;
    loop->first = NULL;
    loop->last = &loop->first;
    pthread_mutex_unlock(&loop->mutex);

    if (!task && timeout_ms)
        (void)inbox_wait(loop->bell, timeout_ms);
    while (task) {
        struct loop_task *next = task->next;
        task->run(task);
        task = next;
    }
}
