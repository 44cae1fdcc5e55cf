/*
 * places.c - places for calls: one is taken when a call is answered, before its stream comes
 *
 * A list without order: those who wait for their streams are few at any time, and never more than there are places.
 */
#include "services/places.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "utils/text.h"

struct place {
    char sid[SID_MAX];
    uint64_t until_ms;
};

struct places {
    pthread_mutex_t lock; /* held for a few instructions */
    uint64_t n_turned_away[N_TURNED];
    size_t n, n_max;
    struct place rows[];
};

static const char *const names[N_TURNED] = {
    [TURNED_NOT] = "", [TURNED_DRAINING] = "draining", [TURNED_FULL] = "full", [TURNED_LATE] = "late"
};

const char *turned_away_name(enum turned_away why)
{
    return names[why];
}

int places_new(size_t n_max, struct places **ret_places)
{
    struct places *places = calloc(1, sizeof(*places) + n_max * sizeof(places->rows[0]));

    if (!places)
        return -ENOMEM;
    pthread_mutex_init(&places->lock, NULL);
    places->n_max = n_max;
    *ret_places = places;
    return 0;
}

void places_free(struct places *places)
{
    if (!places)
        return;
    pthread_mutex_destroy(&places->lock);
    free(places);
}

/* --- under the lock */

static void drop(struct places *places, size_t i)
{
    places->rows[i] = places->rows[--places->n];
}

static void drop_expired(struct places *places, uint64_t mono_ms)
{
    for (size_t i = places->n; i-- > 0;)
        if (places->rows[i].until_ms <= mono_ms)
            drop(places, i);
}

static struct place *find(struct places *places, const char *sid)
{
    for (size_t i = 0; i < places->n; i++)
        if (strcmp(places->rows[i].sid, sid) == 0)
            return &places->rows[i];
    return NULL;
}

static int take(struct places *places, const char *sid, uint64_t n_live, uint64_t mono_ms)
{
    struct place *place = find(places, sid);

    if (!place && n_live + places->n >= places->n_max)
        return -ENOSPC;
    if (!place) {
        place = &places->rows[places->n++];
        (void)text_set(place->sid, sizeof(place->sid), sid);
    }
    place->until_ms = mono_ms + PLACE_MS;
    return 0;
}

/* --- for all */

int places_take(struct places *places, const char *sid, uint64_t n_live, uint64_t mono_ms)
{
    pthread_mutex_lock(&places->lock);
    drop_expired(places, mono_ms);
    int r = take(places, sid, n_live, mono_ms);
    pthread_mutex_unlock(&places->lock);
    return r;
}

void places_give_back(struct places *places, const char *sid)
{
    pthread_mutex_lock(&places->lock);
    struct place *place = find(places, sid);
    if (place)
        drop(places, (size_t)(place - places->rows));
    pthread_mutex_unlock(&places->lock);
}

void places_count(struct places *places, enum turned_away why)
{
    pthread_mutex_lock(&places->lock);
    places->n_turned_away[why]++;
    pthread_mutex_unlock(&places->lock);
}

void places_stats(struct places *places, uint64_t mono_ms, struct places_stats *ret_stats)
{
    pthread_mutex_lock(&places->lock);
    drop_expired(places, mono_ms);
    ret_stats->n_expected = places->n;
    memcpy(ret_stats->n_turned_away, places->n_turned_away, sizeof(places->n_turned_away));
    pthread_mutex_unlock(&places->lock);
}
