#pragma once
/*
 * crm_search.h - finding contacts: by stage and tag, by name, number and what is written about them
 *
 * As crm.h says of all its functions. A page is an array of contacts, newest first, as crm_contacts_page() has them;
 * cursor: "" or what the page before gave; *ret_cursor is "" when there are no more. Work is bounded: a page may be short,
 * or empty, though there are. Errors: -EINVAL the cursor.
 */

#include "db.h"
#include "models/contact.h"

struct json_object;

struct contact_filter {
    int stage;       /* -1 any */
    const char *tag; /* NULL any */
};
int crm_contacts_list(struct db_txn *txn, const struct contact_filter *filter, const char *cursor, size_t max,
                      struct json_object **ret_array, char ret_cursor[CONTACT_ID_MAX]);

/*
 * All whose name, fields or notes have a word that begins with each word of text, in any script, case or points; or, when
 * text is nothing but digits and what people put between them, whose number has these digits anywhere (at least three).
 *
 * Work is bounded: of a word that more than SEARCH_ROWS_MAX rows begin with, not all are looked at, those that have just that
 * word before those that have a longer one, the newest first. *ret_is_cut then.
 * Errors: -EINVAL also nothing to look for.
 */
enum { SEARCH_ROWS_MAX = 2000, SEARCH_WORDS_MAX = 6 };
int crm_contacts_search(struct db_txn *txn, const char *text, const char *country, const char *cursor, size_t max,
                        struct json_object **ret_array, char ret_cursor[CONTACT_ID_MAX], bool *ret_is_cut);
