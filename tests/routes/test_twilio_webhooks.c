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
#include "services/services.h"
#include "services/speech.h"
#include "services/twilio_security.h"
#include "tap.h"
#include "utils/log.h"

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
#define EMPTY HEAD "<Response/>"
#define BUSY HEAD "<Response><Reject reason=\"busy\"/></Response>"
#define CONNECT                                                                                    \
    HEAD "<Response><Connect><Stream url=\"wss://gw.example.com/ws/twilio-media\"><Parameter "     \
         "name=\"token\" value=\""
#define CONNECT_TAIL "\"/></Stream></Connect></Response>"

static struct db *db;
static struct services services;
static struct config config;
static uint64_t n_calls_live;

void speech_stats(struct speech *speech, struct speech_stats *ret_stats)
{
    *ret_stats = (struct speech_stats){ .n_calls_live = n_calls_live };
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
    scoped(message_release) struct message spoken = { 0 }, media = { 0 }, sent = { 0 };

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
    is_int(sent.status, MESSAGE_DELIVERED, "the highest one");
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
                              .max_calls = 2,
                              .twilio_auth_token = "0123456789abcdef0123456789abcdef" };
    services = (struct services){ .config = &config };
    if (db_open(&options, &db) < 0 || twilio_security_new(&config, &services.security) < 0) {
        printf("Bail out! no store\n");
        return 1;
    }
    services.db = db;

    are_guarded();
    answers();
    keeps_calls();
    two_at_once();
    is_busy();
    keeps_callbacks();
    keeps_messages();
    full_store();
    no_name();

    db_close(db);
    twilio_security_free(services.security);
    return done_testing();
}
