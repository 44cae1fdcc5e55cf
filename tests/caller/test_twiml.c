/*
 * test_twiml.c - what is TwiML, what is nearly so
 */
#include "caller/twiml.h"

#include <stdio.h>
#include <string.h>

#include "tap.h"

static char breaches[512];

static void on_breach(void *user, enum breach breach, const char *detail)
{
    size_t n = strlen(breaches);

    (void)snprintf(breaches + n, sizeof(breaches) - n, "%d:%s;", breach_kind(breach)->code, detail);
}

/* nodes as name(parent)[attribute=value,...]text, a blank between */
static void describe(const struct twiml *twiml, char *out, size_t max)
{
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < twiml->n_nodes && n < max; i++) {
        const struct twiml_node *node = &twiml->nodes[i];
        n += (size_t)snprintf(out + n, max - n, "%s%s(%d)", i ? " " : "", node->name, node->parent);
        for (size_t j = 0; j < node->n_attributes && n < max; j++)
            n += (size_t)snprintf(out + n, max - n, "[%s=%s]", node->attributes[j].name, node->attributes[j].value);
        if (n < max)
            n += (size_t)snprintf(out + n, max - n, "%s", node->text);
    }
}

static const struct {
    const char *xml;
    const char *want; /* NULL: refused */
    const char *breaches;
} cases[] = {
    { "<Response/>", "Response(-1)", "" },
    { "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>\n", "Response(-1)", "" },
    { "<?xml version=\"1.0\"?>\n<Response/>", "Response(-1)", "0:;" },
    { "<Response><Connect><Stream url=\"wss://h/ws\"><Parameter name=\"token\" value=\"a&amp;b\"/></Stream></Connect></Response>",
      "Response(-1) Connect(0) Stream(1)[url=wss://h/ws] Parameter(2)[name=token][value=a&b]", "" },
    { "<Response><Say language='he-IL'> &#x5e9;&#1500;&lt; </Say><Hangup></Hangup></Response>",
      "Response(-1) Say(0)[language=he-IL]\xD7\xA9\xD7\x9C< Hangup(0)", "" },
    { "<Response><!-- a > b --><Reject reason = \"busy\" /></Response>", "Response(-1) Reject(0)[reason=busy]", "" },
    { "<Response><Dial>+97230000000</Dial><Record maxLength=\"60\"/></Response>",
      "Response(-1) Dial(0)+97230000000 Record(0)[maxLength=60]", "" },
    { "<Response><say>x</say></Response>", "Response(-1) say(0)x", "12200:<say> in <Response>;" },
    { "<Response><Stream url=\"wss://h\"/></Response>", "Response(-1) Stream(0)[url=wss://h]",
      "12200:<Stream> in <Response>;" },
    { "<Response><Connect><Stream URL=\"wss://h\"/></Connect></Response>", "Response(-1) Connect(0) Stream(1)[URL=wss://h]",
      "12200:URL= of <Stream>;" },
    { "<Response><Connect><Stream url=\"wss://h\" track=\"both_tracks\"/></Connect></Response>",
      "Response(-1) Connect(0) Stream(1)[url=wss://h][track=both_tracks]", "31941:both_tracks;" },
    { "<Response><Connect><Stream url=\"wss://h\"><Parameter name=\"x\"/></Stream></Connect></Response>",
      "Response(-1) Connect(0) Stream(1)[url=wss://h] Parameter(2)[name=x]",
      "12200:a <Parameter> without name and value, or of 500 characters and more;" },
    { "", NULL, "" },
    { "hello", NULL, "" },
    { "{\"error\":1}", NULL, "" },
    { "<Response>", NULL, "" },
    { "<Response></response>", NULL, "" },
    { "<Response/><Response/>", NULL, "" },
    { "<response/>", NULL, "" },
    { "<Twiml><Response/></Twiml>", NULL, "" },
    { "<!DOCTYPE x><Response/>", NULL, "" },
    { "<Response><Say>a</Response></Say>", NULL, "" },
    { "<Response><Say>a & b</Say></Response>", NULL, "" },
    { "<Response><Say>&nbsp;</Say></Response>", NULL, "" },
    { "<Response><Say>&#0;</Say></Response>", NULL, "" },
    { "<Response><Say>&#xD800;</Say></Response>", NULL, "" },
    { "<Response><Say>&#x110000;</Say></Response>", NULL, "" },
    { "<Response><Say>a<!-- b -->c</Say></Response>", NULL, "" },
    { "<Response a=b/>", NULL, "" },
    { "<Response a/>", NULL, "" },
    { "<Response a=\"1\"b=\"2\"/>", NULL, "" },
    { "<Response a=\"1\" a=\"2\"/>", NULL, "" },
    { "<Response a=\"<\"/>", NULL, "" },
    { "<Response a=\"1/>", NULL, "" },
    { "<Response><!-- </Response>", NULL, "" },
    { "<Response>x", NULL, "" },
    { "<Response/>x", NULL, "" },
    { "< Response/>", NULL, "" },
    { "<", NULL, "" },
    { "</", NULL, "" },
    { "<a><b><c><d><e><f><g><h><i/></h></g></f></e></d></c></b></a>", NULL, "" },
};

int main(void)
{
    struct twiml twiml;
    const char *why;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *xml = cases[i].xml;
        char text[1024];

        if (twiml_parse(xml, strlen(xml), &twiml, &why) < 0) {
            ok(!cases[i].want && why, "%.60s is refused: %s", xml, why);
            continue;
        }
        breaches[0] = '\0';
        twiml_check(&twiml, xml, strlen(xml), on_breach, NULL);
        describe(&twiml, text, sizeof(text));
        if (!ok(cases[i].want && strcmp(text, cases[i].want) == 0, "%.60s", xml))
            printf("# got %s\n", text);
        is_str(breaches, cases[i].breaches, "... with its breaches");
        twiml_done(&twiml);
    }

    ok(twiml_parse("<Response/>\0", 12, &twiml, &why) < 0, "a NUL byte is refused");
    return done_testing();
}
