#pragma once
/* store_check.h - whether every row of a store can be read, and every index leads to what it is of */

#include "db.h"

enum { STORE_CHECK_TOLD = 8, STORE_CHECK_TEXT = 160 };

struct store_report {
    uint64_t n_rows[DB_N_TABLES];
    uint64_t n_wrong;                                   /* rows */
    char wrong[STORE_CHECK_TOLD][STORE_CHECK_TEXT];     /* of the first ones: table, key, what it is */
};

/*
 * Walk every table and decode every row.
 *
 * on_rows: told now and then how many were walked; a negative return ends it and is returned. May be NULL.
 * Returns: 0, also when rows are wrong: ret_report says so. Errors: -EUCLEAN a page is damaged; those of db.h.
 */
typedef int store_check_progress(uint64_t n_rows, void *arg);
int store_check(struct db_txn *txn, store_check_progress *on_rows, void *arg, struct store_report *ret_report);
