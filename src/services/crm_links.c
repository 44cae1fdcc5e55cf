/*
 * crm_links.c - contacts that are one person
 *
 * Somebody who telephones and somebody who writes by an id of WhatsApp's turn out to be one. Then the row of neither is
 * touched, nor any call, message, note or task: one of the two is linked to the other, and who reads puts the rows
 * together (contact_take()). What comes later is kept with the contact whose address it came by. To part them is to
 * take the link away, and each has again exactly what was his, and what has come to him since.
 *
 * Only the indexes that lead from a person to what belongs to him are moved, so that each stays one scan: their keys
 * begin with the person, their values say whose it is. That is some 100 bytes an item, and no value of a row.
 *
 *   contact_links  from                  -> {"into","at_ms","why"}
 *                  into, 0, from         -> nothing
 *                  lesser, 1, greater id -> nothing: parted by hand, and merged by hand alone
 *
 * Only persons are linked, i.e. those that are linked to nobody, and never to themselves: there are trees, and no circles.
 */
#include "services/crm_links.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "services/store_row.h"
#include "utils/json.h"

/* Indexes whose keys begin with a person and whose values are a contact. */
static const enum db_table indexes[] = { DB_TIMELINE, DB_CALLS_BY_CONTACT, DB_MESSAGES_BY_CONTACT, DB_UNREAD, DB_TASKS_BY_CONTACT };

int links_get(struct db_txn *txn, const char *from, struct json_object **ret_json)
{
    return row_get(txn, DB_CONTACT_LINKS, text_bytes(from), ret_json);
}

int links_person(struct db_txn *txn, const char *id, char ret_person[CONTACT_ID_MAX])
{
    char person[CONTACT_ID_MAX];
    size_t n = strlen(id);

    if (n == 0 || n >= sizeof(person))
        return -EINVAL;
    memcpy(person, id, n + 1);
    for (int i = 0; i <= LINKS_MEMBERS_MAX; i++) {
        scoped(json_object_put) struct json_object *json = NULL;
        int r = links_get(txn, person, &json);

        if (r == -ENOENT)
            return (void)memcpy(ret_person, person, sizeof(person)), 0;
        if (r < 0)
            return r;
        const char *into = json_get_text(json, "into");
        if (!into || strlen(into) >= sizeof(person))
            return -EUCLEAN;
        strcpy(person, into);
    }
    return -EUCLEAN;
}

/* --- members */

struct walk {
    struct links_members *members;
    size_t n_before; /* bytes of a key before the id */
};

static int add_member(struct db_bytes key, struct db_bytes value, void *arg)
{
    const struct walk *walk = arg;
    struct links_members *members = walk->members;
    size_t n = key.n - walk->n_before;

    if (n == 0 || n >= CONTACT_ID_MAX)
        return -EUCLEAN;
    if (members->n == LINKS_MEMBERS_MAX)
        return -EMLINK;
    memcpy(members->ids[members->n], (const char *)key.data + walk->n_before, n);
    members->ids[members->n++][n] = '\0';
    return 0;
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

int links_members(struct db_txn *txn, const char *id, struct links_members *ret_members)
{
    size_t n = strlen(id);

    if (n == 0 || n >= CONTACT_ID_MAX)
        return -EINVAL;
    ret_members->n = 1;
    memcpy(ret_members->ids[0], id, n + 1);
    for (size_t i = 0; i < ret_members->n; i++) {
        struct key below = key_below(ret_members->ids[i]);
        int r = db_each(txn, DB_CONTACT_LINKS, key_bytes(&below), nothing, DB_UP, add_member,
                        &(struct walk){ ret_members, below.n });
        if (r < 0)
            return r;
    }
    qsort(ret_members->ids[1], ret_members->n - 1, sizeof(ret_members->ids[0]), compare_ids);
    return (int)ret_members->n;
}

static bool is_member(const struct links_members *members, struct db_bytes id)
{
    for (size_t i = 0; i < members->n; i++)
        if (strlen(members->ids[i]) == id.n && memcmp(members->ids[i], id.data, id.n) == 0)
            return true;
    return false;
}

/* --- moving what belongs to somebody */

struct moved {
    size_t n_rest; /* of the key, behind the person */
    uint8_t rest[8 + 1 + SID_MAX];
    char owner[CONTACT_ID_MAX];
};

struct moving {
    const struct links_members *of; /* what is theirs */
    size_t n_before;
    struct moved *rows;
    size_t n, room;
};

static int collect(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct moving *moving = arg;

    if (!is_member(moving->of, value))
        return 0;
    if (moving->n == moving->room) {
        size_t room = moving->room ? 2 * moving->room : 64;
        void *larger = realloc(moving->rows, room * sizeof(*moving->rows));
        if (!larger)
            return -ENOMEM;
        moving->rows = larger;
        moving->room = room;
    }
    struct moved *row = &moving->rows[moving->n];
    row->n_rest = key.n - moving->n_before;
    if (row->n_rest > sizeof(row->rest))
        return -EUCLEAN;
    memcpy(row->rest, (const uint8_t *)key.data + moving->n_before, row->n_rest);
    memcpy(row->owner, value.data, value.n);
    row->owner[value.n] = '\0';
    moving->n++;
    return 0;
}

static int move_row(struct db_txn *txn, enum db_table index, const char *to, const char *from, const struct moved *row)
{
    struct key old = key_below(from), new = key_below(to);

    key_add_bytes(&old, row->rest, row->n_rest);
    key_add_bytes(&new, row->rest, row->n_rest);
    int r = db_delete(txn, index, key_bytes(&old));
    return r < 0 ? r : db_put(txn, index, key_bytes(&new), text_bytes(row->owner));
}

/* From below one person to below another. */
static int move(struct db_txn *txn, enum db_table index, const char *to, const char *from, const struct links_members *of)
{
    struct key below = key_below(from);
    struct moving moving = { .of = of, .n_before = below.n };
    int r = db_each(txn, index, key_bytes(&below), nothing, DB_UP, collect, &moving);

    for (size_t i = 0; r == 0 && i < moving.n; i++)
        r = move_row(txn, index, to, from, &moving.rows[i]);
    free(moving.rows);
    return r;
}

static int move_all(struct db_txn *txn, const char *to, const char *from, const struct links_members *of)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < ELEMENTSOF(indexes); i++)
        r = move(txn, indexes[i], to, from, of);
    return r;
}

/* --- links */

static struct key key_pair(const char *first, char between, const char *second)
{
    struct key key = { 0 };

    key_add_bytes(&key, first, strlen(first));
    key_add_bytes(&key, &between, 1);
    key_add_bytes(&key, second, strlen(second));
    return key;
}

static struct key key_parted(const char *a, const char *b)
{
    return strcmp(a, b) < 0 ? key_pair(a, 1, b) : key_pair(b, 1, a);
}

static struct json_object *link_json(const char *into, const char *why, uint64_t now_ms)
{
    scoped(json_object_put) struct json_object *json = json_object_new_object();

    if (!json || json_add(json, "into", json_object_new_string(into)) < 0 ||
        json_add(json, "at_ms", json_object_new_uint64(now_ms)) < 0 || json_add(json, "why", json_text(why, strlen(why))) < 0)
        return NULL;
    return steal(&json);
}

int links_merge(struct db_txn *txn, const char *into, const char *from, const char *why, uint64_t now_ms)
{
    struct links_members ours, theirs;
    struct key child = key_pair(into, 0, from);
    char person[CONTACT_ID_MAX];
    int r = links_person(txn, into, person);

    if (r == 0)
        r = links_members(txn, person, &ours);
    if (r > 0)
        r = links_members(txn, from, &theirs);
    if (r < 0)
        return r;
    if (ours.n + theirs.n > LINKS_MEMBERS_MAX)
        return -EMLINK;
    r = row_put(txn, DB_CONTACT_LINKS, text_bytes(from), link_json(into, why, now_ms));
    if (r >= 0)
        r = db_put(txn, DB_CONTACT_LINKS, key_bytes(&child), nothing);
    return r < 0 ? r : move_all(txn, person, from, &theirs);
}

int links_keep_parted(struct db_txn *txn, const char *a, const char *b)
{
    struct key parted = key_parted(a, b);
    struct db_bytes value;
    int r = db_get(txn, DB_CONTACT_LINKS, key_bytes(&parted), &value);

    return r == -ENOENT ? db_put(txn, DB_CONTACT_LINKS, key_bytes(&parted), nothing) : r < 0 ? r : 1;
}

int links_part(struct db_txn *txn, const char *from)
{
    scoped(json_object_put) struct json_object *json = NULL;
    struct links_members theirs;
    char person[CONTACT_ID_MAX];
    int r = links_get(txn, from, &json);

    if (r < 0)
        return r == -ENOENT ? -EALREADY : r;
    const char *into = json_get_text(json, "into");
    if (!into)
        return -EUCLEAN;
    r = links_person(txn, from, person);
    if (r == 0)
        r = links_members(txn, from, &theirs);
    if (r < 0)
        return r;
    struct key child = key_pair(into, 0, from), parted = key_parted(into, from);
    r = db_delete(txn, DB_CONTACT_LINKS, text_bytes(from));
    if (r == 0)
        r = db_delete(txn, DB_CONTACT_LINKS, key_bytes(&child));
    if (r == 0)
        r = db_put(txn, DB_CONTACT_LINKS, key_bytes(&parted), nothing);
    return r < 0 ? r : move_all(txn, from, person, &theirs);
}

int links_were_parted(struct db_txn *txn, const char *a, const char *b)
{
    struct links_members left, right;
    struct db_bytes value;
    int r = links_members(txn, a, &left);

    if (r > 0)
        r = links_members(txn, b, &right);
    for (size_t i = 0; r > 0 && i < left.n; i++)
        for (size_t k = 0; k < right.n; k++) {
            struct key parted = key_parted(left.ids[i], right.ids[k]);
            int found = db_get(txn, DB_CONTACT_LINKS, key_bytes(&parted), &value);
            if (found != -ENOENT)
                return found < 0 ? found : 1;
        }
    return r < 0 ? r : 0;
}

static int take_key(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct key *taken = arg;

    *taken = (struct key){ 0 };
    key_add_bytes(taken, key.data, key.n);
    return 1;
}

int links_drop(struct db_txn *txn, const char *id)
{
    scoped(json_object_put) struct json_object *json = NULL;
    struct key parted = key_pair(id, 1, ""), row;
    int r = links_get(txn, id, &json);

    if (r == 0) {
        struct key child = key_pair(json_get_text(json, "into") ?: "", 0, id);
        r = row_drop(txn, DB_CONTACT_LINKS, text_bytes(id));
        if (r == 0)
            r = row_drop(txn, DB_CONTACT_LINKS, key_bytes(&child));
    }
    if (r < 0 && r != -ENOENT)
        return r;
    while ((r = db_each(txn, DB_CONTACT_LINKS, key_bytes(&parted), nothing, DB_UP, take_key, &row)) == 1) {
        r = db_delete(txn, DB_CONTACT_LINKS, key_bytes(&row));
        if (r < 0)
            return r;
    }
    return r;
}
