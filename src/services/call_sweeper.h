#pragma once
/*
 * call_sweeper.h - closes calls that nobody will close any more
 *
 * A call whose stream never came, and whose final callback was lost on its way, would stay open until the next start.
 */

#include <stdbool.h>
#include <stdint.h>

#include "utils/scoped.h"

struct call_sweeper;
struct db;

enum {
    SWEEP_EVERY_MS = 60 * 1000,
    SWEEP_QUIET_MS = 10 * 60 * 1000, /* nothing was heard of a call for so long: longer than a message takes */
};

struct call_sweeper_options {
    struct db *db;
    bool (*is_live)(void *user, const char *sid); /* on the writer's thread */
    void *user;
    uint64_t (*real_ms)(void);
    bool sum_up; /* the summaries of what is closed are owed */
};

int call_sweeper_new(const struct call_sweeper_options *options, struct call_sweeper **ret_sweeper);
void call_sweeper_free(struct call_sweeper *sweeper); /* after db_close() */
SCOPED_PTR(struct call_sweeper, call_sweeper_free)

/* Every now and then, with a clock of one's own. Does not wait. Thread: one. */
void call_sweeper_tick(struct call_sweeper *sweeper, uint64_t now_ms);
