/*
 * test_crm_events.c - the change feed: pages of it, and what is told when more happened than it keeps
 */
#include "services/crm_events.h"

#include <errno.h>
#include <string.h>

#include <json-c/json.h>

#include "scratch.h"
#include "services/crm_contacts.h"
#include "services/crm_tasks.h"
#include "tap.h"
#include "utils/json.h"

enum { NOW = 1000, FILL = 5000 };

static struct db *db;
static char contact_id[CONTACT_ID_MAX], note_id[CONTACT_ID_MAX];

static int run_life(struct db_txn *txn, struct db_op *op)
{
    struct note note = { .text = strdup("Gate 4") };
    int r = crm_contact_make(txn, "+972501234567", "972", &(struct contact_edit){ .name = "Dana", .stage = -1 }, NOW, contact_id);

    strcpy(note.contact_id, contact_id);
    if (r == 0)
        r = crm_note_add(txn, &note, NOW + 1);
    strcpy(note_id, note.id);
    note_done(&note);
    if (r == 0)
        r = crm_note_edit(txn, note_id, "Gate 5", NOW + 2);
    return r;
}

static int run_delete(struct db_txn *txn, struct db_op *op)
{
    return crm_note_delete(txn, note_id, NOW + 3);
}

static int run_fill(struct db_txn *txn, struct db_op *op)
{
    int r = 0;

    for (int i = 0; r == 0 && i < FILL; i++)
        r = db_event(txn, "{\"kind\":\"call.turn\",\"at_ms\":5,\"call\":\"CA1\"}");
    return r;
}

static struct json_object *page(uint64_t after, const char *kinds, size_t max)
{
    struct json_object *json = NULL;
    struct db_txn *txn;

    if (db_read_begin(db, &txn) == 0) {
        (void)crm_events_page(txn, after, kinds, max, &json);
        db_read_end(txn);
    }
    return json;
}

/* "kind kind ..., next" */
static const char *told(struct json_object *json)
{
    static char text[1024];
    struct json_object *events = json_object_object_get(json, "events");
    size_t n = 0;

    for (size_t i = 0; i < json_object_array_length(events); i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s ", json_get_text(json_object_array_get_idx(events, i), "kind"));
    snprintf(text + n, sizeof(text) - n, "then %lld, missed %lld", (long long)json_get_int(json, "next"),
             (long long)json_get_int(json, "missed"));
    return text;
}

static void is_page(uint64_t after, const char *kinds, size_t max, const char *want, const char *what)
{
    scoped(json_object_put) struct json_object *json = page(after, kinds, max);

    is_str(json ? told(json) : NULL, want, what);
}

static struct json_object *data_of(struct json_object *json, size_t i)
{
    return json_object_object_get(json_object_array_get_idx(json_object_object_get(json, "events"), i), "data");
}

static void test_pages(void)
{
    struct db_op life = { .run = run_life, .what = "life" }, gone = { .run = run_delete, .what = "delete" };

    is_page(0, NULL, 10, "then 0, missed 0", "nothing has happened");
    is_int(db_write(db, &life), 0, "something happens");
    is_page(0, NULL, 10, "contact.new contact.changed note.new note.changed then 4, missed 0", "all of it is told in order");
    is_page(0, NULL, 2, "contact.new contact.changed then 2, missed 0", "as much as is asked for");
    is_page(2, NULL, 2, "note.new note.changed then 4, missed 0", "and the rest");
    is_page(4, NULL, 2, "then 4, missed 0", "and no more");
    is_page(0, "note.*", 10, "note.new note.changed then 4, missed 0", "some kinds of it");
    is_page(0, "contact.new", 10, "contact.new then 4, missed 0", "what is of none of them is passed, too");

    scoped(json_object_put) struct json_object *json = page(2, NULL, 10);
    is_str(json_get_text(data_of(json, 0), "text"), "Gate 5", "a thing is shown as it is now");
    is_int(db_write(db, &gone), 0, "it is taken away");
    scoped(json_object_put) struct json_object *after = page(2, NULL, 10);
    ok(told(after) && !data_of(after, 0) && !data_of(after, 2), "and is null since");
}

static void test_passed_by(void)
{
    struct db_op fill = { .run = run_fill, .what = "fill" };
    int r = 0;

    for (int i = 0; r == 0 && i < DB_EVENTS_KEPT / FILL; i++)
        r = db_write(db, &fill);
    is_int(r, 0, "as much happens as the feed keeps");
    is_page(2, NULL, 1, "call.turn then 6, missed 3", "whoever comes late is told how many he missed");
    is_page(5, NULL, 1, "call.turn then 6, missed 0", "and who comes in time that there are none");
    is_page(0, "note.*", 1, "then 5005, missed 0", "a search is given up, and goes on from there");
}

int main(void)
{
    struct db_options options = { .path = scratch_file("events") };

    if (!ok(db_open(&options, &db) == 0, "a store"))
        return done_testing();
    test_pages();
    test_passed_by();
    db_close(db);
    return done_testing();
}
