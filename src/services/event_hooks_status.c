/*
 * event_hooks_status.c - what can be said of the endpoints: how each is, why it does not take what it is told, and
 * whether its settings mean anything
 */
#include "services/event_hooks_state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "config.h"
#include "models/event.h"
#include "services/crm_events.h"
#include "utils/json.h"

int event_hooks_check(const struct config *config, char ret_problem[EVENT_HOOKS_PROBLEM_MAX])
{
    const char *kinds = config->event_webhook_kinds, *wrong = kinds ? event_kinds_problem(kinds) : NULL;

    if (!wrong)
        return 0;
    (void)snprintf(ret_problem, EVENT_HOOKS_PROBLEM_MAX, "EVENT_WEBHOOK_KINDS: there is no kind '%.*s'; `agentlocator events --kinds` lists them",
                   (int)strcspn(wrong, " "), wrong);
    return -EINVAL;
}

const char *hook_explain(const struct hook *hook, char *ret_text, size_t size)
{
    unsigned status = hook->last_status;

    if (status / 100 == 3)
        (void)snprintf(ret_text, size, "HTTP %u: it redirects, which is not followed; give the place itself", status);
    else if (status && status / 100 != 2)
        (void)snprintf(ret_text, size, "HTTP %u", status);
    else
        (void)snprintf(ret_text, size, "%s", hook->last_why);
    return ret_text;
}

/* Of a snapshot: what the feed has, and how many dead letters there are; 0 when it cannot be read. */
static void count_rows(struct event_hooks *hooks, uint64_t *ret_last, uint64_t ret_letters[HOOKS_MAX])
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    uint64_t first;

    *ret_last = 0;
    memset(ret_letters, 0, HOOKS_MAX * sizeof(ret_letters[0]));
    if (db_read_begin(hooks->db, &txn) < 0 || crm_events_range(txn, &first, ret_last) < 0)
        return;
    for (size_t i = 0; i < hooks->n_hooks; i++) {
        int n = letters_count(txn, hooks->hooks[i].place.name);
        ret_letters[i] = n > 0 ? (uint64_t)n : 0;
    }
}

static struct json_object *hook_status(const struct hook *hook, uint64_t last, uint64_t n_letters)
{
    scoped(json_object_put) struct json_object *json = json_object_new_object();
    char why[LETTER_ERROR_MAX];
    uint64_t seq = hook->seq;
    const struct {
        const char *name;
        uint64_t n;
    } counts[] = {
        { "seq", seq },
        { "behind", last > seq ? last - seq : 0 },
        { "taken", hook->n_taken },
        { "failed", hook->n_failed },
        { "given_up", hook->n_given_up },
        { "missed", hook->n_missed },
        { "letters", n_letters },
    };
    int r = json ? json_add(json, "state", json_object_new_string(hook->state == STOPPED ? "stopped" : hook->n_in_a_row ? "failing" : "well"))
                 : -ENOMEM;

    for (size_t i = 0; r == 0 && i < ELEMENTSOF(counts); i++)
        r = json_add(json, counts[i].name, json_object_new_uint64(counts[i].n));
    if (r == 0)
        r = json_add(json, "error", json_object_new_string(hook_explain(hook, why, sizeof(why))));
    return r < 0 ? NULL : steal(&json);
}

struct json_object *event_hooks_status(struct event_hooks *hooks)
{
    scoped(json_object_put) struct json_object *json = json_object_new_object();
    uint64_t last, letters[HOOKS_MAX];

    if (!hooks || !json)
        return steal(&json);
    count_rows(hooks, &last, letters);
    for (size_t i = 0; i < hooks->n_hooks; i++)
        if (json_add(json, hooks->hooks[i].place.name, hook_status(&hooks->hooks[i], last, letters[i])) < 0)
            return NULL;
    return steal(&json);
}
