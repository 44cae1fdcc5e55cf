#pragma once
/*
 * hook_store.h - how far each endpoint has been told, and the events that it never took
 *
 * Endpoints go by their names: who keeps his name and gets another URL goes on where he was. Every function works inside
 * the caller's transaction; errors of all as of crm.h.
 */

#include "db.h"
#include "models/event.h"
#include "utils/hook_list.h"

struct json_object;

enum { LETTER_ERROR_MAX = 160, LETTERS_MAX = 1000 };

struct hook_place_state {
    uint64_t seq;      /* up to this event he was told, or it was given up */
    uint64_t n_missed; /* that the feed did not keep until he took them, and dead letters that had to go */
};

/* Errors: -ENOENT he is new. */
int hook_state_get(struct db_txn *txn, const char *hook, struct hook_place_state *ret_state);
int hook_state_put(struct db_txn *txn, const char *hook, const struct hook_place_state *state);

/* A dead letter. */
struct letter {
    struct event event;
    uint64_t given_up_ms;
    bool again; /* somebody wants it sent once more */
    char error[LETTER_ERROR_MAX];
};

/* The oldest of LETTERS_MAX goes for a new one. Returns: 0; 1 one had to go. */
int letter_put(struct db_txn *txn, const char *hook, const struct letter *letter);
int letter_drop(struct db_txn *txn, const char *hook, uint64_t seq);
/* The oldest that is wanted again. Returns: 1; 0 none is. */
int letter_next_again(struct db_txn *txn, const char *hook, struct letter *ret_letter);
/* Have it sent once more; seq 0: all of his. Returns: how many. Errors: -ENOENT there is none. */
int letter_again(struct db_txn *txn, const char *hook, uint64_t seq);

/* Of all endpoints, by name and then oldest first: [{"hook","seq","id","kind","at_ms","given_up_ms","again","error"}] */
int letters_page(struct db_txn *txn, size_t max, struct json_object **ret_array);
int letters_count(struct db_txn *txn, const char *hook); /* or an error */
