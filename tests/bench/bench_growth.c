/*
 * bench_growth.c - what the store costs as it grows, to a million calls and five million messages
 *
 *   make bench-growth [GROWTH_CALLS=1000000]
 *
 * Not part of `make bench`: the whole takes a quarter of an hour and some 25 GB of $TMPDIR or /tmp. At 1 %, 10 % and 100 % the
 * same things are asked of it, and the table has the three answers in one row: what matters is their ratio. Reads are CPU.
 * Commits wait for the disk, so their times are wall clock, beside those of as many pages written to it by themselves.
 *
 * Each fifth call and its messages are of somebody new, the others of anybody who was there before, and one in a hundred of
 * the first person of all, whose conversation so grows as the store does. The fifth message is our answer, with which those
 * before it are read.
 *
 * The store begins small, so that the map grows while it is written to. The pages before each growth are filled a few calls
 * at a time, as webhooks come, for a growth costs what has to be done again of the commit that met it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "bench.h"
#include "growth_table.h"
#include "scratch.h"
#include "services/crm.h"
#include "services/crm_search.h"
#include "services/crm_store.h"
#include "services/crm_tasks.h"
#include "services/crm_timeline.h"
#include "utils/clock.h"
#include "utils/file.h"
#include "utils/json.h"

enum {
    CALLS_MIN = 10000,
    MESSAGES_PER_CALL = 5,
    CALLS_PER_PERSON = 5,
    CALLS_PER_BUSIEST = 100, /* one of them is his */
    CALLS_PER_NOTE = 50,
    TURN_MS = 20000,         /* between two calls */
    BULK = 1000,             /* calls written in one operation while it is filled */
    FEW = 10,                /* the same, when the map is about to grow */
    BYTES_PER_CALL = 25000,  /* of disk, with the copy; at most */
    NEAR_FULL = 16 * MIB,
    COMMITS = 1000,          /* one after the other, each waited for */
    COMMIT_EVERY_MS = 10,    /* while it is copied */
    SYNCS = 300,
    BURST = 256,             /* webhooks at once */
    BURSTS = 20,
    READS = 50,
    PAGE = 20,
    PAGE_BYTES = 4 * KIB,
    COPY_PIECE = 64 * KIB,
    COPY_SYNC = 8 * MIB,
};

#define FIRST_MS UINT64_C(1700000000000)

static struct db *db;
static uint64_t n_calls, n_messages; /* written */
static uint64_t now_ms = FIRST_MS;

static void must(int r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "\nbench_growth: %s: %s\n", what, strerror(-r));
    exit(1);
}

/* What was handed to the kernel by all threads, whatever it made of it. */
static double written_kib(void)
{
    FILE *file = fopen("/proc/self/io", "re");
    char line[64];
    double bytes = 0;

    while (file && fgets(line, sizeof(line), file))
        (void)sscanf(line, "wchar: %lf", &bytes);
    if (file)
        (void)fclose(file);
    return bytes / KIB;
}

/* --- writing */

static const char *const firsts[] = { "Dana", "Gil", "Noa", "Avi", "\u05e9\u05dc\u05d5\u05dd", "\u05e8\u05d5\u05ea", "Ren\u00e9e", "Moshe" };

static uint64_t person_of(uint64_t call)
{
    uint64_t n = call / CALLS_PER_PERSON;

    if (call % CALLS_PER_BUSIEST == CALLS_PER_BUSIEST - 1)
        return 0;
    return call % CALLS_PER_PERSON == 0 ? n : call * 2654435761u % (n + 1);
}

/* Each person's is another, and any digits may come in it. */
static void number_of(uint64_t person, char ret_number[ADDRESS_MAX])
{
    snprintf(ret_number, ADDRESS_MAX, "+9725%08" PRIu64, person * 61803399 % 100000000);
}

static void name_of(uint64_t person, char ret_name[CONTACT_NAME_MAX])
{
    snprintf(ret_name, CONTACT_NAME_MAX, "%s Family%06" PRIu64, firsts[person % ELEMENTSOF(firsts)], person);
}

static int add_message(struct db_txn *txn, uint64_t person, uint64_t n, uint64_t at_ms)
{
    bool is_ours = n % MESSAGES_PER_CALL == MESSAGES_PER_CALL - 1;
    scoped(message_release) struct message message = {
        .direction = is_ours ? MESSAGE_OUT : MESSAGE_IN,
        .status = is_ours ? MESSAGE_DELIVERED : MESSAGE_RECEIVED,
        .author = is_ours ? AUTHOR_HUMAN : AUTHOR_UNKNOWN,
        .created_ms = at_ms,
    };
    char name[CONTACT_NAME_MAX];

    number_of(person, message.address);
    name_of(person, name);
    snprintf(message.provider_id, sizeof(message.provider_id), "SM%032" PRIx64, n * 0x9e3779b97f4a7c15);
    message.body = strdup("I saw the flat in Herzl street; is it still to be had, and from when on?");
    message.params = json_object_new_object();
    if (!message.body || json_add(message.params, "ProfileName", json_text(name, strlen(name))) < 0)
        return -ENOMEM;
    return crm_message_add(txn, &message, "972");
}

static int add_note(struct db_txn *txn, const char *contact_id, uint64_t call, uint64_t at_ms)
{
    scoped(note_done) struct note note = { 0 };

    memcpy(note.contact_id, contact_id, sizeof(note.contact_id));
    if (asprintf(&note.text, "wants a boiler in the kitchen, offer%06" PRIu64, call / CALLS_PER_NOTE) < 0)
        return -ENOMEM;
    return crm_note_add(txn, &note, at_ms);
}

static void sid_of(uint64_t call, char ret_sid[SID_MAX])
{
    snprintf(ret_sid, SID_MAX, "CA%032" PRIx64, call * 0x9e3779b97f4a7c15);
}

static int add_call(struct db_txn *txn, uint64_t n, uint64_t at_ms)
{
    static const struct turn turn = { .who = TURN_CALLER, .text = "I am calling about the flat in Herzl street." };
    scoped(call_done) struct call call = { .started_ms = at_ms, .stream_token = "0123456789abcdef" };

    sid_of(n, call.sid);
    number_of(person_of(n), call.from);
    int r = crm_call_open(txn, &call, "972");
    if (r >= 0)
        r = crm_turn_add(txn, call.sid, &turn);
    if (r >= 0)
        r = crm_call_end(txn, call.sid, CALL_END_CALLER, at_ms + TURN_MS / 2);
    return r < 0 || n % CALLS_PER_NOTE ? r : add_note(txn, call.contact_id, n, at_ms);
}

struct filling {
    struct db_op op;
    uint64_t n;
};

static int fill(struct db_txn *txn, struct db_op *op)
{
    uint64_t n = ((struct filling *)op)->n, message = n_messages, at_ms = now_ms;
    int r = 0;

    for (uint64_t call = n_calls; r >= 0 && call < n_calls + n; call++, at_ms += TURN_MS) {
        r = add_call(txn, call, at_ms);
        for (int i = 0; r >= 0 && i < MESSAGES_PER_CALL; i++)
            r = add_message(txn, person_of(call), message++, at_ms + (uint64_t)i);
    }
    return r < 0 ? r : 0;
}

/* Samples the commits that are few calls. Returns: ms, if the map grew with it, otherwise 0. */
static double fill_some(uint64_t to)
{
    struct filling filling = { { .run = fill, .what = "bench" }, 0 };
    struct db_stats before, after;
    uint64_t began_us = clock_mono_us();

    db_stats(db, &before);
    bool is_near = before.map_bytes - before.used_bytes < NEAR_FULL;
    filling.n = is_near ? FEW : BULK;
    if (filling.n > to - n_calls)
        filling.n = to - n_calls;
    must(db_write(db, &filling.op), "filling");
    n_calls += filling.n;
    n_messages += filling.n * MESSAGES_PER_CALL;
    now_ms += filling.n * TURN_MS;
    db_stats(db, &after);
    if (after.n_grown > before.n_grown)
        return (double)(clock_mono_us() - began_us) / 1000;
    if (is_near)
        sample(began_us);
    return 0;
}

static void fill_to(uint64_t to)
{
    uint64_t from = n_calls, began_ms = clock_mono_ms(), told_ms = began_ms;
    double longest_ms = 0;

    while (n_calls < to) {
        double grew_ms = fill_some(to);
        longest_ms = grew_ms > longest_ms ? grew_ms : longest_ms;
        if (clock_mono_ms() - told_ms < 1000 && n_calls < to)
            continue;
        told_ms = clock_mono_ms();
        fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " calls, %" PRIu64 " s", n_calls, to, (told_ms - began_ms) / 1000);
    }
    fprintf(stderr, "\n");
    answer("filled: calls, each with 5 messages and a turn", (double)(n_calls - from) * 1000 / (double)(told_ms - began_ms + 1), "/s", "wall clock");
    answer("the longest commit of 10 calls with which the map grew", longest_ms, "ms", "wall clock; 0 it did not");
    if (n_samples)
        answer_samples("a commit of 10 calls with which it did not", "the same, 99th percentile");
}

/* --- webhooks */

struct webhook {
    struct db_op op;
    uint64_t n, began_us;
};

static int run_webhook(struct db_txn *txn, struct db_op *op)
{
    uint64_t n = ((struct webhook *)op)->n;

    return add_message(txn, n * 40503 % (n_calls / CALLS_PER_PERSON), n, now_ms + n);
}

static int webhook_kib; /* that one writes, as measured last */

static void commit_one(void)
{
    struct webhook webhook = { { .run = run_webhook, .what = "bench" }, n_messages++, clock_mono_us() };

    must(db_write(db, &webhook.op), "a webhook");
    sample(webhook.began_us);
}

static void commits(void)
{
    static double kib[COMMITS];

    for (int i = 0; i < COMMITS; i++) {
        double before_kib = written_kib();
        commit_one();
        kib[i] = written_kib() - before_kib;
    }
    answer_samples("a webhook alone, until it is on disk", "a webhook alone, 99th percentile");
    qsort(kib, COMMITS, sizeof(kib[0]), compare);
    webhook_kib = (int)kib[COMMITS / 2];
    answer("a webhook alone, written", kib[COMMITS / 2], "KiB", "median, whole pages");
    answer("a webhook alone, written, the most", kib[COMMITS - 1], "KiB", "whole pages");
}

static sem_t all_done;
static _Atomic int n_left;

static void webhook_done(struct db_op *op, int r)
{
    must(r, "a webhook of a burst");
    sample(((struct webhook *)op)->began_us); /* on the one writer thread */
    if (atomic_fetch_sub(&n_left, 1) == 1)
        sem_post(&all_done);
}

static void bursts(void)
{
    static struct webhook webhooks[BURST];
    double began_ns = bench_cpu_ns(), began_kib = written_kib();

    for (int burst = 0; burst < BURSTS; burst++) {
        n_left = BURST;
        for (int i = 0; i < BURST; i++) {
            webhooks[i] = (struct webhook){ { .run = run_webhook, .done = webhook_done, .what = "bench" }, n_messages++, clock_mono_us() };
            must(db_submit(db, &webhooks[i].op), "a burst");
        }
        while (sem_wait(&all_done) < 0)
            ;
    }
    answer("a webhook of 256 at once, CPU", (bench_cpu_ns() - began_ns) / BURSTS / BURST / 1000, "us", "all threads");
    answer("a webhook of 256 at once, written", (written_kib() - began_kib) / BURSTS / BURST, "KiB", "whole pages");
    answer_samples("a webhook of 256 at once, until it is on disk", "a webhook of 256 at once, 99th percentile");
}

/* What the disk takes for as many pages as a webhook writes, anywhere in a file as large as the store, in two steps as LMDB. */
static void syncs(int fd, uint64_t n_file)
{
    static char page[PAGE_BYTES];
    int n_pages = webhook_kib * KIB / PAGE_BYTES;

    for (int i = 0; i < SYNCS; i++) {
        uint64_t began_us = clock_mono_us();
        for (int k = 0; k < n_pages; k++) {
            off_t at = (off_t)((uint64_t)random() % (n_file / PAGE_BYTES) * PAGE_BYTES);
            bool is_synced = k >= n_pages - 2; /* the last one says what the root is */
            must(pwrite(fd, page, sizeof(page), at) < 0 || (is_synced && fdatasync(fd) < 0) ? -errno : 0, "a page");
        }
        sample(began_us);
    }
    answer_samples("the same pages on the bare disk", "the same pages on the bare disk, 99th percentile");
}

/* --- reads: a page from its beginning, or from a place half as old as the store */

static char someone[CONTACT_ID_MAX], busiest[CONTACT_ID_MAX];
static char old_contact[CONTACT_ID_MAX], old_message[CONTACT_ID_MAX], old_of_conversation[CONTACT_ID_MAX + 24], old_of_timeline[TIMELINE_CURSOR_MAX];

static void choose(void)
{
    static const uint8_t least[ID_RANDOM];
    scoped(db_read_end) struct db_txn *txn = NULL;
    uint64_t old_ms = (FIRST_MS + now_ms) / 2;
    char number[ADDRESS_MAX];

    id_make('C', old_ms, least, old_contact);
    id_make('M', old_ms, least, old_message);
    snprintf(old_of_conversation, sizeof(old_of_conversation), "%" PRIu64 ".%s", old_ms, old_message);
    snprintf(old_of_timeline, sizeof(old_of_timeline), "%" PRIu64 ".%c.%s", old_ms, ITEM_MESSAGE, old_message);
    must(db_read_begin(db, &txn), "a snapshot");
    number_of(0, number);
    must(crm_contact_id_of(txn, number, busiest), "the busiest");
    number_of(7, number);
    must(crm_contact_id_of(txn, number, someone), "somebody");
}

/* Each returns the page. */

static struct json_object *calls(struct db_txn *txn, const char *unused, const char *from)
{
    struct json_object *array = NULL;

    must(crm_calls_page(txn, PAGE, &array), "calls");
    return array;
}

static struct json_object *conversations(struct db_txn *txn, const char *unused, const char *from)
{
    struct json_object *object = NULL;

    must(crm_conversations_page(txn, from, PAGE, &object), "conversations");
    return object;
}

static struct json_object *messages(struct db_txn *txn, const char *contact_id, const char *from)
{
    struct json_object *object = NULL;

    must(crm_conversation_page(txn, contact_id, from, PAGE, &object), "a conversation");
    return object;
}

static struct json_object *timeline(struct db_txn *txn, const char *contact_id, const char *from)
{
    struct json_object *array = NULL;
    char cursor[TIMELINE_CURSOR_MAX];

    must(crm_timeline_page(txn, contact_id, "", from, PAGE, &array, cursor), "a timeline");
    return array;
}

static struct json_object *contacts(struct db_txn *txn, const char *unused, const char *from)
{
    struct json_object *array = NULL;
    char cursor[CONTACT_ID_MAX];

    must(crm_contacts_list(txn, &(struct contact_filter){ -1, NULL }, from, PAGE, &array, cursor), "contacts");
    return array;
}

static struct json_object *newcomers(struct db_txn *txn, const char *unused, const char *from)
{
    struct json_object *array = NULL;
    char cursor[CONTACT_ID_MAX];

    must(crm_contacts_list(txn, &(struct contact_filter){ 0, NULL }, from, PAGE, &array, cursor), "contacts");
    return array;
}

static struct json_object *search(struct db_txn *txn, const char *text, const char *from)
{
    struct json_object *array = NULL;
    char cursor[CONTACT_ID_MAX];
    bool is_cut;

    must(crm_contacts_search(txn, text, "972", from, PAGE, &array, cursor, &is_cut), "a search");
    return array;
}

struct reading {
    const char *what;
    struct json_object *(*fn)(struct db_txn *txn, const char *of, const char *from);
    const char *of, *from;
};

static void look(const struct reading *reading)
{
    scoped(db_read_end) struct db_txn *txn = NULL;

    must(db_read_begin(db, &txn), "a snapshot");
    json_object_put(reading->fn(txn, reading->of, reading->from));
}

static void reads(void)
{
    static const struct reading readings[] = {
        { "calls", calls, "", "" },
        { "conversations", conversations, "", "" },
        { "conversations, old ones", conversations, "", old_message },
        { "messages of somebody", messages, someone, "" },
        { "messages of the busiest", messages, busiest, "" },
        { "messages of the busiest, old ones", messages, busiest, old_of_conversation },
        { "timeline of somebody", timeline, someone, "" },
        { "timeline of the busiest", timeline, busiest, "" },
        { "timeline of the busiest, an old part", timeline, busiest, old_of_timeline },
        { "contacts", contacts, "", "" },
        { "contacts, old ones", contacts, "", old_contact },
        { "contacts of one stage", newcomers, "", "" },
        { "find a rare name", search, "family000123", "" },
        { "find a name that each eighth has", search, "dana", "" },
        { "find both", search, "dana family000120", "" },
        { "find a rare word of notes", search, "offer000001", "" },
        { "find a word of all notes", search, "boiler kitchen", "" },
        { "find a whole number", search, "+972561803399", "" },
        { "find 6 digits of a number", search, "803399", "" },
        { "find 4 digits of a number", search, "8033", "" },
        { "find 3 digits of a number", search, "803", "" },
    };

    choose();
    for (size_t i = 0; i < ELEMENTSOF(readings); i++)
        answer(readings[i].what, BENCH_NS(READS, look(&readings[i])) / 1000, "us", "20 rows, CPU");
}

/* --- a compacting copy beside webhooks, as a backup takes it (services/snapshot.c) */

static atomic_bool is_copied;
static uint64_t n_copied;

static void *run_copy(void *arg)
{
    int fd = *(int *)arg;

    must(db_copy(db, fd), "copying");
    (void)close(fd);
    return NULL;
}

static void *keep_copy(void *arg)
{
    scoped(close) int fd = open(scratch_file("copy"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    static char piece[COPY_PIECE];
    size_t n_unsynced = 0;
    ssize_t n;

    must(fd < 0 ? -errno : 0, "a copy");
    while ((n = read(*(int *)arg, piece, sizeof(piece))) > 0) {
        must(file_write(fd, piece, (size_t)n), "a copy");
        n_unsynced += (size_t)n;
        if (n_unsynced < COPY_SYNC)
            continue;
        must(fdatasync(fd) < 0 ? -errno : 0, "a copy");
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        n_unsynced = 0;
    }
    n_copied = (uint64_t)lseek(fd, 0, SEEK_CUR);
    is_copied = true;
    return NULL;
}

static void copying(void)
{
    const struct timespec pause = { 0, COMMIT_EVERY_MS * 1000000L };
    uint64_t began_ms = clock_mono_ms();
    pthread_t copying, keeping;
    int ends[2];

    is_copied = false;
    must(pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0, "a pipe");
    must(-pthread_create(&copying, NULL, run_copy, &ends[1]), "a thread");
    must(-pthread_create(&keeping, NULL, keep_copy, &ends[0]), "a thread");
    while (!is_copied) {
        commit_one();
        nanosleep(&pause, NULL);
    }
    pthread_join(copying, NULL);
    pthread_join(keeping, NULL);
    (void)close(ends[0]);
    answer("a compacting copy takes", (double)(clock_mono_ms() - began_ms) / 1000, "s", "wall clock, written and synced");
    answer_samples("a webhook while it is copied", "a webhook while it is copied, 99th percentile");
    answer("the copy", (double)n_copied / MIB, "MiB", "without the pages that are free");
    scoped(close) int fd = open(scratch_file("copy"), O_WRONLY | O_CLOEXEC);
    syncs(fd, n_copied);
    (void)unlink(scratch_file("copy"));
}

/* --- all of it */

static void ask(void)
{
    struct db_stats stats;

    reads(); /* first, which gives the disk a rest */
    commits();
    bursts();
    copying();
    db_stats(db, &stats);
    answer("the store", (double)stats.used_bytes / MIB, "MiB", "as its file is, with pages that are free");
    answer("the map has grown", (double)stats.n_grown, "times", "in all");
}

static void need_room(uint64_t n)
{
    struct statvfs disk;

    must(statvfs(scratch(), &disk) < 0 ? -errno : 0, scratch());
    if ((uint64_t)disk.f_bavail * disk.f_frsize >= n * BYTES_PER_CALL)
        return;
    fprintf(stderr, "bench_growth: %s has less than the %" PRIu64 " MiB this may take: set TMPDIR, or fewer GROWTH_CALLS\n", scratch(),
            n * BYTES_PER_CALL / MIB);
    exit(1);
}

int main(void)
{
    uint64_t n = strtoull(getenv("GROWTH_CALLS") ?: "1000000", NULL, 10);
    struct db_options options = { .path = scratch_file("store"), .map_mib = 256 };

    if (n < CALLS_MIN) {
        fprintf(stderr, "bench_growth: GROWTH_CALLS must be a number from %d on\n", CALLS_MIN);
        return 1;
    }
    need_room(n);
    sem_init(&all_done, 0, 0);
    must(db_open(&options, &db), "opening");
    for (size = 0; size < SIZES; size++) {
        static const uint64_t parts[SIZES] = { 100, 10, 1 };
        fill_to(n / parts[size]);
        ask();
    }
    db_close(db);
    print_rows();
    return 0;
}
