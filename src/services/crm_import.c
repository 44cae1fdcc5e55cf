/*
 * crm_import.c - lines of an export, or people from a table, into the store
 *
 * Nothing of a line is believed: it is read by the models, as what is stored is, and held to what the API holds its
 * callers to. A line that leads to a contact or call that is not here is refused, so that no index leads nowhere.
 *
 * Of a contact that comes with an address somebody else has, the address stays his, and the contact becomes one of him,
 * as if an operator had merged the two; it can be undone.
 */
#include "services/crm_import.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <json-c/json.h>

#include "services/crm_contacts.h"
#include "services/crm_export.h"
#include "services/crm_internal.h"
#include "services/crm_links.h"
#include "services/crm_store.h"
#include "services/crm_tasks.h"
#include "services/store_row.h"
#include "services/tombstones.h"
#include "utils/json.h"
#include "utils/text.h"

static const char *const outcomes[IMPORT_N_OUTCOMES] = {
    [IMPORT_NEW] = "new", [IMPORT_UPDATED] = "updated", [IMPORT_MERGED] = "merged", [IMPORT_UNCHANGED] = "unchanged", [IMPORT_REFUSED] = "refused",
};

const char *import_outcome_name(enum import_outcome outcome)
{
    return outcomes[outcome];
}

struct importing {
    struct db_txn *txn;
    const char *country;
    uint64_t now_ms;
    struct import_result *result;
};

/* Always 0: the line is refused, and nothing is wrong with the store. */
__attribute__((format(printf, 2, 3))) static int refuse(struct importing *importing, const char *format, ...)
{
    va_list args;

    importing->result->outcome = IMPORT_REFUSED;
    va_start(args, format);
    (void)vsnprintf(importing->result->why, sizeof(importing->result->why), format, args);
    va_end(args);
    return 0;
}

static int set(struct importing *importing, enum import_outcome outcome)
{
    importing->result->outcome = outcome;
    return 0;
}

/* --- what is held to */

/* A text within a line, cut for a message. */
#define SHOWN(text) 40, (text)

static bool is_plain_text(struct json_object *value, size_t max)
{
    const char *text = json_object_get_string(value);

    return json_object_is_type(value, json_type_string) && strlen(text) == (size_t)json_object_get_string_len(value) &&
           strlen(text) < max;
}

static const char *wrong_fields(struct json_object *fields)
{
    if (!fields)
        return NULL;
    json_object_object_foreach(fields, name, value)
    {
        if (!name[0] || strlen(name) >= CONTACT_FIELD_MAX)
            return "has a field whose name is empty or longer than 63 bytes";
        if (!is_plain_text(value, IMPORT_VALUE_MAX))
            return "has a field that is no text, or longer than 8000 bytes";
    }
    return NULL;
}

static const char *wrong_tags(struct json_object *tags)
{
    for (size_t i = 0; tags && i < json_object_array_length(tags); i++)
        if (!is_plain_text(json_object_array_get_idx(tags, i), CONTACT_TAG_MAX) ||
            !json_object_get_string_len(json_object_array_get_idx(tags, i)))
            return "has a tag that is empty, or longer than 63 bytes";
    return NULL;
}

static bool is_id(char prefix, const char *id)
{
    return id[0] == prefix && strlen(id) < CONTACT_ID_MAX && call_sid_is_plain(id);
}

/* Returns: 1 there is such a contact; 0. */
static int has_contact(struct importing *importing, const char *id)
{
    struct db_bytes value;
    int r = db_get(importing->txn, DB_CONTACTS, text_bytes(id), &value);

    return r == -ENOENT || r == -EINVAL ? 0 : r < 0 ? r : 1;
}

/* --- contacts of an export */

struct owner { /* who has addresses of the contact that comes */
    char id[CONTACT_ID_MAX];
};

/* Addresses that are somebody else's leave the contact. */
static int part_addresses(struct importing *importing, struct contact *contact, struct owner *owner)
{
    char normal[ADDRESS_MAX], id[CONTACT_ID_MAX];

    for (size_t i = contact->addresses ? json_object_array_length(contact->addresses) : 0; i-- > 0;) {
        const char *address = json_object_get_string(json_object_array_get_idx(contact->addresses, i)) ?: "";
        if (address_normalise(address, "", normal) < 0 || strcmp(normal, address) != 0)
            return refuse(importing, "has an address that is none: '%.*s'", SHOWN(address));
        int r = store_contact_id_of(importing->txn, address, id);
        if (r < 0 && r != -ENOENT)
            return r;
        if (r == -ENOENT || strcmp(id, contact->id) == 0)
            continue;
        memcpy(owner->id, id, sizeof(id));
        r = json_object_array_del_idx(contact->addresses, i, 1);
        if (r < 0)
            return -ENOMEM;
    }
    return 0;
}

/* What the row that is here has, and the one that comes has not: nobody loses an address by an import. */
static int keep_addresses(struct contact *contact, const struct contact *was)
{
    struct json_object *had = was->addresses;
    int r = 0;

    if (!contact->addresses)
        contact->addresses = json_object_new_array();
    for (size_t i = 0; r == 0 && had && i < json_object_array_length(had); i++) {
        const char *address = json_object_get_string(json_object_array_get_idx(had, i)) ?: "";
        bool is_there = false;
        for (size_t k = 0; k < json_object_array_length(contact->addresses); k++)
            is_there |= strcmp(json_object_get_string(json_object_array_get_idx(contact->addresses, k)) ?: "", address) == 0;
        if (!is_there)
            r = json_append(contact->addresses, json_object_new_string(address));
    }
    return r;
}

static int tell_contact(struct importing *importing, const char *id, enum event_kind kind)
{
    return store_event(importing->txn, &(struct store_event){ .kind = kind, .at_ms = importing->now_ms, .contact = id });
}

static int write_contact(struct importing *importing, const struct contact *contact, const struct owner *owner, bool is_new)
{
    int r = store_put_contact(importing->txn, contact);

    if (r >= 0)
        r = crm_index_person(importing->txn, contact->id);
    if (r >= 0)
        r = tell_contact(importing, contact->id, is_new ? EVENT_CONTACT_NEW : EVENT_CONTACT_CHANGED);
    set(importing, is_new ? IMPORT_NEW : IMPORT_UPDATED);
    if (r < 0 || !owner->id[0])
        return r;
    r = crm_contact_merge(importing->txn, owner->id, contact->id, "import", importing->now_ms);
    if (r == 0)
        set(importing, IMPORT_MERGED);
    return r < 0 ? r : 0;
}

static int take_contact(struct importing *importing, struct json_object *data)
{
    scoped(contact_done) struct contact contact = { 0 }, was = { 0 };
    struct owner owner = { "" };
    int r = contact_from_json(data, &contact);

    if (r < 0)
        return r == -EBADMSG ? refuse(importing, "is no contact") : r;
    const char *wrong = !is_id('C', contact.id) ? "has no id of a contact" : wrong_fields(contact.fields) ?: wrong_tags(contact.tags);
    if (wrong)
        return refuse(importing, "%s", wrong);
    r = tombstone_has(importing->txn, contact.id);
    if (r)
        return r < 0 ? r : refuse(importing, "is of somebody who was erased");
    r = store_get_contact(importing->txn, contact.id, &was);
    if (r < 0 && r != -ENOENT)
        return r;
    bool is_new = r == -ENOENT;
    if (!is_new && contact.updated_ms <= was.updated_ms)
        return set(importing, IMPORT_UNCHANGED);
    r = part_addresses(importing, &contact, &owner);
    if (r == 0 && importing->result->outcome == IMPORT_REFUSED)
        return 0;
    if (r == 0 && !is_new)
        r = keep_addresses(&contact, &was);
    return r < 0 ? r : write_contact(importing, &contact, &owner, is_new);
}

/* --- links of an export */

static int take_link(struct importing *importing, struct json_object *data)
{
    scoped(json_object_put) struct json_object *link = NULL;
    const char *from = json_get_text(data, "from") ?: "", *into = json_get_text(data, "into") ?: "";
    char root[CONTACT_ID_MAX];
    int has_from = is_id('C', from) ? has_contact(importing, from) : 0, has_into = is_id('C', into) ? has_contact(importing, into) : 0;

    if (has_from <= 0 || has_into <= 0)
        return has_from < 0 ? has_from : has_into < 0 ? has_into : refuse(importing, "links contacts that are not here");
    int r = links_get(importing->txn, from, &link);
    if (r == 0)
        return set(importing, IMPORT_UNCHANGED); /* merged already, if not into that one */
    if (r == -ENOENT)
        r = links_person(importing->txn, into, root);
    if (r == 0 && strcmp(root, from) == 0)
        return refuse(importing, "links a contact to one that was merged into it");
    if (r == 0)
        r = links_merge(importing->txn, into, from, json_get_text(data, "why") ?: "import", (uint64_t)json_get_int(data, "at_ms"));
    if (r == -EMLINK)
        return refuse(importing, "would make over 64 contacts one person");
    if (r == 0)
        r = crm_index_person(importing->txn, from);
    if (r == 0)
        r = tell_contact(importing, root, EVENT_CONTACT_CHANGED);
    return r < 0 ? r : set(importing, IMPORT_NEW);
}

static int take_parted(struct importing *importing, struct json_object *data)
{
    const char *a = json_get_text(data, "a") ?: "", *b = json_get_text(data, "b") ?: "";

    if (!is_id('C', a) || !is_id('C', b))
        return refuse(importing, "parts what are no contacts");
    int r = tombstone_has(importing->txn, a) ?: tombstone_has(importing->txn, b);
    if (r)
        return r < 0 ? r : refuse(importing, "is of somebody who was erased");
    r = links_keep_parted(importing->txn, a, b);
    return r < 0 ? r : set(importing, r == 1 ? IMPORT_UNCHANGED : IMPORT_NEW);
}

static int take_address(struct importing *importing, struct json_object *data)
{
    const char *address = json_get_text(data, "address") ?: "", *same_as = json_get_text(data, "same_as") ?: "";
    char normal[ADDRESS_MAX], number[ADDRESS_MAX], id[CONTACT_ID_MAX], pair[SAME_ADDRESS_ID_MAX];

    if (address_normalise(address, "", normal) < 0 || address_normalise(same_as, "", number) < 0 || strcmp(normal, address) != 0 ||
        strcmp(number, same_as) != 0 || !address_is_lid(address) || address_is_lid(same_as))
        return refuse(importing, "is no pair of an id of WhatsApp's and a number");
    store_same_address_id(address, same_as, pair);
    int r = tombstone_has(importing->txn, pair);
    if (r)
        return r < 0 ? r : refuse(importing, "is of somebody who was erased");
    r = store_same_address(importing->txn, address, number);
    if (r == -ENOENT)
        r = store_contact_id_of(importing->txn, address, id);
    if (r != -ENOENT)
        return r < 0 ? r : set(importing, IMPORT_UNCHANGED);
    r = store_put_same_address(importing->txn, address, same_as);
    return r == -EINVAL ? refuse(importing, "has a number that is too long") : r < 0 ? r : set(importing, IMPORT_NEW);
}

/* --- calls and messages of an export */

/* Whether what belongs to a contact may come. Returns: 1; 0 it was refused. */
static int may_belong(struct importing *importing, const char *contact_id)
{
    int r = contact_id[0] ? has_contact(importing, contact_id) : 1;

    return r ? r : refuse(importing, "is of a contact that is not here: %.*s", SHOWN(contact_id));
}

static int take_call(struct importing *importing, struct json_object *data)
{
    scoped(call_done) struct call call = { 0 }, was = { 0 };
    int r = call_from_json(data, &call);

    if (r < 0)
        return r == -EBADMSG ? refuse(importing, "is no call") : r;
    if (!call_sid_is_plain(call.sid))
        return refuse(importing, "has no id of a call");
    r = tombstone_has(importing->txn, call.sid);
    if (r)
        return r < 0 ? r : refuse(importing, "was erased");
    r = may_belong(importing, call.contact_id);
    if (r <= 0)
        return r;
    r = store_get_call(importing->txn, call.sid, &was);
    if (r < 0 && r != -ENOENT)
        return r;
    bool is_new = r == -ENOENT;
    if (!is_new && (call.n_turns <= was.n_turns || store_call_is_open(importing->txn, call.sid)))
        return set(importing, IMPORT_UNCHANGED);
    memcpy(call.stream_token, was.stream_token, sizeof(call.stream_token));
    if (!is_new && strcmp(call.contact_id, was.contact_id) != 0)
        return refuse(importing, "is of another contact here");
    r = store_put_call(importing->txn, &call);
    return r < 0 ? r : set(importing, is_new ? IMPORT_NEW : IMPORT_UPDATED);
}

static int take_turn(struct importing *importing, struct json_object *data)
{
    scoped(call_done) struct call call = { 0 };
    struct turn turn = { 0 };
    const char *sid = json_get_text(data, "call_sid") ?: "";
    int64_t n = json_get_int(data, "n");
    int r = turn_from_json(data, &turn);

    if (r < 0)
        return r == -EBADMSG ? refuse(importing, "is no turn of a call") : r;
    r = call_sid_is_plain(sid) ? store_get_call(importing->txn, sid, &call) : -ENOENT;
    if (r == -ENOENT)
        return refuse(importing, "is of a call that is not here: %.*s", SHOWN(sid));
    if (r < 0)
        return r;
    if (n < 0 || n >= (int64_t)call.n_turns)
        return refuse(importing, "has a number that its call does not have");
    r = store_has_turn(importing->txn, sid, (uint32_t)n);
    if (r)
        return r < 0 ? r : set(importing, IMPORT_UNCHANGED);
    r = store_put_turn(importing->txn, sid, (uint32_t)n, &turn);
    return r < 0 ? r : set(importing, IMPORT_NEW);
}

static int take_message(struct importing *importing, struct json_object *data)
{
    scoped(message_release) struct message message = { 0 }, was = { 0 };
    char known[CONTACT_ID_MAX];
    int r = message_from_json(data, &message);

    if (r < 0)
        return r == -EBADMSG ? refuse(importing, "is no message") : r;
    if (!is_id('M', message.id))
        return refuse(importing, "has no id of a message");
    r = tombstone_has(importing->txn, message.id);
    if (r)
        return r < 0 ? r : refuse(importing, "was erased");
    r = may_belong(importing, message.contact_id);
    if (r <= 0)
        return r;
    r = message.provider_id[0] ? store_message_id_of(importing->txn, message.provider_id, known) : -ENOENT;
    if (r == 0 && strcmp(known, message.id) != 0)
        return set(importing, IMPORT_UNCHANGED); /* it came to us, too */
    if (r == 0 || r == -ENOENT)
        r = store_get_message(importing->txn, message.id, &was);
    if (r < 0 && r != -ENOENT)
        return r;
    bool is_new = r == -ENOENT;
    if (!is_new && message.updated_ms <= was.updated_ms)
        return set(importing, IMPORT_UNCHANGED);
    if (!is_new && (strcmp(message.contact_id, was.contact_id) != 0 || message.created_ms != was.created_ms))
        return refuse(importing, "is another one here");
    message.job_id = was.job_id; /* nothing is sent by an import */
    r = store_put_message(importing->txn, &message);
    return r < 0 ? r : set(importing, is_new ? IMPORT_NEW : IMPORT_UPDATED);
}

/* --- notes and tasks of an export */

static int take_note(struct importing *importing, struct json_object *data)
{
    scoped(note_done) struct note note = { 0 }, was = { 0 };
    int r = note_from_json(data, &note);

    if (r < 0)
        return r == -EBADMSG ? refuse(importing, "is no note") : r;
    if (!is_id('N', note.id) || strlen(note.text) >= NOTE_TEXT_MAX || !note.contact_id[0])
        return refuse(importing, "has no id of a note, no contact, or too much text");
    r = may_belong(importing, note.contact_id);
    if (r <= 0)
        return r;
    r = store_get_note(importing->txn, note.id, &was);
    if (r < 0 && r != -ENOENT)
        return r;
    bool is_new = r == -ENOENT;
    if (!is_new && note.updated_ms <= was.updated_ms)
        return set(importing, IMPORT_UNCHANGED);
    if (!is_new && (strcmp(note.contact_id, was.contact_id) != 0 || note.created_ms != was.created_ms))
        return refuse(importing, "is another one here");
    r = store_put_note(importing->txn, &note);
    return r < 0 ? r : set(importing, is_new ? IMPORT_NEW : IMPORT_UPDATED);
}

static int take_task(struct importing *importing, struct json_object *data)
{
    scoped(task_done) struct task task = { 0 }, was = { 0 };
    int r = task_from_json(data, &task);

    if (r < 0)
        return r == -EBADMSG ? refuse(importing, "is no task") : r;
    if (!is_id('T', task.id) || strlen(task.text ?: "") >= TASK_TEXT_MAX || !task.contact_id[0])
        return refuse(importing, "has no id of a task, no contact, or too much text");
    r = may_belong(importing, task.contact_id);
    if (r <= 0)
        return r;
    r = store_get_task(importing->txn, task.id, &was);
    if (r < 0 && r != -ENOENT)
        return r;
    bool is_new = r == -ENOENT;
    if (!is_new && task.updated_ms <= was.updated_ms)
        return set(importing, IMPORT_UNCHANGED);
    if (!is_new && strcmp(task.contact_id, was.contact_id) != 0)
        return refuse(importing, "is another one here");
    r = store_put_task(importing->txn, &task);
    return r < 0 ? r : set(importing, is_new ? IMPORT_NEW : IMPORT_UPDATED);
}

/* --- a person of a table */

struct person {
    char phones[IMPORT_PHONES_MAX][ADDRESS_MAX];
    size_t n_phones;
    char ids[IMPORT_PHONES_MAX][CONTACT_ID_MAX]; /* whom they are of, each once, the oldest first */
    size_t n_ids;
    struct contact_edit edit;
    const char *note;
};

/* Returns: 1; 0 it was refused. */
static int read_phones(struct importing *importing, struct json_object *phones, struct person *person)
{
    size_t n = json_object_is_type(phones, json_type_array) ? json_object_array_length(phones) : 0;

    if (n == 0)
        return refuse(importing, "has no telephone number, by which a contact is known");
    if (n > IMPORT_PHONES_MAX)
        return refuse(importing, "has more than %d telephone numbers", IMPORT_PHONES_MAX);
    for (size_t i = 0; i < n; i++) {
        const char *phone = json_object_get_string(json_object_array_get_idx(phones, i)) ?: "";
        if (address_normalise(phone, importing->country, person->phones[person->n_phones++]) < 0)
            return refuse(importing, "has a telephone number that is none: '%.*s'", SHOWN(phone));
    }
    return 1;
}

static int read_person(struct importing *importing, struct json_object *data, struct person *person)
{
    const char *stage = json_get_text(data, "stage"), *name = json_get_text(data, "name");
    struct json_object *fields = json_object_object_get(data, "fields"), *tags = json_object_object_get(data, "tags");

    if ((fields && !json_object_is_type(fields, json_type_object)) || (tags && !json_object_is_type(tags, json_type_array)))
        return refuse(importing, "is no person");
    const char *wrong = wrong_fields(fields) ?: wrong_tags(tags);
    if (wrong)
        return refuse(importing, "%s", wrong);
    if (name && strlen(name) >= CONTACT_NAME_MAX)
        return refuse(importing, "has a name that is longer than %d bytes", CONTACT_NAME_MAX - 1);
    if (stage && contact_stage_parse(stage) < 0)
        return refuse(importing, "has a stage that is none of new, qualified, scheduled, won and lost: '%.*s'", SHOWN(stage));
    person->note = json_get_text(data, "note");
    if (person->note && strlen(person->note) >= NOTE_TEXT_MAX)
        return refuse(importing, "has a note that is longer than %d bytes", NOTE_TEXT_MAX - 1);
    person->edit = (struct contact_edit){ .name = name, .stage = stage ? contact_stage_parse(stage) : -1, .fields = fields, .tags = tags };
    return read_phones(importing, json_object_object_get(data, "phones"), person);
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int find_owners(struct importing *importing, struct person *person)
{
    for (size_t i = 0; i < person->n_phones; i++) {
        char id[CONTACT_ID_MAX];
        bool is_there = false;
        int r = store_contact_id_of(importing->txn, person->phones[i], id);
        if (r == 0)
            r = links_person(importing->txn, id, id);
        if (r == -ENOENT)
            continue;
        if (r < 0)
            return r;
        for (size_t k = 0; k < person->n_ids; k++)
            is_there |= strcmp(person->ids[k], id) == 0;
        if (!is_there)
            memcpy(person->ids[person->n_ids++], id, sizeof(id));
    }
    qsort(person->ids, person->n_ids, sizeof(person->ids[0]), compare_ids); /* ids begin with the time */
    return 0;
}

/* Returns: 1; 0 it was refused. */
static int may_be_one(struct importing *importing, const struct person *person)
{
    struct links_members members;
    size_t n_members = 0;

    for (size_t i = 0; i < person->n_ids; i++) {
        int r = links_members(importing->txn, person->ids[i], &members);
        if (r < 0)
            return r;
        n_members += members.n;
        for (size_t k = 0; k < i; k++) {
            r = links_were_parted(importing->txn, person->ids[k], person->ids[i]);
            if (r)
                return r < 0 ? r : refuse(importing, "has numbers of %s and %s, who were parted by hand", person->ids[k], person->ids[i]);
        }
    }
    return n_members <= LINKS_MEMBERS_MAX ? 1 : refuse(importing, "would make over 64 contacts one person");
}

struct finding {
    struct db_txn *txn;
    const char *text;
    size_t n_before; /* bytes of a key before the kind */
};

static int is_that_note(struct db_bytes key, struct db_bytes value, void *arg)
{
    const struct finding *finding = arg;
    scoped(json_object_put) struct json_object *json = NULL;
    const char *kind = (const char *)key.data + finding->n_before;

    if (*kind != ITEM_NOTE)
        return 0;
    int r = row_get(finding->txn, DB_NOTES, (struct db_bytes){ kind + 1, key.n - finding->n_before - 1 }, &json);
    return r < 0 ? r : strcmp(json_get_text(json, "text") ?: "", finding->text) == 0;
}

/* Unless he has it. Returns: 0 written; 1 not. */
static int add_note(struct importing *importing, const char *id, const char *text)
{
    struct key below = key_below(id);
    struct finding finding = { importing->txn, text, below.n + 8 };
    scoped(note_done) struct note note = { .author = "import" };

    if (!text || !text[0])
        return 1;
    int r = db_each(importing->txn, DB_TIMELINE, key_bytes(&below), nothing, DB_DOWN, is_that_note, &finding);
    if (r)
        return r;
    (void)text_set(note.contact_id, sizeof(note.contact_id), id);
    note.text = strdup(text);
    return note.text ? crm_note_add(importing->txn, &note, importing->now_ms) : -ENOMEM;
}

/* Returns: 0 something changed; 1 nothing. */
static int add_rest(struct importing *importing, const struct person *person, const char *id)
{
    bool changed = false;
    int r = 0;

    for (size_t i = 0; r >= 0 && i < person->n_phones; i++) {
        r = crm_contact_add_address(importing->txn, id, person->phones[i], importing->country, importing->now_ms);
        changed |= r == 0;
    }
    if (r >= 0) {
        r = add_note(importing, id, person->note);
        changed |= r == 0;
    }
    return r < 0 ? r : !changed;
}

static int make_person(struct importing *importing, const struct person *person)
{
    char id[CONTACT_ID_MAX];
    int r = crm_contact_make(importing->txn, person->phones[0], importing->country, &person->edit, importing->now_ms, id);

    if (r >= 0)
        r = add_rest(importing, person, id);
    return r < 0 ? r : set(importing, IMPORT_NEW);
}

static int change_person(struct importing *importing, const struct person *person)
{
    const char *id = person->ids[0];
    int r = 0;

    for (size_t i = 1; i < person->n_ids && r >= 0; i++)
        r = crm_contact_merge(importing->txn, id, person->ids[i], "import", importing->now_ms);
    int edited = r < 0 ? r : crm_contact_edit(importing->txn, id, &person->edit, importing->now_ms);
    if (edited < 0)
        return edited;
    r = add_rest(importing, person, id);
    if (r < 0)
        return r;
    return set(importing, person->n_ids > 1 ? IMPORT_MERGED : edited == 0 || r == 0 ? IMPORT_UPDATED : IMPORT_UNCHANGED);
}

static int take_person(struct importing *importing, struct json_object *data)
{
    struct person person = { .n_phones = 0 };
    int r = read_person(importing, data, &person);

    if (r == 1)
        r = find_owners(importing, &person) ?: 1;
    if (r == 1)
        r = may_be_one(importing, &person);
    if (r <= 0)
        return r;
    return person.n_ids ? change_person(importing, &person) : make_person(importing, &person);
}

/* --- a line */

static const struct {
    const char *kind;
    int (*take)(struct importing *importing, struct json_object *data);
} kinds[] = {
    { "contact", take_contact }, { "link", take_link }, { "parted", take_parted }, { "address", take_address }, { "call", take_call },
    { "turn", take_turn },       { "message", take_message }, { "note", take_note }, { "task", take_task }, { "person", take_person },
};

int crm_import(struct db_txn *txn, struct json_object *line, const char *country, uint64_t now_ms, struct import_result *ret_result)
{
    struct importing importing = { txn, country, now_ms, ret_result };
    struct json_object *data = NULL;
    const char *kind = json_object_is_type(line, json_type_object) ? json_get_text(line, "kind") : NULL;

    *ret_result = (struct import_result){ .outcome = IMPORT_UNCHANGED };
    if (!kind || !json_object_object_get_ex(line, "data", &data) || !json_object_is_type(data, json_type_object))
        return refuse(&importing, "is no line of an export: {\"format\":1,\"kind\":...,\"data\":{...}}");
    if (json_get_int(line, "format") != EXPORT_FORMAT)
        return refuse(&importing, "is of format %lld, and %d is known here", (long long)json_get_int(line, "format"), EXPORT_FORMAT);
    for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
        if (strcmp(kinds[i].kind, kind) == 0)
            return kinds[i].take(&importing, data);
    return refuse(&importing, "is of a kind that is not known here: '%.*s'", SHOWN(kind));
}
