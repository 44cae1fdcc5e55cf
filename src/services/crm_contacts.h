#pragma once
/*
 * crm_contacts.h - who somebody is: addresses, merging, and what is written down about him
 *
 * As crm.h says of all its functions. An id may be of any contact that a person was merged of; what is read is the
 * person, whose id is that of the contact the others were merged into.
 */

#include "db.h"
#include "models/contact.h"

/* ret_contact is to be released with contact_done(). Errors: -ENOENT. */
int crm_contact_get(struct db_txn *txn, const char *id, struct contact *ret_contact);
/* address in any form that address_normalise() takes without a country. Errors: -ENOENT. */
int crm_contact_by_address(struct db_txn *txn, const char *address, struct contact *ret_contact);

/* A contact as it is shown, less what is of no use outside. NULL when out of memory. */
struct json_object *crm_contact_shown(const struct contact *contact);

/* Changes by hand. What is NULL, or -1, stays. */
struct contact_edit {
    const char *name;            /* "": none any more */
    int stage;                   /* -1, or enum contact_stage */
    struct json_object *fields;  /* object: field -> text; null or "": takes it away */
    struct json_object *tags;    /* array of strings: to have */
    struct json_object *no_tags; /* array of strings: not to have */
};

/*
 * A contact by hand. address: "" or in any form of address_normalise().
 *
 * Returns: 0; 1 somebody has that address, and *ret_id is his. Errors: -EINVAL no address.
 */
int crm_contact_make(struct db_txn *txn, const char *address, const char *country, const struct contact_edit *edit,
                     uint64_t now_ms, char ret_id[CONTACT_ID_MAX]);

/* They win over everything that is known until now. Returns: 0; 1 nothing changed. Errors: -ENOENT. */
int crm_contact_edit(struct db_txn *txn, const char *id, const struct contact_edit *edit, uint64_t now_ms);

/*
 * An address that turns out to be his. That of another contact: the two are merged, he stays.
 *
 * Returns: 0; 1 it was his. Errors: -ENOENT; -EINVAL no address; -EMLINK.
 */
int crm_contact_add_address(struct db_txn *txn, const char *id, const char *address, const char *country, uint64_t now_ms);
/* He has it no more, nor has anybody. Errors: -ENOENT he had not. */
int crm_contact_drop_address(struct db_txn *txn, const char *id, const char *address, const char *country, uint64_t now_ms);

/*
 * An id of WhatsApp's is that of a telephone number. Both of one contact, or of two: they are merged into the older one,
 * unless somebody parted them by hand. Of nobody: it is remembered until either is heard of.
 *
 * Returns: 0; 1 it was known, or they were parted. Errors: -EINVAL lid is none, or e164 is none; -EMLINK.
 */
int crm_contact_map(struct db_txn *txn, const char *lid, const char *e164, uint64_t now_ms);

/*
 * Two contacts are one person, for the reason why. Calls, messages, notes, tasks, tags, fields and addresses of both are
 * the person's; of two values of one field the one that was set later counts, the other stays visible ("others").
 *
 * Each is linked as the person it belongs to by now. Returns: 0; 1 they are one already. Errors: -ENOENT; -EMLINK.
 */
int crm_contact_merge(struct db_txn *txn, const char *into, const char *from, const char *why, uint64_t now_ms);

/*
 * They are not one person after all: from is a contact of its own again, with those that had been merged into it, all
 * that was theirs, and all that came by their addresses since. What was written down by hand in between stays where it
 * was written. They are not merged again but by hand.
 *
 * Errors: -ENOENT; -EALREADY it was not merged into another one.
 */
int crm_contact_unmerge(struct db_txn *txn, const char *from, uint64_t now_ms);

/* The id of the contact row that what comes by this address belongs to. Errors: -ENOENT. */
int crm_contact_id_of(struct db_txn *txn, const char *address, char ret_id[CONTACT_ID_MAX]);
