#pragma once
/*
 * agent_history.h - what was said in a call, as a chat model is told it
 *
 * JSON messages in a fixed buffer. When it is full the oldest go, whole units: a call of tools and its results stay
 * together, or the model's server refuses them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HISTORY_MAX = 10 * 1024, HISTORY_UNITS_MAX = 128 };

enum history_role { HISTORY_USER, HISTORY_ASSISTANT };

struct agent_history {
    char json[HISTORY_MAX]; /* of all units, without commas between them */
    size_t n_json;
    struct history_unit {
        uint16_t n;   /* bytes */
        uint16_t gap; /* where the words beside a call of tools go, "null" stands there; 0: none */
    } units[HISTORY_UNITS_MAX];
    size_t n_units;
    size_t n_before; /* units before the present turn of the model's */
    unsigned n_dropped;
};

/* What stands before and behind the text, which is quoted; all of it is one string of the message. */
void history_say(struct agent_history *history, enum history_role role, const char *before, const char *text,
                 const char *behind);

/* A call of tools being written down: calls and their results, as they are made. */
struct history_tools {
    char calls[3 * 1024], results[2 * 1024];
    size_t n_calls, n_results;
    unsigned n;
};
void history_tools_clear(struct history_tools *tools);
/* Arguments that are no JSON object, or find no room, are written down as {}. */
void history_tools_add(struct history_tools *tools, const char *id, const char *name, const char *arguments, bool is_json,
                       const char *result);
void history_call(struct agent_history *history, const struct history_tools *tools);

/* The model's turn begins: words it says beside tools in it are its own business until they were heard. */
void history_turn(struct agent_history *history);

/* Every piece of the whole, commas and all. words: said in this turn until now; "" none. Returns: the first r < 0. */
int history_put(const struct agent_history *history, const char *words,
                int (*put)(void *user, const char *json, size_t n), void *user);
