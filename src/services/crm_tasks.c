/*
 * crm_tasks.c - notes, and what is to be done until when
 *
 * A task that is open is in the index by date; one that is done or canceled is in its contact's timeline instead, at the
 * time it ended.
 */
#include "services/crm_tasks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "services/crm_contacts.h"
#include "services/crm_links.h"
#include "services/crm_store.h"
#include "services/store_row.h"
#include "utils/json.h"
#include "utils/text.h"
#include "utils/when.h"

/* The person behind an id, who is there. */
static int set_person(struct db_txn *txn, char id[CONTACT_ID_MAX])
{
    scoped(contact_done) struct contact contact = { 0 };
    char person[CONTACT_ID_MAX];
    int r = links_person(txn, id, person);

    if (r == 0)
        r = store_get_contact(txn, person, &contact);
    if (r < 0)
        return r == -EINVAL ? -ENOENT : r;
    memcpy(id, person, sizeof(person));
    return 0;
}

/* --- notes */

static int tell_note(struct db_txn *txn, enum event_kind kind, const struct note *note, uint64_t now_ms)
{
    return store_event(
        txn, &(struct store_event){ .kind = kind, .at_ms = now_ms, .contact = note->contact_id, .note = note->id });
}

static bool is_text(const char *text, size_t max)
{
    return text && text[0] && strlen(text) < max;
}

int crm_note_add(struct db_txn *txn, struct note *note, uint64_t now_ms)
{
    int r = is_text(note->text, NOTE_TEXT_MAX) ? set_person(txn, note->contact_id) : -EINVAL;

    if (r < 0)
        return r;
    store_make_id('N', now_ms, note->id);
    note->created_ms = note->updated_ms = now_ms;
    r = store_put_note(txn, note);
    return r < 0 ? r : tell_note(txn, EVENT_NOTE_NEW, note, now_ms);
}

int crm_note_get(struct db_txn *txn, const char *id, struct note *ret_note)
{
    return store_get_note(txn, id, ret_note);
}

int crm_note_edit(struct db_txn *txn, const char *id, const char *text, uint64_t now_ms)
{
    scoped(note_done) struct note note = { 0 };
    int r = is_text(text, NOTE_TEXT_MAX) ? store_get_note(txn, id, &note) : -EINVAL;

    if (r < 0 || strcmp(note.text, text) == 0)
        return r < 0 ? r : 1;
    free(note.text);
    note.text = strdup(text);
    if (!note.text)
        return -ENOMEM;
    note.updated_ms = now_ms;
    r = store_put_note(txn, &note);
    return r < 0 ? r : tell_note(txn, EVENT_NOTE_CHANGED, &note, now_ms);
}

int crm_note_delete(struct db_txn *txn, const char *id, uint64_t now_ms)
{
    scoped(note_done) struct note note = { 0 };
    int r = store_get_note(txn, id, &note);

    if (r == 0)
        r = store_delete_note(txn, &note);
    return r < 0 ? r : tell_note(txn, EVENT_NOTE_DELETED, &note, now_ms);
}

/* --- tasks */

static int tell_task(struct db_txn *txn, enum event_kind kind, const struct task *task, uint64_t now_ms)
{
    return store_event(txn, &(struct store_event){ .kind = kind,
                                                   .at_ms = now_ms,
                                                   .call = task->call_sid,
                                                   .contact = task->contact_id,
                                                   .task = task->id });
}

/* Writes a new one whose contact is known to be there. */
static int add_task(struct db_txn *txn, struct task *task, uint64_t now_ms)
{
    store_make_id('T', now_ms, task->id);
    task->created_ms = task->updated_ms = now_ms;
    task->ended_ms = task->state == TASK_OPEN ? 0 : now_ms;
    int r = store_put_task(txn, task);
    return r < 0 ? r : tell_task(txn, EVENT_TASK_NEW, task, now_ms);
}

int crm_task_add(struct db_txn *txn, struct task *task, uint64_t now_ms)
{
    int r = is_text(task->text, TASK_TEXT_MAX) ? set_person(txn, task->contact_id) : -EINVAL;

    return r < 0 ? r : add_task(txn, task, now_ms);
}

int crm_task_get(struct db_txn *txn, const char *id, struct task *ret_task)
{
    return store_get_task(txn, id, ret_task);
}

static int set_text(struct task *task, const char *text)
{
    char *again = strdup(text);

    if (!again)
        return -ENOMEM;
    free(task->text);
    task->text = again;
    return 0;
}

/* Returns: 0 it changed; 1 it did not. */
static int apply(struct task *task, const struct task_edit *edit, uint64_t now_ms)
{
    bool changed = false;

    if (edit->text && strcmp(edit->text, task->text ?: "") != 0) {
        int r = set_text(task, edit->text);
        if (r < 0)
            return r;
        changed = true;
    }
    if (edit->assignee && strcmp(edit->assignee, task->assignee) != 0) {
        (void)text_set(task->assignee, sizeof(task->assignee), edit->assignee);
        changed = true;
    }
    if (edit->sets_due && edit->due_ms != task->due_ms) {
        task->due_ms = edit->due_ms;
        changed = true;
    }
    if (edit->state >= 0 && (enum task_state)edit->state != task->state) {
        task->state = (enum task_state)edit->state;
        task->ended_ms = task->state == TASK_OPEN ? 0 : now_ms;
        changed = true;
    }
    return !changed;
}

static int save_task(struct db_txn *txn, struct task *task, uint64_t now_ms)
{
    task->updated_ms = now_ms > task->updated_ms ? now_ms : task->updated_ms + 1;
    int r = store_put_task(txn, task);
    return r < 0 ? r : tell_task(txn, task->state == TASK_DONE ? EVENT_TASK_DONE : EVENT_TASK_CHANGED, task, now_ms);
}

int crm_task_edit(struct db_txn *txn, const char *id, const struct task_edit *edit, uint64_t now_ms)
{
    scoped(task_done) struct task task = { 0 };
    bool fits = (!edit->text || is_text(edit->text, TASK_TEXT_MAX)) &&
                (!edit->assignee || strlen(edit->assignee) < TASK_ASSIGNEE_MAX);
    int r = fits ? store_get_task(txn, id, &task) : -EINVAL;

    if (r == 0)
        r = apply(&task, edit, now_ms);
    return r ?: save_task(txn, &task, now_ms);
}

int crm_task_delete(struct db_txn *txn, const char *id, uint64_t now_ms)
{
    scoped(task_done) struct task task = { 0 };
    int r = store_get_task(txn, id, &task);

    if (r == 0)
        r = store_delete_task(txn, &task);
    return r < 0 ? r : tell_task(txn, EVENT_TASK_DELETED, &task, now_ms);
}

/* --- of a call */

/* It is as what was learnt. */
static int follow(struct task *task, const struct call *call, uint64_t due_ms, uint64_t now_ms)
{
    char phone[ADDRESS_MAX] = "", about[TASK_TEXT_MAX] = "";

    (void)text_set(phone, sizeof(phone), json_get_text(call->learnt, "callback") ?: "");
    (void)text_set(about, sizeof(about), json_get_text(call->learnt, "callback_about") ?: "");
    bool same_phone = strcmp(task->phone, phone) == 0;
    memcpy(task->phone, phone, sizeof(phone));
    int r = apply(task, &(struct task_edit){ .text = about, .state = -1, .sets_due = true, .due_ms = due_ms }, now_ms);
    return r == 1 && !same_phone ? 0 : r;
}

int crm_task_of_call(struct db_txn *txn, struct call *call, uint64_t now_ms)
{
    scoped(task_done) struct task task = { 0 };
    const char *at = json_get_text(call->learnt, "callback_at");
    uint64_t due_ms;

    if (!at || !call->contact_id[0] || when_parse(at, &due_ms) < 0)
        return 1;
    int r = call->task_id[0] ? store_get_task(txn, call->task_id, &task) : -ENOENT;
    if (r < 0 && r != -ENOENT)
        return r;
    bool is_new = r == -ENOENT || (task.state != TASK_OPEN && task.due_ms != due_ms);
    if (!is_new && task.state != TASK_OPEN)
        return 1;
    if (is_new) {
        task_done(&task);
        task = (struct task){ .kind = TASK_CALLBACK };
        memcpy(task.contact_id, call->contact_id, sizeof(task.contact_id));
        memcpy(task.call_sid, call->sid, sizeof(task.call_sid));
    }
    r = follow(&task, call, due_ms, now_ms);
    if (r)
        return r;
    r = is_new ? add_task(txn, &task, now_ms) : save_task(txn, &task, now_ms);
    if (r == 0)
        memcpy(call->task_id, task.id, sizeof(task.id));
    return r;
}

/* --- pages */

struct page {
    struct db_txn *txn;
    struct json_object *array;
    size_t n_before; /* bytes of a key before the time */
    size_t room;
    uint64_t due_ms; /* not those due at it or later */
    const struct key *seen; /* the last row of the page before; NULL */
    char *cursor;
};

static int add_row(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct page *page = arg;
    scoped(json_object_put) struct json_object *json = NULL;
    const char *bytes = (const char *)key.data + page->n_before;
    uint64_t due_ms = key_number(bytes, 8);
    struct db_bytes id = { bytes + 8, key.n - page->n_before - 8 };

    if (page->seen && key.n == page->seen->n && memcmp(key.data, page->seen->bytes, key.n) == 0)
        return 0;
    if (due_ms >= page->due_ms && page->due_ms != UINT64_MAX)
        return 1;
    if (page->room == 0)
        return 2; /* there are more */
    int r = row_get(page->txn, DB_TASKS, id, &json);
    if (r < 0)
        return r == -ENOENT ? -EUCLEAN : r;
    page->room--;
    if (page->cursor)
        (void)snprintf(page->cursor, TASK_CURSOR_MAX, "%" PRIu64 ".%.*s", due_ms, (int)id.n, (const char *)id.data);
    return json_append(page->array, json_object_get(json));
}

static int parse_cursor(const char *cursor, struct key *ret_key)
{
    char *end;
    uint64_t due_ms = strtoull(cursor, &end, 10);

    if (end == cursor || *end != '.' || !call_sid_is_plain(end + 1) || strlen(cursor) >= TASK_CURSOR_MAX)
        return -EINVAL;
    *ret_key = key_by_time(due_ms, end + 1);
    return 0;
}

int crm_tasks_page(struct db_txn *txn, uint64_t due_ms, const char *cursor, size_t max, struct json_object **ret_array,
                   char ret_cursor[TASK_CURSOR_MAX])
{
    scoped(json_object_put) struct json_object *array = json_object_new_array();
    struct key from = { 0 };
    struct page page = { .txn = txn, .array = array, .room = max, .due_ms = due_ms, .cursor = ret_cursor };
    int r = array ? 0 : -ENOMEM;

    ret_cursor[0] = '\0';
    if (r == 0 && cursor[0])
        r = parse_cursor(cursor, &from);
    if (r == 0) {
        page.seen = cursor[0] ? &from : NULL;
        r = db_each(txn, DB_TASKS_BY_DUE, nothing, key_bytes(&from), DB_UP, add_row, &page);
    }
    if (r < 0)
        return r;
    if (r != 2)
        ret_cursor[0] = '\0';
    *ret_array = steal(&array);
    return 0;
}

int crm_tasks_of(struct db_txn *txn, const char *contact_id, size_t max, struct json_object **ret_array)
{
    scoped(json_object_put) struct json_object *array = json_object_new_array();
    char person[CONTACT_ID_MAX] = "";
    int r = array ? 0 : -ENOMEM;

    (void)text_set(person, sizeof(person), contact_id);
    if (r == 0)
        r = set_person(txn, person);
    if (r < 0)
        return r;
    struct key below = key_below(person);
    struct page page = { .txn = txn, .array = array, .n_before = below.n, .room = max, .due_ms = UINT64_MAX };
    r = db_each(txn, DB_TASKS_BY_CONTACT, key_bytes(&below), nothing, DB_UP, add_row, &page);
    if (r < 0)
        return r;
    *ret_array = steal(&array);
    return 0;
}
