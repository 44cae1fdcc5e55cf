#pragma once
/*
 * loop.h - how other threads reach an event loop
 *
 * A loop is a thread of server.c that owns sockets, requests and WebSockets.
 */

#include <stdatomic.h>

struct loop;

/* Embedded in whatever has to happen on a loop; one task may be queued once at a time. */
struct loop_task {
    void (*run)(struct loop_task *task); /* on the loop's thread, never inside another callback */
    struct loop_task *next;              /* the loop's while queued */
};

/*
 * Queue a task; at most one system call, none when the loop is already awake for others.
 *
 * Owner:  the task is the loop's until run() is called, and the caller's again inside it.
 * Thread: any. Never blocks, never allocates.
 */
void loop_post(struct loop *loop, struct loop_task *task);
