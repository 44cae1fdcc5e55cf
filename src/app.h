#pragma once
/*
 * app.h - the app factory: everything is built here, once, in order
 *
 * Thread: the one that built it, for all calls.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "router.h"

struct app;
struct config;

struct app_options {
    const struct config *config; /* lent */
    const char *const *listen;   /* NAME=ADDRESS, beside what systemd passed */
    size_t n_listen;
};

/* Errors: -errno with the reason logged; nothing is left then. Signals should be blocked: threads inherit that. */
int app_new(const struct app_options *options, struct app **ret_app);

/* Accept; returns at once. */
int app_start(struct app *app);

/* Replace what can be replaced: the certificate. A failing part keeps what it has. */
int app_reload(struct app *app);

/* Once a second or so: looks whether the certificate was replaced. */
void app_second(struct app *app);

/* All threads go round. */
bool app_is_alive(struct app *app);

/* No new calls; those that live go on. */
void app_drain(struct app *app);
unsigned app_n_calls(struct app *app); /* calls and streams that still live */

/* Stop accepting, close the calls, join the workers, commit the store. Then free. */
void app_free(struct app *app);
SCOPED_PTR(struct app, app_free)

/* The one table of all blueprints; see router_new(). context may be NULL when only the table is wanted. */
int app_router(void *context, FILE *problems, struct router **ret_router);
