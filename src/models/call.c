/*
 * call.c - a call's names and its JSON
 */
#include "models/call.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "utils/json.h"
#include "utils/text.h"

static const char *const statuses[CALL_N_STATUS] = {
    [CALL_RINGING] = "ringing",     [CALL_IN_PROGRESS] = "in-progress",
    [CALL_COMPLETED] = "completed", [CALL_BUSY] = "busy",
    [CALL_NO_ANSWER] = "no-answer", [CALL_FAILED] = "failed",
    [CALL_CANCELED] = "canceled",   [CALL_LOST] = "lost",
};

static const char *const ends[CALL_N_END] = {
    [CALL_END_NONE] = "",
    [CALL_END_CALLER] = "caller hung up",
    [CALL_END_AGENT] = "agent finished",
    [CALL_END_SILENCE] = "silence",
    [CALL_END_NO_MEDIA] = "no media",
    [CALL_END_PROTOCOL] = "protocol error",
    [CALL_END_SLOW_PEER] = "slow peer",
    [CALL_END_DRAIN] = "daemon stopped",
    [CALL_END_LOST] = "daemon died",
    [CALL_END_TOO_LONG] = "too long",
    [CALL_END_TRANSFER] = "transfer",
    [CALL_END_TROUBLE] = "trouble",
};

static const char *const afters[CALL_N_AFTER] = {
    [CALL_AFTER_NONE] = "",
    [CALL_AFTER_HANG_UP] = "hang up",
    [CALL_AFTER_DIAL] = "dial",
    [CALL_AFTER_RECORD] = "record",
};

static const struct json_field fields[] = {
    JSON_FIELD(struct call, sid, JSON_CHARS),
    JSON_FIELD(struct call, account_sid, JSON_CHARS),
    JSON_FIELD(struct call, from, JSON_CHARS),
    JSON_FIELD(struct call, to, JSON_CHARS),
    JSON_FIELD(struct call, contact_id, JSON_CHARS),
    JSON_FIELD(struct call, stream_sid, JSON_CHARS),
    JSON_FIELD(struct call, stream_token, JSON_CHARS),
    JSON_FIELD_ENUM(struct call, status, statuses),
    JSON_FIELD_ENUM(struct call, end, ends),
    JSON_FIELD_ENUM(struct call, after, afters),
    JSON_FIELD(struct call, forwarded, JSON_BOOL),
    JSON_FIELD(struct call, started_ms, JSON_U64),
    JSON_FIELD(struct call, answered_ms, JSON_U64),
    JSON_FIELD(struct call, ended_ms, JSON_U64),
    JSON_FIELD(struct call, sequence, JSON_I64),
    JSON_FIELD(struct call, n_turns, JSON_U32),
    JSON_FIELD(struct call, n_steps, JSON_U32),
    JSON_FIELD(struct call, generation, JSON_U64),
    JSON_FIELD(struct call, steps, JSON_ARRAY),
    JSON_FIELD(struct call, summary, JSON_STRING),
    JSON_FIELD(struct call, summary_error, JSON_STRING),
    JSON_FIELD(struct call, task_id, JSON_CHARS),
    JSON_FIELD(struct call, learnt, JSON_OBJECT),
    JSON_FIELD(struct call, dial, JSON_OBJECT),
    JSON_FIELD(struct call, recordings, JSON_ARRAY),
    JSON_FIELD(struct call, params, JSON_OBJECT),
    JSON_FIELD(struct call, param_order, JSON_OBJECT),
};

bool call_sid_is_plain(const char *sid)
{
    size_t n = 0;

    while (isalnum((unsigned char)sid[n]))
        n++;
    return n && n < SID_MAX && !sid[n];
}

void call_done(struct call *call)
{
    json_release(fields, ELEMENTSOF(fields), call);
}

bool call_status_is_final(enum call_status status)
{
    return status != CALL_RINGING && status != CALL_IN_PROGRESS;
}

int call_status_parse(const char *name, size_t n)
{
    static const char *const before_ringing[] = { "queued", "initiated" };

    if (json_name_index(before_ringing, ELEMENTSOF(before_ringing), name, n) >= 0)
        return CALL_RINGING;
    return json_name_index(statuses, CALL_LOST, name, n); /* "lost" is ours alone */
}

const char *call_end_name(enum call_end end)
{
    return ends[end];
}

/* Nothing that a terminal would obey, no line breaks, no more than size bytes. */
static int add_step_text(struct json_object *json, const char *key, const char *raw, size_t size)
{
    char text[STEP_CAUSE_MAX];
    size_t n = text_set(text, size, raw ?: "");

    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            text[i] = ' ';
    while (n && text[n - 1] == ' ')
        n--;
    return json_add(json, key, json_text(text, n));
}

struct json_object *call_step_to_json(const struct call_step *step)
{
    scoped(json_object_put) struct json_object *json = json_object_new_object();
    int r = json ? json_add(json, "at_ms", json_object_new_uint64(step->at_ms)) : -ENOMEM;

    if (r == 0)
        r = add_step_text(json, "part", step->part, STEP_PART_MAX);
    if (r == 0)
        r = add_step_text(json, "from", step->from, STEP_NAME_MAX);
    if (r == 0)
        r = add_step_text(json, "to", step->to, STEP_NAME_MAX);
    if (r == 0)
        r = add_step_text(json, "cause", step->cause, STEP_CAUSE_MAX);
    return r == 0 ? steal(&json) : NULL;
}

struct json_object *call_to_json(const struct call *call)
{
    return json_write(fields, ELEMENTSOF(fields), call);
}

int call_from_json(struct json_object *json, struct call *ret_call)
{
    struct call call = { .sequence = -1 };
    int r = json_read(json, fields, ELEMENTSOF(fields), &call);

    if (r == 0 && !call.sid[0])
        r = -EBADMSG;
    if (r < 0) {
        call_done(&call);
        return r;
    }
    *ret_call = call;
    return 0;
}
