#pragma once
/*
 * crm_export.h - what the store holds, as lines for other programs and for ourselves
 *
 * As crm.h says of all its functions. A line is {"format":1,"kind":...,"data":{...}}, data as it is stored, less what only
 * this store can use (a stream's token, the number of a job). What is written by one store and read by another that is
 * empty (crm_import.h) is written by that one again, line for line.
 */

#include "db.h"

struct json_object;

enum { EXPORT_FORMAT = 1 };

enum export_kind {
    EXPORT_CONTACT,
    EXPORT_LINK,    /* a contact that was merged: from, into, at_ms, why */
    EXPORT_PARTED,  /* two that were parted by hand: a, b */
    EXPORT_ADDRESS, /* one that nobody has, as another name of one that somebody may have: address, same_as */
    EXPORT_CALL,
    EXPORT_TURN,    /* call_sid, n, and the turn */
    EXPORT_MESSAGE,
    EXPORT_NOTE,
    EXPORT_TASK,
    EXPORT_N_KINDS
};

int export_kind_parse(const char *name, size_t n); /* or -EINVAL */

struct export_filter {
    unsigned kinds;    /* 1 << kind of each that is wanted; 0 all */
    uint64_t since_ms; /* what happened, or was changed, then or later; 0 all */
};

/* The line is lent. 0 goes on, anything else stops and is returned. */
typedef int export_fn(enum export_kind kind, struct json_object *line, void *arg);

/* All, kind by kind, each in the order of its ids. Memory: that of a line. */
int crm_export_all(struct db_txn *txn, const struct export_filter *filter, export_fn *fn, void *arg);

/* All that is one person's, with whom he was merged of. Errors: -ENOENT. */
int crm_export_person(struct db_txn *txn, const struct export_filter *filter, const char *contact_id, export_fn *fn, void *arg);

/*
 * Some of the lines of crm_export_all(). after: "" or what the page before gave; *ret_cursor is "" when there are no more.
 * At most EXPORT_LOOKED_AT_MAX rows are looked at, and lines of EXPORT_PAGE_BYTES or so: a page may be short.
 *
 * Errors: -EINVAL after.
 */
enum { EXPORT_CURSOR_MAX = 256, EXPORT_LOOKED_AT_MAX = 2000, EXPORT_PAGE_BYTES = 256 * 1024 };
int crm_export_page(struct db_txn *txn, const struct export_filter *filter, const char *after, size_t max,
                    struct json_object **ret_array, char ret_cursor[EXPORT_CURSOR_MAX]);
