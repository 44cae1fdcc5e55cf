/*
 * crm_agent.c - whether the agent writes to somebody by itself
 */
#include "services/crm_agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "services/crm_internal.h"
#include "services/crm_links.h"
#include "services/crm_store.h"
#include "services/crm_tasks.h"
#include "utils/json.h"

static const char *const names[] = { [CRM_AGENT_ON] = "on", [CRM_AGENT_SILENT] = "silent", [CRM_AGENT_UNWANTED] = "unwanted" };

enum crm_agent crm_agent_of(const struct contact *person)
{
    return contact_has_tag(person, CONTACT_TAG_UNWANTED) ? CRM_AGENT_UNWANTED
           : contact_has_tag(person, CONTACT_TAG_SILENT) ? CRM_AGENT_SILENT
                                                         : CRM_AGENT_ON;
}

const char *crm_agent_name(enum crm_agent agent)
{
    return names[agent];
}

/* Later than whatever any of his rows knows of it. */
static uint64_t after(const struct contact *person, const char *tag, uint64_t now_ms)
{
    bool gone;
    uint64_t set_ms = contact_set_at(person, "tag", tag, &gone);

    return set_ms >= now_ms ? set_ms + 1 : now_ms;
}

static int set_row(struct db_txn *txn, const char *id, const char *tag, bool wanted, uint64_t ms)
{
    scoped(contact_done) struct contact contact = { 0 };
    int r = store_get_contact(txn, id, &contact);

    if (r == 0)
        r = contact_set_tag(&contact, tag, wanted, ms);
    return r < 0 ? r : crm_save_contact(txn, &contact, "", ms);
}

static int set(struct db_txn *txn, const char *contact_id, const char *tag, bool wanted, enum event_kind kind, uint64_t now_ms)
{
    scoped(contact_done) struct contact person = { 0 };
    struct links_members members;
    int r = crm_is_id(contact_id, CONTACT_ID_MAX) ? crm_contact_get(txn, contact_id, &person) : -ENOENT;

    if (r < 0 || contact_has_tag(&person, tag) == wanted)
        return r < 0 ? r : 1;
    uint64_t ms = after(&person, tag, now_ms);
    r = links_members(txn, person.id, &members);
    for (size_t i = 0; r >= 0 && i < members.n; i++)
        r = set_row(txn, members.ids[i], tag, wanted, ms);
    return r < 0 ? r : store_event(txn, &(struct store_event){ .kind = kind, .at_ms = now_ms, .contact = person.id });
}

int crm_agent_silence(struct db_txn *txn, const char *contact_id, uint64_t now_ms)
{
    return set(txn, contact_id, CONTACT_TAG_SILENT, true, EVENT_CONTACT_SILENT, now_ms);
}

int crm_agent_release(struct db_txn *txn, const char *contact_id, uint64_t now_ms)
{
    return set(txn, contact_id, CONTACT_TAG_SILENT, false, EVENT_CONTACT_RELEASED, now_ms);
}

int crm_agent_want(struct db_txn *txn, const char *contact_id, bool wanted, uint64_t now_ms)
{
    return set(txn, contact_id, CONTACT_TAG_UNWANTED, !wanted, wanted ? EVENT_CONTACT_WANTED : EVENT_CONTACT_UNWANTED, now_ms);
}

static bool is_open_reply(struct json_object *task)
{
    return strcmp(json_get_text(task, "kind") ?: "", "reply") == 0 && strcmp(json_get_text(task, "state") ?: "", "open") == 0;
}

int crm_agent_call_human(struct db_txn *txn, const char *contact_id, const char *text, uint64_t now_ms)
{
    enum { LOOK_MAX = 200 };
    scoped(json_object_put) struct json_object *tasks = NULL;
    scoped(task_done) struct task task = { .kind = TASK_REPLY, .due_ms = now_ms, .text = strdup(text) };
    int r = task.text ? crm_tasks_of(txn, contact_id, LOOK_MAX, &tasks) : -ENOMEM;

    for (size_t i = 0; r == 0 && i < json_object_array_length(tasks); i++)
        if (is_open_reply(json_object_array_get_idx(tasks, i)))
            return 1;
    if (r < 0)
        return r;
    memcpy(task.contact_id, contact_id, strlen(contact_id) + 1);
    return crm_task_add(txn, &task, now_ms);
}
