/*
 * hook_policy.c - what becomes of an event after an attempt to have it taken
 *
 *   answer                                 the event
 *   2xx                                    taken
 *   410                                    waits, with all behind it, until somebody says so
 *   401 403 404 408 425 429, 3xx, 5xx,     later; given up three days after it happened: whoever answers so
 *   none                                   would answer all others so, too
 *   any other 4xx                          later; given up after five times: it may be this one that is not
 *                                          understood, and those behind it should not wait for days
 *
 * Waits double from five seconds to an hour, counted over all events: giving one up does not make an endpoint well.
 */
#include "services/hook_policy.h"

#include "utils/backoff.h"
#include "utils/scoped.h"

static bool refuses_this_one(unsigned status)
{
    static const unsigned of_all[] = { 401, 403, 404, 408, 425, 429 };

    for (size_t i = 0; i < ELEMENTSOF(of_all); i++)
        if (status == of_all[i])
            return false;
    return status / 100 == 4;
}

bool hook_is_too_late(const struct hook_standing *standing, uint64_t age_ms)
{
    return standing->n_failed && age_ms >= HOOK_GIVE_UP_MS;
}

enum hook_verdict hook_judge(struct hook_standing *standing, const struct hook_answer *answer, uint64_t age_ms, uint32_t random,
                             uint64_t *ret_wait_ms)
{
    *ret_wait_ms = 0;
    if (answer->is_taken) {
        *standing = (struct hook_standing){ 0 };
        return HOOK_TAKEN;
    }
    uint64_t wait_ms = backoff_ms(HOOK_BACK_OFF_MS, HOOK_BACK_OFF_MAX_MS, standing->n_failed, random);
    uint64_t asked_ms = answer->retry_after_ms < HOOK_RETRY_AFTER_MAX_MS ? answer->retry_after_ms : HOOK_RETRY_AFTER_MAX_MS;
    *ret_wait_ms = asked_ms > wait_ms ? asked_ms : wait_ms;
    standing->n_failed++;
    if (answer->status == 410)
        return HOOK_GONE;
    standing->n_refused += refuses_this_one(answer->status);
    if (standing->n_refused < HOOK_REFUSALS_MAX && !hook_is_too_late(standing, age_ms))
        return HOOK_LATER;
    if (standing->n_refused == HOOK_REFUSALS_MAX) /* he is there, and the next may please him */
        *ret_wait_ms = standing->n_failed = 0;
    standing->n_refused = 0;
    return HOOK_GIVEN_UP;
}
