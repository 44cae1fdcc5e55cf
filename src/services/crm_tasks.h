#pragma once
/*
 * crm_tasks.h - notes, and what is to be done until when
 *
 * As crm.h says of all its functions. Whom a note or task belongs to is a person, whichever of his ids is given.
 */

#include "db.h"
#include "models/call.h"
#include "models/note.h"
#include "models/task.h"

/*
 * contact_id, text, author are the caller's to fill in; id and times are set.
 *
 * Errors: -ENOENT no such contact; -EINVAL no text, or too much.
 */
int crm_note_add(struct db_txn *txn, struct note *note, uint64_t now_ms);
int crm_note_get(struct db_txn *txn, const char *id, struct note *ret_note);
/* Returns: 0; 1 it says that. Errors: -ENOENT; -EINVAL as above. */
int crm_note_edit(struct db_txn *txn, const char *id, const char *text, uint64_t now_ms);
int crm_note_delete(struct db_txn *txn, const char *id, uint64_t now_ms); /* -ENOENT */

/* The same; due_ms 0 for no date. */
int crm_task_add(struct db_txn *txn, struct task *task, uint64_t now_ms);
int crm_task_get(struct db_txn *txn, const char *id, struct task *ret_task);

struct task_edit {
    const char *text, *assignee; /* NULL: stays */
    int state;                   /* -1, or enum task_state */
    bool sets_due;
    uint64_t due_ms;
};
/* Returns: 0; 1 nothing changed. Errors: -ENOENT; -EINVAL too much text. */
int crm_task_edit(struct db_txn *txn, const char *id, const struct task_edit *edit, uint64_t now_ms);
int crm_task_delete(struct db_txn *txn, const char *id, uint64_t now_ms);

/*
 * What the caller was promised: a task of kind callback from what was learnt in a call, "callback_at" (as when_parse()
 * takes it), "callback" and "callback_about". There is one of a call, which follows what is learnt until it is done.
 *
 * Sets call->task_id, which the caller writes. Returns: 0; 1 nothing of it changed.
 */
int crm_task_of_call(struct db_txn *txn, struct call *call, uint64_t now_ms);

/*
 * Open tasks in order of their date, those without one last; up to due_ms: all that were due before, as UINT64_MAX: all.
 * cursor: "" or what the page before gave. *ret_cursor is "" when there are no more.
 *
 * Errors: -EINVAL the cursor.
 */
enum { TASK_CURSOR_MAX = 64 };
int crm_tasks_page(struct db_txn *txn, uint64_t due_ms, const char *cursor, size_t max, struct json_object **ret_array,
                   char ret_cursor[TASK_CURSOR_MAX]);
/* All of a contact, by date. Errors: -ENOENT. */
int crm_tasks_of(struct db_txn *txn, const char *contact_id, size_t max, struct json_object **ret_array);
