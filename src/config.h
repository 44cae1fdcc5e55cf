#pragma once
/*
 * config.h - the settings of the process
 *
 * config.c is the only reader of the environment and of systemd credentials.
 * Every row of config.def is a field here, a parser row there, a line of
 * .env.example and of agentlocator.env(5).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef uint64_t config_UINT;
typedef bool config_BOOL;
typedef const char *config_TEXT; /* NULL when unset and without default; lives as long as the config */
typedef const char *config_PATH;
typedef const char *config_SECRET;
typedef const char *config_CHOICE; /* always one of the row's words */

struct config {
#define CONFIG(type, field, ...) config_##type field;
#include "config.def"
#undef CONFIG
    void *storage; /* what the strings and the sources live in */
};

/*
 * Load from, in this order: $CREDENTIALS_DIRECTORY/NAME, the process environment, the env file
 * (may be NULL; the syntax of systemd's EnvironmentFile=), the default.
 *
 * Errors: -EINVAL after every bad value was written to problems, one a line: NAME: what is wrong; what to do.
 */
int config_load(const char *env_file, FILE *problems, struct config **ret_config);
void config_free(struct config *config); /* wipes secrets */

bool config_is_production(const struct config *config);

/* The path of a lmdb:// DATABASE_URL. */
const char *config_database_path(const struct config *config);
