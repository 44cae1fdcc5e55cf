/*
 * crm_summary.c - what a call came to, as a chat model puts it
 *
 * The model has read what a stranger said, so nothing it writes is taken for more than a text: it fills fields that the
 * profile has, where the conversation itself left them empty.
 */
#include "services/crm_summary.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "services/agent.h"
#include "services/crm.h"
#include "services/crm_internal.h"
#include "services/crm_store.h"
#include "services/jobs.h"
#include "utils/json.h"
#include "utils/text.h"

#define LAST_CALL "last_call" /* the field of a contact that holds the note */

/* --- what is asked for */

static bool is_telephone(const struct question *question)
{
    return question->expect == ANSWER_DIGITS || question->expect == ANSWER_YESNO;
}

size_t summary_fields(const struct profile *profile, struct summary_field ret_fields[SUMMARY_FIELDS_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < profile->n_questions && n < SUMMARY_FIELDS_MAX; i++) {
        const struct question *question = &profile->questions[i];
        bool is_there = !question->field;

        for (size_t k = 0; k < n && !is_there; k++)
            is_there = strcmp(ret_fields[k].name, question->field) == 0;
        if (is_there)
            continue;
        const struct prompt *prompt = question->ask.n_prompts ? profile_prompt(profile, question->ask.prompts[0]) : NULL;
        ret_fields[n++] = (struct summary_field){ question->field, prompt ? prompt->text : "", is_telephone(question) };
    }
    return n;
}

/* --- what is believed */

void summary_done(struct summary *summary)
{
    json_object_put(steal(&summary->fields));
}

static bool is_text(const char *text, size_t max)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++)
        if (iscntrl((unsigned char)text[i]))
            return false;
    return n > 0 && n < max && text[strspn(text, " ")];
}

/* One line: what would break a listing becomes a blank. */
static void set_summary(struct summary *summary, const char *text)
{
    (void)text_set(summary->text, sizeof(summary->text), text);
    for (char *c = summary->text; *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = ' ';
}

int summary_read(const char *answer, const struct summary_field *fields, size_t n_fields, struct summary *ret_summary)
{
    scoped(json_object_put) struct json_object *json = NULL;
    scoped(summary_done) struct summary summary = { .fields = json_object_new_object() };
    struct json_object *values = NULL;
    int r = summary.fields ? json_parse(answer, strlen(answer), &json) : -ENOMEM;

    if (r < 0)
        return r;
    const char *text = json_object_is_type(json, json_type_object) ? json_get_text(json, "summary") : NULL;
    if (!text || !text[strspn(text, " \t\r\n")])
        return -EBADMSG;
    set_summary(&summary, text);
    if (json_object_object_get_ex(json, "fields", &values) && json_object_is_type(values, json_type_object))
        for (size_t i = 0; i < n_fields && r == 0; i++) {
            const char *value = json_get_text(values, fields[i].name);
            if (value && is_text(value, AGENT_VALUE_MAX))
                r = json_add(summary.fields, fields[i].name, json_object_new_string(value));
        }
    if (r < 0)
        return r;
    *ret_summary = summary;
    summary = (struct summary){ 0 };
    return 0;
}

/* --- in the store */

static int is_said(struct json_object *json, void *arg)
{
    struct turn turn;

    return turn_from_json(json, &turn) == 0 && turn.who == TURN_CALLER && turn.text[0];
}

int crm_summary_owe(struct db_txn *txn, const char *sid, uint64_t now_ms)
{
    scoped(call_done) struct call call = { 0 };
    struct job job = { .kind = JOB_SUMMARY, .created_ms = now_ms, .due_ms = now_ms };
    int r = store_get_call(txn, sid, &call);

    if (r == 0)
        r = store_each_turn(txn, sid, is_said, NULL);
    if (r <= 0)
        return r < 0 ? r : 1;
    memcpy(job.call_sid, call.sid, sizeof(job.call_sid));
    memcpy(job.contact_id, call.contact_id, sizeof(job.contact_id));
    return jobs_add(txn, &job);
}

struct turns {
    struct json_object *array;
    size_t n_bytes;
};

static int add_turn(struct json_object *json, void *arg)
{
    struct turns *turns = arg;
    const char *who = json_get_text(json, "who") ?: "", *text = json_get_text(json, "text") ?: "";
    struct json_object *row = text[0] ? json_object_new_object() : NULL;

    if (!text[0])
        return 0;
    turns->n_bytes += strlen(text);
    while (turns->n_bytes > SUMMARY_TURNS_MAX && json_object_array_length(turns->array)) {
        turns->n_bytes -= strlen(json_get_text(json_object_array_get_idx(turns->array, 0), "text") ?: "");
        json_object_array_del_idx(turns->array, 0, 1);
    }
    int r = row ? json_add(row, "who", json_object_new_string(who)) : -ENOMEM;
    if (r == 0)
        r = json_add(row, "text", json_object_new_string(text));
    if (r == 0)
        return json_append(turns->array, row);
    json_object_put(row);
    return r;
}

int crm_summary_turns(struct db_txn *txn, const char *sid, struct json_object **ret_turns)
{
    scoped(call_done) struct call call = { 0 };
    struct turns turns = { 0 };
    int r = store_get_call(txn, sid, &call);

    if (r < 0 || call.summary)
        return r < 0 ? r : 1;
    turns.array = json_object_new_array();
    if (!turns.array)
        return -ENOMEM;
    r = store_each_turn(txn, sid, add_turn, &turns);
    if (r == 0 && json_object_array_length(turns.array)) {
        *ret_turns = turns.array;
        return 0;
    }
    json_object_put(turns.array);
    return r < 0 ? r : 1;
}

/* --- fields */

struct search {
    const char *digits;
};

static int says_digits(struct json_object *json, void *arg)
{
    const struct search *search = arg;
    const char *text = json_get_text(json, "text") ?: "";
    char digits[TURN_TEXT_MAX];
    size_t n = 0;

    for (; *text && n < sizeof(digits) - 1; text++)
        if (isdigit((unsigned char)*text))
            digits[n++] = *text;
    digits[n] = '\0';
    return strstr(digits, search->digits) != NULL;
}

enum { DIGITS_MIN = 7 };

/* Whether somebody in the call said these digits, with or without a country code. */
static int was_said(struct db_txn *txn, const char *sid, const char *number)
{
    char digits[ADDRESS_MAX];
    size_t n = 0;

    for (; *number && n < sizeof(digits) - 1; number++)
        if (isdigit((unsigned char)*number))
            digits[n++] = *number;
    digits[n] = '\0';
    if (n < DIGITS_MIN)
        return 0;
    struct search search = { digits + (n > DIGITS_MIN ? n - DIGITS_MIN : 0) };
    return store_each_turn(txn, sid, says_digits, &search);
}

/* Returns: 1 it is to be learnt, as *ret_name; 0 not. */
static int is_wanted(struct db_txn *txn, const struct call *call, const struct contact *contact,
                     const struct summary_field *field, const char *value, char ret_name[AGENT_FIELD_MAX])
{
    char heard[AGENT_FIELD_MAX];

    (void)snprintf(heard, sizeof(heard), "%.*s_heard", AGENT_FIELD_MAX - (int)sizeof("_heard"), field->name);
    if (json_get_text(call->learnt, field->name) || json_get_text(call->learnt, heard))
        return 0;
    (void)text_set(ret_name, AGENT_FIELD_MAX, field->is_number ? heard : field->name);
    if (strcmp(field->name, "name") == 0)
        return !contact->name[0];
    if (!field->is_number)
        return 1;
    return json_get_text(contact->fields, field->name) ? 0 : was_said(txn, call->sid, value);
}

static int learn_fields(struct db_txn *txn, const struct call *call, const struct contact *contact,
                        const struct summary *summary, const struct summary_field *fields, size_t n_fields, uint64_t now_ms)
{
    char name[AGENT_FIELD_MAX];
    int r = 0;

    for (size_t i = 0; i < n_fields && r >= 0; i++) {
        const char *value = json_get_text(summary->fields, fields[i].name);
        r = value ? is_wanted(txn, call, contact, &fields[i], value, name) : 0;
        if (r > 0)
            r = crm_call_learn(txn, call->sid, name, value, now_ms);
    }
    return r < 0 ? r : 0;
}

static int keep_note(struct db_txn *txn, const char *sid, const struct summary *summary, uint64_t now_ms)
{
    scoped(call_done) struct call call = { 0 };
    int r = store_get_call(txn, sid, &call);

    if (r < 0)
        return r;
    free(call.summary);
    free(steal(&call.summary_error));
    call.summary = strdup(summary->text);
    r = call.summary ? store_put_call(txn, &call) : -ENOMEM;
    if (r >= 0 && call.contact_id[0])
        r = crm_learn_and_save(txn, call.contact_id, sid, LAST_CALL, summary->text, now_ms);
    if (r >= 0)
        r = store_event(txn, &(struct store_event){ .kind = EVENT_CALL_SUMMARY, .at_ms = now_ms, .call = sid, .contact = call.contact_id });
    return r < 0 ? r : 0;
}

int crm_summary_keep(struct db_txn *txn, const char *sid, const struct summary *summary, const struct summary_field *fields,
                     size_t n_fields, uint64_t now_ms)
{
    scoped(call_done) struct call call = { 0 };
    scoped(contact_done) struct contact contact = { 0 };
    int r = store_get_call(txn, sid, &call);

    if (r == 0 && call.contact_id[0])
        r = store_get_contact(txn, call.contact_id, &contact);
    if (r == 0)
        r = learn_fields(txn, &call, &contact, summary, fields, n_fields, now_ms);
    return r < 0 ? r : keep_note(txn, sid, summary, now_ms);
}

int crm_summary_fail(struct db_txn *txn, const char *sid, const char *why, uint64_t now_ms)
{
    scoped(call_done) struct call call = { 0 };
    int r = store_get_call(txn, sid, &call);

    if (r < 0)
        return r;
    free(call.summary_error);
    call.summary_error = strdup(why);
    r = call.summary_error ? store_put_call(txn, &call) : -ENOMEM;
    if (r == 0)
        r = store_event(txn, &(struct store_event){ .kind = EVENT_CALL_SUMMARY, .at_ms = now_ms, .call = sid, .contact = call.contact_id });
    return r < 0 ? r : 0;
}
