#pragma once
/*
 * table.h - aligned columns for a terminal
 *
 * Text in it may come from anybody: what could steer a terminal is shown as '?'.
 */

#include <stdio.h>

#include "utils/scoped.h"

struct table;

/* A heading that begins with '>' makes its column right-aligned. headings live as long as the table. */
struct table *table_new(const char *const *headings, size_t n_columns);
void table_free(struct table *table);
SCOPED_PTR(struct table, table_free)

/* The next cell, row by row. */
void table_add(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Columns that are empty in every row are left out. */
void table_print(const struct table *table, FILE *out);

/* A line of its own, its text made harmless like a cell; none for an empty text or NULL. */
void print_fact(const char *label, const char *text);
