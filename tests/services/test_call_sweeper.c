/*
 * test_call_sweeper.c - calls that nobody closes any more, over hours that do not pass
 */
#include "services/call_sweeper.h"

#include <errno.h>

#include "gate.h"
#include "scratch.h"
#include "services/crm.h"
#include "tap.h"
#include "utils/log.h"

enum { START = 1000000, MINUTE = 60 * 1000 };

static struct db *db;
static uint64_t now_ms;

static uint64_t real_ms(void)
{
    return START + now_ms;
}

static bool is_live(void *user, const char *sid)
{
    return strcmp(sid, user) == 0;
}

static int open_call(struct db_txn *txn, const char *sid)
{
    scoped(call_done) struct call call = { .from = "+972501234567", .stream_token = "token", .started_ms = START };

    strcpy(call.sid, sid);
    return crm_call_open(txn, &call, "972");
}

static int run_fill(struct db_txn *txn, struct db_op *op)
{
    static const char *const sids[] = { "CAlost", "CAlive", "CAdialled", "CAtalked", "CAstreamed", "CAover" };
    enum call_after dial = CALL_AFTER_DIAL, again = CALL_AFTER_DIAL;
    int r = 0;

    for (size_t i = 0; i < ELEMENTSOF(sids); i++)
        r = r ?: open_call(txn, sids[i]);
    r = r ?: crm_call_after(txn, "CAdialled", &dial, false, START);
    r = r ?: crm_call_after(txn, "CAtalked", &again, false, START);
    r = r ?: crm_call_dial(txn, "CAtalked", NULL, START);
    r = r ?: crm_call_stream(txn, "CAstreamed", "MZ1", START + 5 * MINUTE);
    return r ?: crm_call_status(txn, "CAover", CALL_BUSY, -1, NULL, START);
}

/* As a letter: o open, L lost, c closed in another way. */
static char state_of(const char *sid)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    scoped(call_done) struct call call = { 0 };

    if (db_read_begin(db, &txn) < 0 || crm_call_get(txn, sid, &call) < 0)
        return '?';
    return !call_status_is_final(call.status) ? 'o' : call.status == CALL_LOST && call.end == CALL_END_LOST ? 'L' : 'c';
}

/* lost, live, dialled, talked, streamed, over */
static const struct {
    unsigned minute;
    const char *want, *what;
} rows[] = {
    { 0, "oooooc", "at first all are open but the one that is over" },
    { 9, "oooooc", "for some minutes" },
    { 10, "LooLoc", "then one whose stream never came is lost, and one whose human has hung up" },
    { 14, "LooLoc", "a stream that nobody has any more" },
    { 15, "LooLLc", "is lost so long after it began" },
    { 240, "LooLLc", "a human may talk for hours" },
    { 249, "LooLLc", "and the callback may be late" },
    { 250, "LoLLLc", "but not for ever" },
    { 10000, "LoLLLc", "what is live stays" },
};

static void sweep(struct call_sweeper *sweeper, uint64_t at_ms)
{
    now_ms = at_ms;
    call_sweeper_tick(sweeper, at_ms);
    gate_settle(db);
}

static uint64_t n_ops(void)
{
    struct db_stats stats;

    db_stats(db, &stats);
    return stats.n_ops;
}

static void test_pace(struct call_sweeper *sweeper, uint64_t at_ms)
{
    struct gate gate;
    uint64_t before;

    gate_shut(db, &gate);
    call_sweeper_tick(sweeper, at_ms);
    call_sweeper_tick(sweeper, at_ms + SWEEP_EVERY_MS);
    call_sweeper_tick(sweeper, at_ms + 2 * SWEEP_EVERY_MS);
    before = n_ops();
    gate_open(&gate);
    gate_settle(db);
    ok(n_ops() - before <= 3, "while the store is slow it is asked once"); /* the gate, the sweep, the settling */
    before = n_ops();
    call_sweeper_tick(sweeper, at_ms + 3 * SWEEP_EVERY_MS);
    call_sweeper_tick(sweeper, at_ms + 4 * SWEEP_EVERY_MS - 1);
    gate_settle(db);
    ok(n_ops() - before <= 2, "and never more than once a minute");
}

int main(void)
{
    static const char *const sids[] = { "CAlost", "CAlive", "CAdialled", "CAtalked", "CAstreamed", "CAover" };
    struct db_options options = { .path = scratch_file("store"), .map_mib = 16 };
    scoped(call_sweeper_free) struct call_sweeper *sweeper = NULL;
    struct call_sweeper_options sweeping = { .is_live = is_live, .user = (void *)"CAlive", .real_ms = real_ms };
    struct db_op fill = { .run = run_fill, .what = "filling" };

    log_setup(LOG_CRIT, NULL);
    if (db_open(&options, &db) < 0 || db_write(db, &fill) < 0) {
        puts("Bail out! no store");
        return 1;
    }
    sweeping.db = db;
    if (call_sweeper_new(&sweeping, &sweeper) < 0)
        return 1;
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        char got[ELEMENTSOF(sids) + 1] = "";

        sweep(sweeper, (uint64_t)rows[i].minute * MINUTE);
        for (size_t k = 0; k < ELEMENTSOF(sids); k++)
            got[k] = state_of(sids[k]);
        is_str(got, rows[i].want, rows[i].what);
    }
    test_pace(sweeper, 20000ull * MINUTE);
    db_close(db);
    return done_testing();
}
