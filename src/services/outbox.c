/*
 * outbox.c - the thread that does what is owed
 *
 *   store ─ look ─> slot: claim ──> perform ──> settle ─> store
 *                   writer, commit   network     writer, commit
 *
 * The thread waits for nothing but its inbox: writes are answered there, as are requests, and a commit that touches the
 * jobs rings it. It reads only as many due jobs as it has slots, so that a long list costs nothing but disk.
 *
 * An attempt is noted on disk before anybody is asked. So whatever the daemon dies in is found at the next start, and for
 * effects that must not happen twice it is looked for rather than repeated. The lane of a job moves on in the same
 * transaction that settles it.
 *
 * What cannot be written for now (the disk is full) is held in its slot and tried again: it is known what happened, and
 * no other attempt is made meanwhile.
 */
#include "services/outbox.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "services/jobs.h"
#include "utils/clock.h"
#include "utils/log.h"
#include "utils/text.h"

enum {
    SLOTS = 8,
    HOLD_MS = 1000,
    HOLD_MAX_MS = 30000,
    LOOK_MAX_MS = 60000, /* the clock may be set meanwhile */
    STOP_GRACE_MS = 3000,
};

static const struct effect_kind *const kinds[JOB_N_KINDS] = {
    [JOB_MESSAGE] = &effect_message,
    [JOB_SUMMARY] = &effect_summary,
    [JOB_REPLY] = &effect_reply,
    [JOB_FETCH] = &effect_fetch,
    [JOB_TRANSCRIBE] = &effect_transcribe,
};

enum phase { IDLE, CLAIMING, PERFORMING, SETTLING, HELD };

enum { CLAIMED = 0, NOTHING_LEFT, UNREADABLE }; /* results of a claim */

struct slot {
    struct effect effect; /* first */
    enum phase phase;
    struct db_op op;
    struct inbox_item op_home;
    int r;            /* of op */
    uint64_t now_ms;  /* unix time of the claim or of the end */
    uint64_t until_ms, hold_ms; /* HELD, mono; doubled each time */
    bool must_settle; /* HELD: it was performed */
    enum verdict verdict;
    struct job next; /* what the job becomes by op */
};

struct outbox {
    struct outbox_services services;
    struct inbox *inbox;
    struct slot slots[SLOTS];
    pthread_t thread;
    bool is_running, is_watching, must_look, is_aborted;
    uint64_t look_ms, grace_ms; /* mono */
    _Atomic bool has_new, is_stopping;
    _Atomic uint64_t n_under_way, n_done, n_again, n_failed, n_uncertain;
};

const struct outbox_services *outbox_services(const struct outbox *outbox)
{
    return &outbox->services;
}

static struct slot *slot_of_op(struct db_op *op)
{
    return (struct slot *)((char *)op - offsetof(struct slot, op));
}

static void hold(struct slot *slot, bool must_settle)
{
    slot->phase = HELD;
    slot->must_settle = must_settle;
    slot->hold_ms = slot->hold_ms ? 2 * slot->hold_ms : HOLD_MS;
    if (slot->hold_ms > HOLD_MAX_MS)
        slot->hold_ms = HOLD_MAX_MS;
    slot->until_ms = clock_mono_ms() + slot->hold_ms;
}

static void let_go(struct slot *slot)
{
    struct outbox *outbox = slot->effect.outbox;

    if (slot->effect.kind)
        slot->effect.kind->release(&slot->effect);
    *slot = (struct slot){ .effect.outbox = outbox };
    outbox->must_look = true;
    outbox->n_under_way--;
}

/* Writer thread. */
static void op_done(struct db_op *op, int r)
{
    struct slot *slot = slot_of_op(op);

    slot->r = r;
    inbox_post(slot->effect.outbox->inbox, &slot->op_home);
}

/* Returns: false when the writer has too much to do. */
static bool submit(struct slot *slot, enum phase phase, const char *what, int (*run)(struct db_txn *txn, struct db_op *op),
                   void (*home)(struct inbox_item *item))
{
    slot->op = (struct db_op){ .run = run, .done = op_done, .what = what };
    slot->op_home.run = home;
    slot->phase = phase;
    int r = db_submit(slot->effect.outbox->services.db, &slot->op);
    if (r < 0)
        hold(slot, phase == SETTLING);
    return r == 0;
}

/* --- settling */

enum { GONE = 1, DONE_AFTER_ALL }; /* results of a settling; 0: the job stays */

/* The job and what it is about, in one. */
static int settle(struct db_txn *txn, const struct effect *effect, enum verdict verdict, const struct job *next, uint64_t now_ms)
{
    int r = effect->kind->settle(txn, effect, verdict, next, now_ms);

    if (r < 0 && r != -ENOENT && r != -EUCLEAN)
        return r; /* those two: what it is about was erased, or is damaged */
    if (r > 0)
        return jobs_end(txn, &effect->job) ?: DONE_AFTER_ALL;
    if (r < 0 || verdict == VERDICT_DONE || (verdict == VERDICT_OVER && !effect->kind->is_kept))
        return jobs_end(txn, &effect->job) ?: GONE;
    return jobs_move(txn, &effect->job, next);
}

static int run_settle(struct db_txn *txn, struct db_op *op)
{
    const struct slot *slot = slot_of_op(op);

    return settle(txn, &slot->effect, slot->verdict, &slot->next, slot->now_ms);
}

static void count(struct outbox *outbox, const struct effect *effect, enum verdict verdict, const struct job *next)
{
    const struct job *job = &effect->job;

    if (verdict == VERDICT_DONE) {
        outbox->n_done++;
    } else if (verdict == VERDICT_AGAIN) {
        outbox->n_again += effect->outcome.kind != OUTCOME_GO_ON;
        if (effect->outcome.error[0])
            log_limited(LOG_WARNING, job->call_sid, "%s %s: %s; it is tried again", job_kind_name(job->kind), job->message_id,
                        effect->outcome.error);
    } else {
        *(next->state == JOB_FAILED ? &outbox->n_failed : &outbox->n_uncertain) += 1;
        log_limited_about(LOG_ERR, (&(struct log_about){ LOG_DEAD_LETTER, job->call_sid, .contact_id = job->contact_id,
                                                         .message_id = job->message_id }), "%s %s %s: %s", job_kind_name(job->kind), job->message_id,
                    next->state == JOB_FAILED ? "failed" : "may have been sent or not", next->error);
    }
}

static void settled(struct inbox_item *item)
{
    struct slot *slot = (struct slot *)((char *)item - offsetof(struct slot, op_home));
    struct outbox *outbox = slot->effect.outbox;

    if (slot->r < 0 && slot->r != -ENOENT && !outbox->is_stopping) {
        log_limited(LOG_ERR, slot->effect.job.call_sid, "what became of a %s cannot be kept: %s; it is tried again",
                    job_kind_name(slot->effect.job.kind), strerrordesc_np(-slot->r) ?: "unknown error");
        hold(slot, true);
        return;
    }
    if (slot->r >= 0)
        count(outbox, &slot->effect, slot->r == DONE_AFTER_ALL ? VERDICT_DONE : slot->verdict, &slot->next);
    let_go(slot);
}

static void submit_settle(struct slot *slot)
{
    (void)submit(slot, SETTLING, "a job's end", run_settle, settled);
}

/* --- performing */

static void performed(struct inbox_item *item)
{
    struct effect *effect = (struct effect *)((char *)item - offsetof(struct effect, home));
    struct slot *slot = (struct slot *)effect;
    uint32_t random = 0;

    (void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
    effect->alarm_ms = 0;
    slot->hold_ms = 0;
    slot->now_ms = clock_real_ms();
    slot->verdict =
        outbox_judge(&effect->kind->rules, &effect->job, &effect->outcome, slot->now_ms, random, &slot->next);
    submit_settle(slot);
}

void effect_end(struct effect *effect)
{
    effect->home.run = performed;
    inbox_post(effect->outbox->inbox, &effect->home);
}

/* --- claiming */

static int run_claim(struct db_txn *txn, struct db_op *op)
{
    struct slot *slot = slot_of_op(op);
    struct effect *effect = &slot->effect;
    bool is_harmless = false;
    int r = effect->kind->begin(txn, effect, slot->now_ms, &is_harmless);

    if (r == NOTHING_LEFT || r == -ENOENT)
        return jobs_end(txn, &effect->job) ?: NOTHING_LEFT;
    if (r == -EUCLEAN) {
        slot->next = effect->job;
        slot->next.state = JOB_FAILED;
        (void)text_set(slot->next.error, sizeof(slot->next.error), "what it is about cannot be read");
        return jobs_move(txn, &effect->job, &slot->next) ?: UNREADABLE;
    }
    if (r < 0)
        return r;
    outbox_begin(&effect->job, is_harmless, slot->now_ms, &slot->next);
    return jobs_move(txn, &effect->job, &slot->next);
}

static void claimed(struct inbox_item *item)
{
    struct slot *slot = (struct slot *)((char *)item - offsetof(struct slot, op_home));

    if (slot->r < 0 && slot->r != -ENOENT) {
        log_limited(LOG_ERR, slot->effect.job.call_sid, "a %s cannot be begun: %s; it is tried again",
                    job_kind_name(slot->effect.job.kind), strerrordesc_np(-slot->r) ?: "unknown error");
        hold(slot, false);
    } else if (slot->r != CLAIMED) {
        let_go(slot);
    } else {
        slot->effect.job = slot->next;
        slot->phase = PERFORMING;
        slot->effect.outcome = (struct outcome){ .kind = OUTCOME_NOT_SENT };
        if (slot->effect.outbox->is_stopping)
            effect_end(&slot->effect);
        else
            slot->effect.kind->perform(&slot->effect);
    }
}

static void claim(struct outbox *outbox, const struct job *job)
{
    struct slot *slot = outbox->slots;

    while (slot->phase != IDLE)
        slot++;
    slot->effect.kind = kinds[job->kind];
    slot->effect.job = *job;
    slot->now_ms = clock_real_ms();
    outbox->n_under_way++;
    (void)submit(slot, CLAIMING, "a job's beginning", run_claim, claimed);
}

/* --- looking */

struct picking {
    const struct outbox *outbox;
    struct job jobs[SLOTS];
    size_t n, room;
    bool has_more;
};

static bool is_in_slot(const struct outbox *outbox, uint64_t id)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (outbox->slots[i].phase != IDLE && outbox->slots[i].effect.job.id == id)
            return true;
    return false;
}

static int pick(const struct job *job, void *arg)
{
    struct picking *picking = arg;

    if (is_in_slot(picking->outbox, job->id))
        return 0;
    picking->has_more = picking->n == picking->room;
    if (picking->has_more)
        return 1;
    picking->jobs[picking->n++] = *job;
    return 0;
}

static size_t n_idle(const struct outbox *outbox)
{
    size_t n = 0;

    for (size_t i = 0; i < SLOTS; i++)
        n += outbox->slots[i].phase == IDLE;
    return n;
}

static void look(struct outbox *outbox)
{
    struct picking picking = { .outbox = outbox, .room = n_idle(outbox) };
    uint64_t now_ms = clock_real_ms(), next_ms = UINT64_MAX;
    struct db_txn *txn;
    int r = db_read_begin(outbox->services.db, &txn);

    if (r == 0) {
        r = jobs_each_due(txn, now_ms, pick, &picking);
        if (r == 0)
            r = jobs_next_due(txn, now_ms, &next_ms);
        db_read_end(txn);
    }
    if (r < 0)
        log_limited(LOG_ERR, NULL, "what is owed cannot be read: %s", strerrordesc_np(-r) ?: "unknown error");
    outbox->must_look = picking.has_more;
    uint64_t wait_ms = r < 0 ? HOLD_MS : next_ms - now_ms < LOOK_MAX_MS ? next_ms - now_ms : LOOK_MAX_MS;
    outbox->look_ms = clock_mono_ms() + wait_ms;
    for (size_t i = 0; i < picking.n; i++)
        claim(outbox, &picking.jobs[i]);
}

/* --- the round */

/* Returns: when the slot wants to be looked at again. */
static uint64_t look_at_slot(struct outbox *outbox, struct slot *slot, uint64_t now_ms)
{
    struct effect *effect = &slot->effect;

    if (slot->phase == PERFORMING && effect->alarm_ms && effect->alarm_ms <= now_ms) {
        effect->alarm_ms = 0;
        effect->on_alarm(effect);
    }
    if (slot->phase == HELD && (slot->until_ms <= now_ms || outbox->is_stopping)) {
        if (slot->must_settle && slot->until_ms <= now_ms)
            submit_settle(slot);
        else
            let_go(slot); /* at an end, what was performed is found under way at the next start */
    }
    if (slot->phase == PERFORMING && effect->alarm_ms)
        return effect->alarm_ms;
    return slot->phase == HELD ? slot->until_ms : UINT64_MAX;
}

/* Returns: when to go round again; 0 all is over. */
static uint64_t go_round(struct outbox *outbox)
{
    uint64_t now_ms = clock_mono_ms(), next_ms = UINT64_MAX;
    bool is_stopping = outbox->is_stopping;

    for (size_t i = 0; i < SLOTS; i++) {
        uint64_t slot_ms = look_at_slot(outbox, &outbox->slots[i], now_ms);
        next_ms = slot_ms < next_ms ? slot_ms : next_ms;
    }
    if (is_stopping) {
        if (n_idle(outbox) == SLOTS)
            return 0;
        outbox->grace_ms = outbox->grace_ms ?: now_ms + STOP_GRACE_MS;
        if (now_ms < outbox->grace_ms)
            return outbox->grace_ms < next_ms ? outbox->grace_ms : next_ms;
        for (size_t i = 0; i < SLOTS && !outbox->is_aborted; i++)
            if (outbox->slots[i].phase == PERFORMING)
                outbox->slots[i].effect.kind->abort(&outbox->slots[i].effect);
        outbox->is_aborted = true;
        return next_ms;
    }
    if (n_idle(outbox) == 0)
        return next_ms;
    if (atomic_exchange(&outbox->has_new, false) || outbox->must_look || outbox->look_ms <= now_ms)
        look(outbox);
    return outbox->look_ms < next_ms ? outbox->look_ms : next_ms;
}

static void *outbox_main(void *arg)
{
    struct outbox *outbox = arg;
    uint64_t next_ms;

    for (;;) {
        inbox_arm(outbox->inbox);
        inbox_run(outbox->inbox);
        next_ms = go_round(outbox);
        if (next_ms == 0)
            return NULL;
        uint64_t now_ms = clock_mono_ms();
        (void)inbox_wait(outbox->inbox, next_ms > now_ms ? next_ms - now_ms : 0);
    }
}

/* Writer thread. */
static void jobs_changed(void *arg)
{
    struct outbox *outbox = arg;

    outbox->has_new = true;
    inbox_ring(outbox->inbox);
}

/* --- what the last daemon died over */

struct recovery {
    struct db_op op; /* first */
    struct outbox *outbox;
    struct job jobs[SLOTS];
    size_t n;
};

static int collect(const struct job *job, void *arg)
{
    struct recovery *recovery = arg;

    recovery->jobs[recovery->n++] = *job;
    return recovery->n == SLOTS;
}

static int run_recovery(struct db_txn *txn, struct db_op *op)
{
    struct recovery *recovery = (struct recovery *)op;
    uint64_t now_ms = clock_real_ms();

    recovery->n = 0;
    int r = jobs_each_under_way(txn, collect, recovery);
    for (size_t i = 0; i < recovery->n && r >= 0; i++) {
        const struct job *job = &recovery->jobs[i];
        struct effect effect = { .kind = kinds[job->kind], .outbox = recovery->outbox, .job = *job };
        struct job next;

        outbox_died(job, &effect.outcome);
        enum verdict verdict = outbox_judge(&effect.kind->rules, job, &effect.outcome, now_ms, 0, &next);
        r = settle(txn, &effect, verdict, &next, now_ms);
    }
    return r < 0 ? r : 0;
}

/* A few at a time; there are seldom more than one daemon had slots. */
static int recover(struct outbox *outbox)
{
    struct recovery recovery = { .op = { .run = run_recovery, .what = "jobs that were under way" }, .outbox = outbox };
    size_t n = 0;

    do {
        int r = db_write(outbox->services.db, &recovery.op);
        if (r < 0)
            return r;
        n += recovery.n;
    } while (recovery.n == SLOTS);
    if (n)
        log_info("found %zu jobs that the last run died over", n);
    return 0;
}

/* --- for the others */

int outbox_new(const struct outbox_services *services, struct outbox **ret_outbox)
{
    scoped(outbox_free) struct outbox *outbox = calloc(1, sizeof(*outbox));

    if (!outbox)
        return -ENOMEM;
    outbox->services = *services;
    for (size_t i = 0; i < SLOTS; i++)
        outbox->slots[i].effect.outbox = outbox;
    int r = inbox_new(&outbox->inbox);
    if (r < 0)
        return r;
    *ret_outbox = steal(&outbox);
    return 0;
}

int outbox_start(struct outbox *outbox)
{
    outbox->is_stopping = outbox->is_aborted = false;
    outbox->grace_ms = 0;
    outbox->must_look = true;
    int r = recover(outbox);
    if (r == 0)
        r = db_watch(outbox->services.db, DB_JOBS, jobs_changed, outbox);
    outbox->is_watching = r == 0;
    if (r == 0)
        r = -pthread_create(&outbox->thread, NULL, outbox_main, outbox);
    outbox->is_running = r == 0;
    if (r < 0)
        outbox_stop(outbox);
    return r;
}

void outbox_stop(struct outbox *outbox)
{
    if (!outbox)
        return;
    outbox->is_stopping = true;
    if (outbox->is_running) {
        inbox_ring(outbox->inbox);
        pthread_join(outbox->thread, NULL);
    }
    if (outbox->is_watching)
        (void)db_watch(outbox->services.db, DB_JOBS, NULL, NULL);
    outbox->is_running = outbox->is_watching = false;
}

void outbox_free(struct outbox *outbox)
{
    if (!outbox)
        return;
    outbox_stop(outbox);
    if (outbox->inbox)
        inbox_unref(outbox->inbox);
    free(outbox);
}

void outbox_stats(const struct outbox *outbox, struct outbox_stats *ret_stats)
{
    *ret_stats = (struct outbox_stats){
        .n_under_way = outbox->n_under_way,
        .n_done = outbox->n_done,
        .n_again = outbox->n_again,
        .n_failed = outbox->n_failed,
        .n_uncertain = outbox->n_uncertain,
    };
}

int outbox_doubt(struct db_txn *txn, uint64_t at_ms)
{
    int r = 0;

    for (int kind = 0; r == 0 && kind < JOB_N_KINDS; kind++)
        if (!kinds[kind]->rules.is_repeatable)
            r = jobs_doubt(txn, kind, at_ms);
    return r;
}
