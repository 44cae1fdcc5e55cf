#pragma once
/*
 * reloading.h - who asked for a reload, and is told what came of it
 *
 * The route that is asked is on a loop; the main thread reloads, as on SIGHUP.
 */

#include "http.h"
#include "utils/scoped.h"

struct reloading;

int reloading_new(struct reloading **ret_reloading);
void reloading_free(struct reloading *reloading); /* who still waits is told that we stop */
SCOPED_PTR(struct reloading, reloading_free)

/*
 * Have the process reload; the ticket is answered when that is over. Thread: any.
 *
 * Errors: -EALREADY somebody has asked, and it is not over; the ticket is not taken then.
 */
int reloading_ask(struct reloading *reloading, struct http_ticket *ticket);

/* It is over. pid: who answers from here on; 0 it failed, and why says why. Thread: any. */
void reloading_tell(struct reloading *reloading, int pid, const char *why);
