#pragma once
/*
 * crm_erase.h - a person is erased: all that is his, and what is still owed to him
 *
 * As crm.h says of all its functions. It is begun in one transaction, after which nobody finds him and nothing is sent to
 * him, and whoever comes by his number is a new contact; what was his then goes in steps, so that nobody else has to wait
 * long. What is left is a receipt, without a word of him.
 */

#include "db.h"
#include "models/erasure.h"
#include "models/message.h"

struct json_object;

/*
 * For each of his addresses the receipt has HMAC-SHA-256(key, address). The key is told to whoever asked, and kept
 * nowhere: without it nobody can find out, by trying all numbers, who was erased, and with it anybody can prove it.
 */
enum { ERASURE_KEY = 16, ERASURE_KEY_TEXT = 2 * ERASURE_KEY + 1, ERASURE_PROOF_TEXT = 65 };

struct crm_erase {
    const char *id; /* any contact that he was merged of */
    const char *by;
    const char *key; /* hexadecimal; see erasure_make_key() */
    uint64_t now_ms;
};

void erasure_make_key(char ret_key[ERASURE_KEY_TEXT]);
/* Errors: -EINVAL key is none. */
int erasure_proof(const char *key, const char *address, char ret_proof[ERASURE_PROOF_TEXT]);

/* ret_receipt: its id. Errors: -ENOENT no such contact; -EBUSY a call of his is not over. */
int crm_erase_begin(struct db_txn *txn, const struct crm_erase *erase, char ret_receipt[CONTACT_ID_MAX]);

/* Some of what is his, ERASE_ROWS rows or so. Returns: 1 there is more; 0 it is done. Errors: -ENOENT no such receipt. */
enum { ERASE_ROWS = 128 };
int crm_erase_step(struct db_txn *txn, const char *receipt, uint64_t now_ms);

/* One that is under way. Returns: 1; 0 there is none. */
int crm_erase_under_way(struct db_txn *txn, char ret_receipt[CONTACT_ID_MAX]);

/* The linked device's program has forgotten that address. Errors: those of crm_erasure_get(). */
struct crm_owed;
int crm_erase_settle(struct db_txn *txn, const struct crm_owed *owed, uint64_t now_ms);

/* Errors: -ENOENT. */
int crm_erasure_get(struct db_txn *txn, const char *receipt, struct erasure *ret_erasure);
/* Receipts, newest first, as they are shown. after: "" or the id of the last one of the page before. */
int crm_erasures_page(struct db_txn *txn, const char *after, size_t max, struct json_object **ret_array);

/* What a call or a message leaves: nothing, a note of the folder of its files, and its tombstones. For crm_retention.c, too. */
int crm_forget_call(struct db_txn *txn, const struct call *call, uint64_t now_ms); /* without turns by then */
int crm_forget_message(struct db_txn *txn, const struct message *message, uint64_t now_ms);
