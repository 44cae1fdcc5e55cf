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
#include "utils/hours.h"
#include "utils/scoped.h"

enum {
    PROFILE_TEXT_MAX = TURN_TEXT_MAX / 2, /* bytes of a prompt with the longest values in its placeholders, and NUL */
    PROFILE_QUESTIONS_MAX = 32,
    PHRASE_MAX = 3,
};

enum profile_mode { PROFILE_SCRIPT, PROFILE_ECHO };

struct prompt {
    const char *id;
    const char *text; /* {business} is filled in; may hold {name}, {number}, {digits} */
    bool fixed;       /* holds none of them: rendered at start */
};

/* Prompt ids, said one after the other: what is fixed sounds at once while a number is being rendered. */
struct phrase {
    const char *prompts[PHRASE_MAX];
    size_t n_prompts;
};

struct question {
    const char *id;
    const char *field;  /* what the answer is learnt as; NULL a confirmation of the last number */
    enum answer_kind expect; /* a yes/no with a field offers the caller's own number for it */
    unsigned digits_min, digits_max; /* of a spoken or keyed number */
    struct phrase ask, again, keypad; /* first time, not understood, by keypad */
    const char *on_yes, *on_no; /* question ids, or "goodbye"; NULL unless it is a yes/no */
    const char *next;           /* the same: after an answer, and when none could be had */
};

/* For a chat model. */
struct profile_message {
    const char *id, *text; /* a WhatsApp message the model may send as it is */
};
struct profile_chat {
    const char *instructions; /* what it is told of the business, lines */
    const char *opening;      /* id of a fixed prompt: the first question */
    const struct profile_message *messages;
    size_t n_messages;
};

/* For who writes, where no chat model answers. */
#define PROFILE_OPENS "{opens}"
struct profile_writing {
    bool is_set; /* else nothing is said */
    const char *greeting, *thanks, *human, *voice;
    const char *closed; /* may hold PROFILE_OPENS: when the office opens next; NULL nothing is said of it */
    const char *questions[PROFILE_QUESTIONS_MAX]; /* as they are asked in writing, by their number; NULL it is not */
};

struct profile {
    char name[64];
    char language[8]; /* "en", "he" */
    enum profile_mode mode;
    const struct prompt *prompts;
    size_t n_prompts;
    const struct question *questions;
    size_t n_questions;
    bool has_chat; /* else the script answers in any case */
    struct profile_chat chat;
    struct hours hours; /* of the office */
    struct profile_writing writing;
    void *storage; /* what the strings live in */
};

/*
 * Errors: -ENOENT, -EBADMSG; every problem (unknown key, missing prompt, dangling next, wrong type) is
 *         written to problems, one a line, before it fails.
 */
int profile_load(const char *name_or_path, const char *business, char *problems, size_t n_problems,
                 struct profile **ret_profile);
/* The same for a profile in memory; json need not be NUL-terminated. */
int profile_parse(const char *json, size_t n, const char *business, char *problems, size_t n_problems,
                  struct profile **ret_profile);
void profile_free(struct profile *profile);
SCOPED_PTR(struct profile, profile_free)

const struct prompt *profile_prompt(const struct profile *profile, const char *id);     /* or NULL */
const struct question *profile_question(const struct profile *profile, const char *id); /* or NULL */
