/*
 * crm_outgoing.c - what is to be sent, and what became of it
 *
 * A message of ours is written with the job that sends it, in one transaction: neither is ever there without the other,
 * and whoever wrote it need not be there any more when it is sent. It has no provider_id until the provider gives it one.
 *
 * The lane of the job is the conversation, so that a later message never overtakes an earlier one.
 */
#include "services/crm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "services/crm_store.h"
#include "services/jobs.h"
#include "utils/json.h"
#include "utils/text.h"

static const char no_number[] = "the caller has no telephone number that could be written to";

static int add_job(struct db_txn *txn, struct message *message)
{
    struct job job = { .kind = JOB_MESSAGE, .created_ms = message->created_ms, .due_ms = message->created_ms };

    (void)snprintf(job.lane, sizeof(job.lane), "whatsapp %s", message->contact_id);
    memcpy(job.message_id, message->id, sizeof(job.message_id));
    memcpy(job.call_sid, message->call_sid, sizeof(job.call_sid));
    memcpy(job.contact_id, message->contact_id, sizeof(job.contact_id));
    int r = jobs_add(txn, &job);
    if (r == 0)
        message->job_id = job.id;
    return r;
}

/* A dead letter from the beginning. */
static int add_failed(struct db_txn *txn, struct message *message, const char *why)
{
    message->status = MESSAGE_FAILED;
    (void)text_set(message->error, sizeof(message->error), why);
    return store_save_message(txn, message, "message.failed", message->created_ms);
}

int crm_message_send(struct db_txn *txn, struct message *message)
{
    store_make_id('M', message->created_ms, message->id);
    message->updated_ms = message->created_ms;
    message->direction = MESSAGE_OUT;
    message->status = MESSAGE_QUEUED;
    if (!message->address[0])
        return add_failed(txn, message, no_number);
    int r = add_job(txn, message);
    return r < 0 ? r : store_save_message(txn, message, "message.new", message->created_ms);
}

/* --- to the caller of a call */

/* The first telephone number of a contact. */
static void set_address(const struct contact *contact, char ret_address[ADDRESS_MAX])
{
    size_t n = contact->addresses ? json_object_array_length(contact->addresses) : 0;

    for (size_t i = 0; i < n && !ret_address[0]; i++) {
        const char *address = json_object_get_string(json_object_array_get_idx(contact->addresses, i));
        if (phone_normalise(address ?: "", "", ret_address) < 0)
            ret_address[0] = '\0';
    }
}

enum { SAME = 1, BEFORE_THE_CALL };

struct same {
    const struct call *call;
    const char *text;
};

static int is_same(struct json_object *json, void *arg)
{
    const struct same *same = arg;

    if (json_get_int(json, "created_ms") < (int64_t)same->call->started_ms)
        return BEFORE_THE_CALL;
    return strcmp(json_get_text(json, "call_sid") ?: "", same->call->sid) == 0 &&
           strcmp(json_get_text(json, "body") ?: "", same->text) == 0;
}

int crm_call_message(struct db_txn *txn, const char *sid, const char *text, enum message_wording wording, uint64_t now_ms)
{
    scoped(call_done) struct call call = { 0 };
    scoped(contact_done) struct contact contact = { 0 };
    scoped(message_release) struct message message = { .channel = MESSAGE_WHATSAPP, .wording = wording, .created_ms = now_ms };
    int r = text[0] ? store_get_call(txn, sid, &call) : -EINVAL;

    if (r == 0 && call.contact_id[0]) {
        r = store_get_contact(txn, call.contact_id, &contact);
        if (r == 0)
            r = store_each_message_of(txn, call.contact_id, is_same, &(struct same){ &call, text });
    }
    if (r < 0 || r == SAME)
        return r;
    memcpy(message.call_sid, call.sid, sizeof(message.call_sid));
    memcpy(message.contact_id, call.contact_id, sizeof(message.contact_id));
    if (call.contact_id[0] && phone_normalise(call.from, "", message.address) < 0)
        set_address(&contact, message.address);
    message.body = strdup(text);
    return message.body ? crm_message_send(txn, &message) : -ENOMEM;
}
