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

#include "utils/scoped.h"

enum config_type { UINT, BOOL, TEXT, PATH, SECRET, LETTER, CHOICE };

typedef uint64_t config_UINT;
typedef bool config_BOOL;
typedef const char *config_TEXT; /* NULL when unset and without default; lives as long as the config */
typedef const char *config_PATH;
typedef const char *config_SECRET;
typedef const char *config_LETTER; /* a secret of several lines */
typedef const char *config_CHOICE; /* always one of the row's words */

struct config {
#define CONFIG(type, field, ...) config_##type field;
#include "config.def"
#undef CONFIG
    void *storage; /* what the strings and the sources live in */
};

/*
 * Load from, in this order: $CREDENTIALS_DIRECTORY/NAME, the process environment, the env file
 * (may be NULL; the syntax of systemd's EnvironmentFile=), the default. A blank value is none.
 *
 * Errors: -EINVAL after every bad value was written to problems, one a line: NAME: what is wrong; what to do.
 * A name in the env file that is no setting is written to problems too, as "warning: ...", and does
 * not fail; `config --check` counts it.
 */
int config_load(const char *env_file, FILE *problems, struct config **ret_config);

/*
 * The same for a command beside the daemon: bad values fail, but what production needs to be safe
 * (public name, auth token) may be missing.
 */
int config_load_tool(const char *env_file, FILE *problems, struct config **ret_config);

void config_free(struct config *config); /* wipes secrets */
SCOPED_PTR(struct config, config_free)

bool config_is_production(const struct config *config);

/* OPENAI_BASE_URL, when there is any sign that it is to be asked; else NULL. */
const char *config_openai_url(const struct config *config);

/* Where speech is transcribed; NULL: neither a key nor a URL is set, and nothing leaves this machine. */
const char *config_stt_url(const struct config *config);
const char *config_stt_key(const struct config *config); /* what goes there; NULL nothing */

/* Where the chat model is, and its key, NULL none; NULL: as above, or CHAT_MODEL is none. */
const char *config_chat_url(const struct config *config);
const char *config_chat_key(const struct config *config);

/* Where OpenAI's voice, or one like it, is asked; NULL: nowhere. */
const char *config_tts_url(const struct config *config);

/* The path of a lmdb:// DATABASE_URL. */
const char *config_database_path(const struct config *config);

/* systemd connected stderr to the journal, so lines may go there with fields. */
bool config_stderr_is_journal(void);

/* One setting as it may be shown to anybody. */
struct config_setting {
    const char *name;
    const char *value;  /* NULL unset; a secret is "********" */
    const char *source; /* credential, environment, FILE:LINE, default, unset */
};

/* Returns: false when there are only i settings or fewer. */
bool config_setting(const struct config *config, size_t i, struct config_setting *ret_setting);

/* config-doc.c: .env.example, and the settings of agentlocator.env(5) as mdoc. */
void config_print_example(FILE *out);
void config_print_man(FILE *out);
