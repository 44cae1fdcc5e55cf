#pragma once
/*
 * import_batch.h - some lines of an import, in one transaction
 *
 * The daemon and a command line without one write them by the same operation.
 */

#include "db.h"
#include "services/crm_import.h"

enum { IMPORT_BATCH_BYTES = 64 * 1024, IMPORT_BATCH_ROWS = 32 };

struct import_batch {
    struct db_op op; /* first; done is the caller's to set */
    struct json_object *rows;
    const char *country; /* lent */
    struct import_result results[IMPORT_BATCH_ROWS];
};

/* json: an array of lines as crm_import() takes them. Errors: -EBADMSG it is none, or of too many; -ENOMEM. */
int import_batch_init(struct import_batch *batch, const char *json, size_t n, const char *country);
void import_batch_done(struct import_batch *batch); /* releases what the struct owns, not the struct */

/* {"rows":[{"outcome","why"}]}, one for each; "why" of what is refused. NULL when out of memory. */
struct json_object *import_batch_report(const struct import_batch *batch);
