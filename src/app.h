#pragma once
/*
 * app.h - the app factory: everything is built here, once, in order
 *
 * Thread: the one that built it, for all calls.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "db.h"
#include "router.h"
#include "succession.h"

struct app;
struct config;

struct app_options {
    const struct config *config; /* lent */
    const char *const *listen;   /* NAME=ADDRESS, beside what systemd passed */
    size_t n_listen;
    bool is_successor; /* listeners were passed by who hands over to us; listen is what he was told */
    int lead_fd;       /* his; 0 none; the app's from here on */
};

/*
 * Builds everything, and does nothing yet that shows outside: app_lead() and app_start() follow.
 *
 * Errors: -errno with the reason logged; nothing is left then. Signals should be blocked: threads inherit that. */
int app_new(const struct app_options *options, struct app **ret_app);

/*
 * Do what only one of those may who share the store: what is owed, what comes by WhatsApp, closing calls that were lost.
 * When a process hands over: he yields; the next one leads; he steps down. When that one died: app_lead(), app_step_up().
 *
 * Errors: -EBUSY another one leads; others with the reason logged. Nothing is begun then.
 */
int app_lead(struct app *app);
void app_yield(struct app *app);     /* the lock stays ours, too */
void app_step_down(struct app *app); /* let the lock go, stop accepting; calls and connections go on */
void app_step_up(struct app *app);   /* accept again */

/* Start who comes after us, with our sockets. Errors: -errno. */
int app_pass_on(struct app *app, const struct program *program, struct successor *ret_successor);
void app_tell_reload(struct app *app, int pid, const char *why); /* reloading_tell() */

/* The other processes that share the store. Returns: how many. */
unsigned app_others(struct app *app, int ret_pids[DB_GENERATIONS_MAX]);

/* Accept; returns at once. */
int app_start(struct app *app);

/* Replace what can be replaced: the certificate. A failing part keeps what it has. */
int app_reload(struct app *app);

/* Every few seconds: whether the certificate was replaced; who leads looks after the store, too. */
void app_second(struct app *app);

/* All threads go round. */
bool app_is_alive(struct app *app);

/* No new calls; those that live go on. */
void app_drain(struct app *app);
unsigned app_n_calls(struct app *app); /* calls and streams that still live */
bool app_is_idle(struct app *app);     /* none, and nobody is connected */

/* Stop accepting, close the calls, join the workers, commit the store. Then free. */
void app_free(struct app *app);
SCOPED_PTR(struct app, app_free)

/* The one table of all blueprints; see router_new(). context may be NULL when only the table is wanted. */
int app_router(void *context, FILE *problems, struct router **ret_router);
