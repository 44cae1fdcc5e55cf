#pragma once
/* crm_schema.h - how a store of an older version becomes one of this; for db_options */

#include "db.h"

enum { CRM_N_MIGRATIONS = 1 };
extern db_migration *const crm_migrations[CRM_N_MIGRATIONS];
