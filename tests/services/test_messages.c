/*
 * test_messages.c - a message of ours from its writing to its end, whatever is told of it, and in whichever order
 */
#include "services/crm.h"

#include <errno.h>
#include <string.h>

#include <json-c/json.h>

#include "count_rows.h"
#include "scratch.h"
#include "services/jobs.h"
#include "tap.h"
#include "utils/json.h"

static struct db *db;

enum { NOW = 1000000 };

/* --- one write, one step; the message is the latest that was written */

enum verb { CALL, SEND, REFUSE, SENT, DELAYED, FAILED, UNCERTAIN, REPORT, REPORT_ID, AGAIN, OWED, REWORD };

struct step {
    enum verb verb;
    const char *text; /* or the provider's id */
    int status;
    int want;
};

struct step_op {
    struct db_op op; /* first */
    const struct step *step;
    char id[CONTACT_ID_MAX];
};

static char latest[CONTACT_ID_MAX];
static unsigned n_now;

static int take_id(struct json_object *json, const char **ret)
{
    *ret = json_get_text(json, "id");
    return 0;
}

static int open_call(struct db_txn *txn, const struct step *step)
{
    scoped(call_done) struct call call = { .sid = "CA1", .stream_token = "t", .started_ms = NOW };

    strcpy(call.from, step->text);
    return crm_call_open(txn, &call, "972");
}

static int report(struct db_txn *txn, const struct step *step, const char *id)
{
    scoped(json_object_put) struct json_object *params = json_object_new_object();
    char sid[ADDRESS_MAX];

    strcpy(sid, step->text);
    (void)json_add(params, "MessageSid", json_object_new_string(sid));
    return crm_message_status(txn, &(struct message_report){ .provider_id = sid, .id = id, .status = step->status,
                                                            .error = step->status == MESSAGE_FAILED ? "63016: closed" : "",
                                                            .params = params, .now_ms = NOW + n_now });
}

static int run_step(struct db_txn *txn, struct db_op *op)
{
    struct step_op *this = (struct step_op *)op;
    const struct step *step = this->step;
    scoped(message_release) struct message message = { 0 };
    uint64_t now_ms = NOW + n_now;

    switch (step->verb) {
    case CALL:
        return open_call(txn, step);
    case SEND:
        return crm_call_message(txn, "CA1", step->text, WORDING_FREE, now_ms);
    case SENT:
        return crm_message_sent(txn, latest, step->text, step->status, now_ms);
    case DELAYED:
        return crm_message_unsent(txn, latest, MESSAGE_QUEUED, step->text, now_ms);
    case FAILED:
        return crm_message_unsent(txn, latest, MESSAGE_FAILED, step->text, now_ms);
    case UNCERTAIN:
        return crm_message_unsent(txn, latest, MESSAGE_UNCERTAIN, step->text, now_ms);
    case REPORT:
        return report(txn, step, "");
    case REPORT_ID:
        return report(txn, step, latest);
    case AGAIN:
        return crm_message_again(txn, step->text ?: latest, now_ms, this->id);
    case REWORD:
        return crm_message_reworded(txn, latest, step->text, now_ms);
    default:
        return crm_message_owed(txn, latest, &message);
    }
}

/* "status provider_id error body wording over/live job", of the latest message */
static const char *seen(void)
{
    static char text[1024];
    scoped(db_read_end) struct db_txn *txn = NULL;
    scoped(json_object_put) struct json_object *page = NULL;
    struct job job;

    if (db_read_begin(db, &txn) < 0 || crm_messages_page(txn, 100, &page) < 0)
        return "cannot be read";
    for (size_t i = 0; i < json_object_array_length(page); i++) {
        struct json_object *json = json_object_array_get_idx(page, i);
        const char *id = NULL;
        uint64_t job_id = (uint64_t)json_get_int(json, "job_id");

        (void)take_id(json, &id);
        if (strcmp(id, latest) != 0)
            continue;
        snprintf(text, sizeof(text), "%s %s '%s' '%s' %s", json_get_text(json, "status"), json_get_text(json, "provider_id"),
                 json_get_text(json, "error"), json_get_text(json, "body") ?: "",
                 !job_id ? "none" : jobs_get_over(txn, job_id, &job) == 0 ? "over" : "live");
        return text;
    }
    return "none";
}

static void remember_latest(void)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    scoped(json_object_put) struct json_object *page = NULL;

    if (db_read_begin(db, &txn) == 0 && crm_messages_page(txn, 1, &page) == 0 && json_object_array_length(page))
        strcpy(latest, json_get_text(json_object_array_get_idx(page, 0), "id"));
}

static void take(const struct step *step)
{
    struct step_op op = { .op = { .run = run_step, .what = "a step" }, .step = step };

    n_now++;
    ok(db_write(db, &op.op) == step->want, "  step %d", (int)step->verb);
    if (step->verb == SEND || step->verb == AGAIN)
        remember_latest();
}

enum { STEPS_MAX = 6 };

static const struct {
    const char *what;
    struct step steps[STEPS_MAX];
    const char *seen;
    int n_messages, n_jobs;
} rows[] = {
    { "it waits", { { SEND, "hi" } }, "queued  '' 'hi' live", 1, 1 },
    { "the same words are not sent twice in a call", { { SEND, "hi" }, { SEND, "hi", .want = 1 } }, "queued  '' 'hi' live", 1, 1 },
    { "other words are", { { SEND, "hi" }, { SEND, "ho" } }, "queued  '' 'ho' live", 2, 2 },
    { "it was delayed", { { SEND, "hi" }, { DELAYED, "down" } }, "queued  'down' 'hi' live", 1, 1 },
    { "reworded", { { SEND, "hi" }, { REWORD, "hello" } }, "queued  '' 'hello' live", 1, 1 },
    { "a state that comes before our answer, with our id",
      { { SEND, "hi" }, { REPORT_ID, "SM1", MESSAGE_SENT } }, "sent SM1 '' 'hi' live", 1, 1 },
    { "then nothing is owed", { { SEND, "hi" }, { REPORT_ID, "SM1", MESSAGE_SENT }, { OWED, .want = 1 } }, "sent SM1 '' 'hi' none", 1, 1 },
    { "our answer after it changes nothing",
      { { SEND, "hi" }, { REPORT_ID, "SM1", MESSAGE_DELIVERED }, { SENT, "SM1", MESSAGE_QUEUED } }, "delivered SM1 '' 'hi' none", 1, 1 },
    { "a state before our answer, without our id: two rows become one",
      { { SEND, "hi" }, { REPORT, "SM1", MESSAGE_DELIVERED }, { SENT, "SM1", MESSAGE_QUEUED } }, "delivered SM1 '' 'hi' none", 1, 1 },
    { "states after our answer move it on",
      { { SEND, "hi" }, { SENT, "SM1", MESSAGE_QUEUED }, { REPORT_ID, "SM1", MESSAGE_READ }, { REPORT, "SM1", MESSAGE_SENT, 1 } },
      "read SM1 '' 'hi' none", 1, 1 },
    { "one of another message's id", { { SEND, "hi" }, { SENT, "SM1", MESSAGE_QUEUED }, { REPORT_ID, "SM2", MESSAGE_READ } },
      "queued SM1 '' 'hi' none", 2, 1 },
    { "uncertain", { { SEND, "hi" }, { UNCERTAIN, "late" } }, "uncertain  'late' 'hi' live", 1, 1 },
    { "any state of it ends that", { { SEND, "hi" }, { UNCERTAIN, "late" }, { REPORT_ID, "SM1", MESSAGE_QUEUED } },
      "queued SM1 '' 'hi' live", 1, 1 },
    { "what the provider has is not failed", { { SEND, "hi" }, { REPORT_ID, "SM1", MESSAGE_SENT }, { FAILED, "late", .want = 1 } },
      "sent SM1 '' 'hi' none", 1, 1 },
    { "it failed at the provider's later: a dead letter",
      { { SEND, "hi" }, { SENT, "SM1", MESSAGE_QUEUED }, { REPORT_ID, "SM1", MESSAGE_FAILED } }, "failed SM1 '63016: closed' 'hi' over", 1, 2 },
    { "before our answer, the same",
      { { SEND, "hi" }, { REPORT_ID, "SM1", MESSAGE_FAILED }, { SENT, "SM1", MESSAGE_QUEUED } }, "failed SM1 '63016: closed' 'hi' over", 1, 2 },
    { "it was delivered after all",
      { { SEND, "hi" }, { SENT, "SM1", MESSAGE_QUEUED }, { REPORT_ID, "SM1", MESSAGE_FAILED }, { REPORT_ID, "SM1", MESSAGE_DELIVERED } },
      "delivered SM1 '' 'hi' none", 1, 1 },
    { "sent again", { { SEND, "hi" }, { SENT, "SM1", MESSAGE_QUEUED }, { REPORT_ID, "SM1", MESSAGE_FAILED }, { AGAIN } },
      "queued  '' 'hi' live", 2, 2 },
    { "not twice", { { SEND, "hi" }, { AGAIN, .want = -EALREADY } }, "queued  '' 'hi' live", 1, 1 },
    { "nor what is not there", { { SEND, "hi" }, { AGAIN, "M0", .want = -ENOENT } }, "queued  '' 'hi' live", 1, 1 },
    { "no text", { { SEND, "", .want = -EINVAL } }, "none", 0, 0 },
};

static void play(size_t i, const char *from)
{
    struct db_options options = { .path = scratch_file(rows[i].what) };

    latest[0] = '\0';
    if (db_open(&options, &db) < 0) {
        ok(0, "a store");
        return;
    }
    take(&(struct step){ CALL, from });
    for (size_t k = 0; k < STEPS_MAX && (k == 0 || rows[i].steps[k].verb); k++)
        take(&rows[i].steps[k]);
    is_str(seen(), rows[i].seen, rows[i].what);
    is_int(count_rows(db, DB_MESSAGES), rows[i].n_messages, "  so many messages");
    is_int(count_rows(db, DB_JOBS), rows[i].n_jobs, "  so many jobs, with those that are done but not settled");
    db_close(db);
}

/* A caller who hid his number. */
static void nobody_to_write_to(void)
{
    struct db_options options = { .path = scratch_file("hidden") };

    if (db_open(&options, &db) < 0)
        return;
    take(&(struct step){ CALL, "anonymous" });
    take(&(struct step){ SEND, "hi" });
    is_str(seen(), "failed  'the caller has no telephone number that could be written to' 'hi' over", "a dead letter, with the reason");
    take(&(struct step){ AGAIN, .want = -EDESTADDRREQ });
    db_close(db);
}

int main(void)
{
    for (size_t i = 0; i < ELEMENTSOF(rows); i++)
        play(i, "+972501234567");
    nobody_to_write_to();
    return done_testing();
}
