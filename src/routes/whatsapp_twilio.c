/*
 * whatsapp_twilio.c - /webhook/whatsapp: a message comes in, or one of ours changes its state
 *
 * A state of a message of ours brings our own id in the query of its URL, so that it is known even when the answer to
 * its sending was lost.
 *
 * Both are kept before they are answered. incoming is answered with an empty
 * document, which sends nothing back: a reply that takes thought goes out on its
 * own. Twilio delivers twice now and then; the MessageSid tells, and the second
 * time changes nothing.
 *
 * From is not always a telephone number: whoever hides his, comes under a name of
 * WhatsApp's. It is kept as it is, and the contact is found by it.
 */
#include "routes/routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "config.h"
#include "routes/twilio_webhook.h"
#include "services/crm.h"
#include "services/crm_reply.h"
#include "services/services.h"
#include "services/whatsapp/twilio.h"
#include "services/whatsapp/twilio_incoming.h"
#include "utils/form.h"
#include "utils/text.h"

/* Which message it is, as we told Twilio when it was sent. */
static int prepare_status(struct webhook *webhook, const struct http_request *request)
{
    struct form query;
    int r = form_parse(request->query, strlen(request->query), TWILIO_PARAMS_MAX, &query);

    if (r < 0)
        return r == -ENOMEM ? r : 0;
    const struct form_field *message = form_get(&query, "message");
    if (message && strlen(message->value) < sizeof(webhook->message_id))
        text_set(webhook->message_id, sizeof(webhook->message_id), message->value);
    form_done(&query);
    return 0;
}

/* "63016: what it means", or "" when nothing is wrong. */
static void explain(const struct webhook *webhook, char *ret_error, size_t size)
{
    const char *code = webhook_field(webhook, "ErrorCode");
    const char *text = whatsapp_twilio_explain((unsigned)strtoul(code, NULL, 10));

    ret_error[0] = '\0';
    if (strspn(code, "0123456789") == strlen(code) && *code && strlen(code) < 10)
        (void)snprintf(ret_error, size, "%s: %s%s", code, text ?: "see https://www.twilio.com/docs/errors/", text ? "" : code);
}

/* A state we do not know, or that ours cannot have, moves nothing: accepted is the first of all. */
static int keep_status(struct db_txn *txn, struct webhook *webhook)
{
    const char *name = webhook_field(webhook, "MessageStatus");
    int status = message_status_parse(name, strlen(name));
    char error[MESSAGE_ERROR_MAX];

    explain(webhook, error, sizeof(error));
    return crm_message_status(txn, &(struct message_report){
                                       .provider_id = webhook_field(webhook, "MessageSid"),
                                       .id = webhook->message_id,
                                       .status = status < 0 || status >= MESSAGE_RECEIVING ? MESSAGE_ACCEPTED : (enum message_status)status,
                                       .error = error,
                                       .params = webhook->params,
                                       .now_ms = webhook->now_ms,
                                   });
}

/* Ours, of the one that is answered; a message that we do not know is none. */
static int set_reply_to(struct db_txn *txn, const struct webhook *webhook, struct message *message)
{
    scoped(message_release) struct message original = { 0 };
    const char *sid = webhook_field(webhook, "OriginalRepliedMessageSid");
    int r = *sid && strlen(sid) < ADDRESS_MAX ? crm_message_get(txn, sid, &original) : -ENOENT;

    if (r == 0)
        memcpy(message->reply_to, original.id, sizeof(message->reply_to));
    return r == -ENOENT ? 0 : r;
}

/* A status that was sent to the wrong URL is known by its MessageStatus. */
static int keep_incoming(struct db_txn *txn, struct webhook *webhook)
{
    if (*webhook_field(webhook, "MessageStatus"))
        return keep_status(txn, webhook);

    scoped(message_release) struct message message = {
        .created_ms = webhook->now_ms,
        .params = json_object_get(webhook->params),
    };
    int r = whatsapp_twilio_incoming(webhook->params, &message);

    if (r == 0)
        r = set_reply_to(txn, webhook, &message);
    if (r == 0)
        r = crm_message_add(txn, &message, webhook->services->config->default_country);
    if (r != 0)
        return r;
    r = crm_reply_owe(txn, webhook->services->reply_rules, &message, webhook->now_ms);
    return r < 0 ? r : 0;
}

static void answer_incoming(struct webhook *webhook, struct http_response *response)
{
    webhook_twiml(response, TWIML_EMPTY);
}

static const struct webhook_kind incoming_kind = {
    .what = "a message",
    .needed = { "MessageSid", "From" },
    .keep = keep_incoming,
    .answer = answer_incoming,
};

static int incoming(struct http_request *request, struct http_response *response)
{
    return webhook_take(request, &incoming_kind);
}

static void answer_status(struct webhook *webhook, struct http_response *response)
{
    response->status = 204;
}

static const struct webhook_kind status_kind = {
    .what = "a message's status",
    .needed = { "MessageSid" },
    .prepare = prepare_status,
    .keep = keep_status,
    .answer = answer_status,
};

static int status(struct http_request *request, struct http_response *response)
{
    return webhook_take(request, &status_kind);
}

static const struct route routes[] = {
    { "POST", "/incoming", AUTH_TWILIO, WEBHOOK_BODY_MAX, incoming, "Keep a message that came in" },
    { "POST", "/status", AUTH_TWILIO, WEBHOOK_BODY_MAX, status,
      "Follow the state of a message of ours" },
};

const struct blueprint whatsapp_twilio = BLUEPRINT("whatsapp_twilio", "/webhook/whatsapp", routes);
