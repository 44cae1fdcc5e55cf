/*
 * twilio_incoming.c - a message that came in, out of the form that Twilio posts
 *
 * What somebody who reads the conversation needs gets a place of its own; the whole form is kept beside it.
 *
 * The kind follows from the fields that are documented: coordinates, a choice, media, else it is text. Nothing
 * documented tells a reaction, so there MessageType is believed, which is seen on the wire.
 *
 * From is a number, or, when the sender hides it, the name that WhatsApp has for him. ExternalUserId is that name
 * whenever he writes; beside a number it becomes the alias. WaId repeats the number and tells nothing more.
 */
#include "services/whatsapp/twilio_incoming.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "utils/json.h"
#include "utils/text.h"

enum { MEDIA_MAX = 10 };

static const char whatsapp_prefix[] = "whatsapp:";

/* --- parts that are objects */

struct part {
    const char *param, *key;
};

static const struct part location_parts[] = { { "Label", "label" }, { "Address", "address" } };

static const struct part button_parts[] = { { "ButtonPayload", "id" }, { "ButtonText", "title" } };

static const struct part list_parts[] = { { "ListId", "id" }, { "ListTitle", "title" }, { "ListDescription", "description" } };

static const struct part referral_parts[] = {
    { "ReferralHeadline", "headline" },    { "ReferralBody", "body" },      { "ReferralSourceType", "type" },
    { "ReferralSourceId", "id" },          { "ReferralSourceUrl", "url" },  { "ReferralCtwaClid", "click_id" },
    { "ReferralMediaContentType", "media_type" }, { "ReferralMediaUrl", "media_url" },
};

static int set_text(struct json_object *object, const char *key, const char *text)
{
    return json_add(object, key, json_object_new_string(text));
}

/* An object of those that are there; left as it is when none is. */
static int read_parts(struct json_object *params, const struct part *parts, size_t n, struct json_object **object)
{
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++) {
        const char *text = json_get_first_text(params, parts[i].param);
        if (!*text)
            continue;
        *object = *object ?: json_object_new_object();
        r = *object ? set_text(*object, parts[i].key, text) : -ENOMEM;
    }
    return r;
}

/* --- media */

static const struct {
    const char *prefix;
    enum message_kind kind;
} types[] = {
    { "image/webp", MESSAGE_STICKER }, { "image/", MESSAGE_IMAGE },     { "audio/", MESSAGE_AUDIO },
    { "video/", MESSAGE_VIDEO },       { "text/vcard", MESSAGE_CARD }, { "text/x-vcard", MESSAGE_CARD },
};

static enum message_kind kind_of_type(const char *type)
{
    for (size_t i = 0; i < ELEMENTSOF(types); i++)
        if (strncasecmp(type, types[i].prefix, strlen(types[i].prefix)) == 0)
            return types[i].kind;
    return MESSAGE_DOCUMENT;
}

static int add_media(struct message *message, const char *url, const char *type)
{
    struct json_object *item = json_object_new_object();

    message->media = message->media ?: json_object_new_array();
    int r = item ? set_text(item, "url", url) : -ENOMEM;
    if (r == 0)
        r = set_text(item, "type", type);
    if (r < 0 || !message->media) {
        json_object_put(item);
        return -ENOMEM;
    }
    return json_append(message->media, item);
}

static int read_media(struct json_object *params, struct message *message)
{
    int r = 0;

    for (int i = 0; i < MEDIA_MAX && r == 0; i++) {
        char url_name[24], type_name[32];
        (void)snprintf(url_name, sizeof(url_name), "MediaUrl%d", i);
        (void)snprintf(type_name, sizeof(type_name), "MediaContentType%d", i);
        const char *url = json_get_first_text(params, url_name), *type = json_get_first_text(params, type_name);
        if (!*url)
            break;
        if (i == 0)
            message->kind = kind_of_type(type);
        r = add_media(message, url, type);
    }
    return r;
}

/* --- a place, a choice, an advertisement */

static bool read_degrees(struct json_object *params, const char *name, double most, double *ret)
{
    const char *text = json_get_first_text(params, name);
    char *end;
    double degrees = strtod(text, &end);

    if (end == text || *end || !isfinite(degrees) || fabs(degrees) > most)
        return false;
    *ret = degrees;
    return true;
}

/* To a tenth of a metre, and no digit of what only the binary number has. */
static struct json_object *degrees_object(double degrees)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%.6f", degrees);
    return json_object_new_double_s(degrees, text);
}

static int read_location(struct json_object *params, struct message *message)
{
    double latitude, longitude;

    if (!read_degrees(params, "Latitude", 90, &latitude) || !read_degrees(params, "Longitude", 180, &longitude))
        return 0;
    message->kind = MESSAGE_LOCATION;
    message->location = json_object_new_object();
    int r = message->location ? json_add(message->location, "latitude", degrees_object(latitude)) : -ENOMEM;
    if (r == 0)
        r = json_add(message->location, "longitude", degrees_object(longitude));
    return r < 0 ? r : read_parts(params, location_parts, ELEMENTSOF(location_parts), &message->location);
}

static int read_choice(struct json_object *params, struct message *message)
{
    int r = read_parts(params, button_parts, ELEMENTSOF(button_parts), &message->choice);

    if (r == 0 && message->choice) {
        message->kind = MESSAGE_BUTTON;
        return 0;
    }
    if (r == 0)
        r = read_parts(params, list_parts, ELEMENTSOF(list_parts), &message->choice);
    if (message->choice)
        message->kind = MESSAGE_LIST;
    return r;
}

/* --- who */

static void read_sender(struct json_object *params, struct message *message)
{
    const char *from = json_get_first_text(params, "From"), *name = json_get_first_text(params, "ExternalUserId");
    bool is_whatsapp = strncmp(from, whatsapp_prefix, strlen(whatsapp_prefix)) == 0;
    bool is_number = from[is_whatsapp ? strlen(whatsapp_prefix) : 0] == '+';

    message->channel = is_whatsapp ? MESSAGE_WHATSAPP : MESSAGE_SMS;
    if (strlen(from) < sizeof(message->address))
        (void)text_set(message->address, sizeof(message->address), from);
    if (is_number && strncmp(name, whatsapp_prefix, strlen(whatsapp_prefix)) == 0 && strlen(name) < sizeof(message->alias))
        (void)text_set(message->alias, sizeof(message->alias), name);
}

static bool is_true(struct json_object *params, const char *name)
{
    return strcmp(json_get_first_text(params, name), "true") == 0;
}

int whatsapp_twilio_incoming(struct json_object *params, struct message *message)
{
    const char *sid = json_get_first_text(params, "MessageSid");

    message->direction = MESSAGE_IN;
    message->status = MESSAGE_RECEIVED;
    message->forwarded = is_true(params, "Forwarded") || is_true(params, "FrequentlyForwarded");
    if (strlen(sid) < sizeof(message->provider_id))
        (void)text_set(message->provider_id, sizeof(message->provider_id), sid);
    read_sender(params, message);
    message->body = strdup(json_get_first_text(params, "Body"));

    int r = message->body ? read_media(params, message) : -ENOMEM;
    if (r == 0)
        r = read_choice(params, message);
    if (r == 0)
        r = read_location(params, message);
    if (r == 0)
        r = read_parts(params, referral_parts, ELEMENTSOF(referral_parts), &message->referral);
    if (message->kind == MESSAGE_TEXT && strcmp(json_get_first_text(params, "MessageType"), "reaction") == 0)
        message->kind = MESSAGE_REACTION;
    return r;
}
