#pragma once
/*
 * import_columns.h - which column of a table is what of a person
 *
 * Known by their headings are those that people write, in English and Hebrew, those of Google Contacts and of HubSpot, and
 * our own; letter case, punctuation and numbers in a heading do not count.
 */

#include <stdio.h>

#include "utils/csv.h"

struct json_object;
struct import_columns;

/*
 * maps: "HEADING=TARGET", which come first; TARGET is name, first, middle, last, phone, tags, note, stage, none, or else
 * the field that the column goes to.
 *
 * Errors: -EINVAL what is wrong is in problems; -ENOMEM.
 */
int import_columns_new(const struct csv_record *heading, const char *const *maps, size_t n_maps, FILE *problems, struct import_columns **ret_columns);
void import_columns_free(struct import_columns *columns);
SCOPED_PTR(struct import_columns, import_columns_free)

/* The headings of columns that are left out. An array; the caller's. NULL when out of memory. */
struct json_object *import_columns_unknown(const struct import_columns *columns);

/* A line for crm_import(). NULL when out of memory. */
struct json_object *import_columns_person(const struct import_columns *columns, const struct csv_record *record);
