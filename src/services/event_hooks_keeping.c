/*
 * event_hooks_keeping.c - what of an endpoint is on disk: how far it was told, and its dead letters
 *
 * The cursor goes there by an operation of its own, one at a time. A dead letter goes with the cursor behind it, in one
 * transaction, so that an event is either still to be told or among the dead letters, whoever dies when.
 */
#include "services/event_hooks_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "utils/clock.h"
#include "utils/log.h"

void hook_set_at(struct hook *hook, uint64_t seq)
{
    hook->at.seq = seq;
    hook->seq = seq;
}

void hook_miss(struct hook *hook, uint64_t n)
{
    hook->at.n_missed += n;
    hook->n_missed = hook->at.n_missed;
}

/* --- the cursor on disk */

int hook_run_keep(struct db_txn *txn, struct db_op *op)
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

bool hook_is_kept(const struct hook *hook)
{
    return hook->at.seq == hook->kept.seq && hook->at.n_missed == hook->kept.n_missed;
}

void hook_keep(struct hook *hook)
{
    hook->keeping = hook->at;
    hook->is_keeping = true;
    hook->keep_op = (struct db_op){ .run = hook_run_keep, .done = keep_done, .what = "how far an endpoint was told" };
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
        hook->due_ms = clock_mono_ms() + HOOK_HOLD_MS;
        hook->must_look = true; /* WRITING: to be written again at due_ms */
        return;
    }
    if (!hook->drops_letter && !hook->is_letter) {
        hook_miss(hook, (uint64_t)r);
        hook_set_at(hook, hook->letter.event.seq);
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

void hook_write_letter(struct hook *hook)
{
    hook->state = WRITING;
    hook->must_look = false;
    hook->letter_op = (struct db_op){ .run = run_letter, .done = letter_done, .what = "a dead letter" };
    hook->letter_home.run = letter_came;
    int r = db_submit(hook->hooks->db, &hook->letter_op);
    if (r < 0)
        end_letter(hook, r);
}

void hook_drop_letter(struct hook *hook)
{
    hook->drops_letter = true;
    hook_write_letter(hook);
}

void hook_keep_letter(struct hook *hook)
{
    char why[LETTER_ERROR_MAX];

    hook->drops_letter = hook->letter.again = false;
    hook->letter.given_up_ms = clock_real_ms();
    (void)snprintf(hook->letter.error, sizeof(hook->letter.error), "%s", hook_explain(hook, why, sizeof(why)));
    hook_write_letter(hook);
}

void hook_give_up(struct hook *hook)
{
    char why[LETTER_ERROR_MAX];

    hook->n_given_up++;
    log_limited(LOG_ERR, NULL, "%s never took event %" PRIu64 " (%s): %s; `agentlocator events --failed` lists it", hook->place.name,
                hook->letter.event.seq, hook->letter.event.kind, hook_explain(hook, why, sizeof(why)));
    hook_keep_letter(hook);
}
