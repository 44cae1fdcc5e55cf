/*
 * test_erase.c - a person is erased: no byte of him is left in any table or folder, and nothing of anybody else is touched
 *
 * Two persons live the same life in random order, each with words of his own; after one is erased, step by step and with
 * the store closed and opened between steps, every row of every table is searched for his words, and the rows of the other
 * are what they were. The seed is printed.
 */
#include "services/crm_erase.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

#include "count_rows.h"
#include "scratch.h"
#include "services/crm.h"
#include "services/crm_owed.h"
#include "services/crm_schema.h"
#include "services/crm_search.h"
#include "services/crm_tasks.h"
#include "services/idempotency.h"
#include "services/jobs.h"
#include "services/tombstones.h"
#include "services/trash.h"
#include "services/whatsapp/baileys.h"
#include "tap.h"
#include "utils/file.h"
#include "utils/json.h"
#include "utils/text.h"

enum { N_CALLS = 3, N_TURNS = 70, N_MESSAGES = 90, N_NOTES = 20, N_TASKS = 4 };

static struct db *db;
static uint64_t now_ms = 1700000000000;

static void open_store(void)
{
    struct db_options options = { .path = scratch_file("store"), .map_mib = 64, .migrations = crm_migrations, .n_migrations = crm_n_migrations };

    if (db_open(&options, &db) < 0)
        abort();
}

static void reopen(void)
{
    db_close(steal(&db));
    open_store();
}

/* --- a life */

struct person {
    const char *number, *lid, *word; /* word: in everything he says */
    const char *sid, *sms;           /* what his calls' and messages' ids begin with */
    char id[CONTACT_ID_MAX], other_id[CONTACT_ID_MAX], message_id[CONTACT_ID_MAX];
};

static struct person dana = { .number = "+972501234567", .lid = "777000111@lid", .word = "zanzibar", .sid = "CAda", .sms = "SMda" };
static struct person gil = { .number = "+972507654321", .lid = "888000222@lid", .word = "quagmire", .sid = "CAgi", .sms = "SMgi" };

struct living {
    struct db_op op; /* first */
    struct person *person;
    int i;
};

static char *says(const struct person *person, const char *what, int i)
{
    char *text = NULL;

    if (asprintf(&text, "%s %s %d %s", what, person->word, i, person->number) < 0)
        abort();
    return text;
}

static int live_call(struct db_txn *txn, struct person *person, int i)
{
    scoped(call_done) struct call call = { .started_ms = now_ms, .params = json_object_new_object() };
    scoped(free) char *learnt = says(person, "wants", i);
    int r;

    snprintf(call.sid, sizeof(call.sid), "%s%d", person->sid, i);
    strcpy(call.stream_token, "token");
    strcpy(call.from, person->number);
    (void)json_add(call.params, "CallerName", json_object_new_string(learnt));
    r = crm_call_open(txn, &call, "972");
    if (r == 0)
        r = crm_call_learn(txn, call.sid, "need", learnt, now_ms);
    if (r == 0)
        r = crm_call_learn(txn, call.sid, "callback", person->number, now_ms);
    if (r == 0)
        r = crm_call_learn(txn, call.sid, "callback_at", "2030-01-01 10:00", now_ms);
    for (int k = 0; r == 0 && k < N_TURNS; k++) {
        struct turn turn = { .who = k % 2 ? TURN_CALLER : TURN_AGENT, .start_ms = now_ms, .end_ms = now_ms, .confidence = -1 };
        (void)text_set(turn.text, sizeof(turn.text), learnt);
        r = crm_turn_add(txn, call.sid, &turn);
    }
    if (r == 0)
        r = crm_call_message(txn, call.sid, learnt, WORDING_KEPT, now_ms);
    if (r == 0)
        r = crm_call_status(txn, call.sid, CALL_COMPLETED, 3, call.params, now_ms);
    return r;
}

static int live_message(struct db_txn *txn, struct person *person, int i)
{
    scoped(message_release) struct message message = { .direction = MESSAGE_IN, .status = MESSAGE_RECEIVED, .created_ms = now_ms,
                                                       .body = says(person, "writes", i), .params = json_object_new_object() };

    snprintf(message.provider_id, sizeof(message.provider_id), "%s%d", person->sms, i);
    (void)text_set(message.address, sizeof(message.address), i % 2 ? person->number : person->lid);
    (void)json_add(message.params, "ProfileName", json_object_new_string(person->word));
    int r = crm_message_add(txn, &message, "972");
    memcpy(person->message_id, message.id, sizeof(message.id));
    return r;
}

static int fail_one(struct db_txn *txn, struct person *person)
{
    scoped(message_release) struct message message = { .channel = MESSAGE_WHATSAPP, .created_ms = now_ms, .body = says(person, "sends", 0) };
    struct crm_letter letter = { person->number, "972", false };
    char id[ADDRESS_MAX];
    int r = crm_message_write(txn, &letter, &message);

    snprintf(id, sizeof(id), "%sout", person->sms);
    struct message_report report = { .provider_id = id, .id = message.id, .status = MESSAGE_FAILED, .error = person->number, .now_ms = now_ms };
    return r < 0 ? r : crm_message_status(txn, &report);
}

static int live(struct db_txn *txn, struct db_op *op)
{
    struct living *living = (struct living *)op;
    struct person *person = living->person;
    scoped(note_done) struct note note = { .text = says(person, "noted", living->i) };
    scoped(task_done) struct task task = { .text = says(person, "do", living->i), .due_ms = now_ms + 1000, .state = living->i % 2 ? TASK_DONE : TASK_OPEN };
    scoped(contact_done) struct contact contact = { 0 };
    int r = 0;

    now_ms += 7;
    if (living->i < N_CALLS)
        r = live_call(txn, person, living->i);
    if (r == 0)
        r = live_message(txn, person, living->i);
    if (r == 0)
        r = crm_contact_by_address(txn, person->number, &contact);
    if (r < 0)
        return living->i == 0 ? r : 0;
    strcpy(person->id, contact.id);
    strcpy(note.contact_id, contact.id);
    strcpy(task.contact_id, contact.id);
    (void)text_set(task.phone, sizeof(task.phone), person->number);
    if (living->i < N_NOTES)
        r = crm_note_add(txn, &note, now_ms);
    if (r == 0 && living->i < N_TASKS)
        r = crm_task_add(txn, &task, now_ms);
    if (r == 0 && living->i == 5)
        r = fail_one(txn, person);
    return r;
}

/* What has to be done once, at the end: tags, a merge, an address of which another is the name, an answer that is kept. */
static int settle(struct db_txn *txn, struct db_op *op)
{
    struct person *person = ((struct living *)op)->person;
    scoped(json_object_put) struct json_object *tags = json_object_new_array(), *fields = json_object_new_object();
    struct contact_edit edit = { .name = person->word, .stage = STAGE_WON, .tags = tags, .fields = fields };
    struct idempotency idempotency = { .is_asked = true, .id = { (uint8_t)person->sid[3] }, .digest = { 1 } };
    struct idempotency_answer answer = { .status = 200, .text = (char *)person->word, .n = strlen(person->word) };
    char owner[CONTACT_ID_MAX];
    int r;

    (void)json_append(tags, json_object_new_string(person->word));
    (void)json_add(fields, "street", json_object_new_string(person->word));
    r = crm_contact_id_of(txn, person->lid, owner);
    if (r == 0)
        r = crm_contact_merge(txn, person->id, owner, "test", now_ms);
    if (r >= 0)
        r = crm_contact_edit(txn, person->id, &edit, now_ms);
    strcpy(person->other_id, owner);
    strcpy(answer.of, owner);
    return r < 0 ? r : idempotency_keep(txn, &idempotency, &answer, now_ms);
}

static int do_map(struct db_txn *txn, struct db_op *op)
{
    struct person *person = ((struct living *)op)->person;

    return crm_contact_map(txn, person == &dana ? "999000333@lid" : "999000444@lid", person->number, now_ms);
}

static int write_op(int (*run)(struct db_txn *txn, struct db_op *op), struct person *person, int i)
{
    struct living living = { .op = { .run = run }, .person = person, .i = i };

    return db_write(db, &living.op);
}

static void live_both(void)
{
    int n[2] = { 0, 0 };

    for (int k = 0; k < 2; k++)
        if (write_op(do_map, k ? &gil : &dana, 0) < 0) /* before anybody has the number */
            abort();
    while (n[0] < N_MESSAGES || n[1] < N_MESSAGES) {
        int who = rand() % 2;
        if (n[who] < N_MESSAGES && write_op(live, who ? &gil : &dana, n[who]++) < 0)
            abort();
    }
    for (int k = 0; k < 2; k++)
        if (write_op(settle, k ? &gil : &dana, 0) < 0)
            abort();
}

/* --- searching */

struct search {
    const char *const *needles;
    enum db_table table;
    int n_found;
    bool is_told; /* there should be none */
};

static int look(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct search *search = arg;

    for (const char *const *needle = search->needles; *needle; needle++)
        if (memmem(key.data, key.n, *needle, strlen(*needle)) || memmem(value.data, value.n, *needle, strlen(*needle))) {
            search->n_found++;
            if (search->is_told)
                printf("# table %d: %s in %.*s\n", (int)search->table, *needle, (int)value.n, (const char *)value.data);
            return 0;
        }
    return 0;
}

static int rows_with(const char *const *needles, bool is_told)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct search search = { .needles = needles, .is_told = is_told };
    struct db_bytes all = { "", 0 };

    if (db_read_begin(db, &txn) < 0)
        abort();
    for (search.table = 0; search.table < DB_N_TABLES; search.table++)
        if (db_each(txn, search.table, all, all, DB_UP, look, &search) < 0)
            abort();
    return search.n_found;
}

static int n_rows_with(const char *const *needles)
{
    return rows_with(needles, false);
}

static bool has_none(const char *const *needles)
{
    return rows_with(needles, true) == 0;
}

static int add_up(struct db_bytes key, struct db_bytes value, void *arg)
{
    uint64_t *sum = arg;

    for (size_t i = 0; i < key.n; i++)
        *sum = *sum * 31 + ((const uint8_t *)key.data)[i];
    for (size_t i = 0; i < value.n; i++)
        *sum = *sum * 37 + ((const uint8_t *)value.data)[i];
    return 0;
}

/* Of the tables that hold what belongs to somebody. */
static uint64_t sum_of_tables(void)
{
    static const enum db_table others[] = { DB_META, DB_SEEN, DB_EVENTS, DB_ERASURES, DB_TRASH, DB_CONTACT_LINKS, DB_JOBS, DB_JOB_LANES };
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct db_bytes all = { "", 0 };
    uint64_t sum = 0;

    if (db_read_begin(db, &txn) < 0)
        abort();
    for (int table = 0; table < DB_N_TABLES; table++) {
        bool skip = false;
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
            skip |= (int)others[i] == table;
        if (!skip && db_each(txn, (enum db_table)table, all, all, DB_UP, add_up, &sum) < 0)
            abort();
    }
    return sum;
}

/* --- erasing */

struct eras {
    struct db_op op; /* first */
    struct crm_erase erase;
    char receipt[CONTACT_ID_MAX];
};

static int run_begin(struct db_txn *txn, struct db_op *op)
{
    struct eras *eras = (struct eras *)op;

    return crm_erase_begin(txn, &eras->erase, eras->receipt);
}

static int run_step(struct db_txn *txn, struct db_op *op)
{
    return crm_erase_step(txn, ((struct eras *)op)->receipt, now_ms);
}

static struct eras begin(const char *id, const char *key)
{
    struct eras eras = { .op = { .run = run_begin }, .erase = { id, "test", key, now_ms } };

    eras.op.result = db_write(db, &eras.op);
    return eras;
}

static int finish(struct eras *eras)
{
    int n = 0, r;

    eras->op = (struct db_op){ .run = run_step };
    while ((r = db_write(db, &eras->op)) == 1) {
        n++;
        reopen();
    }
    return r < 0 ? r : n;
}

static int late_news(struct db_txn *txn, struct db_op *op)
{
    scoped(json_object_put) struct json_object *params = json_object_new_object();
    scoped(message_release) struct message again = { .created_ms = now_ms, .body = strdup("zanzibar") };
    struct message_report report = { .provider_id = "SMda1", .status = MESSAGE_READ, .params = params, .now_ms = now_ms },
                          ours = { .provider_id = "SMnew", .id = dana.message_id, .status = MESSAGE_READ, .params = params, .now_ms = now_ms };

    strcpy(again.provider_id, "SMda2");
    strcpy(again.address, dana.number);
    (void)json_add(params, "From", json_object_new_string(dana.number));
    (void)json_add(params, "RecordingSid", json_object_new_string("RE1"));
    ok(crm_call_status(txn, "CAda0", CALL_COMPLETED, 9, params, now_ms) == 1, "a late callback of an erased call changes nothing");
    ok(crm_call_recording(txn, "CAda0", params, now_ms) == 1, "nor does a recording");
    ok(crm_message_status(txn, &report) == 1, "nor the state of an erased message");
    ok(crm_message_status(txn, &ours) == 1, "also by the id that we gave it");
    ok(crm_message_add(txn, &again, "972") == 1 && !again.id[0], "nor a message that comes again");
    return 0;
}

static int pick_up(struct db_txn *txn, struct db_op *op)
{
    scoped(call_done) struct call call = { .started_ms = now_ms, .sid = "CAdalive", .stream_token = "token" };

    strcpy(call.from, dana.number);
    return crm_call_open(txn, &call, "972");
}

static int hang_up(struct db_txn *txn, struct db_op *op)
{
    return crm_call_status(txn, "CAdalive", CALL_COMPLETED, 3, NULL, now_ms);
}

static void make_files(void)
{
    static const char *const names[] = { "recordings/CAda0/1.wav", "recordings/CAgi0/1.wav" };
    char path[PATH_MAX], media[PATH_MAX];

    snprintf(media, sizeof(media), "%s/media/%s", scratch(), dana.message_id);
    for (size_t i = 0; i < ELEMENTSOF(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", scratch(), names[i]);
        *strrchr(path, '/') = '\0';
        if (file_make_folder(path) < 0)
            abort();
        strcat(path, "/1.wav");
        FILE *file = fopen(path, "w");
        fputs("zanzibar", file);
        fclose(file);
    }
    if (file_make_folder(media) < 0)
        abort();
}

static bool is_there(const char *name)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", scratch(), name);
    return access(path, F_OK) == 0;
}

static int count_owed(const struct job *job, void *arg)
{
    ++*(int *)arg;
    return 0;
}

static int n_due(void)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    int n = 0;

    if (db_read_begin(db, &txn) < 0 || jobs_each_due(txn, UINT64_MAX - 3, count_owed, &n) < 0)
        abort();
    return n;
}

/* --- what the linked device's program is still to forget */

static int tell_once(struct db_txn *txn, struct db_op *op)
{
    return baileys_cursor_put(txn, &(struct baileys_cursor){ .outbox = "of-it", .seq = 7 });
}

struct settling {
    struct db_op op; /* first */
    struct crm_owed owed;
};

static int run_settled(struct db_txn *txn, struct db_op *op)
{
    return crm_erase_settle(txn, &((struct settling *)op)->owed, now_ms);
}

/* The store dies after each. Returns: how many there were. */
static int settle_all(const struct eras *eras)
{
    struct settling settling = { .op = { .run = run_settled } };
    int n = 0;

    for (;;) {
        {
            scoped(db_read_end) struct db_txn *txn = NULL;
            struct crm_owed first = { 0 };
            if (db_read_begin(db, &txn) < 0)
                abort();
            int r = crm_owed_next(txn, &first);
            if (r == 0)
                return n;
            settling.owed = first;
            ok(r == 1 && strcmp(first.receipt, eras->receipt) == 0 && first.before_ms, "an address is owed");
            struct crm_owed next = first;
            ok(crm_owed_next(txn, &next) == 0 || strcmp(next.address, first.address) > 0, "and after it another one, or none");
        }
        is_int(db_write(db, &settling.op), 0, "it is forgotten");
        is_int(db_write(db, &settling.op), 0, "once");
        n++;
        reopen();
    }
}

int main(void)
{
    static const char *const his[] = { "zanzibar", "501234567", "777000111", "999000333", "CAda", "SMda", NULL };
    static const char *const others[] = { "quagmire", NULL };
    unsigned seed = getenv("SEED") ? (unsigned)atoi(getenv("SEED")) : (unsigned)getpid();
    char key[ERASURE_KEY_TEXT], proof[ERASURE_PROOF_TEXT], media[64];
    scoped(erasure_done) struct erasure receipt = { 0 };

    printf("# SEED=%u\n", seed);
    srand(seed);
    open_store();
    live_both();
    make_files();
    uint64_t with_both = sum_of_tables();
    int gils = n_rows_with(others), due = n_due();
    ok(n_rows_with(his) > 300 && gils > 300 && due == 2, "two persons have lived, and each is owed messages");

    erasure_make_key(key);
    struct eras nobody = begin("C404", key);
    is_int(nobody.op.result, -ENOENT, "nobody is erased who is not there");
    is_int((long long)sum_of_tables(), with_both, "and nothing changes");

    struct living calling = { .op = { .run = pick_up }, .person = &dana };
    if (db_write(db, &calling.op) < 0)
        abort();
    uint64_t while_calling = sum_of_tables();
    struct eras too_early = begin(dana.id, key);
    is_int(too_early.op.result, -EBUSY, "nobody is erased while he telephones");
    is_int((long long)sum_of_tables(), (long long)while_calling, "and nothing changes");
    calling.op.run = hang_up;
    if (db_write(db, &calling.op) < 0)
        abort();

    if (db_write(db, &(struct db_op){ .run = tell_once }) < 0)
        abort();
    struct eras eras = begin(dana.other_id, key);
    is_int(eras.op.result, 0, "a person is erased, by any contact he was merged of");
    is_int(n_due(), 1, "nothing is owed to him any more");
    reopen();
    int n_steps = finish(&eras);
    ok(n_steps > 3, "it takes several steps, with the daemon dying between: %d", n_steps);
    int n_settled = settle_all(&eras);
    {
        scoped(db_read_end) struct db_txn *txn = NULL;
        char under_way[CONTACT_ID_MAX];
        if (db_read_begin(db, &txn) < 0)
            abort();
        is_int(crm_erase_under_way(txn, under_way), 0, "then nothing is under way");
        is_int(crm_erasure_get(txn, eras.receipt, &receipt), 0, "there is a receipt");
    }
    is_int((long long)receipt.n_contacts, 2, "with his contacts");
    ok(n_settled >= 2 && n_settled == (int)receipt.n_addresses && !receipt.n_owed && receipt.device_ms == now_ms,
       "and when the device had forgotten all of his addresses: %d", n_settled);
    is_int((long long)receipt.n_calls, N_CALLS + 1, "calls");
    is_int((long long)receipt.n_turns, N_CALLS * N_TURNS, "turns");
    is_int((long long)receipt.n_messages, N_MESSAGES + N_CALLS + 1, "messages");
    is_int((long long)receipt.n_notes, N_NOTES, "notes");
    is_int((long long)receipt.n_tasks, N_TASKS + N_CALLS, "tasks");
    is_int((long long)receipt.n_answers, 1, "and answers that were kept");
    bool is_proven = false;
    if (erasure_proof(key, dana.number, proof) < 0)
        abort();
    for (size_t i = 0; i < json_object_array_length(receipt.proofs); i++)
        is_proven |= strcmp(json_object_get_string(json_object_array_get_idx(receipt.proofs, i)), proof) == 0;
    ok(is_proven && receipt.done_ms, "whoever has the key can prove it");
    ok(trash_empty(db, scratch(), NULL) > N_CALLS, "the files are deleted");
    snprintf(media, sizeof(media), "media/%s", dana.message_id);
    ok(!is_there("recordings/CAda0") && !is_there(media) && is_there("recordings/CAgi0/1.wav"), "his, and nobody else's");
    is_int(trash_empty(db, scratch(), NULL), 0, "once");
    ok(has_none((const char *const[]){ "zanzibar", "501234567", "777000111", "999000333", "SMda", NULL }), "no byte of his name, numbers and words is in any row");
    is_int(n_rows_with(others), gils, "of the other one all is there");
    if (write_op(late_news, &dana, 0) < 0)
        abort();
    ok(has_none((const char *const[]){ "zanzibar", "501234567", NULL }), "what is told of him later brings nothing back");

    struct eras other = begin(gil.id, key);
    is_int(other.op.result, 0, "the other one is erased, too");
    ok(finish(&other) > 3 && has_none(others), "and nothing of him is left");
    static const enum db_table empty[] = { DB_CALLS, DB_CALLS_BY_TIME, DB_CALLS_BY_CONTACT, DB_TURNS, DB_CONTACTS, DB_CONTACT_BY_ADDRESS,
        DB_CONTACT_INDEX, DB_CONTACT_LINKS, DB_MESSAGES, DB_MESSAGES_BY_CONTACT, DB_UNREAD, DB_NOTES, DB_TASKS, DB_TASKS_BY_DUE,
        DB_TASKS_BY_CONTACT, DB_TIMELINE, DB_JOBS, DB_JOB_LANES };
    for (size_t i = 0; i < ELEMENTSOF(empty); i++)
        ok(count_rows(db, empty[i]) == 0, "table %d is empty", (int)empty[i]);
    db_close(db);
    return done_testing();
}
