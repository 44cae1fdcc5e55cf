/*
 * crm_contacts.c - who somebody is: addresses, merging, and what is written down about him
 *
 * What a call or a message tells is kept with the contact whose address it came by; what somebody writes down by hand,
 * with the person (see crm_links.c), and later than all that is known. So the two never undo each other, and a merge can
 * be undone.
 *
 * An id of WhatsApp's (lid) and a telephone number are heard to be the same in any order. Whoever is known by one of the
 * two gets the other; when nobody is, the lid becomes another name of the number.
 */
#include "services/crm_contacts.h"

#include <errno.h>
#include <string.h>

#include <json-c/json.h>

#include "services/crm_index.h"
#include "services/crm_internal.h"
#include "services/crm_links.h"
#include "services/crm_store.h"
#include "utils/json.h"
#include "utils/text.h"

/* --- reading */

/* Those that were merged into him, into him. */
static int take_members(struct db_txn *txn, struct contact *contact)
{
    struct links_members members;
    int r = links_members(txn, contact->id, &members);

    for (size_t i = 1; r > 0 && i < members.n; i++) {
        scoped(contact_done) struct contact member = { 0 };
        int taken = store_get_contact(txn, members.ids[i], &member);

        if (taken == 0)
            taken = contact_take(contact, &member);
        if (taken < 0 && taken != -ENOENT)
            return taken;
    }
    return r < 0 ? r : 0;
}

int crm_contact_get(struct db_txn *txn, const char *id, struct contact *ret_contact)
{
    scoped(contact_done) struct contact contact = { 0 };
    char person[CONTACT_ID_MAX];
    int r = links_person(txn, id, person);

    if (r == 0)
        r = store_get_contact(txn, person, &contact);
    if (r == 0)
        r = take_members(txn, &contact);
    if (r < 0)
        return r;
    *ret_contact = contact;
    contact = (struct contact){ 0 };
    return 0;
}

int crm_contact_id_of(struct db_txn *txn, const char *address, char ret_id[CONTACT_ID_MAX])
{
    char normal[ADDRESS_MAX];

    return store_contact_id_of(txn, address_normalise(address, "", normal) < 0 ? address : normal, ret_id);
}

int crm_contact_by_address(struct db_txn *txn, const char *address, struct contact *ret_contact)
{
    char id[CONTACT_ID_MAX];
    int r = crm_contact_id_of(txn, address, id);

    return r < 0 ? r : crm_contact_get(txn, id, ret_contact);
}

/* --- rows */

static int tell(struct db_txn *txn, enum event_kind kind, const char *contact, const char *from, uint64_t now_ms)
{
    return store_event(txn, &(struct store_event){ .kind = kind, .at_ms = now_ms, .contact = contact, .from = from });
}

static bool has_address(const struct contact *contact, const char *address)
{
    for (size_t i = 0; contact->addresses && i < json_object_array_length(contact->addresses); i++)
        if (strcmp(json_object_get_string(json_object_array_get_idx(contact->addresses, i)) ?: "", address) == 0)
            return true;
    return false;
}

static int append_address(struct contact *contact, const char *address)
{
    if (!address[0] || has_address(contact, address))
        return 0;
    if (!contact->addresses)
        contact->addresses = json_object_new_array();
    return contact->addresses ? json_append(contact->addresses, json_object_new_string(address)) : -ENOMEM;
}

int crm_make_contact(struct db_txn *txn, const char *address, uint64_t now_ms, struct contact *ret_contact)
{
    scoped(contact_done) struct contact contact = { .created_ms = now_ms, .updated_ms = now_ms };
    char same[ADDRESS_MAX] = "";
    int r = address[0] ? store_same_address(txn, address, same) : -ENOENT;

    if (r < 0 && r != -ENOENT)
        return r;
    store_make_id('C', now_ms, contact.id);
    contact.addresses = json_object_new_array();
    contact.fields = json_object_new_object();
    if (!contact.addresses || !contact.fields)
        return -ENOMEM;
    r = append_address(&contact, address);
    if (r == 0)
        r = append_address(&contact, same);
    if (r == 0)
        r = tell(txn, EVENT_CONTACT_NEW, contact.id, NULL, now_ms);
    if (r < 0)
        return r;
    *ret_contact = contact;
    contact = (struct contact){ 0 };
    return 0;
}

int crm_find_or_make_contact(struct db_txn *txn, const char *address, uint64_t now_ms, struct contact *ret_contact)
{
    scoped(contact_done) struct contact contact = { 0 };
    char id[CONTACT_ID_MAX], same[ADDRESS_MAX];
    int r = store_contact_id_of(txn, address, id);

    if (r == -ENOENT)
        return crm_make_contact(txn, address, now_ms, ret_contact);
    if (r == 0)
        r = store_get_contact(txn, id, &contact);
    if (r == 0 && store_same_address(txn, address, same) == 0)
        r = append_address(&contact, address); /* from now on by his own name */
    if (r < 0)
        return r;
    *ret_contact = contact;
    contact = (struct contact){ 0 };
    return 0;
}

/* The person an id belongs to is found by his stage and tags, and only he. */
int crm_index_person(struct db_txn *txn, const char *id)
{
    scoped(contact_done) struct contact person = { 0 };
    int r = crm_contact_get(txn, id, &person);

    if (r == 0 && strcmp(person.id, id) != 0)
        r = index_person(txn, id, NULL);
    return r < 0 ? r : index_person(txn, person.id, &person);
}

int crm_save_contact(struct db_txn *txn, struct contact *contact, const char *call_sid, uint64_t now_ms)
{
    int r;

    if (contact->updated_ms < now_ms)
        contact->updated_ms = now_ms;
    r = store_put_contact(txn, contact);
    if (r == 0)
        r = crm_index_person(txn, contact->id);
    if (r)
        return r < 0 ? r : 0;
    return store_event(txn, &(struct store_event){
                                .kind = EVENT_CONTACT_CHANGED, .at_ms = now_ms, .call = call_sid, .contact = contact->id });
}

/* --- what a call tells */

/* Returns: 0 set; 1 it had that value. */
static int learn_field(struct contact *contact, const struct contact *person, const char *field, const char *value,
                       uint64_t now_ms)
{
    const char *known = json_get_text(person->fields, field);

    if (known && strcmp(known, value) == 0)
        return 1;
    if (!contact->fields)
        contact->fields = json_object_new_object();
    int r = contact->fields ? json_add(contact->fields, field, json_text(value, strlen(value))) : -ENOMEM;
    return r < 0 ? r : contact_set_time(contact, "field", field, now_ms, false);
}

static int learn_name(struct contact *contact, const struct contact *person, const char *value, uint64_t now_ms)
{
    char name[CONTACT_NAME_MAX] = "";

    (void)text_set(name, sizeof(name), value);
    if (strcmp(name, person->name) == 0)
        return 1;
    memcpy(contact->name, name, sizeof(name));
    return contact_set_time(contact, "name", "", now_ms, false);
}

/* person: what is known of him in all; contact: the row of him that learns. */
static int learn(struct contact *contact, const struct contact *person, const char *field, const char *value, uint64_t now_ms)
{
    if (strcmp(field, "name") == 0)
        return learn_name(contact, person, value, now_ms);
    int r = learn_field(contact, person, field, value, now_ms);
    if (r >= 0 && strcmp(field, "callback") == 0 && person->stage == STAGE_NEW) {
        contact->stage = STAGE_QUALIFIED;
        r = contact_set_time(contact, "stage", "", now_ms, false);
    }
    return r;
}

int crm_learn_and_save(struct db_txn *txn, const char *contact_id, const char *call_sid, const char *field,
                       const char *value, uint64_t now_ms)
{
    scoped(contact_done) struct contact contact = { 0 }, person = { 0 };
    int r = value[0] ? store_get_contact(txn, contact_id, &contact) : 1;

    if (r == 0)
        r = crm_contact_get(txn, contact_id, &person);
    if (r == 0)
        r = learn(&contact, &person, field, value, now_ms);
    return r ? r : crm_save_contact(txn, &contact, call_sid, now_ms);
}

/* --- what somebody writes down */

/* Later than whatever is known, by whichever clock. */
static uint64_t after(const struct contact *person, const char *kind, const char *name, uint64_t now_ms)
{
    bool gone;
    uint64_t set_ms = contact_set_at(person, kind, name, &gone);

    return set_ms >= now_ms ? set_ms + 1 : now_ms;
}

struct editing {
    struct contact *contact;      /* the row */
    const struct contact *person; /* what is known */
    uint64_t now_ms;
    bool changed;
};

static int set_name(struct editing *editing, const char *name)
{
    struct contact *contact = editing->contact;
    char fitting[CONTACT_NAME_MAX] = "";

    (void)text_set(fitting, sizeof(fitting), name);
    if (strcmp(editing->person->name, fitting) == 0)
        return 0;
    memcpy(contact->name, fitting, sizeof(fitting));
    editing->changed = true;
    return contact_set_time(contact, "name", "", after(editing->person, "name", "", editing->now_ms), !fitting[0]);
}

static int set_stage(struct editing *editing, enum contact_stage stage)
{
    if (editing->person->stage == stage)
        return 0;
    editing->contact->stage = stage;
    editing->changed = true;
    return contact_set_time(editing->contact, "stage", "", after(editing->person, "stage", "", editing->now_ms), false);
}

static int set_field(struct editing *editing, const char *field, const char *value)
{
    struct contact *contact = editing->contact;
    const char *known = json_get_text(editing->person->fields, field);

    if (strcmp(known ?: "", value) == 0)
        return 0;
    editing->changed = true;
    if (!contact->fields)
        contact->fields = json_object_new_object();
    if (!contact->fields)
        return -ENOMEM;
    if (value[0]) {
        int r = json_add(contact->fields, field, json_text(value, strlen(value)));
        if (r < 0)
            return r;
    } else {
        json_object_object_del(contact->fields, field);
    }
    return contact_set_time(contact, "field", field, after(editing->person, "field", field, editing->now_ms), !value[0]);
}

static int index_of(struct json_object *array, const char *text)
{
    for (size_t i = 0; array && i < json_object_array_length(array); i++)
        if (strcmp(json_object_get_string(json_object_array_get_idx(array, i)) ?: "", text) == 0)
            return (int)i;
    return -1;
}

static int set_tag(struct editing *editing, const char *tag, bool wanted)
{
    if (contact_has_tag(editing->person, tag) == wanted)
        return 0;
    editing->changed = true;
    return contact_set_tag(editing->contact, tag, wanted, after(editing->person, "tag", tag, editing->now_ms));
}

static int set_tags(struct editing *editing, struct json_object *tags, bool wanted)
{
    int r = 0;

    for (size_t i = 0; r == 0 && tags && i < json_object_array_length(tags); i++)
        r = set_tag(editing, json_object_get_string(json_object_array_get_idx(tags, i)) ?: "", wanted);
    return r;
}

static int apply(struct editing *editing, const struct contact_edit *edit)
{
    int r = edit->name ? set_name(editing, edit->name) : 0;

    if (r == 0 && edit->stage >= 0)
        r = set_stage(editing, (enum contact_stage)edit->stage);
    if (edit->fields) {
        json_object_object_foreach(edit->fields, field, value)
        {
            r = r ?: set_field(editing, field, value ? json_object_get_string(value) : "");
        }
    }
    if (r == 0)
        r = set_tags(editing, edit->no_tags, false);
    return r ?: set_tags(editing, edit->tags, true);
}

int crm_contact_edit(struct db_txn *txn, const char *id, const struct contact_edit *edit, uint64_t now_ms)
{
    scoped(contact_done) struct contact contact = { 0 }, person = { 0 };
    struct editing editing = { &contact, &person, now_ms, false };
    int r = crm_contact_get(txn, id, &person);

    if (r == 0)
        r = store_get_contact(txn, person.id, &contact);
    if (r == 0)
        r = apply(&editing, edit);
    if (r < 0 || !editing.changed)
        return r < 0 ? r : 1;
    return crm_save_contact(txn, &contact, "", now_ms > person.updated_ms ? now_ms : person.updated_ms + 1);
}

int crm_contact_make(struct db_txn *txn, const char *address, const char *country, const struct contact_edit *edit,
                     uint64_t now_ms, char ret_id[CONTACT_ID_MAX])
{
    scoped(contact_done) struct contact contact = { 0 };
    struct editing editing = { &contact, &contact, now_ms, false };
    char normal[ADDRESS_MAX] = "";
    int r = address[0] ? address_normalise(address, country, normal) : 0;

    if (r == 0 && normal[0] && store_contact_id_of(txn, normal, ret_id) == 0)
        return links_person(txn, ret_id, ret_id) ?: 1;
    if (r == 0)
        r = crm_make_contact(txn, normal, now_ms, &contact);
    if (r == 0)
        r = apply(&editing, edit);
    if (r == 0)
        r = crm_save_contact(txn, &contact, "", now_ms);
    if (r == 0)
        memcpy(ret_id, contact.id, sizeof(contact.id));
    return r;
}

/* --- merging */

int crm_contact_merge(struct db_txn *txn, const char *into, const char *from, const char *why, uint64_t now_ms)
{
    scoped(contact_done) struct contact contact = { 0 }, other = { 0 };
    char left[CONTACT_ID_MAX], right[CONTACT_ID_MAX];
    int r = links_person(txn, into, left);

    if (r == 0)
        r = links_person(txn, from, right);
    if (r == 0)
        r = store_get_contact(txn, left, &contact);
    if (r == 0)
        r = store_get_contact(txn, right, &other);
    if (r < 0 || strcmp(left, right) == 0)
        return r < 0 ? r : 1;
    r = links_merge(txn, left, right, why, now_ms);
    if (r == 0)
        r = crm_index_person(txn, right);
    return r < 0 ? r : tell(txn, EVENT_CONTACT_MERGED, left, right, now_ms);
}

int crm_contact_unmerge(struct db_txn *txn, const char *from, uint64_t now_ms)
{
    scoped(contact_done) struct contact contact = { 0 };
    char person[CONTACT_ID_MAX];
    int r = store_get_contact(txn, from, &contact);

    if (r == 0)
        r = links_person(txn, from, person);
    if (r == 0)
        r = links_part(txn, from);
    if (r == 0)
        r = crm_index_person(txn, from);
    if (r == 0)
        r = crm_index_person(txn, person);
    return r < 0 ? r : tell(txn, EVENT_CONTACT_PARTED, person, from, now_ms);
}

/* --- addresses */

static int give_address(struct db_txn *txn, const char *id, const char *address, uint64_t now_ms)
{
    scoped(contact_done) struct contact contact = { 0 };
    int r = store_get_contact(txn, id, &contact);

    if (r == 0)
        r = append_address(&contact, address);
    return r < 0 ? r : crm_save_contact(txn, &contact, "", now_ms);
}

int crm_contact_add_address(struct db_txn *txn, const char *id, const char *address, const char *country, uint64_t now_ms)
{
    scoped(contact_done) struct contact person = { 0 };
    char normal[ADDRESS_MAX], owner[CONTACT_ID_MAX];
    int r = address_normalise(address, country, normal);

    if (r == 0)
        r = crm_contact_get(txn, id, &person);
    if (r < 0 || has_address(&person, normal))
        return r < 0 ? r : 1;
    r = store_contact_id_of(txn, normal, owner);
    if (r == -ENOENT)
        return give_address(txn, person.id, normal, now_ms);
    return r < 0 ? r : crm_contact_merge(txn, person.id, owner, "address", now_ms);
}

int crm_contact_drop_address(struct db_txn *txn, const char *id, const char *address, const char *country, uint64_t now_ms)
{
    scoped(contact_done) struct contact contact = { 0 };
    char normal[ADDRESS_MAX], owner[CONTACT_ID_MAX], person[CONTACT_ID_MAX], his[CONTACT_ID_MAX];
    int r = address_normalise(address, country, normal);

    if (r == 0)
        r = store_contact_id_of(txn, normal, owner);
    if (r == 0)
        r = links_person(txn, owner, person);
    if (r == 0)
        r = links_person(txn, id, his);
    if (r == 0)
        r = strcmp(person, his) == 0 ? store_get_contact(txn, owner, &contact) : -ENOENT;
    int i = r == 0 ? index_of(contact.addresses, normal) : -1;
    if (r < 0 || i < 0)
        return r < 0 ? r : -ENOENT;
    r = json_object_array_del_idx(contact.addresses, (size_t)i, 1);
    if (r == 0)
        r = store_drop_address(txn, normal);
    return r < 0 ? r : crm_save_contact(txn, &contact, "", now_ms);
}

/* Both are somebody's. */
static int map_known(struct db_txn *txn, const char *a, const char *b, uint64_t now_ms)
{
    char left[CONTACT_ID_MAX], right[CONTACT_ID_MAX];
    int r = links_person(txn, a, left);

    if (r == 0)
        r = links_person(txn, b, right);
    if (r < 0 || strcmp(left, right) == 0)
        return r < 0 ? r : 1;
    r = links_were_parted(txn, left, right);
    if (r)
        return r;
    bool left_is_older = strcmp(left, right) < 0; /* ids begin with the time */
    return crm_contact_merge(txn, left_is_older ? left : right, left_is_older ? right : left, "lid", now_ms);
}

int crm_contact_map(struct db_txn *txn, const char *lid, const char *e164, uint64_t now_ms)
{
    char id_address[ADDRESS_MAX], number[ADDRESS_MAX], by_id[CONTACT_ID_MAX], by_number[CONTACT_ID_MAX], same[ADDRESS_MAX];

    if (address_normalise(lid, "", id_address) < 0 || !address_is_lid(id_address) ||
        address_normalise(e164, "", number) < 0 || address_is_lid(number))
        return -EINVAL;
    int known_number = store_contact_id_of(txn, number, by_number);
    int is_same = store_same_address(txn, id_address, same);
    int known_id = is_same == 0 ? -ENOENT : store_contact_id_of(txn, id_address, by_id);
    if ((known_number < 0 && known_number != -ENOENT) || (known_id < 0 && known_id != -ENOENT))
        return known_number < 0 && known_number != -ENOENT ? known_number : known_id;

    if (known_number == 0 && known_id == 0)
        return map_known(txn, by_number, by_id, now_ms);
    if (known_number == 0)
        return give_address(txn, by_number, id_address, now_ms);
    if (known_id == 0)
        return give_address(txn, by_id, number, now_ms);
    if (is_same == 0 && strcmp(same, number) == 0)
        return 1;
    return store_put_same_address(txn, id_address, number);
}
