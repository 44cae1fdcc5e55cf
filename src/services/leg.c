/*
 * leg.c - one call's media between its loop and its speech worker
 *
 * References: the loop's until leg_release(), the worker's until leg_leave(). A word
 * that is queued on the loop, or the worker, goes on with the reference of that side:
 * who is done with a leg marks its word as queued, for good, and when it was queued
 * already it is the word that lets go. So a word that runs late still finds the leg,
 * sees that its side is done with it, and a frame costs no counting of references.
 *
 *   field              written by      read by
 *   inbound, outbound  see ring.c
 *   is_..._posted      both, exchange  both: the word is queued
 *   released           loop, once      worker: 0, or 1 + enum call_end
 *   on_outbound,
 *   out_user, is_new_in    loop        loop
 *   on_inbound,
 *   in_user, is_new_out,
 *   has_left               worker      worker
 *
 * is_..._posted are exchanged by both sides for the reason inbox.c gives for armed.
 */
#include "services/leg.h"

#include <errno.h>
#include <string.h>

enum { CACHE_LINE = 64 };

struct leg { /* four cache lines: all that a frame touches but for itself */
    struct inbox *inbox;
    struct loop *loop;
    struct bells *bells;
    void (*on_inbound)(void *user);
    void (*on_outbound)(struct leg *leg, void *user);
    void *in_user, *out_user;
    _Atomic int released;
    bool has_left;

    struct inbox_item in, out; /* the word that frames wait, to the worker and to the loop */
    _Atomic int is_in_posted, is_out_posted;
    _Atomic unsigned n_refs;
    bool is_new_in, is_new_out; /* frames were committed since the last flush */

    _Alignas(CACHE_LINE) struct ring inbound;
    _Alignas(CACHE_LINE) struct ring outbound;
    struct frame frames[]; /* of inbound, then of outbound */
};

static void leg_free(struct leg *leg)
{
    inbox_unref(leg->inbox);
    free(leg);
}

static void leg_unref(struct leg *leg)
{
    if (atomic_fetch_sub_explicit(&leg->n_refs, 1, memory_order_acq_rel) == 1)
        leg_free(leg);
}

/* Returns: false when the word is queued already, or its reader is done with the leg. */
static bool must_post(_Atomic int *is_posted)
{
    return !atomic_exchange_explicit(is_posted, 1, memory_order_acq_rel); /* pairs with those of the tasks */
}

/* Worker thread. */
static void inbound_task(struct inbox_item *item)
{
    struct leg *leg = (struct leg *)((char *)item - offsetof(struct leg, in));

    if (leg->has_left) {
        leg_unref(leg);
        return;
    }
    (void)atomic_exchange_explicit(&leg->is_in_posted, 0, memory_order_acq_rel); /* pairs with must_post() */
    if (leg->on_inbound)
        leg->on_inbound(leg->in_user);
}

/* Loop thread. */
static void outbound_task(struct loop_task *task)
{
    struct leg *leg = (struct leg *)((char *)task - offsetof(struct leg, out));

    if (atomic_load_explicit(&leg->released, memory_order_relaxed)) {
        leg_unref(leg);
        return;
    }
    (void)atomic_exchange_explicit(&leg->is_out_posted, 0, memory_order_acq_rel); /* pairs with must_post() */
    if (leg->on_outbound)
        leg->on_outbound(leg, leg->out_user);
}

int leg_new(const struct leg_options *options, struct leg **ret_leg)
{
    size_t n_bytes = sizeof(struct leg) + (options->n_inbound + options->n_outbound) * sizeof(struct frame);
    struct leg *leg = aligned_alloc(CACHE_LINE, (n_bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
    if (!leg)
        return -ENOMEM;

    *leg = (struct leg){
        .n_refs = 2,
        .loop = options->loop,
        .bells = options->bells,
        .in.run = inbound_task,
        .out.run = outbound_task,
    };
    int r = ring_init(&leg->inbound, leg->frames, options->n_inbound);
    if (r == 0)
        r = ring_init(&leg->outbound, leg->frames + options->n_inbound, options->n_outbound);
    if (r < 0) {
        free(leg);
        return r;
    }
    leg->inbox = inbox_ref(options->inbox);
    *ret_leg = leg;
    return 0;
}

void leg_on_outbound(struct leg *leg, void (*fn)(struct leg *leg, void *user), void *user)
{
    leg->on_outbound = fn;
    leg->out_user = user;
}

void leg_on_inbound(struct leg *leg, void (*fn)(void *user), void *user)
{
    leg->on_inbound = fn;
    leg->in_user = user;
}

/* An empty ring begins at its first slot. */
void leg_soon(const struct leg *leg)
{
    for (size_t at = 0; leg && at < sizeof(*leg) + sizeof(struct frame); at += CACHE_LINE)
        __builtin_prefetch((const char *)leg + at, 1);
}

void leg_outbound_soon(const struct leg *leg)
{
    for (size_t at = 0; leg && at < sizeof(struct frame); at += CACHE_LINE)
        __builtin_prefetch((const char *)leg->outbound.frames + at, 1);
}

struct frame *leg_inbound_slot(struct leg *leg, enum frame_kind kind)
{
    return ring_slot(&leg->inbound, kind);
}

void leg_inbound_commit(struct leg *leg)
{
    ring_commit(&leg->inbound);
    leg->is_new_in = true;
}

void leg_inbound_flush(struct leg *leg)
{
    if (!leg->is_new_in)
        return;
    leg->is_new_in = false;
    if (must_post(&leg->is_in_posted))
        loop_tell(leg->loop, leg->inbox, &leg->in);
}

const struct frame *leg_outbound_peek(struct leg *leg)
{
    return ring_peek(&leg->outbound);
}

void leg_outbound_pop(struct leg *leg)
{
    ring_pop(&leg->outbound);
}

void leg_release(struct leg *leg, int end)
{
    leg->on_outbound = NULL;
    atomic_store_explicit(&leg->released, 1 + end, memory_order_release); /* pairs with leg_released() */
    if (must_post(&leg->is_in_posted))
        inbox_post(leg->inbox, &leg->in);
    if (must_post(&leg->is_out_posted))
        leg_unref(leg);
}

size_t leg_inbound_n(const struct leg *leg)
{
    return ring_n(&leg->inbound);
}

size_t leg_inbound_size(const struct leg *leg)
{
    return ring_size(&leg->inbound);
}

const struct frame *leg_inbound_peek(struct leg *leg)
{
    return ring_peek(&leg->inbound);
}

void leg_inbound_pop(struct leg *leg)
{
    ring_pop(&leg->inbound);
}

struct frame *leg_outbound_slot(struct leg *leg, enum frame_kind kind)
{
    return ring_slot(&leg->outbound, kind);
}

void leg_outbound_commit(struct leg *leg)
{
    ring_commit(&leg->outbound);
    leg->is_new_out = true;
}

size_t leg_outbound_room(struct leg *leg)
{
    return ring_room(&leg->outbound);
}

void leg_outbound_flush(struct leg *leg)
{
    if (!leg->is_new_out || atomic_load_explicit(&leg->released, memory_order_relaxed))
        return;
    leg->is_new_out = false;
    if (must_post(&leg->is_out_posted))
        loop_put(leg->loop, &leg->out, leg->bells);
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
    leg->has_left = true;
    if (must_post(&leg->is_in_posted))
        leg_unref(leg);
}

uint64_t leg_dropped_in(const struct leg *leg)
{
    return ring_dropped(&leg->inbound);
}

uint64_t leg_dropped_out(const struct leg *leg)
{
    return ring_dropped(&leg->outbound);
}
