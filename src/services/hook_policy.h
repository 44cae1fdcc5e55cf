#pragma once
/*
 * hook_policy.h - what becomes of an event after an attempt to have it taken: taken, later, or never
 *
 * No clock, no chance, no network and no store of its own. Thread: any.
 */

#include <stdbool.h>
#include <stdint.h>

enum {
    HOOK_BACK_OFF_MS = 5000,
    HOOK_BACK_OFF_MAX_MS = 3600 * 1000,
    HOOK_GIVE_UP_MS = 3 * 24 * 3600 * 1000, /* after it happened */
    HOOK_RETRY_AFTER_MAX_MS = 24 * 3600 * 1000, /* of what is asked for */
    HOOK_REFUSALS_MAX = 5,
};

struct hook_answer {
    unsigned status;         /* of HTTP; 0 none */
    bool is_taken;           /* 2xx, and enough of it came */
    uint64_t retry_after_ms; /* as was asked for; 0 not */
};

/* How whoever is told has done lately. */
struct hook_standing {
    unsigned n_failed;  /* attempts in a row */
    unsigned n_refused; /* of this event */
};

enum hook_verdict {
    HOOK_TAKEN,
    HOOK_LATER,    /* in *ret_wait_ms */
    HOOK_GIVEN_UP, /* it is a dead letter, and the next may be tried in *ret_wait_ms */
    HOOK_GONE,     /* 410: nothing is sent there any more */
};

/* age_ms: since the event happened. random: 32 bits of chance. */
enum hook_verdict hook_judge(struct hook_standing *standing, const struct hook_answer *answer, uint64_t age_ms, uint32_t random,
                             uint64_t *ret_wait_ms);

/* Whoever fails is not asked any more about an event that is as old as this. */
bool hook_is_too_late(const struct hook_standing *standing, uint64_t age_ms);
