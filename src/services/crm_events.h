#pragma once
/*
 * crm_events.h - the change feed: what happened, in the order in which it was written down
 *
 * The store keeps the last DB_EVENTS_KEPT. As crm.h says of all its functions.
 */

#include "db.h"
#include "models/event.h"

struct json_object;

enum { EVENTS_LOOKED_AT_MAX = 5000 };

/* The oldest and the newest that are kept; both 0: none. */
int crm_events_range(struct db_txn *txn, uint64_t *ret_first, uint64_t *ret_last);

/*
 * The first of these kinds (see event_is_wanted()) behind `after`.
 *
 * *ret_seen: up to there no other one is of these kinds.
 * Returns: 1; 0 there is none, or none among EVENTS_LOOKED_AT_MAX: then *ret_seen is beyond `after`.
 */
int crm_event_next(struct db_txn *txn, uint64_t after, const char *kinds, struct event *ret_event, uint64_t *ret_seen);

/*
 * An event for whoever is told: {"id","seq","kind","at_ms","data"} and the ids it has. data is what it is about as it is
 * now, in the shape of /api; null when it is not there any more.
 */
int crm_event_shown(struct db_txn *txn, const struct event *event, struct json_object **ret_object);

/* {"events":[...],"next","missed"}, oldest first: next goes on; missed are those behind `after` that are not kept any more. */
int crm_events_page(struct db_txn *txn, uint64_t after, const char *kinds, size_t max, struct json_object **ret_object);

/* The latest, newest first, without data. */
int crm_events_last(struct db_txn *txn, size_t max, struct json_object **ret_array);
