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

/*
 * Ring when the loop's turn is over, once for all that was asked for in it: whoever is woken finds everything that the
 * turn brought, and is not woken again and again while it goes on.
 *
 * Thread: the loop's.
 */
void loop_ring_later(struct loop *loop, struct inbox *inbox);
