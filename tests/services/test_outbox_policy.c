/*
 * test_outbox_policy.c - what becomes of a job after an attempt, in virtual time
 */
#include "services/outbox_policy.h"

#include <string.h>

#include "tap.h"
#include "utils/scoped.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, NOW = 2 * HOUR };

static const struct outbox_rules once = { false, 2 * SECOND, 10 * MINUTE, 24 * HOUR };
static const struct outbox_rules repeatable = { true, 30 * SECOND, HOUR, 24 * HOUR };

static const struct {
    const char *what;
    const struct outbox_rules *rules;
    struct job job;
    struct outcome outcome;
    enum verdict verdict;
    enum job_state state;
    enum job_doubt doubt;
    uint64_t wait_ms;
    const char *error;
} rows[] = {
    { "done", &once, { .n_tried = 1 }, { OUTCOME_DONE }, VERDICT_DONE, JOB_WAITING, JOB_SURE, 0, "" },
    { "a step is done", &once, { .n_tried = 1, .is_harmless = true }, { OUTCOME_GO_ON }, VERDICT_AGAIN, JOB_WAITING, JOB_SURE, 0, "" },
    { "nobody was asked", &once, { .n_tried = 1 }, { OUTCOME_NOT_SENT, 0, "down" }, VERDICT_AGAIN, JOB_WAITING, JOB_SURE, 2 * SECOND, "down" },
    { "again", &once, { .n_tried = 2 }, { OUTCOME_NOT_SENT }, VERDICT_AGAIN, JOB_WAITING, JOB_SURE, 4 * SECOND, "" },
    { "and again", &once, { .n_tried = 5 }, { OUTCOME_NOT_SENT }, VERDICT_AGAIN, JOB_WAITING, JOB_SURE, 32 * SECOND, "" },
    { "for long", &once, { .n_tried = 4000000000u }, { OUTCOME_NOT_SENT }, VERDICT_AGAIN, JOB_WAITING, JOB_SURE, 10 * MINUTE, "" },
    { "it is told when", &once, { .n_tried = 1 }, { OUTCOME_NOT_SENT, 7 * SECOND }, VERDICT_AGAIN, JOB_WAITING, JOB_SURE, 7 * SECOND, "" },
    { "not sooner than it would", &once, { .n_tried = 3 }, { OUTCOME_NOT_SENT, SECOND }, VERDICT_AGAIN, JOB_WAITING, JOB_SURE, 8 * SECOND, "" },
    { "rejected", &once, { .n_tried = 1 }, { OUTCOME_REJECTED, 0, "63016" }, VERDICT_OVER, JOB_FAILED, JOB_SURE, 0, "63016" },
    { "broken: it is looked for", &once, { .n_tried = 1 }, { OUTCOME_BROKEN, 0, "500" }, VERDICT_AGAIN, JOB_WAITING, JOB_REFUSED, 2 * SECOND, "500" },
    { "unheard: the same", &once, { .n_tried = 1 }, { OUTCOME_UNHEARD, 0, "late" }, VERDICT_AGAIN, JOB_WAITING, JOB_UNHEARD, 2 * SECOND, "late" },
    { "broken and not found: it is tried again", &once, { .n_tried = 2, .doubt = JOB_REFUSED, .is_harmless = true, .error = "500" },
      { OUTCOME_NOT_FOUND }, VERDICT_AGAIN, JOB_WAITING, JOB_SURE, 4 * SECOND, "500" },
    { "unheard and not found: who knows", &once, { .n_tried = 2, .doubt = JOB_UNHEARD, .is_harmless = true, .error = "late" },
      { OUTCOME_NOT_FOUND }, VERDICT_OVER, JOB_UNCERTAIN, JOB_UNHEARD, 0, "late" },
    { "found", &once, { .n_tried = 2, .doubt = JOB_UNHEARD, .is_harmless = true }, { OUTCOME_DONE }, VERDICT_DONE, JOB_WAITING, JOB_UNHEARD, 0, "" },
    { "a look that was not heard leaves the doubt", &once, { .n_tried = 2, .doubt = JOB_REFUSED, .is_harmless = true },
      { OUTCOME_UNHEARD }, VERDICT_AGAIN, JOB_WAITING, JOB_REFUSED, 4 * SECOND, "" },
    { "a look that is rejected: who knows", &once, { .n_tried = 2, .doubt = JOB_REFUSED, .is_harmless = true },
      { OUTCOME_REJECTED, 0, "401" }, VERDICT_OVER, JOB_UNCERTAIN, JOB_REFUSED, 0, "401" },
    { "thinking of words that broke off leaves none", &once, { .n_tried = 1, .is_harmless = true }, { OUTCOME_BROKEN },
      VERDICT_AGAIN, JOB_WAITING, JOB_SURE, 2 * SECOND, "" },
    { "what may happen twice leaves none", &repeatable, { .n_tried = 1 }, { OUTCOME_UNHEARD }, VERDICT_AGAIN, JOB_WAITING, JOB_SURE, 30 * SECOND, "" },
    { "given up after a day", &once, { .n_tried = 9, .created_ms = 1 }, { OUTCOME_NOT_SENT, 23 * HOUR, "down" }, VERDICT_OVER, JOB_FAILED, JOB_SURE, 0, "given up: down" },
    { "in doubt to the end", &once, { .n_tried = 9, .created_ms = 1, .doubt = JOB_UNHEARD, .is_harmless = true },
      { OUTCOME_NOT_SENT, 23 * HOUR, "down" }, VERDICT_OVER, JOB_UNCERTAIN, JOB_UNHEARD, 0, "given up: down" },
    { "just before a day is over", &once, { .n_tried = 9, .created_ms = NOW }, { OUTCOME_NOT_SENT, 24 * HOUR }, VERDICT_AGAIN, JOB_WAITING, JOB_SURE, 24 * HOUR, "" },
};

static void outcomes_are_judged(void)
{
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct job job = rows[i].job, next;

        job.id = 1;
        job.state = JOB_UNDER_WAY;
        if (!job.created_ms)
            job.created_ms = NOW - HOUR;
        is_int(outbox_judge(rows[i].rules, &job, &rows[i].outcome, NOW, 0, &next), rows[i].verdict, rows[i].what);
        is_int(next.state, rows[i].state, "  its state");
        is_int(next.doubt, rows[i].doubt, "  its doubt");
        if (rows[i].verdict == VERDICT_AGAIN)
            is_int((int64_t)(next.due_ms - NOW), (int64_t)rows[i].wait_ms, "  when");
        is_str(next.error, rows[i].error, "  why");
    }
}

static void waits_differ(void)
{
    struct job job = { .id = 1, .n_tried = 1, .created_ms = NOW }, next;
    struct outcome down = { .kind = OUTCOME_NOT_SENT };
    static const struct {
        uint32_t random;
        uint64_t wait_ms;
    } draws[] = { { 0, 2000 }, { 0x80000000, 1750 }, { UINT32_MAX, 1501 } };

    for (size_t i = 0; i < ELEMENTSOF(draws); i++) {
        (void)outbox_judge(&once, &job, &down, NOW, draws[i].random, &next);
        is_int((int64_t)(next.due_ms - NOW), (int64_t)draws[i].wait_ms, "up to a quarter less");
    }
}

/* One job through a life of failures. */
static void a_life(void)
{
    struct job job = { .id = 1, .created_ms = NOW }, next;
    struct outcome down = { OUTCOME_NOT_SENT, 0, "down" };
    uint64_t now_ms = NOW;
    enum verdict verdict = VERDICT_AGAIN;
    unsigned n = 0;

    while (verdict == VERDICT_AGAIN && n++ < 1000) {
        outbox_begin(&job, false, now_ms, &next);
        job = next;
        verdict = outbox_judge(&once, &job, &down, now_ms, 0, &next);
        job = next;
        now_ms = job.due_ms;
    }
    ok(verdict == VERDICT_OVER && n > 100 && n < 200, "a day of trying is %u attempts", n);
    ok(now_ms <= NOW + 24 * HOUR, "and no more than a day");
}

static void a_death(void)
{
    struct job job = { .id = 1, .created_ms = NOW }, begun, next;
    struct outcome outcome;

    for (int is_harmless = 0; is_harmless < 2; is_harmless++) {
        outbox_begin(&job, is_harmless, NOW, &begun);
        ok(begun.state == JOB_UNDER_WAY && begun.n_tried == 1 && begun.tried_ms == (is_harmless ? 0 : NOW), "an attempt begins");
        outbox_died(&begun, &outcome);
        is_int(outbox_judge(&once, &begun, &outcome, NOW, 0, &next), VERDICT_AGAIN, "the daemon dies in it: it goes on");
        is_int(next.doubt, is_harmless ? JOB_SURE : JOB_UNHEARD, "with a doubt, if it could have had an effect");
    }
}

int main(void)
{
    outcomes_are_judged();
    waits_differ();
    a_life();
    a_death();
    return done_testing();
}
