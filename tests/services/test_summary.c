/*
 * test_summary.c - what of a model's summary is believed, and where it is kept
 */
#include "services/crm_summary.h"

#include <errno.h>
#include <string.h>

#include <json-c/json.h>

#include "scratch.h"
#include "services/crm.h"
#include "services/jobs.h"
#include "tap.h"
#include "utils/json.h"

enum { NOW = 1000000 };

static const struct summary_field fields[] = { { "need", "How can we help?", false }, { "name", "Your name?", false },
                                               { "callback", "Which number?", true } };

/* --- reading */

#define LONG64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG256 LONG64 LONG64 LONG64 LONG64

static const struct {
    const char *what, *answer;
    int r;
    const char *text, *fields;
} answers[] = {
    { "a whole one", "{\"summary\":\"He wants a boiler.\",\"fields\":{\"need\":\"a boiler\",\"name\":\"Dan\"}}", 0, "He wants a boiler.",
      "{\"need\":\"a boiler\",\"name\":\"Dan\"}" },
    { "no fields", "{\"summary\":\"Hi.\"}", 0, "Hi.", "{}" },
    { "fields nobody asked for", "{\"summary\":\"Hi.\",\"fields\":{\"stage\":\"won\",\"need\":\"x\"}}", 0, "Hi.", "{\"need\":\"x\"}" },
    { "fields that are no text", "{\"summary\":\"Hi.\",\"fields\":{\"need\":7,\"name\":null,\"callback\":{}}}", 0, "Hi.", "{}" },
    { "an empty one, and blanks", "{\"summary\":\"Hi.\",\"fields\":{\"need\":\"\",\"name\":\"  \"}}", 0, "Hi.", "{}" },
    { "one that is too long", "{\"summary\":\"Hi.\",\"fields\":{\"need\":\"" LONG256 "\"}}", 0, "Hi.", "{}" },
    { "one that breaks the line", "{\"summary\":\"Hi.\",\"fields\":{\"need\":\"a\\nb\"}}", 0, "Hi.", "{}" },
    { "fields that are a list", "{\"summary\":\"Hi.\",\"fields\":[]}", 0, "Hi.", "{}" },
    { "a summary in lines", "{\"summary\":\"One.\\nTwo.\"}", 0, "One. Two.", "{}" },
    { "no summary", "{\"fields\":{}}", -EBADMSG, NULL, NULL },
    { "an empty one", "{\"summary\":\" \\n\"}", -EBADMSG, NULL, NULL },
    { "one that is no text", "{\"summary\":[]}", -EBADMSG, NULL, NULL },
    { "a list", "[]", -EBADMSG, NULL, NULL },
    { "half an object", "{\"summary\":\"Hi", -EBADMSG, NULL, NULL },
    { "nothing", "", -EBADMSG, NULL, NULL },
};

static void answers_are_read(void)
{
    for (size_t i = 0; i < ELEMENTSOF(answers); i++) {
        scoped(summary_done) struct summary summary = { .fields = NULL };

        is_int(summary_read(answers[i].answer, fields, ELEMENTSOF(fields), &summary), answers[i].r, answers[i].what);
        if (answers[i].r == 0) {
            is_str(summary.text, answers[i].text, "  the summary");
            is_str(json_print(summary.fields, NULL), answers[i].fields, "  the fields");
        }
    }
    scoped(free) char *huge = malloc(5000);
    scoped(summary_done) struct summary summary = { .fields = NULL };
    memset(huge, 'a', 5000);
    memcpy(huge, "{\"summary\":\"", 12);
    memcpy(huge + 4990, "\"}", 3);
    ok(summary_read(huge, fields, ELEMENTSOF(fields), &summary) == 0 && strlen(summary.text) == SUMMARY_MAX - 1,
       "a model that does not stop is cut off");
}

/* --- keeping */

struct scene {
    struct db_op op; /* first */
    const char *from, *said, *learnt_field, *learnt_value, *known_field, *known_value, *answer;
    int owed;
};

static int run_scene(struct db_txn *txn, struct db_op *op)
{
    struct scene *scene = (struct scene *)op;
    scoped(call_done) struct call before = { .sid = "CA0", .stream_token = "t", .started_ms = NOW };
    scoped(call_done) struct call call = { .sid = "CA1", .stream_token = "t", .started_ms = NOW };
    scoped(summary_done) struct summary summary = { .fields = NULL };
    struct turn turn = { .who = TURN_CALLER, .confidence = -1 }, asked = { .who = TURN_AGENT, .text = "Hello?", .confidence = -1 };

    strcpy(before.from, scene->from);
    strcpy(call.from, scene->from);
    strcpy(turn.text, scene->said);
    int r = crm_call_open(txn, &before, "972");
    r = r < 0 ? r : crm_call_open(txn, &call, "972");
    if (r >= 0 && scene->known_field)
        r = crm_call_learn(txn, "CA0", scene->known_field, scene->known_value, NOW);
    if (r >= 0 && scene->learnt_field)
        r = crm_call_learn(txn, "CA1", scene->learnt_field, scene->learnt_value, NOW);
    r = r < 0 ? r : crm_turn_add(txn, "CA1", &asked);
    r = r < 0 || !turn.text[0] ? r : crm_turn_add(txn, "CA1", &turn);
    r = r < 0 ? r : crm_call_end(txn, "CA1", CALL_END_CALLER, NOW);
    r = r < 0 ? r : (scene->owed = crm_summary_owe(txn, "CA1", NOW));
    if (r == 0)
        r = summary_read(scene->answer, fields, ELEMENTSOF(fields), &summary);
    return r < 0 || r == 1 ? r : crm_summary_keep(txn, "CA1", &summary, fields, ELEMENTSOF(fields), NOW);
}

static const struct {
    const char *what, *from, *said;
    const char *learnt_field, *learnt_value; /* in this call */
    const char *known_field, *known_value;   /* of one before */
    const char *fields;
    const char *contact; /* name and fields afterwards */
} scenes[] = {
    { "a field is filled", "+972501234567", "I need a boiler", NULL, NULL, NULL, NULL, "\"need\":\"a boiler\"",
      "'' {\"need\":\"a boiler\",\"last_call\":\"He called.\"}" },
    { "what was learnt in the call stays", "+972501234567", "x", "need", "a pump", NULL, NULL, "\"need\":\"a boiler\"",
      "'' {\"need\":\"a pump\",\"last_call\":\"He called.\"}" },
    { "what was learnt before may be renewed", "+972501234567", "x", NULL, NULL, "need", "a pump", "\"need\":\"a boiler\"",
      "'' {\"need\":\"a boiler\",\"last_call\":\"He called.\"}" },
    { "a name is filled", "+972501234567", "x", NULL, NULL, NULL, NULL, "\"name\":\"Dan\"", "'Dan' {\"last_call\":\"He called.\"}" },
    { "a name that is known stays", "+972501234567", "x", NULL, NULL, "name", "Ada", "\"name\":\"Dan\"", "'Ada' {\"last_call\":\"He called.\"}" },
    { "a number that was said is unconfirmed", "+972501234567", "call 050-765 4321", NULL, NULL, NULL, NULL,
      "\"callback\":\"0507654321\"", "'' {\"callback_heard\":\"0507654321\",\"last_call\":\"He called.\"}" },
    { "with a country code", "+972501234567", "call 050-765 4321", NULL, NULL, NULL, NULL, "\"callback\":\"+972507654321\"",
      "'' {\"callback_heard\":\"+972507654321\",\"last_call\":\"He called.\"}" },
    { "a number that nobody said is none", "+972501234567", "call me", NULL, NULL, NULL, NULL, "\"callback\":\"0507654321\"",
      "'' {\"last_call\":\"He called.\"}" },
    { "a number that was confirmed stays", "+972501234567", "call 0507654321", "callback", "+972501111111", NULL, NULL,
      "\"callback\":\"0507654321\"", "'' {\"callback\":\"+972501111111\",\"last_call\":\"He called.\"}" },
    { "so does one of a call before", "+972501234567", "call 0507654321", NULL, NULL, "callback", "+972501111111",
      "\"callback\":\"0507654321\"", "'' {\"callback\":\"+972501111111\",\"last_call\":\"He called.\"}" },
    { "whoever hid his number becomes a contact by it", "anonymous", "I am Dan", NULL, NULL, NULL, NULL, "\"name\":\"Dan\"",
      "'Dan' {\"last_call\":\"He called.\"}" },
    { "or not, when there is nothing to know", "anonymous", "x", NULL, NULL, NULL, NULL, "\"stage\":\"won\"", "none" },
    { "nothing was said: nothing is owed", "+972501234567", "", NULL, NULL, NULL, NULL, "", "owed nothing" },
};

static const char *contact_of(struct db_txn *txn, const struct call *call)
{
    static char text[1024];
    scoped(contact_done) struct contact contact = { 0 };

    if (!call->contact_id[0] || crm_contact_get(txn, call->contact_id, &contact) < 0)
        return "none";
    snprintf(text, sizeof(text), "'%s' %s", contact.name, json_print(contact.fields, NULL));
    return text;
}

static int count_job(const struct job *job, void *arg)
{
    *(int *)arg += job->kind == JOB_SUMMARY && strcmp(job->call_sid, "CA1") == 0;
    return 0;
}

static void check(struct db *db, size_t i, int owed)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    scoped(call_done) struct call call = { 0 };
    scoped(json_object_put) struct json_object *turns = NULL;
    int n_jobs = 0;

    if (db_read_begin(db, &txn) < 0 || crm_call_get(txn, "CA1", &call) < 0 || jobs_each_due(txn, NOW, count_job, &n_jobs) < 0) {
        ok(0, "it can be read");
        return;
    }
    if (owed == 1) {
        ok(n_jobs == 0 && !call.summary && strcmp(scenes[i].contact, "owed nothing") == 0, "%s", scenes[i].what);
        return;
    }
    is_str(contact_of(txn, &call), scenes[i].contact, scenes[i].what);
    is_str(call.summary, "He called.", "  it is kept with the call");
    is_int(n_jobs, 1, "  and was owed once");
    is_int(crm_summary_turns(txn, "CA1", &turns), 1, "  nothing is left to sum up");
}

static int run_fail(struct db_txn *txn, struct db_op *op)
{
    return crm_summary_fail(txn, "CA1", "nobody answers", NOW);
}

int main(void)
{
    answers_are_read();
    for (size_t i = 0; i < ELEMENTSOF(scenes); i++) {
        struct db_options options = { .path = scratch_file(scenes[i].what) };
        scoped(db_close) struct db *db = NULL;
        char answer[512];
        struct scene scene = { .op = { .run = run_scene, .what = "a scene" }, scenes[i].from, scenes[i].said,
                               scenes[i].learnt_field, scenes[i].learnt_value, scenes[i].known_field, scenes[i].known_value, answer };

        snprintf(answer, sizeof(answer), "{\"summary\":\"He called.\",\"fields\":{%s}}", scenes[i].fields);
        if (db_open(&options, &db) < 0 || db_write(db, &scene.op) < 0) {
            ok(0, "%s", scenes[i].what);
            continue;
        }
        check(db, i, scene.owed);
    }

    struct db_options options = { .path = scratch_file(scenes[0].what) };
    scoped(db_close) struct db *db = NULL;
    struct db_op fail = { .run = run_fail, .what = "a failure" };
    scoped(db_read_end) struct db_txn *txn = NULL;
    scoped(call_done) struct call call = { 0 };
    if (db_open(&options, &db) == 0 && db_write(db, &fail) == 0 && db_read_begin(db, &txn) == 0 && crm_call_get(txn, "CA1", &call) == 0)
        is_str(call.summary_error, "nobody answers", "or why there is none");
    return done_testing();
}
