#pragma once
/*
 * inbox.h - how other threads reach a worker
 *
 * A lock-free list of messages and the eventfd that wakes its owner; the bell rings for rings, too, whose
 * content the owner looks at by itself. Counted references: who may still ring keeps one, so that the
 * owner can end first.
 */

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

/* Queue an item without ringing: that is to follow. Thread: any. */
void inbox_put(struct inbox *inbox, struct inbox_item *item);

/*
 * Whom a thread will wake when it is done with what it is at, each of them once: who is woken finds everything then, and
 * is not woken again and again while it goes on. For one too many it rings at once.
 *
 * Thread: the one that owns the bells.
 */
enum { BELLS_MAX = 64 };
struct bells { /* all zero to begin with */
    struct inbox *inboxes[BELLS_MAX]; /* held */
    size_t n;
};
void bells_ask(struct bells *bells, struct inbox *inbox);
void bells_ring(struct bells *bells);

/*
 * The owner's round: arm, look at everything, wait. What arrives before the arming is seen by the look,
 * what arrives later ends the wait.
 */
void inbox_arm(struct inbox *inbox);
void inbox_run(struct inbox *inbox); /* run what is queued, in order of arrival */
/* Returns: 1 it rang, 0 the time is over. Over INT_MAX ms it waits for ever. */
int inbox_wait(struct inbox *inbox, uint64_t timeout_ms);

/* For an owner that waits on many things: readable when it rang; read it, arm, look, run. */
int inbox_fd(const struct inbox *inbox);
