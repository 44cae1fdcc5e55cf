#pragma once
/* baileys.h - WhatsApp by a linked device of WhatsApp Web, which a program beside us keeps (baileys/) */

#include "services/whatsapp/provider.h"

struct db_txn;
struct http_call;
struct http_client;

extern const struct whatsapp_ops whatsapp_baileys_ops;

enum { BAILEYS_ID_MAX = 33, BAILEYS_STATE_MAX = 24, BAILEYS_ERROR_MAX = 160 };

/* What it calls a message of ours: 32 digits, always the same for the same id. Errors: -EIO. */
int baileys_id(const char *message_id, char ret_id[BAILEYS_ID_MAX]);

/* What its answer to a message says; fills outcome, found and n_found. Asking again does no harm, whatever it says. */
void baileys_judge(const struct http_call *call, struct whatsapp_request *request);

/* --- what comes in */

/* Up to where its events are in the store; kept there, in the transaction of the last of them. */
struct baileys_cursor {
    char outbox[40]; /* whose numbers they are; "" none yet */
    uint64_t seq;
};

/* Errors: those of db.h; none when there is no cursor, which is that of the beginning. */
int baileys_cursor_get(struct db_txn *txn, struct baileys_cursor *ret_cursor);
int baileys_cursor_put(struct db_txn *txn, const struct baileys_cursor *cursor);

/*
 * One event into the store; rules: of who is answered by the agent. What cannot be understood changes nothing.
 *
 * Returns: 0 kept; 1 it changed nothing. Errors: those of the store, for which it is to be tried again.
 */
int baileys_apply(struct db_txn *txn, struct json_object *event, const struct crm_reply_rules *rules);

/* A batch: {"outbox":"...","events":[...],"next":n}. Returns: the events, borrowed; NULL it is none. */
struct json_object *baileys_batch(struct json_object *json, struct baileys_cursor *ret_cursor);

/* --- read receipts */

struct baileys_reader;

int baileys_reader_new(struct http_client *client, const char *socket, struct baileys_reader **ret_reader);
/* Begin to tell, or drop it. Thread: any; never blocks. */
void baileys_reader_tell(struct baileys_reader *reader, const struct crm_reading *reading);
void baileys_reader_stop(struct baileys_reader *reader); /* none is under way then, nor will be */
void baileys_reader_free(struct baileys_reader *reader);

/* --- who is to be forgotten */

/* As that program takes it: digits alone, or an id of WhatsApp's; within address. */
const char *baileys_bare(const char *address);

struct baileys_forgetter;

int baileys_forgetter_new(struct http_client *client, const char *socket, struct baileys_forgetter **ret_forgetter);
/* As whatsapp_forget(). */
int baileys_forget(struct baileys_forgetter *forgetter, const char *address, uint64_t before_ms);
void baileys_forgetter_start(struct baileys_forgetter *forgetter); /* again, after: */
void baileys_forgetter_stop(struct baileys_forgetter *forgetter);  /* none succeeds from now on, and none waits */
void baileys_forgetter_free(struct baileys_forgetter *forgetter);  /* when none waits */

/* --- the thread that fetches them */

struct baileys_feed;

struct baileys_feed_options {
    struct db *db;
    const struct crm_reply_rules *rules;
    struct http_client *client;
    const char *socket;
};
int baileys_feed_new(const struct baileys_feed_options *options, struct baileys_feed **ret_feed);
int baileys_feed_start(struct baileys_feed *feed); /* also again, from where the store says */
void baileys_feed_stop(struct baileys_feed *feed);
void baileys_feed_free(struct baileys_feed *feed);
SCOPED_PTR(struct baileys_feed, baileys_feed_free)

struct baileys_stats {
    char state[BAILEYS_STATE_MAX]; /* of the device; "" nothing is known yet */
    bool is_there;                 /* it answered when it was asked last */
    char error[BAILEYS_ERROR_MAX]; /* why it did not; "" it did */
    uint64_t n_events, n_failed;   /* failed: batches */
    uint64_t restricted_until_ms;  /* unix time: nobody new may be written to; 0 no */
};
void baileys_feed_stats(struct baileys_feed *feed, struct baileys_stats *ret_stats); /* any thread */
