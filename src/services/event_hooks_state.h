#pragma once
/* event_hooks_state.h - one endpoint of event_hooks.c, which several files look after; all on its thread unless they say otherwise */

#include <pthread.h>
#include <stdatomic.h>

#include "db.h"
#include "services/event_hooks.h"
#include "services/hook_policy.h"
#include "services/hook_store.h"
#include "services/http_client.h"
#include "services/webhook_signature.h"
#include "utils/inbox.h"

enum { HOOK_HOLD_MS = 1000 }; /* until what could not be read or written is tried again */

enum hook_phase { READY, ASKING, WRITING, STOPPED };

struct hook {
    struct event_hooks *hooks;
    struct hook_place place;
    struct http_provider *provider;
    _Atomic enum hook_phase state;
    bool must_look;  /* READY: there may be something, whatever due_ms says */
    uint64_t due_ms; /* mono */
    struct hook_standing standing;
    struct hook_place_state at, kept; /* as it is, and as it is on disk */
    uint64_t kept_ms;                 /* mono; of the last writing */
    bool is_hurried;                  /* ASKING: when it fails, it is asked again at once */
    bool is_late;                     /* events passed him by, and it was said */

    /* what is asked */
    struct letter letter; /* the event, and that it was one already */
    bool is_letter;
    struct http_call call;
    struct http_header headers[3];
    char id[EVENT_ID_MAX], seconds[24], signature[WEBHOOK_SIGNATURE_MAX];
    struct json_object *body;
    struct inbox_item answered;

    struct db_op keep_op, letter_op;
    struct inbox_item keep_home, letter_home;
    int keep_r, letter_r;
    struct hook_place_state keeping;
    bool is_keeping, drops_letter;

    _Atomic bool wants_resume; /* another thread says so */
    _Atomic uint64_t seq, n_missed, n_taken, n_failed, n_given_up; /* for the status */
    _Atomic unsigned n_in_a_row, last_status;
    const char *_Atomic last_why; /* static; "" nothing is wrong */
};

struct event_hooks {
    const struct config *config;
    struct db *db;
    struct inbox *inbox;
    pthread_t thread;
    bool is_running, is_watching;
    _Atomic bool has_new, is_stopping;
    size_t n_hooks;
    struct hook hooks[HOOKS_MAX];
};

/* Of a part of it, itself. */
static inline struct hook *hook_of(void *part, size_t offset)
{
    return (struct hook *)((char *)part - offset);
}

/* --- event_hooks_keeping.c */

void hook_set_at(struct hook *hook, uint64_t seq);
void hook_miss(struct hook *hook, uint64_t n);
bool hook_is_kept(const struct hook *hook); /* how far it was told */
int hook_run_keep(struct db_txn *txn, struct db_op *op);
void hook_keep(struct hook *hook);
void hook_write_letter(struct hook *hook); /* that is being kept or dropped: once more */
void hook_drop_letter(struct hook *hook);
void hook_keep_letter(struct hook *hook);
void hook_give_up(struct hook *hook);

/* --- event_hooks_telling.c */

/* Returns: when the hook is to be looked at again, mono. */
uint64_t hook_look_at(struct hook *hook, bool has_new);

/* --- event_hooks_status.c */

/* Why it does not take what it is told, for people. Thread: any. */
const char *hook_explain(const struct hook *hook, char *ret_text, size_t size);
