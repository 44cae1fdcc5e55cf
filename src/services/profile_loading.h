#pragma once
/* profile_loading.h - inside of the profile: what its parts are read with. See profile.c. */

#include <json-c/json_object.h>

#include "services/profile.h"

enum {
    PROMPTS_MAX = 128,
    ID_MAX = 32,
    MESSAGES_MAX = 16,
    INSTRUCTIONS_MAX = 4096,
    LOADING_CHAT_MAX = INSTRUCTIONS_MAX + MESSAGES_MAX * PROFILE_TEXT_MAX,
    LOADING_WRITING_MAX = (PROFILE_QUESTIONS_MAX + 5) * PROFILE_TEXT_MAX,
};

struct storage {
    struct prompt prompts[PROMPTS_MAX];
    struct question questions[PROFILE_QUESTIONS_MAX];
    struct profile_message messages[MESSAGES_MAX];
    size_t n_used, n_strings;
    char strings[];
};

struct loading {
    const char *business;
    char *problems;
    size_t n_text, n_problems; /* bytes written; room for them */
    unsigned n_found;
    struct profile *profile;
    struct storage *storage;
    unsigned holds[PROMPTS_MAX]; /* which placeholders, as bits */
    bool used[PROMPTS_MAX];
};

__attribute__((format(printf, 2, 3))) void loading_problem(struct loading *loading, const char *format, ...);

const char *loading_keep(struct loading *loading, const char *text, size_t n); /* a copy that lives with the profile */
bool loading_id_valid(const char *id, size_t max);
/* Append text with {business} filled in. Returns: the bytes of the whole, also of what found no room. */
size_t loading_fill(const struct loading *loading, const char *text, char *out, size_t size, size_t *n_used);

/* Every key known and of its type; every required one there. */
struct key {
    const char *name;
    enum json_type type;
    bool required;
    bool or_list; /* an array of them */
};
void loading_check_keys(struct loading *loading, struct json_object *object, const struct key *keys, size_t n_keys,
                        const char *where);

/* A string without control characters, or NULL: another type, or named as a problem already. */
const char *loading_plain_text(struct loading *loading, struct json_object *value, const char *where, const char *key);
const char *loading_string(struct loading *loading, struct json_object *object, const char *key, const char *where);
const char *loading_id(struct loading *loading, struct json_object *value, const char *where, const char *key, size_t max);

void loading_chat(struct loading *loading, struct json_object *object);  /* profile_chat.c */
void loading_hours(struct loading *loading, struct json_object *object); /* profile_hours.c */
void loading_writing(struct loading *loading, struct json_object *object); /* profile_writing.c; when all questions are loaded */
