#pragma once
/*
 * places.h - places for calls: one is taken when a call is answered, before its stream comes
 *
 * A call holds its place from the webhook on, so that of two that ring for the last one the second is told so at once,
 * and is not sent on to a stream that nobody can take. Once its stream has begun, the call is counted by speech, and the
 * place is given back; so it is when the call ends before, or when no stream comes within PLACE_MS.
 */

#include <stdbool.h>
#include <stdint.h>

#include "models/call.h"
#include "utils/scoped.h"

enum { PLACE_MS = 20000 }; /* longer than Twilio takes to open a stream, with a second try */

/* Why a call was not taken. */
enum turned_away { TURNED_NOT, TURNED_DRAINING, TURNED_FULL, TURNED_LATE, N_TURNED };
const char *turned_away_name(enum turned_away why); /* "draining", "full", "late" */

struct places;

/* Errors: -ENOMEM. */
int places_new(size_t n_max, struct places **ret_places);
void places_free(struct places *places);
SCOPED_PTR(struct places, places_free)

/*
 * A place for one more call, beside the n_live whose streams have begun; who has one keeps it, for PLACE_MS from now.
 *
 * Thread: any, as all of these. Errors: -ENOSPC none is left.
 */
int places_take(struct places *places, const char *sid, uint64_t n_live, uint64_t mono_ms);
void places_give_back(struct places *places, const char *sid); /* he may have none */

/* One was turned away. */
void places_count(struct places *places, enum turned_away why);

struct places_stats {
    uint64_t n_expected; /* calls whose streams are to come */
    uint64_t n_turned_away[N_TURNED];
};
void places_stats(struct places *places, uint64_t mono_ms, struct places_stats *ret_stats);
