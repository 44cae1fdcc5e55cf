#pragma once
/*
 * outbox_effect.h - one attempt at a job, and what each kind of job does in it
 *
 *   writer  begin    in the transaction that notes the attempt, before anybody is asked
 *   outbox  perform  somebody is asked; ends with effect_end()
 *   writer  settle   in the transaction that notes what became of it
 *
 * An effect is the outbox's, and stays where it is from begin to release.
 */

#include "db.h"
#include "services/crm_reply.h"
#include "services/outbox_policy.h"
#include "utils/inbox.h"

struct agent_tools;
struct chat;
struct config;
struct effect;
struct engine;
struct http_client;
struct media_store;
struct outbox;
struct profile;
struct stt;
struct whatsapp;

struct effect_kind {
    struct outbox_rules rules;
    bool is_kept; /* a dead letter stays for somebody to look at */
    /*
     * Read what is needed into effect->state, which may be there from a transaction that was undone; *ret_harmless: as
     * in struct job. Returns: 0; 1 nothing is left to do, and the job is done.
     */
    int (*begin)(struct db_txn *txn, struct effect *effect, uint64_t now_ms, bool *ret_harmless);
    void (*perform)(struct effect *effect);
    void (*abort)(struct effect *effect); /* let it end soon */
    /*
     * Write the effect into the store; job is as it will be stored, or was when it is done. There is no state when the
     * daemon died in the attempt. Returns: 0; 1 it is done, whatever the verdict was.
     */
    int (*settle)(struct db_txn *txn, const struct effect *effect, enum verdict verdict, const struct job *job, uint64_t now_ms);
    void (*release)(struct effect *effect); /* frees state, which may be NULL */
};

extern const struct effect_kind effect_message, effect_reply, effect_summary, effect_fetch, effect_transcribe;

struct effect {
    const struct effect_kind *kind;
    struct outbox *outbox;
    struct job job; /* as it is stored */
    struct outcome outcome;
    void *state; /* the kind's */

    /* the outbox's; on_alarm may be set by perform() */
    void (*on_alarm)(struct effect *effect);
    uint64_t alarm_ms; /* clock_mono_ms() */
    struct inbox_item home;
};

/* Outcome is filled in. Thread: any; once. */
void effect_end(struct effect *effect);

/* --- what kinds stand on */

struct outbox_services {
    struct db *db;
    struct whatsapp *whatsapp;    /* NULL: nobody carries messages */
    struct chat *chat;            /* NULL none */
    const struct profile *profile;
    const struct agent_tools *text_tools; /* of conversations in writing; NULL none */
    const char *country;                  /* of numbers without one */
    struct crm_reply_rules reply_rules;
    const struct config *config;
    struct media_store *media;   /* NULL: nothing is kept, as these */
    struct engine *engine;       /* one thread, for what waits for the disk or takes its time */
    struct http_client *fetcher; /* a client of its own, whose thread may wait for the disk; NULL: nothing is fetched */
    struct stt *stt;             /* NULL: nobody transcribes */
};
const struct outbox_services *outbox_services(const struct outbox *outbox);
struct inbox *outbox_inbox(const struct outbox *outbox);
