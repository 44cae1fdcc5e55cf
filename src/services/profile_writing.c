/*
 * profile_writing.c - the part of a profile that is said in writing
 */
#include "services/profile_loading.h"

#include <string.h>

#include <json-c/json.h>

#include "utils/text.h"

/* {business} filled in; "" and a problem when there is nothing, or too much. */
static const char *load_text(struct loading *loading, struct json_object *value, const char *where, const char *key)
{
    const char *text = loading_plain_text(loading, value, where, key);
    char out[PROFILE_TEXT_MAX] = "";
    size_t n = 0;

    if (!text) {
        if (!json_object_is_type(value, json_type_string))
            loading_problem(loading, "%s: \"%s\" must be of type string", where, key);
        return "";
    }
    size_t n_whole = loading_fill(loading, text, out, sizeof(out), &n);
    if (!n_whole || n_whole >= sizeof(out))
        loading_problem(loading, "%s: \"%s\" has %zu bytes, 1 to %zu are possible", where, key, n_whole, sizeof(out) - 1);
    return loading_keep(loading, out, n);
}

/* By id; which there are is known by now. */
static void load_questions(struct loading *loading, struct json_object *object)
{
    struct profile *profile = loading->profile;

    json_object_object_foreach(object, id, value)
    {
        const struct question *question = profile_question(profile, id);

        if (!question)
            loading_problem(loading, "writing: questions: there is no question \"%.32s\"", id);
        else if (question->expect == ANSWER_YESNO || !question->field)
            loading_problem(loading, "writing: questions: \"%s\" is a yesno, which is not asked in writing", id);
        else
            profile->writing.questions[question - profile->questions] = load_text(loading, value, "writing: questions", id);
    }
}

void loading_writing(struct loading *loading, struct json_object *object)
{
    static const struct key keys[] = {
        { "greeting", json_type_string, true }, { "thanks", json_type_string, true },  { "human", json_type_string, true },
        { "voice", json_type_string, true },    { "closed", json_type_string, false }, { "questions", json_type_object, true },
    };
    struct profile_writing *writing = &loading->profile->writing;
    const struct {
        const char *key;
        const char **value;
    } texts[] = {
        { "greeting", &writing->greeting }, { "thanks", &writing->thanks }, { "human", &writing->human },
        { "voice", &writing->voice },       { "closed", &writing->closed },
    };
    struct json_object *value = NULL;

    writing->is_set = true;
    loading_check_keys(loading, object, keys, ELEMENTSOF(keys), "writing");
    for (size_t i = 0; i < ELEMENTSOF(texts); i++)
        if (json_object_object_get_ex(object, texts[i].key, &value) && json_object_is_type(value, json_type_string))
            *texts[i].value = load_text(loading, value, "writing", texts[i].key);
    if (json_object_object_get_ex(object, "questions", &value) && json_object_is_type(value, json_type_object))
        load_questions(loading, value);
}
