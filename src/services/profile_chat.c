/*
 * profile_chat.c - the part of a profile that is for a chat model
 */
#include "services/profile_loading.h"

#include <string.h>

#include <json-c/json.h>

#include "utils/text.h"

/* One text, or a list of lines. */
static void load_instructions(struct loading *loading, struct json_object *value)
{
    bool is_list = json_object_is_type(value, json_type_array);
    size_t n_lines = is_list ? json_object_array_length(value) : 1, n_used = 0, n_whole = 0;
    char out[INSTRUCTIONS_MAX] = "";

    for (size_t i = 0; i < n_lines; i++) {
        struct json_object *one = is_list ? json_object_array_get_idx(value, i) : value;
        const char *line = loading_plain_text(loading, one, "chat", "instructions");

        if (!line && is_list && !json_object_is_type(one, json_type_string))
            loading_problem(loading, "chat: \"instructions\" must hold strings");
        text_add(out, sizeof(out), &n_used, "\n", i > 0);
        n_whole += (i > 0) + loading_fill(loading, line ? line : "", out, sizeof(out), &n_used);
    }
    if (!n_whole)
        loading_problem(loading, "chat: \"instructions\" is empty");
    if (n_whole >= sizeof(out))
        loading_problem(loading, "chat: \"instructions\" is too long: %zu bytes, %zu are possible", n_whole,
                        sizeof(out) - 1);
    loading->profile->chat.instructions = loading_keep(loading, out, n_used);
}

static void load_messages(struct loading *loading, struct json_object *object)
{
    struct profile_chat *chat = &loading->profile->chat;

    json_object_object_foreach(object, id, value)
    {
        struct profile_message *message = &loading->storage->messages[chat->n_messages];
        const char *text = loading_plain_text(loading, value, "chat: messages", id);
        char out[PROFILE_TEXT_MAX] = "";
        size_t n = 0;

        if (!loading_id_valid(id, ID_MAX))
            loading_problem(loading, "chat: messages: \"%s\" is no id: 1 to %d of a-z 0-9 _ -", id, ID_MAX);
        if (!json_object_is_type(value, json_type_string))
            loading_problem(loading, "chat: message \"%s\" must be of type string", id);
        if (chat->n_messages == MESSAGES_MAX) {
            loading_problem(loading, "chat: more than %d messages", MESSAGES_MAX);
            return;
        }
        size_t n_whole = loading_fill(loading, text ? text : "", out, sizeof(out), &n);
        if (text && (!n_whole || n_whole >= sizeof(out)))
            loading_problem(loading, "chat: message \"%s\" has %zu bytes, 1 to %zu are possible", id, n_whole,
                            sizeof(out) - 1);
        message->id = loading_keep(loading, id, strlen(id));
        message->text = loading_keep(loading, out, n);
        chat->n_messages++;
    }
}

void loading_chat(struct loading *loading, struct json_object *object)
{
    static const struct key keys[] = {
        { "instructions", json_type_string, true, true },
        { "opening", json_type_string, true },
        { "messages", json_type_object, false },
    };
    struct json_object *value = NULL;

    loading->profile->has_chat = true;
    loading_check_keys(loading, object, keys, ELEMENTSOF(keys), "chat");
    if (json_object_object_get_ex(object, "instructions", &value))
        load_instructions(loading, value);
    if (json_object_object_get_ex(object, "opening", &value))
        loading->profile->chat.opening = loading_id(loading, value, "chat", "opening", ID_MAX);
    if (json_object_object_get_ex(object, "messages", &value) && json_object_is_type(value, json_type_object))
        load_messages(loading, value);
}
