/*
 * idempotency.c - a request that comes twice is done once and answered twice
 *
 * Two rows of DB_SEEN for each key, apart from the provider ids there by their first byte, which no id has; three when
 * the answer tells of a contact:
 *
 *   1, 'k', id              -> digest, be64 ms, be16 status, the answer's text
 *   1, 't', be64 ms, id     -> the contact's id, or nothing
 *   1, 'o', contact, 0, id  -> be64 ms
 *
 * The second is the order in which they go: SWEPT at most with each one that is kept, so that a transaction stays short
 * and the table does not grow without end. The ids of messages in DB_SEEN lead to the messages, and stay as long as
 * those do.
 */
#include "services/idempotency.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "http.h"
#include "services/store_key.h"

enum { SWEPT = 8, HEAD = IDEMPOTENCY_DIGEST + 8 + 2 };

static const uint8_t key_prefix[] = { 1, 'k' }, time_prefix[] = { 1, 't' }, owner_prefix[] = { 1, 'o' };

/* --- what is asked */

static bool is_key(const struct http_field *field)
{
    if (field->n_value == 0 || field->n_value > IDEMPOTENCY_KEY_MAX)
        return false;
    for (size_t i = 0; i < field->n_value; i++)
        if (field->value[i] < '!' || field->value[i] > '~')
            return false;
    return true;
}

/* Of parts with a zero byte behind each; the last may hold any. */
static int digest(const struct db_bytes *parts, size_t n, uint8_t ret_digest[IDEMPOTENCY_DIGEST])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int is_done = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;

    for (size_t i = 0; is_done && i < n; i++)
        is_done = EVP_DigestUpdate(context, parts[i].data, parts[i].n) == 1 && EVP_DigestUpdate(context, "", 1) == 1;
    is_done = is_done && EVP_DigestFinal_ex(context, ret_digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    return is_done ? 0 : -ENOMEM;
}

int idempotency_read(const struct http_request *request, struct idempotency *ret_idempotency)
{
    const struct http_field *field = http_field(request, "idempotency-key", 0);
    const char *caller = request->caller ? request->caller : "";
    struct idempotency idempotency = { .is_asked = field };

    if (!field) {
        *ret_idempotency = idempotency;
        return 0;
    }
    if (http_field(request, "idempotency-key", 1) || !is_key(field))
        return -EINVAL;
    const struct db_bytes who[] = { { caller, strlen(caller) }, { field->value, field->n_value } };
    int r = digest(who, ELEMENTSOF(who), idempotency.id);
    if (r == 0)
        *ret_idempotency = idempotency;
    return r;
}

int idempotency_digest(struct idempotency *idempotency, const char *method, const char *target, struct db_bytes body)
{
    const struct db_bytes what[] = { { method, strlen(method) }, { target, strlen(target) }, body };

    return idempotency->is_asked ? digest(what, ELEMENTSOF(what), idempotency->digest) : 0;
}

/* --- rows */

static struct key key_of(const struct idempotency *idempotency)
{
    struct key key = { 0 };

    key_add_bytes(&key, key_prefix, sizeof(key_prefix));
    key_add_bytes(&key, idempotency->id, IDEMPOTENCY_DIGEST);
    return key;
}

static struct key time_key_of(const struct idempotency *idempotency, uint64_t ms)
{
    struct key key = { 0 };

    key_add_bytes(&key, time_prefix, sizeof(time_prefix));
    key_add_number(&key, ms, 8);
    key_add_bytes(&key, idempotency->id, IDEMPOTENCY_DIGEST);
    return key;
}

/* All of one contact begin with the key for id NULL. */
static struct key owner_key_of(const char *contact_id, const uint8_t *id)
{
    struct key key = { 0 };

    key_add_bytes(&key, owner_prefix, sizeof(owner_prefix));
    key_add_bytes(&key, contact_id, strlen(contact_id) + 1);
    if (id)
        key_add_bytes(&key, id, IDEMPOTENCY_DIGEST);
    return key;
}

int idempotency_find(struct db_txn *txn, const struct idempotency *idempotency, struct idempotency_answer *ret_answer)
{
    struct key key = key_of(idempotency);
    struct db_bytes value = { 0 };
    int r = idempotency->is_asked ? db_get(txn, DB_SEEN, key_bytes(&key), &value) : -ENOENT;

    if (r < 0)
        return r == -ENOENT ? 0 : r;
    if (value.n < HEAD)
        return -EUCLEAN;
    const uint8_t *bytes = value.data;
    if (memcmp(bytes, idempotency->digest, IDEMPOTENCY_DIGEST) != 0)
        return -EEXIST;
    char *text = malloc(value.n - HEAD + 1);
    if (!text)
        return -ENOMEM;
    memcpy(text, bytes + HEAD, value.n - HEAD);
    *ret_answer = (struct idempotency_answer){
        .status = (int)key_number(bytes + IDEMPOTENCY_DIGEST + 8, 2), .text = text, .n = value.n - HEAD
    };
    return 1;
}

/* --- sweeping */

struct swept {
    uint64_t before_ms;
    struct key keys[SWEPT];
    char owners[SWEPT][CONTACT_ID_MAX];
    size_t n;
};

static int take_one(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct swept *swept = arg;

    if (key.n != sizeof(time_prefix) + 8 + IDEMPOTENCY_DIGEST)
        return -EUCLEAN;
    if (swept->n == SWEPT || key_number((const uint8_t *)key.data + sizeof(time_prefix), 8) >= swept->before_ms)
        return 1;
    if (value.n >= CONTACT_ID_MAX)
        return -EUCLEAN;
    memcpy(swept->owners[swept->n], value.data, value.n);
    key_add_bytes(&swept->keys[swept->n++], key.data, key.n);
    return 0;
}

static int drop(struct db_txn *txn, const struct key *time_key, const char *contact_id)
{
    struct idempotency gone = { .is_asked = true };
    memcpy(gone.id, time_key->bytes + sizeof(time_prefix) + 8, IDEMPOTENCY_DIGEST);
    struct key key = key_of(&gone), owner_key = owner_key_of(contact_id, gone.id);
    int r = db_delete(txn, DB_SEEN, key_bytes(time_key));

    if (r == 0)
        r = db_delete(txn, DB_SEEN, key_bytes(&key));
    return r < 0 || !contact_id[0] ? r : db_delete(txn, DB_SEEN, key_bytes(&owner_key));
}

static int sweep(struct db_txn *txn, uint64_t now_ms)
{
    struct swept swept = { .before_ms = now_ms > IDEMPOTENCY_KEPT_MS ? now_ms - IDEMPOTENCY_KEPT_MS : 0 };
    struct db_bytes prefix = { time_prefix, sizeof(time_prefix) };
    int r = db_each(txn, DB_SEEN, prefix, (struct db_bytes){ "", 0 }, DB_UP, take_one, &swept);

    for (size_t i = 0; i < swept.n && r >= 0; i++)
        r = drop(txn, &swept.keys[i], swept.owners[i]);
    return r < 0 ? r : 0;
}

int idempotency_keep(struct db_txn *txn, const struct idempotency *idempotency, const struct idempotency_answer *answer,
                     uint64_t now_ms)
{
    if (!idempotency->is_asked)
        return 0;

    struct key key = key_of(idempotency), time_key = time_key_of(idempotency, now_ms), head = { 0 };
    scoped(free) uint8_t *value = malloc(HEAD + answer->n);
    if (!value)
        return -ENOMEM;
    key_add_bytes(&head, idempotency->digest, IDEMPOTENCY_DIGEST);
    key_add_number(&head, now_ms, 8);
    key_add_number(&head, (uint64_t)answer->status, 2);
    memcpy(value, head.bytes, HEAD);
    if (answer->n)
        memcpy(value + HEAD, answer->text, answer->n);
    int r = sweep(txn, now_ms);
    if (r == 0)
        r = db_put(txn, DB_SEEN, key_bytes(&key), (struct db_bytes){ value, HEAD + answer->n });
    if (r == 0)
        r = db_put(txn, DB_SEEN, key_bytes(&time_key), (struct db_bytes){ answer->of, strlen(answer->of) });
    if (r < 0 || !answer->of[0])
        return r;
    struct key owner_key = owner_key_of(answer->of, idempotency->id), ms = { 0 };
    key_add_number(&ms, now_ms, 8);
    return db_put(txn, DB_SEEN, key_bytes(&owner_key), key_bytes(&ms));
}

/* --- forgetting */

static int take_answer(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct swept *swept = arg;

    if (value.n != 8 || key.n <= IDEMPOTENCY_DIGEST)
        return -EUCLEAN;
    if (swept->n == SWEPT)
        return 1;
    struct key *time_key = &swept->keys[swept->n++];
    *time_key = (struct key){ 0 };
    key_add_bytes(time_key, time_prefix, sizeof(time_prefix));
    key_add_bytes(time_key, value.data, 8);
    key_add_bytes(time_key, (const uint8_t *)key.data + key.n - IDEMPOTENCY_DIGEST, IDEMPOTENCY_DIGEST);
    return 0;
}

int idempotency_forget(struct db_txn *txn, const char *contact_id)
{
    struct key prefix = owner_key_of(contact_id, NULL);
    int n = 0, r;

    do {
        struct swept swept = { .n = 0 };
        r = db_each(txn, DB_SEEN, key_bytes(&prefix), (struct db_bytes){ "", 0 }, DB_UP, take_answer, &swept);
        for (size_t i = 0; i < swept.n && r >= 0; i++, n++)
            r = drop(txn, &swept.keys[i], contact_id) ?: r;
    } while (r == 1);
    return r < 0 ? r : n;
}
