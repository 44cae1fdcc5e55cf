/*
 * hook_store.c - how far each endpoint has been told, and the events that it never took
 *
 *   hooks   name                 -> {"seq","n_missed"}
 *   hooks   name, 0, be64 seq    -> a dead letter, with the event, which the feed may not have any more
 */
#include "services/hook_store.h"

#include <errno.h>
#include <string.h>

#include <json-c/json.h>

#include "services/store_row.h"
#include "utils/json.h"

static const struct json_field state_fields[] = {
    JSON_FIELD(struct hook_place_state, seq, JSON_U64),
    JSON_FIELD(struct hook_place_state, n_missed, JSON_U64),
};

static const struct json_field letter_fields[] = {
    JSON_FIELD(struct letter, given_up_ms, JSON_U64),
    JSON_FIELD(struct letter, again, JSON_BOOL),
    JSON_FIELD(struct letter, error, JSON_CHARS),
};

int hook_state_get(struct db_txn *txn, const char *hook, struct hook_place_state *ret_state)
{
    scoped(json_object_put) struct json_object *json = NULL;
    int r = row_get(txn, DB_HOOKS, text_bytes(hook), &json);

    if (r < 0)
        return r;
    *ret_state = (struct hook_place_state){ 0 };
    r = json_read(json, state_fields, ELEMENTSOF(state_fields), ret_state);
    return r == -EBADMSG ? -EUCLEAN : r;
}

int hook_state_put(struct db_txn *txn, const char *hook, const struct hook_place_state *state)
{
    int r = row_put(txn, DB_HOOKS, text_bytes(hook), json_write(state_fields, ELEMENTSOF(state_fields), state));

    return r < 0 ? r : 0;
}

/* --- dead letters */

static struct key key_of(const char *hook, uint64_t seq)
{
    struct key key = key_below(hook);

    key_add_number(&key, seq, 8);
    return key;
}

static int read_letter(struct db_bytes key, struct db_bytes value, struct letter *ret_letter)
{
    scoped(json_object_put) struct json_object *json = NULL;
    struct json_object *event = NULL;
    int r = key.n > 9 ? json_parse(value.data, value.n, &json) : -EUCLEAN;

    *ret_letter = (struct letter){ 0 };
    if (r == 0)
        r = json_read(json, letter_fields, ELEMENTSOF(letter_fields), ret_letter);
    if (r == 0)
        r = json_object_object_get_ex(json, "event", &event) ? event_from_json(event, &ret_letter->event) : -EUCLEAN;
    if (r == 0)
        ret_letter->event.seq = key_number((const char *)key.data + key.n - 8, 8);
    return r == -EBADMSG ? -EUCLEAN : r;
}

static int write_letter(struct db_txn *txn, const char *hook, const struct letter *letter)
{
    struct json_object *json = json_write(letter_fields, ELEMENTSOF(letter_fields), letter);
    struct key key = key_of(hook, letter->event.seq);

    if (json && json_add(json, "event", event_to_json(&letter->event)) < 0) {
        json_object_put(json);
        json = NULL;
    }
    int r = row_put(txn, DB_HOOKS, key_bytes(&key), json);
    return r < 0 ? r : 0;
}

struct walk {
    struct letter letter;
    size_t n;
    uint64_t first;
    bool wants_again;
};

static int count_one(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct walk *walk = arg;

    if (walk->n++ == 0)
        walk->first = key_number((const char *)key.data + key.n - 8, 8);
    return 0;
}

static int walk_letters(struct db_txn *txn, const char *hook, db_each_fn *fn, struct walk *walk)
{
    struct key prefix = key_below(hook);

    return db_each(txn, DB_HOOKS, key_bytes(&prefix), nothing, DB_UP, fn, walk);
}

int letters_count(struct db_txn *txn, const char *hook)
{
    struct walk walk = { .n = 0 };
    int r = walk_letters(txn, hook, count_one, &walk);

    return r < 0 ? r : (int)walk.n;
}

int letter_drop(struct db_txn *txn, const char *hook, uint64_t seq)
{
    struct key key = key_of(hook, seq);

    return row_drop(txn, DB_HOOKS, key_bytes(&key));
}

int letter_put(struct db_txn *txn, const char *hook, const struct letter *letter)
{
    struct walk walk = { .n = 0 };
    int r = write_letter(txn, hook, letter);

    if (r == 0)
        r = walk_letters(txn, hook, count_one, &walk);
    if (r < 0 || walk.n <= LETTERS_MAX)
        return r;
    return letter_drop(txn, hook, walk.first) ?: 1;
}

static int find_again(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct walk *walk = arg;
    int r = read_letter(key, value, &walk->letter);

    return r < 0 ? r : walk->letter.again == walk->wants_again;
}

int letter_next_again(struct db_txn *txn, const char *hook, struct letter *ret_letter)
{
    struct walk walk = { .wants_again = true };
    int r = walk_letters(txn, hook, find_again, &walk);

    if (r > 0)
        *ret_letter = walk.letter;
    return r;
}

static int mark_again(struct db_txn *txn, const char *hook, struct letter *letter)
{
    letter->again = true;
    return write_letter(txn, hook, letter);
}

int letter_again(struct db_txn *txn, const char *hook, uint64_t seq)
{
    struct key key = key_of(hook, seq);
    struct db_bytes value;
    struct walk walk = { .wants_again = false };
    int r, n = 0;

    if (seq) {
        r = db_get(txn, DB_HOOKS, key_bytes(&key), &value);
        if (r == 0)
            r = read_letter(key_bytes(&key), value, &walk.letter);
        if (r == 0)
            r = mark_again(txn, hook, &walk.letter);
        return r < 0 ? r : 1;
    }
    while ((r = walk_letters(txn, hook, find_again, &walk)) > 0 && (r = mark_again(txn, hook, &walk.letter)) == 0)
        n++;
    return r < 0 ? r : n ?: letters_count(txn, hook) ?: -ENOENT;
}

/* --- for people */

struct page {
    struct json_object *array;
    size_t room;
};

static struct json_object *shown(const char *hook, const struct letter *letter)
{
    scoped(json_object_put) struct json_object *json = json_write(letter_fields, ELEMENTSOF(letter_fields), letter);
    char id[EVENT_ID_MAX];

    event_id(&letter->event, id);
    if (!json || json_add(json, "hook", json_object_new_string(hook)) < 0 ||
        json_add(json, "seq", json_object_new_uint64(letter->event.seq)) < 0 ||
        json_add(json, "id", json_object_new_string(id)) < 0 ||
        json_add(json, "kind", json_object_new_string(letter->event.kind)) < 0 ||
        json_add(json, "at_ms", json_object_new_uint64(letter->event.at_ms)) < 0)
        return NULL;
    return steal(&json);
}

static int add_letter(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct page *page = arg;
    struct letter letter;
    const char *hook = key.data; /* ends with the 0 behind it */

    if (!memchr(key.data, '\0', key.n))
        return 0; /* a state */
    if (page->room-- == 0)
        return 1;
    int r = read_letter(key, value, &letter);
    if (r < 0)
        return r;
    struct json_object *json = shown(hook, &letter);
    return json ? json_append(page->array, json) : -ENOMEM;
}

int letters_page(struct db_txn *txn, size_t max, struct json_object **ret_array)
{
    struct page page = { json_object_new_array(), max };
    int r = page.array ? db_each(txn, DB_HOOKS, nothing, nothing, DB_UP, add_letter, &page) : -ENOMEM;

    if (r < 0) {
        json_object_put(page.array);
        return r;
    }
    *ret_array = page.array;
    return 0;
}
