/*
 * test_agent_tools.c - what a model may do is offered as a schema; what breaks it is refused with the reason
 */
#include "services/agent_tools.h"

#include <errno.h>
#include <string.h>

#include "models/call.h"
#include "services/chat.h"
#include "tap.h"
#include "utils/json.h"
#include "utils/when.h"

static const uint64_t now_ms = 1795334400000; /* 2026-11-22T08:00Z */

#define C10 "0123456789"
#define C100 C10 C10 C10 C10 C10 C10 C10 C10 C10 C10
#define HEBREW "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D\xD7\x90"
#define HEBREW_60 HEBREW HEBREW HEBREW HEBREW HEBREW HEBREW HEBREW HEBREW HEBREW HEBREW HEBREW HEBREW

static const struct {
    const char *name, *arguments, *from;
    const char *want; /* field=value;... whatsapp=... end=...; or "refused: ..." as it begins */
} cases[] = {
    { "save_contact", "{\"name\":\"Dana\",\"need\":\"a boiler\"}", "", "name=Dana;need=a boiler;" },
    { "save_contact", "{\"name\":\"  Dana\\n Cohen \"}", "", "name=Dana  Cohen;" },
    { "save_contact", "{\"need\":\"" HEBREW_60 HEBREW_60 "\"}", "", "need=" HEBREW_60 HEBREW_60 ";" },
    { "save_contact", "{\"callback\":\"050-123 4567\"}", "", "callback=+972501234567;" },
    { "save_contact", "{\"callback\":\"+15551230000\",\"need\":null,\"name\":\"\"}", "", "callback=+15551230000;" },
    { "save_contact", "{\"callback\":\"ten past nine\"}", "", "refused: callback: not a telephone number" },
    { "save_contact", "{\"need\":\"" C100 C10 C10 "1\"}", "", "refused: need: over 120 characters" },
    { "save_contact", "{\"name\":\"" C10 C10 C10 C10 C10 C10 "1\"}", "", "refused: name: over 60 characters" },
    { "save_contact", "{\"need\":7}", "", "refused: need: must be a string" },
    { "save_contact", "{\"need\":{\"a\":\"b\"}}", "", "refused: need: must be a string" },
    { "save_contact", "{\"stage\":\"won\"}", "", "refused: there is no argument \"stage\"" },
    { "save_contact", "{\"stage\":\"won\",\"need\":7}", "", "refused: there is no argument \"stage\"; need: must be a string" },
    { "save_contact", "{}", "", "refused: there is nothing to save" },
    { "save_contact", "", "", "refused: there is nothing to save" },
    { "save_contact", "{\"need\":\"x\"", "", "refused: the arguments are not a JSON object of strings" },
    { "save_contact", "[\"need\"]", "", "refused: the arguments are not a JSON object of strings" },
    { "save_contact", "{\"need\":\"a\",\"need\":\"b\"}", "", "refused: the arguments are not a JSON object of strings" },
    { "save_contact", "{\"need\":\"\xff\"}", "", "refused: the arguments are not a JSON object of strings" },

    { "schedule_callback", "{\"when\":\"2026-11-23T10:00\"}", "+972501234567",
      "callback_at=2026-11-23T10:00+02:00;callback=+972501234567;" },
    { "schedule_callback", "{\"when\":\"2026-11-23T10:00+03:00\",\"phone\":\"0527654321\",\"about\":\"a boiler\"}", "",
      "callback_at=2026-11-23T09:00+02:00;callback=+972527654321;callback_about=a boiler;" },
    { "schedule_callback", "{\"when\":\"2026-11-23T10:00\"}", "", "refused: phone: the caller's number is hidden" },
    { "schedule_callback", "{\"when\":\"2026-11-21T10:00\"}", "+972501234567", "refused: when: must be in the future, and it is 2026-11-22T10:00+02:00 now" },
    { "schedule_callback", "{\"when\":\"2036-11-21T10:00\"}", "+972501234567", "refused: when: is more than two years from now" },
    { "schedule_callback", "{\"when\":\"tomorrow\"}", "+972501234567", "refused: when: must be a date with a time" },
    { "schedule_callback", "{\"when\":\"2026-11-23\"}", "+972501234567", "refused: when: must be a date with a time" },
    { "schedule_callback", "{\"phone\":\"0527654321\"}", "", "refused: when: is missing" },
    { "schedule_callback", "{\"when\":\"2026-11-23T10:00\",\"phone\":\"x\",\"about\":3}", "",
      "refused: phone: not a telephone number; ask again; about: must be a string" },

    { "send_whatsapp", "{\"text\":\"our address is 1 Main Street\"}", "+972501234567", "whatsapp=our address is 1 Main Street;" },
    { "send_whatsapp", "{\"message\":\"thanks\"}", "+972501234567",
      "whatsapp=Thank you for calling Acme. We have noted your request and will call you back.(fixed);" },
    { "send_whatsapp", "{\"message\":\"price list\"}", "+972501234567", "refused: message: there is no message of this id" },
    { "send_whatsapp", "{\"message\":\"thanks\",\"text\":\"x\"}", "+972501234567", "refused: give either text or message" },
    { "send_whatsapp", "{}", "+972501234567", "refused: give either text or message" },
    { "send_whatsapp", "{\"text\":\"hello\"}", "", "refused: the caller's number is hidden" },
    { "send_whatsapp", "{\"text\":\"" C100 C100 C10 C10 C10 C10 C10 "1\"}", "+972501234567", "refused: text: over 250 characters" },
    { "send_whatsapp", "{\"text\":\"hello\",\"to\":\"+15551230000\"}", "+972501234567", "refused: there is no argument \"to\"" },

    { "transfer_to_human", "{\"reason\":\"an emergency\"}", "", "transfer_reason=an emergency;end=transfer;" },
    { "transfer_to_human", "{}", "", "refused: reason: is missing" },
    { "end_call", "{}", "", "end=0;" },
    { "end_call", "", "", "end=0;" },
    { "end_call", "{\"reason\":\"bored\"}", "", "refused: there is no argument \"reason\"" },
    { "delete_everything", "{}", "", "refused: there is no such tool" },
    { "", "", "", "refused: there is no such tool" },
};

static void describe(const struct agent_reply *reply, char *out)
{
    char *p = out;

    *p = '\0';
    for (size_t i = 0; i < reply->n_learnt; i++)
        p += sprintf(p, "%s=%s;", reply->learnt[i].field, reply->learnt[i].value);
    if (reply->whatsapp[0])
        p += sprintf(p, "whatsapp=%s%s;", reply->whatsapp, reply->may_reword ? "(fixed)" : "");
    if (reply->end)
        (void)sprintf(p, "end=%s;", reply->end_as == CALL_END_TRANSFER ? "transfer" : "0");
}

static void test_cases(const struct agent_tools *tools)
{
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        struct agent_tools_call call = { cases[i].name, cases[i].arguments, cases[i].from, now_ms };
        static struct agent_reply reply;
        char result[AGENT_RESULT_MAX], got[4096];
        bool is_refusal = strncmp(cases[i].want, "refused", 7) == 0;

        memset(&reply, 0, sizeof(reply));
        int r = agent_tools_run(tools, &call, &reply, result);
        describe(&reply, got);
        bool is_right = is_refusal ? r == -EINVAL && !got[0] && strncmp(result, cases[i].want, strlen(cases[i].want)) == 0
                                   : r == 0 && strcmp(got, cases[i].want) == 0;
        if (!ok(is_right, "%s %s", cases[i].name, cases[i].arguments))
            printf("# r %d: %s, result %s\n", r, got, result);
    }
}

static struct json_object *function_of(struct json_object *json, const char *name)
{
    for (size_t i = 0; i < json_object_array_length(json); i++) {
        struct json_object *function = json_object_object_get(json_object_array_get_idx(json, i), "function");

        if (strcmp(json_get_text(function, "name"), name) == 0)
            return function;
    }
    return NULL;
}

static void test_schema(const struct profile *profile, const struct agent_tools *tools)
{
    struct agent_tools_options fewer = { .profile = profile, .country = "972" };
    scoped(agent_tools_free) struct agent_tools *few = NULL;
    scoped(json_object_put) struct json_object *json = NULL, *few_json = NULL;

    if (!ok(json_parse(agent_tools_json(tools, 0), strlen(agent_tools_json(tools, 0)), &json) == 0 &&
                strlen(agent_tools_json(tools, 0)) <= CHAT_TOOLS_BODY_MAX, "the schema is JSON and fits a request"))
        return;
    is_int((long long)json_object_array_length(json), 5, "of five tools");
    struct json_object *save = json_object_object_get(function_of(json, "save_contact"), "parameters");
    struct json_object *fields = json_object_object_get(save, "properties");
    is_int(json_object_object_length(fields), 3, "the profile's fields, each once: name, need, callback");
    ok(!json_object_get_boolean(json_object_object_get(save, "additionalProperties")), "and no others");
    is_int(json_get_int(json_object_object_get(fields, "need"), "maxLength"), 120, "with their lengths");
    struct json_object *ids = json_object_object_get(
        json_object_object_get(json_object_object_get(json_object_object_get(function_of(json, "send_whatsapp"), "parameters"),
                                                      "properties"), "message"), "enum");
    is_str(json_object_get_string(json_object_array_get_idx(ids, 1)), "write_to_us", "the profile's messages are an enum");

    if (agent_tools_new(&fewer, &few) < 0 || json_parse(agent_tools_json(few, 0), strlen(agent_tools_json(few, 0)), &few_json) < 0)
        return (void)ok(0, "fewer tools");
    ok(!function_of(few_json, "transfer_to_human"), "without a human nobody is put through");
    ok(!function_of(few_json, "send_whatsapp") && function_of(few_json, "end_call"), "without WhatsApp nothing is sent");
    static struct agent_reply reply;
    char result[AGENT_RESULT_MAX];
    struct agent_tools_call call = { "transfer_to_human", "{\"reason\":\"x\"}", "", now_ms };
    is_int(agent_tools_run(few, &call, &reply, result), -EINVAL, "though the model tries");
}

/* Two profiles' tools, as they are when somebody is there and when nobody is. */
static void test_hours(struct profile *profile)
{
    struct agent_tools_options options = { .profile = profile, .country = "972", .can_transfer = true };
    scoped(agent_tools_free) struct agent_tools *spoken = NULL, *written = NULL;
    uint64_t open_ms = 0, closed_ms = 0;
    static struct agent_reply reply;
    char result[AGENT_RESULT_MAX];

    (void)when_parse("2026-11-29T10:00", &open_ms); /* a Sunday */
    (void)when_parse("2026-11-29T20:00", &closed_ms);
    profile->hours.is_set = true;
    profile->hours.n_ranges[0] = 1;
    (void)hours_parse_range("09:00-17:00", &profile->hours.days[0][0]);
    int r = agent_tools_new(&options, &spoken);
    options.is_written = true;
    if (!ok(r == 0 && agent_tools_new(&options, &written) == 0, "tools for an office with hours"))
        return;
    struct agent_tools_call call = { "transfer_to_human", "{\"reason\":\"x\"}", "", open_ms };
    ok(strstr(agent_tools_json(spoken, open_ms), "transfer_to_human") != NULL, "a caller is put through while somebody is there");
    ok(!strstr(agent_tools_json(spoken, closed_ms), "transfer_to_human"), "it is not offered while nobody is");
    is_int(agent_tools_run(spoken, &call, &reply, result), 0, "he is");
    reply = (struct agent_reply){ 0 };
    call.unix_ms = closed_ms;
    is_int(agent_tools_run(spoken, &call, &reply, result), -EINVAL, "nor done");
    is_str(result, "refused: nobody is in the office now; offer to note when he is to be called back", "with the reason");
    ok(!reply.end && !reply.n_learnt, "and nothing happens");

    ok(strstr(agent_tools_json(written, closed_ms), "Leave the conversation to a human") != NULL, "what is written waits for somebody");
    ok(!strstr(agent_tools_json(written, open_ms), "end_call") && !strstr(agent_tools_json(written, open_ms), "Put the caller"),
       "there is nothing of calls in it");
    is_int(agent_tools_run(written, &call, &reply, result), 0, "at any hour");
    ok(reply.end && reply.end_as == CALL_END_TRANSFER, "that is how it is known");
    profile->hours = (struct hours){ 0 };
}

int main(void)
{
    scoped(agent_tools_free) struct agent_tools *tools = NULL;
    scoped(profile_free) struct profile *profile = NULL;
    struct agent_tools_options options = { .country = "972", .can_transfer = true, .can_message = true };
    char problems[1024];

    if (when_set_zone("Asia/Jerusalem") < 0) {
        skip("the tools: no time zones are installed here");
        return done_testing();
    }
    if (profile_load("receptionist-en", "Acme", problems, sizeof(problems), &profile) < 0)
        return 1;
    options.profile = profile;
    if (agent_tools_new(&options, &tools) < 0)
        return 1;
    test_cases(tools);
    test_schema(profile, tools);
    test_hours(profile);
    return done_testing();
}
