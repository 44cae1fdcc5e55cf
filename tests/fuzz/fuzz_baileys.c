/*
 * fuzz_baileys.c - what the linked device's program tells, down to the rows of the store
 *
 * A line is a batch as it comes, or an event of one. What cannot be understood is passed over: nothing stops the feed.
 */
#include <stdint.h>

#include "fuzz_store.h"
#include "services/crm_reply.h"
#include "services/whatsapp/baileys.h"

static const struct crm_reply_rules rules = { .when = REPLY_ON, .per_hour = 30 };

struct applying {
    struct db_op op; /* first */
    struct json_object *events;
    struct baileys_cursor cursor;
};

static int run_apply(struct db_txn *txn, struct db_op *op)
{
    struct applying *applying = (struct applying *)op;

    for (size_t i = 0; i < json_object_array_length(applying->events); i++)
        if (baileys_apply(txn, json_object_array_get_idx(applying->events, i), &rules) < 0)
            abort();
    return baileys_cursor_put(txn, &applying->cursor);
}

/* Whoever wrote what, when he can be named, it is there. */
static void check_message(struct json_object *event)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    scoped(message_release) struct message message = { 0 };
    const char *chat = json_get_text(event, "chat") ?: "", *wa_id = json_get_text(event, "wa_id") ?: "";
    char name[2 * ADDRESS_MAX];
    bool is_unread = strcmp(json_get_text(event, "type") ?: "", "undecryptable") == 0;
    int n = snprintf(name, sizeof(name), "%s %s%s", chat, wa_id, is_unread ? "?" : "");

    if (strcmp(json_get_text(event, "k") ?: "", "message") != 0 || !*chat || !*wa_id || n >= ADDRESS_MAX)
        return;
    if (db_read_begin(fuzz_db(), &txn) < 0 || crm_message_get(txn, name, &message) < 0)
        abort();
}

static void check_cursor(const struct baileys_cursor *want)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct baileys_cursor cursor;

    if (db_read_begin(fuzz_db(), &txn) < 0 || baileys_cursor_get(txn, &cursor) < 0)
        abort();
    if (cursor.seq != want->seq || strcmp(cursor.outbox, want->outbox) != 0)
        abort();
}

static void tell(const char *line, size_t n)
{
    scoped(json_object_put) struct json_object *json = NULL, *alone = NULL;
    struct applying applying = { .op = { .run = run_apply, .what = "events" } };

    if (json_parse(line, n, &json) < 0)
        return;
    applying.events = baileys_batch(json, &applying.cursor);
    if (!applying.events) {
        applying.events = alone = json_object_new_array();
        json_object_array_add(alone, json_object_get(json));
        applying.cursor = (struct baileys_cursor){ "one", n };
    }
    if (db_write(fuzz_db(), &applying.op) < 0)
        abort();
    check_cursor(&applying.cursor);
    for (size_t i = 0; i < json_object_array_length(applying.events); i++)
        check_message(json_object_array_get_idx(applying.events, i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_steps(data, n, tell);
    return 0;
}
