/*
 * crm_conversations.c - conversations and their messages for programs, a page at a time, newest first
 *
 * A conversation is all that was written with one person, of however many contacts he was merged. There is no list of
 * them: one is shown where its newest message lies in the walk over all messages, and no other message of it is. So
 * nothing has to be kept in step, and a page goes on rightly whatever came meanwhile. A walk ends after SCANNED messages,
 * whether the page is full or not, since somebody waits for it; the next page goes on from there.
 *
 * A cursor is the last message that was looked at: its id, for one person's with its time in front.
 */
#include "services/crm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "services/crm_agent.h"
#include "services/crm_internal.h"
#include "services/crm_links.h"
#include "services/crm_store.h"
#include "services/crm_unread.h"
#include "services/store_row.h"
#include "utils/json.h"
#include "utils/text.h"

enum { SCANNED = 256 };

static const char *const shown[] = {
    "id",       "contact_id", "address",   "direction", "channel", "status", "author",     "body",       "media",
    "transcript",
    "reply_to", "content_sid", "variables", "call_sid",  "again",   "error",  "created_ms", "updated_ms",
};

/* Only what a program may know; empty texts are left out. NULL when out of memory. */
static struct json_object *view_of(struct json_object *json)
{
    struct json_object *view = json_object_new_object();

    for (size_t i = 0; view && i < ELEMENTSOF(shown); i++) {
        struct json_object *value = NULL;
        if (!json_object_object_get_ex(json, shown[i], &value) ||
            (json_object_is_type(value, json_type_string) && json_object_get_string_len(value) == 0))
            continue;
        if (json_add(view, shown[i], json_object_get(value)) < 0) {
            json_object_put(view);
            return NULL;
        }
    }
    return view;
}

int crm_message_view(struct db_txn *txn, const char *id, struct json_object **ret_object)
{
    scoped(message_release) struct message message = { 0 };
    scoped(json_object_put) struct json_object *json = NULL;
    int r = crm_is_id(id, CONTACT_ID_MAX) ? store_get_message(txn, id, &message) : -ENOENT;

    if (r < 0)
        return r;
    json = message_to_json(&message);
    *ret_object = json ? view_of(json) : NULL;
    return *ret_object ? 0 : -ENOMEM;
}

struct page {
    struct db_txn *txn;
    struct json_object *array;
    const char *after; /* the id the last page ended with; "" none */
    size_t room, n_scanned;
    bool has_more;
    char last_id[CONTACT_ID_MAX];
    uint64_t last_ms;
};

/* Returns: 1 the page is over; -EAGAIN the message is that of the last page. */
static int look_at(struct page *page, const char *id)
{
    if (strcmp(id, page->after) == 0)
        return -EAGAIN;
    if (page->room == 0 || page->n_scanned == SCANNED) {
        page->has_more = true;
        return 1;
    }
    page->n_scanned++;
    (void)text_set(page->last_id, sizeof(page->last_id), id);
    return 0;
}

static int add_agent(struct json_object *object, const struct contact *person)
{
    return json_add(object, "agent", json_object_new_string(crm_agent_name(crm_agent_of(person))));
}

static int add_conversation(struct page *page, const char *id, const char *person)
{
    scoped(contact_done) struct contact contact = { 0 };
    scoped(json_object_put) struct json_object *json = NULL;
    int r = row_get(page->txn, DB_MESSAGES, text_bytes(id), &json);

    if (r == 0)
        r = crm_contact_get(page->txn, person, &contact);

    if (r < 0 && r != -ENOENT)
        return r;
    struct json_object *item = json_object_new_object();
    r = item ? json_append(page->array, item) : -ENOMEM;
    if (r == 0)
        r = json_add(item, "contact_id", json_text(person, strlen(person)));
    if (r == 0)
        r = json_add(item, "name", json_text(contact.name, strlen(contact.name)));
    if (r == 0)
        r = add_agent(item, &contact);
    if (r == 0)
        r = crm_unread_show(page->txn, person, item);
    if (r == 0)
        r = json_add(item, "last", view_of(json));
    page->room--;
    return r;
}

static int each_conversation(const char *id, const char *contact_id, void *arg)
{
    struct page *page = arg;
    char person[CONTACT_ID_MAX], newest[CONTACT_ID_MAX] = "";
    int r = look_at(page, id);

    if (r || !contact_id[0])
        return r == -EAGAIN ? 0 : r;
    r = links_person(page->txn, contact_id, person);
    if (r == 0)
        r = store_newest_message_of(page->txn, person, newest);
    if (r < 0 && r != -ENOENT)
        return r;
    return strcmp(newest, id) == 0 ? add_conversation(page, id, person) : 0;
}

static int each_message(struct json_object *json, void *arg)
{
    struct page *page = arg;
    int r = look_at(page, json_get_text(json, "id") ?: "");

    if (r)
        return r == -EAGAIN ? 0 : r;
    page->last_ms = (uint64_t)json_get_int(json, "created_ms");
    page->room--;
    return json_append(page->array, view_of(json));
}

static int finish(struct page *page, int r, const char *key, const char *next, struct json_object **ret_object)
{
    scoped(json_object_put) struct json_object *array = page->array;
    struct json_object *whole = r < 0 ? NULL : json_object_new_object();

    if (!whole)
        return r < 0 ? r : -ENOMEM;
    r = json_add(whole, key, json_object_get(array));
    if (r == 0 && page->has_more)
        r = json_add(whole, "next", json_object_new_string(next));
    if (r < 0)
        json_object_put(whole);
    else
        *ret_object = whole;
    return r;
}

int crm_conversations_page(struct db_txn *txn, const char *after, size_t max, struct json_object **ret_object)
{
    struct page page = { .txn = txn, .after = after, .array = json_object_new_array(), .room = max };

    if (after[0] && !crm_is_id(after, CONTACT_ID_MAX)) {
        json_object_put(page.array);
        return -EINVAL;
    }
    int r = page.array ? store_each_message_owner(txn, after, each_conversation, &page) : -ENOMEM;
    return finish(&page, r, "conversations", page.last_id, ret_object);
}

int crm_conversation_page(struct db_txn *txn, const char *contact_id, const char *after, size_t max, struct json_object **ret_object)
{
    scoped(contact_done) struct contact contact = { 0 };
    struct page page = { .txn = txn, .after = "", .room = max };
    char next[CONTACT_ID_MAX + 24], *dot;
    uint64_t from_ms = 0;

    if (after[0]) {
        from_ms = strtoull(after, &dot, 10);
        if (*dot != '.' || dot == after || !crm_is_id(dot + 1, CONTACT_ID_MAX))
            return -EINVAL;
        page.after = dot + 1;
    }
    int r = crm_is_id(contact_id, CONTACT_ID_MAX) ? crm_contact_get(txn, contact_id, &contact) : -ENOENT;
    if (r < 0)
        return r;
    page.array = json_object_new_array();
    r = page.array ? store_each_message_of_from(txn, contact.id, from_ms, page.after, each_message, &page) : -ENOMEM;
    (void)snprintf(next, sizeof(next), "%" PRIu64 ".%s", page.last_ms, page.last_id);
    r = finish(&page, r, "messages", next, ret_object);
    if (r < 0)
        return r;
    r = add_agent(*ret_object, &contact);
    if (r == 0)
        r = crm_unread_show(txn, contact.id, *ret_object);
    if (r < 0)
        json_object_put(*ret_object);
    return r;
}
