/*
 * job.c - a job's names and its JSON
 */
#include "models/job.h"

#include <errno.h>

#include "utils/json.h"

static const char *const kinds[JOB_N_KINDS] = {
    [JOB_MESSAGE] = "message",
    [JOB_SUMMARY] = "summary",
    [JOB_REPLY] = "reply",
    [JOB_FETCH] = "fetch",
    [JOB_TRANSCRIBE] = "transcription",
};

static const char *const states[JOB_N_STATES] = {
    [JOB_WAITING] = "waiting", [JOB_BEHIND] = "behind",       [JOB_UNDER_WAY] = "under way",
    [JOB_FAILED] = "failed",   [JOB_UNCERTAIN] = "uncertain",
};

static const char *const doubts[JOB_N_DOUBTS] = {
    [JOB_SURE] = "",
    [JOB_REFUSED] = "refused",
    [JOB_UNHEARD] = "unheard",
};

static const struct json_field fields[] = {
    JSON_FIELD(struct job, id, JSON_U64),
    JSON_FIELD_ENUM(struct job, kind, kinds),
    JSON_FIELD_ENUM(struct job, state, states),
    JSON_FIELD_ENUM(struct job, doubt, doubts),
    JSON_FIELD(struct job, is_harmless, JSON_BOOL),
    JSON_FIELD(struct job, due_ms, JSON_U64),
    JSON_FIELD(struct job, created_ms, JSON_U64),
    JSON_FIELD(struct job, tried_ms, JSON_U64),
    JSON_FIELD(struct job, n_tried, JSON_U32),
    JSON_FIELD(struct job, lane, JSON_CHARS),
    JSON_FIELD(struct job, message_id, JSON_CHARS),
    JSON_FIELD(struct job, call_sid, JSON_CHARS),
    JSON_FIELD(struct job, contact_id, JSON_CHARS),
    JSON_FIELD(struct job, error, JSON_CHARS),
};

bool job_is_over(const struct job *job)
{
    return job->state == JOB_FAILED || job->state == JOB_UNCERTAIN;
}

const char *job_kind_name(enum job_kind kind)
{
    return kinds[kind];
}

struct json_object *job_to_json(const struct job *job)
{
    return json_write(fields, ELEMENTSOF(fields), job);
}

int job_from_json(struct json_object *json, struct job *ret_job)
{
    struct job job = { 0 };
    int r = json_read(json, fields, ELEMENTSOF(fields), &job);

    if (r == 0 && !job.id)
        r = -EBADMSG;
    if (r == 0)
        *ret_job = job;
    return r;
}
