/*
 * event_hooks_telling.c - what an endpoint is told next, the POST that tells it, and what follows from its answer
 *
 *   READY ── look ──> ASKING ──> taken: READY again, one further
 *                        │
 *                        ├──> not taken: READY, the same again at due_ms
 *                        ├──> given up: WRITING (event_hooks_keeping.c), then READY
 *                        └──> gone: STOPPED
 */
#include "services/event_hooks_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <json-c/json.h>

#include "config.h"
#include "services/crm_events.h"
#include "utils/clock.h"
#include "utils/json.h"
#include "utils/log.h"

enum {
    FIRST_BYTE_MS = 15000,
    STALL_MS = 5000,
    TOTAL_MS = 20000,
    ANSWER_MAX = 64 * KIB, /* of one that is no 2xx; nothing of it is looked at */
    KEEP_MS = 250,         /* between two writes of a cursor */
};

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
        hook_drop_letter(hook);
        return;
    }
    hook_set_at(hook, hook->letter.event.seq);
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
                    hook->letter.event.seq, hook_explain(hook, why, sizeof(why)));
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
        hook_keep_letter(hook);
    } else if (verdict == HOOK_GIVEN_UP) {
        hook_give_up(hook);
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
        hook_set_at(hook, last);
        return;
    }
    if (!first || hook->at.seq + 1 >= first)
        return;
    hook_miss(hook, first - hook->at.seq - 1);
    hook_set_at(hook, first - 1);
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
            hook_set_at(hook, seen);
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
        hook_give_up(hook);
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
        hook->due_ms = now_ms + HOOK_HOLD_MS;
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
uint64_t hook_look_at(struct hook *hook, bool has_new)
{
    uint64_t now_ms = clock_mono_ms(), next_ms = UINT64_MAX;

    if (atomic_exchange(&hook->wants_resume, false))
        resume(hook);
    if (hook->state == WRITING && hook->must_look && hook->due_ms <= now_ms)
        hook_write_letter(hook);
    if (has_new && hook->state == READY && hook->due_ms == UINT64_MAX)
        hook->due_ms = 0;
    if (hook->state == READY && (hook->must_look || hook->due_ms <= now_ms))
        look(hook, now_ms);
    if (!hook_is_kept(hook) && !hook->is_keeping && hook->state != WRITING && now_ms >= hook->kept_ms + KEEP_MS)
        hook_keep(hook);
    if (hook->state == READY)
        next_ms = hook->must_look ? now_ms : hook->due_ms;
    else if (hook->state == WRITING && hook->must_look)
        next_ms = hook->due_ms;
    if (!hook_is_kept(hook) && !hook->is_keeping && hook->state != WRITING && hook->kept_ms + KEEP_MS < next_ms)
        next_ms = hook->kept_ms + KEEP_MS;
    return next_ms;
}
