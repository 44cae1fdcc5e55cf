/*
 * leg.c - one call's media between its loop and its speech worker
 *
 * References: the loop's until leg_release(), the worker's until leg_leave(), and
 * a third while the outbound task is queued on the loop, so that a task that runs
 * late still finds the leg, sees that it was released and does nothing.
 *
 *   field              written by      read by
 *   inbound, outbound  see ring.c
 *   posted             both, exchange  both: the task is queued
 *   released           loop, once      worker: 0, or 1 + enum call_end
 *   left               worker, once    loop: nobody drains inbound any more
 *   on_outbound, user,
 *   is_new_in          loop            loop
 *   is_new_out         worker          worker
 *
 * posted is exchanged by both sides for the reason inbox.c gives for armed.
 */
#include "services/leg.h"

#include <errno.h>
#include <string.h>


struct leg {
    _Atomic unsigned n_refs;
    _Atomic int posted, released, left;
    struct ring *inbound, *outbound;
    struct inbox *inbox;
    struct loop *loop;
    struct bells *bells;
    struct loop_task task;
    void (*on_outbound)(struct leg *leg, void *user);
    void *user;
    bool is_new_in, is_new_out; /* frames were committed since the last flush */
};

static void leg_free(struct leg *leg)
{
    ring_free(leg->inbound);
    ring_free(leg->outbound);
    if (leg->inbox)
        inbox_unref(leg->inbox);
    free(leg);
}

static void leg_unref(struct leg *leg)
{
    if (atomic_fetch_sub_explicit(&leg->n_refs, 1, memory_order_acq_rel) == 1)
        leg_free(leg);
}

/* Loop thread. */
static void outbound_task(struct loop_task *task)
{
    struct leg *leg = (struct leg *)((char *)task - offsetof(struct leg, task));

    (void)atomic_exchange_explicit(&leg->posted, 0, memory_order_acq_rel); /* pairs with leg_outbound_flush() */
    if (leg->on_outbound && !atomic_load_explicit(&leg->released, memory_order_relaxed))
        leg->on_outbound(leg, leg->user);
    leg_unref(leg);
}

int leg_new(const struct leg_options *options, struct leg **ret_leg)
{
    struct leg *leg = calloc(1, sizeof(*leg));
    if (!leg)
        return -ENOMEM;

    int r = ring_new(options->n_inbound, &leg->inbound);
    if (r == 0)
        r = ring_new(options->n_outbound, &leg->outbound);
    if (r < 0) {
        leg_free(leg);
        return r;
    }
    leg->n_refs = 2;
    leg->inbox = inbox_ref(options->inbox);
    leg->loop = options->loop;
    leg->bells = options->bells;
    leg->task.run = outbound_task;
    *ret_leg = leg;
    return 0;
}

void leg_on_outbound(struct leg *leg, void (*fn)(struct leg *leg, void *user), void *user)
{
    leg->on_outbound = fn;
    leg->user = user;
}

struct frame *leg_inbound_slot(struct leg *leg, enum frame_kind kind)
{
    return ring_slot(leg->inbound, kind);
}

void leg_inbound_commit(struct leg *leg)
{
    ring_commit(leg->inbound);
    leg->is_new_in = true;
}

void leg_inbound_flush(struct leg *leg)
{
    if (!leg->is_new_in)
        return;
    leg->is_new_in = false;
    if (!atomic_load_explicit(&leg->left, memory_order_relaxed))
        loop_ring_later(leg->loop, leg->inbox);
}

const struct frame *leg_outbound_peek(struct leg *leg)
{
    return ring_peek(leg->outbound);
}

void leg_outbound_pop(struct leg *leg)
{
    ring_pop(leg->outbound);
}

void leg_release(struct leg *leg, int end)
{
    leg->on_outbound = NULL;
    atomic_store_explicit(&leg->released, 1 + end, memory_order_release); /* pairs with leg_released() */
    inbox_ring(leg->inbox);
    leg_unref(leg);
}

size_t leg_inbound_n(const struct leg *leg)
{
    return ring_n(leg->inbound);
}

size_t leg_inbound_size(const struct leg *leg)
{
    return ring_size(leg->inbound);
}

const struct frame *leg_inbound_peek(struct leg *leg)
{
    return ring_peek(leg->inbound);
}

void leg_inbound_pop(struct leg *leg)
{
    ring_pop(leg->inbound);
}

struct frame *leg_outbound_slot(struct leg *leg, enum frame_kind kind)
{
    return ring_slot(leg->outbound, kind);
}

void leg_outbound_commit(struct leg *leg)
{
    ring_commit(leg->outbound);
    leg->is_new_out = true;
}

size_t leg_outbound_room(struct leg *leg)
{
    return ring_room(leg->outbound);
}

void leg_outbound_flush(struct leg *leg)
{
    if (!leg->is_new_out || atomic_load_explicit(&leg->released, memory_order_relaxed))
        return;
    leg->is_new_out = false;
    if (atomic_exchange_explicit(&leg->posted, 1, memory_order_acq_rel)) /* pairs with outbound_task() */
        return;
    atomic_fetch_add_explicit(&leg->n_refs, 1, memory_order_relaxed);
    loop_put(leg->loop, &leg->task, leg->bells);
}

int leg_released(const struct leg *leg, int *ret_end)
{
    int released = atomic_load_explicit(&leg->released, memory_order_acquire); /* pairs with leg_release() */

    if (!released)
        return 0;
    *ret_end = released - 1;
    return 1;
}

void leg_leave(struct leg *leg)
{
    atomic_store_explicit(&leg->left, 1, memory_order_relaxed); /* saves wake-ups; nothing depends on it */
    leg_unref(leg);
}

uint64_t leg_dropped_in(const struct leg *leg)
{
    return ring_dropped(leg->inbound);
}

uint64_t leg_dropped_out(const struct leg *leg)
{
    return ring_dropped(leg->outbound);
}
