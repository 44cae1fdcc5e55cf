#pragma once
/*
 * crm_import.h - lines of an export, or people from a table, into the store
 *
 * As crm.h says of all its functions. What is there already stays as it is, unless the line is newer; so a file may be
 * read again, and one that was read half goes on where it ended. What was erased within TOMBSTONE_KEPT_DAYS is refused.
 */

#include "db.h"

struct json_object;

enum import_outcome {
    IMPORT_NEW,
    IMPORT_UPDATED,
    IMPORT_MERGED, /* with somebody who has the same address */
    IMPORT_UNCHANGED,
    IMPORT_REFUSED,
    IMPORT_N_OUTCOMES
};

const char *import_outcome_name(enum import_outcome outcome);

enum { IMPORT_WHY_MAX = 160, IMPORT_PHONES_MAX = 16, IMPORT_VALUE_MAX = 8000 };

struct import_result {
    enum import_outcome outcome;
    char why[IMPORT_WHY_MAX]; /* of what is refused: a sentence's end */
};

/*
 * One line: as crm_export.h has it, or {"format":1,"kind":"person","data":{"name","phones","fields","tags","stage",
 * "note"}}, of which all but phones may be absent.
 *
 * A person is known by his numbers: nobody has them, he is new; somebody has one, he gets what the line has, and loses
 * nothing; several have them, they are one. Lines of an export keep their ids. Calls, messages, notes and tasks are not
 * told to the feed, and nothing is sent.
 *
 * Returns: 0 and *ret_result. Errors: of the store; then what was written is to be undone.
 */
int crm_import(struct db_txn *txn, struct json_object *line, const char *country, uint64_t now_ms, struct import_result *ret_result);
