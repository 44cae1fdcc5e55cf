/*
 * journal.c - what a call writes to the store, in order, without waiting for it
 *
 * An entry's way: free list of the pool -> the call's list -> the store's queue ->
 * writer thread, run() -> commit -> done() -> the worker's inbox -> free list. The
 * worker touches it at both ends, the writer in between; the queues hand it over.
 * The call's sid is read by the writer, too: it never changes, and
 * a call is not freed before its journal is at rest.
 *
 * The struct turn is stored whole; its JSON is made on the writer thread, in run().
 */
#include "services/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "services/agent.h"
#include "services/crm.h"
#include "services/crm_summary.h"
#include "utils/log.h"
#include "utils/text.h"

struct note { /* an entry of the pool */
    struct journal_entry entry; /* first */
    union {
        struct turn turn;
        struct {
            char field[AGENT_FIELD_MAX], value[AGENT_VALUE_MAX];
        } learnt;
        struct {
            char part[STEP_PART_MAX], from[STEP_NAME_MAX], to[STEP_NAME_MAX], cause[STEP_CAUSE_MAX];
        } step;
        struct {
            char text[TURN_TEXT_MAX];
            enum message_wording wording;
        } message;
    };
};

struct journal_pool {
    struct db *db;
    struct inbox *inbox;
    struct note *notes; /* storage of all */
    struct journal_entry *free;
    size_t n_free;
    bool sums_up;
};

int journal_pool_new(struct db *db, struct inbox *inbox, size_t n_entries, struct journal_pool **ret_pool)
{
    struct journal_pool *pool = calloc(1, sizeof(*pool));
    if (!pool)
        return -ENOMEM;

    pool->notes = calloc(n_entries, sizeof(*pool->notes));
    if (!pool->notes) {
        free(pool);
        return -ENOMEM;
    }
    pool->db = db;
    pool->inbox = inbox;
    for (size_t i = n_entries; i-- > 0; pool->free = &pool->notes[i].entry)
        pool->notes[i].entry.next = pool->free;
    pool->n_free = n_entries;
    *ret_pool = pool;
    return 0;
}

void journal_pool_sum_up(struct journal_pool *pool)
{
    pool->sums_up = true;
}

void journal_pool_free(struct journal_pool *pool)
{
    if (!pool)
        return;
    free(pool->notes);
    free(pool);
}

static void fail(struct journal *journal, int r, const char *what)
{
    journal->n_failed++;
    (void)log_line(LOG_ERR, r, journal->sid, "cannot keep %s", what);
}

void journal_on_news(struct journal *journal, void (*fn)(void *user), void *user)
{
    journal->on_news = fn;
    journal->user = user;
}

void journal_news(const struct journal *journal)
{
    if (journal->on_news)
        journal->on_news(journal->user);
}

/* Worker thread: the entry is on disk, or will never be. */
static void entry_home(struct inbox_item *item)
{
    struct journal_entry *entry = (struct journal_entry *)((char *)item - offsetof(struct journal_entry, home));
    struct journal *journal = entry->journal;

    journal_news(journal);
    journal->n_under_way--;
    if (entry == &journal->end && entry->r == -ENOSPC && journal->n_end_tries < JOURNAL_END_TRIES) {
        journal->must_end_again = true;
        return;
    }
    if (entry->r < 0)
        fail(journal, entry->r, entry->op.what);
    if (entry == &journal->end)
        return;
    entry->next = journal->pool->free;
    journal->pool->free = entry;
    journal->pool->n_free++;
}

/* Writer thread. */
static void entry_done(struct db_op *op, int r)
{
    struct journal_entry *entry = (struct journal_entry *)op;

    entry->r = r;
    inbox_post(entry->journal->pool->inbox, &entry->home);
}

static int run_turn(struct db_txn *txn, struct db_op *op)
{
    const struct note *note = (const struct note *)op;

    return crm_turn_add(txn, note->entry.journal->sid, &note->turn);
}

static int run_learn(struct db_txn *txn, struct db_op *op)
{
    const struct note *note = (const struct note *)op;

    return crm_call_learn(txn, note->entry.journal->sid, note->learnt.field, note->learnt.value,
                          note->entry.unix_ms);
}

static int run_step(struct db_txn *txn, struct db_op *op)
{
    const struct note *note = (const struct note *)op;
    struct call_step step = { note->step.part, note->step.from, note->step.to, note->step.cause, note->entry.unix_ms };

    return crm_call_step(txn, note->entry.journal->sid, &step);
}

static int run_message(struct db_txn *txn, struct db_op *op)
{
    const struct note *note = (const struct note *)op;

    return crm_call_message(txn, note->entry.journal->sid, note->message.text, note->message.wording, note->entry.unix_ms);
}

static int run_end(struct db_txn *txn, struct db_op *op)
{
    const struct journal_entry *entry = (const struct journal_entry *)op;

    int r = crm_call_end(txn, entry->journal->sid, entry->end, entry->unix_ms);
    if (r != 0 || !entry->journal->pool->sums_up)
        return r;
    r = crm_summary_owe(txn, entry->journal->sid, entry->unix_ms);
    return r < 0 ? r : 0;
}

void journal_init(struct journal *journal, struct journal_pool *pool, const char *sid, const char *contact_id)
{
    *journal = (struct journal){ .pool = pool, .last = &journal->first };
    strncpy(journal->sid, sid, sizeof(journal->sid) - 1);
    strncpy(journal->contact_id, contact_id, sizeof(journal->contact_id) - 1);
}

bool journal_has_room(const struct journal_pool *pool)
{
    return pool->n_free >= JOURNAL_BATCH;
}

static void add(struct journal *journal, struct journal_entry *entry, const char *what,
                int (*run)(struct db_txn *txn, struct db_op *op), uint64_t unix_ms)
{
    *entry = (struct journal_entry){
        .op = { .run = run, .done = entry_done, .what = what },
        .home = { .run = entry_home },
        .journal = journal,
        .unix_ms = unix_ms,
        .end = entry->end,
    };
    *journal->last = entry;
    journal->last = &entry->next;
}

/* NULL only when an event brought more than JOURNAL_BATCH notes. */
static struct note *note_get(struct journal *journal, const char *what)
{
    struct journal_pool *pool = journal->pool;
    struct journal_entry *entry = pool->free;

    if (!entry) {
        fail(journal, -ENOBUFS, what);
        return NULL;
    }
    pool->free = entry->next;
    pool->n_free--;
    return (struct note *)entry;
}

void journal_turn(struct journal *journal, const struct turn *turn)
{
    struct note *note = note_get(journal, "a turn");

    if (!note)
        return;
    note->turn = *turn;
    add(journal, &note->entry, "a turn", run_turn, 0);
}

void journal_learn(struct journal *journal, const char *field, const char *value, uint64_t unix_ms)
{
    struct note *note = note_get(journal, "what was learnt");

    if (!note)
        return;
    (void)snprintf(note->learnt.field, sizeof(note->learnt.field), "%s", field);
    (void)snprintf(note->learnt.value, sizeof(note->learnt.value), "%s", value);
    add(journal, &note->entry, "what was learnt", run_learn, unix_ms);
}

void journal_step(struct journal *journal, const struct call_step *step)
{
    const char *to = step->to && step->to[0] ? step->to : "nobody", *cause = step->cause ?: "";

    log_limited_about(LOG_WARNING, (&(struct log_about){ LOG_STEP_DOWN, journal->sid, .provider = step->from }), "%s: %s -> %s: %s", step->part, step->from, to, cause);

    struct note *note = note_get(journal, "a step of the ladder");
    if (!note)
        return;
    (void)text_set(note->step.part, sizeof(note->step.part), step->part);
    (void)text_set(note->step.from, sizeof(note->step.from), step->from);
    (void)text_set(note->step.to, sizeof(note->step.to), step->to ?: "");
    (void)text_set(note->step.cause, sizeof(note->step.cause), cause);
    add(journal, &note->entry, "a step of the ladder", run_step, step->at_ms);
}

void journal_whatsapp(struct journal *journal, const char *text, enum message_wording wording, uint64_t unix_ms)
{
    struct note *note = note_get(journal, "a message");

    if (!note)
        return;
    (void)text_set(note->message.text, sizeof(note->message.text), text);
    note->message.wording = wording;
    add(journal, &note->entry, "a message", run_message, unix_ms);
}

void journal_end(struct journal *journal, enum call_end end, uint64_t unix_ms)
{
    journal->end.end = end;
    add(journal, &journal->end, "the end of a call", run_end, unix_ms);
}

void journal_end_again(struct journal *journal)
{
    if (!journal->must_end_again)
        return;
    journal->must_end_again = false;
    journal->n_end_tries++;
    add(journal, &journal->end, "the end of a call", run_end, journal->end.unix_ms);
}

void journal_end_give_up(struct journal *journal)
{
    if (journal->must_end_again)
        fail(journal, journal->end.r, journal->end.op.what);
    journal->must_end_again = false;
    journal->n_end_tries = JOURNAL_END_TRIES;
}

bool journal_flush(struct journal *journal)
{
    while (journal->first) {
        struct journal_entry *entry = journal->first, *next = entry->next;

        int r = db_submit(journal->pool->db, &entry->op); /* the writer's from here on, unless it fails */
        if (r == -EAGAIN)
            return false;
        journal->first = next;
        if (!next)
            journal->last = &journal->first;
        journal->n_under_way++;
        if (r < 0) {
            entry->r = r;
            entry_home(&entry->home);
        }
    }
    return true;
}

bool journal_at_rest(const struct journal *journal)
{
    return !journal->first && !journal->n_under_way && !journal->must_end_again;
}
