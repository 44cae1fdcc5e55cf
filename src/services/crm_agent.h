#pragma once
/*
 * crm_agent.h - whether the agent writes to somebody by itself, and whom it calls when it does not
 *
 * As crm.h says of all its functions. It is two tags of the person, see contact.h: so they are seen, looked for, set by
 * hand, merged and parted like all others; what is set here is set with each contact that he was merged of, and stays with
 * each of them should they be parted. The agent on the telephone is not concerned.
 */

#include "db.h"
#include "models/contact.h"

enum crm_agent {
    CRM_AGENT_ON,
    CRM_AGENT_SILENT,   /* a human goes on with him, until he is released */
    CRM_AGENT_UNWANTED, /* he wants no automatic messages, until he writes that he does */
};

enum crm_agent crm_agent_of(const struct contact *person);
const char *crm_agent_name(enum crm_agent agent); /* "on", "silent", "unwanted" */

/* Each tells the feed. Returns: 0; 1 it was so. Errors: -ENOENT no such contact. */
int crm_agent_silence(struct db_txn *txn, const char *contact_id, uint64_t now_ms);
int crm_agent_release(struct db_txn *txn, const char *contact_id, uint64_t now_ms);
int crm_agent_want(struct db_txn *txn, const char *contact_id, bool wanted, uint64_t now_ms);

/*
 * Somebody of the business has to write to him: a task of kind reply, unless one is open already.
 *
 * Returns: 0; 1 one is. Errors: -ENOENT; -EINVAL no text, or too much.
 */
int crm_agent_call_human(struct db_txn *txn, const char *contact_id, const char *text, uint64_t now_ms);
