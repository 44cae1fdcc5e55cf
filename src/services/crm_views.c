/*
 * crm_views.c - calls and contacts as JSON for people and programs
 *
 * The stored objects less what is nobody's business (the stream's token) or of
 * no use (the order of params), plus what belongs to them.
 */
#include "services/crm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "services/crm_agent.h"
#include "services/crm_internal.h"
#include "services/crm_store.h"
#include "services/crm_unread.h"
#include "services/jobs.h"
#include "utils/json.h"

void crm_hide(struct json_object *json)
{
    json_object_object_del(json, "stream_token");
    json_object_object_del(json, "param_order");
    json_object_object_del(json, "set_ms");
}

struct json_object *crm_contact_shown(const struct contact *contact)
{
    struct json_object *json = contact_to_json(contact);

    if (!json)
        return NULL;
    crm_hide(json);
    if (json_add(json, "agent", json_object_new_string(crm_agent_name(crm_agent_of(contact)))) < 0) {
        json_object_put(json);
        return NULL;
    }
    return json;
}

struct page {
    struct db_txn *txn;
    struct json_object *array;
    size_t room;
};

static int add_to_page(struct json_object *json, void *arg)
{
    struct page *page = arg;

    if (page->room == 0)
        return 1;
    page->room--;
    crm_hide(json);
    return json_append(page->array, json_object_get(json));
}

/* The caller's name beside his call. */
static int add_call_to_page(struct json_object *json, void *arg)
{
    struct page *page = arg;
    scoped(contact_done) struct contact contact = { 0 };
    int r = crm_contact_get(page->txn, json_get_text(json, "contact_id") ?: "", &contact);

    if (r < 0 && r != -ENOENT && r != -EINVAL)
        return r;
    r = json_add(json, "name", json_text(contact.name, strlen(contact.name)));
    return r < 0 ? r : add_to_page(json, arg);
}

static int finish_page(struct page *page, int r, struct json_object **ret_array)
{
    if (r < 0) {
        json_object_put(page->array);
        return r;
    }
    *ret_array = page->array;
    return 0;
}

static int begin_page(struct page *page, struct db_txn *txn, size_t max)
{
    *page = (struct page){ .txn = txn, .array = json_object_new_array(), .room = max };
    return page->array ? 0 : -ENOMEM;
}

int crm_calls_page(struct db_txn *txn, size_t max, struct json_object **ret_array)
{
    struct page page;
    int r = begin_page(&page, txn, max);

    return r < 0 ? r : finish_page(&page, store_each_call(txn, add_call_to_page, &page), ret_array);
}

/* The person, and each once. */
static int add_contact_to_page(struct json_object *json, void *arg)
{
    struct page *page = arg;
    scoped(contact_done) struct contact contact = { 0 };
    scoped(json_object_put) struct json_object *whole = NULL;
    const char *id = json_get_text(json, "id") ?: "";
    int r = crm_contact_get(page->txn, id, &contact);

    if (r < 0 || strcmp(contact.id, id) != 0)
        return r;
    whole = crm_contact_shown(&contact);
    r = whole ? crm_unread_show(page->txn, id, whole) : -ENOMEM;
    return r < 0 ? r : add_to_page(whole, page);
}

int crm_contacts_page(struct db_txn *txn, size_t max, struct json_object **ret_array)
{
    struct page page;
    int r = begin_page(&page, txn, max);

    return r < 0 ? r : finish_page(&page, store_each_contact(txn, add_contact_to_page, &page), ret_array);
}

int crm_messages_page(struct db_txn *txn, size_t max, struct json_object **ret_array)
{
    struct page page;
    int r = begin_page(&page, txn, max);

    return r < 0 ? r : finish_page(&page, store_each_message(txn, add_to_page, &page), ret_array);
}

static int add_failed_to_page(const struct job *job, void *arg)
{
    struct page *page = arg;
    scoped(message_release) struct message message = { 0 };
    scoped(json_object_put) struct json_object *json = NULL;

    if (job->kind != JOB_MESSAGE)
        return 0;
    int r = store_get_message(page->txn, job->message_id, &message);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    json = message_to_json(&message);
    return json ? add_to_page(json, page) : -ENOMEM;
}

int crm_messages_failed_page(struct db_txn *txn, size_t max, struct json_object **ret_array)
{
    struct page page;
    int r = begin_page(&page, txn, max);

    return r < 0 ? r : finish_page(&page, jobs_each_over(txn, add_failed_to_page, &page), ret_array);
}

/* What fn walks over, as an array under key. */
static int add_list(struct db_txn *txn, struct json_object *whole, const char *key, const char *id,
                    int (*each)(struct db_txn *txn, const char *id, store_each_fn *fn, void *arg))
{
    struct page page;
    struct json_object *list;
    int r = begin_page(&page, txn, SIZE_MAX);

    if (r == 0)
        r = finish_page(&page, each(txn, id, add_to_page, &page), &list);
    return r < 0 ? r : json_add(whole, key, list);
}

/* --- latency */

enum { LATENCIES_MAX = 512 }; /* of the turns that the percentiles are taken of */

struct latencies {
    int64_t ms[LATENCY_N][LATENCIES_MAX];
    size_t n[LATENCY_N];
};

static int add_row(struct json_object *to, const char *key, const int64_t ms[LATENCY_N])
{
    struct json_object *row = json_object_new_object();
    int r = row ? 0 : -ENOMEM;

    for (int stage = 0; stage < LATENCY_N && r == 0; stage++)
        if (ms[stage] != LATENCY_UNKNOWN)
            r = json_add(row, latency_name(stage), json_object_new_int64(ms[stage]));
    if (r < 0) {
        json_object_put(row);
        return r;
    }
    return json_add(to, key, row);
}

/* A caller's turn gets "latency_ms", when any of it is known. */
static int add_latency(struct json_object *json, struct latencies *all)
{
    struct turn turn;
    int64_t ms[LATENCY_N];
    bool is_known = false;

    if (turn_from_json(json, &turn) < 0 || turn.who != TURN_CALLER)
        return 0;
    turn_latencies(&turn.times, ms);
    for (int stage = 0; stage < LATENCY_N; stage++)
        if (ms[stage] != LATENCY_UNKNOWN) {
            is_known = true;
            if (all->n[stage] < LATENCIES_MAX)
                all->ms[stage][all->n[stage]++] = ms[stage];
        }
    return is_known ? add_row(json, "latency_ms", ms) : 0;
}

static int compare_ms(const void *a, const void *b)
{
    const int64_t *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

/* The nearest rank. */
static void take_percentile(const struct latencies *all, unsigned percent, int64_t ret_ms[LATENCY_N])
{
    for (int stage = 0; stage < LATENCY_N; stage++)
        ret_ms[stage] = all->n[stage] ? all->ms[stage][(all->n[stage] * percent + 99) / 100 - 1] : LATENCY_UNKNOWN;
}

static int add_latencies(struct json_object *whole)
{
    struct json_object *turns = json_object_object_get(whole, "turns"), *summary = json_object_new_object();
    scoped(free) struct latencies *all = calloc(1, sizeof(*all));
    int64_t p50[LATENCY_N], p95[LATENCY_N];
    int r = all && summary ? 0 : -ENOMEM;

    for (size_t i = 0; r == 0 && i < json_object_array_length(turns); i++)
        r = add_latency(json_object_array_get_idx(turns, i), all);
    for (int stage = 0; r == 0 && stage < LATENCY_N; stage++)
        qsort(all->ms[stage], all->n[stage], sizeof(all->ms[stage][0]), compare_ms);
    if (r == 0) {
        take_percentile(all, 50, p50);
        take_percentile(all, 95, p95);
        r = add_row(summary, "p50", p50);
    }
    if (r == 0)
        r = add_row(summary, "p95", p95);
    if (r < 0) {
        json_object_put(summary);
        return r;
    }
    return json_add(whole, "latency_ms", summary);
}

int crm_call_whole(struct db_txn *txn, const char *sid, struct json_object **ret_object)
{
    scoped(json_object_put) struct json_object *whole = NULL;
    scoped(contact_done) struct contact contact = { 0 };
    scoped(call_done) struct call call = { 0 };
    int r = crm_call_get(txn, sid, &call);

    if (r < 0)
        return r;
    whole = call_to_json(&call);
    if (!whole)
        return -ENOMEM;
    crm_hide(whole);
    r = add_list(txn, whole, "turns", sid, store_each_turn);
    if (r == 0)
        r = add_latencies(whole);
    if (r == 0 && call.contact_id[0])
        r = crm_contact_get(txn, call.contact_id, &contact);
    if (r == -ENOENT) /* he is being erased */
        r = 0;
    else if (r == 0 && call.contact_id[0])
        r = json_add(whole, "contact", crm_contact_shown(&contact));
    if (r < 0)
        return r;
    *ret_object = steal(&whole);
    return 0;
}

int crm_contact_whole(struct db_txn *txn, const char *id, struct json_object **ret_object)
{
    scoped(json_object_put) struct json_object *whole = NULL;
    scoped(contact_done) struct contact contact = { 0 };
    int r = crm_contact_get(txn, id, &contact);

    if (r < 0)
        return r;
    whole = crm_contact_shown(&contact);
    if (!whole)
        return -ENOMEM;
    r = crm_unread_show(txn, contact.id, whole);
    if (r == 0)
        r = add_list(txn, whole, "calls", contact.id, store_each_call_of);
    if (r == 0)
        r = add_list(txn, whole, "messages", contact.id, store_each_message_of);
    if (r < 0)
        return r;
    *ret_object = steal(&whole);
    return 0;
}
