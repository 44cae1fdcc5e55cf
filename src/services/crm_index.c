/*
 * crm_index.c - by what a contact, or a note, is found
 *
 *   contact_index  kind, term, 0, id -> contact id
 *                  '=', part, id     -> the terms of that part of it, a line each, kind first
 *
 * A term is a folded word (of which every beginning is found: a scan from there), or the rest of a telephone number from
 * any digit on, so that any part of a number is the beginning of a term; ten rows a number of twelve digits. With words,
 * stage and the list of terms a contact takes some 15 rows of 40 bytes: see `make bench` for what 100,000 cost.
 *
 * The list says which rows are there, so that an update writes what changed, and nothing is left behind when the way
 * terms are made changes.
 */
#include "services/crm_index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "services/store_row.h"
#include "utils/fold.h"
#include "utils/json.h"

enum { TERMS_MAX = 400, TERM_MAX = 1 + CONTACT_TAG_MAX + 1, PART_MIN = 3 };

/* What a list is of. */
enum part { PART_ROW = 'r', PART_PERSON = 'p' };

struct terms {
    size_t n;
    char (*term)[TERM_MAX]; /* kind first; TERMS_MAX of them */
};

static int add_term(struct terms *terms, enum index_kind kind, const char *text)
{
    char term[TERM_MAX];

    if (!text[0] || terms->n == TERMS_MAX || strchr(text, '\n'))
        return 0;
    (void)snprintf(term, sizeof(term), "%c%s", kind, text);
    for (size_t i = 0; i < terms->n; i++)
        if (strcmp(terms->term[i], term) == 0)
            return 0;
    memcpy(terms->term[terms->n++], term, sizeof(term));
    return 0;
}

static int add_word(const char *word, void *arg)
{
    return add_term(arg, INDEX_WORD, word);
}

/* The whole, and what begins at each digit but the last ones; of what is no number the whole. */
static void add_number(struct terms *terms, const char *address)
{
    char digits[TERM_MAX - 2];
    size_t n = 0;

    for (const char *p = address; *p && n < sizeof(digits) - 1; p++)
        if (*p >= '0' && *p <= '9')
            digits[n++] = *p;
    digits[n] = '\0';
    for (size_t i = 0; i + PART_MIN <= n && (i == 0 || !address_is_lid(address)); i++)
        (void)add_term(terms, INDEX_NUMBER, digits + i);
}

/* --- rows */

static struct key key_term(const char *term, const char *id)
{
    struct key key = key_below(term);

    key_add_bytes(&key, id, strlen(id));
    return key;
}

static struct key key_list(enum part part, const char *id)
{
    struct key key = { 0 };
    char kinds[] = { '=', (char)part };

    key_add_bytes(&key, kinds, sizeof(kinds));
    key_add_bytes(&key, id, strlen(id));
    return key;
}

/* The lines of a list. */
static size_t next_line(const char *list, size_t n, char ret_term[TERM_MAX])
{
    const char *end = memchr(list, '\n', n);
    size_t n_line = end ? (size_t)(end - list) : n;
    size_t n_term = n_line < TERM_MAX ? n_line : TERM_MAX - 1;

    memcpy(ret_term, list, n_term);
    ret_term[n_term] = '\0';
    return end ? n_line + 1 : n_line;
}

static bool has_term(const struct terms *terms, const char *term)
{
    for (size_t i = 0; i < terms->n; i++)
        if (strcmp(terms->term[i], term) == 0)
            return true;
    return false;
}

/* Those of the list that are not among the terms any more. */
static int drop_others(struct db_txn *txn, const char *list, size_t n, const struct terms *terms, const char *id)
{
    char term[TERM_MAX];
    int r = 0;

    for (size_t i = 0; r == 0 && i < n;) {
        i += next_line(list + i, n - i, term);
        if (has_term(terms, term))
            continue;
        struct key key = key_term(term, id);
        r = row_drop(txn, DB_CONTACT_INDEX, key_bytes(&key));
    }
    return r;
}

static char *join(const struct terms *terms, size_t *ret_n)
{
    char *list = malloc(terms->n * TERM_MAX + 1), *end = list;

    for (size_t i = 0; list && i < terms->n; i++) {
        end = stpcpy(end, terms->term[i]);
        *end++ = '\n';
    }
    *ret_n = list ? (size_t)(end - list) : 0;
    return list;
}

static int write_terms(struct db_txn *txn, const struct terms *terms, struct db_bytes list, enum part part, const char *id,
                       const char *owner)
{
    struct key key = key_list(part, id);
    int r = list.n ? db_put(txn, DB_CONTACT_INDEX, key_bytes(&key), list) : row_drop(txn, DB_CONTACT_INDEX, key_bytes(&key));

    for (size_t i = 0; r == 0 && i < terms->n; i++) {
        struct key row = key_term(terms->term[i], id);
        r = row_put_index(txn, DB_CONTACT_INDEX, &row, text_bytes(owner));
    }
    return r;
}

/* These are its terms from now on. */
static int put_terms(struct db_txn *txn, const struct terms *terms, enum part part, const char *id, const char *owner)
{
    struct key key = key_list(part, id);
    struct db_bytes there = { "", 0 }, list;
    scoped(free) char *was = NULL, *joined = join(terms, &list.n);
    int r = joined ? db_get(txn, DB_CONTACT_INDEX, key_bytes(&key), &there) : -ENOMEM;

    if (r < 0 && r != -ENOENT)
        return r;
    list.data = joined;
    if (there.n == list.n && memcmp(there.data, list.data, list.n) == 0)
        return 0;
    was = malloc(there.n + 1); /* what was read lives until the next write */
    if (!was)
        return -ENOMEM;
    memcpy(was, there.data, there.n);
    r = drop_others(txn, was, there.n, terms, id);
    return r < 0 ? r : write_terms(txn, terms, list, part, id, owner);
}

static int begin(struct terms *terms)
{
    *terms = (struct terms){ .term = malloc(TERMS_MAX * sizeof(*terms->term)) };
    return terms->term ? 0 : -ENOMEM;
}

static int finish(struct db_txn *txn, struct terms *terms, enum part part, const char *id, const char *owner)
{
    int r = put_terms(txn, terms, part, id, owner);

    free(terms->term);
    return r;
}

int index_contact(struct db_txn *txn, const struct contact *contact)
{
    struct terms terms;
    int r = begin(&terms);

    if (r < 0)
        return r;
    for (size_t i = 0; contact->addresses && i < json_object_array_length(contact->addresses); i++)
        add_number(&terms, json_object_get_string(json_object_array_get_idx(contact->addresses, i)) ?: "");
    (void)fold_words(contact->name, add_word, &terms);
    if (contact->fields) {
        json_object_object_foreach(contact->fields, field, value)
        {
            (void)field;
            if (json_object_is_type(value, json_type_string))
                (void)fold_words(json_object_get_string(value), add_word, &terms);
        }
    }
    return finish(txn, &terms, PART_ROW, contact->id, contact->id);
}

int index_note(struct db_txn *txn, const struct note *note)
{
    struct terms terms;
    int r = begin(&terms);

    if (r < 0)
        return r;
    (void)fold_words(note->text, add_word, &terms);
    return finish(txn, &terms, PART_ROW, note->id, note->contact_id);
}

int index_drop_note(struct db_txn *txn, const char *id)
{
    return put_terms(txn, &(struct terms){ 0 }, PART_ROW, id, "");
}

int index_drop_contact(struct db_txn *txn, const char *id)
{
    return put_terms(txn, &(struct terms){ 0 }, PART_ROW, id, "") ?: put_terms(txn, &(struct terms){ 0 }, PART_PERSON, id, "");
}

int index_person(struct db_txn *txn, const char *id, const struct contact *person)
{
    struct terms terms;
    int r = begin(&terms);

    if (r < 0)
        return r;
    if (person)
        (void)add_term(&terms, INDEX_STAGE, contact_stage_name(person->stage));
    for (size_t i = 0; person && person->tags && i < json_object_array_length(person->tags); i++)
        (void)add_term(&terms, INDEX_TAG, json_object_get_string(json_object_array_get_idx(person->tags, i)) ?: "");
    return finish(txn, &terms, PART_PERSON, id, id);
}

/* --- finding */

struct each {
    index_fn *fn;
    void *arg;
    const char *from;
    size_t n_begin; /* bytes of a key that all have alike */
    bool is_over;   /* the longer terms are */
};

static int tell_row(struct db_bytes key, struct db_bytes value, void *arg)
{
    const struct each *each = arg;
    char owner[CONTACT_ID_MAX];
    size_t n_from = strlen(each->from);

    if (value.n == 0 || value.n >= sizeof(owner))
        return -EUCLEAN;
    memcpy(owner, value.data, value.n);
    owner[value.n] = '\0';
    if (n_from && key.n > n_from && memcmp((const char *)key.data + key.n - n_from, each->from, n_from) == 0)
        return 0; /* the last one of the page before */
    return each->fn(owner, each->arg);
}

/* Walking down, the term itself comes behind all longer ones. */
static int tell_longer(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct each *each = arg;

    each->is_over = key.n > each->n_begin && ((const char *)key.data)[each->n_begin] == '\0';
    return each->is_over ? 1 : tell_row(key, value, arg);
}

int index_each(struct db_txn *txn, const struct index_query *query, index_fn *fn, void *arg)
{
    struct key begin = { 0 }, from = { 0 };
    char kind = (char)query->kind;

    key_add_bytes(&begin, &kind, 1);
    key_add_bytes(&begin, query->term, strlen(query->term));
    struct key whole = begin;
    key_add_bytes(&whole, "", 1);
    if (query->from[0]) {
        from = whole;
        key_add_bytes(&from, query->from, strlen(query->from));
    }
    struct each each = { fn, arg, query->from, begin.n, false };
    int r = db_each(txn, DB_CONTACT_INDEX, key_bytes(&whole), key_bytes(&from), DB_DOWN, tell_row, &each);
    if (r || !query->is_prefix)
        return r;
    r = db_each(txn, DB_CONTACT_INDEX, key_bytes(&begin), nothing, DB_DOWN, tell_longer, &each);
    return each.is_over ? 0 : r;
}

int index_has(struct db_txn *txn, const char *contact_id, enum index_kind kind, const char *prefix)
{
    struct key key = key_list(PART_ROW, contact_id);
    struct db_bytes list = { "", 0 };
    char term[TERM_MAX], wanted[TERM_MAX];
    int r = db_get(txn, DB_CONTACT_INDEX, key_bytes(&key), &list);

    (void)snprintf(wanted, sizeof(wanted), "%c%s", kind, prefix);
    for (size_t i = 0; r == 0 && i < list.n;) {
        i += next_line((const char *)list.data + i, list.n - i, term);
        if (strncmp(term, wanted, strlen(wanted)) == 0)
            return 1;
    }
    return r == -ENOENT ? 0 : r;
}
