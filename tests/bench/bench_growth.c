/*
 * bench_growth.c - what the store costs as it grows, to a million calls and five million messages
 *
 *   make bench-growth [GROWTH_CALLS=1000000]
 *
 * Not part of `make bench`: the whole takes a quarter of an hour and some 15 GB of $TMPDIR or /tmp. The store begins small,
 * so the map grows while it is written to. At 1 %, 10 % and 100 % the same things are asked of it; a commit waits for
 * the disk, so its times are wall clock, and what matters is their ratio from one size to the next.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "bench.h"
#include "scratch.h"
#include "services/crm.h"
#include "services/crm_search.h"
#include "services/crm_timeline.h"
#include "utils/clock.h"
#include "utils/json.h"

enum {
    CALLS = 1000000,
    MESSAGES_PER_CALL = 5,
    CALLS_PER_PERSON = 5,
    GROUP = 1000,      /* calls written in one operation while it is filled */
    COMMITS = 300,     /* one after the other, each waited for */
    BURST = 256,       /* at once */
    READS = 200,
    TURN_MS = 20000,   /* between two calls */
};

static struct db *db;
static uint64_t n_messages; /* ever, for their ids */

static void must(int r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "bench_growth: %s: %s\n", what, strerror(-r));
    exit(1);
}

/* --- writing */

static void number_of(uint64_t call, char ret_number[ADDRESS_MAX])
{
    snprintf(ret_number, ADDRESS_MAX, "+9725%08llu", (unsigned long long)(call * 2654435761u % (CALLS / CALLS_PER_PERSON)));
}

static int add_message(struct db_txn *txn, uint64_t call, uint64_t n, uint64_t at_ms)
{
    scoped(message_release) struct message message = { .direction = MESSAGE_IN, .status = MESSAGE_RECEIVED, .created_ms = at_ms };

    number_of(call, message.address);
    snprintf(message.provider_id, sizeof(message.provider_id), "SM%032llu", (unsigned long long)n);
    message.body = strdup("I saw the flat in Herzl street; is it still to be had, and from when on?");
    return message.body ? crm_message_add(txn, &message, "972") : -ENOMEM;
}

static int add_call(struct db_txn *txn, uint64_t n, uint64_t at_ms)
{
    static const struct turn turn = { .who = TURN_CALLER, .text = "I am calling about the flat in Herzl street." };
    scoped(call_done) struct call call = { .started_ms = at_ms, .stream_token = "0123456789abcdef" };

    snprintf(call.sid, sizeof(call.sid), "CA%032llu", (unsigned long long)n);
    number_of(n, call.from);
    int r = crm_call_open(txn, &call, "972");
    if (r >= 0)
        r = crm_turn_add(txn, call.sid, &turn);
    return r < 0 ? r : crm_call_end(txn, call.sid, CALL_END_CALLER, at_ms + TURN_MS / 2);
}

struct filling {
    struct db_op op;
    uint64_t from, n_messages;
};

static int fill(struct db_txn *txn, struct db_op *op)
{
    struct filling *filling = (struct filling *)op;
    uint64_t n = filling->n_messages;
    int r = 0;

    for (uint64_t call = filling->from; r >= 0 && call < filling->from + GROUP; call++) {
        uint64_t at_ms = 1700000000000 + call * TURN_MS;
        r = add_call(txn, call, at_ms);
        for (int i = 0; r >= 0 && i < MESSAGES_PER_CALL; i++)
            r = add_message(txn, call, n++, at_ms + (uint64_t)i);
    }
    return r < 0 ? r : 0;
}

static void fill_to(uint64_t from, uint64_t to)
{
    for (uint64_t call = from; call < to; call += GROUP) {
        struct filling filling = { { .run = fill, .what = "bench" }, call, n_messages };
        must(db_write(db, &filling.op), "filling");
        n_messages += GROUP * MESSAGES_PER_CALL;
        fprintf(stderr, "\r%llu calls", (unsigned long long)(call + GROUP));
    }
    fprintf(stderr, "\n");
}

/* --- commits */

struct webhook {
    struct db_op op;
    uint64_t n;
};

static int run_webhook(struct db_txn *txn, struct db_op *op)
{
    uint64_t n = ((struct webhook *)op)->n;

    return add_message(txn, n / MESSAGES_PER_CALL, n, 1900000000000 + n);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void commits(const char *size, const char *when)
{
    static double us[COMMITS];
    char what[96];

    for (int i = 0; i < COMMITS; i++) {
        struct webhook webhook = { { .run = run_webhook, .what = "bench" }, n_messages++ };
        uint64_t began_us = clock_mono_us();
        must(db_write(db, &webhook.op), "a webhook");
        us[i] = (double)(clock_mono_us() - began_us);
    }
    qsort(us, COMMITS, sizeof(us[0]), compare);
    snprintf(what, sizeof(what), "%s: a webhook's commit%s", size, when);
    bench_row(what, us[COMMITS / 2], "us", "median, wall clock");
    snprintf(what, sizeof(what), "%s: the same, 99th percentile", size);
    bench_row(what, us[COMMITS * 99 / 100], "us", "wall clock");
}

static _Atomic int n_left;

static void webhook_done(struct db_op *op, int r)
{
    must(r, "a webhook of a burst");
    atomic_fetch_sub(&n_left, 1);
}

static void burst(const char *size)
{
    static struct webhook webhooks[BURST];
    double began_ns = bench_cpu_ns();
    char what[96];

    n_left = BURST;
    for (int i = 0; i < BURST; i++) {
        webhooks[i] = (struct webhook){ { .run = run_webhook, .done = webhook_done, .what = "bench" }, n_messages++ };
        must(db_submit(db, &webhooks[i].op), "a burst");
    }
    while (n_left)
        (void)usleep(200);
    snprintf(what, sizeof(what), "%s: a webhook of %d at once", size, BURST);
    bench_row(what, (bench_cpu_ns() - began_ns) / BURST / 1000, "us", "CPU");
}

/* --- reads */

static void read_calls(struct db_txn *txn)
{
    struct json_object *array = NULL;

    must(crm_calls_page(txn, 20, &array), "calls");
    json_object_put(array);
}

static void read_conversations(struct db_txn *txn)
{
    struct json_object *object = NULL;

    must(crm_conversations_page(txn, "", 20, &object), "conversations");
    json_object_put(object);
}

static char someone[CONTACT_ID_MAX];

static void read_timeline(struct db_txn *txn)
{
    struct json_object *array = NULL;
    char cursor[TIMELINE_CURSOR_MAX];

    must(crm_timeline_page(txn, someone, "", "", 20, &array, cursor), "a timeline");
    json_object_put(array);
}

static void read_search(struct db_txn *txn)
{
    struct json_object *array = NULL;
    char cursor[CONTACT_ID_MAX];
    bool is_cut;

    must(crm_contacts_search(txn, "00012", "972", "", 20, &array, cursor, &is_cut), "a search");
    json_object_put(array);
}

static void read_list(struct db_txn *txn)
{
    struct json_object *array = NULL;
    char cursor[CONTACT_ID_MAX];

    must(crm_contacts_list(txn, &(struct contact_filter){ -1, NULL }, "", 20, &array, cursor), "contacts");
    json_object_put(array);
}

static void look(void (*fn)(struct db_txn *txn))
{
    scoped(db_read_end) struct db_txn *txn = NULL;

    must(db_read_begin(db, &txn), "a snapshot");
    fn(txn);
}

static void choose_someone(void)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    scoped(call_done) struct call call = { 0 };
    char sid[SID_MAX];

    snprintf(sid, sizeof(sid), "CA%032d", 7);
    must(db_read_begin(db, &txn), "a snapshot");
    must(crm_call_get(txn, sid, &call), "a call");
    memcpy(someone, call.contact_id, sizeof(someone));
}

static void reads(const char *size)
{
    static const struct {
        const char *what;
        void (*fn)(struct db_txn *txn);
    } rows[] = {
        { "a page of calls", read_calls },       { "a page of conversations", read_conversations },
        { "a page of a timeline", read_timeline }, { "find part of a number", read_search },
        { "a page of contacts", read_list },
    };
    char what[96];

    choose_someone();
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        snprintf(what, sizeof(what), "%s: %s", size, rows[i].what);
        bench_row(what, BENCH_NS(READS, look(rows[i].fn)) / 1000, "us", "20 rows, CPU");
    }
}

/* --- a compacting copy beside it */

static _Atomic bool is_copied;

static void *copy(void *arg)
{
    int fd = open(scratch_file("copy"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    must(fd < 0 ? -errno : db_copy(db, fd), "copying");
    (void)close(fd);
    is_copied = true;
    return NULL;
}

static void copying(const char *size)
{
    uint64_t began_ms = clock_mono_ms();
    pthread_t thread;
    char what[96];

    must(-pthread_create(&thread, NULL, copy, NULL), "a thread");
    commits(size, " while it is copied");
    if (is_copied)
        fprintf(stderr, "%s: the copy was over before the commits were\n", size);
    pthread_join(thread, NULL);
    snprintf(what, sizeof(what), "%s: a compacting copy", size);
    bench_row(what, (double)(clock_mono_ms() - began_ms) / 1000, "s", "wall clock, with the commits beside it");
    (void)unlink(scratch_file("copy"));
}

int main(void)
{
    uint64_t n_calls = strtoull(getenv("GROWTH_CALLS") ?: "1000000", NULL, 10);
    struct db_options options = { .path = scratch_file("store"), .map_mib = 64 };
    struct db_stats stats;
    char what[96];

    must(db_open(&options, &db), "opening");
    for (uint64_t percent = 1, from = 0; percent <= 100; percent *= 10) {
        uint64_t to = n_calls * percent / 100 / GROUP * GROUP;
        char size[32];
        fill_to(from, to);
        from = to;
        snprintf(size, sizeof(size), "%llu,000 calls", (unsigned long long)to / 1000);
        commits(size, "");
        burst(size);
        reads(size);
        copying(size);
        db_stats(db, &stats);
        snprintf(what, sizeof(what), "%s: the store", size);
        bench_row(what, (double)stats.used_bytes / MIB, "MiB", "");
        snprintf(what, sizeof(what), "%s: the map has grown", size);
        bench_row(what, (double)stats.n_grown, "times", "while it was written to");
    }
    db_close(db);
    return 0;
}
