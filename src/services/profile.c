/*
 * profile.c - who answers, from JSON
 *
 * The shipped profiles are part of the program (profiles/NAME.json, made into profiles.inc at build time),
 * so that a name always means the file this binary was tested with, installed or not; anything with a
 * slash in it is a path. A profile is read in two passes: the first takes each value into one block of
 * memory and checks it by itself, the second checks what refers to what. Neither stops at the first
 * problem: an operator mends a file in one go.
 */
#include "services/profile.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "models/contact.h"
#include "services/profile_loading.h"
#include "utils/file.h"
#include "utils/json.h"
#include "utils/text.h"

enum {
    FILE_MAX = 256 * KIB,
    DEPTH_MAX = 8,
    FIELD_MAX = 24, /* an agent's suffix (_audio, _heard) still fits AGENT_FIELD_MAX */
    SPOKEN_NUMBER_MAX = 200, /* fifteen digits in Hebrew words */
    DIGITS_LIMIT = 15,
};

struct shipped {
    const char *name, *json;
};

static const struct shipped shipped[] = {
#include "services/profiles.inc"
};

struct placeholder {
    const char *name;
    size_t longest;
    bool filled; /* when the profile is loaded */
};

enum { IS_BUSINESS, IS_NAME, IS_NUMBER, IS_DIGITS };

static const struct placeholder placeholders[] = {
    [IS_BUSINESS] = { "{business}", 0, true },
    [IS_NAME] = { "{name}", CONTACT_NAME_MAX, false },
    [IS_NUMBER] = { "{number}", SPOKEN_NUMBER_MAX, false },
    [IS_DIGITS] = { "{digits}", SPOKEN_NUMBER_MAX, false },
};

/* Prompts that no question refers to. */
static const struct {
    const char *id;
    bool required;
    unsigned may_hold; /* bits 1 << IS_... */
} standing_prompts[] = {
    { "greeting", true, 0 },          { "greeting_known", false, 1 << IS_NAME },
    { "goodbye", true, 0 },           { "goodbye_unreachable", false, 0 },
    { "goodbye_silence", true, 0 },   { "wait", true, 0 },
    { "trouble", true, 0 },           { "too_long", true, 0 },
    { "leave_message", false, 0 },    { "lines_busy", false, 0 },
};

static const struct {
    bool asked;    /* by a question of a profile */
    bool branches; /* has on_yes and on_no */
    bool counts;   /* has digits_min and digits_max */
} kinds[ANSWER_N_KINDS] = {
    [ANSWER_FREE] = { .asked = true },
    [ANSWER_YESNO] = { .asked = true, .branches = true },
    [ANSWER_DIGITS] = { .asked = true, .counts = true },
    [ANSWER_NUMBER] = { .asked = true, .counts = true },
};

/* --- first pass: values --- */

static const struct placeholder *placeholder_at(const char *text)
{
    for (size_t i = 0; i < ELEMENTSOF(placeholders); i++)
        if (strncmp(text, placeholders[i].name, strlen(placeholders[i].name)) == 0)
            return &placeholders[i];
    return NULL;
}

/* Fill in {business}, remember the others. */
static void load_text(struct loading *loading, const char *id, const char *text,
                      struct prompt *prompt, unsigned *ret_holds)
{
    char filled[PROFILE_TEXT_MAX] = "";
    size_t n = 0, n_worst = 0;
    unsigned holds = 0;

    while (*text) {
        const struct placeholder *found = *text == '{' ? placeholder_at(text) : NULL;
        size_t n_text = found ? strlen(found->name) : strcspn(text + 1, "{") + 1;
        const char *put = found && found->filled ? loading->business : text;
        size_t n_put = found && found->filled ? strlen(put) : n_text;

        if (*text == '{' && !found)
            loading_problem(loading, "prompt \"%s\": unknown placeholder %.*s", id,
                    (int)text_fit(text, strcspn(text, "}") + 1, 24), text);
        if (found && !found->filled)
            holds |= 1U << (found - placeholders);
        n_worst += found && !found->filled ? found->longest : n_put;
        text_add(filled, sizeof(filled), &n, put, n_put);
        text += n_text;
    }
    if (!n)
        loading_problem(loading, "prompt \"%s\" is empty", id);
    if (n_worst >= PROFILE_TEXT_MAX)
        loading_problem(loading,
                "prompt \"%s\" is too long: %zu bytes with all its values, %d are possible", id,
                n_worst, PROFILE_TEXT_MAX - 1);
    prompt->text = loading_keep(loading, filled, n);
    prompt->fixed = !holds;
    *ret_holds = holds;
}

static void load_prompts(struct loading *loading, struct json_object *prompts)
{
    struct profile *profile = loading->profile;

    json_object_object_foreach(prompts, id, value)
    {
        struct prompt *prompt = &loading->storage->prompts[profile->n_prompts];
        const char *text = loading_string(loading, prompts, id, "prompts");

        if (!loading_id_valid(id, ID_MAX))
            loading_problem(loading, "prompts: \"%s\" is no id: 1 to %d of a-z 0-9 _ -", id, ID_MAX);
        if (!json_object_is_type(value, json_type_string))
            loading_problem(loading, "prompt \"%s\" must be of type string", id);
        if (!text)
            continue;
        if (profile->n_prompts == PROMPTS_MAX) {
            loading_problem(loading, "prompts: more than %d", PROMPTS_MAX);
            return;
        }
        prompt->id = loading_keep(loading, id, strlen(id));
        load_text(loading, id, text, prompt, &loading->holds[profile->n_prompts]);
        profile->n_prompts++;
    }
}

static unsigned load_count(struct loading *loading, struct json_object *object, const char *key,
                           const char *where, unsigned absent)
{
    struct json_object *value = NULL;

    if (!json_object_object_get_ex(object, key, &value) ||
        !json_object_is_type(value, json_type_int))
        return absent;
    int64_t count = json_object_get_int64(value);
    if (count < 1 || count > DIGITS_LIMIT) {
        loading_problem(loading, "%s: \"%s\" must be from 1 to %d", where, key, DIGITS_LIMIT);
        return absent;
    }
    return (unsigned)count;
}

/* What only some kinds of question have. */
static void load_kind(struct loading *loading, struct json_object *object, const char *where,
                      struct question *question)
{
    static const char *const branch_keys[] = { "on_yes", "on_no" };
    static const char *const count_keys[] = { "digits_min", "digits_max" };
    const char *name = loading_string(loading, object, "expect", where);
    int i = name ? answer_kind_parse(name) : 0;

    if (!name)
        return;
    if (i < 0 || !kinds[i].asked) {
        loading_problem(loading, "%s: \"expect\" must be free, yesno, digits or number", where);
        return;
    }
    question->expect = (enum answer_kind)i;
    for (size_t k = 0; k < ELEMENTSOF(branch_keys); k++)
        if (json_object_object_get_ex(object, branch_keys[k], NULL) != kinds[i].branches)
            loading_problem(loading,
                    kinds[i].branches ? "%s: \"%s\" is missing" : "%s: \"%s\" is for a yesno only",
                    where, branch_keys[k]);
    for (size_t k = 0; k < ELEMENTSOF(count_keys) && !kinds[i].counts; k++)
        if (json_object_object_get_ex(object, count_keys[k], NULL))
            loading_problem(loading, "%s: \"%s\" is for digits and number only", where, count_keys[k]);
    if (kinds[i].counts) {
        question->digits_min = load_count(loading, object, "digits_min", where, 1);
        question->digits_max = load_count(loading, object, "digits_max", where, DIGITS_LIMIT);
        if (question->digits_min > question->digits_max)
            loading_problem(loading, "%s: \"digits_min\" is over \"digits_max\"", where);
    }
    if (!question->field && !kinds[i].branches)
        loading_problem(loading, "%s: \"field\" is missing", where);
}

/* One prompt id, or a list of them. */
static void load_phrase(struct loading *loading, struct json_object *object, const char *where,
                        const char *key, struct phrase *phrase)
{
    struct json_object *value = NULL;

    if (!json_object_object_get_ex(object, key, &value))
        return;
    bool list = json_object_is_type(value, json_type_array);
    size_t n = list ? json_object_array_length(value) : 1;
    if (n < 1 || n > PHRASE_MAX) {
        loading_problem(loading, "%s: \"%s\" must have 1 to %d prompts", where, key, PHRASE_MAX);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct json_object *one = list ? json_object_array_get_idx(value, i) : value;
        const char *id = loading_id(loading, one, where, key, ID_MAX);

        if (id)
            phrase->prompts[phrase->n_prompts++] = id;
        else if (list)
            loading_problem(loading, "%s: \"%s\" must hold strings", where, key);
    }
}

static void load_question(struct loading *loading, struct json_object *object, const char *where)
{
    static const struct key keys[] = {
        { "id", json_type_string, true },       { "field", json_type_string, false },
        { "expect", json_type_string, true },   { "ask", json_type_string, true, true },
        { "again", json_type_string, true, true }, { "keypad", json_type_string, true, true },
        { "on_yes", json_type_string, false },  { "on_no", json_type_string, false },
        { "next", json_type_string, true },     { "digits_min", json_type_int, false },
        { "digits_max", json_type_int, false },
    };
    struct question *question = &loading->storage->questions[loading->profile->n_questions];
    const struct {
        const char *key;
        const char **value;
        size_t max;
    } strings[] = {
        { "id", &question->id, ID_MAX },         { "field", &question->field, FIELD_MAX },
        { "on_yes", &question->on_yes, ID_MAX }, { "on_no", &question->on_no, ID_MAX },
        { "next", &question->next, ID_MAX },
    };
    struct json_object *value = NULL;

    loading_check_keys(loading, object, keys, ELEMENTSOF(keys), where);
    for (size_t i = 0; i < ELEMENTSOF(strings); i++)
        if (json_object_object_get_ex(object, strings[i].key, &value))
            *strings[i].value = loading_id(loading, value, where, strings[i].key, strings[i].max);
    load_phrase(loading, object, where, "ask", &question->ask);
    load_phrase(loading, object, where, "again", &question->again);
    load_phrase(loading, object, where, "keypad", &question->keypad);
    load_kind(loading, object, where, question);
    loading->profile->n_questions++;
}

static void load_questions(struct loading *loading, struct json_object *questions)
{
    for (size_t i = 0; i < json_object_array_length(questions); i++) {
        struct json_object *object = json_object_array_get_idx(questions, i);
        char where[64];

        (void)snprintf(where, sizeof(where), "question %zu", i + 1);
        if (loading->profile->n_questions == PROFILE_QUESTIONS_MAX) {
            loading_problem(loading, "questions: more than %d", PROFILE_QUESTIONS_MAX);
            return;
        }
        if (json_object_is_type(object, json_type_object))
            load_question(loading, object, where);
        else
            loading_problem(loading, "%s must be of type object", where);
    }
}

static void load_head(struct loading *loading, struct json_object *root)
{
    struct profile *profile = loading->profile;
    const char *name = loading_string(loading, root, "name", "profile");
    const char *language = loading_string(loading, root, "language", "profile");
    const char *mode = loading_string(loading, root, "mode", "profile");

    if (name && !loading_id_valid(name, sizeof(profile->name) - 1))
        loading_problem(loading, "profile: \"name\" is no id: 1 to %zu of a-z 0-9 _ -",
                sizeof(profile->name) - 1);
    if (name)
        (void)text_set(profile->name, sizeof(profile->name), name);

    if (language && (strlen(language) != 2 || !islower((unsigned char)language[0]) ||
                     !islower((unsigned char)language[1])))
        loading_problem(loading, "profile: \"language\" must be two letters, e.g. en or he");
    if (language)
        (void)text_set(profile->language, sizeof(profile->language), language);

    if (mode && strcmp(mode, "echo") != 0 && strcmp(mode, "script") != 0)
        loading_problem(loading, "profile: \"mode\" must be script or echo");
    profile->mode = mode && strcmp(mode, "echo") == 0 ? PROFILE_ECHO : PROFILE_SCRIPT;
}

/* --- second pass: references --- */

static void check_prompt(struct loading *loading, const char *id, unsigned may_hold,
                                 const char *where)
{
    const struct prompt *prompt = profile_prompt(loading->profile, id);

    if (!prompt) {
        loading_problem(loading, "%s: there is no prompt \"%s\"", where, id);
        return;
    }
    size_t n = (size_t)(prompt - loading->profile->prompts);
    loading->used[n] = true;
    for (size_t i = 0; i < ELEMENTSOF(placeholders); i++)
        if (loading->holds[n] & ~may_hold & 1U << i)
            loading_problem(loading, "%s: prompt \"%s\" has no value for %s here", where, id,
                    placeholders[i].name);
}

static void check_question(struct loading *loading, const struct question *question)
{
    const struct phrase *const phrases[] = { &question->ask, &question->again, &question->keypad };
    const char *const nexts[] = { question->on_yes, question->on_no, question->next };
    unsigned may_hold = question->expect != ANSWER_YESNO ? 0
                        : question->field                ? 1U << IS_NUMBER
                                                         : 1U << IS_DIGITS;
    char where[64];

    (void)snprintf(where, sizeof(where), "question \"%.*s\"", ID_MAX,
                   question->id ? question->id : "");
    for (size_t i = 0; i < ELEMENTSOF(phrases); i++)
        for (size_t k = 0; k < phrases[i]->n_prompts; k++)
            check_prompt(loading, phrases[i]->prompts[k], may_hold, where);
    for (size_t i = 0; i < ELEMENTSOF(nexts); i++)
        if (nexts[i] && strcmp(nexts[i], "goodbye") != 0 &&
            !profile_question(loading->profile, nexts[i]))
            loading_problem(loading, "%s: there is no question \"%s\"", where, nexts[i]);
    if (question->id && (strcmp(question->id, "goodbye") == 0 ||
                         profile_question(loading->profile, question->id) != question))
        loading_problem(loading, "%s: the id is taken", where);
}

static void reach(const struct profile *profile, const char *id, bool *reached)
{
    const struct question *question = id ? profile_question(profile, id) : NULL;

    if (!question || reached[question - profile->questions])
        return;
    reached[question - profile->questions] = true; /* each question once: the depth is theirs */
    reach(profile, question->on_yes, reached);
    reach(profile, question->on_no, reached);
    reach(profile, question->next, reached);
}

static void check_references(struct loading *loading)
{
    const struct profile *profile = loading->profile;
    bool reached[PROFILE_QUESTIONS_MAX] = { false };

    if (profile->mode == PROFILE_ECHO) {
        if (profile->n_prompts || profile->n_questions || profile->has_chat || profile->hours.is_set || profile->writing.is_set)
            loading_problem(loading, "profile: an echo says nothing; \"prompts\" and \"questions\" must be empty, and "
                                     "there are no \"chat\", \"hours\" and \"writing\"");
        return;
    }
    for (size_t i = 0; i < ELEMENTSOF(standing_prompts); i++)
        if (standing_prompts[i].required || profile_prompt(profile, standing_prompts[i].id))
            check_prompt(loading, standing_prompts[i].id, standing_prompts[i].may_hold, "profile");
    for (size_t i = 0; i < profile->n_questions; i++)
        check_question(loading, &profile->questions[i]);
    if (profile->chat.opening)
        check_prompt(loading, profile->chat.opening, 0, "chat");
    for (size_t i = 0; i < profile->n_prompts; i++)
        if (!loading->used[i])
            loading_problem(loading, "prompt \"%s\" is never said", profile->prompts[i].id);

    if (!profile->n_questions)
        loading_problem(loading, "profile: \"questions\" is empty");
    else
        reach(profile, profile->questions[0].id, reached);
    for (size_t i = 0; i < profile->n_questions; i++)
        if (profile->questions[i].id && !reached[i])
            loading_problem(loading, "question \"%s\" is never asked", profile->questions[i].id);
}

static void load_root(struct loading *loading, struct json_object *root)
{
    static const struct key keys[] = {
        { "name", json_type_string, true },      { "language", json_type_string, true },
        { "mode", json_type_string, true },      { "prompts", json_type_object, true },
        { "questions", json_type_array, true },  { "chat", json_type_object, false },
        { "hours", json_type_object, false },    { "writing", json_type_object, false },
    };
    struct json_object *prompts = NULL, *questions = NULL, *chat = NULL, *hours = NULL, *writing = NULL;

    if (strpbrk(loading->business, "{}"))
        loading_problem(loading, "the name of the business holds a brace");
    loading_check_keys(loading, root, keys, ELEMENTSOF(keys), "profile");
    load_head(loading, root);
    if (json_object_object_get_ex(root, "prompts", &prompts) &&
        json_object_is_type(prompts, json_type_object))
        load_prompts(loading, prompts);
    if (json_object_object_get_ex(root, "questions", &questions) &&
        json_object_is_type(questions, json_type_array))
        load_questions(loading, questions);
    if (json_object_object_get_ex(root, "chat", &chat) && json_object_is_type(chat, json_type_object))
        loading_chat(loading, chat);
    if (json_object_object_get_ex(root, "hours", &hours) && json_object_is_type(hours, json_type_object))
        loading_hours(loading, hours);
    if (json_object_object_get_ex(root, "writing", &writing) && json_object_is_type(writing, json_type_object))
        loading_writing(loading, writing);
    check_references(loading);
}

/* --- public --- */

SCOPED_PTR(struct json_tokener, json_tokener_free)

static struct json_object *parse_json(struct loading *loading, const char *json, size_t n)
{
    scoped(json_tokener_free) struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
    scoped(json_object_put) struct json_object *root = NULL;

    if (!tokener)
        return NULL;
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    root = json_tokener_parse_ex(tokener, json, (int)n);
    if (json_tokener_get_error(tokener) != json_tokener_success ||
        json_tokener_get_parse_end(tokener) < n) {
        size_t line = 1, end = json_tokener_get_parse_end(tokener);
        for (size_t i = 0; i < end && i < n; i++)
            line += json[i] == '\n';
        loading_problem(loading, "line %zu: %s", line,
                json_tokener_get_error(tokener) == json_tokener_continue
                    ? "the file ends too early"
                    : json_tokener_error_desc(json_tokener_get_error(tokener)));
        return NULL;
    }
    if (!json_object_is_type(root, json_type_object)) {
        loading_problem(loading, "profile: must be of type object");
        return NULL;
    }
    return steal(&root);
}

int profile_parse(const char *json, size_t n, const char *business, char *problems,
                  size_t n_problems, struct profile **ret_profile)
{
    struct loading loading = { .business = business,
                               .problems = problems,
                               .n_problems = n_problems };
    scoped(profile_free) struct profile *profile = NULL;
    scoped(json_object_put) struct json_object *root = NULL;

    if (n_problems)
        problems[0] = '\0';
    if (n > FILE_MAX) {
        loading_problem(&loading, "profile: over %d KiB", FILE_MAX / KIB);
        return -EBADMSG;
    }
    while (n && isspace((unsigned char)json[n - 1])) /* the tokener takes nothing behind the last brace */
        n--;
    root = parse_json(&loading, json, n);
    if (!root)
        return loading.n_found ? -EBADMSG : -ENOMEM;

    /* every string of the file, and every prompt filled */
    size_t n_strings = n + (size_t)PROMPTS_MAX * PROFILE_TEXT_MAX + LOADING_CHAT_MAX + LOADING_WRITING_MAX;
    profile = calloc(1, sizeof(*profile));
    if (!profile || !(profile->storage = calloc(1, sizeof(struct storage) + n_strings)))
        return -ENOMEM;
    loading.profile = profile;
    loading.storage = profile->storage;
    loading.storage->n_strings = n_strings;
    profile->prompts = loading.storage->prompts;
    profile->questions = loading.storage->questions;
    profile->chat.messages = loading.storage->messages;

    load_root(&loading, root);
    if (loading.n_found)
        return -EBADMSG;
    *ret_profile = steal(&profile);
    return 0;
}

int profile_load(const char *name_or_path, const char *business, char *problems, size_t n_problems,
                 struct profile **ret_profile)
{
    struct loading loading = { .problems = problems, .n_problems = n_problems };
    scoped(free) char *json = NULL;
    size_t n = 0;

    if (n_problems)
        problems[0] = '\0';
    for (size_t i = 0; i < ELEMENTSOF(shipped); i++)
        if (strcmp(name_or_path, shipped[i].name) == 0)
            return profile_parse(shipped[i].json, strlen(shipped[i].json), business, problems,
                                 n_problems, ret_profile);
    if (!strchr(name_or_path, '/')) {
        loading_problem(&loading,
                "there is no profile \"%s\"; a path has a slash in it, and these are shipped:",
                name_or_path);
        for (size_t i = 0; i < ELEMENTSOF(shipped); i++)
            loading_problem(&loading, "  %s", shipped[i].name);
        return -ENOENT;
    }

    int r = file_read(name_or_path, 0, FILE_MAX, &json, &n);
    if (r < 0) {
        loading_problem(&loading, "%s: %s", name_or_path, strerror(-r));
        return r == -ENOENT || r == -ENOMEM ? r : -EBADMSG;
    }
    return profile_parse(json, n, business, problems, n_problems, ret_profile);
}

void profile_free(struct profile *profile)
{
    if (!profile)
        return;
    free(profile->storage);
    free(profile);
}

const struct prompt *profile_prompt(const struct profile *profile, const char *id)
{
    for (size_t i = 0; i < profile->n_prompts; i++)
        if (profile->prompts[i].id && strcmp(profile->prompts[i].id, id) == 0)
            return &profile->prompts[i];
    return NULL;
}

const struct question *profile_question(const struct profile *profile, const char *id)
{
    for (size_t i = 0; i < profile->n_questions; i++)
        if (profile->questions[i].id && strcmp(profile->questions[i].id, id) == 0)
            return &profile->questions[i];
    return NULL;
}
