/*
 * test_retention.c - what is kept long enough is forgotten, each kind by its own days, and nothing younger
 *
 * A hundred days are lived through, one call, message and note a day; then each kind is counted, forgotten, and what is
 * left compared with what should be.
 */
#include "services/crm_retention.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include <json-c/json.h>

#include "count_rows.h"
#include "scratch.h"
#include "services/crm.h"
#include "services/crm_schema.h"
#include "services/crm_tasks.h"
#include "services/trash.h"
#include "tap.h"
#include "utils/file.h"
#include "utils/json.h"

enum { N_DAYS = 100, N_TURNS = 5 };

#define DAY_MS ((uint64_t)24 * 3600 * 1000)
#define BEGIN_MS ((uint64_t)1700000000000)

static struct db *db;

struct day {
    struct db_op op; /* first */
    int day;
};

static int live(struct db_txn *txn, struct db_op *op)
{
    int day = ((struct day *)op)->day;
    uint64_t ms = BEGIN_MS + (uint64_t)day * DAY_MS;
    scoped(call_done) struct call call = { .started_ms = ms, .stream_token = "token" };
    scoped(message_release) struct message message = { .direction = MESSAGE_IN, .status = MESSAGE_RECEIVED, .created_ms = ms, .body = strdup("hello") };
    int r;

    snprintf(call.sid, sizeof(call.sid), "CA%d", day);
    snprintf(call.from, sizeof(call.from), "+97250%07d", day);
    snprintf(message.provider_id, sizeof(message.provider_id), "SM%d", day);
    snprintf(message.address, sizeof(message.address), "+97250%07d", day);
    message.media = json_object_new_array();
    (void)json_append(message.media, json_object_new_object());
    (void)json_add(json_object_array_get_idx(message.media, 0), "type", json_object_new_string("image/png"));
    (void)json_add(json_object_array_get_idx(message.media, 0), "url", json_object_new_string("https://secret.example/"));
    r = crm_call_open(txn, &call, "972");
    for (int i = 0; r == 0 && i < N_TURNS; i++) {
        struct turn turn = { .who = TURN_CALLER, .text = "hello", .start_ms = ms, .end_ms = ms };
        snprintf(turn.audio, sizeof(turn.audio), "recordings/CA%d/%d.wav", day, i);
        r = crm_turn_add(txn, call.sid, &turn);
    }
    if (r == 0 && day != 3) /* that one never ends */
        r = crm_call_status(txn, call.sid, CALL_COMPLETED, 3, NULL, ms);
    return r < 0 ? r : crm_message_add(txn, &message, "972");
}

static int write_to(struct db_txn *txn, struct db_op *op)
{
    scoped(message_release) struct message message = { .channel = MESSAGE_WHATSAPP, .created_ms = BEGIN_MS, .body = strdup("to be sent") };
    struct crm_letter letter = { "+972500000005", "972", false };

    return crm_message_write(txn, &letter, &message);
}

static int n_stops;

static bool never_on(void *arg, uint64_t took_ms)
{
    n_stops++;
    return false;
}

static int forget(enum retention_kind kind, unsigned days, bool is_dry, bool stops)
{
    struct crm_retention retention = { .now_ms = BEGIN_MS + N_DAYS * DAY_MS, .is_dry = is_dry, .go_on = stops ? never_on : NULL };
    uint64_t n[RETAIN_N_KINDS];
    int r;

    retention.days[kind] = days;
    r = crm_retention_run(db, &retention, n);
    for (int i = 0; i < RETAIN_N_KINDS; i++)
        if (i != (int)kind && n[i])
            return -1000 - i;
    return r < 0 ? r : stops ? r : (int)n[kind];
}

static int has_no_audio(struct db_bytes key, struct db_bytes value, void *arg)
{
    *(int *)arg += memmem(value.data, value.n, "\"audio\":\"\"", 10) != NULL;
    return 0;
}

static int has_url(struct db_bytes key, struct db_bytes value, void *arg)
{
    *(int *)arg += memmem(value.data, value.n, "secret.example", 14) != NULL;
    return 0;
}

static int count(enum db_table table, db_each_fn *fn)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct db_bytes all = { "", 0 };
    int n = 0;

    if (db_read_begin(db, &txn) < 0 || db_each(txn, table, all, all, DB_UP, fn, &n) < 0)
        abort();
    return n;
}

int main(void)
{
    struct db_options options = { .path = scratch_file("store"), .map_mib = 64, .migrations = crm_migrations, .n_migrations = crm_n_migrations };
    struct day day = { .op = { .run = live } };
    char path[PATH_MAX];

    if (db_open(&options, &db) < 0)
        abort();
    for (; day.day < N_DAYS; day.day++)
        if (db_write(db, &day.op) < 0)
            abort();
    day.op.run = write_to;
    if (db_write(db, &day.op) < 0)
        abort();
    snprintf(path, sizeof(path), "%s/recordings/CA10", scratch());
    if (file_make_folder(path) < 0)
        abort();

    is_int(forget(RETAIN_AUDIO, 0, false, false), 0, "what has no age is kept");
    is_int(forget(RETAIN_AUDIO, 40, true, false), 59, "the sound of calls older than 40 days is counted, but of one that goes on");
    is_int(count(DB_TURNS, has_no_audio), 0, "and a dry run leaves it");
    is_int(forget(RETAIN_AUDIO, 40, false, true), 1, "it stops when it is told to");
    ok(n_stops == 1 && count(DB_TURNS, has_no_audio) == 16 * N_TURNS, "after a little: %d", count(DB_TURNS, has_no_audio));
    is_int(forget(RETAIN_AUDIO, 40, false, false), 59 - 16, "and goes on from there");
    is_int(count(DB_TURNS, has_no_audio), 59 * N_TURNS, "the turns have none");
    is_int(count_rows(db, DB_TURNS), N_DAYS * N_TURNS, "and stay");
    is_int(forget(RETAIN_AUDIO, 40, false, false), 0, "once");
    is_int(trash_empty(db, scratch(), NULL), 59, "the files go");
    ok(access(path, F_OK) != 0, "from the disk");
    is_int(forget(RETAIN_MEDIA, 50, false, false), 50, "files of messages older than 50 days");
    is_int(count(DB_MESSAGES, has_url), 50, "their messages do not know where they were");
    is_int(count_rows(db, DB_MESSAGES), N_DAYS + 1, "and stay");
    is_int(forget(RETAIN_MEDIA, 50, false, false), 0, "once");
    is_int(forget(RETAIN_MESSAGES, 60, false, false), 40, "messages older than 60 days, but one that is still to be sent");
    is_int(count_rows(db, DB_MESSAGES), N_DAYS - 40 + 1, "the others stay");
    is_int(count_rows(db, DB_MESSAGES_BY_CONTACT), N_DAYS - 40 + 1, "with their index");
    is_int(forget(RETAIN_CALLS, 70, false, false), 29, "calls older than 70 days, but one that goes on");
    is_int(count_rows(db, DB_CALLS), N_DAYS - 29, "the others stay");
    is_int(count_rows(db, DB_TURNS), (N_DAYS - 29) * N_TURNS, "with their turns");
    is_int(count_rows(db, DB_CONTACTS), N_DAYS, "contacts stay until they are to go");
    is_int(forget(RETAIN_CONTACTS, 71, true, false), 27, "those of whom nothing is left, and who did not change for 71 days");
    is_int(forget(RETAIN_CONTACTS, 71, false, false), 27, "go");
    is_int(count_rows(db, DB_CONTACTS), N_DAYS - 27, "and nobody else");
    is_int(count_rows(db, DB_ERASURES), 0, "without receipts");
    db_close(db);
    return done_testing();
}
