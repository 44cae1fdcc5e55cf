/*
 * event_hooks.c - the thread that tells others what happened
 *
 *   feed ── next ──> one POST ──> taken: the next
 *                       │
 *                       └──> not taken: the same again, later; in the end a dead letter, and the next
 *
 * A cursor for each endpoint, and not a job for each event: whoever writes an event down writes nothing more for those
 * who are told, however many they are, and one that is dead costs nothing but the rows of the feed, which is bounded.
 * The cursor is written four times a second at most, so a daemon that is killed tells what it told last twice, under the
 * same ids, and none never.
 *
 * All events of an endpoint are in one order, one after the other: then "seq" only grows there, and a receiver needs
 * one number to know what he has. It costs a round trip each, which is more than a telephone brings.
 *
 * An endpoint is READY (something may be sent, at due_ms), ASKING, WRITING (a dead letter is kept or dropped, before
 * anything else is sent) or STOPPED (it said 410). What is wanted again of the dead letters goes before what is new.
 *
 * What is behind is passed by when the feed has no room for it any more: that is counted, kept, and said.
 */
#include "services/event_hooks_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "config.h"
#include "services/crm_events.h"
#include "utils/clock.h"

enum { CONNECT_MS = 5000 };

/* --- the round */

/* Returns: whether something of it is still elsewhere. */
static bool is_out(struct hook *hook)
{
    if (hook->state == ASKING)
        http_abort(&hook->call);
    return hook->state == ASKING || hook->is_keeping || (hook->state == WRITING && !hook->must_look);
}

static void *hooks_main(void *arg)
{
    struct event_hooks *hooks = arg;

    (void)pthread_setname_np(pthread_self(), "event hooks");
    for (;;) {
        inbox_arm(hooks->inbox);
        inbox_run(hooks->inbox);
        bool has_new = atomic_exchange(&hooks->has_new, false), is_stopping = hooks->is_stopping, has_out = false;
        uint64_t next_ms = UINT64_MAX, now_ms;

        for (size_t i = 0; i < hooks->n_hooks; i++) {
            struct hook *hook = &hooks->hooks[i];
            uint64_t hook_ms = is_stopping ? UINT64_MAX : hook_look_at(hook, has_new);
            has_out |= is_stopping && is_out(hook);
            next_ms = hook_ms < next_ms ? hook_ms : next_ms;
        }
        if (is_stopping && !has_out)
            return NULL;
        now_ms = clock_mono_ms();
        (void)inbox_wait(hooks->inbox, next_ms > now_ms ? next_ms - now_ms : 0);
    }
}

/* Writer thread. */
static void feed_changed(void *arg)
{
    struct event_hooks *hooks = arg;

    hooks->has_new = true;
    inbox_ring(hooks->inbox);
}

/* --- beginning and end */

struct first_op {
    struct db_op op; /* first */
    struct event_hooks *hooks;
};

/* Where each goes on; a new one where the feed ends. */
static int run_first(struct db_txn *txn, struct db_op *op)
{
    struct event_hooks *hooks = ((struct first_op *)op)->hooks;
    uint64_t first, last;
    int r = crm_events_range(txn, &first, &last);

    for (size_t i = 0; r == 0 && i < hooks->n_hooks; i++) {
        struct hook *hook = &hooks->hooks[i];
        r = hook_state_get(txn, hook->place.name, &hook->at);
        if (r == -ENOENT) {
            hook->at = (struct hook_place_state){ .seq = last };
            r = hook_state_put(txn, hook->place.name, &hook->at);
        }
        hook->kept = hook->at;
    }
    return r;
}

static int build_hook(struct hook *hook, struct http_client *client, const struct hook_place *place)
{
    struct http_provider_options options = { .base_url = place->url, .connect_ms = CONNECT_MS, .is_unguarded = true };

    hook->place = *place;
    hook->last_why = "";
    return http_provider_new(client, &options, &hook->provider);
}

int event_hooks_new(const struct config *config, struct http_client *client, struct db *db, struct event_hooks **ret_hooks)
{
    scoped(event_hooks_free) struct event_hooks *hooks = calloc(1, sizeof(*hooks));
    struct hook_list list;

    if (!hooks)
        return -ENOMEM;
    hooks->config = config;
    hooks->db = db;
    int r = hook_list_parse(config->event_webhook_url, &list) ? -EINVAL : inbox_new(&hooks->inbox);
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        hooks->hooks[i].hooks = hooks;
        hooks->n_hooks++;
        r = build_hook(&hooks->hooks[i], client, &list.places[i]);
    }
    if (r < 0)
        return r;
    *ret_hooks = steal(&hooks);
    return 0;
}

/* What was left over when it stopped is done again, from where the store says. */
static void begin_hook(struct hook *hook)
{
    if (hook->state != STOPPED)
        hook->state = READY;
    json_object_put(steal(&hook->body));
    hook->must_look = true;
    hook->due_ms = 0;
    hook->seq = hook->at.seq;
    hook->n_missed = hook->at.n_missed;
}

int event_hooks_start(struct event_hooks *hooks)
{
    struct first_op first = { .op = { .run = run_first, .what = "where endpoints go on" }, .hooks = hooks };

    if (!hooks)
        return 0;
    hooks->is_stopping = false;
    int r = db_write(hooks->db, &first.op);
    for (size_t i = 0; r == 0 && i < hooks->n_hooks; i++)
        begin_hook(&hooks->hooks[i]);
    if (r == 0)
        r = db_watch(hooks->db, DB_EVENTS, feed_changed, hooks);
    hooks->is_watching = r == 0;
    if (r == 0)
        r = -pthread_create(&hooks->thread, NULL, hooks_main, hooks);
    hooks->is_running = r == 0;
    if (r < 0)
        event_hooks_stop(hooks);
    return r;
}

void event_hooks_stop(struct event_hooks *hooks)
{
    if (!hooks)
        return;
    hooks->is_stopping = true;
    if (hooks->is_running) {
        inbox_ring(hooks->inbox);
        pthread_join(hooks->thread, NULL);
    }
    if (hooks->is_watching)
        (void)db_watch(hooks->db, DB_EVENTS, NULL, NULL);
    for (size_t i = 0; hooks->is_running && i < hooks->n_hooks; i++) {
        struct hook *hook = &hooks->hooks[i];
        struct db_op op = { .run = hook_run_keep, .what = "how far an endpoint was told" };
        hook->keep_op = op;
        hook->keeping = hook->at;
        if (!hook_is_kept(hook))
            (void)db_write(hooks->db, &hook->keep_op);
    }
    hooks->is_running = hooks->is_watching = false;
}

void event_hooks_free(struct event_hooks *hooks)
{
    if (!hooks)
        return;
    event_hooks_stop(hooks);
    for (size_t i = 0; i < hooks->n_hooks; i++) {
        http_provider_free(hooks->hooks[i].provider);
        json_object_put(hooks->hooks[i].body);
    }
    if (hooks->inbox)
        inbox_unref(hooks->inbox);
    free(hooks);
}

/* --- for the others */

int event_hooks_resume(struct event_hooks *hooks, const char *name)
{
    for (size_t i = 0; hooks && i < hooks->n_hooks; i++)
        if (strcmp(hooks->hooks[i].place.name, name) == 0) {
            hooks->hooks[i].wants_resume = true;
            inbox_ring(hooks->inbox);
            return 0;
        }
    return -ENOENT;
}
