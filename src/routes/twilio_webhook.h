#pragma once
/*
 * twilio_webhook.h - a form from Twilio on its way into the store
 *
 * What all of Twilio's webhooks have in common: the form is read, one write keeps it, and the
 * answer is given once that write is on disk. A route says which fields it cannot do without, what
 * to write and what to answer.
 */

#include "db.h"
#include "http.h"
#include "models/call.h"
#include "services/places.h"
#include "services/services.h"
#include "services/twilio_security.h"

enum { WEBHOOK_BODY_MAX = 64 * KIB, WEBHOOK_NEEDED_MAX = 2, WEBHOOK_TEXT_MAX = 8192 };

#define TWIML_HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
#define TWIML_EMPTY TWIML_HEAD "<Response/>"

struct webhook;

struct webhook_kind {
    const char *what; /* for logs */
    const char
        *needed[WEBHOOK_NEEDED_MAX]; /* fields; without one of them 400 names it. NULL: no more */
    /* Loop thread, before the write: whatever only the request knows. May be NULL. Errors: -errno,
     * 503. */
    int (*prepare)(struct webhook *webhook, const struct http_request *request);
    /* As db_op.run(). Errors: -EINVAL 400, any other 503. */
    int (*keep)(struct db_txn *txn, struct webhook *webhook);
    /* Writer thread, after the commit. Text goes to webhook->text. */
    void (*answer)(struct webhook *webhook, struct http_response *response);
};

struct webhook {
    struct db_op op;
    const struct webhook_kind *kind;
    const struct services *services;
    struct http_ticket *ticket;
    struct json_object
        *params; /* the whole form: name -> text, or an array of texts for a name that came again */
    uint64_t now_ms; /* unix time of its arrival */
    char request_id[HTTP_REQUEST_ID_MAX];
    char text[WEBHOOK_TEXT_MAX];

    /* of a call */
    bool busy;             /* all lines are taken */
    bool is_new;           /* it came for the first time */
    enum turned_away turned_away;
    enum call_after after; /* what to do instead of a stream, or after it */
    char host[TWILIO_HOST_MAX];
    char token[STREAM_TOKEN_MAX]; /* the new one; after the write the stored one */

    /* of a message's status */
    char message_id[CONTACT_ID_MAX]; /* ours; "" it does not say */
};

/* The first value of a field; "" when it did not come. */
const char *webhook_field(const struct webhook *webhook, const char *name);

/* What a handler returns. */
int webhook_take(struct http_request *request, const struct webhook_kind *kind);

/* An answer that is TwiML. */
void webhook_twiml(struct http_response *response, const char *twiml);
