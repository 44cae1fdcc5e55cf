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
#include "services/whatsapp/twilio.h"
#include "utils/form.h"
#include "utils/text.h"

enum { MEDIA_MAX = 10 };

/* Array of {"url","type"}, or NULL when the message has none. Errors: -ENOMEM. */
static int read_media(const struct webhook *webhook, struct json_object **ret_media)
{
    struct json_object *media = NULL;

    for (int i = 0; i < MEDIA_MAX; i++) {
        char url_name[24], type_name[32];
        (void)snprintf(url_name, sizeof(url_name), "MediaUrl%d", i);
        (void)snprintf(type_name, sizeof(type_name), "MediaContentType%d", i);
        if (!*webhook_field(webhook, url_name))
            break;

        struct json_object *item = json_object_new_object();
        media = media ? media : json_object_new_array();
        if (!item || !media || json_object_array_add(media, item) < 0) {
            json_object_put(item);
            json_object_put(media);
            return -ENOMEM;
        }
        json_object_object_add(item, "url",
                               json_object_new_string(webhook_field(webhook, url_name)));
        json_object_object_add(item, "type",
                               json_object_new_string(webhook_field(webhook, type_name)));
    }
    *ret_media = media;
    return 0;
}

static int keep_incoming(struct db_txn *txn, struct webhook *webhook)
{
    const char *from = webhook_field(webhook, "From");
    scoped(message_release) struct message message = {
        .direction = MESSAGE_IN,
        .channel = strncmp(from, "whatsapp:", 9) == 0 ? MESSAGE_WHATSAPP : MESSAGE_SMS,
        .status = MESSAGE_RECEIVED,
        .created_ms = webhook->now_ms,
    };

    text_set(message.provider_id, sizeof(message.provider_id),
             webhook_field(webhook, "MessageSid"));
    text_set(message.address, sizeof(message.address), from);
    message.body = strdup(webhook_field(webhook, "Body"));
    message.params = json_object_get(webhook->params);
    int r = message.body ? read_media(webhook, &message.media) : -ENOMEM;
    return r < 0 ? r : crm_message_add(txn, &message, webhook->services->config->default_country);
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

/* A state we do not know moves nothing: accepted is the first of all. */
static int keep_status(struct db_txn *txn, struct webhook *webhook)
{
    const char *name = webhook_field(webhook, "MessageStatus");
    int status = message_status_parse(name, strlen(name));
    char error[MESSAGE_ERROR_MAX];

    explain(webhook, error, sizeof(error));
    return crm_message_status(txn, &(struct message_report){
                                       .provider_id = webhook_field(webhook, "MessageSid"),
                                       .id = webhook->message_id,
                                       .status = status < 0 ? MESSAGE_ACCEPTED : (enum message_status)status,
                                       .error = error,
                                       .params = webhook->params,
                                       .now_ms = webhook->now_ms,
                                   });
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
