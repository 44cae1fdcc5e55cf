#pragma once
/*
 * crm_owed.h - what the linked device's program still holds of an erased person
 *
 * Noted in the transaction that erases him, an address each, until that program has forgotten it; then the address is gone
 * here, too. Nothing waits for it but the receipt.
 */

#include "db.h"
#include "models/contact.h"

struct crm_owed {
    char receipt[CONTACT_ID_MAX];
    char address[ADDRESS_MAX];
    uint64_t before_ms; /* unix time: what came until then is to be forgotten; later he is somebody new */
};

/*
 * Returns: 1 it is noted; 0 that program has nothing of it: none has ever told us anything, or it is an address that
 *          WhatsApp cannot have.
 */
int crm_owed_add(struct db_txn *txn, const struct crm_owed *owed);

/* The one after *owed, which may be all 0. Returns: 1 and fills it; 0 there is none. Errors: -EUCLEAN. */
int crm_owed_next(struct db_txn *txn, struct crm_owed *owed);

/* It is not owed any more. Returns: 1; 0 it was not. */
int crm_owed_drop(struct db_txn *txn, const struct crm_owed *owed);
