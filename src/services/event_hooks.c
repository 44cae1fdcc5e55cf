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
#include "services/event_hooks.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <json-c/json.h>

#include "config.h"
#include "services/crm_events.h"
#include "services/hook_policy.h"
#include "services/hook_store.h"
#include "services/http_client.h"
#include "services/webhook_signature.h"
#include "utils/clock.h"
#include "utils/inbox.h"
#include "utils/json.h"
#include "utils/log.h"

enum {
    CONNECT_MS = 5000,
    FIRST_BYTE_MS = 15000,
    STALL_MS = 5000,
    TOTAL_MS = 20000,
    ANSWER_MAX = 64 * KIB, /* of one that is no 2xx; nothing of it is looked at */
    KEEP_MS = 250,         /* between two writes of a cursor */
    HOLD_MS = 1000,        /* until what could not be read or written is tried again */
};

enum state { READY, ASKING, WRITING, STOPPED };

struct hook {
    struct event_hooks *hooks;
    struct hook_place place;
    struct http_provider *provider;
    _Atomic enum state state;
    bool must_look;  /* READY: there may be something, whatever due_ms says */
    uint64_t due_ms; /* mono */
    struct hook_standing standing;
    struct hook_place_state at, kept; /* as it is, and as it is on disk */
    uint64_t kept_ms;                 /* mono; of the last writing */
    bool is_hurried;                  /* ASKING: when it fails, it is asked again at once */
    bool is_late;                     /* events passed him by, and it was said */

    /* what is asked */
    struct letter letter; /* the event, and that it was one already */
    bool is_letter;
    struct http_call call;
    struct http_header headers[3];
    char id[EVENT_ID_MAX], seconds[24], signature[WEBHOOK_SIGNATURE_MAX];
    struct json_object *body;
    struct inbox_item answered;

    struct db_op keep_op, letter_op;
    struct inbox_item keep_home, letter_home;
    int keep_r, letter_r;
    struct hook_place_state keeping;
    bool is_keeping, drops_letter;

    _Atomic bool wants_resume; /* another thread says so */
    _Atomic uint64_t seq, n_missed, n_taken, n_failed, n_given_up; /* for the status */
    _Atomic unsigned n_in_a_row, last_status;
    const char *_Atomic last_why; /* static; "" nothing is wrong */
};

struct event_hooks {
    const struct config *config;
    struct db *db;
    struct inbox *inbox;
    pthread_t thread;
    bool is_running, is_watching;
    _Atomic bool has_new, is_stopping;
    size_t n_hooks;
    struct hook hooks[HOOKS_MAX];
};

static const char *explain(const struct hook *hook, char *ret_text, size_t size)
{
    unsigned status = hook->last_status;

    if (status / 100 == 3)
        (void)snprintf(ret_text, size, "HTTP %u: it redirects, which is not followed; give the place itself", status);
    else if (status && status / 100 != 2)
        (void)snprintf(ret_text, size, "HTTP %u", status);
    else
        (void)snprintf(ret_text, size, "%s", hook->last_why);
    return ret_text;
}

static void set_at(struct hook *hook, uint64_t seq)
{
    hook->at.seq = seq;
    hook->seq = seq;
}

static void miss(struct hook *hook, uint64_t n)
{
    hook->at.n_missed += n;
    hook->n_missed = hook->at.n_missed;
}

/* --- the cursor on disk */

static struct hook *hook_of(void *part, size_t offset)
{
    return (struct hook *)((char *)part - offset);
}

static int run_keep(struct db_txn *txn, struct db_op *op)
{
    struct hook *hook = hook_of(op, offsetof(struct hook, keep_op));

    return hook_state_put(txn, hook->place.name, &hook->keeping);
}

/* Writer thread. */
static void keep_done(struct db_op *op, int r)
{
    struct hook *hook = hook_of(op, offsetof(struct hook, keep_op));

    hook->keep_r = r;
    inbox_post(hook->hooks->inbox, &hook->keep_home);
}

static void end_keep(struct hook *hook, int r)
{
    hook->is_keeping = false;
    hook->kept_ms = clock_mono_ms();
    if (r < 0)
        log_limited(LOG_ERR, NULL, "how far %s has been told cannot be kept: %s; it is tried again", hook->place.name,
                    strerrordesc_np(-r) ?: "unknown error");
    else
        hook->kept = hook->keeping;
}

static void keep_came(struct inbox_item *item)
{
    struct hook *hook = hook_of(item, offsetof(struct hook, keep_home));

    end_keep(hook, hook->keep_r);
}

static bool is_kept(const struct hook *hook)
{
    return hook->at.seq == hook->kept.seq && hook->at.n_missed == hook->kept.n_missed;
}

static void keep(struct hook *hook)
{
    hook->keeping = hook->at;
    hook->is_keeping = true;
    hook->keep_op = (struct db_op){ .run = run_keep, .done = keep_done, .what = "how far an endpoint was told" };
    hook->keep_home.run = keep_came;
    int r = db_submit(hook->hooks->db, &hook->keep_op);
    if (r < 0)
        end_keep(hook, r);
}

/* --- dead letters */

/* With the cursor behind it, so that it is there if and only if the event is not sent again from the feed. */
static int run_letter(struct db_txn *txn, struct db_op *op)
{
    struct hook *hook = hook_of(op, offsetof(struct hook, letter_op));
    struct hook_place_state state = hook->at;

    if (hook->drops_letter)
        return letter_drop(txn, hook->place.name, hook->letter.event.seq);
    int r = letter_put(txn, hook->place.name, &hook->letter);
    if (r < 0 || hook->is_letter)
        return r;
    state.seq = hook->letter.event.seq;
    state.n_missed += (uint64_t)r;
    int kept = hook_state_put(txn, hook->place.name, &state);
    return kept < 0 ? kept : r;
}

static void letter_done(struct db_op *op, int r)
{
    struct hook *hook = hook_of(op, offsetof(struct hook, letter_op));

    hook->letter_r = r;
    inbox_post(hook->hooks->inbox, &hook->letter_home);
}

static void end_letter(struct hook *hook, int r)
{
    if (r < 0) {
        log_limited(LOG_ERR, NULL, "a dead letter of %s cannot be kept: %s; it is tried again", hook->place.name,
                    strerrordesc_np(-r) ?: "unknown error");
        hook->due_ms = clock_mono_ms() + HOLD_MS;
        hook->must_look = true; /* WRITING: to be written again at due_ms */
        return;
    }
    if (!hook->drops_letter && !hook->is_letter) {
        miss(hook, (uint64_t)r);
        set_at(hook, hook->letter.event.seq);
        hook->kept = hook->at;
    }
    hook->state = READY;
    hook->must_look = true;
}

static void letter_came(struct inbox_item *item)
{
    struct hook *hook = hook_of(item, offsetof(struct hook, letter_home));

    end_letter(hook, hook->letter_r);
}

static void write_letter(struct hook *hook)
{
    hook->state = WRITING;
    hook->must_look = false;
    hook->letter_op = (struct db_op){ .run = run_letter, .done = letter_done, .what = "a dead letter" };
    hook->letter_home.run = letter_came;
    int r = db_submit(hook->hooks->db, &hook->letter_op);
    if (r < 0)
        end_letter(hook, r);
}

static void drop_letter(struct hook *hook)
{
    hook->drops_letter = true;
    write_letter(hook);
}

static void keep_letter(struct hook *hook)
{
    char why[LETTER_ERROR_MAX];

    hook->drops_letter = hook->letter.again = false;
    hook->letter.given_up_ms = clock_real_ms();
    (void)snprintf(hook->letter.error, sizeof(hook->letter.error), "%s", explain(hook, why, sizeof(why)));
    write_letter(hook);
}

static void give_up(struct hook *hook)
{
    char why[LETTER_ERROR_MAX];

    hook->n_given_up++;
    log_limited(LOG_ERR, NULL, "%s never took event %" PRIu64 " (%s): %s; `agentlocator events --failed` lists it", hook->place.name,
                hook->letter.event.seq, hook->letter.event.kind, explain(hook, why, sizeof(why)));
    keep_letter(hook);
}

/* --- what became of it */

static uint64_t age_of(const struct event *event)
{
    uint64_t now_ms = clock_real_ms();

    return now_ms > event->at_ms ? now_ms - event->at_ms : 0;
}

static void taken(struct hook *hook)
{
    if (hook->n_in_a_row)
        log_info("%s takes events again, after %u attempts", hook->place.name, hook->n_in_a_row);
    if (hook->is_late)
        log_warning(0, "%s has missed %" PRIu64 " events by now", hook->place.name, hook->at.n_missed);
    hook->is_late = false;
    hook->n_in_a_row = 0;
    hook->last_why = "";
    hook->last_status = 0;
    hook->n_taken++;
    hook->due_ms = 0;
    if (hook->is_letter) {
        drop_letter(hook);
        return;
    }
    set_at(hook, hook->letter.event.seq);
    hook->state = READY;
    hook->must_look = true;
}

static void not_taken(struct hook *hook, const struct http_call *call)
{
    char why[LETTER_ERROR_MAX];

    hook->last_why = call->why;
    hook->last_status = call->status;
    hook->n_failed++;
    if (hook->n_in_a_row++ == 0)
        log_warning(0, "%s does not take event %" PRIu64 ": %s; it is tried again, and what happens meanwhile waits", hook->place.name,
                    hook->letter.event.seq, explain(hook, why, sizeof(why)));
}

static void answered(struct inbox_item *item)
{
    struct hook *hook = hook_of(item, offsetof(struct hook, answered));
    struct http_call *call = &hook->call;
    struct hook_answer answer = {
        .status = call->status,
        .is_taken = call->r == 0,
        .retry_after_ms = (uint64_t)call->retry_after_ms,
    };
    uint32_t random = 0;
    uint64_t wait_ms;

    free(steal(&call->body));
    json_object_put(steal(&hook->body));
    hook->state = READY;
    hook->must_look = false;
    if (hook->hooks->is_stopping && !answer.is_taken)
        return;
    if (!answer.is_taken)
        not_taken(hook, call);
    (void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
    enum hook_verdict verdict = hook_judge(&hook->standing, &answer, age_of(&hook->letter.event), random, &wait_ms);
    hook->due_ms = clock_mono_ms() + (hook->is_hurried ? 0 : wait_ms);
    hook->is_hurried = false;
    if (verdict == HOOK_TAKEN) {
        taken(hook);
    } else if (verdict == HOOK_GONE) {
        hook->state = STOPPED;
        (void)log_err(0, "%s says that it is gone (HTTP 410): it is told nothing more until `agentlocator events --resume %s`, or a restart",
                      hook->place.name, hook->place.name);
    } else if (hook->is_letter) {
        keep_letter(hook);
    } else if (verdict == HOOK_GIVEN_UP) {
        give_up(hook);
    }
}

/* --- asking */

/* The http client's thread. */
static void call_ended(struct http_call *call)
{
    struct hook *hook = hook_of(call, offsetof(struct hook, call));

    inbox_post(hook->hooks->inbox, &hook->answered);
}

/* It took it: whatever else it says is not wanted. */
static int enough(struct http_call *call, const char *bytes, size_t n)
{
    return 1;
}

static int ask(struct hook *hook)
{
    const struct config *config = hook->hooks->config;
    uint64_t now_s = clock_real_ms() / 1000;
    size_t n;
    const char *text = json_print(hook->body, &n);

    if (!text)
        return -ENOMEM;
    event_id(&hook->letter.event, hook->id);
    (void)snprintf(hook->seconds, sizeof(hook->seconds), "%" PRIu64, now_s);
    int r = webhook_sign(config->event_webhook_secret, config->event_webhook_secret_next, hook->id, now_s, text, n, hook->signature);
    if (r < 0)
        return r;
    hook->headers[0] = (struct http_header){ "webhook-id", hook->id };
    hook->headers[1] = (struct http_header){ "webhook-timestamp", hook->seconds };
    hook->headers[2] = (struct http_header){ "webhook-signature", hook->signature };
    hook->call = (struct http_call){
        .provider = hook->provider,
        .content = text,
        .n_content = n,
        .content_type = "application/json",
        .headers = hook->headers,
        .n_headers = ELEMENTSOF(hook->headers),
        .first_byte_ms = FIRST_BYTE_MS,
        .stall_ms = STALL_MS,
        .total_ms = TOTAL_MS,
        .body_max = ANSWER_MAX,
        .on_bytes = enough,
        .done = call_ended,
    };
    hook->answered.run = answered;
    hook->state = ASKING;
    http_start(&hook->call);
    return 0;
}

/* --- looking */

/* What the feed has no room for any more. */
static void pass_by(struct hook *hook, uint64_t first, uint64_t last)
{
    if (hook->at.seq > last) { /* of a store that was replaced by an older one */
        set_at(hook, last);
        return;
    }
    if (!first || hook->at.seq + 1 >= first)
        return;
    miss(hook, first - hook->at.seq - 1);
    set_at(hook, first - 1);
    if (!hook->is_late)
        (void)log_err(0, "%s has missed events, which are %" PRIu64 " by now: the feed keeps %d, and more happened before it took them",
                      hook->place.name, hook->at.n_missed, DB_EVENTS_KEPT);
    hook->is_late = true;
}

/* Returns: 1 and what is to be told next, 0 nothing is. */
static int find_next(struct hook *hook, struct db_txn *txn)
{
    uint64_t first, last, before = hook->at.seq, seen = 0;
    struct letter letter = { .again = false };
    int r = letter_next_again(txn, hook->place.name, &letter);

    hook->is_letter = r > 0;
    if (r == 0)
        r = crm_events_range(txn, &first, &last);
    if (r == 0) {
        pass_by(hook, first, last);
        r = crm_event_next(txn, hook->at.seq, hook->hooks->config->event_webhook_kinds, &letter.event, &seen);
        if (r == 0)
            set_at(hook, seen);
    }
    hook->must_look = r == 0 && hook->at.seq - before >= EVENTS_LOOKED_AT_MAX; /* the search may have been given up */
    if (r > 0 && letter.event.seq != hook->letter.event.seq)
        hook->standing.n_refused = 0;
    if (r > 0)
        hook->letter = letter;
    return r;
}

static int take_next(struct hook *hook)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    int r = db_read_begin(hook->hooks->db, &txn);

    if (r == 0)
        r = find_next(hook, txn);
    return r > 0 ? crm_event_shown(txn, &hook->letter.event, &hook->body) ?: 1 : r;
}

/* READY, and it may be time. */
static void look(struct hook *hook, uint64_t now_ms)
{
    hook->must_look = false;
    int r = take_next(hook);
    if (r > 0 && !hook->is_letter && hook_is_too_late(&hook->standing, age_of(&hook->letter.event))) {
        json_object_put(steal(&hook->body));
        give_up(hook);
        return;
    }
    if (r > 0 && hook->due_ms > now_ms) {
        json_object_put(steal(&hook->body));
        return;
    }
    if (r > 0)
        r = ask(hook);
    else if (r == 0)
        hook->due_ms = UINT64_MAX; /* until it rings */
    if (r < 0) {
        json_object_put(steal(&hook->body));
        log_limited(LOG_ERR, NULL, "an event for %s cannot be read: %s; it is tried again", hook->place.name,
                    strerrordesc_np(-r) ?: "unknown error");
        hook->due_ms = now_ms + HOLD_MS;
    }
}

static void resume(struct hook *hook)
{
    hook->standing.n_failed = 0;
    hook->is_hurried = hook->state == ASKING;
    if (hook->state == STOPPED)
        hook->state = READY;
    if (hook->state == READY) {
        hook->due_ms = 0;
        hook->must_look = true;
    }
}

/* Returns: when the hook is to be looked at again. */
static uint64_t look_at(struct hook *hook, bool has_new)
{
    uint64_t now_ms = clock_mono_ms(), next_ms = UINT64_MAX;

    if (atomic_exchange(&hook->wants_resume, false))
        resume(hook);
    if (hook->state == WRITING && hook->must_look && hook->due_ms <= now_ms)
        write_letter(hook);
    if (has_new && hook->state == READY && hook->due_ms == UINT64_MAX)
        hook->due_ms = 0;
    if (hook->state == READY && (hook->must_look || hook->due_ms <= now_ms))
        look(hook, now_ms);
    if (!is_kept(hook) && !hook->is_keeping && hook->state != WRITING && now_ms >= hook->kept_ms + KEEP_MS)
        keep(hook);
    if (hook->state == READY)
        next_ms = hook->must_look ? now_ms : hook->due_ms;
    else if (hook->state == WRITING && hook->must_look)
        next_ms = hook->due_ms;
    if (!is_kept(hook) && !hook->is_keeping && hook->state != WRITING && hook->kept_ms + KEEP_MS < next_ms)
        next_ms = hook->kept_ms + KEEP_MS;
    return next_ms;
}

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
            uint64_t hook_ms = is_stopping ? UINT64_MAX : look_at(hook, has_new);
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
    hook->must_look = true;
    return http_provider_new(client, &options, &hook->provider);
}

int event_hooks_new(const struct config *config, struct http_client *client, struct db *db, struct event_hooks **ret_hooks)
{
    scoped(event_hooks_free) struct event_hooks *hooks = calloc(1, sizeof(*hooks));
    struct first_op first = { .op = { .run = run_first, .what = "where endpoints go on" }, .hooks = hooks };
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
    if (r == 0)
        r = db_write(db, &first.op);
    for (size_t i = 0; r == 0 && i < hooks->n_hooks; i++) {
        hooks->hooks[i].seq = hooks->hooks[i].at.seq;
        hooks->hooks[i].n_missed = hooks->hooks[i].at.n_missed;
    }
    if (r == 0)
        r = db_watch(db, DB_EVENTS, feed_changed, hooks);
    hooks->is_watching = r == 0;
    if (r == 0)
        r = -pthread_create(&hooks->thread, NULL, hooks_main, hooks);
    if (r < 0)
        return r;
    hooks->is_running = true;
    *ret_hooks = steal(&hooks);
    return 0;
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
        struct db_op op = { .run = run_keep, .what = "how far an endpoint was told" };
        hook->keep_op = op;
        hook->keeping = hook->at;
        if (!is_kept(hook))
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

/* Of a snapshot: what the feed has, and how many dead letters there are; 0 when it cannot be read. */
static void count_rows(struct event_hooks *hooks, uint64_t *ret_last, uint64_t ret_letters[HOOKS_MAX])
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    uint64_t first;

    *ret_last = 0;
    memset(ret_letters, 0, HOOKS_MAX * sizeof(ret_letters[0]));
    if (db_read_begin(hooks->db, &txn) < 0 || crm_events_range(txn, &first, ret_last) < 0)
        return;
    for (size_t i = 0; i < hooks->n_hooks; i++) {
        int n = letters_count(txn, hooks->hooks[i].place.name);
        ret_letters[i] = n > 0 ? (uint64_t)n : 0;
    }
}

static struct json_object *hook_status(const struct hook *hook, uint64_t last, uint64_t n_letters)
{
    scoped(json_object_put) struct json_object *json = json_object_new_object();
    char why[LETTER_ERROR_MAX];
    uint64_t seq = hook->seq;
    const struct {
        const char *name;
        uint64_t n;
    } counts[] = {
        { "seq", seq },
        { "behind", last > seq ? last - seq : 0 },
        { "taken", hook->n_taken },
        { "failed", hook->n_failed },
        { "given_up", hook->n_given_up },
        { "missed", hook->n_missed },
        { "letters", n_letters },
    };
    int r = json ? json_add(json, "state", json_object_new_string(hook->state == STOPPED ? "stopped" : hook->n_in_a_row ? "failing" : "well"))
                 : -ENOMEM;

    for (size_t i = 0; r == 0 && i < ELEMENTSOF(counts); i++)
        r = json_add(json, counts[i].name, json_object_new_uint64(counts[i].n));
    if (r == 0)
        r = json_add(json, "error", json_object_new_string(explain(hook, why, sizeof(why))));
    return r < 0 ? NULL : steal(&json);
}

struct json_object *event_hooks_status(struct event_hooks *hooks)
{
    scoped(json_object_put) struct json_object *json = json_object_new_object();
    uint64_t last, letters[HOOKS_MAX];

    if (!hooks || !json)
        return steal(&json);
    count_rows(hooks, &last, letters);
    for (size_t i = 0; i < hooks->n_hooks; i++)
        if (json_add(json, hooks->hooks[i].place.name, hook_status(&hooks->hooks[i], last, letters[i])) < 0)
            return NULL;
    return steal(&json);
}
