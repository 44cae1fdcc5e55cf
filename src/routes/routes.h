#pragma once
/* routes.h - the blueprints, one per file of this folder; app.c lists them */

#include "router.h"

extern const struct blueprint admin;  /* /admin */
extern const struct blueprint health; /* /health */
