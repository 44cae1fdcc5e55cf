/*
 * owe.c - for a test of the daemon: writes into its store, while it is down, what it owes
 *
 * usage: owe STORE SID FROM free|kept TEXT...
 *
 * A call of that SID from that number, if it is not there, in which "Hello there." was said when the daemon died; and a
 * message for each text.
 */
#include <stdio.h>
#include <string.h>

#include "services/crm.h"
#include "services/crm_schema.h"
#include "utils/clock.h"

struct owing {
    struct db_op op; /* first */
    const char *sid, *from, *text;
    enum message_wording wording;
};

static int run(struct db_txn *txn, struct db_op *op)
{
    const struct owing *owing = (const struct owing *)op;
    scoped(call_done) struct call call = { .stream_token = "token", .started_ms = clock_real_ms() };
    struct turn turn = { .who = TURN_CALLER, .text = "Hello there.", .confidence = -1 };

    (void)snprintf(call.sid, sizeof(call.sid), "%s", owing->sid);
    (void)snprintf(call.from, sizeof(call.from), "%s", owing->from);
    int r = crm_call_open(txn, &call, "972");
    if (r == 0)
        r = crm_turn_add(txn, owing->sid, &turn);
    return r < 0 ? r : crm_call_message(txn, owing->sid, owing->text, owing->wording, clock_real_ms());
}

int main(int argc, char **argv)
{
    scoped(db_close) struct db *db = NULL;

    if (argc < 6 || db_open(&(struct db_options){ .path = argv[1], .migrations = crm_migrations, .n_migrations = crm_n_migrations }, &db) < 0)
        return 2;
    for (int i = 5; i < argc; i++) {
        struct owing owing = { .op = { .run = run, .what = "owing" }, .sid = argv[2], .from = argv[3], .text = argv[i],
                               .wording = strcmp(argv[4], "free") == 0 ? WORDING_FREE : WORDING_KEPT };
        int r = db_write(db, &owing.op);
        if (r < 0) {
            fprintf(stderr, "owe: %s\n", strerrordesc_np(-r));
            return 1;
        }
    }
    return 0;
}
