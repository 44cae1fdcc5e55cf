#pragma once
/*
 * journal.h - what a call writes to the store, in order, without waiting for it
 *
 * Entries come from a pool of the worker, so that nothing is allocated during a call. An entry that the store
 * has no room for waits in the call's own list and is offered again; it is never dropped.
 */

#include <stdbool.h>
#include <stddef.h>

#include "db.h"
#include "models/call.h"
#include "models/message.h"
#include "models/turn.h"
#include "utils/inbox.h"

struct journal;
struct journal_pool;

struct journal_entry {
    struct db_op op; /* first */
    struct inbox_item home;
    struct journal *journal;
    struct journal_entry *next;
    uint64_t unix_ms;
    enum call_end end;
    int r;
};

/* What one event of a call may bring at most; see journal_has_room(). */
enum { JOURNAL_BATCH = 16 };

int journal_pool_new(struct db *db, struct inbox *inbox, size_t n_entries, struct journal_pool **ret_pool);
void journal_pool_sum_up(struct journal_pool *pool); /* an end owes a summary: there is somebody who can write it */
void journal_pool_free(struct journal_pool *pool); /* after every journal came to rest */

struct journal {
    struct journal_pool *pool;
    char sid[SID_MAX];
    char contact_id[CONTACT_ID_MAX];
    struct journal_entry *first, **last; /* not yet with the store */
    struct journal_entry end;            /* not of the pool: an end always fits */
    unsigned n_under_way;                /* with the store */
    unsigned n_failed;
    unsigned n_end_tries;
    bool must_end_again; /* the disk was full */
    void (*on_news)(void *user);
    void *user;
};

/* Thread: any; all below: the worker. A journal that is at rest needs no undoing. */
void journal_init(struct journal *journal, struct journal_pool *pool, const char *sid, const char *contact_id);

/*
 * Who looks after the call wants to be told, on the worker, when something of it came home: an entry of the journal, or
 * whatever else somebody says so of by journal_news().
 */
void journal_on_news(struct journal *journal, void (*fn)(void *user), void *user);
void journal_news(const struct journal *journal);

/* Whether JOURNAL_BATCH entries fit. A call that finds no room holds its events until there is. */
bool journal_has_room(const struct journal_pool *pool);

void journal_turn(struct journal *journal, const struct turn *turn); /* times are unix time */
void journal_learn(struct journal *journal, const char *field, const char *value, uint64_t unix_ms);
void journal_step(struct journal *journal, const struct call_step *step); /* logs it, too; keeps nothing of it */
/*
 * To the caller, durably, once: the same text a second time in a call is not sent again. WORDING_FREE: the business's
 * fixed words, which may be said in the caller's language and way.
 */
void journal_whatsapp(struct journal *journal, const char *text, enum message_wording wording, uint64_t unix_ms);
void journal_end(struct journal *journal, enum call_end end, uint64_t unix_ms); /* once, last */

/*
 * An end that a full disk had no room for is not lost: while must_end_again is set, try again now and then (up to
 * JOURNAL_END_TRIES) and flush, or give it up.
 */
enum { JOURNAL_END_TRIES = 60 };
void journal_end_again(struct journal *journal);
void journal_end_give_up(struct journal *journal);

/* Hand to the store what it takes. Returns: true when nothing is left that has to be offered again. */
bool journal_flush(struct journal *journal);
bool journal_at_rest(const struct journal *journal); /* everything is on disk, or failed for good */
