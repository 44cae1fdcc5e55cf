#pragma once
/*
 * loop.h - how other threads reach an event loop
 *
 * A loop is a thread of server.c that owns sockets, requests and WebSockets.
 */

#include <stdatomic.h>

#include "utils/inbox.h"

struct loop;

/*
 * Embedded in whatever has to happen on a loop; one task may be queued once at a time. It is an inbox's
 * item, since a loop is reached like a worker: run() is called on the loop's thread, never inside another callback.
 */
#define loop_task inbox_item

/*
 * Queue a task; at most one system call, none when the loop has been woken already.
 *
 * Owner:  the task is the loop's until run() is called, and the caller's again inside it.
 * Thread: any. Never blocks, never allocates. What is posted after the loop has ended runs in server_free().
 */
void loop_post(struct loop *loop, struct loop_task *task);

/* The same, but the loop is woken when the poster rings his bells. */
void loop_put(struct loop *loop, struct loop_task *task, struct bells *bells);

/* Queue an item of another thread's, who is woken when all that there is to read was read. Thread: the loop's. */
void loop_tell(struct loop *loop, struct inbox *inbox, struct inbox_item *item);
