/*
 * event.c - what the change feed tells
 */
#include "models/event.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "utils/json.h"

static const struct event_kind_row rows[EVENT_N_KINDS] = {
    [EVENT_CALL_NEW] = { "call.new", EVENT_OF_CALL, "A call came in" },
    [EVENT_CALL_STREAM] = { "call.stream", EVENT_OF_CALL, "Its caller can be heard" },
    [EVENT_CALL_TURN] = { "call.turn", EVENT_OF_CALL, "Something was said" },
    [EVENT_CALL_LEARNT] = { "call.learnt", EVENT_OF_CALL, "Something the caller was asked for is known" },
    [EVENT_CALL_STEP] = { "call.step", EVENT_OF_CALL, "Somebody else took over: another model, another voice" },
    [EVENT_CALL_DIAL] = { "call.dial", EVENT_OF_CALL, "A human was dialled, with this result" },
    [EVENT_CALL_AFTER] = { "call.after", EVENT_OF_CALL, "It is decided what follows the conversation" },
    [EVENT_CALL_STATUS] = { "call.status", EVENT_OF_CALL, "Twilio told of its state" },
    [EVENT_CALL_RECORDING] = { "call.recording", EVENT_OF_CALL, "A message was recorded" },
    [EVENT_CALL_END] = { "call.end", EVENT_OF_CALL, "The conversation is over" },
    [EVENT_CALL_SUMMARY] = { "call.summary", EVENT_OF_CALL, "It was summed up, or could not be" },
    [EVENT_CONTACT_NEW] = { "contact.new", EVENT_OF_CONTACT, "A contact was made by hand or by a program" },
    [EVENT_CONTACT_CHANGED] = { "contact.changed", EVENT_OF_CONTACT, "Somebody new, or something new of him" },
    [EVENT_CONTACT_MERGED] = { "contact.merged", EVENT_OF_CONTACT, "Another one, \"from\", turned out to be he" },
    [EVENT_CONTACT_PARTED] = { "contact.parted", EVENT_OF_CONTACT, "That one, \"from\", is not he after all" },
    [EVENT_CONTACT_SILENT] = { "contact.silent", EVENT_OF_CONTACT, "On WhatsApp, a human goes on with this person" },
    [EVENT_CONTACT_RELEASED] = { "contact.released", EVENT_OF_CONTACT, "The agent answers this person again" },
    [EVENT_CONTACT_UNWANTED] = { "contact.unwanted", EVENT_OF_CONTACT, "This person wants no automatic messages" },
    [EVENT_CONTACT_WANTED] = { "contact.wanted", EVENT_OF_CONTACT, "This person wants them again" },
    [EVENT_CONTACT_READ] = { "contact.read", EVENT_OF_CONTACT, "What this person wrote is read, up to \"message\"" },
    [EVENT_CONTACT_ERASED] = { "contact.erased", EVENT_OF_CONTACT, "He is erased, with all that is his" },
    [EVENT_MESSAGE_NEW] = { "message.new", EVENT_OF_MESSAGE, "A message came in, or one is to be sent" },
    [EVENT_MESSAGE_MEDIA] = { "message.media", EVENT_OF_MESSAGE, "Its pictures or sounds are here, or will not be" },
    [EVENT_MESSAGE_TRANSCRIPT] = { "message.transcript", EVENT_OF_MESSAGE, "What is said in its recording is known, or that nobody can tell" },
    [EVENT_MESSAGE_REWORDED] = { "message.reworded", EVENT_OF_MESSAGE, "It was put into other words" },
    [EVENT_MESSAGE_STATUS] = { "message.status", EVENT_OF_MESSAGE, "It was sent, delivered, read, or refused" },
    [EVENT_MESSAGE_DELAYED] = { "message.delayed", EVENT_OF_MESSAGE, "It could not be sent, and is tried again" },
    [EVENT_MESSAGE_FAILED] = { "message.failed", EVENT_OF_MESSAGE, "It was not sent, or nobody knows" },
    [EVENT_MESSAGE_AGAIN] = { "message.again", EVENT_OF_MESSAGE, "Another one was sent in its place" },
    [EVENT_NOTE_NEW] = { "note.new", EVENT_OF_NOTE, "A note was written" },
    [EVENT_NOTE_CHANGED] = { "note.changed", EVENT_OF_NOTE, "It says something else" },
    [EVENT_NOTE_DELETED] = { "note.deleted", EVENT_OF_NOTE, "It is gone; data is null" },
    [EVENT_TASK_NEW] = { "task.new", EVENT_OF_TASK, "Something is to be done" },
    [EVENT_TASK_CHANGED] = { "task.changed", EVENT_OF_TASK, "Another date, text or person, or it is canceled" },
    [EVENT_TASK_DONE] = { "task.done", EVENT_OF_TASK, "It is done" },
    [EVENT_TASK_DELETED] = { "task.deleted", EVENT_OF_TASK, "It is gone; data is null" },
};

static const struct {
    const char *name;
    size_t ref;
} subjects[EVENT_N_SUBJECTS] = {
    [EVENT_OF_CALL] = { "call", offsetof(struct event, call) },
    [EVENT_OF_CONTACT] = { "contact", offsetof(struct event, contact) },
    [EVENT_OF_MESSAGE] = { "message", offsetof(struct event, message) },
    [EVENT_OF_NOTE] = { "note", offsetof(struct event, note) },
    [EVENT_OF_TASK] = { "task", offsetof(struct event, task) },
};

static const struct json_field fields[] = {
    JSON_FIELD(struct event, at_ms, JSON_U64),    JSON_FIELD(struct event, kind, JSON_CHARS),
    JSON_FIELD(struct event, call, JSON_CHARS),   JSON_FIELD(struct event, contact, JSON_CHARS),
    JSON_FIELD(struct event, message, JSON_CHARS), JSON_FIELD(struct event, note, JSON_CHARS),
    JSON_FIELD(struct event, task, JSON_CHARS),   JSON_FIELD(struct event, from, JSON_CHARS),
};

const struct event_kind_row *event_kind(enum event_kind kind)
{
    return &rows[kind];
}

const struct event_kind_row *event_kind_find(const char *name)
{
    for (size_t i = 0; i < EVENT_N_KINDS; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

const char *event_subject_name(enum event_subject subject)
{
    return subjects[subject].name;
}

static bool is_meant(const char *word, size_t n, const char *name)
{
    bool is_group = n > 1 && word[n - 1] == '*' && word[n - 2] == '.';

    return is_group ? strncmp(name, word, n - 1) == 0 : strlen(name) == n && memcmp(name, word, n) == 0;
}

bool event_is_wanted(const char *kinds, const char *name)
{
    if (!kinds || !*kinds)
        return true;
    for (kinds += strspn(kinds, " "); *kinds; kinds += strspn(kinds, " ")) {
        size_t n = strcspn(kinds, " ");
        if (is_meant(kinds, n, name))
            return true;
        kinds += n;
    }
    return false;
}

const char *event_kinds_problem(const char *kinds)
{
    for (kinds += strspn(kinds, " "); *kinds; kinds += strspn(kinds, " ")) {
        size_t n = strcspn(kinds, " "), i = 0;
        while (i < EVENT_N_KINDS && !is_meant(kinds, n, rows[i].name))
            i++;
        if (i == EVENT_N_KINDS)
            return kinds;
        kinds += n;
    }
    return NULL;
}

const char *event_ref(const struct event *event)
{
    const struct event_kind_row *kind = event_kind_find(event->kind);

    return kind ? (const char *)event + subjects[kind->subject].ref : "";
}

void event_id(const struct event *event, char ret_id[EVENT_ID_MAX])
{
    (void)snprintf(ret_id, EVENT_ID_MAX, "evt_%" PRIx64 "_%" PRIu64, event->at_ms, event->seq);
}

struct json_object *event_to_json(const struct event *event)
{
    return json_write(fields, ELEMENTSOF(fields), event);
}

int event_from_json(struct json_object *json, struct event *ret_event)
{
    struct event event = { 0 };
    int r = json_read(json, fields, ELEMENTSOF(fields), &event);

    if (r == 0 && !event.kind[0])
        r = -EBADMSG;
    if (r == 0)
        *ret_event = event;
    return r;
}
