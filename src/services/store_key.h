#pragma once
/* store_key.h - keys of the store's tables, built in a fixed buffer: ids hold no zero byte and are of bounded length */

#include <stdint.h>
#include <string.h>

#include "db.h"
#include "models/contact.h"

struct key {
    size_t n;
    uint8_t bytes[CONTACT_ID_MAX + 1 + 8 + ADDRESS_MAX];
};

static inline void key_add_bytes(struct key *key, const void *bytes, size_t n)
{
    if (n > sizeof(key->bytes) - key->n)
        n = sizeof(key->bytes) - key->n;
    memcpy(key->bytes + key->n, bytes, n);
    key->n += n;
}

/* Big end first, so that keys sort as numbers do. */
static inline void key_add_number(struct key *key, uint64_t n, size_t size)
{
    for (size_t i = size; i-- > 0;) {
        uint8_t byte = (uint8_t)(n >> (8 * i));
        key_add_bytes(key, &byte, 1);
    }
}

static inline uint64_t key_number(const void *bytes, size_t size)
{
    uint64_t n = 0;

    for (size_t i = 0; i < size; i++)
        n = n << 8 | ((const uint8_t *)bytes)[i];
    return n;
}

static inline struct key key_below(const char *owner) /* owner, 0 */
{
    struct key key = { 0 };

    key_add_bytes(&key, owner, strlen(owner) + 1);
    return key;
}

static inline struct db_bytes key_bytes(const struct key *key)
{
    return (struct db_bytes){ key->bytes, key->n };
}
