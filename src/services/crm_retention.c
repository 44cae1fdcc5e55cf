/*
 * crm_retention.c - what is kept long enough is forgotten
 *
 *   meta  "retained audio", "retained media"  -> the last key that was looked at
 *
 * Calls are walked by their time, messages and contacts by their ids, which begin with it, so that a walk ends where the
 * young ones begin. Where rows stay (a call without its sound, a message without its files), the place is remembered; the
 * other walks meet what is left alone again, which is little. Contacts are all looked at, by reading.
 *
 * What was found is looked at again in the transaction that forgets it: meanwhile it may have become somebody's again.
 */
#include "services/crm_retention.h"

#include <errno.h>
#include <stdlib.h>

#include <json-c/json.h>

#include "config.h"
#include "services/crm_contacts.h"
#include "services/crm_erase.h"
#include "services/crm_links.h"
#include "services/crm_store.h"
#include "services/jobs.h"
#include "services/store_row.h"
#include "services/trash.h"
#include "utils/clock.h"
#include "utils/json.h"

enum { FOUND_MAX = 16, LOOKED_AT_MAX = 512, TURNS_AT_ONCE = 64, YOUNG = 1, FULL = 2 };

#define DAY_MS ((uint64_t)24 * 3600 * 1000)

/* --- what is old: 1 it is, 0 it is to be left alone, YOUNG_ROW all behind it are younger */

enum { LEAVE = 0, OLD = 1, YOUNG_ROW = 2 };

static int has_audio(struct json_object *json, void *arg)
{
    return (json_get_text(json, "audio") ?: "")[0] != '\0';
}

static int audio_is_old(struct db_txn *txn, const char *sid, uint64_t before_ms)
{
    int r = store_call_is_open(txn, sid);

    return r ? (r < 0 ? r : LEAVE) : store_each_turn(txn, sid, has_audio, NULL);
}

static int call_is_old(struct db_txn *txn, const char *sid, uint64_t before_ms)
{
    int r = store_call_is_open(txn, sid);

    return r < 0 ? r : !r;
}

static int message_is_old(struct db_txn *txn, const char *id, uint64_t before_ms)
{
    scoped(message_release) struct message message = { 0 };
    struct job job;
    int r = store_get_message(txn, id, &message);

    if (r < 0)
        return r == -ENOENT ? LEAVE : r;
    if (message.created_ms >= before_ms)
        return YOUNG_ROW;
    r = message.job_id ? jobs_get_over(txn, message.job_id, &job) : 0;
    return r == -ENOENT ? LEAVE : r < 0 ? r : OLD;
}

static int media_is_old(struct db_txn *txn, const char *id, uint64_t before_ms)
{
    scoped(message_release) struct message message = { 0 };
    int r = store_get_message(txn, id, &message);

    if (r < 0)
        return r == -ENOENT ? LEAVE : r;
    if (message.created_ms >= before_ms)
        return YOUNG_ROW;
    return message.media && json_object_array_length(message.media) ? OLD : LEAVE;
}

static int is_one(struct db_bytes key, struct db_bytes value, void *arg)
{
    return 1;
}

static int contact_is_old(struct db_txn *txn, const char *id, uint64_t before_ms)
{
    static const enum db_table tables[] = { DB_TIMELINE, DB_TASKS_BY_CONTACT };
    scoped(contact_done) struct contact contact = { 0 };
    struct key below = key_below(id);
    int r = crm_contact_get(txn, id, &contact);

    if (r < 0)
        return r == -ENOENT ? LEAVE : r;
    if (strcmp(contact.id, id) != 0 || contact.updated_ms >= before_ms)
        return LEAVE;
    for (size_t i = 0; r == 0 && i < ELEMENTSOF(tables); i++)
        r = db_each(txn, tables[i], key_bytes(&below), nothing, DB_UP, is_one, NULL);
    return r < 0 ? r : !r;
}

/* --- forgetting. Returns: 1 there is more of it. */

struct quietening {
    struct db_txn *txn;
    const char *sid;
    struct {
        uint32_t n;
        struct turn turn;
    } turns[FOUND_MAX];
    size_t n;
};

static int take_turn(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct quietening *quietening = arg;
    scoped(json_object_put) struct json_object *json = NULL;
    int r = json_parse(value.data, value.n, &json);

    if (r < 0 || !has_audio(json, NULL))
        return r == -EBADMSG ? 0 : r;
    if (quietening->n == FOUND_MAX)
        return FULL;
    if (turn_from_json(json, &quietening->turns[quietening->n].turn) < 0)
        return 0;
    quietening->turns[quietening->n].turn.audio[0] = '\0';
    quietening->turns[quietening->n++].n = (uint32_t)key_number((const char *)key.data + key.n - 4, 4);
    return 0;
}

static int forget_audio(struct db_txn *txn, const char *sid, uint64_t now_ms)
{
    struct quietening *quietening = calloc(1, sizeof(*quietening));
    struct key below = { 0 };
    int r = quietening ? trash_add(txn, TRASH_RECORDINGS, sid) : -ENOMEM;

    key_add_bytes(&below, sid, strlen(sid) + 1);
    if (r == 0)
        r = db_each(txn, DB_TURNS, key_bytes(&below), nothing, DB_UP, take_turn, quietening);
    for (size_t i = 0; r >= 0 && i < quietening->n; i++) {
        int put = store_put_turn(txn, sid, quietening->turns[i].n, &quietening->turns[i].turn);
        r = put < 0 ? put : r;
    }
    free(quietening);
    return r < 0 ? r : r == FULL;
}

static int forget_call(struct db_txn *txn, const char *sid, uint64_t now_ms)
{
    scoped(call_done) struct call call = { 0 };
    int r = store_delete_turns(txn, sid, TURNS_AT_ONCE);

    if (r == 0)
        r = store_get_call(txn, sid, &call);
    else if (r > 0)
        return 1;
    return r < 0 ? r : crm_forget_call(txn, &call, now_ms);
}

static int forget_message(struct db_txn *txn, const char *id, uint64_t now_ms)
{
    scoped(message_release) struct message message = { 0 };
    int r = store_get_message(txn, id, &message);

    return r < 0 ? r : crm_forget_message(txn, &message, now_ms);
}

/* Of each file stays what it was. */
static int forget_media(struct db_txn *txn, const char *id, uint64_t now_ms)
{
    scoped(message_release) struct message message = { 0 };
    scoped(json_object_put) struct json_object *types = json_object_new_array();
    int r = types ? store_get_message(txn, id, &message) : -ENOMEM;

    for (size_t i = 0; r == 0 && i < json_object_array_length(message.media); i++) {
        struct json_object *left = json_object_new_object();
        const char *type = json_get_text(json_object_array_get_idx(message.media, i), "type") ?: "";
        r = json_append(types, left);
        if (r == 0)
            r = json_add(left, "type", json_text(type, strlen(type)));
        if (r == 0)
            r = json_add(left, "gone_ms", json_object_new_uint64(now_ms));
    }
    if (r < 0)
        return r;
    json_object_put(message.media);
    message.media = json_object_get(types);
    r = trash_add(txn, TRASH_MEDIA, id);
    if (r == 0)
        r = store_put_message(txn, &message);
    return r < 0 ? r : 0;
}

/* As if erased; but of somebody who has nothing left, a receipt would be all there is. */
static int forget_contact(struct db_txn *txn, const char *id, uint64_t now_ms)
{
    char key[ERASURE_KEY_TEXT], receipt[CONTACT_ID_MAX];

    erasure_make_key(key);
    int r = crm_erase_begin(txn, &(struct crm_erase){ id, "retention", key, now_ms }, receipt);
    if (r == 0)
        r = crm_erase_step(txn, receipt, now_ms);
    if (r == 0)
        r = row_drop(txn, DB_ERASURES, text_bytes(receipt));
    return r < 0 ? r : 0;
}

static const struct row {
    const char *name;
    enum db_table table;
    bool by_time; /* keys are be64 ms, id; otherwise ids */
    const char *place; /* where in DB_META it is remembered how far it is; NULL nowhere */
    int (*is_old)(struct db_txn *txn, const char *id, uint64_t before_ms);
    int (*forget)(struct db_txn *txn, const char *id, uint64_t now_ms);
} rows[RETAIN_N_KINDS] = {
    [RETAIN_AUDIO] = { "audio", DB_CALLS_BY_TIME, true, "retained audio", audio_is_old, forget_audio },
    [RETAIN_MEDIA] = { "media", DB_MESSAGES, false, "retained media", media_is_old, forget_media },
    [RETAIN_MESSAGES] = { "messages", DB_MESSAGES, false, NULL, message_is_old, forget_message },
    [RETAIN_CALLS] = { "calls", DB_CALLS_BY_TIME, true, NULL, call_is_old, forget_call },
    [RETAIN_CONTACTS] = { "contacts", DB_CONTACTS, false, NULL, contact_is_old, forget_contact },
};

const char *retention_name(enum retention_kind kind)
{
    return rows[kind].name;
}

void retention_days(const struct config *config, uint32_t ret_days[RETAIN_N_KINDS])
{
    ret_days[RETAIN_AUDIO] = (uint32_t)config->retain_audio_days;
    ret_days[RETAIN_MEDIA] = (uint32_t)config->retain_media_days;
    ret_days[RETAIN_MESSAGES] = (uint32_t)config->retain_messages_days;
    ret_days[RETAIN_CALLS] = (uint32_t)config->retain_calls_days;
    ret_days[RETAIN_CONTACTS] = (uint32_t)config->retain_contacts_days;
}

/* --- looking */

struct work {
    struct db_op op; /* first */
    const struct row *row;
    struct db_txn *txn;
    uint64_t before_ms, now_ms;
    struct key from; /* the last one that was looked at */
    char ids[FOUND_MAX][SID_MAX];
    size_t n, n_looked_at;
    size_t n_begun, n_done; /* of ids: by writes before this one; by this one, too */
};

static int look(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct work *work = arg;
    size_t n_before = work->row->by_time ? 8 : 0, n = key.n - n_before;
    char id[SID_MAX];

    if (key.n == work->from.n && memcmp(key.data, work->from.bytes, key.n) == 0)
        return 0;
    if (key.n <= n_before || n >= sizeof(id))
        return -EUCLEAN;
    if (work->row->by_time && key_number(key.data, 8) >= work->before_ms)
        return YOUNG;
    if (work->n == FOUND_MAX || work->n_looked_at++ == LOOKED_AT_MAX)
        return FULL;
    memcpy(id, (const char *)key.data + n_before, n);
    id[n] = '\0';
    int r = work->row->is_old(work->txn, id, work->before_ms);
    if (r < 0 && r != -EUCLEAN) /* what cannot be read is not judged */
        return r;
    if (r == YOUNG_ROW)
        return YOUNG;
    if (r == OLD)
        memcpy(work->ids[work->n++], id, n + 1);
    work->from = (struct key){ 0 };
    key_add_bytes(&work->from, key.data, key.n);
    return 0;
}

/* Returns: 1 there may be more. */
static int find(struct db *db, struct work *work)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    int r = db_read_begin(db, &txn);

    work->n = work->n_looked_at = 0;
    if (r < 0)
        return r;
    work->txn = txn;
    r = db_each(txn, work->row->table, nothing, key_bytes(&work->from), DB_UP, look, work);
    return r < 0 ? r : r == FULL;
}

static int take_place(struct db *db, struct work *work)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct db_bytes value = { 0 };
    int r = work->row->place ? db_read_begin(db, &txn) : -ENOENT;

    if (r == 0)
        r = db_get(txn, DB_META, text_bytes(work->row->place), &value);
    if (r == 0)
        key_add_bytes(&work->from, value.data, value.n);
    return r == -ENOENT ? 0 : r;
}

/* --- writing */

static int run(struct db_txn *txn, struct db_op *op)
{
    struct work *work = (struct work *)op;
    int r = 0;

    for (work->n_done = work->n_begun; r == 0 && work->n_done < work->n; work->n_done += r == 0) {
        const char *id = work->ids[work->n_done];
        r = work->row->is_old(txn, id, work->before_ms);
        r = r == OLD ? work->row->forget(txn, id, work->now_ms) : r < 0 ? r : 0;
    }
    if (r == 0 && work->row->place && work->from.n)
        r = db_put(txn, DB_META, text_bytes(work->row->place), key_bytes(&work->from));
    return r;
}

static bool goes_on(const struct crm_retention *retention, uint64_t began_ms)
{
    return !retention->go_on || retention->go_on(retention->arg, clock_mono_ms() - began_ms);
}

/* Returns: 1 it was told to stop. */
static int forget_found(struct db *db, const struct crm_retention *retention, struct work *work)
{
    work->n_begun = 0;
    for (;;) {
        uint64_t began_ms = clock_mono_ms();
        work->op = (struct db_op){ .run = run, .what = "what was kept long enough" };
        int r = db_write(db, &work->op);
        if (r < 0)
            return r;
        if (!goes_on(retention, began_ms))
            return 1;
        if (r == 0)
            return 0;
        work->n_begun = work->n_done;
    }
}

static int run_kind(struct db *db, const struct crm_retention *retention, enum retention_kind kind, uint64_t *ret_n)
{
    uint64_t age_ms = retention->days[kind] * DAY_MS;
    struct work work = { .row = &rows[kind], .now_ms = retention->now_ms };
    int more, r = take_place(db, &work);

    work.before_ms = retention->now_ms > age_ms ? retention->now_ms - age_ms : 0;
    if (r < 0)
        return r;
    do {
        size_t n_from = work.from.n;
        more = find(db, &work);
        if (more < 0)
            return more;
        *ret_n += work.n;
        bool has_moved = work.row->place && (more || work.from.n != n_from);
        r = !retention->is_dry && (work.n || has_moved) ? forget_found(db, retention, &work) : 0;
    } while (r == 0 && more);
    return r;
}

int crm_retention_run(struct db *db, const struct crm_retention *retention, uint64_t ret_n[RETAIN_N_KINDS])
{
    int r = 0;

    memset(ret_n, 0, RETAIN_N_KINDS * sizeof(ret_n[0]));
    for (int kind = 0; r == 0 && kind < RETAIN_N_KINDS; kind++)
        if (retention->days[kind])
            r = run_kind(db, retention, kind, &ret_n[kind]);
    return r;
}
