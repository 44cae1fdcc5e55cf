/*
 * crm.c - calls, their turns and what was learnt
 *
 * Each write function reads the row, changes a struct, and writes it back. What
 * makes callbacks order-free:
 *
 *   status   moves up a rank (ringing, in progress, final) and never down; the
 *            first final one stays
 *   times    are set once
 *   params   each value remembers the order of the callback that brought it
 *            (param_order), and only a higher one replaces it; of two equally
 *            high ones the greater text stays. A callback without a sequence
 *            counts before all others, a final one after them.
 *   end      the first one stays; it is ours alone and independent of status
 *
 * A repeated callback leaves the row as it was, which is how it is noticed: the
 * same text is not stored again, and there is no event.
 */
#include "services/crm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "services/crm_internal.h"
#include "services/crm_store.h"
#include "services/crm_summary.h"
#include "services/crm_tasks.h"
#include "services/tombstones.h"
#include "utils/json.h"
#include "utils/text.h"

bool crm_is_id(const char *id, size_t room)
{
    size_t n = strnlen(id, room);

    return n > 0 && n < room;
}

void crm_set_from_param(char *ret, size_t room, struct json_object *params, const char *name)
{
    if (!ret[0])
        (void)text_set(ret, room, json_get_text(params, name) ?: "");
}

static int need_object(struct json_object **object)
{
    if (!*object)
        *object = json_object_new_object();
    return *object ? 0 : -ENOMEM;
}

/* Returns: 0 set; 1 it had that value. */
static int set_learnt(struct json_object **object, const char *field, const char *value)
{
    const char *known;
    int r = need_object(object);

    if (r < 0)
        return r;
    known = json_get_text(*object, field);
    if (known && strcmp(known, value) == 0)
        return 1;
    return json_add(*object, field, json_text(value, strlen(value)));
}

/* --- params */

static int64_t order_of(int64_t sequence, bool is_final)
{
    return sequence >= 0 ? sequence : is_final ? ORDER_FINAL : ORDER_NONE;
}

static int64_t stored_order(struct json_object *param_order, const char *key)
{
    struct json_object *order;

    return param_order && json_object_object_get_ex(param_order, key, &order)
               ? json_object_get_int64(order)
               : ORDER_NONE;
}

static bool replaces(struct json_object *value, int64_t order, struct json_object *stored,
                     int64_t order_stored)
{
    const char *text = json_object_get_string(value), *text_stored = json_object_get_string(stored);

    if (order != order_stored)
        return order > order_stored;
    return strcmp(text ?: "", text_stored ?: "") > 0;
}

int crm_merge_params(struct json_object **params, struct json_object **param_order,
                        struct json_object *incoming, int64_t order)
{
    int r = need_object(params);

    if (!incoming || r < 0)
        return r;
    json_object_object_foreach(incoming, key, value) {
        struct json_object *stored;

        if (json_object_object_get_ex(*params, key, &stored) &&
            !replaces(value, order, stored, stored_order(*param_order, key)))
            continue;
        r = json_add(*params, key, json_object_get(value));
        if (r == 0 && order > ORDER_NONE)
            r = need_object(param_order)
                    ?: json_add(*param_order, key, json_object_new_int64(order));
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- calls */

int crm_call_get(struct db_txn *txn, const char *sid, struct call *ret_call)
{
    return store_get_call(txn, sid, ret_call);
}

/* Count the call with its contact, once: when the call has none yet. contact_id stays "" for a hidden number. */
static int assign_contact(struct db_txn *txn, struct call *call, const char *country)
{
    scoped(contact_done) struct contact contact = { 0 };
    char address[ADDRESS_MAX];
    int r;

    if (call->contact_id[0] || phone_normalise(call->from, country, address) < 0)
        return 0;
    r = crm_find_or_make_contact(txn, address, call->started_ms, &contact);
    if (r < 0)
        return r;
    contact.n_calls++;
    memcpy(call->contact_id, contact.id, sizeof(call->contact_id));
    return crm_save_contact(txn, &contact, call->sid, call->started_ms);
}

/* Returns: 0 written; 1 nothing had changed. */
static int save_call(struct db_txn *txn, const struct call *call, enum event_kind kind, uint64_t now_ms)
{
    int r = store_put_call(txn, call);

    if (r)
        return r;
    return store_event(
        txn, &(struct store_event){
                 .kind = kind, .at_ms = now_ms, .call = call->sid, .contact = call->contact_id });
}

/* What only the webhook knows, into a call that a callback had made. */
static int complete_call(struct call *stored, const struct call *call)
{
    memcpy(stored->stream_token, call->stream_token, sizeof(stored->stream_token));
    if (!stored->account_sid[0])
        memcpy(stored->account_sid, call->account_sid, sizeof(stored->account_sid));
    if (!stored->from[0])
        memcpy(stored->from, call->from, sizeof(stored->from));
    if (!stored->to[0])
        memcpy(stored->to, call->to, sizeof(stored->to));
    return crm_merge_params(&stored->params, &stored->param_order, call->params, ORDER_NONE);
}

int crm_call_open(struct db_txn *txn, struct call *call, const char *country)
{
    scoped(call_done) struct call stored = { 0 };
    int r;

    if (!crm_is_id(call->sid, sizeof(call->sid)) ||
        !crm_is_id(call->stream_token, sizeof(call->stream_token)))
        return -EINVAL;

    r = store_get_call(txn, call->sid, &stored);
    if (r < 0 && r != -ENOENT)
        return r;
    if (r == -ENOENT) {
        call->sequence = -1;
        call->n_turns = 0;
        call->contact_id[0] = '\0';
        r = assign_contact(txn, call, country);
    } else {
        bool opened = stored.stream_token[0];
        r = opened ? 1 : complete_call(&stored, call);
        if (r >= 0) {
            call_done(call);
            *call = stored;
            stored = (struct call){ 0 };
        }
        if (r == 0)
            r = assign_contact(txn, call, country);
    }
    if (r)
        return r;
    return save_call(txn, call, EVENT_CALL_NEW, call->started_ms);
}

/* A call as a callback describes it, for when it comes before the webhook. Errors: -EIDRM it was erased. */
static int get_or_make_call(struct db_txn *txn, const char *sid, struct json_object *params,
                            uint64_t now_ms, struct call *ret_call)
{
    struct call call = { .sequence = -1, .started_ms = now_ms };
    int r = crm_is_id(sid, SID_MAX) ? store_get_call(txn, sid, ret_call) : -EINVAL;

    if (r == -ENOENT && tombstone_has(txn, sid) == 1)
        return -EIDRM;
    if (r != -ENOENT)
        return r;
    (void)text_set(call.sid, sizeof(call.sid), sid);
    crm_set_from_param(call.account_sid, sizeof(call.account_sid), params, "AccountSid");
    crm_set_from_param(call.from, sizeof(call.from), params, "From");
    crm_set_from_param(call.to, sizeof(call.to), params, "To");
    r = assign_contact(txn, &call, "");
    if (r == 0)
        *ret_call = call;
    return r;
}

static void note_end_time(struct call *call, uint64_t now_ms)
{
    if (!call->ended_ms)
        call->ended_ms = now_ms > call->started_ms ? now_ms : call->started_ms;
}

static void move_status(struct call *call, enum call_status status, uint64_t now_ms)
{
    if (!call_status_is_final(call->status) && status > call->status)
        call->status = status;
    if (status == CALL_IN_PROGRESS && !call->answered_ms)
        call->answered_ms = call->ended_ms && call->ended_ms < now_ms ? call->ended_ms : now_ms;
    if (call_status_is_final(status))
        note_end_time(call, now_ms);
}

int crm_call_status(struct db_txn *txn, const char *sid, enum call_status status, int64_t sequence,
                    struct json_object *params, uint64_t now_ms)
{
    scoped(call_done) struct call call = { 0 };
    int r = get_or_make_call(txn, sid, params, now_ms, &call);

    if (r == -EIDRM)
        return 1;
    if (r == 0)
        r = crm_merge_params(&call.params, &call.param_order, params,
                         order_of(sequence, call_status_is_final(status)));
    if (r < 0)
        return r;

    move_status(&call, status, now_ms);
    if (sequence > call.sequence)
        call.sequence = sequence;
    return save_call(txn, &call, EVENT_CALL_STATUS, now_ms);
}

static int compare_recordings(const void *a, const void *b)
{
    struct json_object *left = *(struct json_object *const *)a,
                       *right = *(struct json_object *const *)b;
    int order = strcmp(json_get_text(left, "RecordingSid") ?: "",
                       json_get_text(right, "RecordingSid") ?: "");

    return order
               ?: strcmp(json_get_text(left, "RecordingStatus") ?: "",
                         json_get_text(right, "RecordingStatus") ?: "");
}

static int add_recording(struct call *call, struct json_object *params)
{
    struct json_object *const *key = &params;
    size_t n;

    if (!call->recordings)
        call->recordings = json_object_new_array();
    if (!call->recordings)
        return -ENOMEM;

    n = json_object_array_length(call->recordings);
    for (size_t i = 0; i < n; i++) {
        struct json_object *known = json_object_array_get_idx(call->recordings, i);
        if (compare_recordings(&known, key) == 0)
            return 1;
    }
    if (json_append(call->recordings, json_object_get(params)) < 0)
        return -ENOMEM;
    json_object_array_sort(call->recordings, compare_recordings);
    return 0;
}

int crm_call_recording(struct db_txn *txn, const char *sid, struct json_object *params,
                       uint64_t now_ms)
{
    scoped(call_done) struct call call = { 0 };
    int r = json_get_text(params, "RecordingSid")
                ? get_or_make_call(txn, sid, params, now_ms, &call)
                : -EINVAL;

    if (r == -EIDRM)
        return 1;
    if (r == 0)
        r = add_recording(&call, params);
    return r ? r : save_call(txn, &call, EVENT_CALL_RECORDING, now_ms);
}

int crm_call_stream(struct db_txn *txn, const char *sid, const char *stream_sid, uint64_t now_ms)
{
    scoped(call_done) struct call call = { 0 };
    int r = crm_is_id(stream_sid, SID_MAX) ? store_get_call(txn, sid, &call) : -EINVAL;

    if (r < 0)
        return r;
    if (call.stream_sid[0] || (call_status_is_final(call.status) && call.status != CALL_LOST))
        return -EALREADY;

    if (call.status == CALL_LOST) {
        call.status = CALL_RINGING;
        call.end = CALL_END_NONE;
        call.ended_ms = 0;
    }
    (void)text_set(call.stream_sid, sizeof(call.stream_sid), stream_sid);
    call.generation = db_own_generation(txn);
    move_status(&call, CALL_IN_PROGRESS, now_ms);
    return save_call(txn, &call, EVENT_CALL_STREAM, now_ms);
}

int crm_call_end(struct db_txn *txn, const char *sid, enum call_end end, uint64_t now_ms)
{
    scoped(call_done) struct call call = { 0 };
    int r = store_get_call(txn, sid, &call);

    if (r < 0)
        return r;
    if (call.end != CALL_END_NONE)
        return 1;
    call.end = end;
    move_status(&call, CALL_COMPLETED, now_ms);
    return save_call(txn, &call, EVENT_CALL_END, now_ms);
}

int crm_call_after(struct db_txn *txn, const char *sid, enum call_after *after, bool forwarded, uint64_t now_ms)
{
    scoped(call_done) struct call call = { 0 };
    int r = store_get_call(txn, sid, &call);

    if (r < 0)
        return r;
    if (call.after != CALL_AFTER_NONE) {
        *after = call.after;
        return 1;
    }
    call.after = *after;
    call.forwarded = forwarded;
    r = save_call(txn, &call, EVENT_CALL_AFTER, now_ms);
    return r < 0 ? r : 0;
}

int crm_call_dial(struct db_txn *txn, const char *sid, struct json_object *params, uint64_t now_ms)
{
    static const char *const kept[] = { "DialCallStatus", "DialCallSid", "DialCallDuration", "DialBridged" };
    scoped(call_done) struct call call = { 0 };
    int r = store_get_call(txn, sid, &call);

    if (r < 0 || call.dial)
        return r < 0 ? r : 1;
    r = need_object(&call.dial);
    for (size_t i = 0; i < ELEMENTSOF(kept) && r == 0; i++) {
        const char *text = json_get_text(params, kept[i]);
        r = text ? json_add(call.dial, kept[i], json_text(text, strlen(text))) : 0;
    }
    return r < 0 ? r : save_call(txn, &call, EVENT_CALL_DIAL, now_ms);
}

int crm_turn_add(struct db_txn *txn, const char *sid, const struct turn *turn)
{
    scoped(call_done) struct call call = { 0 };
    int r = store_get_call(txn, sid, &call);

    if (r == 0)
        r = store_put_turn(txn, sid, call.n_turns, turn);
    if (r < 0)
        return r;
    call.n_turns++;
    return save_call(txn, &call, EVENT_CALL_TURN, turn->end_ms);
}

int crm_call_step(struct db_txn *txn, const char *sid, const struct call_step *step)
{
    scoped(call_done) struct call call = { 0 };
    int r = store_get_call(txn, sid, &call);

    if (r < 0)
        return r;
    if (call.n_steps < UINT32_MAX)
        call.n_steps++;
    if (call.n_steps > CALL_STEPS_MAX)
        return store_put_call(txn, &call);
    if (!call.steps)
        call.steps = json_object_new_array();
    r = call.steps ? json_append(call.steps, call_step_to_json(step)) : -ENOMEM;
    return r < 0 ? r : save_call(txn, &call, EVENT_CALL_STEP, step->at_ms);
}

/* A caller who hid his number becomes a contact when he tells something. */
static int contact_of_call(struct db_txn *txn, struct call *call, uint64_t now_ms)
{
    scoped(contact_done) struct contact contact = { 0 };
    int r;

    if (call->contact_id[0])
        return 0;
    r = crm_make_contact(txn, "", now_ms, &contact);
    if (r < 0)
        return r;
    contact.n_calls = 1;
    memcpy(call->contact_id, contact.id, sizeof(call->contact_id));
    return store_put_contact(txn, &contact);
}

int crm_call_learn(struct db_txn *txn, const char *sid, const char *field, const char *value,
                   uint64_t now_ms)
{
    scoped(call_done) struct call call = { 0 };
    int r = store_get_call(txn, sid, &call);
    int known;

    if (r < 0)
        return r;
    known = value[0] ? set_learnt(&call.learnt, field, value) : 1;
    if (known)
        return known;
    r = contact_of_call(txn, &call, now_ms);
    if (r == 0 && strncmp(field, "callback", strlen("callback")) == 0)
        r = crm_task_of_call(txn, &call, now_ms);
    if (r >= 0)
        r = save_call(txn, &call, EVENT_CALL_LEARNT, now_ms);
    if (r == 0)
        r = crm_learn_and_save(txn, call.contact_id, sid, field, value, now_ms);
    return r < 0 ? r : 0;
}

/* Nothing was heard of it for long enough. */
static bool is_quiet(const struct crm_lost *lost, const struct call *call, uint64_t heard_ms)
{
    bool may_be_talking = call->after == CALL_AFTER_DIAL && !call->dial;
    uint64_t quiet_ms = lost->quiet_ms + (may_be_talking ? CRM_DIAL_MAX_MS : 0);

    return quiet_ms == 0 || lost->now_ms >= heard_ms + quiet_ms;
}

enum holder { HELD_BY_US, HELD_BY_ANOTHER, HELD_BY_THE_DEAD };

/* Whose stream it is. One that nobody had, or that has ended, may be ours. */
static enum holder holder_of(struct db_txn *txn, const struct call *call)
{
    if (!call->generation || call->end != CALL_END_NONE || call->generation == db_own_generation(txn))
        return HELD_BY_US;
    return db_generation_lives(txn, call->generation) ? HELD_BY_ANOTHER : HELD_BY_THE_DEAD;
}

/* Returns: 1 closed; 0 it goes on. */
static int close_lost(struct db_txn *txn, const char *sid, const struct crm_lost *lost)
{
    scoped(call_done) struct call call = { 0 };
    struct turn last = { 0 };
    uint64_t heard_ms;

    int r = store_get_call(txn, sid, &call);
    enum holder holder = r == 0 ? holder_of(txn, &call) : HELD_BY_US;
    if (holder == HELD_BY_ANOTHER || (holder == HELD_BY_US && lost->is_live && lost->is_live(lost->user, sid)))
        return 0;
    if (r == 0)
        r = store_last_turn(txn, sid, &last);
    if (r < 0 && r != -ENOENT)
        return r;

    heard_ms = call.answered_ms > call.started_ms ? call.answered_ms : call.started_ms;
    heard_ms = last.end_ms > heard_ms ? last.end_ms : heard_ms;
    if (holder != HELD_BY_THE_DEAD && !is_quiet(lost, &call, heard_ms))
        return 0;
    note_end_time(&call, heard_ms);
    if (!call_status_is_final(call.status))
        call.status = CALL_LOST;
    if (call.end == CALL_END_NONE)
        call.end = CALL_END_LOST;
    r = save_call(txn, &call, EVENT_CALL_END, lost->now_ms);
    return r < 0 ? r : 1;
}

int crm_count_streams(struct db_txn *txn, const uint64_t *generations, size_t n, unsigned *ret_counts)
{
    scoped(free) char(*sids)[SID_MAX] = NULL;
    int n_open = store_open_calls(txn, &sids);

    memset(ret_counts, 0, n * sizeof(*ret_counts));
    for (int i = 0; i < n_open; i++) {
        scoped(call_done) struct call call = { 0 };
        int r = store_get_call(txn, sids[i], &call);
        if (r < 0)
            return r;
        for (size_t j = 0; j < n && call.end == CALL_END_NONE; j++)
            ret_counts[j] += call.generation == generations[j];
    }
    return n_open < 0 ? n_open : 0;
}

int crm_close_lost(struct db_txn *txn, const struct crm_lost *lost)
{
    scoped(free) char(*sids)[SID_MAX] = NULL;
    int n = store_open_calls(txn, &sids), n_closed = 0;

    for (int i = 0; i < n; i++) {
        int r = close_lost(txn, sids[i], lost);
        if (r > 0 && lost->sum_up)
            r = crm_summary_owe(txn, sids[i], lost->now_ms) ?: 1;
        if (r < 0)
            return r;
        n_closed += r;
    }
    return n < 0 ? n : n_closed;
}
