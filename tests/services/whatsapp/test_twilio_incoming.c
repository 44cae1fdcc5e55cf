/*
 * test_twilio_incoming.c - what a form of Twilio's says a message is
 */
#include "services/whatsapp/twilio_incoming.h"

#include <string.h>

#include "tap.h"
#include "utils/json.h"

#define FORM(more) "{\"MessageSid\":\"SM1\",\"From\":\"whatsapp:+972501234567\",\"NumMedia\":\"0\",\"ReferralNumMedia\":\"0\"" more "}"
#define MEDIA(type) FORM(",\"Body\":\"\",\"MediaUrl0\":\"https://m/1\",\"MediaContentType0\":\"" type "\"")
#define PLACE(latitude, longitude) FORM(",\"Body\":\"\",\"Latitude\":\"" latitude "\",\"Longitude\":\"" longitude "\"")

static const struct {
    const char *what, *form, *kind, *line;
    const char *json; /* a part of it */
} rows[] = {
    { "text", FORM(",\"Body\":\"hello\""), "text", "hello", "\"channel\":\"whatsapp\"" },
    { "nothing at all", FORM(""), "text", "", "\"body\":\"\"" },
    { "a field that came twice", FORM(",\"Body\":[\"one\",\"two\"]"), "text", "one", "\"body\":\"one\"" },
    { "a field that is no text", FORM(",\"Body\":7"), "text", "", "\"body\":\"\"" },
    { "a picture", MEDIA("image/jpeg"), "image", "", "\"media\":[{\"url\":\"https://m/1\",\"type\":\"image/jpeg\"}]" },
    { "a sticker", MEDIA("image/webp"), "sticker", "", "\"type\":\"image/webp\"" },
    { "a voice note", MEDIA("audio/ogg"), "audio", "", "\"type\":\"audio/ogg\"" },
    { "a film", MEDIA("video/mp4"), "video", "", "" },
    { "a person's card", MEDIA("text/vcard"), "card", "", "" },
    { "a document", MEDIA("application/pdf"), "document", "", "" },
    { "media of no type", MEDIA(""), "document", "", "\"type\":\"\"" },
    { "a picture with words", FORM(",\"Body\":\"look\",\"MediaUrl0\":\"u\",\"MediaContentType0\":\"image/png\""), "image", "look", "" },
    { "two media", FORM(",\"MediaUrl0\":\"a\",\"MediaContentType0\":\"image/png\",\"MediaUrl1\":\"b\",\"MediaContentType1\":\"audio/ogg\""),
      "image", "", "\"url\":\"b\",\"type\":\"audio/ogg\"" },
    { "a place", FORM(",\"Latitude\":\"32.0853\",\"Longitude\":\"34.7818\",\"Label\":\"Office\",\"Address\":\"1 Main St\""), "location",
      "32.08530, 34.78180, Office, 1 Main St", "\"location\":{\"latitude\":32.085300,\"longitude\":34.781800,\"label\":\"Office\",\"address\":\"1 Main St\"}" },
    { "a place without a name", PLACE("-90", "180"), "location", "-90.00000, 180.00000", "\"latitude\":-90.000000," },
    { "a place beyond the pole", PLACE("90.1", "0"), "text", "", "" },
    { "a place in words", PLACE("north", "0"), "text", "", "" },
    { "a place with a tail", PLACE("1.5x", "0"), "text", "", "" },
    { "a place that is no number", PLACE("nan", "0"), "text", "", "" },
    { "half a place", FORM(",\"Latitude\":\"1\""), "text", "", "" },
    { "a button", FORM(",\"Body\":\"Yes\",\"ButtonText\":\"Yes\",\"ButtonPayload\":\"y1\",\"ButtonType\":\"REPLY\""), "button", "Yes",
      "\"choice\":{\"id\":\"y1\",\"title\":\"Yes\"}" },
    { "a button without Body", FORM(",\"ButtonText\":\"No\""), "button", "No", "\"choice\":{\"title\":\"No\"}" },
    { "a row of a list", FORM(",\"Body\":\"\",\"ListId\":\"r2\",\"ListTitle\":\"Tuesday\",\"ListDescription\":\"at ten\""), "list", "Tuesday",
      "\"choice\":{\"id\":\"r2\",\"title\":\"Tuesday\",\"description\":\"at ten\"}" },
    { "a reaction", FORM(",\"Body\":\"\\ud83d\\udc4d\",\"MessageType\":\"reaction\""), "reaction", "\U0001F44D", "" },
    { "a reaction taken back", FORM(",\"Body\":\"\",\"MessageType\":\"reaction\""), "reaction", "(taken back)", "" },
    { "a type that nobody knows", FORM(",\"Body\":\"x\",\"MessageType\":\"hologram\""), "text", "x", "" },
    { "forwarded", FORM(",\"Body\":\"x\",\"Forwarded\":\"true\""), "text", "x", "\"forwarded\":true" },
    { "forwarded often", FORM(",\"Body\":\"x\",\"FrequentlyForwarded\":\"true\""), "text", "x", "\"forwarded\":true" },
    { "not forwarded", FORM(",\"Body\":\"x\",\"Forwarded\":\"false\""), "text", "x", "\"forwarded\":false" },
    { "by an advertisement", FORM(",\"Body\":\"x\",\"ReferralHeadline\":\"Sale\",\"ReferralSourceType\":\"ad\",\"ReferralSourceUrl\":\"https://f/1\""),
      "text", "x", "\"referral\":{\"headline\":\"Sale\",\"type\":\"ad\",\"url\":\"https://f/1\"}" },
    { "a name beside the number", FORM(",\"ExternalUserId\":\"whatsapp:IL.123\""), "text", "", "\"alias\":\"whatsapp:IL.123\"" },
    { "a name of another kind", FORM(",\"ExternalUserId\":\"IL.123\""), "text", "", "\"alias\":\"\"" },
    { "a hidden number", "{\"MessageSid\":\"SM1\",\"From\":\"whatsapp:IL.123\",\"ExternalUserId\":\"whatsapp:IL.123\",\"WaId\":\"123\"}", "text", "",
      "\"address\":\"whatsapp:IL.123\",\"alias\":\"\"" },
    { "a text message", "{\"MessageSid\":\"SM1\",\"From\":\"+972501234567\",\"Body\":\"x\"}", "text", "x", "\"channel\":\"sms\"" },
    { "an address that does not fit", "{\"MessageSid\":\"SM1\",\"From\":\"whatsapp:0123456789012345678901234567890123456789012345678901234567890123456789\"}",
      "text", "", "\"address\":\"\"" },
    { "nobody, and nothing", "{}", "text", "", "\"provider_id\":\"\"" },
};

int main(void)
{
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        scoped(json_object_put) struct json_object *params = NULL, *json = NULL;
        scoped(message_release) struct message message = { .id = "M1" }, again = { 0 };
        char line[256];

        if (json_parse(rows[i].form, strlen(rows[i].form), &params) < 0)
            printf("# the row cannot be read\n");
        is_int(whatsapp_twilio_incoming(params, &message), 0, rows[i].what);
        json = message_to_json(&message);
        is_str(json_get_text(json, "kind"), rows[i].kind, "  of its kind");
        message_line(&message, line, sizeof(line));
        is_str(line, rows[i].line, "  in a line");
        if (!ok(strstr(json_print(json, NULL), rows[i].json) != NULL, "  with its parts"))
            printf("# %s\n", json_print(json, NULL));
        ok(message_from_json(json, &again) == 0 && again.kind == message.kind && !again.location == !message.location &&
               !again.choice == !message.choice && !again.referral == !message.referral,
           "  which are read as they were written");
    }
    return done_testing();
}
