#pragma once
/*
 * csv.h - tables as text, RFC 4180 and what programs make of it: LF or CRLF, ',' ';' or tab, with a byte order mark or not
 *
 * What cannot be read is one record with a problem; reading goes on with the line after the one it began in, so that a
 * quote that nobody closed costs its own line.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "utils/scoped.h"

struct csv;

enum { CSV_CELLS_MAX = 512, CSV_RECORD_MAX = 256 * 1024, CSV_PROBLEM_MAX = 128 };

struct csv_record {
    size_t line;          /* where it begins; from 1 */
    size_t n_cells;       /* not with a problem */
    const char *const *cells; /* UTF-8 without NUL; these live until the next one is read */
    const char *problem;  /* NULL none: what is wrong, a sentence's end */
};

/* file: that can be sought; lent. The delimiter is what the first line has most of. Errors: -ESPIPE; -ENOMEM; -errno. */
int csv_new(FILE *file, struct csv **ret_csv);
void csv_free(struct csv *csv);
SCOPED_PTR(struct csv, csv_free)

/* Lines with nothing in them are left out. Returns: 1 and *ret_record; 0 at the end. Errors: -errno of the file. */
int csv_read(struct csv *csv, struct csv_record *ret_record);

/*
 * One cell, after a ',' unless it is the first; csv_end() ends the record.
 *
 * A cell that a spreadsheet would take for a formula (it begins with = + - @ or a control character) gets a ' in front,
 * which csv_plain() takes away again. A telephone number, + and digits, is none and stays as it is.
 */
void csv_write(FILE *out, const char *text, bool is_first);
void csv_end(FILE *out);
const char *csv_plain(const char *cell);
