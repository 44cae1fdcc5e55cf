#pragma once
/* message.h - a written message, in or out, on whichever channel */

#include <stdbool.h>
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
    MESSAGE_UNCERTAIN, /* ours alone: it may have been sent, and nobody has said so */
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

/* Whether the words are to be sent as they are, or said in the way and language of whom they are for. */
enum message_wording { WORDING_KEPT, WORDING_FREE, MESSAGE_N_WORDINGS };

/* What it is besides its words. */
enum message_kind {
    MESSAGE_TEXT,
    MESSAGE_IMAGE,
    MESSAGE_STICKER,
    MESSAGE_AUDIO,
    MESSAGE_VIDEO,
    MESSAGE_CARD, /* of a person, text/vcard */
    MESSAGE_DOCUMENT,
    MESSAGE_LOCATION,
    MESSAGE_BUTTON, /* one of the buttons that were offered was chosen */
    MESSAGE_LIST,   /* or a row of a list */
    MESSAGE_REACTION, /* body is the sign; "" it is taken back */
    MESSAGE_N_KINDS
};

/* Who wrote one of ours. */
enum message_author {
    AUTHOR_UNKNOWN, /* or it came in */
    AUTHOR_AGENT,   /* by itself */
    AUTHOR_HUMAN,   /* of the business, or a program of its */
    MESSAGE_N_AUTHORS
};

enum { MESSAGE_ERROR_MAX = 256, MESSAGE_ASKED_MAX = 33 };

struct message {
    char id[CONTACT_ID_MAX]; /* ours; sorts by age */
    char provider_id[ADDRESS_MAX]; /* MessageSid and the like; unique */
    char contact_id[CONTACT_ID_MAX];
    char address[ADDRESS_MAX]; /* of the other side: E.164, or what the provider calls him */
    char alias[ADDRESS_MAX];   /* what else the provider calls him, that stays when he hides his number; "" nothing */
    enum message_direction direction;
    enum message_channel channel;
    enum message_status status;
    enum message_wording wording;
    enum message_kind kind;
    enum message_author author;
    char asked[MESSAGE_ASKED_MAX]; /* the profile's question that the script asked in it, "goodbye" none is left; "" none */
    bool forwarded;                /* not the sender's own words */
    char call_sid[SID_MAX];        /* the call it came of; "" none */
    uint64_t job_id;               /* by which it is sent; 0 not by us, or it is done */
    char error[MESSAGE_ERROR_MAX]; /* why it was not sent, or not yet; "" nothing is wrong */
    char again[CONTACT_ID_MAX];    /* the message that was sent in its place; "" none */
    char reply_to[CONTACT_ID_MAX]; /* the message it answers; "" none */
    char content_sid[SID_MAX];     /* the template it is made of; "" none */
    uint64_t created_ms, updated_ms;
    char *body;                 /* owned; NULL none */
    char *transcript;           /* what is said in its recording; owned; NULL it has none, or nobody could tell */
    struct json_object *media;  /* array of {"url","type"}; owned; may be NULL */
    struct json_object *variables; /* object: of the template; owned; may be NULL */
    struct json_object *location; /* {"latitude","longitude","label","address"}; owned; NULL it is no place */
    struct json_object *choice;   /* {"id","title","description"} of a button or a row; owned; NULL none */
    struct json_object *referral; /* the advertisement he came by, {"headline","body","url",...}; owned; NULL none */
    struct json_object *params; /* every field of the webhooks, known or not; owned; may be NULL */
    struct json_object *param_order; /* object: param -> order of the callback that brought it; owned; may be NULL */
};

void message_release(struct message *message); /* releases what the struct owns, not the struct */
static inline void scoped_message_release(struct message *message)
{
    message_release(message);
}

int message_status_parse(const char *name, size_t n); /* as Twilio writes it; or -EINVAL */
/* What was written or said in it, or chosen: all that can be answered. Lives in the message; "" without words. */
const char *message_words(const struct message *message);
/* What the message is in one line for people: its words, else the place, the choice or the sign. */
void message_line(const struct message *message, char *ret_line, size_t size);
bool message_has_failed(const struct message *message); /* ours, and somebody should look at it */

struct json_object *message_to_json(const struct message *message);
/* As call_from_json(). */
int message_from_json(struct json_object *json, struct message *ret_message);
