/*
 * crm_known.c - what is known of a caller, as lines for who answers him
 */
#include "services/crm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "services/crm_store.h"
#include "utils/json.h"
#include "utils/text.h"
#include "utils/when.h"

enum { CALLS_MAX = 3, LOOKED_AT_MAX = 32, VALUE_MAX = 200, SAID_CALLS_MAX = 2, SAID_MAX = 1536 /* bytes of one call */, MINUTE_MS = 60 * 1000 };

struct known {
    char *text;
    size_t size, n_used;
    unsigned n_calls, n_looked_at;
};

static void add(struct known *known, const char *text)
{
    text_add(known->text, known->size, &known->n_used, text, strlen(text));
}

/* Files and half-understood numbers tell nobody anything. */
static bool is_told(const char *field)
{
    static const char *const silent[] = { "_audio", "_heard" };
    size_t n = strlen(field);

    for (size_t i = 0; i < ELEMENTSOF(silent); i++) {
        size_t n_end = strlen(silent[i]);
        if (n > n_end && strcmp(field + n - n_end, silent[i]) == 0)
            return false;
    }
    return true;
}

static void add_fields(struct known *known, struct json_object *fields, const char *before, const char *behind)
{
    if (!fields || !json_object_is_type(fields, json_type_object))
        return;
    json_object_object_foreach(fields, field, value)
    {
        char line[VALUE_MAX + 64];
        const char *text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
        size_t n_text = text_fit(text, strlen(text), VALUE_MAX);

        if (!n_text || !is_told(field))
            continue;
        (void)snprintf(line, sizeof(line), "%s%.32s: %.*s%s", before, field, (int)n_text, text, behind);
        for (char *p = line; *p && p[1]; p++) /* a line is one line, whatever was said */
            *p = (unsigned char)*p < ' ' ? ' ' : *p;
        add(known, line);
    }
}

static int add_call(struct json_object *json, void *arg)
{
    struct known *known = arg;
    uint64_t ended_ms = (uint64_t)json_get_int(json, "ended_ms");
    char date[WHEN_MAX];

    if (known->n_looked_at++ == LOOKED_AT_MAX) /* a machine that rings and rings; his stream waits for this on a loop */
        return 1;
    if (!ended_ms) /* the present one */
        return 0;
    when_print_date(ended_ms, date);
    add(known, "earlier call on ");
    add(known, date);
    add_fields(known, json_object_object_get(json, "learnt"), "; ", "");
    add(known, "\n");
    return ++known->n_calls == CALLS_MAX;
}

int crm_known(struct db_txn *txn, const struct contact *contact, char *ret_text, size_t size)
{
    struct known known = { .text = ret_text, .size = size };

    ret_text[0] = '\0';
    add_fields(&known, contact->fields, "", "\n");
    int r = store_each_call_of(txn, contact->id, add_call, &known);
    if (known.n_used && ret_text[known.n_used - 1] != '\n') { /* it was cut */
        size_t n = text_fit(ret_text, known.n_used, known.n_used - 1);
        ret_text[n] = '\n';
        ret_text[n + 1] = '\0';
    }
    return r < 0 ? r : 0;
}

/* --- what was said */

struct said {
    char text[SAID_MAX];
    size_t n;
};

static int add_turn(struct json_object *json, void *arg)
{
    struct said *said = arg;
    struct turn turn;
    char line[VALUE_MAX + 16];

    if (turn_from_json(json, &turn) < 0 || !turn.text[0])
        return 0;
    (void)snprintf(line, sizeof(line), "  %s: %.*s\n", turn.who == TURN_CALLER ? "he" : "you",
                   (int)text_fit(turn.text, strlen(turn.text), VALUE_MAX), turn.text);
    text_add_last(said->text, sizeof(said->text), &said->n, line);
    return 0;
}

/* "5 minutes ago", "3 hours ago", "2 days ago" */
static void print_ago(uint64_t ms, char *ret_text, size_t size)
{
    static const struct {
        uint64_t ms;
        const char *name;
    } units[] = { { 24 * 60 * (uint64_t)MINUTE_MS, "day" }, { 60 * MINUTE_MS, "hour" }, { MINUTE_MS, "minute" } };
    size_t i = 0;

    while (i < ELEMENTSOF(units) - 1 && ms < 2 * units[i].ms)
        i++;
    uint64_t n = ms / units[i].ms;
    if (n == 0)
        (void)snprintf(ret_text, size, "just now");
    else
        (void)snprintf(ret_text, size, "%" PRIu64 " %s%s ago", n, units[i].name, n == 1 ? "" : "s");
}

struct calls {
    struct db_txn *txn;
    struct known known;
    uint64_t now_ms;
};

static int add_said_call(struct json_object *json, void *arg)
{
    struct calls *calls = arg;
    scoped(call_done) struct call call = { 0 };
    struct said said = { .n = 0 };
    char head[160], time[WHEN_MAX], ago[32];
    int r = call_from_json(json, &call);

    if (r < 0)
        return r == -EBADMSG ? -EUCLEAN : r;
    uint64_t at_ms = call.ended_ms ? call.ended_ms : call.started_ms;
    r = call.summary ? 0 : store_each_turn(calls->txn, call.sid, add_turn, &said);
    if (r < 0)
        return r;
    when_print(at_ms, time);
    print_ago(calls->now_ms > at_ms ? calls->now_ms - at_ms : 0, ago, sizeof(ago));
    (void)snprintf(head, sizeof(head), "%s, %s%s:\n", ago, time, call.ended_ms ? "" : ", and it goes on");
    add(&calls->known, head);
    add(&calls->known, call.summary ? call.summary : said.n ? said.text : "  nothing was said\n");
    add(&calls->known, call.summary ? "\n" : "");
    return ++calls->known.n_calls == SAID_CALLS_MAX;
}

int crm_known_calls(struct db_txn *txn, const struct contact *contact, uint64_t now_ms, char *ret_text, size_t size)
{
    struct calls calls = { .txn = txn, .known = { .text = ret_text, .size = size }, .now_ms = now_ms };

    ret_text[0] = '\0';
    int r = store_each_call_of(txn, contact->id, add_said_call, &calls);
    return r < 0 ? r : 0;
}
