#pragma once
/*
 * crm_tables.h - contacts, calls and messages as tables for spreadsheets
 *
 * As crm.h says of all its functions. csv.h says how cells are written; times are UTC, as 2026-08-01T14:03:12Z.
 */

#include <stdio.h>

#include "services/crm_export.h"

/*
 * A heading and a row for each. kind: EXPORT_CONTACT, EXPORT_CALL or EXPORT_MESSAGE; a contact is a person, once, with all
 * that is known of him, and a column for each of the first TABLE_FIELDS_MAX fields there are, called "field:NAME".
 *
 * contact_id: of whom; NULL all. tell: after each row, may be NULL. Errors: -EINVAL the kind; -ENOENT; -EIO out.
 */
enum { TABLE_FIELDS_MAX = 128, TABLE_PHONES = 3 };
struct crm_table {
    enum export_kind kind;
    const char *contact_id;
    uint64_t since_ms;
    void (*tell)(void *arg);
    void *arg;
};
int crm_table_write(struct db_txn *txn, const struct crm_table *table, FILE *out);
