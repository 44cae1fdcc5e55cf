/*
 * cli/store.c - how a command comes to the store
 */
#include "cli/store.h"

#include <stdio.h>

#include "db.h"
#include "services/crm_schema.h"

int cli_open_store(const char *command, const char *path, bool read_only, struct db **ret_db)
{
    struct db_options options = { .path = path, .read_only = read_only, .migrations = crm_migrations, .n_migrations = crm_n_migrations };
    int r = db_open(&options, ret_db);

    if (r < 0)
        fprintf(stderr, "agentlocator %s: cannot open the store %s: %s.\n", command, path, db_explain(r));
    return r;
}
