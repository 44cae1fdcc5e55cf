#pragma once
/*
 * provider.h - whoever carries WhatsApp messages for us
 *
 * WHATSAPP_PROVIDER chooses. A request is the caller's; each ends once, by its on_end(), whatever happens.
 */

#include "models/message.h"
#include "services/crm_unread.h"
#include "services/outbox_policy.h"
#include "utils/scoped.h"

struct config;
struct crm_reply_rules;
struct db;
struct db_txn;
struct http_client;
struct json_object;
struct whatsapp;

/* Errors: -ENOENT nothing is set up for it; -EINVAL the URL; -ENOMEM. */
int whatsapp_open(const struct config *config, struct http_client *client, struct whatsapp **ret_whatsapp);
void whatsapp_close(struct whatsapp *whatsapp); /* when no request is out */
SCOPED_PTR(struct whatsapp, whatsapp_close)

struct whatsapp_capabilities {
    size_t text_max; /* characters */
    bool can_look;   /* whatsapp_look() finds what was sent */
    bool has_window; /* free words go only to who has written within a day */
    bool shows_quotes; /* an answer is shown with the message it answers */
    bool fetches_media; /* files of ours are fetched by URL; else they are handed over in WHATSAPP_SPOOL */
};
const struct whatsapp_capabilities *whatsapp_capabilities(const struct whatsapp *whatsapp);

/*
 * What comes in by the provider's own way, where he calls no webhook, goes into the store from now on; until stop(), after
 * which it may be started again.
 *
 * rules: of who is answered by the agent; lent until then.
 * Errors: -errno no thread for it.
 */
int whatsapp_start(struct whatsapp *whatsapp, struct db *db, const struct crm_reply_rules *rules);
void whatsapp_stop(struct whatsapp *whatsapp);

/*
 * crm_read(), and he is told so where the provider can, if it can just then: nobody waits for that, and nothing depends on
 * it. Should the transaction be undone he was told too early.
 *
 * whatsapp may be NULL. Returns: as crm_read().
 */
int whatsapp_read(struct whatsapp *whatsapp, struct db_txn *txn, const char *contact_id, const char *message_id, uint64_t now_ms,
                  struct crm_reading *ret_reading);

/*
 * What came of somebody, or was sent to him, until then is to be forgotten by the provider's own program. Waits for it, some
 * seconds at most; it may be asked again.
 *
 * address: E.164, or what the provider calls him; before_ms: unix time. whatsapp may be NULL.
 * Errors: -EOPNOTSUPP this provider has no program beside us; -EREMOTEIO it refused; -errno it is not there.
 * Thread: one at a time, and it may wait; whatsapp_stop() has it return, with -ECANCELED.
 */
int whatsapp_forget(struct whatsapp *whatsapp, const char *address, uint64_t before_ms);

/* {"provider":"twilio",...}: for the operator. whatsapp may be NULL. NULL when out of memory. Thread: any. */
struct json_object *whatsapp_status(struct whatsapp *whatsapp);

enum { WHATSAPP_FOUND_MAX = 8 };

struct whatsapp_request {
    /* lent until on_end() */
    const char *to;         /* E.164, or what the provider calls him */
    const char *text;       /* below media_url, or "" */
    const char *media_url;  /* NULL none */
    const char *spooled;    /* in its place what a file is called that lies in the spool; NULL none: */
    const char *media_type, *media_name; /* "" not known */
    const char *content_sid, *content_variables; /* of a template, in place of both; the second as JSON, or NULL */
    const char *quote;      /* the provider's id of the message that this one answers; NULL none */
    const char *message_id; /* ours; the provider tells it with each status, where it can */
    uint64_t since_ms;      /* of a look: what may have been sent from then on, unix time */
    void (*on_end)(struct whatsapp_request *request); /* on any thread: quick, or hand on */
    void *user;

    /* how it ended; a look: OUTCOME_DONE found something, oldest first, which may be that of another message */
    struct outcome outcome;
    struct {
        char provider_id[ADDRESS_MAX];
        enum message_status status;
    } found[WHATSAPP_FOUND_MAX];
    size_t n_found; /* 1 when it was sent */

    void *state; /* the provider's */
};

/* Thread: any one; never blocks. */
void whatsapp_send(struct whatsapp *whatsapp, struct whatsapp_request *request);
/* Whether a message like that was sent. */
void whatsapp_look(struct whatsapp *whatsapp, struct whatsapp_request *request);
/* It ends soon, also as OUTCOME_UNHEARD. */
void whatsapp_abort(struct whatsapp *whatsapp, struct whatsapp_request *request);
/* After on_end(), on the thread that asked. */
void whatsapp_release(struct whatsapp *whatsapp, struct whatsapp_request *request);

/* --- for the providers */

struct whatsapp_ops {
    const char *name; /* of WHATSAPP_PROVIDER */
    struct whatsapp_capabilities capabilities;
    int (*open)(const struct config *config, struct http_client *client, void **ret_state);
    void (*close)(void *state);
    void (*send)(void *state, struct whatsapp_request *request);
    void (*look)(void *state, struct whatsapp_request *request);
    void (*abort)(struct whatsapp_request *request);
    void (*release)(struct whatsapp_request *request);
    /* these may be NULL */
    int (*start)(void *state, struct db *db, const struct crm_reply_rules *rules);
    void (*stop)(void *state);
    void (*read)(void *state, const struct crm_reading *reading); /* any thread; never blocks */
    int (*forget)(void *state, const char *address, uint64_t before_ms);
    int (*describe)(void *state, struct json_object *status);
};
