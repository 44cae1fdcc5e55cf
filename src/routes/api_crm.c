/*
 * routes/api_crm.c - /api/crm: who the business knows, what happened with him, and what is known of him
 *
 * Reading takes a snapshot on the loop; every page is bounded, see crm_search.h and crm_timeline.h. Whoever changes a
 * contact may say which state of it he has seen, its updated_ms: when it is another one by now, nothing is changed.
 */
#include "routes/routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "routes/api.h"
#include "routes/api_crm.h"
#include "services/crm.h"
#include "services/crm_search.h"
#include "services/crm_timeline.h"
#include "services/services.h"
#include "utils/json.h"
#include "utils/text.h"
#include "utils/utf8.h"

enum { BODY_MAX = 64 * KIB, NAME_CHARACTERS = 60, VALUE_MAX = 2000, NAMES_MAX = 64, QUERY_MAX = 200, WHY_MAX = 100 };

/* --- what is taken */

static const char *const stage_words[] = { "new", "qualified", "scheduled", "won", "lost", NULL };

/* A name that can be shown, and found again. */
static bool is_name(const char *name, size_t size)
{
    size_t n = strlen(name);

    if (n == 0 || n >= size || name[0] == ' ' || name[n - 1] == ' ')
        return false;
    for (; *name; name++)
        if ((unsigned char)*name < ' ' || *name == 0x7f)
            return false;
    return true;
}

static const char *check_fields(struct json_object *value)
{
    if (json_object_object_length(value) > NAMES_MAX)
        return "are too many; send at most 64 at once";
    json_object_object_foreach(value, name, text)
    {
        if (!is_name(name, CONTACT_FIELD_MAX) || strcmp(name, "name") == 0)
            return "have a name that is empty, too long, \"name\", or not plain text; give each one of 1 to 63 bytes";
        if (text && !json_object_is_type(text, json_type_string))
            return "have a value that is neither a text nor null; null takes a field away";
        if (text && (strlen(json_object_get_string(text)) > VALUE_MAX ||
                     strlen(json_object_get_string(text)) != (size_t)json_object_get_string_len(text)))
            return "have a value of more than 2000 bytes, or with a NUL; shorten it";
    }
    return NULL;
}

static const char *check_tags(struct json_object *value)
{
    if (json_object_object_length(value) > NAMES_MAX)
        return "are too many; send at most 64 at once";
    json_object_object_foreach(value, name, wanted)
    {
        if (!is_name(name, CONTACT_TAG_MAX))
            return "have a name that is empty, too long, or not plain text; give each one of 1 to 63 bytes";
        if (!wanted || !json_object_is_type(wanted, json_type_boolean))
            return "have a value that is neither true nor false; true sets a tag, false takes it away";
    }
    return NULL;
}

#define NAME { .name = "name", .type = API_TEXT, .max = NAME_CHARACTERS, .summary = "What he is called; \"\" for none" }
#define STAGE { .name = "stage", .type = API_TEXT, .words = stage_words, .summary = "Where he is in the pipeline" }
#define FIELDS { .name = "fields", .type = API_OBJECT, .check = check_fields, .summary = "What is known of him, a text each; null takes one away" }
#define TAGS { .name = "tags", .type = API_OBJECT, .check = check_tags, .summary = "true sets a tag, false takes it away" }
#define ID(field, what) { .name = field, .type = API_TEXT, .is_needed = true, .min = 1, .max = CONTACT_ID_MAX - 1, .summary = what }

static const struct api_field make_fields[] = {
    { .name = "address", .type = API_TEXT, .min = 1, .max = ADDRESS_MAX - 1,
      .summary = "His telephone number, in any form, or his id of WhatsApp's (...@lid); who has it already is not changed" },
    NAME, STAGE, FIELDS, TAGS,
};

static const struct api_field edit_fields[] = {
    NAME, STAGE, FIELDS, TAGS,
    { .name = "updated_ms", .type = API_NUMBER, .summary = "The contact's as it was read: when it is another one by now, nothing is changed" },
};

static const struct api_field address_fields[] = {
    { .name = "add", .type = API_TEXT, .min = 1, .max = ADDRESS_MAX - 1,
      .summary = "A number or id that is his; that of another contact merges the two" },
    { .name = "remove", .type = API_TEXT, .min = 1, .max = ADDRESS_MAX - 1, .summary = "One that is not his any more" },
};

static const struct api_field merge_fields[] = {
    ID("into", "The contact that stays"),
    ID("from", "The contact that becomes part of it"),
    { .name = "why", .type = API_TEXT, .max = WHY_MAX, .summary = "For whoever asks later" },
};

static const struct api_field unmerge_fields[] = { ID("id", "The contact that was merged into another one") };

static const struct api_field map_fields[] = {
    { .name = "lid", .type = API_TEXT, .is_needed = true, .min = 1, .max = ADDRESS_MAX - 1, .summary = "An id of WhatsApp's, 123@lid" },
    { .name = "number", .type = API_TEXT, .is_needed = true, .min = 1, .max = ADDRESS_MAX - 1, .summary = "The number it is of, with + and the country code" },
};

static const struct api_field list_fields[] = {
    { .name = "q", .type = API_TEXT, .min = 1, .max = QUERY_MAX,
      .summary = "Words that name, fields or notes have, or at least three digits of a number; alone" },
    STAGE,
    { .name = "tag", .type = API_TEXT, .min = 1, .max = CONTACT_TAG_MAX - 1, .summary = "Those who have it" },
    API_CRM_LIMIT, API_CRM_AFTER,
};

static const char *const kind_words[] = { "call", "message", "note", "task", NULL };

static const struct api_field timeline_fields[] = {
    { .name = "kind", .type = API_TEXT, .words = kind_words, .summary = "Only these" },
    API_CRM_LIMIT, API_CRM_AFTER,
};

static const struct api_field page_fields[] = { API_CRM_LIMIT, API_CRM_AFTER };

#define WRITES(fields) { .body = fields, .n_body = ELEMENTSOF(fields), .is_write = true }
#define READS(fields) { .query = fields, .n_query = ELEMENTSOF(fields) }
static const struct api_shape make_shape = WRITES(make_fields), edit_shape = WRITES(edit_fields), address_shape = WRITES(address_fields),
                              merge_shape = WRITES(merge_fields), unmerge_shape = WRITES(unmerge_fields), map_shape = WRITES(map_fields),
                              list_shape = READS(list_fields), timeline_shape = READS(timeline_fields), page_shape = READS(page_fields);

/* --- changing */

/* Names of the tags that are wanted, or that are not. NULL: none, or no memory. */
static struct json_object *tags_that_are(struct json_object *tags, bool wanted)
{
    struct json_object *array = tags ? json_object_new_array() : NULL;

    if (!array)
        return NULL;
    json_object_object_foreach(tags, name, value)
    {
        if ((bool)json_object_get_boolean(value) == wanted)
            (void)json_append(array, json_object_new_string(name));
    }
    return array;
}

static void read_edit(struct json_object *body, struct contact_edit *ret_edit)
{
    const char *stage = json_get_text(body, "stage");
    struct json_object *tags = json_object_object_get(body, "tags");

    *ret_edit = (struct contact_edit){ .name = json_get_text(body, "name"),
                                       .stage = stage ? contact_stage_parse(stage) : -1,
                                       .fields = json_object_object_get(body, "fields"),
                                       .tags = tags_that_are(tags, true),
                                       .no_tags = tags_that_are(tags, false) };
}

static void end_edit(struct contact_edit *edit)
{
    json_object_put(edit->tags);
    json_object_put(edit->no_tags);
}

static int keep_new(struct db_txn *txn, struct api_write *write, struct json_object **ret_answer)
{
    char id[CONTACT_ID_MAX];
    struct contact_edit edit;

    read_edit(write->body, &edit);
    int r = crm_contact_make(txn, json_get_text(write->body, "address") ?: "", write->services->config->default_country, &edit,
                             write->now_ms, id);
    end_edit(&edit);
    if (r < 0)
        return r;
    *ret_answer = json_object_new_object();
    int added = *ret_answer ? json_add(*ret_answer, "id", json_object_new_string(id)) : -ENOMEM;
    return added ?: json_add(*ret_answer, "is_new", json_object_new_boolean(r == 0));
}

/* The person as he is now, for whoever changed him. */
static int show(struct db_txn *txn, const char *id, struct json_object **ret_answer)
{
    scoped(contact_done) struct contact contact = { 0 };
    int r = crm_contact_get(txn, id, &contact);

    if (r < 0)
        return r == -EINVAL ? -ENOENT : r;
    *ret_answer = crm_contact_shown(&contact);
    return *ret_answer ? 0 : -ENOMEM;
}

static int keep_edit(struct db_txn *txn, struct api_write *write, struct json_object **ret_answer)
{
    scoped(contact_done) struct contact contact = { 0 };
    uint64_t seen_ms = (uint64_t)json_get_int(write->body, "updated_ms");
    struct contact_edit edit;
    int r = crm_contact_get(txn, write->param, &contact);

    if (r == 0 && seen_ms && seen_ms != contact.updated_ms)
        r = -ESTALE;
    if (r < 0)
        return r == -EINVAL ? -ENOENT : r;
    read_edit(write->body, &edit);
    r = crm_contact_edit(txn, write->param, &edit, write->now_ms);
    end_edit(&edit);
    return r < 0 ? r : show(txn, write->param, ret_answer);
}

static int prepare_address(struct api_write *write, struct api_problem *problem)
{
    const char *add = json_get_text(write->body, "add"), *remove = json_get_text(write->body, "remove");
    char address[ADDRESS_MAX];

    if (!add == !remove)
        return api_problem(problem, 422, "missing_field", "add", "give either add or remove");
    if (address_normalise(add ?: remove, write->services->config->default_country, address) < 0)
        return api_problem(problem, 422, "bad_value", add ? "add" : "remove",
                           "this is no telephone number, and no id of WhatsApp's; write + and the country code");
    return 0;
}

static int keep_address(struct db_txn *txn, struct api_write *write, struct json_object **ret_answer)
{
    const char *country = write->services->config->default_country, *add = json_get_text(write->body, "add");
    int r = add ? crm_contact_add_address(txn, write->param, add, country, write->now_ms)
                : crm_contact_drop_address(txn, write->param, json_get_text(write->body, "remove"), country, write->now_ms);

    if (r < 0)
        return r == -EINVAL ? -ENOENT : r;
    return show(txn, write->param, ret_answer);
}

static int keep_merge(struct db_txn *txn, struct api_write *write, struct json_object **ret_answer)
{
    const char *into = json_get_text(write->body, "into");
    int r = crm_contact_merge(txn, into, json_get_text(write->body, "from"), json_get_text(write->body, "why") ?: "by hand",
                              write->now_ms);

    return r < 0 ? r : show(txn, into, ret_answer);
}

static int keep_unmerge(struct db_txn *txn, struct api_write *write, struct json_object **ret_answer)
{
    const char *id = json_get_text(write->body, "id");
    int r = crm_contact_unmerge(txn, id, write->now_ms);

    return r < 0 ? r : show(txn, id, ret_answer);
}

static int keep_map(struct db_txn *txn, struct api_write *write, struct json_object **ret_answer)
{
    int r = crm_contact_map(txn, json_get_text(write->body, "lid"), json_get_text(write->body, "number"), write->now_ms);

    if (r < 0)
        return r;
    *ret_answer = json_object_new_object();
    return *ret_answer ? json_add(*ret_answer, "is_new", json_object_new_boolean(r == 0)) : -ENOMEM;
}

static const struct api_refusal map_refusals[] = {
    { -EINVAL, 422, "bad_value", "lid", "lid is no id of WhatsApp's (123@lid), or number is no telephone number with its country code" },
    { -EMLINK, 409, "too_many", "", "over 64 contacts would be one person" },
    { 0 },
};
static const struct api_refusal make_refusals[] = {
    { -EINVAL, 422, "bad_value", "address", "this is no telephone number, and no id of WhatsApp's; write + and the country code" },
    { 0 },
};
static const struct api_refusal edit_refusals[] = {
    { -ENOENT, 404, "not_found", "", "there is no contact of that id, or he has no such address" },
    { -ESTALE, 409, "changed", "updated_ms", "somebody else has changed it since; read it again" },
    { -EMLINK, 409, "too_many", "", "over 64 contacts would be one person" },
    { 0 },
};
static const struct api_refusal merge_refusals[] = {
    { -ENOENT, 404, "not_found", "", "there is no contact of that id" },
    { -EINVAL, 404, "not_found", "", "there is no contact of that id" },
    { -EALREADY, 409, "not_merged", "id", "this contact was not merged into another one" },
    { -EMLINK, 409, "too_many", "from", "over 64 contacts would be one person" },
    { 0 },
};

static const struct api_write_kind make_kind = { "a contact by the API", &make_shape, NULL, keep_new, make_refusals, 200 };
static const struct api_write_kind edit_kind = { "a change by the API", &edit_shape, NULL, keep_edit, edit_refusals, 200 };
static const struct api_write_kind address_kind = { "an address by the API", &address_shape, prepare_address, keep_address, edit_refusals, 200 };
static const struct api_write_kind merge_kind = { "a merge by the API", &merge_shape, NULL, keep_merge, merge_refusals, 200 };
static const struct api_write_kind unmerge_kind = { "an un-merge by the API", &unmerge_shape, NULL, keep_unmerge, merge_refusals, 200 };

static const struct api_write_kind map_kind = { "a mapping by the API", &map_shape, NULL, keep_map, map_refusals, 200 };

#define TAKES(name, kind)                                                                                               \
    static int name(struct http_request *request, struct http_response *response)                                       \
    {                                                                                                                  \
        return api_take(request, &kind);                                                                               \
    }
TAKES(contacts_post, make_kind)
TAKES(contact_patch, edit_kind)
TAKES(addresses_post, address_kind)
TAKES(merge_post, merge_kind)
TAKES(unmerge_post, unmerge_kind)
TAKES(map_post, map_kind)

/* --- reading */

int api_crm_answer(struct http_request *request, int r, struct json_object *json)
{
    struct api_problem problem;

    if (r == -ENOENT)
        (void)api_problem(&problem, 404, "not_found", "", "there is nothing of that id");
    else if (r == -EINVAL)
        (void)api_problem(&problem, 422, "bad_value", "after", "after is no \"next\" of a page; begin without it");
    else
        return r < 0 ? r : api_answer(request, json);
    return api_refuse(request, &problem);
}

struct json_object *api_crm_page(const char *name, struct json_object *array, const char *next)
{
    struct json_object *json = json_object_new_object();

    if (!json || json_add(json, name, json_object_get(array)) < 0 ||
        (next[0] && json_add(json, "next", json_object_new_string(next)) < 0)) {
        json_object_put(json);
        return NULL;
    }
    return json;
}

static int list_contacts(struct db_txn *txn, const struct services *services, struct json_object *query, struct json_object **ret_json)
{
    scoped(json_object_put) struct json_object *array = NULL;
    const char *q = json_get_text(query, "q"), *stage = json_get_text(query, "stage"), *after = json_get_text(query, "after") ?: "";
    struct contact_filter filter = { stage ? contact_stage_parse(stage) : -1, json_get_text(query, "tag") };
    size_t max = (size_t)json_get_int(query, "limit") ?: API_CRM_PAGE;
    char next[CONTACT_ID_MAX];
    bool is_cut = false;
    int r = q ? crm_contacts_search(txn, q, services->config->default_country, after, max, &array, next, &is_cut)
              : crm_contacts_list(txn, &filter, after, max, &array, next);

    if (r < 0)
        return r;
    *ret_json = api_crm_page("contacts", array, next);
    return *ret_json ? json_add(*ret_json, "is_cut", json_object_new_boolean(is_cut)) : -ENOMEM;
}

static int contacts_get(struct http_request *request, struct http_response *response)
{
    const struct services *services = request->context;
    scoped(json_object_put) struct json_object *query = NULL, *json = NULL;
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct api_problem problem;
    int r = api_read_query(request, &list_shape, &query, &problem);

    if (r == 0 && json_get_text(query, "q") && (json_get_text(query, "stage") || json_get_text(query, "tag")))
        r = api_problem(&problem, 422, "not_together", "q", "q cannot be asked together with stage or tag; leave one out");
    if (r < 0)
        return r == -EINVAL ? api_refuse(request, &problem) : r;
    r = db_read_begin(services->db, &txn);
    if (r == 0)
        r = list_contacts(txn, services, query, &json);
    if (r == -EINVAL && json_get_text(query, "q") && !json_get_text(query, "after")) {
        (void)api_problem(&problem, 422, "bad_value", "q", "give words, or at least three digits of a number");
        return api_refuse(request, &problem);
    }
    return api_crm_answer(request, r, json);
}

static int contact_get(struct http_request *request, struct http_response *response)
{
    const struct services *services = request->context;
    scoped(json_object_put) struct json_object *json = NULL;
    scoped(db_read_end) struct db_txn *txn = NULL;
    int r = db_read_begin(services->db, &txn);

    if (r == 0)
        r = show(txn, request->param, &json);
    return api_crm_answer(request, r, json);
}

/* kind NULL: as the query says. */
static int read_timeline(struct http_request *request, const struct api_shape *shape, const char *kind)
{
    const struct services *services = request->context;
    scoped(json_object_put) struct json_object *query = NULL, *array = NULL, *json = NULL;
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct api_problem problem;
    char next[TIMELINE_CURSOR_MAX], kinds[2] = "";
    int r = api_read_query(request, shape, &query, &problem);

    if (r < 0)
        return r == -EINVAL ? api_refuse(request, &problem) : r;
    kind = kind ?: json_get_text(query, "kind");
    if (kind)
        kinds[0] = kind[0]; /* see enum store_item */
    r = db_read_begin(services->db, &txn);
    if (r == 0)
        r = crm_timeline_page(txn, request->param, kinds, json_get_text(query, "after") ?: "",
                              (size_t)json_get_int(query, "limit") ?: API_CRM_PAGE, &array, next);
    if (r == 0)
        r = (json = api_crm_page("items", array, next)) ? 0 : -ENOMEM;
    return api_crm_answer(request, r, json);
}

static int timeline_get(struct http_request *request, struct http_response *response)
{
    return read_timeline(request, &timeline_shape, NULL);
}

static int calls_get(struct http_request *request, struct http_response *response)
{
    return read_timeline(request, &page_shape, "call");
}

static const struct route routes[] = {
    { "GET", "/contacts", AUTH_TOKEN, 0, contacts_get, "Contacts, newest first: all, of a stage, with a tag, or found", &list_shape, ASIDE },
    { "POST", "/contacts", AUTH_TOKEN, BODY_MAX, contacts_post, "Make a contact, or find who has the address", &make_shape },
    { "GET", "/contacts/{id}", AUTH_TOKEN, 0, contact_get, "One contact", NULL, ASIDE },
    { "PATCH", "/contacts/{id}", AUTH_TOKEN, BODY_MAX, contact_patch, "Change a contact", &edit_shape },
    { "POST", "/addresses/{contact}", AUTH_TOKEN, BODY_MAX, addresses_post, "Add an address, or take one away", &address_shape },
    { "POST", "/merge", AUTH_TOKEN, BODY_MAX, merge_post, "Two contacts are one person", &merge_shape },
    { "POST", "/unmerge", AUTH_TOKEN, BODY_MAX, unmerge_post, "They are not after all", &unmerge_shape },
    { "POST", "/map", AUTH_TOKEN, BODY_MAX, map_post, "An id of WhatsApp's is that of a telephone number", &map_shape },
    { "GET", "/timeline/{contact}", AUTH_TOKEN, 0, timeline_get, "Calls, messages, notes and tasks that ended, newest first", &timeline_shape, ASIDE },
    { "GET", "/calls/{contact}", AUTH_TOKEN, 0, calls_get, "The calls of one person, newest first", &page_shape, ASIDE },
};

const struct blueprint api_crm = BLUEPRINT("api_crm", "/api/crm", routes);
