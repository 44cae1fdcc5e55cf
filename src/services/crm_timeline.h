#pragma once
/*
 * crm_timeline.h - what happened with a person, whatever the channel: calls, messages, notes, tasks that ended
 *
 * As crm.h says of all its functions.
 */

#include "db.h"
#include "models/contact.h"

struct json_object;

/*
 * One scan of one index, newest first. Each is {"kind","at_ms","contact_id", and under its kind the whole}: "call",
 * "message", "note" or "task". contact_id: of the contact it came in under, which may have been merged into the person.
 *
 * kinds:  letters of those that are wanted (enum store_item); "" all.
 * cursor: "" or what the page before gave. *ret_cursor is "" when there are no more; a page of a few kinds may be short,
 *         or empty, and still have a cursor: at most TIMELINE_LOOKED_AT_MAX rows are looked at.
 * Errors: -ENOENT no such contact; -EINVAL the cursor.
 */
enum { TIMELINE_CURSOR_MAX = 80, TIMELINE_LOOKED_AT_MAX = 5000 };
int crm_timeline_page(struct db_txn *txn, const char *contact_id, const char *kinds, const char *cursor, size_t max,
                      struct json_object **ret_array, char ret_cursor[TIMELINE_CURSOR_MAX]);
