/*
 * task.c - a task's names and its JSON
 */
#include "models/task.h"

#include <errno.h>
#include <string.h>

#include "utils/json.h"

static const char *const states[TASK_N_STATES] = {
    [TASK_OPEN] = "open", [TASK_DONE] = "done", [TASK_CANCELED] = "canceled",
};

static const char *const kinds[TASK_N_KINDS] = { [TASK_OTHER] = "other", [TASK_CALLBACK] = "callback", [TASK_REPLY] = "reply" };

static const struct json_field fields[] = {
    JSON_FIELD(struct task, id, JSON_CHARS),
    JSON_FIELD(struct task, contact_id, JSON_CHARS),
    JSON_FIELD(struct task, call_sid, JSON_CHARS),
    JSON_FIELD(struct task, phone, JSON_CHARS),
    JSON_FIELD(struct task, assignee, JSON_CHARS),
    JSON_FIELD_ENUM(struct task, kind, kinds),
    JSON_FIELD_ENUM(struct task, state, states),
    JSON_FIELD(struct task, due_ms, JSON_U64),
    JSON_FIELD(struct task, created_ms, JSON_U64),
    JSON_FIELD(struct task, updated_ms, JSON_U64),
    JSON_FIELD(struct task, ended_ms, JSON_U64),
    JSON_FIELD(struct task, text, JSON_STRING),
};

void task_done(struct task *task)
{
    json_release(fields, ELEMENTSOF(fields), task);
}

int task_state_parse(const char *name)
{
    return json_name_index(states, TASK_N_STATES, name, strlen(name));
}

int task_kind_parse(const char *name)
{
    return json_name_index(kinds, TASK_N_KINDS, name, strlen(name));
}

struct json_object *task_to_json(const struct task *task)
{
    return json_write(fields, ELEMENTSOF(fields), task);
}

int task_from_json(struct json_object *json, struct task *ret_task)
{
    struct task task = { 0 };
    int r = json_read(json, fields, ELEMENTSOF(fields), &task);

    if (r == 0 && !task.id[0])
        r = -EBADMSG;
    if (r < 0) {
        task_done(&task);
        return r;
    }
    *ret_task = task;
    return 0;
}
