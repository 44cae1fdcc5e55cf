/*
 * test_people.c - contacts that turn out to be one: random lives beside a naive model
 *
 * The model holds who has which address, who was merged into whom, and every item with its owner, in plain arrays. After
 * each life the store must have exactly what follows from it, below exactly that person. The seed is printed.
 */
#include "services/crm.h"

#include <errno.h>

#include <json-c/json.h>

#include "scratch.h"
#include "services/crm_schema.h"
#include "services/crm_search.h"
#include "services/crm_tasks.h"
#include "services/crm_timeline.h"
#include "services/store_row.h"
#include "tap.h"
#include "utils/json.h"

enum { N_NUMBERS = 6, N_LIDS = 6, N_ADDRESSES = N_NUMBERS + N_LIDS, CONTACTS_MAX = 24, ITEMS_MAX = 400, N_LIVES = 60, N_OPS = 120 };
enum { NOW = 1000000, N_FIELDS = 3 };

static struct db *db;
static uint64_t now_ms = NOW;

/* --- the model */

struct item {
    char kind;
    char id[SID_MAX];
    int owner;
};

static struct model {
    int n_contacts, n_items;
    char ids[CONTACTS_MAX][CONTACT_ID_MAX];
    int into[CONTACTS_MAX]; /* -1: nobody */
    bool parted[CONTACTS_MAX][CONTACTS_MAX];
    int owner[N_ADDRESSES]; /* -1: nobody's */
    int same_as[N_ADDRESSES]; /* of a lid: the number it is another name of; -1 */
    struct item items[ITEMS_MAX];
    struct {
        uint64_t ms;
        char value[32];
    } fields[CONTACTS_MAX][N_FIELDS];
    uint32_t n_calls[CONTACTS_MAX];
} model;

static int root(int contact)
{
    while (model.into[contact] >= 0)
        contact = model.into[contact];
    return contact;
}

static const char *address(int i)
{
    static char text[4][ADDRESS_MAX];
    static int turn;
    char *ret = text[turn++ % 4];

    snprintf(ret, ADDRESS_MAX, i < N_NUMBERS ? "+97250111000%d" : "5550000%d@lid", i);
    return ret;
}

static void reset_model(void)
{
    model = (struct model){ 0 };
    memset(model.owner, -1, sizeof(model.owner));
    memset(model.same_as, -1, sizeof(model.same_as));
    memset(model.into, -1, sizeof(model.into));
}

static int index_of(const char *id)
{
    for (int i = 0; i < model.n_contacts; i++)
        if (strcmp(model.ids[i], id) == 0)
            return i;
    return -1;
}

/* Whoever something came from by an address; a new one when the store made one. */
static int model_owner(int i, const char *id)
{
    if (model.owner[i] < 0 && model.same_as[i] >= 0 && model.owner[model.same_as[i]] >= 0)
        model.owner[i] = model.owner[model.same_as[i]];
    if (model.owner[i] < 0) {
        int n = model.n_contacts++;
        memcpy(model.ids[n], id, CONTACT_ID_MAX);
        model.owner[i] = n;
        if (model.same_as[i] >= 0)
            model.owner[model.same_as[i]] = n;
    }
    model.same_as[i] = -1;
    return model.owner[i];
}

static bool were_parted(int a, int b)
{
    for (int i = 0; i < model.n_contacts; i++)
        for (int k = 0; k < model.n_contacts; k++)
            if (root(i) == a && root(k) == b && model.parted[i][k])
                return true;
    return false;
}

static int model_merge(int into, int from)
{
    if (root(into) == root(from))
        return 1;
    model.into[root(from)] = root(into);
    return 0;
}

static int model_part(int from)
{
    int into = model.into[from];

    if (into < 0)
        return -EALREADY;
    model.parted[from][into] = model.parted[into][from] = true;
    model.into[from] = -1;
    return 0;
}

static int model_map(int lid, int number)
{
    int a = model.owner[lid], b = model.owner[number];

    if (a >= 0 && b >= 0) {
        int left = root(a), right = root(b);
        if (left == right || were_parted(left, right))
            return 1;
        return strcmp(model.ids[left], model.ids[right]) < 0 ? model_merge(left, right) : model_merge(right, left);
    }
    if (a >= 0 || b >= 0) {
        model.owner[lid] = model.owner[number] = a >= 0 ? a : b;
        model.same_as[lid] = -1;
        return 0;
    }
    if (model.same_as[lid] == number)
        return 1;
    model.same_as[lid] = number;
    return 0;
}

/* --- the store */

enum verb { CALL, MESSAGE, LEARN, NOTE, TASK, MERGE, PART, MAP, N_VERBS };

struct act {
    struct db_op op;
    enum verb verb;
    int a, b;
    char sid[SID_MAX], ret_id[SID_MAX], ret_contact[CONTACT_ID_MAX];
    const char *field, *value;
};

static int do_call(struct db_txn *txn, struct act *act)
{
    scoped(call_done) struct call call = { .started_ms = now_ms, .stream_token = "token" };

    strcpy(call.sid, act->sid);
    strcpy(call.from, address(act->a));
    int r = crm_call_open(txn, &call, "");
    memcpy(act->ret_contact, call.contact_id, sizeof(call.contact_id));
    return r;
}

static int do_message(struct db_txn *txn, struct act *act)
{
    scoped(message_release) struct message message = { .created_ms = now_ms };

    strcpy(message.provider_id, act->sid);
    snprintf(message.address, sizeof(message.address), "%s%s", act->a < N_NUMBERS ? "whatsapp:" : "", address(act->a));
    int r = crm_message_add(txn, &message, "");
    memcpy(act->ret_contact, message.contact_id, sizeof(message.contact_id));
    strcpy(act->ret_id, message.id);
    return r;
}

static int do_note(struct db_txn *txn, struct act *act)
{
    scoped(note_done) struct note note = { .text = strdup("a note") };

    strcpy(note.contact_id, model.ids[act->a]);
    int r = crm_note_add(txn, &note, now_ms);
    strcpy(act->ret_id, note.id);
    strcpy(act->ret_contact, note.contact_id);
    return r;
}

static int do_task(struct db_txn *txn, struct act *act)
{
    scoped(task_done) struct task task = { .text = strdup("a task"), .due_ms = now_ms + 5, .state = TASK_DONE };

    strcpy(task.contact_id, model.ids[act->a]);
    int r = crm_task_add(txn, &task, now_ms);
    strcpy(act->ret_id, task.id);
    strcpy(act->ret_contact, task.contact_id);
    return r;
}

static int run(struct db_txn *txn, struct db_op *op)
{
    struct act *act = (struct act *)op;

    switch (act->verb) {
    case CALL:
        return do_call(txn, act);
    case MESSAGE:
        return do_message(txn, act);
    case LEARN:
        return crm_call_learn(txn, act->sid, act->field, act->value, now_ms);
    case NOTE:
        return do_note(txn, act);
    case TASK:
        return do_task(txn, act);
    case MERGE:
        return crm_contact_merge(txn, model.ids[act->a], model.ids[act->b], "by hand", now_ms);
    case PART:
        return crm_contact_unmerge(txn, model.ids[act->a], now_ms);
    default:
        return crm_contact_map(txn, address(act->a), address(act->b), now_ms);
    }
}

static int act(struct act *act)
{
    act->op = (struct db_op){ .run = run, .what = "an act" };
    now_ms++;
    return db_write(db, &act->op);
}

/* --- one random step, in both; returns whether they agree */

static int pick(int n)
{
    return rand() % n;
}

static void add_item(char kind, const char *id, int owner)
{
    struct item *item = &model.items[model.n_items++];

    item->kind = kind;
    strcpy(item->id, id);
    item->owner = owner;
}

static bool come(enum verb verb)
{
    static int n_ever;
    struct act arrival = { .verb = verb, .a = pick(verb == CALL ? N_NUMBERS : N_ADDRESSES) };

    snprintf(arrival.sid, sizeof(arrival.sid), "%s%d", verb == CALL ? "CA" : "SM", n_ever++);
    if (model.n_contacts == CONTACTS_MAX)
        return true;
    int r = act(&arrival), owner = model_owner(arrival.a, arrival.ret_contact);
    add_item(verb == CALL ? 'c' : 'm', verb == CALL ? arrival.sid : arrival.ret_id, owner);
    model.n_calls[owner] += verb == CALL;
    return r == 0 && strcmp(model.ids[owner], arrival.ret_contact) == 0;
}

static bool learn(void)
{
    static const char *const fields[N_FIELDS] = { "need", "city", "name" };
    struct act learning = { .verb = LEARN };
    char value[32];
    int i = pick(model.n_items), field = pick(N_FIELDS), owner = model.items[i].owner;

    if (model.items[i].kind != 'c')
        return true;
    snprintf(value, sizeof(value), "value %llu", (unsigned long long)now_ms);
    strcpy(learning.sid, model.items[i].id);
    learning.field = fields[field];
    learning.value = value;
    int r = act(&learning);
    model.fields[owner][field].ms = now_ms;
    strcpy(model.fields[owner][field].value, value);
    return r == 0;
}

static bool write_down(enum verb verb)
{
    struct act writing = { .verb = verb, .a = pick(model.n_contacts) };
    int r = act(&writing);

    add_item(verb == NOTE ? 'n' : 't', writing.ret_id, root(writing.a));
    return r == 0 && index_of(writing.ret_contact) == root(writing.a);
}

static bool relate(enum verb verb)
{
    struct act relation = { .verb = verb, .a = pick(model.n_contacts), .b = pick(model.n_contacts) };

    if (verb == MAP) {
        relation.a = N_NUMBERS + pick(N_LIDS);
        relation.b = pick(N_NUMBERS);
    }
    int r = act(&relation);
    int want = verb == MERGE ? model_merge(relation.a, relation.b)
               : verb == PART ? model_part(relation.a)
                              : model_map(relation.a, relation.b);
    if (r != want)
        printf("# verb %d of %d and %d: got %d, want %d\n", verb, relation.a, relation.b, r, want);
    return r == want;
}

static bool step(void)
{
    enum verb verb = pick(N_VERBS);

    if (model.n_items == 0 || verb == CALL || verb == MESSAGE)
        return come(verb == CALL ? CALL : MESSAGE);
    if (verb == LEARN)
        return learn();
    return verb == NOTE || verb == TASK ? write_down(verb) : relate(verb);
}

/* --- is the store what the model says? */

struct scan {
    size_t n_before;
    int person, n, n_wrong;
    uint64_t last_ms;
};

static int check_row(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct scan *scan = arg;
    const char *rest = (const char *)key.data + scan->n_before;
    uint64_t ms = key_number(rest, 8);
    char id[SID_MAX] = "", owner[CONTACT_ID_MAX] = "";
    bool found = false;

    memcpy(id, rest + 9, key.n - scan->n_before - 9);
    memcpy(owner, value.data, value.n);
    for (int i = 0; i < model.n_items; i++)
        if (model.items[i].kind == rest[8] && strcmp(model.items[i].id, id) == 0)
            found = root(model.items[i].owner) == scan->person && strcmp(model.ids[model.items[i].owner], owner) == 0;
    scan->n_wrong += !found || ms > scan->last_ms;
    scan->last_ms = ms;
    scan->n++;
    return 0;
}

static int count_row(struct db_bytes key, struct db_bytes value, void *arg)
{
    ++*(int *)arg;
    return 0;
}

static int n_below(struct db_txn *txn, enum db_table table, const char *owner)
{
    struct key below = key_below(owner);
    int n = 0;

    return db_each(txn, table, key_bytes(&below), nothing, DB_UP, count_row, &n) < 0 ? -1 : n;
}

static int n_items(int person, char kind)
{
    int n = 0;

    for (int i = 0; i < model.n_items; i++)
        n += root(model.items[i].owner) == person && (!kind || model.items[i].kind == kind);
    return n;
}

static bool check_fields(int person, const struct contact *contact)
{
    static const char *const fields[N_FIELDS] = { "need", "city", "name" };
    bool good = true;

    for (int field = 0; field < N_FIELDS; field++) {
        const char *want = "", *got = field == 2 ? contact->name : json_get_text(contact->fields, fields[field]) ?: "";
        uint64_t ms = 0;
        for (int i = 0; i < model.n_contacts; i++)
            if (root(i) == person && model.fields[i][field].ms > ms) {
                ms = model.fields[i][field].ms;
                want = model.fields[i][field].value;
            }
        for (int i = 0; i < model.n_contacts; i++) { /* nothing is lost */
            const char *value = model.fields[i][field].value;
            struct json_object *list = contact->others ? json_object_object_get(contact->others, fields[field]) : NULL;
            bool is_other = false;

            for (size_t k = 0; list && k < json_object_array_length(list); k++)
                is_other |= strcmp(json_object_get_string(json_object_array_get_idx(list, k)), value) == 0;
            good &= root(i) != person || !value[0] || strcmp(value, want) == 0 || is_other;
        }
        good &= strcmp(want, got) == 0;
    }
    return good;
}

static bool check_contact(struct db_txn *txn, int i)
{
    scoped(contact_done) struct contact contact = { 0 };
    int person = root(i);
    uint32_t n_calls = 0;
    struct key below = key_below(model.ids[i]);
    struct scan scan = { .n_before = below.n, .person = i, .last_ms = UINT64_MAX };

    if (crm_contact_get(txn, model.ids[i], &contact) < 0 || strcmp(contact.id, model.ids[person]) != 0)
        return false;
    for (int k = 0; k < model.n_contacts; k++)
        n_calls += root(k) == person ? model.n_calls[k] : 0;
    if (db_each(txn, DB_TIMELINE, key_bytes(&below), nothing, DB_DOWN, check_row, &scan) < 0)
        return false;
    int mine = person == i;
    return contact.n_calls == n_calls && check_fields(person, &contact) && scan.n_wrong == 0 &&
           scan.n == (mine ? n_items(i, 0) : 0) && n_below(txn, DB_CALLS_BY_CONTACT, model.ids[i]) == (mine ? n_items(i, 'c') : 0) &&
           n_below(txn, DB_MESSAGES_BY_CONTACT, model.ids[i]) == (mine ? n_items(i, 'm') : 0) &&
           n_below(txn, DB_TASKS_BY_CONTACT, model.ids[i]) == (mine ? n_items(i, 't') : 0);
}

static int count_wrong(void)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    int n_wrong = 0;

    if (db_read_begin(db, &txn) < 0)
        return -1;
    for (int i = 0; i < model.n_contacts; i++)
        n_wrong += !check_contact(txn, i);
    for (int i = 0; i < N_ADDRESSES; i++) {
        char id[CONTACT_ID_MAX];
        int r = crm_contact_id_of(txn, address(i), id), owner = model.owner[i];

        if (owner < 0 && model.same_as[i] >= 0)
            owner = model.owner[model.same_as[i]];
        n_wrong += owner < 0 ? r != -ENOENT : r < 0 || strcmp(id, model.ids[owner]) != 0;
    }
    return n_wrong;
}

/* --- merged and parted again: not a byte differs */

struct hash {
    uint64_t sum;
};

static int hash_row(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct hash *hash = arg;

    for (size_t i = 0; i < key.n; i++)
        hash->sum = (hash->sum ^ ((const uint8_t *)key.data)[i]) * 0x100000001b3;
    for (size_t i = 0; i < value.n; i++)
        hash->sum = (hash->sum ^ ((const uint8_t *)value.data)[i]) * 0x100000001b3;
    return 0;
}

static uint64_t hash_store(void)
{
    static const enum db_table tables[] = { DB_CALLS, DB_CALLS_BY_TIME, DB_CALLS_BY_CONTACT, DB_CONTACTS, DB_CONTACT_BY_ADDRESS,
                                            DB_MESSAGES, DB_MESSAGES_BY_CONTACT, DB_UNREAD, DB_NOTES, DB_TASKS, DB_TASKS_BY_CONTACT,
                                            DB_TASKS_BY_DUE, DB_TIMELINE };
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct hash hash = { 0xcbf29ce484222325 };

    if (db_read_begin(db, &txn) < 0)
        return 0;
    for (size_t i = 0; i < ELEMENTSOF(tables); i++)
        (void)db_each(txn, tables[i], nothing, nothing, DB_UP, hash_row, &hash);
    return hash.sum;
}

static bool there_and_back(void)
{
    int a = root(pick(model.n_contacts)), b = root(pick(model.n_contacts));
    struct act merge = { .verb = MERGE, .a = a, .b = b }, crossed = { .verb = MERGE, .a = b, .b = a }, part = { .verb = PART, .a = b };
    uint64_t before = hash_store(), between;

    if (a == b)
        return true;
    if (act(&merge) != 0)
        return false;
    between = hash_store();
    bool good = act(&merge) == 1 && act(&crossed) == 1 && hash_store() == between && act(&part) == 0 && hash_store() == before &&
                act(&part) == -EALREADY;
    model.parted[a][b] = model.parted[b][a] = true;
    return good;
}

static void test_lives(unsigned seed)
{
    int n_wrong_steps = 0, n_wrong = 0, n_not_back = 0;

    printf("# seed %u\n", seed);
    srand(seed);
    for (int life = 0; life < N_LIVES; life++) {
        struct db_options options = { .path = scratch_file("life"), .map_mib = 64 };
        char name[32];

        snprintf(name, sizeof(name), "life%d", life);
        options.path = scratch_file(name);
        if (db_open(&options, &db) < 0)
            return (void)ok(0, "a store");
        reset_model();
        for (int i = 0; i < N_OPS; i++) {
            n_wrong_steps += !step();
            if (i % 20 == 19) {
                n_wrong += count_wrong();
                n_not_back += !there_and_back();
            }
        }
        db_close(steal(&db));
    }
    is_int(n_wrong_steps, 0, "every step says what the model says");
    is_int(n_wrong, 0, "everybody has what is his, in order, and nobody else has");
    is_int(n_not_back, 0, "merged twice, crossed and parted: the store is as it was, to the byte");
}

/* --- rows: by hand */

static struct contact *read_contact(const char *id)
{
    static struct contact contact;
    scoped(db_read_end) struct db_txn *txn = NULL;

    contact_done(&contact);
    contact = (struct contact){ 0 };
    if (db_read_begin(db, &txn) < 0 || crm_contact_get(txn, id, &contact) < 0)
        printf("# there is no contact %s\n", id);
    return &contact;
}

struct edit_op {
    struct db_op op;
    const char *id, *json, *address;
    char ret_id[CONTACT_ID_MAX];
    bool drops;
};

static int run_edit(struct db_txn *txn, struct db_op *op)
{
    struct edit_op *this = (struct edit_op *)op;
    scoped(json_object_put) struct json_object *json = NULL;

    if (this->address && this->id)
        return this->drops ? crm_contact_drop_address(txn, this->id, this->address, "972", now_ms)
                           : crm_contact_add_address(txn, this->id, this->address, "972", now_ms);
    (void)json_parse(this->json, strlen(this->json), &json);
    struct contact_edit edit = { .name = json_get_text(json, "name"),
                                 .stage = json_get_text(json, "stage") ? contact_stage_parse(json_get_text(json, "stage")) : -1,
                                 .fields = json_object_object_get(json, "fields"),
                                 .tags = json_object_object_get(json, "tags"),
                                 .no_tags = json_object_object_get(json, "no_tags") };
    return this->id ? crm_contact_edit(txn, this->id, &edit, now_ms)
                    : crm_contact_make(txn, this->address, "972", &edit, now_ms, this->ret_id);
}

static int edit(struct edit_op *this)
{
    this->op = (struct db_op){ .run = run_edit, .what = "an edit" };
    now_ms++;
    return db_write(db, &this->op);
}

static const char *shown(const char *id)
{
    static char text[1024];
    const struct contact *contact = read_contact(id);

    snprintf(text, sizeof(text), "%s|%s|%s|%s|%s|%s", contact->name, contact_stage_name(contact->stage),
             json_print(contact->fields, NULL), contact->tags ? json_print(contact->tags, NULL) : "",
             contact->addresses ? json_print(contact->addresses, NULL) : "",
             contact->others ? json_print(contact->others, NULL) : "");
    return text;
}

static int do_pair(enum verb verb, const char *a, const char *b)
{
    struct act pair = { .verb = verb, .a = 0, .b = 1 };

    strcpy(model.ids[0], a);
    strcpy(model.ids[1], b ?: "");
    return act(&pair);
}

static void test_by_hand(void)
{
    struct db_options options = { .path = scratch_file("hand"), .map_mib = 64 };
    struct edit_op dana = { .json = "{\"name\":\"Dana\",\"stage\":\"won\",\"fields\":{\"city\":\"Haifa\"},\"tags\":[\"vip\"]}", .address = "050-123 4567" };
    struct edit_op lid = { .json = "{\"name\":\"D\",\"fields\":{\"city\":\"Akko\",\"pet\":\"cat\"},\"tags\":[\"new\"]}", .address = "777@lid" };
    struct edit_op none = { .json = "{}", .address = "anonymous" }, nobody = { .json = "{}", .address = "" };

    if (db_open(&options, &db) < 0)
        return (void)ok(0, "a store");
    is_int(edit(&dana), 0, "a contact by hand");
    is_str(shown(dana.ret_id), "Dana|won|{\"city\":\"Haifa\"}|[\"vip\"]|[\"+972501234567\"]|", "is as he was written down");
    char id[CONTACT_ID_MAX];
    strcpy(id, dana.ret_id);
    is_int(edit(&dana), 1, "the same number again is the same contact");
    is_str(dana.ret_id, id, "  whose id is said");
    is_int(edit(&none), -EINVAL, "no address is refused");
    is_int(edit(&nobody), 0, "a contact without an address");
    is_int(edit(&lid), 0, "another by an id of WhatsApp's");

    struct edit_op add = { .id = id, .address = "777:4@lid" };
    is_int(edit(&add), 0, "that address is the first one's: they are merged");
    is_str(shown(lid.ret_id), "D|won|{\"city\":\"Akko\",\"pet\":\"cat\"}|[\"vip\",\"new\"]|[\"+972501234567\",\"777@lid\"]|"
                              "{\"name\":[\"Dana\"],\"city\":[\"Haifa\"]}",
           "the later values count, the earlier ones stay visible");
    is_int(edit(&add), 1, "once is enough");

    struct edit_op change = { .id = lid.ret_id, .json = "{\"name\":\"Dana C\",\"fields\":{\"pet\":null},\"no_tags\":[\"new\"],\"tags\":[\"old\"]}" };
    is_int(edit(&change), 0, "a change by hand");
    is_str(shown(id), "Dana C|won|{\"city\":\"Akko\"}|[\"vip\",\"old\"]|[\"+972501234567\",\"777@lid\"]|{\"name\":[\"D\"],\"city\":[\"Haifa\"],\"pet\":[\"cat\"]}",
           "wins over both, takes away what only the other had");
    is_int(edit(&change), 1, "a second time changes nothing");
    is_int(do_pair(PART, lid.ret_id, NULL), 0, "they are parted");
    is_str(shown(lid.ret_id), "D|new|{\"city\":\"Akko\",\"pet\":\"cat\"}|[\"new\"]|[\"777@lid\"]|", "the other has what was his");
    is_str(shown(id), "Dana C|won|{\"city\":\"Haifa\"}|[\"vip\",\"old\"]|[\"+972501234567\"]|", "and this one what was written down");
    is_int(do_pair(MERGE, id, "C nobody"), -ENOENT, "nobody cannot be merged");
    is_int(do_pair(MERGE, id, id), 1, "somebody with himself is one already");

    struct edit_op drop = { .id = id, .address = "0501234567", .drops = true };
    is_int(edit(&drop), 0, "an address is taken away");
    is_int(edit(&drop), -ENOENT, "once");
    struct edit_op again = { .json = "{}", .address = "+972501234567" };
    is_int(edit(&again), 0, "and is free for another");
    db_close(steal(&db));
}

/* --- finding */

static const struct {
    const char *json, *address, *note;
} found[] = {
    { "{\"name\":\"Dana Cohen\",\"fields\":{\"need\":\"a new boiler\"},\"tags\":[\"vip\"]}", "+972501234567", NULL },
    { "{\"name\":\"\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd \u05db\u05d4\u05df\",\"stage\":\"won\"}", "+97231112222", "asked about the BOILER twice" },
    { "{\"name\":\"Ren\u00e9e d'Arc\",\"stage\":\"won\",\"tags\":[\"vip\",\"fr\"]}", "+33612345678", NULL },
    { "{\"fields\":{\"need\":\"dancing lessons\"}}", "98765432@lid", NULL },
};

static char found_ids[ELEMENTSOF(found)][CONTACT_ID_MAX];

/* Numbers of `found`, newest first. */
static const char *which(struct json_object *array)
{
    static char text[16];
    size_t n = 0;

    for (size_t i = 0; i < json_object_array_length(array); i++)
        for (size_t k = 0; k < ELEMENTSOF(found); k++)
            if (strcmp(json_get_text(json_object_array_get_idx(array, i), "id"), found_ids[k]) == 0)
                text[n++] = (char)('0' + k);
    text[n] = '\0';
    return text;
}

static const struct {
    const char *text, *want; /* NULL: refused */
} searches[] = {
    { "dana", "0" },
    { "dan", "30" },
    { "COHEN, dana", "0" },
    { "dana lessons", "" },
    { "boiler", "10" },
    { "boil new", "0" },
    { "\u05e9\u05dc\u05d5\u05dd", "1" },
    { "\u05e9\u05dc\u05d5\u05de", "1" },
    { "\u05db\u05d4\u05df boiler", "1" }, /* his name, and a note */
    { "renee darc", "2" },
    { "123", "20" },
    { "050-123", "0" },
    { "1234567", "20" },
    { "501234567", "0" },
    { "+972 (0)50 123 4567", "0" },
    { "972", "10" },
    { "3 111-2222", "1" },
    { "987", "3" },
    { "765", "" }, /* of what is no number only the beginning */
    { "999", "" },
    { "12", NULL },
    { "", NULL },
    { " .,", NULL },
};

static const char *search(const char *text)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    scoped(json_object_put) struct json_object *array = NULL;
    char cursor[CONTACT_ID_MAX];
    bool is_cut;

    if (db_read_begin(db, &txn) < 0 || crm_contacts_search(txn, text, "972", "", 10, &array, cursor, &is_cut) < 0)
        return NULL;
    return is_cut || cursor[0] ? "cut" : which(array);
}

static const struct {
    int stage;
    const char *tag, *want;
} lists[] = { { -1, NULL, "3210" }, { STAGE_WON, NULL, "21" }, { STAGE_NEW, NULL, "30" }, { -1, "vip", "20" },
              { STAGE_WON, "vip", "2" }, { -1, "none", "" } };

/* All pages of size n, joined. */
static const char *list(const struct contact_filter *filter, size_t n)
{
    static char text[32];
    char cursor[CONTACT_ID_MAX] = "";

    text[0] = '\0';
    do {
        scoped(db_read_end) struct db_txn *txn = NULL;
        scoped(json_object_put) struct json_object *array = NULL;
        char before[CONTACT_ID_MAX];

        memcpy(before, cursor, sizeof(before));
        if (db_read_begin(db, &txn) < 0 || crm_contacts_list(txn, filter, before, n, &array, cursor) < 0)
            return "failed";
        if (json_object_array_length(array) > n)
            return "too many";
        strcat(text, which(array));
    } while (cursor[0] && strlen(text) < 16);
    return text;
}

static int add_found_note(struct db_txn *txn, struct db_op *op)
{
    scoped(note_done) struct note note = { .text = strdup(found[1].note) };

    strcpy(note.contact_id, found_ids[1]);
    return crm_note_add(txn, &note, now_ms);
}

static int drop_found_note(struct db_txn *txn, struct db_op *op)
{
    scoped(json_object_put) struct json_object *array = NULL;
    char cursor[TIMELINE_CURSOR_MAX];
    int r = crm_timeline_page(txn, found_ids[1], "n", "", 1, &array, cursor);

    if (r < 0)
        return r;
    struct json_object *note = json_object_object_get(json_object_array_get_idx(array, 0), "note");
    r = crm_note_edit(txn, json_get_text(note, "id"), "only pipes", now_ms);
    return r < 0 ? r : crm_note_edit(txn, json_get_text(note, "id"), "only taps", now_ms);
}

static void test_finding(void)
{
    struct db_options options = { .path = scratch_file("finding"), .map_mib = 64 };
    struct db_op note = { .run = add_found_note }, edited = { .run = drop_found_note };

    if (db_open(&options, &db) < 0)
        return (void)ok(0, "a store");
    for (size_t i = 0; i < ELEMENTSOF(found); i++) {
        struct edit_op make = { .json = found[i].json, .address = found[i].address };
        is_int(edit(&make), 0, found[i].address);
        strcpy(found_ids[i], make.ret_id);
    }
    is_int(db_write(db, &note), 0, "a note");
    for (size_t i = 0; i < ELEMENTSOF(searches); i++)
        is_str(search(searches[i].text), searches[i].want, searches[i].text);
    for (size_t i = 0; i < ELEMENTSOF(lists); i++)
        for (size_t n = 1; n < 6; n += 2)
            is_str(list(&(struct contact_filter){ lists[i].stage, lists[i].tag }, n), lists[i].want, "a list, page by page");

    is_int(db_write(db, &edited), 0, "the note says something else");
    is_str(search("boiler"), "0", "and is not found by what it said");
    is_str(search("taps"), "1", "but by what it says");
    is_int(do_pair(MERGE, found_ids[0], found_ids[2]), 0, "two are merged");
    is_str(search("renee"), "0", "the one is found by the other's name");
    is_str(search("dana 1"), "", "all words count");
    is_str(search("123"), "0", "once, whichever of his numbers it is");
    is_str(list(&(struct contact_filter){ STAGE_WON, NULL }, 9), "10", "in the stage that was set last");
    is_str(list(&(struct contact_filter){ -1, "fr" }, 9), "0", "with the tags of both");
    is_int(do_pair(PART, found_ids[2], NULL), 0, "and parted");
    is_str(search("renee"), "2", "everybody has his name again");
    is_str(list(&(struct contact_filter){ STAGE_WON, NULL }, 9), "21", "and his stage");
    db_close(steal(&db));
}

/* --- a name that more have than are looked at */

static char many_ids[2][CONTACT_ID_MAX]; /* the first of them and the last */

static int add_many(struct db_txn *txn, struct db_op *op)
{
    char number[ADDRESS_MAX], unused[CONTACT_ID_MAX];
    int r = 0;

    for (int i = 0; i <= SEARCH_ROWS_MAX + 1 && r == 0; i++) {
        bool is_longer = i > SEARCH_ROWS_MAX;
        struct contact_edit edit = { .name = is_longer ? "Danaya" : "Dana", .stage = -1 };
        char *id = is_longer ? unused : many_ids[i > 0];
        snprintf(number, sizeof(number), "+97250%07d", i);
        r = crm_contact_make(txn, number, "972", &edit, now_ms + (uint64_t)i, id);
    }
    return r < 0 ? r : 0;
}

static void test_many(void)
{
    struct db_options options = { .path = scratch_file("many"), .map_mib = 64 };
    struct db_op many = { .run = add_many };
    scoped(json_object_put) struct json_object *array = NULL;
    scoped(db_read_end) struct db_txn *txn = NULL;
    char cursor[CONTACT_ID_MAX];
    bool is_cut = false;

    if (db_open(&options, &db) < 0)
        return (void)ok(0, "a store");
    is_int(db_write(db, &many), 0, "one more has the name than are looked at, and somebody a longer one");
    is_int(db_read_begin(db, &txn), 0, "a read");
    is_int(crm_contacts_search(txn, "dana", "972", "", SEARCH_ROWS_MAX, &array, cursor, &is_cut), 0, "the name is looked for");
    ok(is_cut, "not all are looked at");
    is_int((int)json_object_array_length(array), SEARCH_ROWS_MAX, "but as many as may be");
    is_str(json_get_text(json_object_array_get_idx(array, 0), "id"), many_ids[1], "the newest of just that name first");
    is_str(json_get_text(json_object_array_get_idx(array, SEARCH_ROWS_MAX - 1), "name"), "Dana", "and none of a longer one");
    db_read_end(steal(&txn));
    db_close(steal(&db));
}

/* --- the timeline, page by page */

static void test_timeline(void)
{
    struct db_options options = { .path = scratch_file("timeline"), .map_mib = 64 };
    int n_same = 0, n_items_seen = 0;

    reset_model();
    srand(7);
    if (db_open(&options, &db) < 0)
        return (void)ok(0, "a store");
    for (int i = 0; i < 300; i++)
        (void)step();
    for (int i = 0; i < model.n_contacts; i++)
        for (size_t n = 1; n < 50; n += 7) {
            char cursor[TIMELINE_CURSOR_MAX] = "";
            uint64_t last_ms = UINT64_MAX;
            int n_seen = 0, n_rounds = 0;

            do {
                scoped(db_read_end) struct db_txn *txn = NULL;
                scoped(json_object_put) struct json_object *array = NULL;
                char before[TIMELINE_CURSOR_MAX];

                memcpy(before, cursor, sizeof(before));
                if (db_read_begin(db, &txn) < 0 || crm_timeline_page(txn, model.ids[i], "", before, n, &array, cursor) < 0)
                    break;
                for (size_t k = 0; k < json_object_array_length(array); k++) {
                    struct json_object *item = json_object_array_get_idx(array, k);
                    uint64_t ms = (uint64_t)json_get_int(item, "at_ms");
                    bool is_whole = json_object_object_get(item, json_get_text(item, "kind"));
                    n_seen += is_whole && ms <= last_ms;
                    last_ms = ms;
                }
            } while (cursor[0] && ++n_rounds < 500);
            n_same += n_seen == n_items(root(i), 0);
            n_items_seen++;
        }
    is_int(n_same, n_items_seen, "a timeline has each item once, newest first, whatever the size of a page");
    db_close(steal(&db));
}

static const char *const bad_cursors[] = { "x", "1", "1.", "1.c", "1.c.", "1.x.CA1", "1.c.CA1\n", "-.c.CA1" };

static void test_bad_cursors(void)
{
    struct db_options options = { .path = scratch_file("timeline"), .map_mib = 64 };
    scoped(db_read_end) struct db_txn *txn = NULL;
    char timeline[TIMELINE_CURSOR_MAX], contact[CONTACT_ID_MAX], task[TASK_CURSOR_MAX];
    struct json_object *array;
    bool is_cut;

    if (db_open(&options, &db) < 0 || db_read_begin(db, &txn) < 0)
        return (void)ok(0, "a store");
    for (size_t i = 0; i < ELEMENTSOF(bad_cursors); i++)
        is_int(crm_timeline_page(txn, model.ids[0], "", bad_cursors[i], 5, &array, timeline), -EINVAL, bad_cursors[i]);
    is_int(crm_timeline_page(txn, "Cnobody", "", "", 5, &array, timeline), -ENOENT, "nobody has no timeline");
    is_int(crm_timeline_page(txn, "", "", "", 5, &array, timeline), -ENOENT, "nor has no id");
    is_int(crm_contacts_list(txn, &(struct contact_filter){ -1, NULL }, "a.b", 5, &array, contact), -EINVAL, "a bad cursor of a list");
    is_int(crm_contacts_search(txn, "a", "", "a b", 5, &array, contact, &is_cut), -EINVAL, "of a search");
    is_int(crm_tasks_page(txn, UINT64_MAX, "5", 5, &array, task), -EINVAL, "of the tasks");
    db_read_end(steal(&txn));
    db_close(steal(&db));
}

/* --- a promised call back */

/* "text due state kind phone;" of each */
static const char *tasks(uint64_t due_ms, const char *cursor, size_t max, char ret_cursor[TASK_CURSOR_MAX])
{
    static char text[1024];
    scoped(db_read_end) struct db_txn *txn = NULL;
    scoped(json_object_put) struct json_object *array = NULL;

    text[0] = '\0';
    if (db_read_begin(db, &txn) < 0 || crm_tasks_page(txn, due_ms, cursor, max, &array, ret_cursor) < 0)
        return "failed";
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        struct json_object *task = json_object_array_get_idx(array, i);
        size_t n = strlen(text);
        snprintf(text + n, sizeof(text) - n, "%s %lld %s %s;", json_get_text(task, "text") ?: "", (long long)json_get_int(task, "due_ms"),
                 json_get_text(task, "kind"), json_get_text(task, "phone"));
    }
    return text;
}

struct task_op {
    struct db_op op;
    const struct task_edit *edit;
    char id[CONTACT_ID_MAX];
};

static int find_first(struct db_txn *txn, char ret_id[CONTACT_ID_MAX])
{
    scoped(json_object_put) struct json_object *array = NULL;
    char cursor[TASK_CURSOR_MAX];
    int r = crm_tasks_page(txn, UINT64_MAX, "", 1, &array, cursor);

    if (r == 0)
        strcpy(ret_id, json_get_text(json_object_array_get_idx(array, 0), "id") ?: "");
    return r;
}

static int edit_first(struct db_txn *txn, struct db_op *op)
{
    struct task_op *this = (struct task_op *)op;
    int r = find_first(txn, this->id);

    return r < 0 ? r : crm_task_edit(txn, this->id, this->edit, now_ms);
}

static int add_tasks(struct db_txn *txn, struct db_op *op)
{
    static const struct {
        const char *text;
        uint64_t due_ms;
    } rows[] = { { "third", 3000 }, { "first", 1000 }, { "some day", 0 }, { "second", 2000 } };
    char id[CONTACT_ID_MAX];
    int r = crm_contact_id_of(txn, "+972501110000", id);

    for (size_t i = 0; r == 0 && i < ELEMENTSOF(rows); i++) {
        scoped(task_done) struct task task = { .text = strdup(rows[i].text), .due_ms = rows[i].due_ms };
        strcpy(task.contact_id, id);
        r = crm_task_add(txn, &task, now_ms);
    }
    return r;
}

static const struct {
    const char *field, *value, *want; /* the tasks there are then */
} promises[] = {
    { "callback", "+972509999999", "" },
    { "callback_at", "2026-11-23T10:00+02:00", " 1795420800000 callback +972509999999;" },
    { "callback_about", "the boiler", "the boiler 1795420800000 callback +972509999999;" },
    { "callback_at", "2026-11-23T11:00+02:00", "the boiler 1795424400000 callback +972509999999;" },
    { "callback_at", "tomorrow", "the boiler 1795424400000 callback +972509999999;" },
    { "callback", "+972508888888", "the boiler 1795424400000 callback +972509999999;" },
    { "callback_at", "2026-11-23T12:00+02:00", "the boiler 1795428000000 callback +972508888888;" },
};

static void test_tasks(void)
{
    struct db_options options = { .path = scratch_file("tasks"), .map_mib = 64 };
    struct act call = { .verb = CALL, .sid = "CA1" }, learning = { .verb = LEARN, .sid = "CA1" };
    char cursor[TASK_CURSOR_MAX], before[TASK_CURSOR_MAX];

    reset_model();
    if (db_open(&options, &db) < 0)
        return (void)ok(0, "a store");
    is_int(act(&call), 0, "a call");
    for (size_t i = 0; i < ELEMENTSOF(promises); i++) {
        learning.field = promises[i].field;
        learning.value = promises[i].value;
        is_int(act(&learning), 0, promises[i].value);
        is_str(tasks(UINT64_MAX, "", 9, cursor), promises[i].want, "  the task that follows");
    }
    struct task_op done = { .op.run = edit_first, .edit = &(struct task_edit){ .state = TASK_DONE } };
    is_int(db_write(db, &done.op), 0, "it is done");
    is_str(tasks(UINT64_MAX, "", 9, cursor), "", "and owed no more");
    learning.value = "2026-11-24T12:00+02:00";
    is_int(act(&learning), 0, "another promise in the same call");
    is_str(tasks(UINT64_MAX, "", 9, cursor), "the boiler 1795514400000 callback +972508888888;", "is another task");
    done.edit = &(struct task_edit){ .state = TASK_CANCELED };
    is_int(db_write(db, &done.op), 0, "which is canceled");

    struct db_op four = { .run = add_tasks };
    is_int(db_write(db, &four), 0, "four tasks");
    is_str(tasks(UINT64_MAX, "", 9, cursor), "first 1000 other ;second 2000 other ;third 3000 other ;some day 0 other ;", "by date");
    is_str(tasks(2500, "", 9, cursor), "first 1000 other ;second 2000 other ;", "those that are overdue");
    is_str(tasks(UINT64_MAX, "", 3, cursor), "first 1000 other ;second 2000 other ;third 3000 other ;", "a page");
    is_str(tasks(UINT64_MAX, strcpy(before, cursor), 3, cursor), "some day 0 other ;", "and the next");
    is_str(cursor, "", "  which is the last");
    done.edit = &(struct task_edit){ .state = -1, .text = "later", .sets_due = true, .due_ms = 2500 };
    is_int(db_write(db, &done.op), 0, "one is put off");
    is_int(db_write(db, &done.op), 0, "so is the next");
    is_str(tasks(2600, "", 9, cursor), "later 2500 other ;later 2500 other ;", "they are where they belong");
    done.edit = &(struct task_edit){ .state = -1, .text = "" };
    is_int(db_write(db, &done.op), -EINVAL, "a task of nothing");
    db_close(steal(&db));
}

int main(int argc, char **argv)
{
    reset_model();
    test_by_hand();
    test_finding();
    test_many();
    test_timeline();
    test_bad_cursors();
    test_tasks();
    test_lives(argc > 1 ? (unsigned)atoi(argv[1]) : 1);
    return done_testing();
}
