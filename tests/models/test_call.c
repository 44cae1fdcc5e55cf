/*
 * test_call.c - a call's, a turn's, a message's and a job's names and JSON
 */
#include "models/call.h"

#include <errno.h>

#include "models/job.h"
#include "models/message.h"
#include "models/turn.h"
#include "tap.h"
#include "utils/json.h"

static const struct {
    const char *name;
    int want;
} statuses[] = {
    { "queued", CALL_RINGING },          { "initiated", CALL_RINGING },   { "ringing", CALL_RINGING },
    { "in-progress", CALL_IN_PROGRESS }, { "completed", CALL_COMPLETED }, { "busy", CALL_BUSY },
    { "no-answer", CALL_NO_ANSWER },     { "failed", CALL_FAILED },       { "canceled", CALL_CANCELED },
    { "lost", -EINVAL },                 { "", -EINVAL },                 { "complete", -EINVAL },
    { "completed ", -EINVAL },           { "COMPLETED", -EINVAL },
};

static void test_names(void)
{
    for (size_t i = 0; i < ELEMENTSOF(statuses); i++)
        ok(call_status_parse(statuses[i].name, strlen(statuses[i].name)) == statuses[i].want, "call status '%s'",
           statuses[i].name);
    for (int i = 0; i < CALL_N_STATUS; i++)
        is_int(call_status_is_final(i), i >= CALL_COMPLETED, "a status is final or not");
    for (int i = 0; i < CALL_N_END; i++)
        ok(call_end_name(i) != NULL, "call end '%s'", call_end_name(i));
    is_int(answer_kind_parse("digits"), ANSWER_DIGITS, "a kind of answer");
    is_int(answer_kind_parse("essay"), -EINVAL, "an unknown kind of answer");
    is_int(message_status_parse("undelivered", 11), MESSAGE_UNDELIVERED, "a message status");
    is_int(message_status_parse("uncertain", 9), -EINVAL, "a message status that is ours alone");
    is_int(message_status_parse("gone", 4), -EINVAL, "an unknown message status");
}

/* --- one row of JSON each: refused, or read and written */

static int call_round(struct json_object *json, struct json_object **ret_again)
{
    scoped(call_done) struct call call = { 0 };
    int r = call_from_json(json, &call);

    if (r == 0)
        *ret_again = call_to_json(&call);
    return r;
}

static int turn_round(struct json_object *json, struct json_object **ret_again)
{
    struct turn turn;
    int r = turn_from_json(json, &turn);

    if (r == 0)
        *ret_again = turn_to_json(&turn);
    return r;
}

static int message_round(struct json_object *json, struct json_object **ret_again)
{
    scoped(message_release) struct message message = { 0 };
    int r = message_from_json(json, &message);

    if (r == 0)
        *ret_again = message_to_json(&message);
    return r;
}

#define CALL_REST                                                                                                      \
    "\"account_sid\":\"AC1\",\"from\":\"+972501234567\",\"to\":\"+97231234567\",\"contact_id\":\"C1\","                \
    "\"stream_sid\":\"MZ1\",\"stream_token\":\"secret\",\"status\":\"completed\",\"end\":\"caller hung up\",\"after\":\"dial\",\"forwarded\":true,"          \
    "\"started_ms\":1,\"answered_ms\":2,\"ended_ms\":3,\"sequence\":-1,\"n_turns\":4,\"n_steps\":1,\"generation\":0,"                                        \
    "\"steps\":[{\"at_ms\":1,\"part\":\"stt\",\"from\":\"whisper\",\"to\":\"\",\"cause\":\"it was slow\"}],\"task_id\":\"\",\"learnt\":{\"name\":\"Dana\"},"  \
    "\"dial\":{\"DialCallStatus\":\"busy\"},\"recordings\":[{\"RecordingSid\":\"RE1\"}],\"params\":{\"Weird\":\"x\"},\"param_order\":{\"Weird\":2}"

static int job_round(struct json_object *json, struct json_object **ret_again)
{
    struct job job;
    int r = job_from_json(json, &job);

    if (r == 0)
        *ret_again = job_to_json(&job);
    return r;
}

static const struct {
    int (*round)(struct json_object *json, struct json_object **ret_again);
    const char *text;
    const char *want; /* "" the same; NULL refused */
    const char *what;
} rounds[] = {
    { call_round, "{\"sid\":\"CA1\"," CALL_REST "}", "", "a whole call" },
    { call_round, "{\"sid\":\"\"," CALL_REST "}", NULL, "a call without a sid" },
    { call_round, "{" CALL_REST "}", NULL, "a call with no sid at all" },
    { call_round, "{\"sid\":\"CA1\",\"status\":\"dancing\"}", NULL, "an unknown status" },
    { call_round, "{\"sid\":\"CA1\",\"end\":\"boredom\"}", NULL, "an unknown end" },
    { call_round, "{\"sid\":\"CA1\",\"after\":\"dance\"}", NULL, "an unknown thing to do afterwards" },
    { call_round, "{\"sid\":\"CA1\",\"started_ms\":-1}", NULL, "a time before all time" },
    { call_round, "{\"sid\":\"CA1234567890123456789012345678901234567890\"}", NULL, "too long a sid" },
    { call_round, "{\"sid\":\"CA1\",\"params\":[]}", NULL, "params that are no object" },
    { call_round, "[]", NULL, "an array" },
    { turn_round,
      "{\"who\":\"caller\",\"text\":\"\u05db\u05df\",\"full\":\"\",\"audio\":\"CA1/1.wav\",\"expected\":\"yesno\","
      "\"start_ms\":1,\"end_ms\":2,\"confidence\":0.75,\"interrupted\":false,\"keyed\":true,\"times\":{"
      "\"speech_end\":1,\"decided\":2,\"transcript\":3,\"first_token\":4,\"first_sentence\":5,\"first_audio\":6,"
      "\"first_frame\":7,\"listened\":8,\"stt_asked\":9,\"stt_answered\":10,\"chat_asked\":11,\"chat_answered\":12,"
      "\"tts_asked\":13,\"tts_answered\":14}}",
      "", "a whole turn" },
    { turn_round, "{\"who\":\"agent\",\"text\":\"Hello\"}",
      "{\"who\":\"agent\",\"text\":\"Hello\",\"full\":\"\",\"audio\":\"\",\"expected\":\"free\",\"start_ms\":0,"
      "\"end_ms\":0,\"confidence\":-1.0,\"interrupted\":false,\"keyed\":false}",
      "a turn without milestones and with unknown confidence" },
    { turn_round, "{\"who\":\"nobody\"}", NULL, "a turn of nobody" },
    { turn_round, "{\"who\":\"agent\",\"times\":[]}", NULL, "milestones that are no object" },
    { turn_round, "{\"who\":\"agent\",\"times\":{\"decided\":\"now\"}}", NULL, "a milestone in words" },
    { message_round,
      "{\"id\":\"M1\",\"provider_id\":\"SM1\",\"contact_id\":\"C1\",\"address\":\"+972501234567\",\"alias\":\"777@lid\",\"direction\":\"in\","
      "\"channel\":\"whatsapp\",\"status\":\"received\",\"wording\":\"kept\",\"kind\":\"audio\",\"author\":\"human\",\"asked\":\"name\",\"forwarded\":true,\"call_sid\":\"CA1\",\"job_id\":7,"
      "\"error\":\"63016: too late\",\"again\":\"M2\",\"reply_to\":\"M0\",\"content_sid\":\"HX1\",\"created_ms\":1,\"updated_ms\":2,"
      "\"body\":\"\u05e9\u05dc\u05d5\u05dd\",\"transcript\":\"shalom\",\"media\":[{\"url\":\"https://x\",\"type\":\"audio/ogg\"}],"
      "\"variables\":{\"1\":\"Dana\"},\"location\":{\"label\":\"Office\"},\"choice\":{\"id\":\"1\"},\"referral\":{\"id\":\"2\"},\"params\":{\"WaId\":\"972\"}}",
      "", "a whole message" },
    { message_round, "{\"provider_id\":\"SM1\"}", NULL, "a message without an id" },
    { message_round, "{\"id\":\"M1\",\"body\":7}", NULL, "a body that is a number" },
    { message_round, "{\"id\":\"M1\",\"body\":\"x\",\"channel\":\"pigeon\"}", NULL, "an unknown channel" },
    { job_round,
      "{\"id\":7,\"kind\":\"message\",\"state\":\"behind\",\"doubt\":\"unheard\",\"is_harmless\":true,"
      "\"due_ms\":5,\"created_ms\":1,"
      "\"tried_ms\":2,\"n_tried\":3,\"lane\":\"whatsapp C1\",\"message_id\":\"M1\",\"call_sid\":\"CA1\","
      "\"contact_id\":\"C1\",\"error\":\"nobody takes the connection\"}",
      "", "a whole job" },
    { job_round, "{\"kind\":\"message\"}", NULL, "a job without an id" },
    { job_round, "{\"id\":1,\"kind\":\"dance\"}", NULL, "an unknown kind of job" },
};

static void test_rounds(void)
{
    for (size_t i = 0; i < ELEMENTSOF(rounds); i++) {
        scoped(json_object_put) struct json_object *json = NULL, *again = NULL;
        int r = json_parse(rounds[i].text, strlen(rounds[i].text), &json);

        if (r == 0)
            r = rounds[i].round(json, &again);
        is_int(r, rounds[i].want ? 0 : -EBADMSG, rounds[i].what);
        if (r == 0)
            is_str(json_print(again, NULL), rounds[i].want[0] ? rounds[i].want : rounds[i].text, "  written");
    }
}

int main(void)
{
    test_names();
    test_rounds();
    return done_testing();
}
