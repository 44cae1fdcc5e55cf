#pragma once
/* task.h - what somebody of the business has to do for a contact, until when */

#include <stdbool.h>
#include <stdint.h>

#include "models/call.h"

enum task_state { TASK_OPEN, TASK_DONE, TASK_CANCELED, TASK_N_STATES };
enum task_kind {
    TASK_OTHER,
    TASK_CALLBACK,
    TASK_REPLY, /* he wrote, and waits for somebody of the business */
    TASK_N_KINDS
};

enum { TASK_TEXT_MAX = 1024, TASK_ASSIGNEE_MAX = 64 };

struct task {
    char id[CONTACT_ID_MAX]; /* sorts by age */
    char contact_id[CONTACT_ID_MAX];
    char call_sid[SID_MAX]; /* the call it came of; "" none */
    char phone[ADDRESS_MAX]; /* whom to call, when it is not the contact's own number; "" */
    char assignee[TASK_ASSIGNEE_MAX]; /* "" nobody in particular */
    enum task_kind kind;
    enum task_state state;
    uint64_t due_ms; /* unix time; 0: no date */
    uint64_t created_ms, updated_ms;
    uint64_t ended_ms; /* done or canceled; 0 open */
    char *text;        /* owned; NULL none */
};

void task_done(struct task *task); /* releases what the struct owns, not the struct */
static inline void scoped_task_done(struct task *task)
{
    task_done(task);
}

int task_state_parse(const char *name); /* or -EINVAL */
int task_kind_parse(const char *name);  /* or -EINVAL */

struct json_object *task_to_json(const struct task *task);
/* As call_from_json(). */
int task_from_json(struct json_object *json, struct task *ret_task);
