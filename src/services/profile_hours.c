/*
 * profile_hours.c - the part of a profile that says when somebody is in the office
 */
#include "services/profile_loading.h"

#include <string.h>

#include <json-c/json.h>

/* Each of a string, or of a list of strings; NULL that is no string was named already, or is now. */
static const char *item_at(struct loading *loading, struct json_object *value, size_t i, const char *key)
{
    bool is_list = json_object_is_type(value, json_type_array);
    struct json_object *one = is_list ? json_object_array_get_idx(value, i) : value;

    if (is_list && !json_object_is_type(one, json_type_string))
        loading_problem(loading, "hours: \"%s\" must hold strings", key);
    return loading_plain_text(loading, one, "hours", key);
}

static size_t n_items(struct json_object *value)
{
    return json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 1;
}

static void load_day(struct loading *loading, struct json_object *value, const char *name, int day)
{
    struct hours *hours = &loading->profile->hours;

    for (size_t i = 0; i < n_items(value); i++) {
        const char *text = item_at(loading, value, i, name);
        unsigned n = hours->n_ranges[day];
        struct hours_range range;

        if (!text)
            continue;
        if (n == HOURS_RANGES_MAX) {
            loading_problem(loading, "hours: \"%s\" has more than %d ranges", name, HOURS_RANGES_MAX);
            return;
        }
        if (hours_parse_range(text, &range) < 0) {
            loading_problem(loading, "hours: \"%s\": \"%.24s\" is no range; write it like 09:00-17:30", name, text);
        } else if (n && hours->days[day][n - 1].to > range.from) {
            loading_problem(loading, "hours: \"%s\": %s must begin after the one before it ends", name, text);
        } else {
            hours->days[day][hours->n_ranges[day]++] = range;
            hours->is_set = true;
        }
    }
}

static void load_closed(struct loading *loading, struct json_object *value)
{
    struct hours *hours = &loading->profile->hours;

    for (size_t i = 0; i < n_items(value); i++) {
        const char *text = item_at(loading, value, i, "closed");

        if (!text)
            continue;
        if (hours->n_closed == HOURS_CLOSED_MAX) {
            loading_problem(loading, "hours: \"closed\" has more than %d dates", HOURS_CLOSED_MAX);
            return;
        }
        if (hours_parse_date(text, &hours->closed[hours->n_closed]) < 0)
            loading_problem(loading, "hours: \"closed\": \"%.24s\" is no date; write it like 2026-12-25", text);
        else
            hours->n_closed++;
    }
}

void loading_hours(struct loading *loading, struct json_object *object)
{
    json_object_object_foreach(object, name, value)
    {
        int day = hours_parse_day(name);

        if (day < 0 && strcmp(name, "closed") != 0)
            loading_problem(loading, "hours: unknown key \"%s\"; there are sunday to saturday, and closed", name);
        else if (!json_object_is_type(value, json_type_string) && !json_object_is_type(value, json_type_array))
            loading_problem(loading, "hours: \"%s\" must be of type string or array", name);
        else if (day < 0)
            load_closed(loading, value);
        else
            load_day(loading, value, name, day);
    }
    if (!loading->profile->hours.is_set)
        loading_problem(loading, "hours: no day has a range; leave \"hours\" out when nothing is to be said of them");
}
