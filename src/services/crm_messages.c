/*
 * crm_messages.c - what was written to us, what is to be sent, and what became of it
 *
 * A message of ours is written with the job that sends it, in one transaction: neither is ever there without the other,
 * and whoever wrote it need not be there any more when it is sent. The lane of the job is the conversation, so that a
 * later message never overtakes an earlier one.
 *
 * It has no provider_id until the provider gives it one. What he says of it may be here before that: then it names our
 * own id, as we asked him to, or a row of its own is made, of which the message takes what is in it once it knows.
 *
 * Those of one conversation are in the order in which they came to be written down: by the millisecond of their
 * arrival, and within it by their ids. The provider gives no time to go by.
 *
 * The id that the provider has for a person stays when he hides his number, so both are his. A number that comes with
 * another such id than the one it had has passed to another person, and goes with him.
 *
 * A message of ours that failed has a job that is over, so that all that somebody should look at is one walk.
 */
#include "services/crm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "services/crm_agent.h"
#include "services/crm_internal.h"
#include "services/crm_links.h"
#include "services/crm_media.h"
#include "services/crm_store.h"
#include "services/crm_unread.h"
#include "services/jobs.h"
#include "services/tombstones.h"
#include "utils/json.h"
#include "utils/text.h"

static const char unwanted[] = "he has written that he wants no automatic messages";
static const char no_number[] = "the caller has no telephone number that could be written to";

/* --- in */

int crm_message_get(struct db_txn *txn, const char *provider_id, struct message *ret_message)
{
    char id[CONTACT_ID_MAX];
    int r = store_message_id_of(txn, provider_id, id);

    return r < 0 ? r : store_get_message(txn, id, ret_message);
}

int crm_message_by_id(struct db_txn *txn, const char *id, struct message *ret_message)
{
    return store_get_message(txn, id, ret_message);
}

static bool is_whatsapp(const char *address)
{
    return strncmp(address, "whatsapp:", strlen("whatsapp:")) == 0;
}

/* Ids of one provider are of one form: either both are "whatsapp:...", or neither. */
static bool has_another_id(const struct contact *contact, const char *id)
{
    size_t n = contact->addresses ? json_object_array_length(contact->addresses) : 0;
    bool has_another = false;

    for (size_t i = 0; i < n; i++) {
        const char *address = json_object_get_string(json_object_array_get_idx(contact->addresses, i)) ?: "";
        if (strcmp(address, id) == 0)
            return false;
        has_another = has_another || (address_is_lid(address) && is_whatsapp(address) == is_whatsapp(id));
    }
    return has_another;
}

static int make_known(struct db_txn *txn, const char *address, uint64_t now_ms)
{
    scoped(contact_done) struct contact contact = { 0 };
    int r = crm_find_or_make_contact(txn, address, now_ms, &contact);

    return r < 0 ? r : crm_save_contact(txn, &contact, "", now_ms);
}

int crm_contact_pair(struct db_txn *txn, const char *id, const char *number, uint64_t now_ms)
{
    scoped(contact_done) struct contact person = { 0 };
    int r = crm_contact_by_address(txn, number, &person);

    if (r == 0 && has_another_id(&person, id))
        r = crm_contact_drop_address(txn, person.id, number, "", now_ms);
    return r < 0 && r != -ENOENT ? r : crm_contact_map(txn, id, number, now_ms);
}

/* The sender's id and his number are one person's. What is no such pair is left alone. */
static int learn_alias(struct db_txn *txn, const struct message *message)
{
    scoped(contact_done) struct contact person = { 0 };
    bool has_number = message->address[0] == '+';
    const char *id = has_number ? message->alias : message->address, *number = has_number ? message->address : message->alias;

    if (!message->alias[0] || number[0] != '+' || !address_is_lid(id))
        return 0;
    int r = crm_contact_by_address(txn, number, &person);
    if (r == -ENOENT) /* or nobody would have the id, and the next one could not be told from it */
        r = make_known(txn, id, message->created_ms);
    if (r == 0)
        r = crm_contact_pair(txn, id, number, message->created_ms);
    return r == -EINVAL || r == -EMLINK || r > 0 ? 0 : r;
}

static int assign_message_contact(struct db_txn *txn, struct message *message)
{
    scoped(contact_done) struct contact contact = { 0 };
    int r = learn_alias(txn, message);

    if (r == 0)
        r = crm_find_or_make_contact(txn, message->address, message->created_ms, &contact);
    if (r < 0)
        return r;
    memcpy(message->contact_id, contact.id, sizeof(message->contact_id));
    crm_set_from_param(contact.name, sizeof(contact.name), message->params, "ProfileName");
    return crm_save_contact(txn, &contact, "", message->created_ms);
}

/* The message itself, into one that a status callback had made. */
static int complete_message(struct message *stored, struct message *message)
{
    memcpy(stored->address, message->address, sizeof(stored->address));
    memcpy(stored->alias, message->alias, sizeof(stored->alias));
    memcpy(stored->reply_to, message->reply_to, sizeof(stored->reply_to));
    stored->kind = message->kind;
    stored->author = message->author;
    stored->forwarded = message->forwarded;
    stored->location = steal(&message->location);
    stored->choice = steal(&message->choice);
    stored->referral = steal(&message->referral);
    stored->direction = message->direction;
    stored->channel = message->channel;
    if (message->status > stored->status)
        stored->status = message->status;
    stored->body = steal(&message->body);
    stored->media = steal(&message->media);
    return crm_merge_params(&stored->params, &stored->param_order, message->params, ORDER_NONE);
}

/* What came in is to be read; whoever of us wrote by another way than ours has read what was there. */
static int note_reading(struct db_txn *txn, const struct message *message)
{
    if (message->direction == MESSAGE_IN)
        return message->kind == MESSAGE_REACTION ? 0 : store_put_unread(txn, message);
    int r = message->author == AUTHOR_HUMAN ? unread_answered(txn, message, message->created_ms) : 0;
    return r < 0 ? r : 0;
}

int crm_message_add(struct db_txn *txn, struct message *message, const char *country)
{
    scoped(message_release) struct message stored = { 0 };
    bool was_added;
    int r;

    if (!crm_is_id(message->provider_id, sizeof(message->provider_id)) ||
        !crm_is_id(message->address, sizeof(message->address)))
        return -EINVAL;
    (void)address_normalise(message->address, country, message->address); /* what is no address stays as it is */
    (void)address_normalise(message->alias, country, message->alias);

    r = crm_message_get(txn, message->provider_id, &stored);
    was_added = r == 0 && stored.contact_id[0];
    if (r == -ENOENT && tombstone_has(txn, message->provider_id) == 1)
        return 1;
    if (r == -ENOENT) {
        r = store_make_message_id(txn, message->created_ms, message->id);
        message->updated_ms = message->created_ms;
        message->contact_id[0] = '\0';
    } else if (r == 0) {
        if (!was_added)
            r = complete_message(&stored, message);
        message_release(message);
        *message = stored;
        stored = (struct message){ 0 };
    }
    if (r < 0 || was_added)
        return r < 0 ? r : 1;

    r = assign_message_contact(txn, message);
    if (r == 0)
        r = crm_media_owe(txn, message, message->created_ms);
    if (r >= 0)
        r = store_save_message(txn, message, EVENT_MESSAGE_NEW, message->created_ms);
    return r == 0 ? note_reading(txn, message) : r;
}

int crm_message_media(struct db_txn *txn, const char *provider_id, struct json_object *media, uint64_t now_ms)
{
    scoped(json_object_put) struct json_object *taken = media;
    scoped(message_release) struct message message = { 0 };
    int r = taken ? crm_message_get(txn, provider_id, &message) : -ENOMEM;

    if (r < 0)
        return r;
    json_object_put(message.media);
    message.media = steal(&taken);
    message.updated_ms = now_ms;
    r = crm_media_owe(txn, &message, now_ms);
    return r < 0 ? r : store_save_message(txn, &message, EVENT_MESSAGE_MEDIA, now_ms);
}

/* --- out */

static void set_job(const struct message *message, struct job *ret_job)
{
    *ret_job = (struct job){ .kind = JOB_MESSAGE, .created_ms = message->created_ms, .due_ms = message->created_ms };
    memcpy(ret_job->message_id, message->id, sizeof(ret_job->message_id));
    memcpy(ret_job->call_sid, message->call_sid, sizeof(ret_job->call_sid));
    memcpy(ret_job->contact_id, message->contact_id, sizeof(ret_job->contact_id));
    memcpy(ret_job->error, message->error, sizeof(ret_job->error));
}

static int add_job(struct db_txn *txn, struct message *message)
{
    struct job job;
    char person[CONTACT_ID_MAX] = "";
    int r = message->contact_id[0] ? links_person(txn, message->contact_id, person) : 0;

    if (r < 0)
        return r;
    set_job(message, &job);
    (void)snprintf(job.lane, sizeof(job.lane), "whatsapp %s", person);
    r = jobs_add(txn, &job);
    if (r == 0)
        message->job_id = job.id;
    return r;
}

/* It has a job that is over while it has failed, and none when it has not; one that is not over is left alone. */
static int hold_dead_letter(struct db_txn *txn, struct message *message)
{
    struct job job;
    int r;

    if (message_has_failed(message)) {
        if (message->job_id)
            return 0;
        set_job(message, &job);
        r = jobs_add_over(txn, &job);
        if (r == 0)
            message->job_id = job.id;
        return r;
    }
    r = message->job_id ? jobs_get_over(txn, message->job_id, &job) : -ENOENT;
    if (r == 0) {
        message->job_id = 0;
        r = jobs_end(txn, &job);
    }
    return r == -ENOENT ? 0 : r;
}

/* Of the contacts that a person was merged of, the one who has the address: it goes with him should they be parted. */
static int set_owner(struct db_txn *txn, struct message *message)
{
    char owner[CONTACT_ID_MAX], person[CONTACT_ID_MAX], his[CONTACT_ID_MAX];
    int r = message->address[0] && message->contact_id[0] ? crm_contact_id_of(txn, message->address, owner) : -ENOENT;

    if (r == 0)
        r = links_person(txn, owner, his);
    if (r == 0)
        r = links_person(txn, message->contact_id, person);
    if (r == 0 && strcmp(person, his) == 0)
        memcpy(message->contact_id, owner, sizeof(owner));
    return r == -ENOENT ? 0 : r;
}

int crm_message_send(struct db_txn *txn, struct message *message)
{
    int r = set_owner(txn, message);

    if (r == 0 && !message->id[0])
        r = store_make_message_id(txn, message->created_ms, message->id);
    if (r < 0)
        return r;
    message->updated_ms = message->created_ms;
    message->direction = MESSAGE_OUT;
    message->status = message->address[0] ? MESSAGE_QUEUED : MESSAGE_FAILED;
    if (message->address[0] || !message->error[0])
        (void)text_set(message->error, sizeof(message->error), message->address[0] ? "" : no_number);
    r = message->address[0] ? add_job(txn, message) : hold_dead_letter(txn, message);
    return r < 0 ? r : store_save_message(txn, message, EVENT_MESSAGE_NEW, message->created_ms);
}

/* --- to the caller of a call */

void crm_number_of(const struct contact *contact, char ret_address[ADDRESS_MAX])
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
        r = crm_contact_get(txn, call.contact_id, &contact);
        if (r == 0)
            r = store_each_message_of(txn, contact.id, is_same, &(struct same){ &call, text });
    }
    if (r < 0 || r == SAME)
        return r;
    memcpy(message.call_sid, call.sid, sizeof(message.call_sid));
    memcpy(message.contact_id, call.contact_id, sizeof(message.contact_id));
    if (call.contact_id[0] && phone_normalise(call.from, "", message.address) < 0)
        crm_number_of(&contact, message.address);
    message.author = AUTHOR_AGENT;
    if (crm_agent_of(&contact) == CRM_AGENT_UNWANTED) {
        message.address[0] = '\0';
        (void)text_set(message.error, sizeof(message.error), unwanted);
    }
    message.body = strdup(text);
    return message.body ? crm_message_send(txn, &message) : -ENOMEM;
}

struct sample {
    char *text;
    size_t size, n;
};

/* The last ones stay. */
static int add_to_sample(struct json_object *json, void *arg)
{
    struct sample *sample = arg;
    struct turn turn;
    char line[TURN_TEXT_MAX + 1];

    if (turn_from_json(json, &turn) < 0 || turn.who != TURN_CALLER || !turn.text[0])
        return 0;
    (void)snprintf(line, sizeof(line), "%s\n", turn.text);
    text_add_last(sample->text, sample->size, &sample->n, line);
    return 0;
}

int crm_call_sample(struct db_txn *txn, const char *sid, char *ret_text, size_t size)
{
    struct sample sample = { .text = ret_text, .size = size };

    ret_text[0] = '\0';
    return store_each_turn(txn, sid, add_to_sample, &sample);
}

/* --- what became of it */

/* All a status callback had brought, out of the row that was made for it. */
static int take_stub(struct db_txn *txn, struct message *message, const char *id)
{
    scoped(message_release) struct message stub = { 0 };
    int r = store_get_message(txn, id, &stub);

    if (r < 0)
        return r;
    if (stub.contact_id[0] || stub.body)
        return -EEXIST; /* another message of that name */
    if (stub.status > message->status) {
        message->status = stub.status;
        memcpy(message->error, stub.error, sizeof(message->error));
    }
    if (!message->params) {
        message->params = steal(&stub.params);
        message->param_order = steal(&stub.param_order);
    } else {
        r = crm_merge_params(&message->params, &message->param_order, stub.params, stub.status);
    }
    return r < 0 ? r : store_delete_message(txn, &stub);
}

/* The name the provider has for it. One that is another message's is not taken. */
static int set_provider_id(struct db_txn *txn, struct message *message, const char *provider_id)
{
    char id[CONTACT_ID_MAX];
    int r = crm_is_id(provider_id, sizeof(message->provider_id)) ? store_message_id_of(txn, provider_id, id) : -EINVAL;

    if (r == 0 && strcmp(id, message->id) != 0)
        r = take_stub(txn, message, id);
    if (r == 0 || r == -ENOENT)
        (void)text_set(message->provider_id, sizeof(message->provider_id), provider_id);
    return r == -ENOENT || r == -EEXIST || r == -EINVAL ? 0 : r;
}

/* The message a report is about; -ENOENT it is not known. */
static int find_reported(struct db_txn *txn, const struct message_report *report, struct message *ret_message)
{
    scoped(message_release) struct message message = { 0 };
    int r = report->id && report->id[0] ? store_get_message(txn, report->id, &message) : -ENOENT;

    if (r == 0 && message.direction == MESSAGE_OUT && !message.provider_id[0])
        r = set_provider_id(txn, &message, report->provider_id);
    if (r < 0 && r != -ENOENT)
        return r;
    if (r == -ENOENT || strcmp(message.provider_id, report->provider_id) != 0)
        return crm_message_get(txn, report->provider_id, ret_message);
    *ret_message = message;
    message = (struct message){ 0 };
    return 0;
}

static int make_stub(struct db_txn *txn, const struct message_report *report, struct message *ret_message)
{
    *ret_message = (struct message){ .direction = MESSAGE_OUT, .created_ms = report->now_ms };
    (void)text_set(ret_message->provider_id, sizeof(ret_message->provider_id), report->provider_id);
    return store_make_message_id(txn, report->now_ms, ret_message->id);
}

int crm_message_status(struct db_txn *txn, const struct message_report *report)
{
    scoped(message_release) struct message message = { 0 };
    int r = crm_is_id(report->provider_id, sizeof(message.provider_id)) ? find_reported(txn, report, &message) : -EINVAL;

    if (r == -ENOENT && (tombstone_has(txn, report->provider_id) == 1 || tombstone_has(txn, report->id ?: "") == 1))
        return 1;
    if (r == -ENOENT)
        r = make_stub(txn, report, &message);
    if (r == 0)
        r = crm_merge_params(&message.params, &message.param_order, report->params, report->status);
    if (r < 0)
        return r;
    if (report->status > message.status || message.status == MESSAGE_UNCERTAIN) {
        message.status = report->status;
        message.updated_ms = report->now_ms;
        (void)text_set(message.error, sizeof(message.error), report->error ?: "");
    }
    r = hold_dead_letter(txn, &message);
    return r < 0 ? r : store_save_message(txn, &message, EVENT_MESSAGE_STATUS, report->now_ms);
}

int crm_message_owed(struct db_txn *txn, const char *id, struct message *ret_message)
{
    scoped(message_release) struct message message = { 0 };
    int r = store_get_message(txn, id, &message);

    if (r < 0)
        return r;
    if (message.provider_id[0] || message.direction != MESSAGE_OUT) {
        message.job_id = 0;
        r = hold_dead_letter(txn, &message);
        if (r == 0)
            r = store_put_message(txn, &message);
        return r < 0 ? r : 1;
    }
    *ret_message = message;
    message = (struct message){ 0 };
    return 0;
}

int crm_message_sent(struct db_txn *txn, const char *id, const char *provider_id, enum message_status status, uint64_t now_ms)
{
    scoped(message_release) struct message message = { 0 };
    int r = store_get_message(txn, id, &message);

    if (r == 0 && !message.provider_id[0])
        r = set_provider_id(txn, &message, provider_id);
    if (r < 0)
        return r;
    if (status > message.status || message.status == MESSAGE_UNCERTAIN)
        message.status = status;
    if (!message_has_failed(&message))
        message.error[0] = '\0';
    message.job_id = 0;
    message.updated_ms = now_ms;
    r = hold_dead_letter(txn, &message);
    return r < 0 ? r : store_save_message(txn, &message, EVENT_MESSAGE_STATUS, now_ms);
}

int crm_message_unsent(struct db_txn *txn, const char *id, enum message_status status, const char *error, uint64_t now_ms)
{
    scoped(message_release) struct message message = { 0 };
    int r = crm_message_owed(txn, id, &message);

    if (r)
        return r;
    message.status = status;
    message.updated_ms = now_ms;
    (void)text_set(message.error, sizeof(message.error), error);
    r = store_save_message(txn, &message, status == MESSAGE_QUEUED ? EVENT_MESSAGE_DELAYED : EVENT_MESSAGE_FAILED, now_ms);
    return r < 0 ? r : 0;
}

bool crm_message_is_known(struct db_txn *txn, const char *provider_id)
{
    scoped(message_release) struct message message = { 0 };
    int r = crm_message_get(txn, provider_id, &message);

    return r < 0 ? r != -ENOENT : message.contact_id[0] || message.body;
}

int crm_message_reworded(struct db_txn *txn, const char *id, const char *text, uint64_t now_ms)
{
    scoped(message_release) struct message message = { 0 };
    char *body = strdup(text);
    int r = body ? store_get_message(txn, id, &message) : -ENOMEM;

    if (r < 0) {
        free(body);
        return r;
    }
    free(message.body);
    message.body = body;
    message.wording = WORDING_KEPT;
    r = store_save_message(txn, &message, EVENT_MESSAGE_REWORDED, now_ms);
    return r < 0 ? r : 0;
}

int crm_message_again(struct db_txn *txn, const char *id, uint64_t now_ms, char ret_id[CONTACT_ID_MAX])
{
    scoped(message_release) struct message old = { 0 }, message = { 0 };
    int r = store_get_message(txn, id, &old);

    if (r < 0)
        return r;
    if (!message_has_failed(&old))
        return -EALREADY;
    if (!old.address[0])
        return -EDESTADDRREQ;
    message = (struct message){ .channel = old.channel, .wording = old.wording, .created_ms = now_ms };
    memcpy(message.contact_id, old.contact_id, sizeof(message.contact_id));
    memcpy(message.call_sid, old.call_sid, sizeof(message.call_sid));
    memcpy(message.address, old.address, sizeof(message.address));
    memcpy(message.reply_to, old.reply_to, sizeof(message.reply_to));
    memcpy(message.content_sid, old.content_sid, sizeof(message.content_sid));
    message.variables = json_object_get(old.variables);
    message.media = json_object_get(old.media);
    message.body = strdup(old.body ?: "");
    r = message.body ? crm_message_send(txn, &message) : -ENOMEM;
    if (r < 0)
        return r;
    memcpy(old.again, message.id, sizeof(old.again));
    memcpy(ret_id, message.id, sizeof(message.id));
    r = hold_dead_letter(txn, &old);
    return r < 0 ? r : store_save_message(txn, &old, EVENT_MESSAGE_AGAIN, now_ms);
}
