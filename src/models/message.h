#pragma once
/* message.h - a written message, in or out, on whichever channel */

#include <stdint.h>

#include "models/call.h"

enum message_direction { MESSAGE_IN, MESSAGE_OUT, MESSAGE_N_DIRECTIONS };
enum message_channel { MESSAGE_WHATSAPP, MESSAGE_SMS, MESSAGE_N_CHANNELS };

/* In order of rank: callbacks arrive in any order, and the highest one seen is the truth. */
enum message_status {
    MESSAGE_ACCEPTED,
    MESSAGE_SCHEDULED,
    MESSAGE_QUEUED,
    MESSAGE_SENDING,
    MESSAGE_SENT,
    MESSAGE_CANCELED,
    MESSAGE_UNDELIVERED,
    MESSAGE_FAILED,
    MESSAGE_PARTIALLY_DELIVERED,
    MESSAGE_DELIVERED,
    MESSAGE_READ,
    MESSAGE_RECEIVING,
    MESSAGE_RECEIVED,
    MESSAGE_N_STATUS
};

struct message {
    char id[CONTACT_ID_MAX]; /* ours; sorts by age */
    char provider_id[ADDRESS_MAX]; /* MessageSid and the like; unique */
    char contact_id[CONTACT_ID_MAX];
    char address[ADDRESS_MAX]; /* of the other side: E.164, or what the provider calls him */
    enum message_direction direction;
    enum message_channel channel;
    enum message_status status;
    uint64_t created_ms, updated_ms;
    char *body;                 /* owned; NULL none */
    struct json_object *media;  /* array of {"url","type"}; owned; may be NULL */
    struct json_object *params; /* every field of the webhooks, known or not; owned; may be NULL */
    struct json_object *param_order; /* object: param -> order of the callback that brought it; owned; may be NULL */
};

void message_release(struct message *message); /* releases what the struct owns, not the struct */
static inline void scoped_message_release(struct message *message)
{
    message_release(message);
}

int message_status_parse(const char *name, size_t n); /* as Twilio writes it; or -EINVAL */

struct json_object *message_to_json(const struct message *message);
/* As call_from_json(). */
int message_from_json(struct json_object *json, struct message *ret_message);
