/*
 * test_crm_reply.c - who is answered on WhatsApp, when, and with what: every rule over a real store, by virtual time
 */
#include "services/crm_reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "scratch.h"
#include "services/crm.h"
#include "services/crm_agent.h"
#include "services/crm_schema.h"
#include "services/crm_tasks.h"
#include "services/jobs.h"
#include "tap.h"
#include "utils/json.h"
#include "utils/when.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

#define OWN "+972500000000"

static struct hours hours = { .is_set = true, .n_ranges = { [0] = 1 } };
static struct crm_reply_rules rules = { .when = REPLY_ON, .per_hour = 3, .hours = &hours, .own_number = OWN };
static const struct crm_answer answer_yes = { .text = "Yes.", .asked = "" };
static uint64_t now; /* unix ms */

struct scene {
    struct db_op op; /* first */
    void (*play)(struct db_txn *txn);
};

static int run(struct db_txn *txn, struct db_op *op)
{
    ((struct scene *)op)->play(txn);
    return 0;
}

/* --- what comes in */

static char last[CONTACT_ID_MAX]; /* the message that came last */

static int comes(struct db_txn *txn, const char *from, enum message_kind kind, const char *words, uint64_t at_ms)
{
    static unsigned n;
    scoped(message_release) struct message message = { .kind = kind, .status = MESSAGE_RECEIVED, .created_ms = at_ms, .body = strdup(words) };

    (void)snprintf(message.provider_id, sizeof(message.provider_id), "SM%u", ++n);
    (void)snprintf(message.address, sizeof(message.address), "%s", from);
    int r = crm_message_add(txn, &message, "972");
    (void)snprintf(last, sizeof(last), "%s", message.id);
    return r < 0 ? r : crm_reply_owe(txn, &rules, &message, now);
}

static int says(struct db_txn *txn, const char *from, const char *words)
{
    return comes(txn, from, MESSAGE_TEXT, words, now);
}

static int begins(struct db_txn *txn, const char *id, struct crm_reply *reply)
{
    return crm_reply_begin(txn, &rules, id, now, reply);
}

static int is_wanted(struct db_txn *txn, const char *id)
{
    struct crm_reply *reply = calloc(1, sizeof(*reply));
    int r = begins(txn, id, reply);

    crm_reply_done(reply);
    free(reply);
    return r;
}

static int keeps(struct db_txn *txn, const char *id, const struct crm_answer *answer)
{
    return crm_reply_keep(txn, &rules, id, answer, now);
}

static const char *state_of(struct db_txn *txn, const char *address)
{
    scoped(contact_done) struct contact person = { 0 };

    return crm_contact_by_address(txn, address, &person) < 0 ? "nobody" : crm_agent_name(crm_agent_of(&person));
}

/* His tasks of a kind, the text of the first and its date in front: "1700000000000 text|..." */
static const char *tasks_of(struct db_txn *txn, const char *address, const char *kind)
{
    static char text[1024];
    scoped(contact_done) struct contact person = { 0 };
    scoped(json_object_put) struct json_object *tasks = NULL;
    size_t n = 0;

    text[0] = '\0';
    if (crm_contact_by_address(txn, address, &person) < 0 || crm_tasks_of(txn, person.id, 50, &tasks) < 0)
        return "?";
    for (size_t i = 0; i < json_object_array_length(tasks); i++) {
        struct json_object *task = json_object_array_get_idx(tasks, i);
        if (strcmp(json_get_text(task, "kind"), kind) == 0)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? "|" : "", json_get_text(task, "text"));
    }
    return text;
}

struct newest {
    char line[256];
    unsigned n_out;
};

static int look_at(struct json_object *json, void *arg)
{
    struct newest *newest = arg;

    if (strcmp(json_get_text(json, "direction"), "out") != 0)
        return 0;
    if (newest->n_out++ == 0)
        (void)snprintf(newest->line, sizeof(newest->line), "%s to %s by %s", json_get_text(json, "body"), json_get_text(json, "address"),
                       json_get_text(json, "author"));
    return 0;
}

static struct newest written_to(struct db_txn *txn, const char *address)
{
    scoped(contact_done) struct contact person = { 0 };
    scoped(json_object_put) struct json_object *whole = NULL;
    struct newest newest = { .line = "" };

    if (crm_contact_by_address(txn, address, &person) == 0 && crm_contact_whole(txn, person.id, &whole) == 0) {
        struct json_object *messages = json_object_object_get(whole, "messages");
        for (size_t i = 0; i < json_object_array_length(messages); i++)
            (void)look_at(json_object_array_get_idx(messages, i), &newest);
    }
    return newest;
}

/* --- scenes */

static void owed(struct db_txn *txn)
{
    uint64_t due_ms = 0;

    is_int(says(txn, "whatsapp:+972501110001", "Hello"), 0, "a message is owed an answer");
    is_int(jobs_next_due(txn, now, &due_ms), 0, "by a job");
    is_int((long long)(due_ms - now), CRM_REPLY_QUIET_MS, "after a short quiet");
    is_int(is_wanted(txn, last), 0, "which is wanted");
}

static const struct {
    const char *what, *from;
    enum message_kind kind;
    const char *words;
    int late_ms, r;
} comers[] = {
    { "a recording without words", "+972501110002", MESSAGE_AUDIO, "", 0, 0 },
    { "a picture", "+972501110002", MESSAGE_IMAGE, "", 0, 0 },
    { "a place", "+972501110002", MESSAGE_LOCATION, "", 0, 0 },
    { "whoever hides his number", "whatsapp:IL.77", MESSAGE_TEXT, "x", 0, 0 },
    { "an id of WhatsApp's", "77@lid", MESSAGE_TEXT, "x", 0, 0 },
    { "one that is an hour old", "+972501110002", MESSAGE_TEXT, "x", CRM_REPLY_LATE_MS, 0 },
    { "one that is older", "+972501110002", MESSAGE_TEXT, "x", CRM_REPLY_LATE_MS + 1, 1 },
    { "a reaction", "+972501110002", MESSAGE_REACTION, "\xF0\x9F\x91\x8D", 0, 1 },
    { "a sticker", "+972501110002", MESSAGE_STICKER, "", 0, 1 },
    { "what cannot be read yet", "+972501110002", MESSAGE_TEXT, "", 0, 1 },
    { "the business itself", OWN, MESSAGE_TEXT, "x", 0, 1 },
    { "a group", "120363041234567890@g.us", MESSAGE_TEXT, "x", 0, 1 },
    { "a status", "status@broadcast", MESSAGE_TEXT, "x", 0, 1 },
};

static void who_is_answered(struct db_txn *txn)
{
    for (size_t i = 0; i < ELEMENTSOF(comers); i++)
        is_int(comes(txn, comers[i].from, comers[i].kind, comers[i].words, now - (uint64_t)comers[i].late_ms), comers[i].r, comers[i].what);
}

static void several_are_one(struct db_txn *txn)
{
    struct crm_reply *reply = calloc(1, sizeof(*reply));
    char first[CONTACT_ID_MAX];

    (void)says(txn, "+972501110003", "Hi");
    memcpy(first, last, sizeof(first));
    now += SECOND;
    (void)says(txn, "+972501110003", "are you open?");
    is_int(is_wanted(txn, first), 1, "one that is not his newest is done");
    is_int(begins(txn, last, reply), 0, "the newest is answered");
    is_str(reply->words, "Hi\nare you open?", "with all that he wrote");
    ok(!reply->is_greeted && reply->n_lines == 2, "he is new");
    memcpy(first, last, sizeof(first));
    (void)says(txn, "+972501110003", "hello?");
    is_int(keeps(txn, first, &answer_yes), 1, "a newer one while that is thought of: it is not written");
    is_int((int)written_to(txn, "+972501110003").n_out, 0, "nothing is");
    is_int(comes(txn, "+972501110003", MESSAGE_REACTION, "!", now), 1, "a reaction is nothing newer");
    is_int(keeps(txn, last, &answer_yes), 1, "though it has no job");
    is_int(crm_reply_begin(txn, &rules, first, now, reply), 1, "and the one before is still not the newest");
    crm_reply_done(reply);
    free(reply);
}

static void answers(struct db_txn *txn)
{
    struct crm_reply *reply = calloc(1, sizeof(*reply));

    (void)says(txn, "+972501110004", "Hello");
    is_int(keeps(txn, last, &(struct crm_answer){ .text = "Your name?", .asked = "name" }), 0, "an answer is written");
    struct newest newest = written_to(txn, "+972501110004");
    is_str(newest.line, "Your name? to +972501110004 by agent", "to him, by the agent");
    now += MINUTE;
    (void)says(txn, "+972501110004", "Dana");
    (void)begins(txn, last, reply);
    is_str(reply->words, "Dana", "the next time only what is new counts");
    is_str(reply->asked, "name", "it is known what was asked");
    is_int((int)reply->n_asked, 1, "once");
    ok(reply->is_greeted && !reply->is_thanked && reply->n_lines == 3 && reply->n_hour == 1, "and what was written before");
    now += 25 * (uint64_t)HOUR;
    (void)says(txn, "+972501110004", "Me again");
    (void)begins(txn, last, reply);
    ok(!reply->is_greeted && !reply->asked[0] && reply->n_hour == 0, "a day later it begins anew");
    crm_reply_done(reply);
    free(reply);
}

static void learns(struct db_txn *txn)
{
    const struct agent_learnt one[] = { { "name", "Dana" }, { "callback_at", "2026-12-07T10:00" }, { "callback", "+972501110005" },
                                        { "callback_about", "the boiler" } };
    const struct agent_learnt two[] = { { "callback_at", "2026-12-08T11:00" } };
    scoped(contact_done) struct contact person = { 0 };

    (void)says(txn, "+972501110005", "Call me");
    is_int(keeps(txn, last, &(struct crm_answer){ .text = "Noted.", .asked = "", .learnt = one, .n_learnt = ELEMENTSOF(one) }), 0,
           "what is learnt is kept with the answer");
    (void)crm_contact_by_address(txn, "+972501110005", &person);
    is_str(person.name, "Dana", "the name");
    is_str(tasks_of(txn, "+972501110005", "callback"), "the boiler", "the promise");
    (void)says(txn, "+972501110005", "On Tuesday rather");
    is_int(keeps(txn, last, &(struct crm_answer){ .text = "Noted.", .asked = "", .learnt = two, .n_learnt = ELEMENTSOF(two) }), 0, "which is changed");
    is_str(tasks_of(txn, "+972501110005", "callback"), "the boiler", "and not doubled");
}

static void leaves(struct db_txn *txn)
{
    const struct agent_learnt why[] = { { "transfer_reason", "a complaint" } };
    char first[CONTACT_ID_MAX];

    (void)says(txn, "+972501110006", "I complain");
    memcpy(first, last, sizeof(first));
    is_int(keeps(txn, last, &(struct crm_answer){ .text = "A human goes on.", .asked = "", .learnt = why, .n_learnt = 1, .to_human = true }), 0,
           "he is left to a human");
    is_str(state_of(txn, "+972501110006"), "silent", "the agent is silent");
    is_str(tasks_of(txn, "+972501110006", "reply"), "Asks for a human on WhatsApp: a complaint", "a human is called");
    is_int(says(txn, "+972501110006", "Hello?"), 1, "he is not answered any more");
    is_int(is_wanted(txn, first), 1, "nor what was owed");
}

static void silenced_meanwhile(struct db_txn *txn)
{
    scoped(contact_done) struct contact person = { 0 };

    (void)says(txn, "+972501110007", "Hello");
    (void)crm_contact_by_address(txn, "+972501110007", &person);
    (void)crm_agent_silence(txn, person.id, now);
    is_int(keeps(txn, last, &answer_yes), 1, "a human came between: what the model wrote is not written");
    is_int((int)written_to(txn, "+972501110007").n_out, 0, "nothing is");
}

static void stops(struct db_txn *txn)
{
    char first[CONTACT_ID_MAX];

    (void)says(txn, "+972501110008", "Hello");
    memcpy(first, last, sizeof(first));
    is_int(says(txn, "+972501110008", "Stop!"), 1, "who wants no messages is not answered");
    is_str(state_of(txn, "+972501110008"), "unwanted", "it is kept");
    is_int(keeps(txn, first, &answer_yes), 1, "nor is what he wrote before");
    is_int(says(txn, "+972501110008", "\xD7\x94\xD7\xA1\xD7\xA8"), 1, "in Hebrew, too");
    is_int(says(txn, "+972501110008", "hello"), 1, "whatever he writes");
    is_int(says(txn, "+972501110008", "start"), 0, "until he wants them again");
    is_str(state_of(txn, "+972501110008"), "on", "which is kept");
    rules.when = REPLY_OFF;
    is_int(says(txn, "+972501110008", "stop"), 1, "with the agent off");
    is_str(state_of(txn, "+972501110008"), "unwanted", "it is kept all the same");
    rules.when = REPLY_ON;
}

static void guards_against_loops(struct db_txn *txn)
{
    for (int i = 0; i < 3; i++) {
        (void)says(txn, "+972501110009", "beep");
        is_int(keeps(txn, last, &answer_yes), 0, "within an hour he is answered as often as is allowed");
        now += SECOND;
    }
    is_int(says(txn, "+972501110009", "beep"), 0, "one more is owed");
    is_int(is_wanted(txn, last), 1, "and not answered");
    is_str(state_of(txn, "+972501110009"), "silent", "he is left to a human");
    is_str(tasks_of(txn, "+972501110009", "reply"), "Was answered on WhatsApp too often within an hour: another machine, or somebody in need",
           "who is told why");
    scoped(contact_done) struct contact person = { 0 };
    (void)crm_contact_by_address(txn, "+972501110009", &person);
    is_int(crm_agent_release(txn, person.id, now), 0, "who finds a person in need and releases him");
    now += SECOND;
    is_int(says(txn, "+972501110009", "help"), 0, "has him answered");
    is_int(is_wanted(txn, last), 0, "at once");
    for (int i = 0; i < 3; i++) {
        is_int(keeps(txn, last, &answer_yes), 0, "as often as before");
        now += SECOND;
        (void)says(txn, "+972501110009", "beep");
    }
    is_int(is_wanted(txn, last), 1, "and no oftener");
    now += 2 * HOUR;
    is_int(says(txn, "+972501110009", "beep"), 1, "for good, not for an hour");
}

static void comes_late(struct db_txn *txn)
{
    (void)says(txn, "+972501110010", "Hello");
    now += CRM_REPLY_LATE_MS + 1;
    is_int(is_wanted(txn, last), 1, "what nobody could answer for an hour is not answered as if it had just come");
    ok(strncmp(tasks_of(txn, "+972501110010", "reply"), "Wrote on WhatsApp at 20", 23) == 0, "a human is called");
    is_str(state_of(txn, "+972501110010"), "on", "and the agent goes on when he writes again");
}

static const struct {
    const char *at;
    int r;
} moments[] = {
    { "2026-11-29T08:59", 0 },  { "2026-11-29T09:00", 1 },  { "2026-11-29T16:59", 1 }, { "2026-11-29T17:00", 0 }, { "2026-11-30T10:00", 0 },
    { "2026-03-29T05:59Z", 0 }, { "2026-03-29T06:00Z", 1 }, /* summer time: nine is six */
    { "2026-10-25T06:59Z", 0 }, { "2026-10-25T07:00Z", 1 }, /* the day it ends */
};

static void only_while_closed(struct db_txn *txn)
{
    uint64_t real = now;

    rules.when = REPLY_CLOSED;
    for (size_t i = 0; i < ELEMENTSOF(moments); i++) {
        char from[ADDRESS_MAX];

        (void)when_parse(moments[i].at, &now);
        (void)snprintf(from, sizeof(from), "+9725022200%02zu", i);
        is_int(says(txn, from, "Hello"), 0, moments[i].at);
        is_int(is_wanted(txn, last), moments[i].r, "answered while nobody is in the office");
    }
    rules.when = REPLY_ON;
    now = real;
}

/* Two contacts of one person have one conversation, one lane and one state. */
static void is_one_person(struct db_txn *txn)
{
    scoped(contact_done) struct contact number = { 0 }, lid = { 0 };
    struct crm_reply *reply = calloc(1, sizeof(*reply));

    (void)says(txn, "+972501110011", "by my number");
    (void)says(txn, "99@lid", "by my id");
    (void)crm_contact_by_address(txn, "+972501110011", &number);
    (void)crm_contact_by_address(txn, "99@lid", &lid);
    is_int(crm_contact_merge(txn, number.id, lid.id, "by hand", now), 0, "two turn out to be one");
    is_int(begins(txn, last, reply), 0, "he is answered");
    is_str(reply->words, "by my number\nby my id", "for all that he wrote");
    is_int(keeps(txn, last, &answer_yes), 0, "once");
    is_str(written_to(txn, "+972501110011").line, "Yes. to 99@lid by agent", "where he wrote last");
    (void)crm_agent_silence(txn, lid.id, now);
    is_int(says(txn, "+972501110011", "Hello?"), 1, "and left to a human in whole");
    crm_reply_done(reply);
    free(reply);
}

static void knows_calls(struct db_txn *txn)
{
    static const struct turn turns[] = { { .who = TURN_AGENT, .text = "How can we help you?", .confidence = -1 },
                                         { .who = TURN_CALLER, .text = "I need a boiler", .confidence = -1 } };
    scoped(call_done) struct call old = { .sid = "CA1", .stream_token = "t", .from = "+972501110012", .started_ms = now - 50 * (uint64_t)HOUR };
    scoped(call_done) struct call call = { .sid = "CA2", .stream_token = "t", .from = "+972501110012", .started_ms = now - 7 * MINUTE };
    scoped(contact_done) struct contact person = { 0 };
    char text[1024];

    (void)crm_call_open(txn, &old, "972");
    (void)crm_call_end(txn, "CA1", CALL_END_CALLER, now - 50 * (uint64_t)HOUR);
    (void)crm_call_open(txn, &call, "972");
    for (size_t i = 0; i < ELEMENTSOF(turns); i++)
        (void)crm_turn_add(txn, "CA2", &turns[i]);
    (void)crm_call_end(txn, "CA2", CALL_END_CALLER, now - 5 * MINUTE);
    (void)crm_contact_by_address(txn, "+972501110012", &person);
    is_int(crm_known_calls(txn, &person, now, text, sizeof(text)), 0, "who phoned before he wrote");
    ok(strncmp(text, "5 minutes ago, 20", 17) == 0, "is known to have, five minutes ago");
    ok(strstr(text, ":\n  you: How can we help you?\n  he: I need a boiler\n2 days ago, ") != NULL, "with what was said; and the call before, two days ago");
    ok(strstr(text, ":\n  nothing was said\n") != NULL, "in which nothing was");
}

static int find_job(const struct job *job, void *arg)
{
    if (strcmp(job->message_id, last) != 0)
        return 0;
    *(struct job *)arg = *job;
    return 1;
}

static void listens(struct db_txn *txn)
{
    struct job job = { 0 };
    uint64_t due_ms = 0;

    (void)comes(txn, "+972501110013", MESSAGE_AUDIO, "", now);
    now += CRM_REPLY_QUIET_MS;
    is_int(is_wanted(txn, last), 1, "a recording whose words are not known yet is done");
    (void)jobs_each_due(txn, now, find_job, &job);
    is_int(jobs_end(txn, &job), 0, "its job ends");
    (void)jobs_next_due(txn, now + CRM_REPLY_QUIET_MS - 1, &due_ms);
    is_int((long long)(due_ms - now), CRM_REPLY_QUIET_MS, "and it is owed again, behind whoever hears it");
    now += CRM_REPLY_LISTEN_MS;
    is_int(is_wanted(txn, last), 0, "if nobody does, it is answered as it is");
}

static void is_gone(struct db_txn *txn)
{
    is_int(is_wanted(txn, "M404"), -ENOENT, "a message that was erased");
    is_int(keeps(txn, "M404", &answer_yes), -ENOENT, "is not answered either");
}

int main(void)
{
    static void (*const scenes[])(struct db_txn *txn) = {
        owed,  who_is_answered,      several_are_one, answers,           learns,        leaves,  silenced_meanwhile,
        stops, guards_against_loops, comes_late,      only_while_closed, is_one_person, knows_calls, listens, is_gone,
    };
    struct db_options options = { .path = scratch(), .migrations = crm_migrations, .n_migrations = crm_n_migrations };
    scoped(db_close) struct db *db = NULL;

    if (when_set_zone("Asia/Jerusalem") < 0) {
        skip("answers: no zones are installed here");
        return done_testing();
    }
    (void)hours_parse_range("09:00-17:00", &hours.days[0][0]);
    (void)when_parse("2026-11-30T12:00", &now);
    if (db_open(&options, &db) < 0)
        return 1;
    for (size_t i = 0; i < ELEMENTSOF(scenes); i++) {
        struct scene scene = { .op = { .run = run, .what = "a scene" }, .play = scenes[i] };
        is_int(db_write(db, &scene.op), 0, "a scene is kept");
        now += MINUTE;
    }
    return done_testing();
}
