/*
 * test_places.c - a place is one call's, from its answer until its stream comes, or does not
 */
#include "services/places.h"

#include <errno.h>

#include "tap.h"

enum step { TAKE, GIVE, N_EXPECTED };

static const struct {
    const char *what;
    enum step step;
    const char *sid;
    uint64_t n_live, ms;
    int want;
} rows[] = {
    { "the first of two places", TAKE, "CA1", 0, 0, 0 },
    { "the second", TAKE, "CA2", 0, 1, 0 },
    { "there is no third", TAKE, "CA3", 0, 2, -ENOSPC },
    { "who has one is asked again and keeps it", TAKE, "CA1", 0, 3, 0 },
    { "two are expected", N_EXPECTED, "", 0, 3, 2 },
    { "the stream of one begins", GIVE, "CA1", 0, 4, 0 },
    { "the call holds its place as one that lives", TAKE, "CA3", 1, 5, -ENOSPC },
    { "and when it has ended, the next is taken", TAKE, "CA3", 0, 6, 0 },
    { "one that has none gives nothing back", GIVE, "CA4", 0, 7, 0 },
    { "the one whose stream does not come keeps it", TAKE, "CA4", 0, PLACE_MS, -ENOSPC },
    { "so long and no longer", TAKE, "CA4", 0, PLACE_MS + 1, 0 },
    { "all are gone in the end", N_EXPECTED, "", 0, 3 * PLACE_MS, 0 },
};

int main(void)
{
    scoped(places_free) struct places *places = NULL;
    struct places_stats stats;

    if (places_new(2, &places) < 0)
        return 1;
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        int got = 0;
        if (rows[i].step == TAKE)
            got = places_take(places, rows[i].sid, rows[i].n_live, rows[i].ms);
        else if (rows[i].step == GIVE)
            places_give_back(places, rows[i].sid);
        else {
            places_stats(places, rows[i].ms, &stats);
            got = (int)stats.n_expected;
        }
        is_int(got, rows[i].want, rows[i].what);
    }
    places_count(places, TURNED_FULL);
    places_count(places, TURNED_FULL);
    places_stats(places, 0, &stats);
    is_int((long long)stats.n_turned_away[TURNED_FULL], 2, "who was turned away is counted");
    is_int((long long)stats.n_turned_away[TURNED_LATE], 0, "by why");
    is_str(turned_away_name(TURNED_DRAINING), "draining", "which has a name");
    places_free(NULL);
    return done_testing();
}
