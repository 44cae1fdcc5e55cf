/*
 * test_baileys_events.c - what the linked device's program answers and tells
 */
#include "services/whatsapp/baileys.h"

#include <errno.h>
#include <string.h>

#include <json-c/json.h>

#include "scratch.h"
#include "services/crm.h"
#include "services/crm_agent.h"
#include "services/crm_reply.h"
#include "services/crm_contacts.h"
#include "services/crm_schema.h"
#include "services/http_client.h"
#include "tap.h"
#include "utils/json.h"

#define TAKEN "{\"id\":\"0\",\"wa_id\":\"3EB0\",\"state\":\"queued\"}"
#define LONG "111111111111111111111111111111111111111111111111111111111111111111"

/* --- answers */

static void answers_are_judged(void)
{
    static const struct {
        const char *what;
        int r;
        unsigned status;
        const char *body;
        int64_t retry_after_ms;
        enum outcome_kind want;
        const char *want_error; /* a part of it */
        int want_status;        /* -1 nothing found */
    } rows[] = {
        { "taken", 0, 202, TAKEN, 0, OUTCOME_DONE, "", MESSAGE_QUEUED },
        { "known", 0, 200, "{\"wa_id\":\"3EB0\",\"state\":\"read\"}", 0, OUTCOME_DONE, "", MESSAGE_QUEUED },
        { "known to have failed", 0, 200, "{\"wa_id\":\"3EB0\",\"state\":\"failed\"}", 0, OUTCOME_DONE, "", MESSAGE_FAILED },
        { "without a name", 0, 202, "{}", 0, OUTCOME_NOT_SENT, "no message in it", -1 },
        { "a name as long as none is", 0, 202, "{\"wa_id\":\"" LONG "\"}", 0, OUTCOME_NOT_SENT, "", -1 },
        { "half an answer", 0, 202, "{\"wa_id\":\"3E", 0, OUTCOME_NOT_SENT, "", -1 },
        { "a list", 0, 202, "[]", 0, OUTCOME_NOT_SENT, "", -1 },
        { "nothing", 0, 202, NULL, 0, OUTCOME_NOT_SENT, "", -1 },
        { "not understood", -EREMOTEIO, 400, "{\"error\":\"to has not the form\"}", 0, OUTCOME_REJECTED, "to has not the form", -1 },
        { "another message of that id", -EREMOTEIO, 409, "{}", 0, OUTCOME_REJECTED, "409", -1 },
        { "too many wait", -EREMOTEIO, 429, "{\"error\":\"x\"}", 30000, OUTCOME_NOT_SENT, "429", -1 },
        { "not linked", -EREMOTEIO, 503, "{\"error\":\"logged_out\"}", 60000, OUTCOME_NOT_SENT, "logged_out", -1 },
        { "it failed", -EREMOTEIO, 500, "oops", 0, OUTCOME_NOT_SENT, "500", -1 },
        { "nobody is there", -ECONNREFUSED, 0, NULL, 0, OUTCOME_NOT_SENT, "WHATSAPP_SOCKET: down", -1 },
        { "broken off", -ECONNRESET, 0, NULL, 0, OUTCOME_NOT_SENT, "down", -1 },
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct http_call call = { .r = rows[i].r, .status = rows[i].status, .why = "down", .body = (char *)rows[i].body,
                                  .n_body = rows[i].body ? strlen(rows[i].body) : 0, .retry_after_ms = rows[i].retry_after_ms };
        struct whatsapp_request request = { .text = "hi" };

        baileys_judge(&call, &request);
        is_int(request.outcome.kind, rows[i].want, rows[i].what);
        ok(strstr(request.outcome.error, rows[i].want_error) != NULL, "  why: %s", request.outcome.error);
        is_int(request.n_found ? (int)request.found[0].status : -1, rows[i].want_status, "  as what");
        if (rows[i].retry_after_ms)
            is_int((int64_t)request.outcome.retry_after_ms, rows[i].retry_after_ms, "  when again");
    }
}

static void ids_are_ours(void)
{
    char a[BAILEYS_ID_MAX], again[BAILEYS_ID_MAX], b[BAILEYS_ID_MAX];

    ok(baileys_id("M1", a) == 0 && baileys_id("M1", again) == 0 && baileys_id("M2", b) == 0, "ids");
    is_str(a, again, "of one message: one");
    ok(strcmp(a, b) != 0 && strlen(a) == 32 && strspn(a, "0123456789abcdef") == 32, "of another: another, of 32 digits");
}

/* --- batches */

static void batches_are_read(void)
{
    static const struct {
        const char *json;
        int64_t want; /* next; -1 it is none */
    } rows[] = {
        { "{\"outbox\":\"a-1\",\"events\":[],\"next\":7}", 7 },
        { "{\"outbox\":\"a-1\",\"events\":[1,null,{}],\"next\":0,\"more\":1}", 0 },
        { "{\"outbox\":\"\",\"events\":[],\"next\":7}", -1 },
        { "{\"outbox\":\"a&b\",\"events\":[],\"next\":7}", -1 },
        { "{\"outbox\":\"" LONG "\",\"events\":[],\"next\":7}", -1 },
        { "{\"outbox\":\"a\",\"events\":[],\"next\":-1}", -1 },
        { "{\"outbox\":\"a\",\"events\":{},\"next\":1}", -1 },
        { "{\"outbox\":\"a\",\"next\":1}", -1 },
        { "{\"outbox\":\"a\\nb\",\"events\":[],\"next\":1}", -1 },
        { "{\"outbox\":\"a\",\"events\":[],\"next\":\"1\"}", -1 },
        { "{\"outbox\":\"a\",\"events\":[]}", -1 },
        { "{}", -1 },
        { "[]", -1 },
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        scoped(json_object_put) struct json_object *json = NULL;
        struct baileys_cursor cursor = { 0 };

        (void)json_parse(rows[i].json, strlen(rows[i].json), &json);
        is_int(baileys_batch(json, &cursor) ? (int64_t)cursor.seq : -1, rows[i].want, rows[i].json);
    }
}

/* --- events */

#define MESSAGE(rest) "{\"k\":\"message\",\"t\":5,\"chat\":\"972501234567@s.whatsapp.net\"," rest "}"

static const struct {
    const char *what, *json;
    int r;
    const char *name; /* of the message it is about; NULL none */
    const char *body, *address, *error;
    enum message_status status;
} events[] = {
    { "a message", MESSAGE("\"wa_id\":\"A\",\"ts\":1,\"pn\":\"972501234567\",\"type\":\"text\",\"text\":\"hi\",\"name\":\"Dana\""), 0,
      "972501234567@s.whatsapp.net A", "hi", "+972501234567", "", MESSAGE_RECEIVED },
    { "again", MESSAGE("\"wa_id\":\"A\",\"ts\":1,\"pn\":\"972501234567\",\"type\":\"text\",\"text\":\"other\""), 1,
      "972501234567@s.whatsapp.net A", "hi", "+972501234567", "", MESSAGE_RECEIVED },
    { "a number that is none", MESSAGE("\"wa_id\":\"B\",\"pn\":\"+972 50\",\"type\":\"text\",\"text\":\"x\""), 0,
      "972501234567@s.whatsapp.net B", "x", "+972501234567", "", MESSAGE_RECEIVED },
    { "what could not be read", MESSAGE("\"wa_id\":\"C\",\"type\":\"undecryptable\",\"text\":null"), 0,
      "972501234567@s.whatsapp.net C?", "", "+972501234567", "", MESSAGE_RECEIVED },
    { "a privacy id", "{\"k\":\"message\",\"t\":5,\"chat\":\"888@lid\",\"wa_id\":\"D\",\"pn\":null,\"type\":\"text\",\"text\":\"y\"}", 0,
      "888@lid D", "y", "888@lid", "", MESSAGE_RECEIVED },
    { "whose number becomes known", "{\"k\":\"idmap\",\"t\":6,\"lid\":\"888@lid\",\"pn\":\"972501234567@s.whatsapp.net\"}", 0, NULL, NULL, NULL, NULL, 0 },
    { "which is nobody's number", "{\"k\":\"idmap\",\"t\":6,\"lid\":\"888@lid\",\"pn\":\"\"}", 1, NULL, NULL, NULL, NULL, 0 },
    { "the owner's words", MESSAGE("\"wa_id\":\"E\",\"from_me\":true,\"type\":\"text\",\"text\":\"z\""), 0,
      "972501234567@s.whatsapp.net E", "z", "+972501234567", "", MESSAGE_SENT },
    { "letters of no language", MESSAGE("\"wa_id\":\"F\",\"type\":\"text\",\"text\":\"a\\ud800b\""), 0,
      "972501234567@s.whatsapp.net F", "a\xEF\xBF\xBD" "b", "+972501234567", "", MESSAGE_RECEIVED },
    { "no chat", "{\"k\":\"message\",\"wa_id\":\"G\"}", 1, NULL, NULL, NULL, NULL, 0 },
    { "no name", MESSAGE("\"type\":\"text\""), 1, NULL, NULL, NULL, NULL, 0 },
    { "a name as long as none is", MESSAGE("\"wa_id\":\"" LONG "\",\"text\":\"l\""), 0, NULL, NULL, NULL, NULL, 0 },
    { "a chat as long as none is", "{\"k\":\"message\",\"chat\":\"" LONG "\",\"wa_id\":\"H\"}", 1, NULL, NULL, NULL, NULL, 0 },
    { "a state before its message", "{\"k\":\"status\",\"t\":7,\"wa_id\":\"3EB0\",\"state\":\"delivered\"}", 0, "3EB0", NULL, "", "", MESSAGE_DELIVERED },
    { "an earlier one", "{\"k\":\"status\",\"t\":7,\"wa_id\":\"3EB0\",\"state\":\"server\"}", 1, "3EB0", NULL, "", "", MESSAGE_DELIVERED },
    { "one that failed", "{\"k\":\"status\",\"t\":7,\"wa_id\":\"3EB1\",\"state\":\"failed\",\"code\":463}", 0, "3EB1", NULL, "",
      "463: WhatsApp lets the account write to nobody new for now; he has to write first", MESSAGE_FAILED },
    { "for a reason in words", "{\"k\":\"status\",\"t\":7,\"wa_id\":\"3EB2\",\"state\":\"failed\",\"code\":\"expired\"}", 0, "3EB2", NULL, "",
      "WhatsApp did not take it: expired", MESSAGE_FAILED },
    { "a state nobody knows", "{\"k\":\"status\",\"t\":7,\"wa_id\":\"3EB3\",\"state\":\"dancing\"}", 1, NULL, NULL, NULL, NULL, 0 },
    { "a state of nothing", "{\"k\":\"status\",\"t\":7,\"state\":\"read\"}", 1, NULL, NULL, NULL, NULL, 0 },
    { "media of no message", "{\"k\":\"media\",\"t\":7,\"chat\":\"1@lid\",\"wa_id\":\"X\",\"file\":\"ab\"}", 1, NULL, NULL, NULL, NULL, 0 },
    { "media that cannot be had", "{\"k\":\"media\",\"t\":7,\"chat\":\"888@lid\",\"wa_id\":\"D\",\"file\":null}", 0, NULL, NULL, NULL, NULL, 0 },
    { "what is of no matter here", "{\"k\":\"connection\",\"state\":\"open\"}", 1, NULL, NULL, NULL, NULL, 0 },
    { "what we do not know yet", "{\"k\":\"poll\"}", 1, NULL, NULL, NULL, NULL, 0 },
    { "of a time that never comes", "{\"k\":\"message\",\"t\":1e300,\"ts\":1e300,\"chat\":\"888@lid\",\"wa_id\":\"J\",\"text\":\"late\"}", 0,
      "888@lid J", "late", "888@lid", "", MESSAGE_RECEIVED },
    { "no object", "[1]", 1, NULL, NULL, NULL, NULL, 0 },
};

struct applying {
    struct db_op op; /* first */
    struct json_object *event;
};

static int run_apply(struct db_txn *txn, struct db_op *op)
{
    return baileys_apply(txn, ((struct applying *)op)->event, &(struct crm_reply_rules){ .when = REPLY_OFF });
}

static void check_message(struct db *db, size_t i)
{
    scoped(message_release) struct message message = { 0 };
    scoped(db_read_end) struct db_txn *txn = NULL;

    if (db_read_begin(db, &txn) < 0 || crm_message_get(txn, events[i].name, &message) < 0) {
        ok(false, "  it is stored");
        return;
    }
    is_str(message.body, events[i].body, "  what it says");
    is_str(message.address, events[i].address, "  who");
    is_str(message.error, events[i].error, "  what is wrong");
    is_int(message.status, events[i].status, "  its state");
}

static void events_are_applied(struct db *db)
{
    for (size_t i = 0; i < ELEMENTSOF(events); i++) {
        scoped(json_object_put) struct json_object *json = NULL;
        struct applying applying = { .op = { .run = run_apply, .what = "an event" } };

        is_int(json_parse(events[i].json, strlen(events[i].json), &json), 0, events[i].what);
        applying.event = json;
        is_int(db_write(db, &applying.op), events[i].r, "  kept or not");
        if (events[i].name)
            check_message(db, i);
    }
    scoped(db_read_end) struct db_txn *txn = NULL;
    scoped(contact_done) struct contact by_number = { 0 }, by_lid = { 0 };

    ok(db_read_begin(db, &txn) == 0 && crm_contact_by_address(txn, "+972501234567", &by_number) == 0 &&
           crm_contact_by_address(txn, "888@lid", &by_lid) == 0, "both addresses are somebody's");
    is_str(by_number.id, by_lid.id, "who is one person");
    is_str(by_number.name, "Dana", "of that name");
    is_str(crm_agent_name(crm_agent_of(&by_number)), "silent", "the owner has written to him: the agent is silent");
}

/* What is told late: the owner's words of two hours ago. */
static void old_words_silence_nobody(struct db *db)
{
    static const char text[] = "{\"k\":\"message\",\"t\":7200000,\"ts\":1,\"chat\":\"972509999999@s.whatsapp.net\",\"wa_id\":\"OLD\","
                               "\"pn\":\"972509999999\",\"from_me\":true,\"type\":\"text\",\"text\":\"z\"}";
    scoped(json_object_put) struct json_object *json = NULL;
    scoped(contact_done) struct contact person = { 0 };
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct applying applying = { .op = { .run = run_apply, .what = "an event" } };

    is_int(json_parse(text, strlen(text), &json), 0, "words of long ago");
    applying.event = json;
    is_int(db_write(db, &applying.op), 0, "are kept");
    ok(db_read_begin(db, &txn) == 0 && crm_contact_by_address(txn, "+972509999999", &person) == 0 && crm_agent_of(&person) == CRM_AGENT_ON,
       "and silence nobody");
}

struct pointing {
    struct db_op op; /* first */
    struct baileys_cursor cursor;
};

static int run_point(struct db_txn *txn, struct db_op *op)
{
    return baileys_cursor_put(txn, &((struct pointing *)op)->cursor);
}

static void the_cursor_is_kept(struct db *db)
{
    struct pointing pointing = { .op = { .run = run_point, .what = "a cursor" }, .cursor = { "a-1", UINT64_MAX } };
    struct baileys_cursor cursor;

    for (int i = 0; i < 2; i++) {
        scoped(db_read_end) struct db_txn *txn = NULL;

        is_int(db_read_begin(db, &txn), 0, "reading");
        is_int(baileys_cursor_get(txn, &cursor), 0, i ? "the cursor" : "no cursor");
        is_str(cursor.outbox, i ? "a-1" : "", "  whose");
        ok(cursor.seq == (i ? UINT64_MAX : 0), "  and where");
        db_read_end(steal(&txn));
        is_int(db_write(db, &pointing.op), 0, "writing");
    }
}

int main(void)
{
    scoped(db_close) struct db *db = NULL;
    struct db_options options = { .path = scratch_file("store"), .migrations = crm_migrations, .n_migrations = crm_n_migrations };

    answers_are_judged();
    ids_are_ours();
    batches_are_read();
    if (ok(db_open(&options, &db) == 0, "a store")) {
        the_cursor_is_kept(db);
        events_are_applied(db);
    old_words_silence_nobody(db);
    }
    return done_testing();
}
