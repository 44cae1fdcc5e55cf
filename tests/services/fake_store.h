#pragma once
/*
 * fake_store.h - a store that remembers the last writes, and can be full
 *
 * db_submit() runs the operation at once, on the thread that submits it.
 */

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "services/crm.h"
#include "services/crm_summary.h"

enum { FAKE_TURNS_MAX = 64 };

static struct fake_store {
    pthread_mutex_t mutex;
    unsigned n_disk_full; /* so many ends find no room on the disk */
    unsigned n_full; /* so many submissions are refused first */
    unsigned n_refused, n_turns, n_learnt, n_ends, n_ended_as[CALL_N_END];
    struct turn turns[FAKE_TURNS_MAX];
    char fields[FAKE_TURNS_MAX][64], values[FAKE_TURNS_MAX][256];
    unsigned n_steps;
    char steps[FAKE_TURNS_MAX][256]; /* "part: from -> to: cause" */
    unsigned n_messages, n_summaries;
    enum message_wording wording;
    char message[TURN_TEXT_MAX];
    enum call_end end;
    uint64_t end_ms;
    char sid[SID_MAX], learnt_of[SID_MAX];
} fake_store = { .mutex = PTHREAD_MUTEX_INITIALIZER };

int db_submit(struct db *db, struct db_op *op)
{
    int r;

    pthread_mutex_lock(&fake_store.mutex);
    if (fake_store.n_full) {
        fake_store.n_full--;
        fake_store.n_refused++;
        pthread_mutex_unlock(&fake_store.mutex);
        return -EAGAIN;
    }
    r = op->run(NULL, op);
    pthread_mutex_unlock(&fake_store.mutex);
    op->done(op, r);
    return 0;
}

int crm_turn_add(struct db_txn *txn, const char *sid, const struct turn *turn)
{
    if (fake_store.n_turns < FAKE_TURNS_MAX)
        fake_store.turns[fake_store.n_turns++] = *turn;
    return 0;
}

int crm_call_learn(struct db_txn *txn, const char *sid, const char *field, const char *value, uint64_t now_ms)
{
    unsigned n = fake_store.n_learnt++;

    if (n < FAKE_TURNS_MAX) {
        (void)snprintf(fake_store.learnt_of, sizeof(fake_store.learnt_of), "%s", sid);
        (void)snprintf(fake_store.fields[n], sizeof(fake_store.fields[n]), "%s", field);
        (void)snprintf(fake_store.values[n], sizeof(fake_store.values[n]), "%s", value);
    }
    return 0;
}

int crm_call_step(struct db_txn *txn, const char *sid, const struct call_step *step)
{
    unsigned n = fake_store.n_steps++;

    if (n < FAKE_TURNS_MAX)
        (void)snprintf(fake_store.steps[n], sizeof(fake_store.steps[n]), "%s: %s -> %s: %s", step->part, step->from, step->to,
                       step->cause);
    return 0;
}

int crm_call_message(struct db_txn *txn, const char *sid, const char *text, enum message_wording wording, uint64_t now_ms)
{
    fake_store.n_messages++;
    fake_store.wording = wording;
    (void)snprintf(fake_store.message, sizeof(fake_store.message), "%s", text);
    return 0;
}

int crm_summary_owe(struct db_txn *txn, const char *sid, uint64_t now_ms)
{
    fake_store.n_summaries++;
    return 0;
}

int crm_call_end(struct db_txn *txn, const char *sid, enum call_end end, uint64_t now_ms)
{
    if (fake_store.n_disk_full) {
        fake_store.n_disk_full--;
        return -ENOSPC;
    }
    fake_store.n_ends++;
    fake_store.n_ended_as[end]++;
    fake_store.end = end;
    fake_store.end_ms = now_ms;
    (void)snprintf(fake_store.sid, sizeof(fake_store.sid), "%s", sid);
    return 0;
}

__attribute__((unused)) static void fake_store_reset(void)
{
    pthread_mutex_lock(&fake_store.mutex);
    memset((char *)&fake_store + sizeof(fake_store.mutex), 0, sizeof(fake_store) - sizeof(fake_store.mutex));
    pthread_mutex_unlock(&fake_store.mutex);
}

__attribute__((unused)) static unsigned fake_store_n_ends(void)
{
    pthread_mutex_lock(&fake_store.mutex);
    unsigned n = fake_store.n_ends;
    pthread_mutex_unlock(&fake_store.mutex);
    return n;
}
