/*
 * message.c - a message's names and its JSON
 */
#include "models/message.h"

#include <errno.h>

#include <stdio.h>

#include "utils/json.h"
#include "utils/text.h"

static const char *const directions[MESSAGE_N_DIRECTIONS] = {
    [MESSAGE_IN] = "in", [MESSAGE_OUT] = "out"
};
static const char *const channels[MESSAGE_N_CHANNELS] = {
    [MESSAGE_WHATSAPP] = "whatsapp", [MESSAGE_SMS] = "sms"
};

static const char *const statuses[MESSAGE_N_STATUS] = {
    [MESSAGE_ACCEPTED] = "accepted",
    [MESSAGE_SCHEDULED] = "scheduled",
    [MESSAGE_QUEUED] = "queued",
    [MESSAGE_SENDING] = "sending",
    [MESSAGE_UNCERTAIN] = "uncertain",
    [MESSAGE_SENT] = "sent",
    [MESSAGE_CANCELED] = "canceled",
    [MESSAGE_UNDELIVERED] = "undelivered",
    [MESSAGE_FAILED] = "failed",
    [MESSAGE_PARTIALLY_DELIVERED] = "partially_delivered",
    [MESSAGE_DELIVERED] = "delivered",
    [MESSAGE_READ] = "read",
    [MESSAGE_RECEIVING] = "receiving",
    [MESSAGE_RECEIVED] = "received",
};

static const char *const wordings[MESSAGE_N_WORDINGS] = {
    [WORDING_KEPT] = "kept", [WORDING_FREE] = "free"
};

static const char *const kinds[MESSAGE_N_KINDS] = {
    [MESSAGE_TEXT] = "text",         [MESSAGE_IMAGE] = "image",       [MESSAGE_STICKER] = "sticker",
    [MESSAGE_AUDIO] = "audio",       [MESSAGE_VIDEO] = "video",       [MESSAGE_CARD] = "card",
    [MESSAGE_DOCUMENT] = "document", [MESSAGE_LOCATION] = "location", [MESSAGE_BUTTON] = "button",
    [MESSAGE_LIST] = "list",         [MESSAGE_REACTION] = "reaction",
};

static const char *const authors[MESSAGE_N_AUTHORS] = {
    [AUTHOR_UNKNOWN] = "", [AUTHOR_AGENT] = "agent", [AUTHOR_HUMAN] = "human"
};

static const struct json_field fields[] = {
    JSON_FIELD(struct message, id, JSON_CHARS),
    JSON_FIELD(struct message, provider_id, JSON_CHARS),
    JSON_FIELD(struct message, contact_id, JSON_CHARS),
    JSON_FIELD(struct message, address, JSON_CHARS),
    JSON_FIELD(struct message, alias, JSON_CHARS),
    JSON_FIELD_ENUM(struct message, direction, directions),
    JSON_FIELD_ENUM(struct message, channel, channels),
    JSON_FIELD_ENUM(struct message, status, statuses),
    JSON_FIELD_ENUM(struct message, wording, wordings),
    JSON_FIELD_ENUM(struct message, kind, kinds),
    JSON_FIELD_ENUM(struct message, author, authors),
    JSON_FIELD(struct message, asked, JSON_CHARS),
    JSON_FIELD(struct message, forwarded, JSON_BOOL),
    JSON_FIELD(struct message, call_sid, JSON_CHARS),
    JSON_FIELD(struct message, job_id, JSON_U64),
    JSON_FIELD(struct message, error, JSON_CHARS),
    JSON_FIELD(struct message, again, JSON_CHARS),
    JSON_FIELD(struct message, reply_to, JSON_CHARS),
    JSON_FIELD(struct message, content_sid, JSON_CHARS),
    JSON_FIELD(struct message, created_ms, JSON_U64),
    JSON_FIELD(struct message, updated_ms, JSON_U64),
    JSON_FIELD(struct message, body, JSON_STRING),
    JSON_FIELD(struct message, transcript, JSON_STRING),
    JSON_FIELD(struct message, media, JSON_ARRAY),
    JSON_FIELD(struct message, variables, JSON_OBJECT),
    JSON_FIELD(struct message, location, JSON_OBJECT),
    JSON_FIELD(struct message, choice, JSON_OBJECT),
    JSON_FIELD(struct message, referral, JSON_OBJECT),
    JSON_FIELD(struct message, params, JSON_OBJECT),
    JSON_FIELD(struct message, param_order, JSON_OBJECT),
};

void message_release(struct message *message)
{
    json_release(fields, ELEMENTSOF(fields), message);
}

int message_status_parse(const char *name, size_t n)
{
    int status = json_name_index(statuses, ELEMENTSOF(statuses), name, n);

    return status == MESSAGE_UNCERTAIN ? -EINVAL : status;
}

static void write_place(struct json_object *location, char *ret_line, size_t size)
{
    const char *label = json_get_text(location, "label") ?: "", *address = json_get_text(location, "address") ?: "";

    (void)snprintf(ret_line, size, "%.5f, %.5f%s%s%s%s", json_get_double(location, "latitude", 0),
                   json_get_double(location, "longitude", 0), label[0] ? ", " : "", label, address[0] ? ", " : "", address);
}

const char *message_words(const struct message *message)
{
    const char *body = message->body ?: "", *said = message->transcript ?: "";

    return body[0] ? body : said[0] ? said : message->choice ? json_get_text(message->choice, "title") ?: "" : "";
}

void message_line(const struct message *message, char *ret_line, size_t size)
{
    const char *line = message_words(message);
    char place[512];

    if (!line[0] && message->location) {
        write_place(message->location, place, sizeof(place));
        line = place;
    } else if (!line[0] && message->kind == MESSAGE_REACTION) {
        line = "(taken back)";
    }
    (void)text_set(ret_line, size, line);
}

bool message_has_failed(const struct message *message)
{
    return message->direction == MESSAGE_OUT && !message->again[0] &&
           (message->status == MESSAGE_UNCERTAIN || message->status == MESSAGE_FAILED ||
            message->status == MESSAGE_UNDELIVERED);
}

struct json_object *message_to_json(const struct message *message)
{
    return json_write(fields, ELEMENTSOF(fields), message);
}

int message_from_json(struct json_object *json, struct message *ret_message)
{
    struct message message = { 0 };
    int r = json_read(json, fields, ELEMENTSOF(fields), &message);

    if (r == 0 && !message.id[0])
        r = -EBADMSG;
    if (r < 0) {
        message_release(&message);
        return r;
    }
    *ret_message = message;
    return 0;
}
