/*
 * test_outgoing.c - to whom a message may be written, and when
 */
#include "services/crm.h"

#include <errno.h>
#include <string.h>

#include "count_rows.h"
#include "scratch.h"
#include "tap.h"

static struct db *db;

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE, NOW = 100 * HOUR };

enum verb { IN, SMS, MERGE, WRITE, TEMPLATE, FREELY };

static const struct row {
    enum verb verb;
    const char *to;
    uint64_t at_ms;
    int want;
    const char *what;
} rows[] = {
    { WRITE, "+972501111111", NOW, -ETIME, "nobody has written: no free words" },
    { FREELY, "+972501111111", NOW, 0, "unless the provider knows no window" },
    { TEMPLATE, "+972502222222", NOW, 0, "a template goes to anybody" },
    { WRITE, "+972502222222", NOW, -ETIME, "which opens nothing" },
    { IN, "whatsapp:+972501111111", NOW, 0, "one writes" },
    { WRITE, "+972501111111", NOW, 0, "and is answered" },
    { WRITE, "050-111 1111", NOW + 24 * HOUR - 5 * MINUTE, 0, "until a day is over, less five minutes" },
    { WRITE, "+972501111111", NOW + 24 * HOUR - 5 * MINUTE + 1, -ETIME, "and no longer" },
    { TEMPLATE, "+972501111111", NOW + 48 * HOUR, 0, "then by a template" },
    { SMS, "+972503333333", NOW, 0, "an SMS" },
    { WRITE, "+972503333333", NOW, -ETIME, "opens nothing" },
    { MERGE, "+972503333333", NOW, 0, "he turns out to be the one who wrote" },
    { WRITE, "+972503333333", NOW, 0, "so he is answered there, too" },
    { IN, "whatsapp:972.12345", NOW, 0, "one whose number is hidden" },
    { WRITE, "C00", NOW, -ENOENT, "no such contact" },
    { WRITE, "withheld", NOW, -ENOENT, "no number" },
    { TEMPLATE, "", NOW, -ENOENT, "nothing" },
};

struct row_op {
    struct db_op op; /* first */
    const struct row *row;
};

static int take_in(struct db_txn *txn, const struct row *row)
{
    static unsigned n;
    scoped(message_release) struct message message = {
        .direction = MESSAGE_IN, .channel = row->verb == IN ? MESSAGE_WHATSAPP : MESSAGE_SMS, .status = MESSAGE_RECEIVED, .created_ms = row->at_ms
    };

    (void)snprintf(message.provider_id, sizeof(message.provider_id), "SM%u", ++n);
    strcpy(message.address, row->to);
    return crm_message_add(txn, &message, "972");
}

static int merge(struct db_txn *txn, const struct row *row)
{
    char into[CONTACT_ID_MAX], from[CONTACT_ID_MAX];
    int r = crm_contact_id_of(txn, "+972501111111", into);

    if (r == 0)
        r = crm_contact_id_of(txn, row->to, from);
    return r < 0 ? r : crm_contact_merge(txn, into, from, "test", row->at_ms);
}

static int run_row(struct db_txn *txn, struct db_op *op)
{
    const struct row *row = ((struct row_op *)op)->row;
    const struct crm_letter letter = { .to = row->to, .country = "972", .has_window = row->verb != FREELY };
    scoped(message_release) struct message message = { .created_ms = row->at_ms };

    if (row->verb <= SMS)
        return take_in(txn, row);
    if (row->verb == MERGE)
        return merge(txn, row);
    if (row->verb == TEMPLATE)
        strcpy(message.content_sid, "HX1");
    message.body = strdup("x");
    return crm_message_write(txn, &letter, &message);
}

int main(void)
{
    struct db_options options = { .path = scratch(), .map_mib = 8 };

    if (db_open(&options, &db) < 0)
        return 1;
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct row_op op = { .op = { .run = run_row, .what = "a row" }, .row = &rows[i] };
        is_int(db_write(db, &op.op), rows[i].want, rows[i].what);
    }
    is_int(count_rows(db, DB_JOBS), 6, "each that was taken has its job");
    db_close(db);
    return done_testing();
}
