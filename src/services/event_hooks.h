#pragma once
/*
 * event_hooks.h - the thread that tells others what happened: each event of the change feed, in order, at least once
 *
 * Whoever is told (EVENT_WEBHOOK_URL) gets a POST of the JSON that crm_event_shown() makes, signed as Standard Webhooks
 * describes it. Its id is the same however often it comes.
 */

#include <stddef.h>

#include "utils/scoped.h"

struct config;
struct db;
struct event_hooks;
struct http_client;
struct json_object;

/*
 * What is wrong with the settings of it that config.c cannot tell, since it knows no kinds of events.
 *
 * Returns: 0; -EINVAL and a line that begins with the setting's name.
 */
enum { EVENT_HOOKS_PROBLEM_MAX = 256 };
int event_hooks_check(const struct config *config, char ret_problem[EVENT_HOOKS_PROBLEM_MAX]);

/* config, client and db are lent. Errors: -errno. */
int event_hooks_new(const struct config *config, struct http_client *client, struct db *db, struct event_hooks **ret_hooks);

/*
 * Begin, or begin again: an endpoint that is new is told what happens from now on. Of the processes that share a store, only
 * who leads. Errors: -errno; it does not run then.
 */
int event_hooks_start(struct event_hooks *hooks);

/* NULL is fine for all. Nobody is told any more, and it is on disk how far each was. */
void event_hooks_stop(struct event_hooks *hooks);
void event_hooks_free(struct event_hooks *hooks);
SCOPED_PTR(struct event_hooks, event_hooks_free)

/*
 * Somebody has seen to an endpoint: what it did is forgotten, and it is asked at once. Also when dead letters of it are
 * wanted again. Thread: any. Errors: -ENOENT there is none of that name.
 */
int event_hooks_resume(struct event_hooks *hooks, const char *name);

/* {"NAME":{"state","seq","behind","taken","failed","given_up","missed","letters","error"},...}. Thread: any. NULL: no memory. */
struct json_object *event_hooks_status(struct event_hooks *hooks);
