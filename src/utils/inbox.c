/*
 * inbox.c - how other threads reach a worker
 *
 * Items are pushed on a stack by compare and swap; the owner takes the whole
 * stack at once and turns it round, which makes it a queue per sender.
 *
 * armed says that the owner is about to sleep or sleeping. Both sides change it
 * by an exchange, and exchanges of one variable have one order: either the
 * sender's comes first, then the owner's arming reads it and all that the sender
 * wrote before is visible to the look that follows; or the owner's comes first,
 * then the sender finds 1 and writes to the eventfd. There is no third case.
 */
#include "utils/inbox.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

struct inbox {
    _Atomic unsigned n_refs;
    int fd;
    _Atomic int armed;
    _Atomic(struct inbox_item *) top;
};

int inbox_new(struct inbox **ret_inbox)
{
    struct inbox *inbox = calloc(1, sizeof(*inbox));
    if (!inbox)
        return -ENOMEM;

    inbox->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (inbox->fd < 0) {
        int r = -errno;
        free(inbox);
        return r;
    }
    inbox->n_refs = 1;
    *ret_inbox = inbox;
    return 0;
}

struct inbox *inbox_ref(struct inbox *inbox)
{
    atomic_fetch_add_explicit(&inbox->n_refs, 1, memory_order_relaxed);
    return inbox;
}

void inbox_unref(struct inbox *inbox)
{
    if (atomic_fetch_sub_explicit(&inbox->n_refs, 1, memory_order_acq_rel) > 1)
        return;
    close(inbox->fd);
    free(inbox);
}

void inbox_ring(struct inbox *inbox)
{
    if (atomic_exchange_explicit(&inbox->armed, 0, memory_order_acq_rel)) /* pairs with inbox_arm() */
        (void)eventfd_write(inbox->fd, 1);
}

/* newest to oldest are linked; oldest goes on top of what is there. */
static void push(struct inbox *inbox, struct inbox_item *newest, struct inbox_item *oldest)
{
    oldest->next = atomic_load_explicit(&inbox->top, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&inbox->top, &oldest->next, newest, memory_order_release,
                                                  memory_order_relaxed)) /* pairs with inbox_run() */
        ;
}

/* Whoever runs the item may let go of the inbox for good before the bell was rung. */
void inbox_post(struct inbox *inbox, struct inbox_item *item)
{
    scoped(inbox_unref) struct inbox *held = inbox_ref(inbox);

    push(inbox, item, item);
    inbox_ring(inbox);
}

static struct bell *bell_of(struct bells *bells, struct inbox *inbox)
{
    for (size_t i = 0; i < bells->n; i++)
        if (bells->at[i].inbox == inbox)
            return &bells->at[i];
    if (bells->n == BELLS_MAX)
        bells_ring(bells);
    struct bell *bell = &bells->at[bells->n++];
    *bell = (struct bell){ .inbox = inbox_ref(inbox) };
    return bell;
}

void bells_put(struct bells *bells, struct inbox *inbox, struct inbox_item *item)
{
    struct bell *bell = bell_of(bells, inbox);

    if (!item)
        return;
    item->next = bell->newest;
    bell->newest = item;
    if (!bell->oldest)
        bell->oldest = item;
}

void bells_ring(struct bells *bells)
{
    while (bells->n) {
        struct bell bell = bells->at[--bells->n];

        if (bell.newest)
            push(bell.inbox, bell.newest, bell.oldest);
        inbox_ring(bell.inbox);
        inbox_unref(bell.inbox);
    }
}

void inbox_arm(struct inbox *inbox)
{
    (void)atomic_exchange_explicit(&inbox->armed, 1, memory_order_acq_rel); /* pairs with inbox_ring() */
}

size_t inbox_run(struct inbox *inbox)
{
    struct inbox_item *item = atomic_exchange_explicit(&inbox->top, NULL, memory_order_acquire);
    struct inbox_item *oldest = NULL;
    size_t n = 0;

    while (item) {
        struct inbox_item *next = item->next;
        item->next = oldest;
        oldest = item;
        item = next;
    }
    for (; oldest; n++) {
        struct inbox_item *next = oldest->next;
        __builtin_prefetch(next);
        oldest->run(oldest);
        oldest = next;
    }
    return n;
}

int inbox_wait(struct inbox *inbox, uint64_t timeout_ms)
{
    struct pollfd bell = { .fd = inbox->fd, .events = POLLIN };
    eventfd_t n;

    if (poll(&bell, 1, timeout_ms > INT_MAX ? -1 : (int)timeout_ms) <= 0)
        return 0; /* also when a signal came: the owner looks round again */
    (void)eventfd_read(inbox->fd, &n);
    return 1;
}

int inbox_fd(const struct inbox *inbox)
{
    return inbox->fd;
}
