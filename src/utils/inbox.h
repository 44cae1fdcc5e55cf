#pragma once
/*
 * inbox.h - how other threads reach a worker
 *
 * A lock-free list of messages and the eventfd that wakes its owner; the bell rings for rings, too, whose
 * content the owner looks at by itself. Counted references: who may still ring keeps one, so that the
 * owner can end first.
 */

#include <stddef.h>
#include <stdint.h>

#include "utils/scoped.h"

struct inbox;

/* Embedded in whatever has to happen on the owner's thread; queued once at a time. */
struct inbox_item {
    void (*run)(struct inbox_item *item); /* on the owner's thread, by inbox_run() */
    struct inbox_item *next;              /* the inbox's while queued */
};

int inbox_new(struct inbox **ret_inbox); /* one reference, the owner's */
struct inbox *inbox_ref(struct inbox *inbox);
void inbox_unref(struct inbox *inbox);
SCOPED_PTR(struct inbox, inbox_unref)

/*
 * Wake the owner, or make his next inbox_wait() return at once.
 *
 * Thread: any. At most one system call between two inbox_arm()s, whoever rings how often.
 */
void inbox_ring(struct inbox *inbox);

/* Queue an item and ring. It is the inbox's until run() is called, and may be freed there. Thread: any. */
void inbox_post(struct inbox *inbox, struct inbox_item *item);

/*
 * What a thread has for others when it is done with what it is at: all items of one inbox are queued together, and its owner
 * is woken once, finds everything then, and is not woken again and again while it goes on. For one inbox too many the
 * others are served at once.
 *
 * Thread: the one that owns the bells; who keeps an item in them owns the item like an inbox.
 */
enum { BELLS_MAX = 64 };
struct bells { /* all zero to begin with */
    size_t n;
    struct bell {
        struct inbox *inbox; /* held */
        struct inbox_item *newest, *oldest; /* linked like those of an inbox; NULL: it is only to ring */
    } at[BELLS_MAX];
};
void bells_put(struct bells *bells, struct inbox *inbox, struct inbox_item *item); /* item NULL: ring only */
void bells_ring(struct bells *bells);

/*
 * The owner's round: arm, look at everything, wait. What arrives before the arming is seen by the look,
 * what arrives later ends the wait.
 */
void inbox_arm(struct inbox *inbox);
size_t inbox_run(struct inbox *inbox); /* run what is queued, in order of arrival; returns how many */
/* Returns: 1 it rang, 0 the time is over. Over INT_MAX ms it waits for ever. */
int inbox_wait(struct inbox *inbox, uint64_t timeout_ms);

/* For an owner that waits on many things: readable when it rang; read it, arm, look, run. */
int inbox_fd(const struct inbox *inbox);
