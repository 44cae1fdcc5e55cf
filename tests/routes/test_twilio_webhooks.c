/*
 * test_twilio_webhooks.c - what Twilio posts is kept once, whatever comes twice, and answered from
 * what is kept
 *
 * The store is real; the server and the speech workers are not.
 */
#include <errno.h>

#include <json-c/json.h>

#include "config.h"
#include "fake_request.h"
#include "gate.h"
#include "routes/routes.h"
#include "scratch.h"
#include "services/crm.h"
#include "services/crm_reply.h"
#include "services/places.h"
#include "services/profile.h"
#include "services/services.h"
#include "services/speech.h"
#include "services/twilio_security.h"
#include "tap.h"
#include "utils/json.h"
#include "utils/log.h"

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
#define EMPTY HEAD "<Response/>"
#define BUSY HEAD "<Response><Reject reason=\"busy\"/></Response>"
#define ON "https://gw.example.com/webhook/"
#define HANG_UP HEAD "<Response><Hangup/></Response>"
#define DIAL(caller_id)                                                                            \
    HEAD "<Response><Dial answerOnBridge=\"true\" timeout=\"25\" timeLimit=\"14400\" action=\"" ON "after_dial\"" caller_id \
         "><Number>" HUMAN "</Number></Dial></Response>"
#define RECORD(say, text)                                                                          \
    HEAD "<Response>" say text "</Say><Record maxLength=\"180\" timeout=\"6\" playBeep=\"true\" trim=\"trim-silence\" action=\"" ON \
         "handle_recording\" recordingStatusCallback=\"" ON "handle_recording\"/></Response>"
#define HUMAN "+97230000000"
#define SORRY RECORD("<Say language=\"en-US\">", "Nobody &lt;at all&gt; at Smith &amp; Sons.")
#define CONNECT                                                                                    \
    HEAD "<Response><Connect action=\"" ON "after_stream\"><Stream url=\"wss://gw.example.com/ws/twilio-media\"><Parameter "     \
         "name=\"token\" value=\""
#define CONNECT_TAIL "\"/></Stream></Connect></Response>"

static struct db *db;
static const struct crm_reply_rules nobody_is_answered = { .when = REPLY_OFF };
static struct services services;
static struct config config;
static uint64_t n_calls_live;

enum { PLACES = 1000 };

void speech_stats(struct speech *speech, struct speech_stats *ret_stats)
{
    *ret_stats = (struct speech_stats){ .n_calls_live = n_calls_live };
}

bool speech_has_call(struct speech *speech, const char *sid)
{
    return false;
}

const struct prompt *profile_prompt(const struct profile *profile, const char *id)
{
    return strcmp(id, profile->prompts[0].id) == 0 ? &profile->prompts[0] : NULL;
}

static const struct route *route_of(const char *path)
{
    static const struct blueprint *const all[] = { &twilio_voice, &whatsapp_twilio };
    char whole[128];

    for (size_t i = 0; i < ELEMENTSOF(all); i++)
        for (size_t k = 0; k < all[i]->n_routes; k++) {
            snprintf(whole, sizeof(whole), "%s%s", all[i]->prefix, all[i]->routes[k].path);
            if (strcmp(whole, path) == 0)
                return &all[i]->routes[k];
        }
    return NULL;
}

static void send_form(struct fake_request *fake, const char *path, const char *body)
{
    struct http_response response = { 0 };

    fake_request(fake, "POST", path, body, &services);
    int r = route_of(path)->handler(&fake->request, &response);
    if (r != HTTP_LATER)
        printf("# the handler returned %d\n", r);
}

static void post(struct fake_request *fake, const char *path, const char *body)
{
    send_form(fake, path, body);
    gate_settle(db);
}

/* --- rows: what is posted, what comes back */

static const struct {
    const char *what, *path, *body;
    int status;
    const char *answer; /* NULL: any; of an error: a part of it */
} rows[] = {
    { "a call without its sid", "/webhook/incoming_call", "From=%2B972501234567", 400,
      "CallSid is missing" },
    { "a call with an empty sid", "/webhook/incoming_call", "CallSid=&From=%2B1", 400,
      "CallSid is missing" },
    { "a call from nowhere", "/webhook/incoming_call", "CallSid=CA1", 400, "From is missing" },
    { "a call with a path for a sid", "/webhook/incoming_call", "CallSid=..%2Fx&From=%2B1", 400,
      "CallSid" },
    { "a call with a long sid", "/webhook/incoming_call",
      "CallSid=CA0123456789012345678901234567890123456789&From=1", 400, "CallSid" },
    { "a broken form", "/webhook/incoming_call", "CallSid=CA1&From=%2", 400, "cannot be read" },
    { "no form at all", "/webhook/incoming_call", NULL, 400, "CallSid is missing" },
    { "a status without a sid", "/webhook/call_status", "CallStatus=completed", 400,
      "CallSid is missing" },
    { "a status", "/webhook/call_status", "CallSid=CA7&CallStatus=completed&SequenceNumber=2", 204,
      "" },
    { "the same status", "/webhook/call_status",
      "CallSid=CA7&CallStatus=completed&SequenceNumber=2", 204, "" },
    { "an unknown status", "/webhook/call_status", "CallSid=CA7&CallStatus=teleported&New=1", 204,
      "" },
    { "no status", "/webhook/call_status", "CallSid=CA7", 204, "" },
    { "a recording", "/webhook/handle_recording",
      "CallSid=CA7&RecordingSid=RE1&RecordingStatus=completed&RecordingUrl=https%3A%2F%2Fapi%2FRE1",
      200, EMPTY },
    { "the same recording", "/webhook/handle_recording",
      "CallSid=CA7&RecordingSid=RE1&RecordingStatus=completed", 200, EMPTY },
    { "the action of a Record", "/webhook/handle_recording",
      "CallSid=CA7&RecordingUrl=https%3A%2F%2Fapi%2F2010-04-01%2FAccounts%2FAC1%2FRecordings%"
      "2FRE0a2",
      200, EMPTY },
    { "a Record that recorded nothing", "/webhook/handle_recording", "CallSid=CA7&Digits=hangup",
      200, EMPTY },
    { "a stream's end without a call", "/webhook/after_stream", "CallStatus=in-progress", 400, "CallSid is missing" },
    { "a stream's end of a path", "/webhook/after_stream", "CallSid=..%2Fx", 400, "CallSid" },
    { "a dial without a call", "/webhook/after_dial", "DialCallStatus=busy", 400, "CallSid is missing" },
    { "a dial of a path", "/webhook/after_dial", "CallSid=..%2Fx&DialCallStatus=busy", 400, "CallSid" },
    { "a recording without a call", "/webhook/handle_recording", "RecordingSid=RE1", 400,
      "CallSid is missing" },
    { "a message", "/webhook/whatsapp/incoming",
      "MessageSid=SM1&From=whatsapp%3A%2B972501234567&Body=hello&NumMedia=0", 200, EMPTY },
    { "the same message", "/webhook/whatsapp/incoming",
      "MessageSid=SM1&From=whatsapp%3A%2B972501234567&Body=hello&NumMedia=0", 200, EMPTY },
    { "a message without words", "/webhook/whatsapp/incoming",
      "MessageSid=SM2&From=whatsapp%3A%2B972501234567&Body=&NumMedia=1&MediaUrl0=https%3A%2F%2Fm%"
      "2F1&"
      "MediaContentType0=audio%2Fogg",
      200, EMPTY },
    { "a message from a hidden number", "/webhook/whatsapp/incoming",
      "MessageSid=SM3&From=whatsapp%3AIL.123456&Body=x", 200, EMPTY },
    { "a message without a sid", "/webhook/whatsapp/incoming", "From=whatsapp%3A%2B1&Body=x", 400,
      "MessageSid is missing" },
    { "a message from nobody", "/webhook/whatsapp/incoming", "MessageSid=SM4&Body=x", 400,
      "From is missing" },
    { "a message's status", "/webhook/whatsapp/status", "MessageSid=SM9&MessageStatus=delivered",
      204, "" },
    { "an earlier status, later", "/webhook/whatsapp/status", "MessageSid=SM9&MessageStatus=sent",
      204, "" },
    { "an unknown status of a message", "/webhook/whatsapp/status",
      "MessageSid=SM9&MessageStatus=pondered", 204, "" },
    { "a place", "/webhook/whatsapp/incoming",
      "MessageSid=SM20&From=whatsapp%3A%2B972501234567&Body=&Latitude=32.07&Longitude=34.78&Label=Office", 200, EMPTY },
    { "an answer to a message", "/webhook/whatsapp/incoming",
      "MessageSid=SM21&From=whatsapp%3A%2B972501234567&Body=yes&OriginalRepliedMessageSid=SM20", 200, EMPTY },
    { "an answer to one that we do not know", "/webhook/whatsapp/incoming",
      "MessageSid=SM22&From=whatsapp%3A%2B972501234567&Body=no&OriginalRepliedMessageSid=SM404", 200, EMPTY },
    { "a message with a long sid", "/webhook/whatsapp/incoming",
      "MessageSid=SM0123456789012345678901234567890123456789012345678901234567890123456789&From=whatsapp%3A%2B1", 400,
      "MessageSid" },
    { "a status at the URL of messages", "/webhook/whatsapp/incoming",
      "MessageSid=SM9&MessageStatus=read&From=whatsapp%3A%2B97231234567", 200, EMPTY },
    { "a state that ours cannot have", "/webhook/whatsapp/status", "MessageSid=SM9&MessageStatus=received", 204, "" },
    { "a status of no message", "/webhook/whatsapp/status", "MessageStatus=sent", 400,
      "MessageSid is missing" },
};

static void are_guarded(void)
{
    static const struct blueprint *const all[] = { &twilio_voice, &whatsapp_twilio };

    for (size_t i = 0; i < ELEMENTSOF(all); i++)
        for (size_t k = 0; k < all[i]->n_routes; k++)
            is_int(all[i]->routes[k].guard, AUTH_TWILIO, all[i]->routes[k].summary);
}

static void answers(void)
{
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct fake_request fake;
        bool error = rows[i].status >= 400;

        post(&fake, rows[i].path, rows[i].body);
        int good = fake.n_answers == 1 && fake.response.status == rows[i].status;
        good = good && (error ? strstr(fake.body, rows[i].answer) &&
                                    strstr(fake.body, "\"request_id\":\"test\"")
                              : strcmp(fake.body, rows[i].answer) == 0);
        ok(good, "%s: %d", rows[i].what, rows[i].status);
        if (!good)
            printf("# %d answers, %d, %s\n", fake.n_answers, fake.response.status, fake.body);
    }
}

/* --- what is kept */

static int get_call(const char *sid, struct call *ret_call)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    int r = db_read_begin(db, &txn);

    return r < 0 ? r : crm_call_get(txn, sid, ret_call);
}

static const char *param(struct json_object *params, const char *name)
{
    return json_object_get_string(json_object_object_get(params, name));
}

static void keeps_calls(void)
{
    static const char body[] =
        "CallSid=CA100&AccountSid=AC1&From=%2B972501112222&To=%2B97231234567&CallStatus=ringing&"
        "Direction=inbound&FromCity=&Novelty=%D7%A9&Latin=caf%E9&Twice=1&Twice=2";
    struct fake_request first, second, third;

    post(&first, "/webhook/incoming_call", body);
    is_int(first.response.status, 200, "a call is answered");
    is_str(first.response.content_type, "text/xml", "with TwiML");
    ok(strncmp(first.body, CONNECT, strlen(CONNECT)) == 0,
       "that connects it with a stream, on its first line");
    ok(!strchr(first.body, '\n') && !strstr(first.body, "<Say") && !strstr(first.body, "<Record"),
       "which is the only one, and says and records nothing");
    is_int((long long)strlen(first.body), (long long)strlen(CONNECT CONNECT_TAIL) + 43,
           "the token has 43 letters");
    is_int((long long)strspn(first.body + strlen(CONNECT),
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
           43, "none of which needs escaping");

    scoped(call_done) struct call call = { 0 };
    is_int(get_call("CA100", &call), 0, "the call is in the store");
    ok(strncmp(first.body + strlen(CONNECT), call.stream_token, 43) == 0 &&
           strlen(call.stream_token) == 43,
       "with its token");
    is_str(call.from, "+972501112222", "its caller");
    ok(call.contact_id[0] != '\0', "and his contact");
    is_str(param(call.params, "FromCity"), "", "an empty field is kept");
    is_str(param(call.params, "Novelty"), "\xd7\xa9", "and an unknown one");
    is_str(param(call.params, "Latin"), "caf\xc3\xa9", "and one that is not UTF-8, as UTF-8");
    is_str(param(call.params, "Twice"), "[ \"1\", \"2\" ]", "and one that came twice, both times");

    post(&second, "/webhook/incoming_call", body);
    is_str(second.body, first.body, "a redelivery is answered in the same bytes");
    n_calls_live = config.max_calls;
    post(&third, "/webhook/incoming_call", body);
    is_str(third.body, first.body, "also when the lines have filled up meanwhile");
    n_calls_live = 0;

    scoped(db_read_end) struct db_txn *txn = NULL;
    struct json_object *contact = NULL;
    db_read_begin(db, &txn);
    is_int(crm_contact_whole(txn, call.contact_id, &contact), 0, "the contact is in the store");
    is_int((long long)json_object_array_length(json_object_object_get(contact, "calls")), 1,
           "with one call");
    json_object_put(contact);
}

static void two_at_once(void)
{
    struct fake_request first, second;

    send_form(&first, "/webhook/incoming_call", "CallSid=CA150&From=%2B972501112222");
    send_form(&second, "/webhook/incoming_call", "CallSid=CA150&From=%2B972501112222");
    gate_settle(db);
    ok(first.n_answers == 1 && second.n_answers == 1, "two deliveries at the same time");
    is_str(second.body, first.body, "get the same answer");
}

static void is_busy(void)
{
    struct fake_request fake;
    scoped(call_done) struct call call = { 0 };

    n_calls_live = config.max_calls;
    post(&fake, "/webhook/incoming_call", "CallSid=CA200&From=%2B972501112222");
    is_str(fake.body, BUSY, "with all lines taken the caller hears that they are busy");
    n_calls_live = 0;
    post(&fake, "/webhook/incoming_call", "CallSid=CA200&From=%2B972501112222");
    is_str(fake.body, BUSY, "and so does the redelivery, though one has become free");
    is_int(get_call("CA200", &call), 0, "the call is in the store");
    is_int(call.status, CALL_BUSY, "as busy");

    services.draining = 1;
    post(&fake, "/webhook/incoming_call", "CallSid=CA201&From=%2B972501112222");
    is_str(fake.body, BUSY, "while we drain, too");
    services.draining = 0;
    post(&fake, "/webhook/incoming_call", "CallSid=CA202&From=anonymous");
    is_int(fake.response.status, 200, "whoever hides his number is answered");
    ok(strncmp(fake.body, CONNECT, strlen(CONNECT)) == 0, "like anybody else");
}

/* --- what follows a stream */

enum { NO_ROW = -1 };

static enum call_end the_end;

static int do_end(struct db_txn *txn, struct db_op *op)
{
    int r = crm_call_stream(txn, "CAend", "MZ1", 1000);

    return r < 0 ? r : crm_call_end(txn, "CAend", the_end, 2000);
}

static int do_forget(struct db_txn *txn, struct db_op *op)
{
    int r = db_delete(txn, DB_CALLS, (struct db_bytes){ "CAend", 5 });

    return r == -ENOENT ? 0 : r;
}

static const struct {
    const char *what;
    int end; /* enum call_end; NO_ROW: the store does not know the call */
    const char *human, *status, *from; /* status "": in-progress, from "": a plain number */
    const char *want;
} follows[] = {
    { "the agent said goodbye", CALL_END_AGENT, HUMAN, "", "", HANG_UP },
    { "nobody said anything", CALL_END_SILENCE, HUMAN, "", "", HANG_UP },
    { "it took too long", CALL_END_TOO_LONG, HUMAN, "", "", HANG_UP },
    { "the caller left", CALL_END_CALLER, HUMAN, "completed", "", HANG_UP },
    { "the stream broke, the caller is there", CALL_END_CALLER, HUMAN, "", "", DIAL("") },
    { "the caller asked for a human", CALL_END_TRANSFER, HUMAN, "", "", DIAL("") },
    { "and there is none", CALL_END_TRANSFER, NULL, "", "", SORRY },
    { "nothing of ours could go on", CALL_END_TROUBLE, HUMAN, "", "", DIAL("") },
    { "and there is no human", CALL_END_TROUBLE, NULL, "", "", SORRY },
    { "and the human is the caller", CALL_END_TROUBLE, "+972501112222", "", "", SORRY },
    { "and the human is the number that was called", CALL_END_TROUBLE, "+97231234567", "", "", SORRY },
    { "and the caller has left meanwhile", CALL_END_TROUBLE, HUMAN, "canceled", "", HANG_UP },
    { "no media", CALL_END_NO_MEDIA, HUMAN, "", "", DIAL("") },
    { "a broken rule", CALL_END_PROTOCOL, HUMAN, "", "", DIAL("") },
    { "a slow peer", CALL_END_SLOW_PEER, NULL, "", "", SORRY },
    { "we had to stop", CALL_END_DRAIN, HUMAN, "", "", DIAL("") },
    { "we died", CALL_END_LOST, HUMAN, "", "", DIAL("") },
    { "the stream never came, or its end is not kept yet", CALL_END_NONE, HUMAN, "", "", DIAL("") },
    { "nor is there a human", CALL_END_NONE, NULL, "", "", SORRY },
    { "a call that is not in the store", NO_ROW, HUMAN, "", "", DIAL("") },
    { "a status that nobody knows", CALL_END_AGENT, HUMAN, "elsewhere", "", HANG_UP },
    { "a hidden number: the human sees the one that was called", CALL_END_TRANSFER, HUMAN, "", "anonymous",
      DIAL(" callerId=\"+97231234567\"") },
};

static void post_as(struct fake_request *fake, const char *path, const char *from, const char *status)
{
    char body[256];

    snprintf(body, sizeof(body), "CallSid=CAend&From=%s&To=%%2B97231234567&CallStatus=%s", from[0] ? from : "%2B972501112222",
             status[0] ? status : "in-progress");
    post(fake, path, body);
}

static void follow(size_t row, struct fake_request *fake)
{
    struct db_op end = { .run = do_end, .what = "end" }, forget = { .run = do_forget, .what = "forget" };

    (void)db_write(db, &forget);
    config.human_number = HUMAN;
    if (follows[row].end != NO_ROW)
        post_as(fake, "/webhook/incoming_call", follows[row].from, "ringing");
    the_end = (enum call_end)follows[row].end;
    if (follows[row].end > CALL_END_NONE)
        (void)db_write(db, &end);
    config.human_number = follows[row].human;
    post_as(fake, "/webhook/after_stream", follows[row].from, follows[row].status);
}

static void follow_streams(void)
{
    static const struct prompt prompt = { "leave_message", "Nobody <at all> at Smith & Sons.", true };
    static const struct profile profile = { .language = "en", .prompts = &prompt, .n_prompts = 1 };
    struct fake_request first, second;

    services.profile = &profile;
    for (size_t i = 0; i < ELEMENTSOF(follows); i++) {
        follow(i, &first);
        is_str(first.body, follows[i].want, follows[i].what);
        the_end = CALL_END_AGENT;
        (void)db_write(db, &(struct db_op){ .run = do_end, .what = "end" });
        post_as(&second, "/webhook/after_stream", follows[i].from, "");
        is_str(second.body, first.body, "  and the same again, whatever is known meanwhile");
    }
    services.profile = NULL;
    follow(6, &first);
    ok(strstr(first.body, "<Say>I am sorry, nobody can take your call") != NULL, "without a profile there are words, too");
    services.profile = &(struct profile){ .language = "he", .prompts = &(struct prompt){ .id = "x" } };
    follow(6, &first);
    ok(strstr(first.body, "<Say voice=\"Google.he-IL-Wavenet-A\" language=\"he-IL\">\xd7") != NULL, "in Hebrew with a voice that speaks it");
    services.profile = &profile;
    config.human_number = HUMAN;
}

static const struct {
    const char *what, *dial, *want;
} dials[] = {
    { "the human was spoken to", "DialCallStatus=completed&DialCallDuration=31&CallStatus=in-progress", HANG_UP },
    { "the human is busy", "DialCallStatus=busy&CallStatus=in-progress", SORRY },
    { "the human does not answer", "DialCallStatus=no-answer&CallStatus=in-progress", SORRY },
    { "he cannot be reached", "DialCallStatus=failed&CallStatus=in-progress", SORRY },
    { "the caller did not wait", "DialCallStatus=canceled&CallStatus=completed", HANG_UP },
    { "an outcome that nobody knows", "DialCallStatus=eaten&CallStatus=in-progress", SORRY },
    { "none", "CallStatus=in-progress", SORRY },
};

static void follow_dials(void)
{
    for (size_t i = 0; i < ELEMENTSOF(dials); i++) {
        scoped(call_done) struct call call = { 0 };
        struct fake_request first, second;
        char body[256];
        int n = snprintf(body, sizeof(body), "CallSid=CAdial%zu&From=%%2B972501112222&To=%%2B97231234567&", i);

        snprintf(body + n, sizeof(body) - (size_t)n, "%s", dials[i].dial);
        post(&first, "/webhook/after_dial", body);
        is_str(first.body, dials[i].want, dials[i].what);
        post(&second, "/webhook/after_dial", body);
        is_str(second.body, first.body, "  and the same again");
        snprintf(body + n, sizeof(body) - (size_t)n, "%s", "");
        body[strcspn(body, "&")] = '\0';
        is_int(get_call(body + strlen("CallSid="), &call), 0, "  the call is in the store");
        ok(strstr(dials[i].dial, json_get_text(call.dial, "DialCallStatus") ?: "CallStatus") != NULL, "  with how it went");
    }
}

static void forwards(void)
{
    struct fake_request fake, again;
    scoped(call_done) struct call call = { 0 };

    n_calls_live = config.max_calls;
    post(&fake, "/webhook/incoming_call", "CallSid=CAfwd&From=%2B972501112222&To=%2B97231234567&CallStatus=ringing");
    is_str(fake.body, DIAL(""), "with all lines taken a human is dialled, where there is one");
    n_calls_live = 0;
    post(&again, "/webhook/incoming_call", "CallSid=CAfwd&From=%2B972501112222&To=%2B97231234567&CallStatus=ringing");
    is_str(again.body, fake.body, "also by the redelivery, though a line has become free");
    is_int(get_call("CAfwd", &call), 0, "the call is in the store");
    ok(call.forwarded && call.after == CALL_AFTER_DIAL && call.status == CALL_RINGING, "as forwarded");
    config.human_number = NULL;
    post(&again, "/webhook/incoming_call", "CallSid=CAfwd&From=%2B972501112222&To=%2B97231234567&CallStatus=ringing");
    is_str(again.body, SORRY, "a human who was taken out of the settings is not dialled");
}

#define LINES_BUSY HEAD "<Response><Say language=\"en-US\">I am sorry, all our lines are busy right now. Please call again in a few minutes.</Say><Hangup/></Response>"

static const struct {
    const char *what, *when_full, *human, *want;
    enum call_status status;
} fulls[] = {
    { "a human", "human", HUMAN, DIAL(""), CALL_RINGING },
    { "no human, so the busy tone", "human", NULL, BUSY, CALL_BUSY },
    { "the caller himself is the human, so the busy tone", "human", "+972501112222", BUSY, CALL_BUSY },
    { "a message is recorded", "record", HUMAN, SORRY, CALL_RINGING },
    { "a few words", "say", HUMAN, LINES_BUSY, CALL_BUSY },
    { "the busy tone", "busy", HUMAN, BUSY, CALL_BUSY },
};

static void answers_when_full(void)
{
    struct places_stats before, after;

    for (size_t i = 0; i < ELEMENTSOF(fulls); i++) {
        struct fake_request fake, again;
        scoped(call_done) struct call call = { 0 };
        char body[96], sid[16];

        (void)snprintf(sid, sizeof(sid), "CAfull%zu", i);
        (void)snprintf(body, sizeof(body), "CallSid=%s&From=%%2B972501112222&To=%%2B97231234567&CallStatus=ringing", sid);
        config.when_full = fulls[i].when_full;
        config.human_number = fulls[i].human;
        n_calls_live = config.max_calls;
        places_stats(services.places, 0, &before);
        post(&fake, "/webhook/incoming_call", body);
        is_str(fake.body, fulls[i].want, fulls[i].what);
        n_calls_live = 0;
        post(&again, "/webhook/incoming_call", body);
        is_str(again.body, fake.body, "  and for the redelivery, too");
        is_int(get_call(sid, &call), 0, "  the call is in the store");
        is_int(call.status, fulls[i].status, "  as what it is");
        places_stats(services.places, 0, &after);
        is_int((long long)(after.n_turned_away[TURNED_FULL] - before.n_turned_away[TURNED_FULL]), 1, "  counted once");
        is_int((long long)after.n_expected, (long long)before.n_expected, "  and holds no place");
    }
    config.when_full = "human";
    config.human_number = NULL;
}

static void keeps_callbacks(void)
{
    struct fake_request fake;
    scoped(call_done) struct call call = { 0 };

    post(&fake, "/webhook/call_status",
         "CallSid=CA300&CallStatus=completed&SequenceNumber=3&CallDuration=9");
    post(&fake, "/webhook/call_status",
         "CallSid=CA300&CallStatus=in-progress&SequenceNumber=2&SipResponseCode=200");
    post(
        &fake, "/webhook/handle_recording",
        "CallSid=CA300&RecordingUrl=https%3A%2F%2Fapi%2FRecordings%2FRE0a.wav&RecordingDuration=4");
    post(&fake, "/webhook/incoming_call", "CallSid=CA300&From=%2B972501112222&To=%2B97231234567");
    ok(strncmp(fake.body, CONNECT, strlen(CONNECT)) == 0,
       "a call whose callbacks came first is answered");
    is_int(get_call("CA300", &call), 0, "it is in the store");
    is_int(call.status, CALL_COMPLETED, "with the status of the highest sequence");
    is_str(param(call.params, "SipResponseCode"), "200", "and the fields of all");
    is_str(param(json_object_array_get_idx(call.recordings, 0), "RecordingSid"), "RE0a",
           "a recording is known by its URL when that is all that came");
}

static void keeps_messages(void)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    scoped(message_release) struct message spoken = { 0 }, media = { 0 }, sent = { 0 }, place = { 0 },
                                         reply = { 0 }, stray = { 0 };

    db_read_begin(db, &txn);
    is_int(crm_message_get(txn, "SM1", &spoken), 0, "a message is in the store");
    ok(strcmp(spoken.body, "hello") == 0 && spoken.status == MESSAGE_RECEIVED &&
           spoken.direction == MESSAGE_IN && spoken.channel == MESSAGE_WHATSAPP &&
           spoken.contact_id[0],
       "with its words and its contact");
    is_int(crm_message_get(txn, "SM2", &media), 0, "one with a voice note, too");
    is_str(param(json_object_array_get_idx(media.media, 0), "type"), "audio/ogg",
           "with what it is");
    is_int(crm_message_get(txn, "SM9", &sent), 0, "one of ours, of which only the status is known");
    is_int(sent.status, MESSAGE_READ, "the highest one");
    ok(!sent.contact_id[0] && sent.direction == MESSAGE_OUT, "and it is nobody's message to us");
    is_int(crm_message_get(txn, "SM20", &place), 0, "a place");
    ok(place.kind == MESSAGE_LOCATION && strcmp(param(place.location, "label"), "Office") == 0, "is one");
    is_int(crm_message_get(txn, "SM21", &reply), 0, "an answer");
    is_str(reply.reply_to, place.id, "knows what it answers");
    is_int(crm_message_get(txn, "SM22", &stray), 0, "an answer to nothing");
    is_str(stray.reply_to, "", "is kept without");
}

/* --- what cannot be kept */

static void full_store(void)
{
    enum { QUEUE = 64 };
    static struct db_op ops[QUEUE];
    struct gate gate;
    struct fake_request fake;

    gate_shut(db, &gate);
    is_int(gate_crowd(db, ops, QUEUE) < QUEUE, 1, "the store is slow, and its queue full");
    send_form(&fake, "/webhook/incoming_call", "CallSid=CA400&From=%2B1");
    ok(fake.n_answers == 1 && fake.response.status == 503 && strstr(fake.body, "could not be kept"),
       "what it has no room for is answered 503, with the reason");
    gate_open(&gate);
    gate_settle(db);

    struct call call;
    is_int(get_call("CA400", &call), -ENOENT, "and is not kept");
    post(&fake, "/webhook/incoming_call", "CallSid=CA400&From=%2B1");
    is_int(fake.response.status, 200, "the next attempt is");

    send_form(&fake, "/webhook/incoming_call", "CallSid=CA401&From=%2B1");
    gate_settle(db);
    is_int(fake.n_answers, 1, "every request is answered once");
}

static void no_name(void)
{
    struct fake_request fake;
    struct config nameless = config;
    struct twilio_security *security = services.security;

    nameless.public_host = NULL;
    nameless.app_env = "development";
    twilio_security_new(&nameless, &services.security);
    post(&fake, "/webhook/incoming_call", "CallSid=CA500&From=%2B1");
    is_int(fake.response.status, 503, "without a public name there is no stream to send a call to");

    struct http_response response = { 0 };
    fake_request(&fake, "POST", "/webhook/incoming_call", "CallSid=CA500&From=%2B1", &services);
    fake.request.peer_is_loopback = true;
    fake_field(&fake, "host", "127.0.0.1:8080");
    is_int(route_of("/webhook/incoming_call")->handler(&fake.request, &response), HTTP_LATER,
           "development");
    gate_settle(db);
    ok(!!strstr(fake.body, "url=\"wss://127.0.0.1:8080/ws/twilio-media\""),
       "a loopback peer is sent where he came");
    twilio_security_free(services.security);
    services.security = security;

    fake_request(&fake, "POST", "/webhook/incoming_call", "CallSid=CA501&From=%2B1", &services);
    fake.later_fails = 1;
    is_int(route_of("/webhook/incoming_call")->handler(&fake.request, &response), -ENOMEM,
           "no memory, no promise");
}

int main(void)
{
    struct db_options options = {
        .path = scratch_file("store"), .map_mib = 16, .slow_ms = 60000, .queue_max = 32
    };

    log_setup(LOG_CRIT, NULL);
    config = (struct config){ .app_env = "production",
                              .public_host = "gw.example.com",
                              .default_country = "972",
                              .max_calls = PLACES,
                              .max_delay_ms = 200,
                              .when_full = "human",
                              .twilio_auth_token = "0123456789abcdef0123456789abcdef" };
    services = (struct services){ .config = &config, .reply_rules = &nobody_is_answered };
    if (db_open(&options, &db) < 0 || twilio_security_new(&config, &services.security) < 0) {
        printf("Bail out! no store\n");
        return 1;
    }
    services.db = db;
    if (places_new(config.max_calls, &services.places) < 0)
        return 1;

    are_guarded();
    answers();
    keeps_calls();
    two_at_once();
    is_busy();
    follow_streams();
    follow_dials();
    forwards();
    answers_when_full();
    keeps_callbacks();
    keeps_messages();
    full_store();
    no_name();

    db_close(db);
    places_free(services.places);
    twilio_security_free(services.security);
    return done_testing();
}
