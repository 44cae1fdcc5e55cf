/*
 * test_crm.c - the same callbacks in any order, as often as they like, leave the same rows
 */
#include "services/crm.h"

#include <errno.h>
#include <stdarg.h>

#include <json-c/json.h>

#include "count_rows.h"
#include "scratch.h"
#include "tap.h"
#include "utils/json.h"

static struct db *db;

enum { NOW = 1000000 };

/* --- one write, one step */

struct step;

typedef int step_fn(struct db_txn *txn, const struct step *step);

struct step {
    step_fn *fn;
    const char *sid;
    const char *params; /* JSON */
    int status;         /* or the end's reason */
    int sequence;
    uint64_t now_ms;
    const char *field, *value;
};

struct step_op {
    struct db_op op;
    const struct step *step;
};

static int run_step(struct db_txn *txn, struct db_op *op)
{
    const struct step *step = ((struct step_op *)op)->step;

    return step->fn(txn, step);
}

static int take(const struct step *step)
{
    struct step_op op = { .op = { .run = run_step, .what = "a step" }, .step = step };

    return db_write(db, &op.op);
}

static struct json_object *params_of(const struct step *step)
{
    struct json_object *json = NULL;

    if (step->params)
        (void)json_parse(step->params, strlen(step->params), &json);
    return json;
}

static void set(char *ret, const char *text)
{
    strcpy(ret, text ?: "");
}

static int do_open(struct db_txn *txn, const struct step *step)
{
    scoped(call_done) struct call call = { .started_ms = step->now_ms, .stream_token = "token", .params = params_of(step) };

    set(call.sid, step->sid);
    set(call.from, json_get_text(call.params, "From"));
    set(call.to, json_get_text(call.params, "To"));
    set(call.account_sid, json_get_text(call.params, "AccountSid"));
    return crm_call_open(txn, &call, "972");
}

static int do_status(struct db_txn *txn, const struct step *step)
{
    scoped(json_object_put) struct json_object *params = params_of(step);

    return crm_call_status(txn, step->sid, step->status, step->sequence, params, step->now_ms);
}

static int do_recording(struct db_txn *txn, const struct step *step)
{
    scoped(json_object_put) struct json_object *params = params_of(step);

    return crm_call_recording(txn, step->sid, params, step->now_ms);
}

static int do_stream(struct db_txn *txn, const struct step *step)
{
    return crm_call_stream(txn, step->sid, "MZ1", step->now_ms);
}

static int do_end(struct db_txn *txn, const struct step *step)
{
    return crm_call_end(txn, step->sid, step->status, step->now_ms);
}

static int do_learn(struct db_txn *txn, const struct step *step)
{
    return crm_call_learn(txn, step->sid, step->field, step->value, step->now_ms);
}

static int do_turn(struct db_txn *txn, const struct step *step)
{
    struct turn turn = { .who = step->status, .start_ms = step->now_ms, .end_ms = step->now_ms + 5, .confidence = -1 };

    set(turn.text, step->value);
    return crm_turn_add(txn, step->sid, &turn);
}

static int do_call_step(struct db_txn *txn, const struct step *step)
{
    struct call_step call_step = { "stt", "whisper", step->value, step->field, step->now_ms };

    return crm_call_step(txn, step->sid, &call_step);
}

static int do_close_lost(struct db_txn *txn, const struct step *step)
{
    return crm_close_lost(txn, &(struct crm_lost){ .sum_up = step->status, .now_ms = step->now_ms });
}

/* --- looking at what is there */

static struct json_object *whole_call(const char *sid)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct json_object *whole = NULL;

    if (db_read_begin(db, &txn) == 0)
        (void)crm_call_whole(txn, sid, &whole);
    return whole;
}

static struct call *read_call(const char *sid)
{
    static struct call call;
    scoped(db_read_end) struct db_txn *txn = NULL;

    call_done(&call);
    call = (struct call){ 0 };
    if (db_read_begin(db, &txn) < 0 || crm_call_get(txn, sid, &call) < 0)
        printf("# there is no call %s\n", sid);
    return &call;
}

static struct contact *read_contact(const char *address)
{
    static struct contact contact;
    scoped(db_read_end) struct db_txn *txn = NULL;

    contact_done(&contact);
    contact = (struct contact){ 0 };
    if (db_read_begin(db, &txn) < 0 || crm_contact_by_address(txn, address, &contact) < 0)
        printf("# there is no contact %s\n", address);
    return &contact;
}

/* --- callbacks in every order */

#define FROM "\"From\":\"+972501234567\",\"To\":\"+97231234567\",\"AccountSid\":\"AC1\""
#define STATUS(name, n, more) "{" FROM ",\"CallStatus\":\"" name "\",\"SequenceNumber\":\"" #n "\"" more "}"

enum { SET_MAX = 6 };

/* The sid is put in when a set is played. */
static const struct {
    const char *what;
    struct step first[3], any_order[SET_MAX];
    enum call_status status;
    enum call_end end;
    int64_t sequence;
    const char *params; /* expected; NULL: only the same in every order */
} sets[] = {
    { "a call's four callbacks",
      { { do_open, .params = "{" FROM ",\"CallStatus\":\"ringing\",\"Weird\":\"kept\"}", .now_ms = NOW } },
      { { do_status, .params = STATUS("initiated", 0, ""), .status = CALL_RINGING, .sequence = 0, .now_ms = NOW },
        { do_status, .params = STATUS("ringing", 1, ""), .status = CALL_RINGING, .sequence = 1, .now_ms = NOW },
        { do_status, .params = STATUS("in-progress", 2, ",\"Only2\":\"x\""), .status = CALL_IN_PROGRESS, .sequence = 2,
          .now_ms = NOW },
        { do_status, .params = STATUS("completed", 3, ",\"CallDuration\":\"7\""), .status = CALL_COMPLETED,
          .sequence = 3, .now_ms = NOW } },
      CALL_COMPLETED, CALL_END_NONE, 3,
      "AccountSid=AC1 CallDuration=7 CallStatus=completed From=+972501234567 Only2=x SequenceNumber=3 "
      "To=+97231234567 Weird=kept " },
    { "callbacks before the webhook",
      { { NULL } },
      { { do_open, .params = "{" FROM ",\"CallStatus\":\"ringing\",\"Early\":\"1\"}", .now_ms = NOW },
        { do_status, .params = STATUS("ringing", 1, ""), .status = CALL_RINGING, .sequence = 1, .now_ms = NOW },
        { do_status, .params = STATUS("no-answer", 2, ""), .status = CALL_NO_ANSWER, .sequence = 2, .now_ms = NOW } },
      CALL_NO_ANSWER, CALL_END_NONE, 2,
      "AccountSid=AC1 CallStatus=no-answer Early=1 From=+972501234567 SequenceNumber=2 To=+97231234567 " },
    { "the one callback of a number, which has no sequence",
      { { do_open, .params = "{" FROM ",\"CallStatus\":\"ringing\"}", .now_ms = NOW } },
      { { do_status, .params = "{" FROM ",\"CallStatus\":\"completed\",\"Duration\":\"1\"}", .status = CALL_COMPLETED,
          .sequence = -1, .now_ms = NOW },
        { do_status, .params = "{" FROM ",\"CallStatus\":\"in-progress\"}", .status = CALL_IN_PROGRESS, .sequence = -1,
          .now_ms = NOW } },
      CALL_COMPLETED, CALL_END_NONE, -1,
      "AccountSid=AC1 CallStatus=completed Duration=1 From=+972501234567 To=+97231234567 " },
    { "a streamed call: its end, callbacks and recordings",
      { { do_open, .params = "{" FROM "}", .now_ms = NOW }, { do_stream, .now_ms = NOW } },
      { { do_end, .status = CALL_END_CALLER, .now_ms = NOW },
        { do_status, .params = STATUS("completed", 3, ""), .status = CALL_COMPLETED, .sequence = 3, .now_ms = NOW },
        { do_status, .params = STATUS("in-progress", 2, ""), .status = CALL_IN_PROGRESS, .sequence = 2, .now_ms = NOW },
        { do_recording, .params = "{\"RecordingSid\":\"RE2\",\"RecordingStatus\":\"completed\"}", .now_ms = NOW },
        { do_recording, .params = "{\"RecordingSid\":\"RE1\",\"RecordingStatus\":\"completed\",\"RecordingUrl\":\"u\"}",
          .now_ms = NOW },
        { do_recording, .params = "{\"RecordingSid\":\"RE1\",\"RecordingStatus\":\"in-progress\"}", .now_ms = NOW } },
      CALL_COMPLETED, CALL_END_CALLER, 3, NULL },
    { "values that differ where no sequence says which is later",
      { { NULL } },
      { { do_status, .params = "{" FROM ",\"X\":\"a\",\"OnlyA\":\"1\"}", .status = CALL_RINGING, .sequence = -1, .now_ms = NOW },
        { do_status, .params = "{" FROM ",\"X\":\"c\"}", .status = CALL_RINGING, .sequence = -1, .now_ms = NOW },
        { do_status, .params = "{" FROM ",\"X\":\"b\"}", .status = CALL_RINGING, .sequence = -1, .now_ms = NOW } },
      CALL_RINGING, CALL_END_NONE, -1, "AccountSid=AC1 From=+972501234567 OnlyA=1 To=+97231234567 X=c " },
};

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* One text for what a call comes to, whatever the order of its members. */
static void describe(const char *sid, char *ret, size_t size)
{
    const struct call *call = read_call(sid);
    const char *keys[32];
    size_t n = 0, used;

    ret[0] = '\0';
    json_object_object_foreach(call->params, key, value) {
        (void)value;
        keys[n++] = key;
    }
    qsort(keys, n, sizeof(keys[0]), compare_text);
    for (size_t i = 0; i < n; i++) {
        used = strlen(ret);
        snprintf(ret + used, size - used, "%s=%s ", keys[i], json_get_text(call->params, keys[i]));
    }
    used = strlen(ret);
    snprintf(ret + used, size - used, "| %s %s %s %s %d %d %s %s %llu %llu %llu %lld %s", call->from, call->to,
             call->account_sid, call->stream_token, call->status, call->end, call->stream_sid,
             call->contact_id[0] ? "contact" : "", (unsigned long long)call->started_ms,
             (unsigned long long)call->answered_ms, (unsigned long long)call->ended_ms, (long long)call->sequence,
             call->recordings ? json_print(call->recordings, NULL) : "");
}

static int n_played;

/* The first ones, then the others in the order of perm, the k-th of them again right away and at the end. */
static void play(size_t set, const int *perm, int n, int again, char *ret_sid)
{
    struct step step;

    snprintf(ret_sid, SID_MAX, "CA%d", n_played++);
    for (int i = 0; i < 3 && sets[set].first[i].fn; i++) {
        step = sets[set].first[i];
        step.sid = ret_sid;
        (void)take(&step);
    }
    for (int i = 0; i <= n; i++) {
        step = sets[set].any_order[i < n ? perm[i] : again];
        step.sid = ret_sid;
        (void)take(&step);
        if (i == again)
            (void)take(&step);
    }
}

static int next_permutation(int *perm, int n)
{
    int i = n - 2, j = n - 1, swap;

    while (i >= 0 && perm[i] > perm[i + 1])
        i--;
    if (i < 0)
        return 0;
    while (perm[j] < perm[i])
        j--;
    swap = perm[i], perm[i] = perm[j], perm[j] = swap;
    for (i++, j = n - 1; i < j; i++, j--)
        swap = perm[i], perm[i] = perm[j], perm[j] = swap;
    return 1;
}

static void test_orders(size_t set)
{
    int perm[SET_MAX] = { 0, 1, 2, 3, 4, 5 }, n = 0, n_orders = 0, n_same = 0;
    char want[1024] = "", got[1024], sid[SID_MAX];
    const struct call *call;

    while (n < SET_MAX && sets[set].any_order[n].fn)
        n++;
    do {
        play(set, perm, n, n_orders % n, sid);
        describe(sid, got, sizeof(got));
        if (n_orders++ == 0)
            strcpy(want, got);
        else if (strcmp(got, want) != 0 && n_orders - n_same == 2)
            printf("# first difference:\n# got  %s\n# want %s\n", got, want);
        n_same += strcmp(got, want) == 0;
    } while (next_permutation(perm, n));

    ok(n_same == n_orders, "%s: %d orders, with repeats, one result", sets[set].what, n_orders);
    call = read_call(sid);
    is_int(call->status, sets[set].status, "  the status");
    is_int(call->end, sets[set].end, "  why it ended");
    is_int(call->sequence, sets[set].sequence, "  the sequence");
    if (sets[set].params)
        ok(strncmp(want, sets[set].params, strlen(sets[set].params)) == 0, "  the params: %s", sets[set].params);
}

/* --- rows in order: each step on its own call or one before it */

static const struct {
    struct step step;
    int want;
    const char *what;
} lives[] = {
    { { do_open, "CAa", "{" FROM "}", .now_ms = NOW }, 0, "a new call" },
    { { do_open, "CAa", "{" FROM "}", .now_ms = NOW + 1 }, 1, "its redelivery" },
    { { do_end, "CAx", .status = CALL_END_CALLER, .now_ms = NOW }, -ENOENT, "the end of no call" },
    { { do_stream, "CAx", .now_ms = NOW }, -ENOENT, "the stream of no call" },
    { { do_turn, "CAx", .value = "hi" }, -ENOENT, "a turn of no call" },
    { { do_learn, "CAx", .field = "name", .value = "x" }, -ENOENT, "something learnt in no call" },
    { { do_status, "", NULL, CALL_RINGING, 0, NOW }, -EINVAL, "a callback without a sid" },
    { { do_status, "CA01234567890123456789012345678901234567890123456789", NULL, CALL_RINGING, 0, NOW }, -EINVAL,
      "a callback with too long a sid" },
    { { do_recording, "CAa", "{\"RecordingUrl\":\"u\"}", .now_ms = NOW }, -EINVAL, "a recording without a sid" },
    { { do_recording, "CAa", "{\"RecordingSid\":\"RE1\"}", .now_ms = NOW }, 0, "a recording" },
    { { do_recording, "CAa", "{\"RecordingSid\":\"RE1\"}", .now_ms = NOW }, 1, "the same again" },
    { { do_stream, "CAa", .now_ms = NOW + 10 }, 0, "the stream begins" },
    { { do_stream, "CAa", .now_ms = NOW + 11 }, -EALREADY, "a second stream" },
    { { do_turn, "CAa", .status = TURN_AGENT, .value = "Hello", .now_ms = NOW + 20 }, 0, "the agent speaks" },
    { { do_turn, "CAa", .status = TURN_CALLER, .value = "a lawyer", .now_ms = NOW + 30 }, 0, "the caller speaks" },
    { { do_learn, "CAa", .field = "name", .value = "Dana", .now_ms = NOW + 31 }, 0, "a name is learnt" },
    { { do_learn, "CAa", .field = "name", .value = "Dana", .now_ms = NOW + 32 }, 1, "and known" },
    { { do_learn, "CAa", .field = "need", .value = "", .now_ms = NOW + 32 }, 1, "nothing is nothing" },
    { { do_learn, "CAa", .field = "need", .value = "a lawyer", .now_ms = NOW + 33 }, 0, "a need is learnt" },
    { { do_learn, "CAa", .field = "callback", .value = "+972501234567", .now_ms = NOW + 34 }, 0, "a call-back number" },
    { { do_status, "CAa", "{\"CallStatus\":\"ringing\"}", CALL_RINGING, 1, NOW + 35 }, 0, "a late ringing" },
    { { do_end, "CAa", .status = CALL_END_AGENT, .now_ms = NOW + 40 }, 0, "the end" },
    { { do_end, "CAa", .status = CALL_END_CALLER, .now_ms = NOW + 41 }, 1, "a second end" },
    { { do_status, "CAa", "{\"CallStatus\":\"in-progress\"}", CALL_IN_PROGRESS, 2, NOW + 50 }, 0, "a late answer" },
    { { do_status, "CAa", "{\"CallStatus\":\"in-progress\"}", CALL_IN_PROGRESS, 2, NOW + 51 }, 1, "repeated" },
    { { do_stream, "CAa", .now_ms = NOW + 60 }, -EALREADY, "a stream after the end" },
};

static void test_life(void)
{
    int n_events = count_rows(db, DB_EVENTS), n_contacts = count_rows(db, DB_CONTACTS);
    scoped(json_object_put) struct json_object *whole = NULL;
    const struct contact *contact;
    const struct call *call;

    for (size_t i = 0; i < ELEMENTSOF(lives); i++) {
        int before = count_rows(db, DB_EVENTS), r = take(&lives[i].step);
        is_int(r, lives[i].want, lives[i].what);
        if (r)
            is_int(count_rows(db, DB_EVENTS), before, "  leaves no event");
    }
    ok(count_rows(db, DB_EVENTS) > n_events, "the change feed has grown");

    call = read_call("CAa");
    is_int(call->status, CALL_COMPLETED, "the call is completed");
    is_int(call->end, CALL_END_AGENT, "the first end stays");
    is_int((long long)call->answered_ms, NOW + 10, "answered when the stream began");
    is_int((long long)call->ended_ms, NOW + 40, "ended when it ended");
    is_int(call->n_turns, 2, "two turns");
    is_str(json_get_text(call->learnt, "need"), "a lawyer", "what was learnt stays with the call");

    contact = read_contact("+972501234567");
    is_str(contact->id, call->contact_id, "the contact is found by his number");
    is_str(contact->name, "Dana", "and has a name");
    is_str(json_get_text(contact->fields, "need"), "a lawyer", "and a need");
    is_int(contact->stage, STAGE_QUALIFIED, "and is qualified");
    is_int(count_rows(db, DB_CONTACTS), n_contacts, "no second one was made for the number");

    whole = whole_call("CAa");
    ok(strstr(json_print(whole, NULL), "\"turns\":[{\"who\":\"agent\",\"text\":\"Hello\"") != NULL &&
           strstr(json_print(whole, NULL), "\"name\":\"Dana\"") != NULL,
       "a whole call has its turns and its contact");
    ok(!strstr(json_print(whole, NULL), "token"), "and not the stream's token");
}

static void test_hidden_number(void)
{
    static const struct step open = { do_open, "CAh", "{\"From\":\"anonymous\",\"To\":\"+972\"}", .now_ms = NOW };
    static const struct step learn = { do_learn, "CAh", .field = "callback", .value = "0521111111", .now_ms = NOW + 1 };
    static const struct step withheld = { do_open, "CAw", "{\"From\":\"+266696687\",\"To\":\"+972\"}", .now_ms = NOW };
    int n = count_rows(db, DB_CONTACTS);
    scoped(json_object_put) struct json_object *whole = NULL;

    is_int(take(&withheld), 0, "a caller whose carrier writes that he hides his number");
    is_str(read_call("CAw")->contact_id, "", "shares no contact with all who do");
    is_int(take(&open), 0, "a caller who hides his number");
    is_str(read_call("CAh")->contact_id, "", "is no contact");
    is_int(take(&learn), 0, "until he tells something");
    ok(read_call("CAh")->contact_id[0] != '\0', "then he is");
    is_int(count_rows(db, DB_CONTACTS), n + 1, "a new one");
    whole = whole_call("CAh");
    ok(strstr(json_print(whole, NULL), "\"callback\":\"0521111111\"") != NULL, "with what he told");
}

/* What who answers is told of the caller. */
static void test_known(void)
{
    enum { DAY = 86400000 };
    static const struct step past[] = {
        { do_open, "CAk0", "{\"From\":\"+972549990000\"}", .now_ms = NOW },
        { do_learn, "CAk0", .field = "need", .value = "a boiler", .now_ms = NOW + 1 },
        { do_learn, "CAk0", .field = "need_audio", .value = "recordings/1.wav", .now_ms = NOW + 2 },
        { do_learn, "CAk0", .field = "callback_heard", .value = "0521", .now_ms = NOW + 3 },
        { do_end, "CAk0", .status = CALL_END_AGENT, .now_ms = NOW + 4 },
        { do_open, "CAk1", "{\"From\":\"+972549990000\"}", .now_ms = NOW + 9 * DAY },
        { do_learn, "CAk1", .field = "need", .value = "a\nsink", .now_ms = NOW + 9 * DAY + 1 },
        { do_end, "CAk1", .status = CALL_END_AGENT, .now_ms = NOW + 9 * DAY + 2 },
        { do_open, "CAk2", "{\"From\":\"+972549990000\"}", .now_ms = NOW + 10 * DAY }, /* the present one */
    };
    scoped(db_read_end) struct db_txn *txn = NULL;
    char text[512], little[24];

    for (size_t i = 0; i < ELEMENTSOF(past); i++)
        (void)take(&past[i]);
    const struct contact *contact = read_contact("+972549990000");
    if (db_read_begin(db, &txn) < 0)
        return (void)ok(0, "a read");
    is_int(crm_known(txn, contact, text, sizeof(text)), 0, "what is known of a caller");
    is_str(text, "need: a sink\nearlier call on Saturday, 1970-01-10; need: a sink\nearlier call on Thursday, 1970-01-01; need: a boiler\n",
           "his fields, and the calls that are over, newest first; no files, no half-understood numbers");
    is_int(crm_known(txn, contact, little, sizeof(little)), 0, "little room");
    is_str(little, "need: a sink\nearlier c\n", "is filled, and ends a line");
    db_read_end(steal(&txn));

    for (int i = 0; i < 40; i++) {
        char sid[SID_MAX];
        (void)snprintf(sid, sizeof(sid), "CAkr%d", i);
        (void)take(&(struct step){ do_open, sid, "{\"From\":\"+972549990000\"}", .now_ms = NOW + 11 * DAY + (uint64_t)i });
    }
    if (db_read_begin(db, &txn) < 0)
        return (void)ok(0, "a read");
    is_int(crm_known(txn, contact, text, sizeof(text)), 0, "of somebody who rang and rang since");
    is_str(text, "need: a sink\n", "no more calls are looked at than a few");
}

static void test_same_person(void)
{
    static const char *const froms[] = { "+972541112222", "0541112222", "00972541112222", "054-111 2222" };
    char id[CONTACT_ID_MAX] = "";
    int n = count_rows(db, DB_CONTACTS), n_same = 0;

    for (size_t i = 0; i < ELEMENTSOF(froms); i++) {
        char sid[SID_MAX], params[128];
        struct step step = { do_open, sid, params, .now_ms = NOW + i };

        snprintf(sid, sizeof(sid), "CAp%zu", i);
        snprintf(params, sizeof(params), "{\"From\":\"%s\"}", froms[i]);
        (void)take(&step);
        if (!id[0])
            strcpy(id, read_call(sid)->contact_id);
        n_same += strcmp(read_call(sid)->contact_id, id) == 0;
    }
    is_int(n_same, ELEMENTSOF(froms), "one number in four spellings is one person");
    is_int(count_rows(db, DB_CONTACTS), n + 1, "made once");
    is_int(read_contact("+972541112222")->n_calls, ELEMENTSOF(froms), "whose calls are counted");
}

/* --- the ladder */

static void test_steps(void)
{
    static const struct step open = { do_open, "CAs", "{" FROM "}", .now_ms = NOW };
    static const struct step unknown = { do_call_step, "CAnobody", .value = "embedded", .now_ms = NOW };
    static const struct step odd = { do_call_step, "CAs", .field = "two\nlines\x1b[2J \xff \u05d0", .now_ms = NOW + 1 };
    struct step step = { do_call_step, "CAs", .value = "embedded", .now_ms = NOW + 2 };
    char cause[4 * STEP_CAUSE_MAX];
    int n_events;

    (void)take(&open);
    n_events = count_rows(db, DB_EVENTS);
    is_int(take(&unknown), -ENOENT, "a step of a call that is not there");
    is_int(take(&odd), 0, "a step is kept");
    is_str(json_print(read_call("CAs")->steps, NULL),
           "[{\"at_ms\":1000001,\"part\":\"stt\",\"from\":\"whisper\",\"to\":\"\",\"cause\":\"two lines [2J \uFFFD \u05d0\"}]",
           "on one line, without what a terminal would obey");
    memset(cause, 'x', sizeof(cause));
    cause[sizeof(cause) - 1] = '\0';
    step.field = cause;
    for (int i = 0; i < CALL_STEPS_MAX + 10; i++)
        (void)take(&step);
    is_int((long long)json_object_array_length(read_call("CAs")->steps), CALL_STEPS_MAX, "not more of them than fit");
    is_int(read_call("CAs")->n_steps, 1 + CALL_STEPS_MAX + 10, "but all are counted");
    is_int(count_rows(db, DB_EVENTS), n_events + CALL_STEPS_MAX, "with an event for each that is shown");
    is_int((long long)strlen(json_get_text(json_object_array_get_idx(read_call("CAs")->steps, 1), "cause")), STEP_CAUSE_MAX - 1,
           "and no longer a cause than fits");
}

/* --- death of the daemon */

static void test_lost(void)
{
    static const struct step before[] = {
        { do_open, "CAl1", "{" FROM "}", .now_ms = NOW },
        { do_open, "CAl2", "{" FROM "}", .now_ms = NOW },
        { do_stream, "CAl2", .now_ms = NOW + 10 },
        { do_turn, "CAl2", .status = TURN_CALLER, .value = "help", .now_ms = NOW + 20 },
        { do_open, "CAl3", "{" FROM "}", .now_ms = NOW },
        { do_stream, "CAl3", .now_ms = NOW + 10 },
        { do_status, "CAl3", NULL, CALL_COMPLETED, 3, NOW + 30 },
        { do_open, "CAl4", "{" FROM "}", .now_ms = NOW },
        { do_status, "CAl4", NULL, CALL_BUSY, 3, NOW + 30 },
    };
    static const struct step close = { do_close_lost, .now_ms = NOW + 100000 };
    static const struct step revive = { do_stream, "CAl1", .now_ms = NOW + 100005 };
    static const struct step again = { do_stream, "CAl2", .now_ms = NOW + 100005 };
    static const struct step late = { do_status, "CAl2", NULL, CALL_COMPLETED, 3, NOW + 100006 };
    static const struct {
        const char *sid;
        enum call_status status;
        enum call_end end;
        uint64_t ended_ms;
        const char *what;
    } wants[] = {
        { "CAl1", CALL_LOST, CALL_END_LOST, NOW, "a call that was only announced" },
        { "CAl2", CALL_LOST, CALL_END_LOST, NOW + 25, "a call in the middle of a conversation" },
        { "CAl3", CALL_COMPLETED, CALL_END_LOST, NOW + 30, "a call that Twilio had completed, not we" },
        { "CAl4", CALL_BUSY, CALL_END_NONE, NOW + 30, "a call that was over" },
    };

    (void)take(&close); /* what earlier tests left open */
    for (size_t i = 0; i < ELEMENTSOF(before); i++)
        (void)take(&before[i]);
    is_int(take(&close), 3, "after a death three calls are closed");
    for (size_t i = 0; i < ELEMENTSOF(wants); i++) {
        const struct call *call = read_call(wants[i].sid);
        is_int(call->status, wants[i].status, wants[i].what);
        is_int(call->end, wants[i].end, "  with its reason");
        is_int((long long)call->ended_ms, (long long)wants[i].ended_ms, "  at the time it was last heard of");
    }
    is_int(take(&close), 0, "a second time there is none");
    is_int(take(&again), -EALREADY, "a lost conversation does not go on");
    is_int(take(&late), 0, "a late callback is kept");
    is_int(read_call("CAl2")->status, CALL_LOST, "but changes nothing");
    is_int(take(&revive), 0, "a caller whose stream comes after the restart is served");
    is_int(read_call("CAl1")->status, CALL_IN_PROGRESS, "and in progress");
    is_int(read_call("CAl1")->end, CALL_END_NONE, "and has not ended");
    is_int(take(&close), 1, "and would be closed again");
}

/* --- the change feed */

static int take_text(struct db_bytes key, struct db_bytes value, void *arg)
{
    snprintf(arg, 256, "%.*s", (int)value.n, (const char *)value.data);
    return 1;
}

static void last_event(char *ret_text)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct db_bytes all = { "", 0 };

    ret_text[0] = '\0';
    if (db_read_begin(db, &txn) == 0)
        (void)db_each(txn, DB_EVENTS, all, all, DB_DOWN, take_text, ret_text);
}

static void test_events(void)
{
    static const struct step open = { do_open, "CAe", "{\"From\":\"+972531112222\"}", .now_ms = NOW };
    static const struct step learn = { do_learn, "CAe", .field = "name", .value = "Gil", .now_ms = NOW + 1 };
    char want[256], got[256];

    (void)take(&open);
    last_event(got);
    snprintf(want, sizeof(want), "{\"kind\":\"call.new\",\"at_ms\":%d,\"call\":\"CAe\",\"contact\":\"%s\"}", NOW,
             read_call("CAe")->contact_id);
    is_str(got, want, "a new call in the change feed");
    (void)take(&learn);
    last_event(got);
    snprintf(want, sizeof(want),
             "{\"kind\":\"contact.changed\",\"at_ms\":%d,\"call\":\"CAe\",\"contact\":\"%s\"}", NOW + 1,
             read_call("CAe")->contact_id);
    is_str(got, want, "what was learnt in it");
}

/* --- messages */

struct message_op {
    struct db_op op;
    struct message message;
    struct json_object *params;
    int status; /* -1: the message itself */
    const char *provider_id;
};

static int run_message(struct db_txn *txn, struct db_op *op)
{
    struct message_op *m = (struct message_op *)op;

    if (m->status < 0)
        return crm_message_add(txn, &m->message, "972");
    return crm_message_status(
        txn, &(struct message_report){ .provider_id = m->provider_id, .status = m->status, .params = m->params, .now_ms = NOW });
}

static int add_message(const char *provider_id, const char *address, const char *body, const char *params,
                       struct message *ret_message)
{
    struct message_op m = { .op.run = run_message, .status = -1,
                            .message = { .created_ms = NOW, .status = MESSAGE_RECEIVED, .body = strdup(body) } };
    int r;

    set(m.message.provider_id, provider_id);
    set(m.message.address, address);
    (void)json_parse(params, strlen(params), &m.message.params);
    r = db_write(db, &m.op);
    if (ret_message)
        *ret_message = m.message;
    else
        message_release(&m.message);
    return r;
}

static int message_status(const char *provider_id, int status, const char *params)
{
    scoped(json_object_put) struct json_object *json = NULL;
    struct message_op m = { .op.run = run_message, .status = status, .provider_id = provider_id };

    (void)json_parse(params, strlen(params), &json);
    m.params = json;
    return db_write(db, &m.op);
}

static void test_messages(void)
{
    scoped(message_release) struct message first = { 0 }, second = { 0 };
    scoped(json_object_put) struct json_object *whole = NULL;
    scoped(db_read_end) struct db_txn *txn = NULL;
    int n = count_rows(db, DB_MESSAGES), n_events;
    char event[256];

    is_int(add_message("SM1", "whatsapp:+972541112222", "\u05e9\u05dc\u05d5\u05dd", "{\"ProfileName\":\"Avi\"}", &first),
           0, "a message");
    last_event(event);
    ok(strstr(event, "\"kind\":\"message.new\"") && strstr(event, first.id), "is in the change feed");
    n_events = count_rows(db, DB_EVENTS);
    is_int(add_message("SM1", "whatsapp:+972541112222", "other", "{}", &second), 1, "its redelivery");
    is_str(second.body, "\u05e9\u05dc\u05d5\u05dd", "which is answered with what is stored");
    is_str(second.id, first.id, "under the same id");
    is_int(count_rows(db, DB_MESSAGES), n + 1, "one row");
    is_int(count_rows(db, DB_EVENTS), n_events, "one event");
    is_str(first.address, "+972541112222", "the number in one form");
    is_str(first.contact_id, read_contact("+972541112222")->id, "belongs to the caller of that number");
    is_str(read_contact("+972541112222")->name, "Avi", "whose name is taken from his profile");
    is_int(add_message("SM2", "whatsapp:IL.998877", "hi", "{\"ProfileName\":\"Noa\"}", NULL), 0,
           "a sender without a number");
    is_str(read_contact("whatsapp:IL.998877")->name, "Noa", "is a contact by what the provider calls him");
    is_int(add_message("SM3", "whatsapp:+972541112222", "", "{\"ProfileName\":\"Other\"}", NULL), 0, "an empty body");
    is_str(read_contact("+972541112222")->name, "Avi", "a known name is not replaced");
    is_int(add_message("", "whatsapp:+972541112222", "x", "{}", NULL), -EINVAL, "no provider id");
    is_int(add_message("SM4", "", "x", "{}", NULL), -EINVAL, "no address");

    is_int(db_read_begin(db, &txn), 0, "a read");
    is_int(crm_contact_whole(txn, first.contact_id, &whole), 0, "a whole contact");
    ok(strstr(json_print(whole, NULL), "\"body\":\"\u05e9\u05dc\u05d5\u05dd\"") != NULL &&
           strstr(json_print(whole, NULL), "\"calls\":[{\"sid\":\"CAp3\"") != NULL,
       "has his messages and his calls, the latest first");
}

static void hide_number(struct message_op *m, const char *provider_id, const char *address, const char *alias)
{
    *m = (struct message_op){ .op.run = run_message, .status = -1,
                              .message = { .created_ms = NOW, .status = MESSAGE_RECEIVED, .body = strdup("x") } };
    set(m->message.provider_id, provider_id);
    set(m->message.address, address);
    set(m->message.alias, alias);
}

/* Rows in this order: who writes, by which names, and whether he is the one of an earlier row. */
static const struct {
    const char *what, *address, *alias;
    int same_as; /* -1: somebody new */
} persons[] = {
    { "a number", "whatsapp:+972545550001", "", -1 },
    { "the number with a name", "whatsapp:+972545550001", "whatsapp:IL.1", 0 },
    { "the name alone, once he hides his number", "whatsapp:IL.1", "", 0 },
    { "and both again", "whatsapp:+972545550001", "whatsapp:IL.1", 0 },
    { "somebody who hides his number", "whatsapp:IL.2", "", -1 },
    { "two who hide theirs are two", "whatsapp:IL.3", "", -1 },
    { "the number with another name has passed on", "whatsapp:+972545550001", "whatsapp:IL.4", -1 },
    { "and goes with him", "whatsapp:+972545550001", "", 6 },
    { "whoever had it is known by his name", "whatsapp:IL.1", "", 0 },
    { "also with a number of his own", "whatsapp:+972545550009", "whatsapp:IL.1", 0 },
    { "which is his now", "whatsapp:+972545550009", "", 0 },
    { "a name of another form is not another name", "+972545550009", "777@lid", 0 },
    { "and finds him, too", "777@lid", "", 0 },
    { "a name beside the number, the other way round", "778@lid", "+972545550010", -1 },
    { "whom the number finds", "whatsapp:+972545550010", "", 13 },
    { "both names at first", "whatsapp:+972545550011", "whatsapp:IL.5", -1 },
    { "and another one with the number", "whatsapp:+972545550011", "whatsapp:IL.6", -1 },
    { "the first one again", "whatsapp:IL.5", "", 15 },
};

static void test_persons(void)
{
    char contacts[ELEMENTSOF(persons)][CONTACT_ID_MAX], last[CONTACT_ID_MAX] = "";

    for (size_t i = 0; i < ELEMENTSOF(persons); i++) {
        struct message_op m;
        char sid[SID_MAX];
        bool is_known = false;

        snprintf(sid, sizeof(sid), "SMperson%zu", i);
        hide_number(&m, sid, persons[i].address, persons[i].alias);
        is_int(db_write(db, &m.op), 0, persons[i].what);
        set(contacts[i], m.message.contact_id);
        for (size_t k = 0; k < i; k++)
            is_known = is_known || strcmp(contacts[k], contacts[i]) == 0;
        ok(persons[i].same_as < 0 ? !is_known : strcmp(contacts[persons[i].same_as], contacts[i]) == 0, "  is whom it should be");
        ok(strcmp(last, m.message.id) < 0, "  and his message is behind those before it");
        set(last, m.message.id);
        message_release(&m.message);
    }
}

static void test_message_orders(void)
{
    static const int statuses[] = { MESSAGE_QUEUED, MESSAGE_SENT, MESSAGE_DELIVERED, MESSAGE_READ };
    static const char *const params[] = { "{\"S\":\"queued\",\"Q\":\"1\"}", "{\"S\":\"sent\"}", "{\"S\":\"delivered\"}",
                                          "{\"S\":\"read\",\"EventType\":\"READ\"}" };
    int perm[4] = { 0, 1, 2, 3 }, n_orders = 0, n_good = 0;

    do {
        char sid[SID_MAX];
        scoped(db_read_end) struct db_txn *txn = NULL;
        scoped(message_release) struct message message = { 0 };

        snprintf(sid, sizeof(sid), "SMo%d", n_orders++);
        for (int i = 0; i < 4; i++) {
            (void)message_status(sid, statuses[perm[i]], params[perm[i]]);
            if (i == n_orders % 4) {
                struct message_op m = { .op.run = run_message, .status = -1,
                                        .message = { .created_ms = NOW, .status = MESSAGE_QUEUED, .direction = MESSAGE_OUT } };
                set(m.message.provider_id, sid);
                set(m.message.address, "+972541112222");
                m.message.body = strdup("out");
                (void)db_write(db, &m.op);
                message_release(&m.message);
                (void)message_status(sid, statuses[perm[0]], params[perm[0]]);
            }
        }
        (void)db_read_begin(db, &txn);
        n_good += crm_message_get(txn, sid, &message) == 0 && message.status == MESSAGE_READ &&
                  strcmp(message.body ?: "", "out") == 0 && message.contact_id[0] &&
                  strcmp(json_get_text(message.params, "S"), "read") == 0 &&
                  strcmp(json_get_text(message.params, "Q"), "1") == 0;
    } while (next_permutation(perm, 4));
    is_int(n_good, n_orders, "a message's callbacks in all orders, around the message itself, come to one result");

    (void)message_status("SMf", MESSAGE_FAILED, "{\"ErrorCode\":\"63016\"}");
    is_int(message_status("SMf", MESSAGE_SENT, "{}"), 1, "a failed message does not become sent");
    is_int(message_status("SMf", MESSAGE_DELIVERED, "{}"), 0, "but delivered it may");
}

/* --- pages */

static void test_pages(void)
{
    scoped(json_object_put) struct json_object *calls = NULL, *contacts = NULL, *none = NULL;
    scoped(db_read_end) struct db_txn *txn = NULL;
    static const struct step newest = { do_open, "CAnewest", "{" FROM "}", .now_ms = NOW * 2 };
    static const struct step older = { do_open, "CAolder", "{" FROM "}", .now_ms = NOW / 2 };

    (void)take(&newest);
    (void)take(&older); /* the clock went back */
    (void)db_read_begin(db, &txn);
    is_int(crm_calls_page(txn, 3, &calls), 0, "a page of calls");
    is_int((long long)json_object_array_length(calls), 3, "of that size");
    is_str(json_get_text(json_object_array_get_idx(calls, 0), "sid"), "CAnewest", "the newest first");
    is_str(json_get_text(json_object_array_get_idx(calls, 0), "name"), "Dana", "with the caller's name");
    ok(!strstr(json_print(calls, NULL), "token"), "without tokens");
    is_int(crm_contacts_page(txn, 100, &contacts), 0, "a page of contacts");
    is_int((long long)json_object_array_length(contacts), count_rows(db, DB_CONTACTS), "all of them");
    is_int(crm_call_whole(txn, "CAnone", &none), -ENOENT, "a call that is not there");
    is_int(crm_contact_whole(txn, "Cnone", &none), -ENOENT, "a contact that is not there");
    is_int(crm_contact_whole(txn, "", &none), -EINVAL, "a contact without an id");
}

static int put_garbage(struct db_txn *txn, const struct step *step)
{
    struct db_bytes key = { step->sid, strlen(step->sid) }, value = { step->value, strlen(step->value) };

    return db_put(txn, DB_CALLS, key, value);
}

static void test_garbage(void)
{
    static const char *const values[] = { "", "{", "[]", "{\"sid\":1}", "{\"sid\":\"CAg\",\"status\":\"odd\"}" };

    for (size_t i = 0; i < ELEMENTSOF(values); i++) {
        struct step put = { put_garbage, "CAg", .value = values[i] };
        struct step status = { do_status, "CAg", NULL, CALL_RINGING, 1, NOW };
        (void)take(&put);
        is_int(take(&status), -EUCLEAN, "a row that cannot be read is said to be so");
    }
}

int main(void)
{
    struct db_options options = { .path = scratch_file("store"), .map_mib = 64 };

    if (db_open(&options, &db) < 0) {
        puts("Bail out! no store");
        return 1;
    }
    for (size_t i = 0; i < ELEMENTSOF(sets); i++)
        test_orders(i);
    test_life();
    test_hidden_number();
    test_same_person();
    test_steps();
    test_lost();
    test_events();
    test_messages();
    test_persons();
    test_message_orders();
    test_pages();
    test_known();
    test_garbage();
    (void)read_call("CAa");
    call_done(read_call("CAa"));
    contact_done(read_contact("+972541112222"));
    db_close(db);
    return done_testing();
}
