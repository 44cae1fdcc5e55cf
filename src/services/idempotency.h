#pragma once
/*
 * idempotency.h - a request that comes twice is done once and answered twice
 *
 * Who asks sends an Idempotency-Key. In the transaction of the effect: find, and when nothing is found, do it and keep
 * the answer. So the answer is there exactly when the effect is, whatever dies between, and of two at once one finds
 * what the other kept.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db.h"
#include "models/contact.h"

struct http_request;

enum { IDEMPOTENCY_KEY_MAX = 255, IDEMPOTENCY_DIGEST = 32, IDEMPOTENCY_KEPT_MS = 48 * 3600 * 1000 };

struct idempotency {
    bool is_asked;                      /* without a key nothing is found or kept */
    uint8_t id[IDEMPOTENCY_DIGEST];     /* of the token's name and the key */
    uint8_t digest[IDEMPOTENCY_DIGEST]; /* of what is asked: method, path, body */
};

struct idempotency_answer {
    int status;
    char *text; /* owned: free() */
    size_t n;
    char of[CONTACT_ID_MAX]; /* the contact it tells of, with whom it is forgotten; "" of none. Not read back. */
};

/* All but the digest. Errors: -EINVAL the key has 1 to IDEMPOTENCY_KEY_MAX printable characters, and comes once; -ENOMEM. */
int idempotency_read(const struct http_request *request, struct idempotency *ret_idempotency);

/* The digest: some milliseconds for a body of many MiB. target: with the query, where there is one. Errors: -ENOMEM. */
int idempotency_digest(struct idempotency *idempotency, const char *method, const char *target, struct db_bytes body);

/*
 * Returns: 1 and *ret_answer, as it was kept; 0 it is asked for the first time.
 * Errors:  -EEXIST something else was asked with that key; those of db.h.
 */
int idempotency_find(struct db_txn *txn, const struct idempotency *idempotency, struct idempotency_answer *ret_answer);

/* Kept for IDEMPOTENCY_KEPT_MS at least. Some that are older go with each one that is kept. */
int idempotency_keep(struct db_txn *txn, const struct idempotency *idempotency, const struct idempotency_answer *answer,
                     uint64_t now_ms);

/* What was answered about that contact is forgotten. Returns: how many answers. */
int idempotency_forget(struct db_txn *txn, const char *contact_id);
