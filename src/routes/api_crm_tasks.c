/*
 * routes/api_crm_tasks.c - /api/crm: notes about contacts, and what is to be done for them
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "routes/api_crm.h"
#include "routes/routes.h"
#include "services/crm_tasks.h"
#include "services/services.h"
#include "utils/clock.h"
#include "utils/json.h"
#include "utils/text.h"

enum { BODY_MAX = 64 * KIB, NOTE_CHARACTERS = 5000, TASK_CHARACTERS = 300, NAME_CHARACTERS = 20 };

/* --- what is taken */

static const char *const state_words[] = { "open", "done", "canceled", NULL };
static const char *const kind_words[] = { "other", "callback", "reply", NULL };

static const char *check_phone(struct json_object *value)
{
    return strlen(json_object_get_string(value)) < ADDRESS_MAX ? NULL : "is too long for a number";
}

#define CONTACT { .name = "contact_id", .type = API_TEXT, .is_needed = true, .min = 1, .max = CONTACT_ID_MAX - 1, .summary = "Whom it is about" }
#define DUE { .name = "due_ms", .type = API_NUMBER, .summary = "When it has to be done, in milliseconds of unix time; 0 no date" }
#define ASSIGNEE { .name = "assignee", .type = API_TEXT, .max = NAME_CHARACTERS, .summary = "Who does it" }
#define SEEN { .name = "updated_ms", .type = API_NUMBER, .summary = "As it was read: when it is another one by now, nothing is changed" }

static const struct api_field note_fields[] = {
    CONTACT,
    { .name = "text", .type = API_TEXT, .is_needed = true, .min = 1, .max = NOTE_CHARACTERS, .summary = "What there is to know" },
    { .name = "author", .type = API_TEXT, .max = NAME_CHARACTERS, .summary = "Who says so" },
};

static const struct api_field note_edit_fields[] = {
    { .name = "text", .type = API_TEXT, .max = NOTE_CHARACTERS, .is_needed = true, .summary = "What it says from now on; \"\" takes the note away" },
    SEEN,
};

static const struct api_field task_fields[] = {
    CONTACT,
    { .name = "text", .type = API_TEXT, .is_needed = true, .min = 1, .max = TASK_CHARACTERS, .summary = "What is to be done" },
    { .name = "kind", .type = API_TEXT, .words = kind_words, .summary = "What kind of thing it is" },
    { .name = "phone", .type = API_TEXT, .check = check_phone, .summary = "Whom to call, when it is not his own number" },
    DUE, ASSIGNEE,
};

static const struct api_field task_edit_fields[] = {
    { .name = "text", .type = API_TEXT, .max = TASK_CHARACTERS, .summary = "What is to be done; \"\" takes the task away" },
    { .name = "state", .type = API_TEXT, .words = state_words, .summary = "Whether it is done" },
    DUE, ASSIGNEE, SEEN,
};

static const struct api_field list_fields[] = {
    { .name = "due_before_ms", .type = API_NUMBER, .min = 1, .summary = "Only those due before; the present for what is overdue" },
    { .name = "contact", .type = API_TEXT, .min = 1, .max = CONTACT_ID_MAX - 1, .summary = "All of one contact, whatever their state, and no pages" },
    API_CRM_LIMIT, API_CRM_AFTER,
};

#define WRITES(fields) { .body = fields, .n_body = ELEMENTSOF(fields), .is_write = true }
static const struct api_shape note_shape = WRITES(note_fields), note_edit_shape = WRITES(note_edit_fields), task_shape = WRITES(task_fields),
                              task_edit_shape = WRITES(task_edit_fields),
                              list_shape = { .query = list_fields, .n_query = ELEMENTSOF(list_fields) };

/* --- changing */

static bool is_stale(const struct api_write *write, uint64_t updated_ms)
{
    uint64_t seen_ms = (uint64_t)json_get_int(write->body, "updated_ms");

    return seen_ms && seen_ms != updated_ms;
}

static int show_note(struct db_txn *txn, const char *id, struct json_object **ret_answer)
{
    scoped(note_done) struct note note = { 0 };
    int r = crm_note_get(txn, id, &note);

    if (r < 0)
        return r;
    *ret_answer = note_to_json(&note);
    return *ret_answer ? 0 : -ENOMEM;
}

static int keep_note(struct db_txn *txn, struct api_write *write, struct json_object **ret_answer)
{
    scoped(note_done) struct note note = { 0 };

    (void)text_set(note.contact_id, sizeof(note.contact_id), json_get_text(write->body, "contact_id"));
    (void)text_set(note.author, sizeof(note.author), json_get_text(write->body, "author") ?: "");
    note.text = strdup(json_get_text(write->body, "text"));
    int r = note.text ? crm_note_add(txn, &note, write->now_ms) : -ENOMEM;
    return r < 0 ? r : show_note(txn, note.id, ret_answer);
}

static int gone(struct json_object **ret_answer)
{
    *ret_answer = json_object_new_object();
    return *ret_answer ? json_add(*ret_answer, "deleted", json_object_new_boolean(true)) : -ENOMEM;
}

static int keep_note_edit(struct db_txn *txn, struct api_write *write, struct json_object **ret_answer)
{
    scoped(note_done) struct note note = { 0 };
    const char *text = json_get_text(write->body, "text");
    int r = crm_note_get(txn, write->param, &note);

    if (r == 0 && is_stale(write, note.updated_ms))
        r = -ESTALE;
    if (r < 0)
        return r;
    if (!text[0])
        return crm_note_delete(txn, note.id, write->now_ms) ?: gone(ret_answer);
    r = crm_note_edit(txn, note.id, text, write->now_ms);
    return r < 0 ? r : show_note(txn, note.id, ret_answer);
}

static int show_task(struct db_txn *txn, const char *id, struct json_object **ret_answer)
{
    scoped(task_done) struct task task = { 0 };
    int r = crm_task_get(txn, id, &task);

    if (r < 0)
        return r;
    *ret_answer = task_to_json(&task);
    return *ret_answer ? 0 : -ENOMEM;
}

static int keep_task(struct db_txn *txn, struct api_write *write, struct json_object **ret_answer)
{
    const char *kind = json_get_text(write->body, "kind");
    scoped(task_done) struct task task = { .due_ms = (uint64_t)json_get_int(write->body, "due_ms"),
                                           .kind = kind ? (enum task_kind)task_kind_parse(kind) : TASK_OTHER };

    (void)text_set(task.contact_id, sizeof(task.contact_id), json_get_text(write->body, "contact_id"));
    (void)text_set(task.phone, sizeof(task.phone), json_get_text(write->body, "phone") ?: "");
    (void)text_set(task.assignee, sizeof(task.assignee), json_get_text(write->body, "assignee") ?: "");
    task.text = strdup(json_get_text(write->body, "text"));
    int r = task.text ? crm_task_add(txn, &task, write->now_ms) : -ENOMEM;
    return r < 0 ? r : show_task(txn, task.id, ret_answer);
}

static int keep_task_edit(struct db_txn *txn, struct api_write *write, struct json_object **ret_answer)
{
    scoped(task_done) struct task task = { 0 };
    const char *state = json_get_text(write->body, "state");
    struct task_edit edit = { .text = json_get_text(write->body, "text"),
                              .assignee = json_get_text(write->body, "assignee"),
                              .state = state ? task_state_parse(state) : -1,
                              .sets_due = json_object_object_get_ex(write->body, "due_ms", NULL),
                              .due_ms = (uint64_t)json_get_int(write->body, "due_ms") };
    int r = crm_task_get(txn, write->param, &task);

    if (r == 0 && is_stale(write, task.updated_ms))
        r = -ESTALE;
    if (r == 0 && edit.text && !edit.text[0])
        return crm_task_delete(txn, task.id, write->now_ms) ?: gone(ret_answer);
    if (r == 0)
        r = crm_task_edit(txn, task.id, &edit, write->now_ms);
    return r < 0 ? r : show_task(txn, task.id, ret_answer);
}

static const struct api_refusal make_refusals[] = {
    { -ENOENT, 422, "unknown_contact", "contact_id", "there is no contact of that id" },
    { -EINVAL, 422, "too_long", "text", "the text is too long" },
    { 0 },
};
static const struct api_refusal edit_refusals[] = {
    { -ENOENT, 404, "not_found", "", "there is nothing of that id" },
    { -EINVAL, 404, "not_found", "", "there is nothing of that id" },
    { -ESTALE, 409, "changed", "updated_ms", "somebody else has changed it since; read it again" },
    { 0 },
};

static const struct api_write_kind note_kind = { "a note by the API", &note_shape, NULL, keep_note, make_refusals, 200 };
static const struct api_write_kind note_edit_kind = { "a note by the API", &note_edit_shape, NULL, keep_note_edit, edit_refusals, 200 };
static const struct api_write_kind task_kind = { "a task by the API", &task_shape, NULL, keep_task, make_refusals, 200 };
static const struct api_write_kind task_edit_kind = { "a task by the API", &task_edit_shape, NULL, keep_task_edit, edit_refusals, 200 };

static int notes_post(struct http_request *request, struct http_response *response)
{
    return api_take(request, &note_kind);
}

static int note_patch(struct http_request *request, struct http_response *response)
{
    return api_take(request, &note_edit_kind);
}

static int tasks_post(struct http_request *request, struct http_response *response)
{
    return api_take(request, &task_kind);
}

static int task_patch(struct http_request *request, struct http_response *response)
{
    return api_take(request, &task_edit_kind);
}

/* --- reading */

static int read_tasks(struct db_txn *txn, struct json_object *query, struct json_object **ret_json)
{
    scoped(json_object_put) struct json_object *array = NULL;
    const char *contact = json_get_text(query, "contact");
    size_t max = (size_t)json_get_int(query, "limit") ?: API_CRM_PAGE;
    char next[TASK_CURSOR_MAX] = "";
    int r = contact ? crm_tasks_of(txn, contact, max, &array)
                    : crm_tasks_page(txn, (uint64_t)json_get_int(query, "due_before_ms") ?: UINT64_MAX,
                                     json_get_text(query, "after") ?: "", max, &array, next);

    if (r < 0)
        return r;
    *ret_json = api_crm_page("tasks", array, next);
    return *ret_json ? 0 : -ENOMEM;
}

static int tasks_get(struct http_request *request, struct http_response *response)
{
    const struct services *services = request->context;
    scoped(json_object_put) struct json_object *query = NULL, *json = NULL;
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct api_problem problem;
    int r = api_read_query(request, &list_shape, &query, &problem);

    if (r < 0)
        return r == -EINVAL ? api_refuse(request, &problem) : r;
    r = db_read_begin(services->db, &txn);
    if (r == 0)
        r = read_tasks(txn, query, &json);
    return api_crm_answer(request, r, json);
}

static int read_one(struct http_request *request, int (*show)(struct db_txn *txn, const char *id, struct json_object **ret_answer))
{
    const struct services *services = request->context;
    scoped(json_object_put) struct json_object *json = NULL;
    scoped(db_read_end) struct db_txn *txn = NULL;
    int r = db_read_begin(services->db, &txn);

    if (r == 0)
        r = show(txn, request->param, &json);
    return api_crm_answer(request, r == -EINVAL ? -ENOENT : r, json);
}

static int note_get(struct http_request *request, struct http_response *response)
{
    return read_one(request, show_note);
}

static int task_get(struct http_request *request, struct http_response *response)
{
    return read_one(request, show_task);
}

static const struct route routes[] = {
    { "POST", "/notes", AUTH_TOKEN, BODY_MAX, notes_post, "Write a note about a contact", &note_shape },
    { "GET", "/notes/{id}", AUTH_TOKEN, 0, note_get, "One note; those of a contact are in its timeline", NULL, ASIDE },
    { "PATCH", "/notes/{id}", AUTH_TOKEN, BODY_MAX, note_patch, "Change a note, or take it away", &note_edit_shape },
    { "GET", "/tasks", AUTH_TOKEN, 0, tasks_get, "Open tasks by date, or all of a contact", &list_shape, ASIDE },
    { "POST", "/tasks", AUTH_TOKEN, BODY_MAX, tasks_post, "Something is to be done for a contact", &task_shape },
    { "GET", "/tasks/{id}", AUTH_TOKEN, 0, task_get, "One task", NULL, ASIDE },
    { "PATCH", "/tasks/{id}", AUTH_TOKEN, BODY_MAX, task_patch, "Change a task: done, canceled, another date", &task_edit_shape },
};

const struct blueprint api_crm_tasks = BLUEPRINT("api_crm_tasks", "/api/crm", routes);
