/*
 * crm_erase.c - a person is erased
 *
 *   erasures  receipt id            -> receipt; with the ids of his contacts while it is under way
 *   meta      "erasing ", receipt   -> nothing, as long as that
 *
 * begin   contacts, addresses, search terms, jobs and answers kept for repeated requests go, the receipt comes
 * step    what the timeline leads to goes, oldest first, then open tasks; when there is nothing left, the links
 *
 * The index below the person is the list of what is to be done, so that a step begins where the last one ended, whatever
 * died between. The files of calls and messages are noted in the trash in the transaction that deletes the rows. Rows of
 * the change feed have nothing but ids, which lead nowhere afterwards; they stay until the feed has gone on. What the
 * linked device's program holds is owed by crm_owed.h, from the beginning on.
 *
 * A row that cannot be read goes all the same, by its key.
 */
#include "services/crm_erase.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <json-c/json.h>
#include <openssl/hmac.h>

#include "services/crm_index.h"
#include "services/crm_links.h"
#include "services/crm_owed.h"
#include "services/crm_store.h"
#include "services/idempotency.h"
#include "services/jobs.h"
#include "services/store_row.h"
#include "services/tombstones.h"
#include "services/trash.h"
#include "utils/json.h"
#include "utils/text.h"

/* --- proofs */

static void to_hex(const uint8_t *bytes, size_t n, char *ret_text)
{
    for (size_t i = 0; i < n; i++)
        (void)snprintf(ret_text + 2 * i, 3, "%02x", bytes[i]);
}

void erasure_make_key(char ret_key[ERASURE_KEY_TEXT])
{
    uint8_t key[ERASURE_KEY];

    if (getrandom(key, sizeof(key), 0) != sizeof(key))
        abort(); /* cannot happen for so few bytes once the machine is up */
    to_hex(key, sizeof(key), ret_key);
}

int erasure_proof(const char *key, const char *address, char ret_proof[ERASURE_PROOF_TEXT])
{
    uint8_t digest[(ERASURE_PROOF_TEXT - 1) / 2];

    if (strlen(key) != ERASURE_KEY_TEXT - 1 || key[strspn(key, "0123456789abcdef")])
        return -EINVAL;
    if (!HMAC(EVP_sha256(), key, (int)strlen(key), (const uint8_t *)address, strlen(address), digest, NULL))
        return -ENOMEM;
    to_hex(digest, sizeof(digest), ret_proof);
    return 0;
}

/* --- receipts */

static const char erasing[] = "erasing ";

static struct key key_erasing(const char *receipt)
{
    struct key key = { 0 };

    key_add_bytes(&key, erasing, strlen(erasing));
    key_add_bytes(&key, receipt, strlen(receipt));
    return key;
}

int crm_erasure_get(struct db_txn *txn, const char *receipt, struct erasure *ret_erasure)
{
    scoped(json_object_put) struct json_object *json = NULL;
    int r = receipt[0] && strlen(receipt) < CONTACT_ID_MAX ? row_get(txn, DB_ERASURES, text_bytes(receipt), &json) : -ENOENT;

    if (r == 0)
        r = erasure_from_json(json, ret_erasure);
    return r == -EBADMSG ? -EUCLEAN : r;
}

static int put_receipt(struct db_txn *txn, const struct erasure *erasure)
{
    struct key key = key_erasing(erasure->id);
    int r = row_put(txn, DB_ERASURES, text_bytes(erasure->id), erasure_to_json(erasure));

    if (r < 0)
        return r;
    return erasure->done_ms ? row_drop(txn, DB_META, key_bytes(&key)) : row_put_index(txn, DB_META, &key, nothing);
}

static int take_receipt(struct db_bytes key, struct db_bytes value, void *arg)
{
    size_t n = key.n - strlen(erasing);

    if (n >= CONTACT_ID_MAX)
        return -EUCLEAN;
    memcpy(arg, (const char *)key.data + strlen(erasing), n);
    ((char *)arg)[n] = '\0';
    return 1;
}

int crm_erase_under_way(struct db_txn *txn, char ret_receipt[CONTACT_ID_MAX])
{
    return db_each(txn, DB_META, text_bytes(erasing), nothing, DB_UP, take_receipt, ret_receipt);
}

struct page {
    struct json_object *array;
    const char *after;
    size_t room;
};

static int add_receipt(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct page *page = arg;
    scoped(json_object_put) struct json_object *json = NULL;

    if (strlen(page->after) == key.n && memcmp(page->after, key.data, key.n) == 0)
        return 0;
    if (page->room == 0)
        return 1;
    page->room--;
    int r = json_parse(value.data, value.n, &json);
    if (r < 0)
        return r == -EBADMSG ? -EUCLEAN : r;
    json_object_object_del(json, "members");
    return json_append(page->array, json_object_get(json));
}

int crm_erasures_page(struct db_txn *txn, const char *after, size_t max, struct json_object **ret_array)
{
    scoped(json_object_put) struct json_object *array = json_object_new_array();
    struct page page = { array, after, max };
    int r = !array ? -ENOMEM : strlen(after) >= CONTACT_ID_MAX ? -EINVAL : 0;

    if (r == 0)
        r = db_each(txn, DB_ERASURES, nothing, text_bytes(after), DB_DOWN, add_receipt, &page);
    if (r < 0)
        return r;
    *ret_array = steal(&array);
    return 0;
}

/* --- the beginning */

struct open_calls {
    struct db_txn *txn;
    size_t n_before; /* bytes of a key before the sid */
};

static int find_open(struct db_bytes key, struct db_bytes value, void *arg)
{
    const struct open_calls *calls = arg;
    char sid[SID_MAX];
    size_t n = key.n - calls->n_before;

    if (n >= sizeof(sid))
        return -EUCLEAN;
    memcpy(sid, (const char *)key.data + calls->n_before, n);
    sid[n] = '\0';
    return store_call_is_open(calls->txn, sid);
}

static int refuse_while_he_calls(struct db_txn *txn, const char *person)
{
    struct key below = key_below(person);
    int r = db_each(txn, DB_CALLS_BY_CONTACT, key_bytes(&below), nothing, DB_DOWN, find_open,
                    &(struct open_calls){ txn, below.n + 8 });

    return r == 1 ? -EBUSY : r;
}

static int owe(struct db_txn *txn, const char *address, struct erasure *erasure)
{
    struct crm_owed owed = { .before_ms = erasure->at_ms };

    (void)text_set(owed.receipt, sizeof(owed.receipt), erasure->id);
    if (strlen(address) >= sizeof(owed.address))
        return 0; /* nobody has it */
    (void)text_set(owed.address, sizeof(owed.address), address);
    int r = crm_owed_add(txn, &owed);
    erasure->n_owed += r == 1;
    return r < 0 ? r : 0;
}

static int forget_addresses(struct db_txn *txn, const struct contact *contact, const char *key, struct erasure *erasure)
{
    size_t n = contact->addresses ? json_object_array_length(contact->addresses) : 0;
    char proof[ERASURE_PROOF_TEXT];
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++) {
        const char *address = json_object_get_string(json_object_array_get_idx(contact->addresses, i)) ?: "";
        r = erasure_proof(key, address, proof);
        if (r == 0)
            r = json_append(erasure->proofs, json_object_new_string(proof));
        if (r == 0)
            r = store_forget_address(txn, address, erasure->at_ms);
        if (r == 0)
            r = owe(txn, address, erasure);
        erasure->n_addresses++;
    }
    return r;
}

/* One of the contacts that he was merged of. */
static int forget_contact(struct db_txn *txn, const char *id, const char *key, struct erasure *erasure)
{
    scoped(contact_done) struct contact contact = { 0 };
    int r = store_get_contact(txn, id, &contact);

    if (r == 0)
        r = forget_addresses(txn, &contact, key, erasure);
    if (r < 0 && r != -ENOENT)
        return r;
    erasure->n_contacts++;
    r = row_drop(txn, DB_CONTACTS, text_bytes(id)) ?: index_drop_contact(txn, id);
    if (r == 0)
        r = idempotency_forget(txn, id);
    if (r > 0)
        erasure->n_answers += (uint32_t)r;
    if (r >= 0)
        r = tombstone_set(txn, id, erasure->at_ms);
    return r < 0 ? r : json_append(erasure->members, json_object_new_string(id));
}

int crm_erase_begin(struct db_txn *txn, const struct crm_erase *erase, char ret_receipt[CONTACT_ID_MAX])
{
    scoped(erasure_done) struct erasure erasure = { .at_ms = erase->now_ms, .proofs = json_object_new_array(),
                                                    .members = json_object_new_array() };
    scoped(contact_done) struct contact contact = { 0 };
    struct links_members members;
    char person[CONTACT_ID_MAX];
    int r = erasure.proofs && erasure.members ? links_person(txn, erase->id, person) : -ENOMEM;

    if (r == 0)
        r = store_get_contact(txn, person, &contact);
    if (r < 0)
        return r == -EINVAL ? -ENOENT : r;
    r = refuse_while_he_calls(txn, person);
    if (r == 0)
        r = links_members(txn, person, &members);
    if (r < 0)
        return r;
    store_make_id('E', erase->now_ms, erasure.id);
    (void)text_set(erasure.by, sizeof(erasure.by), erase->by);
    r = jobs_drop_of(txn, (const char (*)[CONTACT_ID_MAX])members.ids, members.n);
    erasure.n_jobs = r > 0 ? (uint32_t)r : 0;
    for (size_t i = 0; i < members.n && r >= 0; i++)
        r = forget_contact(txn, members.ids[i], erase->key, &erasure);
    if (r >= 0)
        r = store_event(txn, &(struct store_event){ .kind = EVENT_CONTACT_ERASED, .at_ms = erase->now_ms, .contact = person });
    if (r >= 0)
        r = put_receipt(txn, &erasure);
    if (r == 0)
        memcpy(ret_receipt, erasure.id, sizeof(erasure.id));
    return r;
}

/* --- what he leaves */

int crm_forget_call(struct db_txn *txn, const struct call *call, uint64_t now_ms)
{
    int r = store_delete_call(txn, call);

    if (r == 0 && call_sid_is_plain(call->sid))
        r = trash_add(txn, TRASH_RECORDINGS, call->sid);
    return r < 0 ? r : tombstone_set(txn, call->sid, now_ms);
}

int crm_forget_message(struct db_txn *txn, const struct message *message, uint64_t now_ms)
{
    int r = store_forget_message(txn, message);

    if (r == 0 && call_sid_is_plain(message->id))
        r = trash_add(txn, TRASH_MEDIA, message->id);
    if (r == 0)
        r = tombstone_set(txn, message->provider_id, now_ms);
    return r < 0 ? r : tombstone_set(txn, message->id, now_ms);
}

/* --- a step */

struct row { /* of an index below him */
    struct key key;
    char kind;
    char id[SID_MAX];
};

struct step {
    struct db_txn *txn;
    struct erasure *erasure;
    uint64_t now_ms;
    size_t n_before; /* bytes of a key before the time */
    struct row rows[ERASE_ROWS];
    size_t n, n_deleted;
};

static int take_row(struct step *step, struct db_bytes key, char kind, size_t n_before_id)
{
    struct row *row = &step->rows[step->n];
    size_t n = key.n - n_before_id;

    if (step->n == ERASE_ROWS)
        return 1;
    if (key.n <= n_before_id || n >= sizeof(row->id))
        return -EUCLEAN;
    *row = (struct row){ .kind = kind };
    key_add_bytes(&row->key, key.data, key.n);
    memcpy(row->id, (const char *)key.data + n_before_id, n);
    step->n++;
    return 0;
}

static int take_of_timeline(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct step *step = arg;

    return take_row(step, key, ((const char *)key.data)[step->n_before + 8], step->n_before + 9);
}

static int take_of_tasks(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct step *step = arg;

    return take_row(step, key, ITEM_TASK, step->n_before + 8);
}

/* Returns: 1 it has more turns than a step may delete. */
static int forget_call(struct step *step, const char *sid)
{
    scoped(call_done) struct call call = { 0 };
    int r = store_delete_turns(step->txn, sid, ERASE_ROWS);

    if (r < 0)
        return r;
    step->erasure->n_turns += (uint32_t)r;
    step->n_deleted += (size_t)r;
    if (r > 0)
        return 1; /* until none is left */
    r = store_get_call(step->txn, sid, &call);
    if (r == 0)
        r = crm_forget_call(step->txn, &call, step->now_ms);
    step->erasure->n_calls += r == 0;
    return r;
}

static int forget_message(struct step *step, const char *id)
{
    scoped(message_release) struct message message = { 0 };
    int r = store_get_message(step->txn, id, &message);

    if (r == 0)
        r = crm_forget_message(step->txn, &message, step->now_ms);
    step->erasure->n_messages += r == 0;
    return r;
}

static int forget_note(struct step *step, const char *id)
{
    scoped(note_done) struct note note = { 0 };
    int r = store_get_note(step->txn, id, &note);

    step->erasure->n_notes += r == 0;
    return r < 0 ? r : store_delete_note(step->txn, &note);
}

static int forget_task(struct step *step, const char *id)
{
    scoped(task_done) struct task task = { 0 };
    int r = store_get_task(step->txn, id, &task);

    step->erasure->n_tasks += r == 0;
    return r < 0 ? r : store_delete_task(step->txn, &task);
}

static const struct forgetting {
    enum store_item kind;
    enum db_table table;
    int (*forget)(struct step *step, const char *id);
} forgettings[] = {
    { ITEM_CALL, DB_CALLS, forget_call },
    { ITEM_MESSAGE, DB_MESSAGES, forget_message },
    { ITEM_NOTE, DB_NOTES, forget_note },
    { ITEM_TASK, DB_TASKS, forget_task },
};

/* Also what cannot be read, and the row that led to it. Returns: 1 not yet. */
static int forget_row(struct step *step, enum db_table index, const struct row *row)
{
    for (size_t i = 0; i < ELEMENTSOF(forgettings); i++) {
        if ((char)forgettings[i].kind != row->kind)
            continue;
        int r = forgettings[i].forget(step, row->id);
        if (r > 0)
            return r;
        if (r == -EUCLEAN)
            r = row_drop(step->txn, forgettings[i].table, text_bytes(row->id));
        if (r < 0 && r != -ENOENT)
            return r;
    }
    step->n_deleted += 4; /* with its indexes */
    return row_drop(step->txn, index, key_bytes(&row->key));
}

static int forget_below(struct step *step, enum db_table index, db_each_fn *take, const char *person)
{
    struct key below = key_below(person);

    step->n = 0;
    step->n_before = below.n;
    int r = db_each(step->txn, index, key_bytes(&below), nothing, DB_UP, take, step);
    bool has_more = r == 1;

    for (size_t i = 0; i < step->n && r >= 0; i++) {
        if (step->n_deleted >= ERASE_ROWS)
            return 1;
        do
            r = forget_row(step, index, &step->rows[i]);
        while (r == 1 && step->n_deleted < ERASE_ROWS);
    }
    return r < 0 ? r : has_more || r == 1;
}

static int finish(struct db_txn *txn, struct erasure *erasure, uint64_t now_ms)
{
    static const enum db_table leftovers[] = { DB_CALLS_BY_CONTACT, DB_MESSAGES_BY_CONTACT, DB_UNREAD };
    const char *person = json_object_get_string(json_object_array_get_idx(erasure->members, 0)) ?: "";
    struct step rest = { .txn = txn, .erasure = erasure, .now_ms = now_ms };
    struct key below = key_below(person);
    int r = 0;

    rest.n_before = below.n;
    for (size_t i = 0; r == 0 && i < ELEMENTSOF(leftovers); i++) { /* of rows that could not be read */
        rest.n = 0;
        r = db_each(txn, leftovers[i], key_bytes(&below), nothing, DB_UP, take_of_tasks, &rest);
        for (size_t k = 0; r >= 0 && k < rest.n; k++)
            r = row_drop(txn, leftovers[i], key_bytes(&rest.rows[k].key)) ?: r;
    }
    for (size_t i = 0; r == 0 && i < json_object_array_length(erasure->members); i++)
        r = links_drop(txn, json_object_get_string(json_object_array_get_idx(erasure->members, i)) ?: "");
    if (r)
        return r;
    erasure->done_ms = now_ms;
    json_object_put(steal(&erasure->members));
    return put_receipt(txn, erasure);
}

int crm_erase_settle(struct db_txn *txn, const struct crm_owed *owed, uint64_t now_ms)
{
    scoped(erasure_done) struct erasure erasure = { 0 };
    int r = crm_owed_drop(txn, owed);

    if (r == 1)
        r = crm_erasure_get(txn, owed->receipt, &erasure);
    if (r < 0 || !erasure.id[0] || !erasure.n_owed)
        return r;
    if (--erasure.n_owed == 0)
        erasure.device_ms = now_ms;
    return put_receipt(txn, &erasure);
}

int crm_erase_step(struct db_txn *txn, const char *receipt, uint64_t now_ms)
{
    scoped(erasure_done) struct erasure erasure = { 0 };
    int r = crm_erasure_get(txn, receipt, &erasure);

    if (r < 0 || erasure.done_ms)
        return r;
    if (!erasure.members)
        return -EUCLEAN;
    const char *person = json_object_get_string(json_object_array_get_idx(erasure.members, 0)) ?: "";
    struct step *step = calloc(1, sizeof(*step));
    if (!step)
        return -ENOMEM;
    *step = (struct step){ .txn = txn, .erasure = &erasure, .now_ms = now_ms };
    r = forget_below(step, DB_TIMELINE, take_of_timeline, person);
    if (r == 0)
        r = forget_below(step, DB_TASKS_BY_CONTACT, take_of_tasks, person);
    free(step);
    if (r == 0)
        return finish(txn, &erasure, now_ms);
    return r < 0 ? r : put_receipt(txn, &erasure) ?: 1;
}
