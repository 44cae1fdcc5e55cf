#pragma once
/*
 * event.h - what the change feed tells: which kinds there are, and of what
 *
 * The one table of kinds: the feed, the webhooks, GET /api/events and `agentlocator events` go by it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "models/contact.h"

enum event_kind {
    EVENT_CALL_NEW,
    EVENT_CALL_STREAM,
    EVENT_CALL_TURN,
    EVENT_CALL_LEARNT,
    EVENT_CALL_STEP,
    EVENT_CALL_DIAL,
    EVENT_CALL_AFTER,
    EVENT_CALL_STATUS,
    EVENT_CALL_RECORDING,
    EVENT_CALL_END,
    EVENT_CALL_SUMMARY,
    EVENT_CONTACT_NEW,
    EVENT_CONTACT_CHANGED,
    EVENT_CONTACT_MERGED,
    EVENT_CONTACT_PARTED,
    EVENT_CONTACT_SILENT,
    EVENT_CONTACT_RELEASED,
    EVENT_CONTACT_UNWANTED,
    EVENT_CONTACT_WANTED,
    EVENT_CONTACT_READ,
    EVENT_CONTACT_ERASED,
    EVENT_MESSAGE_NEW,
    EVENT_MESSAGE_MEDIA,
    EVENT_MESSAGE_TRANSCRIPT,
    EVENT_MESSAGE_REWORDED,
    EVENT_MESSAGE_STATUS,
    EVENT_MESSAGE_DELAYED,
    EVENT_MESSAGE_FAILED,
    EVENT_MESSAGE_AGAIN,
    EVENT_NOTE_NEW,
    EVENT_NOTE_CHANGED,
    EVENT_NOTE_DELETED,
    EVENT_TASK_NEW,
    EVENT_TASK_CHANGED,
    EVENT_TASK_DONE,
    EVENT_TASK_DELETED,
    EVENT_N_KINDS
};

/* What an event is about: its "data", and the member that has its id. */
enum event_subject { EVENT_OF_CALL, EVENT_OF_CONTACT, EVENT_OF_MESSAGE, EVENT_OF_NOTE, EVENT_OF_TASK, EVENT_N_SUBJECTS };

struct event_kind_row {
    const char *name; /* "message.new" */
    enum event_subject subject;
    const char *summary;
};

const struct event_kind_row *event_kind(enum event_kind kind);
const struct event_kind_row *event_kind_find(const char *name); /* NULL: it is of another version */
const char *event_subject_name(enum event_subject subject);

/* Some of all kinds: names, or "message.*", with blanks between; NULL or "" all. */
bool event_is_wanted(const char *kinds, const char *name);
/* Returns: NULL, or the first word that means no kind there is. It ends at a blank or the end. */
const char *event_kinds_problem(const char *kinds);

enum { EVENT_KIND_MAX = 32, EVENT_ID_MAX = 48, EVENT_REF_MAX = 64 };

/* One row of the feed. Ids are "" where it has none. */
struct event {
    uint64_t seq; /* its place in the feed; counts up from 1 */
    uint64_t at_ms;
    char kind[EVENT_KIND_MAX];
    char call[EVENT_REF_MAX], contact[EVENT_REF_MAX], message[EVENT_REF_MAX], note[EVENT_REF_MAX], task[EVENT_REF_MAX];
    char from[EVENT_REF_MAX]; /* the contact that was merged, or parted */
};

/* The id of what it is about; "" of a kind of another version. */
const char *event_ref(const struct event *event);
/* Unlike that of any other event, and the same each time: "evt_", its time, its place. */
void event_id(const struct event *event, char ret_id[EVENT_ID_MAX]);

struct json_object *event_to_json(const struct event *event);
/* As it is stored, without seq. Errors: -EBADMSG, -ENOMEM. ret_event is written on success only. */
int event_from_json(struct json_object *json, struct event *ret_event);
