#pragma once
/* call.h - a telephone call as it is kept */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json_object.h>

enum { SID_MAX = 40, ADDRESS_MAX = 64, CONTACT_ID_MAX = 32, STREAM_TOKEN_MAX = 44 };

enum call_status {
    CALL_RINGING,
    CALL_IN_PROGRESS,
    CALL_COMPLETED,
    CALL_BUSY,
    CALL_NO_ANSWER,
    CALL_FAILED,
    CALL_CANCELED,
    CALL_LOST, /* the daemon died under it; set at the next start */
    CALL_N_STATUS
};

/* Why a stream ended; kept as text. */
enum call_end {
    CALL_END_NONE,       /* not ended */
    CALL_END_CALLER,     /* the caller hung up: stop, or the socket closed */
    CALL_END_AGENT,      /* we said goodbye and closed */
    CALL_END_SILENCE,    /* nobody said anything for too long */
    CALL_END_NO_MEDIA,   /* the stream went dead without closing */
    CALL_END_PROTOCOL,   /* the peer broke the rules of the stream */
    CALL_END_SLOW_PEER,  /* the peer did not read */
    CALL_END_DRAIN,      /* the daemon had to stop */
    CALL_END_LOST,       /* kill -9 */
    CALL_END_TOO_LONG,   /* CALL_MAX_SECONDS */
    CALL_END_TRANSFER,   /* the caller is handed to a human */
    CALL_END_TROUBLE,    /* nothing of ours could go on: a human is dialled, or a message recorded */
    CALL_N_END
};

/* What Twilio was told to do once the stream was over, or could not be opened; kept as text. */
enum call_after {
    CALL_AFTER_NONE,    /* it did not ask */
    CALL_AFTER_HANG_UP,
    CALL_AFTER_DIAL,    /* a human */
    CALL_AFTER_RECORD,  /* a message */
    CALL_N_AFTER
};

enum { CALL_STEPS_MAX = 32, STEP_PART_MAX = 16, STEP_NAME_MAX = 64, STEP_CAUSE_MAX = 160 };

/* Somebody else took over, since one failed. Neither secrets nor what a caller said go in; what is too long is cut. */
struct call_step {
    const char *part;     /* "stt", "chat", "tts" */
    const char *from, *to; /* "whisper", "embedded"; to "": nobody */
    const char *cause;    /* may be NULL */
    uint64_t at_ms;       /* unix time */
};

struct call {
    char sid[SID_MAX];
    char account_sid[SID_MAX];
    char from[ADDRESS_MAX]; /* E.164, or what the carrier sent instead */
    char to[ADDRESS_MAX];
    char contact_id[CONTACT_ID_MAX]; /* "" when the caller hid his number */
    char stream_sid[SID_MAX];
    char stream_token[STREAM_TOKEN_MAX]; /* what <Parameter> token must bring back */
    enum call_status status;
    enum call_end end;
    enum call_after after;
    bool forwarded; /* all lines were taken: no stream, `after` at once */
    uint64_t started_ms, answered_ms, ended_ms; /* unix time; 0 not yet */
    uint64_t generation;                        /* of the process that has, or had, its stream (db.h); 0 none had */
    int64_t sequence;                           /* highest status callback seen; -1 none */
    uint32_t n_turns;
    uint32_t n_steps;            /* ever; steps holds the first CALL_STEPS_MAX */
    struct json_object *steps;   /* array of {at_ms, part, from, to, cause}; owned; may be NULL */
    struct json_object *params; /* every field of the webhooks, known or not; owned; may be NULL */
    struct json_object *param_order; /* object: param -> order of the callback that brought it; owned; may be NULL */
    struct json_object *dial;       /* object: how it went with the human: DialCallStatus ...; owned; may be NULL */
    struct json_object *recordings; /* array of what handle_recording brought; owned; may be NULL */
    char *summary;       /* what it came to; owned; NULL not yet, or never: */
    char *summary_error; /* why there is none; owned; NULL */
    char task_id[CONTACT_ID_MAX]; /* the call back that was promised; "" none */
    struct json_object *learnt; /* object: field -> value, of this call; owned; may be NULL */
};

/* Letters and digits, and not too many: a SID names files, and rows of the store. */
bool call_sid_is_plain(const char *sid);

void call_done(struct call *call); /* releases what the struct owns, not the struct */
static inline void scoped_call_done(struct call *call)
{
    call_done(call);
}

bool call_status_is_final(enum call_status status);

int call_status_parse(const char *name, size_t n); /* as Twilio writes it; or -EINVAL; "initiated" and "queued" are ringing */
const char *call_end_name(enum call_end end);

/* Returns: a new object, clean text of bounded length whatever came, or NULL when out of memory. */
struct json_object *call_step_to_json(const struct call_step *step);

/* Returns: a new object, or NULL when out of memory. */
struct json_object *call_to_json(const struct call *call);
/* Errors: -EBADMSG, -ENOMEM. ret_call is written on success only, and to be released with call_done() then. */
int call_from_json(struct json_object *json, struct call *ret_call);
