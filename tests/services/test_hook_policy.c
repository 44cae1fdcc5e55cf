/*
 * test_hook_policy.c - what becomes of an event that is not taken, in virtual time
 */
#include "services/hook_policy.h"

#include "tap.h"
#include "utils/scoped.h"

enum { S = 1000, HOUR = 3600 * S };

static const struct {
    struct hook_standing standing;
    struct hook_answer answer;
    uint64_t age_ms;
    enum hook_verdict want;
    uint64_t wait_ms;
    unsigned n_failed, n_refused;
    const char *what;
} rows[] = {
    { { 0, 0 }, { 200, true, 0 }, 0, HOOK_TAKEN, 0, 0, 0, "taken" },
    { { 7, 3 }, { 204, true, 0 }, 9 * HOUR, HOOK_TAKEN, 0, 0, 0, "taken after failures, which are forgotten" },
    { { 0, 0 }, { 0, false, 0 }, 0, HOOK_LATER, 5 * S, 1, 0, "nobody there" },
    { { 3, 0 }, { 500, false, 0 }, 0, HOOK_LATER, 40 * S, 4, 0, "a wait is doubled each time" },
    { { 60, 0 }, { 500, false, 0 }, 0, HOOK_LATER, HOUR, 61, 0, "up to an hour" },
    { { 0, 0 }, { 503, false, 90 * S }, 0, HOOK_LATER, 90 * S, 1, 0, "it is waited as long as was asked for" },
    { { 9, 0 }, { 503, false, 90 * S }, 0, HOOK_LATER, 2560 * S, 10, 0, "and no shorter than without" },
    { { 0, 0 }, { 503, false, 1000 * (uint64_t)HOUR }, 0, HOOK_LATER, 24 * HOUR, 1, 0, "but a day at most" },
    { { 0, 0 }, { 200, false, 0 }, 0, HOOK_LATER, 5 * S, 1, 0, "an answer that broke off" },
    { { 0, 0 }, { 302, false, 0 }, 0, HOOK_LATER, 5 * S, 1, 0, "a redirect" },
    { { 0, 4 }, { 404, false, 0 }, 0, HOOK_LATER, 5 * S, 1, 4, "what says nothing of this event is no refusal" },
    { { 0, 4 }, { 429, false, 0 }, 0, HOOK_LATER, 5 * S, 1, 4, "nor is haste of ours" },
    { { 0, 0 }, { 400, false, 0 }, 0, HOOK_LATER, 5 * S, 1, 1, "a refusal" },
    { { 4, 4 }, { 422, false, 0 }, 0, HOOK_GIVEN_UP, 0, 0, 0, "the fifth of it: the next at once" },
    { { 2, 0 }, { 410, false, 0 }, 0, HOOK_GONE, 20 * S, 3, 0, "gone" },
    { { 80, 0 }, { 500, false, 0 }, HOOK_GIVE_UP_MS - 1, HOOK_LATER, HOUR, 81, 0, "nearly three days old" },
    { { 80, 0 }, { 500, false, 0 }, HOOK_GIVE_UP_MS, HOOK_GIVEN_UP, HOUR, 81, 0, "three days old: the next when it is time" },
};

int main(void)
{
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct hook_standing standing = rows[i].standing;
        uint64_t wait_ms = 1;
        enum hook_verdict verdict = hook_judge(&standing, &rows[i].answer, rows[i].age_ms, 0, &wait_ms);

        if (!ok(verdict == rows[i].want && wait_ms == rows[i].wait_ms && standing.n_failed == rows[i].n_failed &&
                    standing.n_refused == rows[i].n_refused,
                "%s", rows[i].what))
            printf("# got %d, %llu ms, failed %u, refused %u\n", verdict, (unsigned long long)wait_ms, standing.n_failed, standing.n_refused);
    }
    struct hook_standing standing = { 0 };
    uint64_t wait_ms;
    (void)hook_judge(&standing, &(struct hook_answer){ 500, false, 0 }, 0, UINT32_MAX, &wait_ms);
    ok(wait_ms > 3700 && wait_ms < 3800, "chance takes up to a quarter off");
    ok(!hook_is_too_late(&(struct hook_standing){ 0, 0 }, HOOK_GIVE_UP_MS), "an old event is sent to whoever is well");
    ok(hook_is_too_late(&(struct hook_standing){ 1, 0 }, HOOK_GIVE_UP_MS), "and not to whoever fails");
    return done_testing();
}
