#pragma once
/* job.h - an effect outside that is owed, until it is settled */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "models/call.h"

enum job_kind {
    JOB_MESSAGE, /* a message is to be sent */
    JOB_SUMMARY, /* a call is to be summed up */
    JOB_REPLY,   /* a message that came in is to be answered */
    JOB_FETCH,   /* what a message brought is to be fetched */
    JOB_TRANSCRIBE, /* what is said in its recording is to be written down */
    JOB_N_KINDS
};

enum job_state {
    JOB_WAITING,   /* until due_ms */
    JOB_BEHIND,    /* another one of its lane, older than it, is not settled yet */
    JOB_UNDER_WAY, /* somebody is asked; found at start, it was the daemon's death that ended it */
    JOB_FAILED,    /* a dead letter: it is not tried any more */
    JOB_UNCERTAIN, /* the same; but it may have happened */
    JOB_N_STATES
};

/* What is not known of the last attempt, for effects that must not happen twice. */
enum job_doubt {
    JOB_SURE,     /* it did not happen */
    JOB_REFUSED,  /* whoever was asked failed over it, and said so */
    JOB_UNHEARD,  /* nobody answered */
    JOB_N_DOUBTS
};

enum { JOB_LANE_MAX = 64, JOB_ERROR_MAX = 256 };

struct job {
    uint64_t id; /* in order of writing; 0 none */
    enum job_kind kind;
    enum job_state state;
    enum job_doubt doubt;
    bool is_harmless; /* what is under way, or was last, leaves nothing outside: a look, or thinking of words */
    uint64_t due_ms, created_ms; /* unix time */
    uint64_t tried_ms;           /* when the last attempt began that was not harmless; 0 never */
    uint32_t n_tried;
    char lane[JOB_LANE_MAX]; /* those of one lane are settled one after the other; "" of none */
    char message_id[CONTACT_ID_MAX]; /* what it is about; "" not about one */
    char call_sid[SID_MAX];
    char contact_id[CONTACT_ID_MAX];
    char error[JOB_ERROR_MAX]; /* of the last attempt */
};

/*
 * The lane of what a person wrote to us: fetched, then transcribed, then answered, each when what was begun before it
 * is over. person: as links_person() says.
 */
static inline void job_lane_in(const char *person, char ret_lane[JOB_LANE_MAX])
{
    (void)snprintf(ret_lane, JOB_LANE_MAX, "in:%s", person);
}

bool job_is_over(const struct job *job); /* nothing is tried any more unless somebody asks for it */
const char *job_kind_name(enum job_kind kind);

struct json_object *job_to_json(const struct job *job);
/* Errors: -EBADMSG, -ENOMEM. ret_job is written on success only. */
int job_from_json(struct json_object *json, struct job *ret_job);
