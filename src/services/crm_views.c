/*
 * crm_views.c - calls and contacts as JSON for people and programs
 *
 * The stored objects less what is nobody's business (the stream's token) or of
 * no use (the order of params), plus what belongs to them.
 */
#include "services/crm.h"

#include <errno.h>
#include <string.h>

#include <json-c/json.h>

#include "services/crm_store.h"
#include "utils/json.h"

static void hide(struct json_object *json)
{
    json_object_object_del(json, "stream_token");
    json_object_object_del(json, "param_order");
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
    hide(json);
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

int crm_contacts_page(struct db_txn *txn, size_t max, struct json_object **ret_array)
{
    struct page page;
    int r = begin_page(&page, txn, max);

    return r < 0 ? r : finish_page(&page, store_each_contact(txn, add_to_page, &page), ret_array);
}

int crm_messages_page(struct db_txn *txn, size_t max, struct json_object **ret_array)
{
    struct page page;
    int r = begin_page(&page, txn, max);

    return r < 0 ? r : finish_page(&page, store_each_message(txn, add_to_page, &page), ret_array);
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
    hide(whole);
    r = add_list(txn, whole, "turns", sid, store_each_turn);
    if (r == 0 && call.contact_id[0])
        r = crm_contact_get(txn, call.contact_id, &contact);
    if (r == 0 && call.contact_id[0])
        r = json_add(whole, "contact", contact_to_json(&contact));
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
    whole = contact_to_json(&contact);
    if (!whole)
        return -ENOMEM;
    r = add_list(txn, whole, "calls", contact.id, store_each_call_of);
    if (r == 0)
        r = add_list(txn, whole, "messages", contact.id, store_each_message_of);
    if (r < 0)
        return r;
    *ret_object = steal(&whole);
    return 0;
}
