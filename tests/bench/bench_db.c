/*
 * bench_db.c - what the store costs: durable webhooks per second, a read, a call kept
 *
 * Commits wait for the disk, so those rows are wall clock and say more of the
 * disk (that of $TMPDIR or /tmp) than of us; the ratio between them is ours.
 */
#include "db.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

#include "bench.h"
#include "scratch.h"
#include "services/crm.h"
#include "utils/clock.h"
#include "utils/json.h"

enum { IN_FLIGHT_MAX = 512, MEASURE_MS = 1500, READS = 200000, CRM_OPS = 2000 };

struct webhook {
    struct db_op op;
    uint64_t n;
};

static struct db *db;
static struct webhook webhooks[IN_FLIGHT_MAX];
static _Atomic uint64_t n_answered, next_n;
static _Atomic int n_left;
static atomic_bool stop;
static sem_t all_home;

/* As large as a call is when its webhook came. */
static char call_text[1200];

static int run_webhook(struct db_txn *txn, struct db_op *op)
{
    char sid[40];
    int n = snprintf(sid, sizeof(sid), "CA%032llx", (unsigned long long)((struct webhook *)op)->n);
    struct db_bytes key = { sid, (size_t)n };
    int r = db_put(txn, DB_CALLS, key, (struct db_bytes){ call_text, sizeof(call_text) });

    return r < 0 ? r : db_put(txn, DB_SEEN, key, (struct db_bytes){ "", 0 });
}

static void webhook_done(struct db_op *op, int r)
{
    atomic_fetch_add(&n_answered, 1);
    if (atomic_load(&stop)) {
        if (atomic_fetch_sub(&n_left, 1) == 1)
            sem_post(&all_home);
        return;
    }
    ((struct webhook *)op)->n = atomic_fetch_add(&next_n, 1);
    (void)db_submit(db, op);
}

static void bench_webhooks(int n_waiting)
{
    struct timespec wait = { MEASURE_MS / 1000, MEASURE_MS % 1000 * 1000000L };
    struct db_stats before, after;
    uint64_t began_us, n;
    char what[64], remark[96];

    atomic_store(&stop, false);
    atomic_store(&n_left, n_waiting);
    atomic_store(&n_answered, 0);
    db_stats(db, &before);
    began_us = clock_mono_us();
    for (int i = 0; i < n_waiting; i++) {
        webhooks[i] = (struct webhook){ .op = { .run = run_webhook, .done = webhook_done },
                                        .n = atomic_fetch_add(&next_n, 1) };
        (void)db_submit(db, &webhooks[i].op);
    }
    nanosleep(&wait, NULL);
    atomic_store(&stop, true);
    while (sem_wait(&all_home) < 0)
        ;
    n = atomic_load(&n_answered);
    db_stats(db, &after);

    snprintf(what, sizeof(what), "durable webhooks, %d waiting", n_waiting);
    snprintf(remark, sizeof(remark), "wall clock, bound by the disk's sync; %.3g in a commit",
             (double)n / (double)(after.n_commits - before.n_commits));
    bench_row(what, (double)n * 1e6 / (double)(clock_mono_us() - began_us), "/s", remark);
}

static void read_one(void)
{
    struct db_bytes key = { "CA00000000000000000000000000000000", 34 }, value;
    struct db_txn *txn;

    if (db_read_begin(db, &txn) < 0 || db_get(txn, DB_CALLS, key, &value) < 0)
        abort();
    BENCH_KEEP(value.data);
    db_read_end(txn);
}

/* --- the CRM inside its transaction: no sync in the figure */

struct many {
    struct db_op op;
    double open_ns, status_ns, turn_ns;
};

#define FROM "\"From\":\"+972501234567\",\"To\":\"+97231234567\",\"AccountSid\":\"AC00000000000000000000000000000000\""

static struct json_object *params(const char *text)
{
    struct json_object *json = NULL;

    if (json_parse(text, strlen(text), &json) < 0)
        abort();
    return json;
}

static int run_many(struct db_txn *txn, struct db_op *op)
{
    struct many *many = (struct many *)op;
    scoped(json_object_put) struct json_object *status =
        params("{" FROM ",\"CallStatus\":\"completed\",\"SequenceNumber\":\"3\",\"CallDuration\":\"7\"}");
    struct turn turn = { .who = TURN_CALLER, .text = "I need a lawyer for my shop", .start_ms = 1, .end_ms = 2 };
    double began;
    int r = 0;

    began = bench_cpu_ns();
    for (int i = 0; i < CRM_OPS && r == 0; i++) {
        struct call call = { .from = "+972501234567", .to = "+97231234567", .stream_token = "t", .started_ms = 1,
                             .params = params("{" FROM ",\"CallStatus\":\"ringing\",\"Direction\":\"inbound\"}") };
        snprintf(call.sid, sizeof(call.sid), "CB%032d", i);
        snprintf(call.from, sizeof(call.from), "+97250%07d", i);
        r = crm_call_open(txn, &call, "972");
        call_done(&call);
    }
    many->open_ns = (bench_cpu_ns() - began) / CRM_OPS;

    began = bench_cpu_ns();
    for (int i = 0; i < CRM_OPS && r == 0; i++) {
        char sid[SID_MAX];
        snprintf(sid, sizeof(sid), "CB%032d", i);
        r = crm_call_status(txn, sid, CALL_COMPLETED, 3, status, 5);
    }
    many->status_ns = (bench_cpu_ns() - began) / CRM_OPS;

    began = bench_cpu_ns();
    for (int i = 0; i < CRM_OPS && r == 0; i++) {
        char sid[SID_MAX];
        snprintf(sid, sizeof(sid), "CB%032d", i);
        r = crm_turn_add(txn, sid, &turn);
    }
    many->turn_ns = (bench_cpu_ns() - began) / CRM_OPS;
    return r;
}

static void bench_crm(void)
{
    struct many many = { .op.run = run_many };

    if (db_write(db, &many.op) < 0)
        abort();
    bench_row("crm: open a call, new contact", many.open_ns / 1000, "us", "CPU on the writer thread, without commit");
    bench_row("crm: a status callback", many.status_ns / 1000, "us", "CPU on the writer thread, without commit");
    bench_row("crm: a turn", many.turn_ns / 1000, "us", "CPU on the writer thread, without commit");
}

int main(void)
{
    static const int waiting[] = { 1, 64, 512 };
    struct db_options options = { .path = scratch_file("store"), .map_mib = 1024 };

    memset(call_text, 'x', sizeof(call_text));
    sem_init(&all_home, 0, 0);
    if (db_open(&options, &db) < 0)
        return 1;
    for (size_t i = 0; i < ELEMENTSOF(waiting); i++)
        bench_webhooks(waiting[i]);
    bench_row("store: begin, get, end a read", BENCH_NS(READS, read_one()), "ns", "CPU, any thread, no allocation");
    bench_crm();
    db_close(db);
    return 0;
}
