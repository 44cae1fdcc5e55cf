/*
 * pass.c - for a test of the daemon: so much happens, while it is down, that its feed has no room for what was there
 *
 * usage: pass STORE KIND
 *
 * As many events of that kind as the feed keeps. The number of the last one is printed.
 */
#include <stdio.h>
#include <string.h>

#include "services/crm_events.h"
#include "services/crm_schema.h"

enum { AT_ONCE = 5000 };

struct passing {
    struct db_op op; /* first */
    char event[128];
    uint64_t first, last;
};

static int run(struct db_txn *txn, struct db_op *op)
{
    struct passing *passing = (struct passing *)op;
    int r = 0;

    for (int i = 0; i < AT_ONCE && r == 0; i++)
        r = db_event(txn, passing->event);
    return r < 0 ? r : crm_events_range(txn, &passing->first, &passing->last);
}

int main(int argc, char **argv)
{
    scoped(db_close) struct db *db = NULL;
    struct passing passing = { .op = { .run = run, .what = "passing" } };

    if (argc != 3 || db_open(&(struct db_options){ .path = argv[1], .migrations = crm_migrations, .n_migrations = crm_n_migrations }, &db) < 0)
        return 2;
    (void)snprintf(passing.event, sizeof(passing.event), "{\"kind\":\"%.32s\",\"at_ms\":1}", argv[2]);
    for (int i = 0; i < DB_EVENTS_KEPT / AT_ONCE; i++) {
        int r = db_write(db, &passing.op);
        if (r < 0) {
            fprintf(stderr, "pass: %s\n", strerrordesc_np(-r));
            return 1;
        }
    }
    printf("%llu\n", (unsigned long long)passing.last);
    return 0;
}
