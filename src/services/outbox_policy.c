/*
 * outbox_policy.c - what becomes of a job after an attempt
 *
 *   outcome      may happen twice   must not
 *   done         done               done
 *   go on        now                now
 *   not sent     later              later
 *   rejected     failed             failed; uncertain when it was a look
 *   broken       later              a look later; not found there: it is tried again
 *   unheard      later              a look later; not found there: uncertain, since it may still be on its way
 *
 * Later is never after the time to give up: then it is failed, or uncertain while there is a doubt.
 */
#include "services/outbox_policy.h"

#include <stdio.h>

#include "utils/backoff.h"
#include "utils/text.h"

static enum verdict over(const struct job *job, uint64_t now_ms, struct job *ret_job)
{
    ret_job->state = job->doubt == JOB_SURE ? JOB_FAILED : JOB_UNCERTAIN;
    ret_job->due_ms = now_ms;
    return VERDICT_OVER;
}

static enum verdict later(const struct outbox_rules *rules, const struct job *job, const struct outcome *outcome,
                          uint64_t now_ms, uint32_t random, struct job *ret_job)
{
    unsigned n_before = job->n_tried ? job->n_tried - 1 : 0;
    uint64_t wait_ms = backoff_ms(rules->back_off_ms, rules->back_off_max_ms, n_before, random), end_ms = job->created_ms + rules->give_up_ms;

    if (outcome->retry_after_ms > wait_ms)
        wait_ms = outcome->retry_after_ms;
    if (now_ms > end_ms || wait_ms > end_ms - now_ms) {
        char error[JOB_ERROR_MAX];
        (void)snprintf(error, sizeof(error), "given up: %.200s", outcome->error);
        (void)text_set(ret_job->error, sizeof(ret_job->error), error);
        return over(ret_job, now_ms, ret_job);
    }
    ret_job->due_ms = now_ms + wait_ms;
    return VERDICT_AGAIN;
}

enum verdict outbox_judge(const struct outbox_rules *rules, const struct job *job, const struct outcome *outcome,
                          uint64_t now_ms, uint32_t random, struct job *ret_job)
{
    *ret_job = *job;
    ret_job->state = JOB_WAITING;
    if (outcome->error[0])
        (void)text_set(ret_job->error, sizeof(ret_job->error), outcome->error);

    switch (outcome->kind) {
    case OUTCOME_DONE:
        return VERDICT_DONE;
    case OUTCOME_GO_ON:
        ret_job->n_tried--;
        ret_job->due_ms = now_ms;
        return VERDICT_AGAIN;
    case OUTCOME_REJECTED:
        return over(job, now_ms, ret_job);
    case OUTCOME_NOT_FOUND:
        if (job->doubt == JOB_UNHEARD)
            return over(job, now_ms, ret_job);
        ret_job->doubt = JOB_SURE;
        break;
    case OUTCOME_BROKEN:
    case OUTCOME_UNHEARD:
        if (!rules->is_repeatable && !job->is_harmless)
            ret_job->doubt = outcome->kind == OUTCOME_BROKEN ? JOB_REFUSED : JOB_UNHEARD;
        break;
    default:
        break;
    }
    return later(rules, job, outcome, now_ms, random, ret_job);
}

void outbox_begin(const struct job *job, bool is_harmless, uint64_t now_ms, struct job *ret_job)
{
    *ret_job = *job;
    ret_job->state = JOB_UNDER_WAY;
    ret_job->is_harmless = is_harmless;
    ret_job->n_tried++;
    if (!is_harmless)
        ret_job->tried_ms = now_ms;
}

void outbox_died(const struct job *job, struct outcome *ret_outcome)
{
    *ret_outcome = (struct outcome){ .kind = job->is_harmless ? OUTCOME_NOT_SENT : OUTCOME_UNHEARD };
    (void)text_set(ret_outcome->error, sizeof(ret_outcome->error), "the daemon ended while it was under way");
}
