/*
 * turn.c - a turn's names and its JSON
 *
 * The milestones are a member of their own, "times", and only the caller's
 * turns have any: the reply belongs to the turn that it answers.
 */
#include "models/turn.h"

#include <errno.h>
#include <string.h>

#include "utils/json.h"

static const char *const whos[] = { [TURN_AGENT] = "agent", [TURN_CALLER] = "caller" };

static const char *const kinds[ANSWER_N_KINDS] = {
    [ANSWER_FREE] = "free",     [ANSWER_YESNO] = "yesno",     [ANSWER_DIGITS] = "digits",
    [ANSWER_NUMBER] = "number", [ANSWER_COMMAND] = "command",
};

static const struct json_field fields[] = {
    JSON_FIELD_ENUM(struct turn, who, whos),
    JSON_FIELD(struct turn, text, JSON_CHARS),
    JSON_FIELD(struct turn, full, JSON_CHARS),
    JSON_FIELD(struct turn, audio, JSON_CHARS),
    JSON_FIELD_ENUM(struct turn, expected, kinds),
    JSON_FIELD(struct turn, start_ms, JSON_U64),
    JSON_FIELD(struct turn, end_ms, JSON_U64),
    JSON_FIELD(struct turn, confidence, JSON_DOUBLE),
    JSON_FIELD(struct turn, interrupted, JSON_BOOL),
    JSON_FIELD(struct turn, keyed, JSON_BOOL),
};

static const struct json_field time_fields[] = {
    JSON_FIELD(struct turn_times, speech_end, JSON_U64),
    JSON_FIELD(struct turn_times, decided, JSON_U64),
    JSON_FIELD(struct turn_times, transcript, JSON_U64),
    JSON_FIELD(struct turn_times, first_token, JSON_U64),
    JSON_FIELD(struct turn_times, first_sentence, JSON_U64),
    JSON_FIELD(struct turn_times, first_audio, JSON_U64),
    JSON_FIELD(struct turn_times, first_frame, JSON_U64),
    JSON_FIELD(struct turn_times, listened, JSON_U64),
    JSON_FIELD(struct turn_times, stt_asked, JSON_U64),
    JSON_FIELD(struct turn_times, stt_answered, JSON_U64),
    JSON_FIELD(struct turn_times, chat_asked, JSON_U64),
    JSON_FIELD(struct turn_times, chat_answered, JSON_U64),
    JSON_FIELD(struct turn_times, tts_asked, JSON_U64),
    JSON_FIELD(struct turn_times, tts_answered, JSON_U64),
};

int answer_kind_parse(const char *name)
{
    return json_name_index(kinds, ELEMENTSOF(kinds), name, strlen(name));
}

struct json_object *turn_to_json(const struct turn *turn)
{
    static const struct turn_times none;
    struct json_object *json = json_write(fields, ELEMENTSOF(fields), turn);

    if (!json || memcmp(&turn->times, &none, sizeof(none)) == 0)
        return json;
    if (json_add(json, "times", json_write(time_fields, ELEMENTSOF(time_fields), &turn->times)) <
        0) {
        json_object_put(json);
        return NULL;
    }
    return json;
}

int turn_from_json(struct json_object *json, struct turn *ret_turn)
{
    struct turn turn = { .confidence = -1 };
    struct json_object *times;
    int r = json_read(json, fields, ELEMENTSOF(fields), &turn);

    if (r == 0 && json_object_object_get_ex(json, "times", &times))
        r = json_read(times, time_fields, ELEMENTSOF(time_fields), &turn.times);
    if (r == 0)
        *ret_turn = turn;
    return r;
}
