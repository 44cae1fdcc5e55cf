/*
 * test_message.c - the shapes a server may send, and what is wrong with others
 */
#include "caller/message.h"

#include <string.h>

#include "tap.h"

#define SID "MZ00000000000000000000000000000001"
#define STREAM "\"streamSid\":\"" SID "\""
#define MEDIA(payload) "{\"event\":\"media\"," STREAM ",\"media\":{\"payload\":" payload "}}"

static const struct {
    const char *text;
    int want; /* an event, -1: refused */
    const char *name;
    size_t n_ulaw;
} cases[] = {
    { MEDIA("\"/38=\""), MESSAGE_AUDIO, NULL, 2 },
    { " { \"media\" : {\"payload\":\"/w==\"}, " STREAM ", \"event\":\"media\" } \n", MESSAGE_AUDIO, NULL, 1 },
    { "{\"event\":\"mark\"," STREAM ",\"mark\":{\"name\":\"a b\"}}", MESSAGE_MARK, "a b", 0 },
    { "{\"event\":\"clear\"," STREAM "}", MESSAGE_CLEAR, NULL, 0 },
    { MEDIA("\"\""), -1, NULL, 0 },
    { MEDIA("\"*\""), -1, NULL, 0 },
    { MEDIA("\"/38\""), -1, NULL, 0 },
    { MEDIA("7"), -1, NULL, 0 },
    { MEDIA("\"UklGRiQAAABXQVZF\""), -1, NULL, 0 },
    { MEDIA("\"LnNuZAAAABg=\""), -1, NULL, 0 },
    { MEDIA("\"/38=\",\"track\":\"outbound\""), -1, NULL, 0 },
    { "{\"event\":\"media\"," STREAM ",\"media\":{}}", -1, NULL, 0 },
    { "{\"event\":\"media\"," STREAM ",\"media\":\"/38=\"}", -1, NULL, 0 },
    { "{\"event\":\"media\"," STREAM ",\"media\":null}", -1, NULL, 0 },
    { "{\"event\":\"media\"," STREAM "}", -1, NULL, 0 },
    { "{\"event\":\"media\"," STREAM ",\"sequenceNumber\":\"1\",\"media\":{\"payload\":\"/38=\"}}", -1, NULL, 0 },
    { "{\"event\":\"media\",\"streamSid\":\"MZ2\",\"media\":{\"payload\":\"/38=\"}}", -1, NULL, 0 },
    { "{\"event\":\"media\",\"streamSid\":1,\"media\":{\"payload\":\"/38=\"}}", -1, NULL, 0 },
    { "{\"event\":\"media\",\"media\":{\"payload\":\"/38=\"}}", -1, NULL, 0 },
    { "{\"event\":\"clear\"," STREAM ",\"clear\":{}}", -1, NULL, 0 },
    { "{\"event\":\"stop\"," STREAM "}", -1, NULL, 0 },
    { "{\"event\":7," STREAM "}", -1, NULL, 0 },
    { "{" STREAM "}", -1, NULL, 0 },
    { "[]", -1, NULL, 0 },
    { "null", -1, NULL, 0 },
    { "", -1, NULL, 0 },
    { "hello", -1, NULL, 0 },
    { "{\"event\":\"clear\"," STREAM "", -1, NULL, 0 },
    { "{\"event\":\"clear\"," STREAM "}{}", -1, NULL, 0 },
    { "{'event':'clear'}", -1, NULL, 0 },
};

int main(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct message message = { 0 };
        char why[MESSAGE_WHY_MAX] = "";
        int r = message_parse(cases[i].text, strlen(cases[i].text), SID, &message, why);

        if (r < 0) {
            ok(cases[i].want == -1 && why[0], "%s is refused: %s", cases[i].text, why);
            continue;
        }
        is_int(message.event, cases[i].want, cases[i].text);
        is_int((long long)message.n_ulaw, (long long)cases[i].n_ulaw, "... so much audio");
        is_str(message.name, cases[i].name, "... this mark");
        message_done(&message);
    }
    return done_testing();
}
