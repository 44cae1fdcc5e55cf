#pragma once
/* count_rows.h - how many rows a table has */

#include "db.h"

static int count_row(struct db_bytes key, struct db_bytes value, void *arg)
{
    ++*(int *)arg;
    return 0;
}

/* Returns: -1 it cannot be read. */
__attribute__((unused)) static int count_rows(struct db *db, enum db_table table)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct db_bytes all = { "", 0 };
    int n = 0;

    return db_read_begin(db, &txn) < 0 || db_each(txn, table, all, all, DB_UP, count_row, &n) < 0 ? -1 : n;
}
