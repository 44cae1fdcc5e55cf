#pragma once
/*
 * profile.h - who answers: prompts and questions of an agent, from JSON
 *
 * AGENT_PROFILE names a shipped profile (receptionist-en, receptionist-he, echo) or a path.
 * Immutable after loading; shared by all threads.
 */

#include <stdbool.h>
#include <stddef.h>

#include "models/turn.h"

enum profile_mode { PROFILE_SCRIPT, PROFILE_ECHO };

struct prompt {
    const char *id;
    const char *text; /* may hold {business}, {name}, {number}, {digits}; fixed ones are rendered at start */
    bool fixed;       /* no placeholder but {business} */
};

struct question {
    const char *id;
    const char *field;  /* what the answer is learnt as; NULL a confirmation */
    enum answer_kind expect;
    const char *ask, *again, *keypad; /* prompt ids: first time, not understood, by keypad */
    const char *on_yes, *on_no, *next; /* question ids; "goodbye" ends */
};

struct profile {
    char name[64];
    char language[8]; /* "en", "he" */
    enum profile_mode mode;
    const struct prompt *prompts;
    size_t n_prompts;
    const struct question *questions;
    size_t n_questions;
    void *storage; /* what the strings live in */
};

/*
 * Errors: -ENOENT, -EBADMSG; every problem (unknown key, missing prompt, dangling next, wrong type) is
 *         written to problems, one a line, before it fails.
 */
int profile_load(const char *name_or_path, const char *business, char *problems, size_t n_problems,
                 struct profile **ret_profile);
void profile_free(struct profile *profile);
const struct prompt *profile_prompt(const struct profile *profile, const char *id); /* or NULL */
