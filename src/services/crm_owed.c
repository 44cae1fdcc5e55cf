/*
 * crm_owed.c - what the linked device's program still holds of an erased person
 *
 *   meta  "owed ", receipt, 0, address  -> unix time in decimal
 *
 * Whoever has never been told anything by such a program has none that could hold something. One that is not used any more
 * may still hold it, so that it is owed whatever WHATSAPP_PROVIDER says.
 */
#include "services/crm_owed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "services/store_row.h"
#include "services/whatsapp/baileys.h"

static const char prefix[] = "owed ", number_server[] = "@s.whatsapp.net", digits[] = "0123456789";

enum { NUMBER_MIN = 7, NUMBER_MAX = 15, ID_MIN = 5, ID_MAX = 20, MS_TEXT_MAX = 24 }; /* digits, as the program takes them */

static struct key key_of(const struct crm_owed *owed)
{
    struct key key = { 0 };

    key_add_bytes(&key, prefix, strlen(prefix));
    key_add_bytes(&key, owed->receipt, strlen(owed->receipt) + 1);
    key_add_bytes(&key, owed->address, strlen(owed->address));
    return key;
}

static bool whatsapp_can_have(const char *address)
{
    const char *bare = baileys_bare(address);
    size_t n = strspn(bare, digits);

    if (!bare[n])
        return n >= NUMBER_MIN && n <= NUMBER_MAX && *bare != '0';
    return n >= ID_MIN && n <= ID_MAX && (address_is_lid(bare) || strcmp(bare + n, number_server) == 0);
}

int crm_owed_add(struct db_txn *txn, const struct crm_owed *owed)
{
    struct baileys_cursor cursor;
    char text[MS_TEXT_MAX];
    struct key key = key_of(owed);
    int n = snprintf(text, sizeof(text), "%" PRIu64, owed->before_ms);
    int r = baileys_cursor_get(txn, &cursor);

    if (r < 0 || !cursor.outbox[0] || !whatsapp_can_have(owed->address))
        return r;
    r = db_put(txn, DB_META, key_bytes(&key), (struct db_bytes){ text, (size_t)n });
    return r < 0 ? r : 1;
}

struct search {
    struct key after;
    struct crm_owed *owed;
};

static int take(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct search *search = arg;
    const char *receipt = (const char *)key.data + strlen(prefix);
    size_t n = key.n - strlen(prefix), n_receipt = strnlen(receipt, n), n_address = n - n_receipt - 1;
    char text[MS_TEXT_MAX] = "";

    if (key.n == search->after.n && memcmp(key.data, search->after.bytes, key.n) == 0)
        return 0;
    if (n_receipt == n || n_receipt >= CONTACT_ID_MAX || n_address >= ADDRESS_MAX || value.n >= sizeof(text))
        return -EUCLEAN;
    *search->owed = (struct crm_owed){ 0 };
    memcpy(search->owed->receipt, receipt, n_receipt);
    memcpy(search->owed->address, receipt + n_receipt + 1, n_address);
    memcpy(text, value.data, value.n);
    return sscanf(text, "%" SCNu64, &search->owed->before_ms) == 1 ? 1 : -EUCLEAN;
}

int crm_owed_next(struct db_txn *txn, struct crm_owed *owed)
{
    struct search search = { key_of(owed), owed };

    return db_each(txn, DB_META, text_bytes(prefix), owed->receipt[0] ? key_bytes(&search.after) : nothing, DB_UP, take, &search);
}

int crm_owed_drop(struct db_txn *txn, const struct crm_owed *owed)
{
    struct key key = key_of(owed);
    struct db_bytes value;
    int r = db_get(txn, DB_META, key_bytes(&key), &value);

    if (r < 0)
        return r == -ENOENT ? 0 : r;
    r = row_drop(txn, DB_META, key_bytes(&key));
    return r < 0 ? r : 1;
}
