/*
 * agent_history.c - what was said in a call, as a chat model is told it
 *
 * Between a call of tools and its results on one side and the next round of the same turn on the other, the model has
 * to know what it said beside the call, or it says it again; whether that was heard is not known yet. So a unit of
 * tools keeps a gap for those words, which is filled while the turn lasts and stays null afterwards: what was heard
 * then follows as a message of its own.
 */
#include "services/agent_history.h"

#include <assert.h>
#include <string.h>

#include "utils/json_plain.h"

enum {
    MESSAGE_MAX = 3 * 1024, /* of one message; what is longer is cut between characters */
    TAIL_MAX = 64,          /* left for what closes it */
    UNIT_MAX = sizeof(struct history_tools) + 128,
};

_Static_assert((int)UNIT_MAX < (int)HISTORY_MAX && (int)MESSAGE_MAX < (int)HISTORY_MAX, "whatever comes finds room");

struct text {
    char *at;
    size_t n, max;
};

static bool put(struct text *text, const char *json)
{
    size_t n = strlen(json);

    if (text->n + n > text->max)
        return false;
    memcpy(text->at + text->n, json, n);
    text->n += n;
    return true;
}

static void put_quoted(struct text *text, const char *bytes)
{
    size_t max = text->max - TAIL_MAX;

    if (text->n < max)
        text->n += json_quote(text->at + text->n, max - text->n, bytes, strlen(bytes));
}

static void drop_oldest(struct agent_history *history)
{
    size_t n = history->units[0].n;

    history->n_json -= n;
    memmove(history->json, history->json + n, history->n_json);
    history->n_units--;
    memmove(history->units, history->units + 1, history->n_units * sizeof(history->units[0]));
    history->n_before -= history->n_before > 0;
    history->n_dropped++;
}

static void add(struct agent_history *history, const struct text *text, size_t gap)
{
    while (history->n_units == HISTORY_UNITS_MAX || history->n_json + text->n > HISTORY_MAX)
        drop_oldest(history);
    memcpy(history->json + history->n_json, text->at, text->n);
    history->n_json += text->n;
    history->units[history->n_units++] = (struct history_unit){ (uint16_t)text->n, (uint16_t)gap };
}

void history_say(struct agent_history *history, enum history_role role, const char *before, const char *text,
                 const char *behind)
{
    static const char *const heads[] = {
        [HISTORY_USER] = "{\"role\":\"user\",\"content\":\"",
        [HISTORY_ASSISTANT] = "{\"role\":\"assistant\",\"content\":\"",
    };
    char room[MESSAGE_MAX];
    struct text message = { room, 0, sizeof(room) };

    (void)put(&message, heads[role]);
    put_quoted(&message, before);
    put_quoted(&message, text);
    (void)put(&message, behind);
    (void)put(&message, "\"}");
    add(history, &message, 0);
}

void history_tools_clear(struct history_tools *tools)
{
    tools->n_calls = tools->n_results = 0;
    tools->n = 0;
}

static bool put_call(struct text *calls, const char *id, const char *name, const char *arguments, bool is_first)
{
    size_t n = calls->n;

    (void)put(calls, is_first ? "{\"id\":\"" : ",{\"id\":\"");
    put_quoted(calls, id);
    (void)put(calls, "\",\"type\":\"function\",\"function\":{\"name\":\"");
    put_quoted(calls, name);
    (void)put(calls, "\",\"arguments\":\"");
    size_t n_head = calls->n;
    put_quoted(calls, arguments);
    bool is_whole = calls->n - n_head >= strlen(arguments) && put(calls, "\"}}");
    if (!is_whole)
        calls->n = n;
    return is_whole;
}

void history_tools_add(struct history_tools *tools, const char *id, const char *name, const char *arguments, bool is_json,
                       const char *result)
{
    struct text calls = { tools->calls, tools->n_calls, sizeof(tools->calls) };
    struct text results = { tools->results, tools->n_results, sizeof(tools->results) };

    if (!(is_json && put_call(&calls, id, name, arguments, !tools->n)) && !put_call(&calls, id, name, "{}", !tools->n))
        return;
    (void)put(&results, ",{\"role\":\"tool\",\"tool_call_id\":\"");
    put_quoted(&results, id);
    (void)put(&results, "\",\"content\":\"");
    put_quoted(&results, result);
    if (!put(&results, "\"}"))
        return;
    tools->n_calls = calls.n;
    tools->n_results = results.n;
    tools->n++;
}

void history_call(struct agent_history *history, const struct history_tools *tools)
{
    char room[UNIT_MAX];
    struct text unit = { room, 0, sizeof(room) };

    if (!tools->n)
        return;
    (void)put(&unit, "{\"role\":\"assistant\",\"content\":");
    size_t gap = unit.n;
    (void)put(&unit, "null,\"tool_calls\":[");
    memcpy(unit.at + unit.n, tools->calls, tools->n_calls);
    unit.n += tools->n_calls;
    (void)put(&unit, "]}");
    memcpy(unit.at + unit.n, tools->results, tools->n_results);
    unit.n += tools->n_results;
    add(history, &unit, gap);
}

void history_turn(struct agent_history *history)
{
    history->n_before = history->n_units;
}

int history_put(const struct agent_history *history, const char *words,
                int (*put_piece)(void *user, const char *json, size_t n), void *user)
{
    const char *at = history->json;
    char quoted[MESSAGE_MAX];
    bool must_fill = words[0];

    for (size_t i = 0; i < history->n_units; at += history->units[i++].n) {
        const struct history_unit *unit = &history->units[i];
        size_t n_from = 0;
        int r = put_piece(user, ",", 1);

        if (r == 0 && unit->gap && i >= history->n_before && must_fill) {
            size_t n = json_quote(quoted + 1, sizeof(quoted) - 2, words, strlen(words));
            quoted[0] = quoted[n + 1] = '"';
            must_fill = false;
            n_from = unit->gap + strlen("null");
            r = put_piece(user, at, unit->gap);
            r = r < 0 ? r : put_piece(user, quoted, n + 2);
        }
        r = r < 0 ? r : put_piece(user, at + n_from, unit->n - n_from);
        if (r < 0)
            return r;
    }
    return 0;
}
