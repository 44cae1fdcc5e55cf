/*
 * crm_search.c - finding contacts: by stage and tag, by name, number and what is written about them
 *
 * A search gathers, for each word, the persons whom the index leads to, as a sorted set, and takes what all sets have. A
 * word so common that its set was cut is not gathered but asked for: each person the other words leave is looked at.
 */
#include "services/crm_search.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "services/crm_contacts.h"
#include "services/crm_index.h"
#include "services/crm_internal.h"
#include "services/crm_links.h"
#include "services/crm_store.h"
#include "services/crm_unread.h"
#include "services/store_row.h"
#include "utils/fold.h"
#include "utils/json.h"
#include "utils/text.h"

enum { LOOKED_AT_MAX = 5000, MORE = 2, TEXT_MAX = 256, PART_MIN = 3 };

/* --- pages */

struct page {
    struct db_txn *txn;
    const struct contact_filter *filter;
    struct json_object *array;
    size_t room, n_looked_at;
    char *cursor;   /* what was looked at last */
    bool has_cursor;
};

static bool has_tag(const struct contact *contact, const char *tag)
{
    for (size_t i = 0; contact->tags && i < json_object_array_length(contact->tags); i++)
        if (strcmp(json_object_get_string(json_object_array_get_idx(contact->tags, i)) ?: "", tag) == 0)
            return true;
    return false;
}

static bool passes(const struct contact_filter *filter, const struct contact *contact)
{
    return (filter->stage < 0 || (int)contact->stage == filter->stage) && (!filter->tag || has_tag(contact, filter->tag));
}

/* One who is looked at; he is on the page if he is a person and passes. */
static int add_person(const char *id, void *arg)
{
    struct page *page = arg;
    scoped(contact_done) struct contact contact = { 0 };
    char person[CONTACT_ID_MAX];

    if (page->room == 0 || page->n_looked_at == LOOKED_AT_MAX)
        return MORE;
    page->n_looked_at++;
    (void)text_set(page->cursor, CONTACT_ID_MAX, id);
    int r = links_person(page->txn, id, person);
    if (r < 0 || strcmp(person, id) != 0)
        return r;
    r = crm_contact_get(page->txn, id, &contact);
    if (r < 0 || !passes(page->filter, &contact))
        return r;
    page->room--;
    struct json_object *shown = crm_contact_shown(&contact);
    r = shown ? json_append(page->array, shown) : -ENOMEM;
    return r < 0 ? r : crm_unread_show(page->txn, id, shown);
}

static int add_row(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct page *page = arg;
    char id[CONTACT_ID_MAX];

    if (key.n >= sizeof(id))
        return -EUCLEAN;
    memcpy(id, key.data, key.n);
    id[key.n] = '\0';
    if (page->has_cursor && strcmp(id, page->cursor) == 0)
        return 0;
    return add_person(id, page);
}

static int walk(struct page *page, const char *cursor)
{
    struct index_query query = { .from = cursor };

    if (page->filter->tag) {
        query.kind = INDEX_TAG;
        query.term = page->filter->tag;
    } else if (page->filter->stage >= 0) {
        query.kind = INDEX_STAGE;
        query.term = contact_stage_name((enum contact_stage)page->filter->stage);
    } else {
        return db_each(page->txn, DB_CONTACTS, nothing, text_bytes(cursor), DB_DOWN, add_row, page);
    }
    return index_each(page->txn, &query, add_person, page);
}

int crm_contacts_list(struct db_txn *txn, const struct contact_filter *filter, const char *cursor, size_t max,
                      struct json_object **ret_array, char ret_cursor[CONTACT_ID_MAX])
{
    scoped(json_object_put) struct json_object *array = json_object_new_array();
    struct page page = { .txn = txn, .filter = filter, .array = array, .room = max, .cursor = ret_cursor, .has_cursor = cursor[0] };

    if (!array)
        return -ENOMEM;
    if (cursor[0] && !call_sid_is_plain(cursor))
        return -EINVAL;
    (void)text_set(ret_cursor, CONTACT_ID_MAX, cursor);
    int r = walk(&page, cursor);
    if (r < 0)
        return r;
    if (r != MORE)
        ret_cursor[0] = '\0';
    *ret_array = steal(&array);
    return 0;
}

/* --- sets of persons */

struct set {
    struct db_txn *txn;
    size_t n, room;
    bool is_cut;
    char (*ids)[CONTACT_ID_MAX];
};

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int gather(const char *owner, void *arg)
{
    struct set *set = arg;

    if (set->n == set->room) {
        set->is_cut = true;
        return MORE;
    }
    int r = links_person(set->txn, owner, set->ids[set->n]);
    if (r == 0)
        set->n++;
    return r;
}

/* Each once, in order. */
static void tidy(struct set *set)
{
    size_t n = 0;

    qsort(set->ids, set->n, sizeof(set->ids[0]), compare);
    for (size_t i = 0; i < set->n; i++)
        if (n == 0 || strcmp(set->ids[n - 1], set->ids[i]) != 0)
            memmove(set->ids[n++], set->ids[i], sizeof(set->ids[0]));
    set->n = n;
}

static int gather_all(struct set *set, enum index_kind kind, const char *term)
{
    struct index_query query = { .kind = kind, .term = term, .from = "", .is_prefix = true };
    int r = index_each(set->txn, &query, gather, set);

    return r < 0 ? r : 0;
}

/* --- what is looked for */

struct asked {
    size_t n_words;
    char words[SEARCH_WORDS_MAX][FOLD_WORD_MAX];
};

static int add_word(const char *word, void *arg)
{
    struct asked *asked = arg;

    if (asked->n_words == SEARCH_WORDS_MAX)
        return 1;
    return (void)text_set(asked->words[asked->n_words++], FOLD_WORD_MAX, word), 0;
}

/* However it was written: as it is, without the zeros in front, and as the number it is as a whole. */
static int find_number(struct set *set, const char *text, const char *digits, const char *country)
{
    char whole[ADDRESS_MAX];
    const char *national = digits + strspn(digits, "0");
    int r = gather_all(set, INDEX_NUMBER, digits);

    if (r == 0 && national != digits && strlen(national) >= PART_MIN)
        r = gather_all(set, INDEX_NUMBER, national);
    if (r == 0 && phone_normalise(text, country, whole) == 0 && strcmp(whole + 1, digits) != 0)
        r = gather_all(set, INDEX_NUMBER, whole + 1);
    return r;
}

static bool holds(const struct set *set, const char *id)
{
    return bsearch(id, set->ids, set->n, sizeof(set->ids[0]), compare);
}

/* A person whose rows have the word; what his notes say is not looked at. */
static int says(struct db_txn *txn, const char *person, const char *word)
{
    struct links_members members;
    int r = links_members(txn, person, &members), found = 0;

    for (size_t i = 0; r > 0 && !found && i < members.n; i++)
        found = index_has(txn, members.ids[i], INDEX_WORD, word);
    return r < 0 ? r : found;
}

/* Those of the first set whom the word leads to, too. */
static int narrow(struct set *left, const struct set *word_set, const char *word)
{
    size_t n = 0;

    for (size_t i = 0; i < left->n; i++) {
        int keeps = holds(word_set, left->ids[i]);
        if (!keeps && word_set->is_cut)
            keeps = says(left->txn, left->ids[i], word);
        if (keeps < 0)
            return keeps;
        if (keeps)
            memmove(left->ids[n++], left->ids[i], sizeof(left->ids[0]));
    }
    left->n = n;
    return 0;
}

static int begin_set(struct set *set, struct db_txn *txn)
{
    *set = (struct set){ .txn = txn, .room = SEARCH_ROWS_MAX, .ids = malloc(SEARCH_ROWS_MAX * sizeof(*set->ids)) };
    return set->ids ? 0 : -ENOMEM;
}

/* The one that all others narrow: one that is whole, if there is any. */
static size_t choose(const struct set *sets, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!sets[i].is_cut)
            return i;
    return 0;
}

static int gather_words(struct set *sets, const struct asked *asked, struct db_txn *txn)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < asked->n_words; i++) {
        r = begin_set(&sets[i], txn);
        if (r == 0)
            r = gather_all(&sets[i], INDEX_WORD, asked->words[i]);
        if (r == 0)
            tidy(&sets[i]);
    }
    return r;
}

static int find_words(struct set *ret_set, struct db_txn *txn, const char *text)
{
    struct asked asked = { 0 };
    struct set sets[SEARCH_WORDS_MAX] = { 0 };

    (void)fold_words(text, add_word, &asked);
    if (asked.n_words == 0)
        return -EINVAL;
    int r = gather_words(sets, &asked, txn);
    size_t best = choose(sets, asked.n_words);
    for (size_t i = 0; r == 0 && i < asked.n_words; i++)
        if (i != best)
            r = narrow(&sets[best], &sets[i], asked.words[i]);
    if (r == 0) {
        *ret_set = sets[best];
        sets[best].ids = NULL;
    }
    for (size_t i = 0; i < asked.n_words; i++)
        free(sets[i].ids);
    return r;
}

static int find_digits(struct set *ret_set, struct db_txn *txn, const char *text, const char *digits, const char *country)
{
    int r = begin_set(ret_set, txn);

    if (r == 0)
        r = find_number(ret_set, text, digits, country);
    if (r == 0)
        tidy(ret_set);
    return r;
}

static int show(struct set *set, struct page *page, const char *cursor)
{
    int r = 0;

    for (size_t i = set->n; r == 0 && i-- > 0;)
        if (!cursor[0] || strcmp(set->ids[i], cursor) < 0)
            r = add_person(set->ids[i], page);
    return r;
}

int crm_contacts_search(struct db_txn *txn, const char *text, const char *country, const char *cursor, size_t max,
                        struct json_object **ret_array, char ret_cursor[CONTACT_ID_MAX], bool *ret_is_cut)
{
    static const struct contact_filter everybody = { -1, NULL };
    scoped(json_object_put) struct json_object *array = json_object_new_array();
    struct page page = { .txn = txn, .filter = &everybody, .array = array, .room = max, .cursor = ret_cursor };
    char digits[PHONE_DIGITS_MAX];
    struct set set = { 0 };

    if (strlen(text) >= TEXT_MAX || (cursor[0] && !call_sid_is_plain(cursor)))
        return -EINVAL;
    if (!array)
        return -ENOMEM;
    ret_cursor[0] = '\0';
    size_t n_digits = phone_digits(text, digits);
    int r = n_digits >= PART_MIN ? find_digits(&set, txn, text, digits, country)
            : n_digits           ? -EINVAL
                                 : find_words(&set, txn, text);
    if (r == 0)
        r = show(&set, &page, cursor);
    *ret_is_cut = set.is_cut;
    free(set.ids);
    if (r < 0)
        return r;
    if (r != MORE)
        ret_cursor[0] = '\0';
    *ret_array = steal(&array);
    return 0;
}
