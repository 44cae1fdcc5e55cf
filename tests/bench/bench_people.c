/*
 * bench_people.c - 100,000 contacts: what it takes to keep them findable, and to find them
 */
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "bench.h"
#include "scratch.h"
#include "services/crm_contacts.h"
#include "services/crm_erase.h"
#include "services/crm_export.h"
#include "services/crm_import.h"
#include "services/crm_retention.h"
#include "services/crm_search.h"
#include "services/crm_tasks.h"
#include "services/crm_timeline.h"
#include "utils/json.h"

enum { N_CONTACTS = 100000, GROUP = 500, N_ITEMS = 10000, FINDS = 200, IMPORT_ROWS = 1000 };

static struct db *db;
static char latest[2][CONTACT_ID_MAX];

struct filling {
    struct db_op op;
    int from;
};

static int fill(struct db_txn *txn, struct db_op *op)
{
    static const char *const firsts[] = { "Dana", "Gil", "Noa", "Avi", "\u05e9\u05dc\u05d5\u05dd", "\u05e8\u05d5\u05ea", "Ren\u00e9e", "Moshe" };
    int from = ((struct filling *)op)->from, r = 0;

    for (int i = from; i < from + GROUP && r >= 0; i++) {
        char name[CONTACT_NAME_MAX], number[ADDRESS_MAX];
        scoped(json_object_put) struct json_object *fields = json_object_new_object();
        struct contact_edit edit = { .name = name, .stage = i % 5, .fields = fields };

        snprintf(name, sizeof(name), "%s Family%d", firsts[i % 8], i % 20000);
        snprintf(number, sizeof(number), "+9725%08d", i);
        (void)json_add(fields, "need", json_object_new_string("a boiler in the kitchen"));
        r = crm_contact_make(txn, number, "972", &edit, 1000000 + (uint64_t)i, latest[i % 2]);
    }
    return r < 0 ? r : 0;
}

static int add_notes(struct db_txn *txn, struct db_op *op)
{
    int r = 0;

    for (int i = 0; i < N_ITEMS && r >= 0; i++) {
        scoped(note_done) struct note note = { .text = strdup("called back") };
        strcpy(note.contact_id, latest[1]);
        r = crm_note_add(txn, &note, 2000000 + (uint64_t)i);
    }
    return r;
}

static int merge(struct db_txn *txn, struct db_op *op)
{
    return crm_contact_merge(txn, latest[0], latest[1], "bench", 3000000);
}

static int part(struct db_txn *txn, struct db_op *op)
{
    return crm_contact_unmerge(txn, latest[1], 3000001);
}

static void find(const char *text)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct json_object *array = NULL;
    char cursor[CONTACT_ID_MAX];
    bool is_cut;

    if (db_read_begin(db, &txn) < 0 || crm_contacts_search(txn, text, "972", "", 20, &array, cursor, &is_cut) < 0)
        abort();
    json_object_put(array);
}

static void list(int stage)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct json_object *array = NULL;
    char cursor[CONTACT_ID_MAX];

    if (db_read_begin(db, &txn) < 0 || crm_contacts_list(txn, &(struct contact_filter){ stage, NULL }, "", 20, &array, cursor) < 0)
        abort();
    json_object_put(array);
}

static void timeline(void)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct json_object *array = NULL;
    char cursor[TIMELINE_CURSOR_MAX];

    if (db_read_begin(db, &txn) < 0 || crm_timeline_page(txn, latest[0], "", "", 20, &array, cursor) < 0)
        abort();
    json_object_put(array);
}

static double timed(int (*run)(struct db_txn *txn, struct db_op *op))
{
    struct db_op op = { .run = run, .what = "bench" };
    double began = bench_cpu_ns();

    if (db_write(db, &op) < 0)
        abort();
    return bench_cpu_ns() - began;
}

static int count_line(enum export_kind kind, struct json_object *line, void *arg)
{
    size_t n;

    (void)json_print(line, &n);
    ((size_t *)arg)[0]++;
    ((size_t *)arg)[1] += n;
    return 0;
}

static void export_all(void)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct export_filter filter = { 0 };
    size_t n[2] = { 0, 0 };
    double began = bench_cpu_ns();

    if (db_read_begin(db, &txn) < 0 || crm_export_all(txn, &filter, count_line, n) < 0)
        abort();
    double took = bench_cpu_ns() - began;
    bench_row("crm: export 100,000 contacts", took / 1e9, "s", "CPU, JSON lines; how long the snapshot is held");
    bench_row("crm: export a line", took / (double)n[0] / 1000, "us", "of contacts and notes");
}

static int import_rows(struct db_txn *txn, struct db_op *op)
{
    scoped(json_object_put) struct json_object *line = NULL;
    struct import_result result;
    char text[160];
    int r = 0;

    for (int i = 0; r == 0 && i < IMPORT_ROWS; i++) {
        int n = snprintf(text, sizeof(text), "{\"format\":1,\"kind\":\"person\",\"data\":{\"name\":\"Dana %d\",\"phones\":[\"+9725%08d\"],\"tags\":[\"new\"]}}", i,
                         i * 7);
        json_object_put(steal(&line));
        if (json_parse(text, (size_t)n, &line) < 0)
            abort();
        r = crm_import(txn, line, "972", 4000000, &result);
    }
    return r;
}

static void import_again(void)
{
    bench_row("crm: import a line among 100,000", timed(import_rows) / IMPORT_ROWS / 1000, "us", "CPU; somebody who is there gets a name and a tag");
}

static void look_for_old_ones(void)
{
    struct crm_retention retention = { .now_ms = 4000000, .is_dry = true };
    uint64_t n[RETAIN_N_KINDS];
    double began = bench_cpu_ns();

    for (int i = 0; i < RETAIN_N_KINDS; i++)
        retention.days[i] = 1;
    if (crm_retention_run(db, &retention, n) < 0)
        abort();
    bench_row("crm: look for what is old, 100,000 contacts", (bench_cpu_ns() - began) / 1e6, "ms", "CPU, by reading, each hour");
}

struct erasing {
    struct db_op op; /* first */
    char receipt[CONTACT_ID_MAX];
};

static int begin_erasing(struct db_txn *txn, struct db_op *op)
{
    char key[ERASURE_KEY_TEXT];

    erasure_make_key(key);
    return crm_erase_begin(txn, &(struct crm_erase){ latest[1], "bench", key, 4000000 }, ((struct erasing *)op)->receipt);
}

static int go_on_erasing(struct db_txn *txn, struct db_op *op)
{
    return crm_erase_step(txn, ((struct erasing *)op)->receipt, 4000000);
}

static void erase_one(void)
{
    struct erasing erasing = { .op = { .run = begin_erasing, .what = "bench" } };
    double began = bench_cpu_ns(), from, longest = 0;
    int r = db_write(db, &erasing.op);

    bench_row("crm: begin to erase one of 100,000", (bench_cpu_ns() - began) / 1e6, "ms", "CPU on the writer thread with the commit");
    do {
        from = bench_cpu_ns();
        erasing.op = (struct db_op){ .run = go_on_erasing, .what = "bench" };
        r = r < 0 ? r : db_write(db, &erasing.op);
        longest = bench_cpu_ns() - from > longest ? bench_cpu_ns() - from : longest;
    } while (r == 1);
    if (r < 0)
        abort();
    bench_row("crm: erase one with 10,000 notes", (bench_cpu_ns() - began) / 1e6, "ms", "CPU, in all");
    bench_row("crm: the longest step of it", longest / 1e6, "ms", "CPU on the writer thread with the commit");
}

int main(void)
{
    struct db_options options = { .path = scratch_file("store"), .map_mib = 2048 };
    struct db_stats stats;
    double took = 0;

    if (db_open(&options, &db) < 0)
        return 1;
    for (int i = 0; i < N_CONTACTS; i += GROUP) {
        struct filling filling = { { .run = fill, .what = "bench" }, i };
        double began = bench_cpu_ns();
        if (db_write(db, &filling.op) < 0)
            abort();
        took += bench_cpu_ns() - began;
    }
    db_stats(db, &stats);
    bench_row("crm: make one of 100,000 contacts", took / N_CONTACTS / 1000, "us", "CPU with its share of the commit, 500 at once");
    bench_row("crm: store of 100,000 contacts", (double)stats.used_bytes / MIB, "MiB", "half empty pages and the change feed included");
    bench_row("crm: find a name of 100,000", BENCH_NS(FINDS, find("dana family77")) / 1000, "us", "two words, a page of 20");
    bench_row("crm: find what all have", BENCH_NS(FINDS, find("boiler")) / 1000, "us", "cut at 2,000 rows, a page of 20");
    bench_row("crm: find part of a number", BENCH_NS(FINDS, find("1234")) / 1000, "us", "of 100,000, a page of 20");
    bench_row("crm: list a stage", BENCH_NS(FINDS, list(3)) / 1000, "us", "of 100,000, a page of 20");
    (void)timed(add_notes);
    bench_row("crm: merge a contact with 10,000 notes", timed(merge) / 1e6, "ms", "CPU on the writer thread with the commit");
    bench_row("crm: a page of a timeline of 10,000", BENCH_NS(FINDS, timeline()) / 1000, "us", "20 items");
    bench_row("crm: part them again", timed(part) / 1e6, "ms", "CPU on the writer thread with the commit");
    export_all();
    import_again();
    look_for_old_ones();
    erase_one();
    db_close(db);
    return 0;
}
