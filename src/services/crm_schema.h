#pragma once
/* crm_schema.h - how a store of an older version becomes one of this; for db_options */

#include "db.h"

extern const struct db_migration crm_migrations[];
extern const size_t crm_n_migrations;
