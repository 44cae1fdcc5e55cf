/*
 * crm_reply.c - who is to be answered by the agent on WhatsApp
 *
 * Several messages that come in quick succession each have a job; only that of the newest is answered, for all of them, and
 * the others are done when they see that there is a newer one. A person whom a human has taken over, who wants no
 * automatic messages, or who was answered too often within an hour, is not answered: the last is left to a human, so that
 * two automata do not talk for ever.
 *
 * Free words may be written for a day after his last message, and what is answered is never older than CRM_REPLY_LATE_MS.
 */
#include "services/crm_reply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "services/crm.h"
#include "services/crm_agent.h"
#include "services/crm_internal.h"
#include "services/crm_links.h"
#include "services/crm_store.h"
#include "services/crm_tasks.h"
#include "services/jobs.h"
#include "utils/json.h"
#include "utils/text.h"
#include "utils/when.h"
#include "utils/wishes.h"

enum { HOUR_MS = 60 * 60 * 1000, DAY_MS = 24 * HOUR_MS, LOOK_MAX = 400 /* messages */, LOOK_DAYS = 14 };

/* --- a message comes in */

/* Reactions and stickers say that all is well; what has neither words nor anything to it may still get some. */
static bool wants_reply(const struct message *message)
{
    bool is_of_person = message->address[0] == '+' || address_is_lid(message->address);

    return message->direction == MESSAGE_IN && message->channel == MESSAGE_WHATSAPP && is_of_person && message->contact_id[0] &&
           message->kind != MESSAGE_REACTION && message->kind != MESSAGE_STICKER &&
           (message_words(message)[0] || message->kind != MESSAGE_TEXT);
}

static bool is_late(const struct message *message, uint64_t now_ms)
{
    return now_ms > message->created_ms + CRM_REPLY_LATE_MS;
}

/* Returns: 1 he is not to be answered; 0 he may be. */
static int heed_wishes(struct db_txn *txn, const struct message *message, uint64_t now_ms)
{
    const char *words = message_words(message);
    int r = wish_stop(words) ? crm_agent_want(txn, message->contact_id, false, now_ms) : 0;

    if (r == 0 && wish_start(words))
        r = crm_agent_want(txn, message->contact_id, true, now_ms);
    return r < 0 ? r : wish_stop(words);
}

static int owe(struct db_txn *txn, const struct message *message, const char *person, uint64_t now_ms)
{
    struct job job = { .kind = JOB_REPLY, .created_ms = now_ms, .due_ms = now_ms + CRM_REPLY_QUIET_MS };

    job_lane_in(person, job.lane);
    memcpy(job.message_id, message->id, sizeof(job.message_id));
    (void)text_set(job.contact_id, sizeof(job.contact_id), person);
    return jobs_add(txn, &job);
}

int crm_reply_owe(struct db_txn *txn, const struct crm_reply_rules *rules, const struct message *message, uint64_t now_ms)
{
    scoped(contact_done) struct contact person = { 0 };

    if (!wants_reply(message) || (rules->own_number && strcmp(message->address, rules->own_number) == 0))
        return 1;
    int r = heed_wishes(txn, message, now_ms);
    if (r || rules->when == REPLY_OFF || is_late(message, now_ms))
        return r < 0 ? r : 1;
    r = crm_contact_get(txn, message->contact_id, &person);
    if (r < 0 || crm_agent_of(&person) != CRM_AGENT_ON)
        return r < 0 ? r : 1;
    return owe(txn, message, person.id, now_ms);
}

/* --- what was written */

struct walk {
    struct crm_reply *reply;
    uint64_t now_ms, released_ms; /* when a human gave him back to the agent last; 0 never */
    size_t n_seen;
    bool has_answered;         /* one of ours was met: what is older was answered */
    bool is_asked_known;       /* the newest of the agent's was met */
    char newest[CONTACT_ID_MAX]; /* of his that want a reply */
    size_t n_words;
};

/* Those are met newest first, and read oldest first. */
static void add_words(struct walk *walk, const char *words)
{
    char behind[CRM_REPLY_WORDS_MAX];
    struct crm_reply *reply = walk->reply;
    size_t n = 0;

    memcpy(behind, reply->words, sizeof(behind));
    text_add(reply->words, sizeof(reply->words), &n, words, strlen(words));
    text_add(reply->words, sizeof(reply->words), &n, "\n", words[0] && behind[0]);
    text_add(reply->words, sizeof(reply->words), &n, behind, strlen(behind));
}

static void add_line(struct walk *walk, const struct message *message)
{
    struct crm_reply *reply = walk->reply;

    if (reply->n_lines == CRM_REPLY_LINES_MAX || message->kind == MESSAGE_REACTION)
        return;
    struct crm_reply_line *line = &reply->lines[reply->n_lines++];
    *line = (struct crm_reply_line){ .is_in = message->direction == MESSAGE_IN, .author = message->author, .kind = message->kind,
                                     .at_ms = message->created_ms };
    if (message_words(message)[0])
        (void)text_set(line->words, sizeof(line->words), message_words(message));
    else
        message_line(message, line->words, sizeof(line->words));
}

static void note_asked(struct walk *walk, const struct message *message)
{
    struct crm_reply *reply = walk->reply;

    if (!walk->is_asked_known)
        memcpy(reply->asked, message->asked, sizeof(reply->asked));
    if (strcmp(reply->asked, message->asked) == 0 && reply->asked[0] && reply->n_asked < UINT8_MAX)
        reply->n_asked++;
    reply->is_thanked |= strcmp(message->asked, "goodbye") == 0;
    walk->is_asked_known = true;
}

static void look_at_ours(struct walk *walk, const struct message *message)
{
    bool is_reply = message->author == AUTHOR_AGENT && !message->call_sid[0];

    walk->has_answered = true;
    walk->reply->n_hour += is_reply && walk->now_ms < message->created_ms + HOUR_MS && message->created_ms > walk->released_ms;
    if (walk->now_ms >= message->created_ms + DAY_MS)
        return;
    walk->reply->is_greeted = true;
    if (is_reply)
        note_asked(walk, message);
}

static int look_at(struct json_object *json, void *arg)
{
    scoped(message_release) struct message message = { 0 };
    struct walk *walk = arg;
    int r = message_from_json(json, &message);

    if (r < 0)
        return r == -EBADMSG ? -EUCLEAN : r;
    if (++walk->n_seen > LOOK_MAX || walk->now_ms > message.created_ms + LOOK_DAYS * (uint64_t)DAY_MS)
        return 1;
    if (message.direction == MESSAGE_OUT) {
        look_at_ours(walk, &message);
    } else if (wants_reply(&message)) {
        if (!walk->newest[0])
            memcpy(walk->newest, message.id, sizeof(walk->newest));
        if (!walk->has_answered)
            add_words(walk, message_words(&message));
    }
    add_line(walk, &message);
    return 0;
}

void crm_reply_done(struct crm_reply *reply)
{
    message_release(&reply->message);
    contact_done(&reply->person);
}

/* --- whether it is answered */

static bool is_open(const struct crm_reply_rules *rules, uint64_t now_ms)
{
    struct hours_state state = { .is_open = true };

    if (rules->hours && rules->hours->is_set)
        hours_at(rules->hours, now_ms, &state);
    return state.is_open;
}

/* Nobody answers him by machine any more. */
static int leave(struct db_txn *txn, const char *contact_id, const char *why, uint64_t now_ms)
{
    int r = crm_agent_silence(txn, contact_id, now_ms);

    if (r >= 0)
        r = crm_agent_call_human(txn, contact_id, why, now_ms);
    return r < 0 ? r : 1;
}

/* The time at which it came is part of the task. */
static int call_late(struct db_txn *txn, const struct crm_reply *reply, uint64_t now_ms)
{
    char text[160], time[WHEN_MAX];

    when_print(reply->message.created_ms, time);
    (void)snprintf(text, sizeof(text), "Wrote on WhatsApp at %s and was not answered in time", time);
    int r = crm_agent_call_human(txn, reply->person.id, text, now_ms);
    return r < 0 ? r : 1;
}

static int look(struct db_txn *txn, const struct crm_reply_rules *rules, const char *message_id, uint64_t now_ms, struct crm_reply *reply)
{
    struct walk walk = { .reply = reply, .now_ms = now_ms };
    bool is_released;
    int r = store_get_message(txn, message_id, &reply->message);

    if (r == 0)
        r = crm_contact_get(txn, reply->message.contact_id, &reply->person);
    if (r < 0)
        return r;
    if (rules->when == REPLY_OFF || crm_agent_of(&reply->person) != CRM_AGENT_ON)
        return 1;
    uint64_t set_ms = contact_set_at(&reply->person, "tag", CONTACT_TAG_SILENT, &is_released);
    walk.released_ms = is_released ? set_ms : 0;
    r = store_each_message_of(txn, reply->person.id, look_at, &walk);
    if (r < 0 || strcmp(walk.newest, message_id) != 0)
        return r < 0 ? r : 1;
    if (rules->when == REPLY_CLOSED && is_open(rules, now_ms))
        return 1;
    if (is_late(&reply->message, now_ms))
        return call_late(txn, reply, now_ms);
    if (reply->n_hour >= rules->per_hour)
        return leave(txn, reply->person.id, "Was answered on WhatsApp too often within an hour: another machine, or somebody in need", now_ms);
    return 0;
}

/* Whoever fetches the recording, or hears it, stands behind us in the lane by now: we stand behind him. */
static int listen(struct db_txn *txn, const struct crm_reply *reply, uint64_t now_ms)
{
    const struct message *message = &reply->message;
    bool may_get_words = message->kind == MESSAGE_AUDIO && !message_words(message)[0] && now_ms < message->created_ms + CRM_REPLY_LISTEN_MS;
    int r = may_get_words ? owe(txn, message, reply->person.id, now_ms) : 0;

    return r < 0 ? r : may_get_words;
}

int crm_reply_begin(struct db_txn *txn, const struct crm_reply_rules *rules, const char *message_id, uint64_t now_ms,
                    struct crm_reply *ret_reply)
{
    crm_reply_done(ret_reply);
    *ret_reply = (struct crm_reply){ 0 };
    return look(txn, rules, message_id, now_ms, ret_reply) ?: listen(txn, ret_reply, now_ms);
}

/* --- what is answered */

static const char *learnt_of(const struct crm_answer *answer, const char *field)
{
    for (size_t i = answer->n_learnt; i-- > 0;)
        if (strcmp(answer->learnt[i].field, field) == 0)
            return answer->learnt[i].value;
    return "";
}

static int learn(struct db_txn *txn, const struct crm_reply *reply, const struct crm_answer *answer, uint64_t now_ms)
{
    for (size_t i = 0; i < answer->n_learnt; i++) {
        const struct agent_learnt *learnt = &answer->learnt[i];
        int r = strcmp(learnt->field, "transfer_reason") == 0
                    ? 0
                    : crm_learn_and_save(txn, reply->message.contact_id, "", learnt->field, learnt->value, now_ms);

        if (r < 0)
            return r;
    }
    return 0;
}

/* A promise that is made again is the same one. Returns: 0 its id; 1 there is none. */
static int find_promise(struct db_txn *txn, const char *person, char ret_id[CONTACT_ID_MAX])
{
    enum { TASKS_MAX = 200 };
    scoped(json_object_put) struct json_object *tasks = NULL;
    int r = crm_tasks_of(txn, person, TASKS_MAX, &tasks);

    for (size_t i = 0; r == 0 && i < json_object_array_length(tasks); i++) {
        struct json_object *task = json_object_array_get_idx(tasks, i);

        if (strcmp(json_get_text(task, "kind") ?: "", "callback") == 0 && strcmp(json_get_text(task, "state") ?: "", "open") == 0 &&
            !(json_get_text(task, "call_sid") ?: "")[0]) {
            (void)text_set(ret_id, CONTACT_ID_MAX, json_get_text(task, "id") ?: "");
            return 0;
        }
    }
    return r < 0 ? r : 1;
}

static int promise(struct db_txn *txn, const struct crm_reply *reply, const struct crm_answer *answer, uint64_t now_ms)
{
    const char *at = learnt_of(answer, "callback_at"), *about = learnt_of(answer, "callback_about"), *phone = learnt_of(answer, "callback");
    scoped(task_done) struct task task = { .kind = TASK_CALLBACK, .text = strdup(about[0] ? about : "Call back, as promised on WhatsApp") };
    char id[CONTACT_ID_MAX];
    uint64_t due_ms;

    if (!at[0] || when_parse(at, &due_ms) < 0)
        return 0;
    if (!task.text)
        return -ENOMEM;
    int r = find_promise(txn, reply->person.id, id);
    if (r == 0)
        r = crm_task_edit(txn, id, &(struct task_edit){ .text = about[0] ? about : NULL, .state = -1, .sets_due = true, .due_ms = due_ms }, now_ms);
    if (r != 1)
        return r;
    task.due_ms = due_ms;
    memcpy(task.contact_id, reply->person.id, sizeof(task.contact_id));
    (void)text_set(task.phone, sizeof(task.phone), phone);
    return crm_task_add(txn, &task, now_ms);
}

static int call_human(struct db_txn *txn, const struct crm_reply *reply, const struct crm_answer *answer, uint64_t now_ms)
{
    const char *reason = learnt_of(answer, "transfer_reason");
    char text[TASK_TEXT_MAX / 2];

    if (answer->to_human) {
        (void)snprintf(text, sizeof(text), "Asks for a human on WhatsApp: %.300s", reason[0] ? reason : reply->words);
        return leave(txn, reply->person.id, text, now_ms);
    }
    (void)snprintf(text, sizeof(text), "Wrote on WhatsApp: %.300s", reply->words[0] ? reply->words : "(no words)");
    return crm_agent_call_human(txn, reply->person.id, text, now_ms);
}

static int write_it(struct db_txn *txn, const struct crm_reply *reply, const struct crm_answer *answer, uint64_t now_ms)
{
    scoped(message_release) struct message message = { .channel = MESSAGE_WHATSAPP, .author = AUTHOR_AGENT, .created_ms = now_ms };

    memcpy(message.contact_id, reply->message.contact_id, sizeof(message.contact_id));
    memcpy(message.address, reply->message.address, sizeof(message.address));
    (void)text_set(message.asked, sizeof(message.asked), answer->asked);
    message.body = strdup(answer->text);
    return message.body ? crm_message_send(txn, &message) : -ENOMEM;
}

static int keep(struct db_txn *txn, const struct crm_reply *reply, const struct crm_answer *answer, uint64_t now_ms)
{
    int r = learn(txn, reply, answer, now_ms);

    if (r >= 0)
        r = promise(txn, reply, answer, now_ms);
    if (r >= 0 && (answer->to_human || answer->needs_human))
        r = call_human(txn, reply, answer, now_ms);
    if (r >= 0 && answer->text[0])
        r = write_it(txn, reply, answer, now_ms);
    return r < 0 ? r : 0;
}

int crm_reply_keep(struct db_txn *txn, const struct crm_reply_rules *rules, const char *message_id, const struct crm_answer *answer,
                   uint64_t now_ms)
{
    struct crm_reply *reply = calloc(1, sizeof(*reply));
    int r = reply ? look(txn, rules, message_id, now_ms, reply) : -ENOMEM;

    if (r == 0)
        r = keep(txn, reply, answer, now_ms);
    if (reply)
        crm_reply_done(reply);
    free(reply);
    return r;
}
