/*
 * tombstones.c - ids of what was erased
 *
 * Two rows of DB_SEEN for each, beside those of idempotency.c, apart from provider ids by their first byte:
 *
 *   1, 'e', SHA-256 of the id           -> be64 ms
 *   1, 'f', be64 ms, SHA-256 of the id  -> nothing
 *
 * The second is the order in which they go. An id has over 100 random bits, so that the digest leads nowhere.
 */
#include "services/tombstones.h"

#include <errno.h>

#include <openssl/evp.h>

#include "services/store_row.h"

enum { SWEPT = 4, DIGEST = 32 };

#define DAY_MS ((uint64_t)24 * 3600 * 1000)

static const uint8_t id_prefix[] = { 1, 'e' }, time_prefix[] = { 1, 'f' };

static int key_of(const char *id, struct key *ret_key)
{
    uint8_t digest[DIGEST];

    if (EVP_Digest(id, strlen(id), digest, NULL, EVP_sha256(), NULL) != 1)
        return -ENOMEM;
    *ret_key = (struct key){ 0 };
    key_add_bytes(ret_key, id_prefix, sizeof(id_prefix));
    key_add_bytes(ret_key, digest, DIGEST);
    return 0;
}

static struct key time_key_of(const struct key *key, uint64_t ms)
{
    struct key time_key = { 0 };

    key_add_bytes(&time_key, time_prefix, sizeof(time_prefix));
    key_add_number(&time_key, ms, 8);
    key_add_bytes(&time_key, key->bytes + sizeof(id_prefix), DIGEST);
    return time_key;
}

struct swept {
    uint64_t before_ms;
    struct key keys[SWEPT];
    size_t n;
};

static int take_one(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct swept *swept = arg;

    if (key.n != sizeof(time_prefix) + 8 + DIGEST)
        return -EUCLEAN;
    if (swept->n == SWEPT || key_number((const uint8_t *)key.data + sizeof(time_prefix), 8) >= swept->before_ms)
        return 1;
    swept->keys[swept->n] = (struct key){ 0 };
    key_add_bytes(&swept->keys[swept->n++], key.data, key.n);
    return 0;
}

static int sweep(struct db_txn *txn, uint64_t now_ms)
{
    uint64_t kept_ms = TOMBSTONE_KEPT_DAYS * DAY_MS;
    struct swept swept = { .before_ms = now_ms > kept_ms ? now_ms - kept_ms : 0 };
    int r = db_each(txn, DB_SEEN, (struct db_bytes){ time_prefix, sizeof(time_prefix) }, nothing, DB_UP, take_one, &swept);

    for (size_t i = 0; i < swept.n && r >= 0; i++) {
        struct key key = { 0 };
        key_add_bytes(&key, id_prefix, sizeof(id_prefix));
        key_add_bytes(&key, swept.keys[i].bytes + sizeof(time_prefix) + 8, DIGEST);
        r = db_delete(txn, DB_SEEN, key_bytes(&swept.keys[i]));
        if (r == 0)
            r = row_drop(txn, DB_SEEN, key_bytes(&key));
    }
    return r < 0 ? r : 0;
}

int tombstone_set(struct db_txn *txn, const char *id, uint64_t now_ms)
{
    struct key key, ms = { 0 };
    int r = id[0] ? tombstone_has(txn, id) : 1;

    if (r)
        return r < 0 ? r : 0;
    r = sweep(txn, now_ms) ?: key_of(id, &key);
    if (r < 0)
        return r;
    struct key time_key = time_key_of(&key, now_ms);
    key_add_number(&ms, now_ms, 8);
    r = db_put(txn, DB_SEEN, key_bytes(&key), key_bytes(&ms));
    return r < 0 ? r : db_put(txn, DB_SEEN, key_bytes(&time_key), nothing);
}

int tombstone_has(struct db_txn *txn, const char *id)
{
    struct db_bytes value;
    struct key key;
    int r = id[0] ? key_of(id, &key) : -ENOENT;

    if (r == 0)
        r = db_get(txn, DB_SEEN, key_bytes(&key), &value);
    return r == -ENOENT ? 0 : r < 0 ? r : 1;
}
