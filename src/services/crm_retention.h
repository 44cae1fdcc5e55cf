#pragma once
/*
 * crm_retention.h - what is kept long enough is forgotten
 *
 * Each kind by its own number of days. What is looked for is looked for in short snapshots, and what is found is forgotten
 * in writes of a few ms, as crm_erase.h does it, without receipts. Not for loops or speech workers.
 */

#include <stdbool.h>
#include <stdint.h>

#include "db.h"

enum retention_kind {
    RETAIN_AUDIO,    /* sound of calls; what was said stays */
    RETAIN_MEDIA,    /* files of messages; what they were stays */
    RETAIN_MESSAGES, /* unless they are still to be sent */
    RETAIN_CALLS,    /* with turns and sound, when they are over */
    RETAIN_CONTACTS, /* of whom nothing is left: no call, message, note or task; and who did not change since */
    RETAIN_N_KINDS
};

const char *retention_name(enum retention_kind kind); /* "audio" */

struct crm_retention {
    uint32_t days[RETAIN_N_KINDS]; /* 0: it is kept */
    uint64_t now_ms;
    bool is_dry; /* it is counted, and nothing is changed; db may be one that is only read */
    /* After each write, which took so long: whether to go on. May be NULL. */
    bool (*go_on)(void *arg, uint64_t took_ms);
    void *arg;
};

/* As RETAIN_AUDIO_DAYS and its like say. */
struct config;
void retention_days(const struct config *config, uint32_t ret_days[RETAIN_N_KINDS]);

/* Returns: 0; 1 it was told to stop, and goes on from there the next time. ret_n: how many, of each. */
int crm_retention_run(struct db *db, const struct crm_retention *retention, uint64_t ret_n[RETAIN_N_KINDS]);
