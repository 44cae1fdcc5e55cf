#pragma once
/* store.h - how a command comes to the store, beside a running daemon or without one */

#include <stdbool.h>

struct db;

/* Errors: those of db_open(); what is wrong, and what to do about it, was said on stderr. */
int cli_open_store(const char *command, const char *path, bool read_only, struct db **ret_db);
