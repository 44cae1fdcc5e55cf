/*
 * provider.c - whoever carries WhatsApp messages for us: which one it is, and what is judged before he is asked
 */
#include "services/whatsapp/provider.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "services/whatsapp/baileys.h"
#include "services/whatsapp/twilio.h"
#include "utils/json.h"
#include "utils/text.h"
#include "utils/utf8.h"

static const struct whatsapp_ops *const providers[] = {
    &whatsapp_twilio_ops,
    &whatsapp_baileys_ops,
};

struct whatsapp {
    const struct whatsapp_ops *ops;
    void *state;
};

int whatsapp_open(const struct config *config, struct http_client *client, struct whatsapp **ret_whatsapp)
{
    scoped(whatsapp_close) struct whatsapp *whatsapp = calloc(1, sizeof(*whatsapp));

    if (!whatsapp)
        return -ENOMEM;
    for (size_t i = 0; i < ELEMENTSOF(providers) && !whatsapp->ops; i++)
        if (strcmp(providers[i]->name, config->whatsapp_provider) == 0)
            whatsapp->ops = providers[i];
    if (!whatsapp->ops || !client)
        return -ENOENT;
    int r = whatsapp->ops->open(config, client, &whatsapp->state);
    if (r == 0)
        *ret_whatsapp = steal(&whatsapp);
    return r;
}

void whatsapp_close(struct whatsapp *whatsapp)
{
    if (whatsapp && whatsapp->state)
        whatsapp->ops->close(whatsapp->state);
    free(whatsapp);
}

const struct whatsapp_capabilities *whatsapp_capabilities(const struct whatsapp *whatsapp)
{
    return &whatsapp->ops->capabilities;
}

static void reject(struct whatsapp_request *request, const char *why)
{
    request->outcome = (struct outcome){ .kind = OUTCOME_REJECTED };
    (void)text_set(request->outcome.error, sizeof(request->outcome.error), why);
    request->on_end(request);
}

void whatsapp_send(struct whatsapp *whatsapp, struct whatsapp_request *request)
{
    size_t max = whatsapp->ops->capabilities.text_max;

    request->n_found = 0;
    request->state = NULL;
    if (!request->text[0] && !request->media_url && !request->spooled && !request->content_sid)
        reject(request, "there is nothing in it");
    else if (utf8_length(request->text) > max)
        reject(request, "it is longer than a message may be");
    else
        whatsapp->ops->send(whatsapp->state, request);
}

void whatsapp_look(struct whatsapp *whatsapp, struct whatsapp_request *request)
{
    request->n_found = 0;
    request->state = NULL;
    whatsapp->ops->look(whatsapp->state, request);
}

void whatsapp_abort(struct whatsapp *whatsapp, struct whatsapp_request *request)
{
    if (request->state)
        whatsapp->ops->abort(request);
}

void whatsapp_release(struct whatsapp *whatsapp, struct whatsapp_request *request)
{
    if (request->state)
        whatsapp->ops->release(request);
    request->state = NULL;
}

int whatsapp_start(struct whatsapp *whatsapp, struct db *db, const struct crm_reply_rules *rules)
{
    return whatsapp && whatsapp->ops->start ? whatsapp->ops->start(whatsapp->state, db, rules) : 0;
}

void whatsapp_stop(struct whatsapp *whatsapp)
{
    if (whatsapp && whatsapp->ops->stop)
        whatsapp->ops->stop(whatsapp->state);
}

int whatsapp_read(struct whatsapp *whatsapp, struct db_txn *txn, const char *contact_id, const char *message_id, uint64_t now_ms,
                  struct crm_reading *ret_reading)
{
    int r = crm_read(txn, contact_id, message_id, now_ms, ret_reading);

    if (r == 0 && whatsapp && whatsapp->ops->read)
        whatsapp->ops->read(whatsapp->state, ret_reading);
    return r;
}

int whatsapp_forget(struct whatsapp *whatsapp, const char *address, uint64_t before_ms)
{
    return whatsapp && whatsapp->ops->forget ? whatsapp->ops->forget(whatsapp->state, address, before_ms) : -EOPNOTSUPP;
}

struct json_object *whatsapp_status(struct whatsapp *whatsapp)
{
    scoped(json_object_put) struct json_object *json = json_object_new_object();
    const char *name = whatsapp ? whatsapp->ops->name : "none";

    if (!json || json_add(json, "provider", json_text(name, strlen(name))) < 0)
        return NULL;
    if (whatsapp && whatsapp->ops->describe && whatsapp->ops->describe(whatsapp->state, json) < 0)
        return NULL;
    return steal(&json);
}
