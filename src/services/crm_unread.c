/*
 * crm_unread.c - what a person wrote and nobody has read
 *
 * A row of DB_UNREAD for each message that is unread, and none for the others: what comes in costs one row in the transaction that it
 * is written in anyway, a count looks at no message, and stops at UNREAD_MAX; to read is to take rows away. It is an index
 * below the person like the others, so that merging and parting move it with them (crm_links.c). What comes late, with an
 * earlier time, is unread like anything else.
 */
#include "services/crm_unread.h"

#include <errno.h>
#include <string.h>

#include <json-c/json.h>

#include "services/crm_internal.h"
#include "services/crm_links.h"
#include "services/crm_store.h"
#include "services/store_row.h"
#include "utils/json.h"
#include "utils/text.h"

enum { AT_ONCE = 64 };

/* --- counting */

static int count(struct db_bytes key, struct db_bytes value, void *arg)
{
    return ++*(int *)arg == UNREAD_MAX;
}

int crm_unread(struct db_txn *txn, const char *contact_id)
{
    char person[CONTACT_ID_MAX];
    int n = 0, r = links_person(txn, contact_id, person);

    if (r < 0)
        return r;
    struct key below = key_below(person);
    r = db_each(txn, DB_UNREAD, key_bytes(&below), nothing, DB_UP, count, &n);
    return r < 0 ? r : n;
}

int crm_unread_show(struct db_txn *txn, const char *contact_id, struct json_object *object)
{
    int n = crm_unread(txn, contact_id);

    return n < 0 ? n : json_add(object, "unread", json_object_new_int(n));
}

/* --- reading */

struct batch {
    struct key until; /* itself too; n 0: all */
    size_t n;
    struct key keys[AT_ONCE];
};

static int take_key(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct batch *batch = arg;
    size_t n = key.n < batch->until.n ? key.n : batch->until.n;
    int order = memcmp(key.data, batch->until.bytes, n);

    if (batch->n == AT_ONCE || (batch->until.n && (order > 0 || (order == 0 && key.n > batch->until.n))))
        return 1;
    batch->keys[batch->n] = (struct key){ 0 };
    key_add_bytes(&batch->keys[batch->n++], key.data, key.n);
    return 0;
}

/* One message; the last ones are remembered as the provider calls them. */
static int read_one(struct db_txn *txn, const struct key *key, size_t n_before_id, struct crm_reading *reading)
{
    scoped(message_release) struct message message = { 0 };
    char id[CONTACT_ID_MAX];
    size_t n = key->n - n_before_id;

    if (key->n <= n_before_id || n >= sizeof(id))
        return -EUCLEAN;
    memcpy(id, key->bytes + n_before_id, n);
    id[n] = '\0';
    int r = store_get_message(txn, id, &message);
    if (r < 0 && r != -ENOENT && r != -EUCLEAN) /* one that cannot be read any more is not unread either */
        return r;
    memcpy(reading->last, id, n + 1);
    if (r == 0 && message.provider_id[0]) {
        size_t place = reading->n % READ_TOLD_MAX;
        memcpy(reading->told[place], message.provider_id, sizeof(reading->told[place]));
        reading->n_told = reading->n_told == READ_TOLD_MAX ? READ_TOLD_MAX : place + 1;
    }
    reading->n++;
    return db_delete(txn, DB_UNREAD, key_bytes(key));
}

/* until: NULL all. */
static int read_until(struct db_txn *txn, const char *person, const struct key *until, uint64_t now_ms, struct crm_reading *reading)
{
    struct key below = key_below(person);
    struct batch batch = { .until = until ? *until : (struct key){ 0 } };
    int r = 0;

    do {
        batch.n = 0;
        r = db_each(txn, DB_UNREAD, key_bytes(&below), nothing, DB_UP, take_key, &batch);
        for (size_t i = 0; r >= 0 && i < batch.n; i++)
            r = read_one(txn, &batch.keys[i], below.n + 8, reading);
    } while (r >= 0 && batch.n == AT_ONCE);
    if (r < 0 || !reading->n)
        return r < 0 ? r : 1;
    return store_event(txn, &(struct store_event){ .kind = EVENT_CONTACT_READ, .at_ms = now_ms, .contact = person, .message = reading->last });
}

int unread_answered(struct db_txn *txn, const struct message *answer, uint64_t now_ms)
{
    struct crm_reading reading = { 0 };
    char person[CONTACT_ID_MAX];
    int r = links_person(txn, answer->contact_id, person);

    if (r < 0)
        return r;
    struct key until = key_below(person);
    key_add_number(&until, answer->created_ms + 1, 8);
    return read_until(txn, person, &until, now_ms, &reading);
}

int crm_read(struct db_txn *txn, const char *contact_id, const char *message_id, uint64_t now_ms, struct crm_reading *ret_reading)
{
    scoped(message_release) struct message message = { 0 };
    scoped(contact_done) struct contact person = { 0 };
    char of[CONTACT_ID_MAX];
    int r = crm_is_id(contact_id, CONTACT_ID_MAX) ? crm_contact_get(txn, contact_id, &person) : -ENOENT;

    *ret_reading = (struct crm_reading){ 0 };
    if (r < 0)
        return r;
    if (!message_id[0])
        return read_until(txn, person.id, NULL, now_ms, ret_reading);
    r = crm_is_id(message_id, CONTACT_ID_MAX) ? store_get_message(txn, message_id, &message) : -ENOENT;
    if (r == 0)
        r = message.contact_id[0] ? links_person(txn, message.contact_id, of) : -ENOENT;
    if (r < 0 || strcmp(of, person.id) != 0)
        return r < 0 && r != -ENOENT ? r : -ENOMSG;
    struct key until = key_by_owner(person.id, message.created_ms, message.id);
    return read_until(txn, person.id, &until, now_ms, ret_reading);
}
