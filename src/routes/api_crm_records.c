/*
 * routes/api_crm_records.c - /api/crm: what is kept of all, and what is forgotten
 */
#include "routes/routes.h"

#include <errno.h>
#include <string.h>

#include "routes/api.h"
#include "routes/api_crm.h"
#include "routes/erasing.h"
#include "services/crm_erase.h"
#include "services/crm_export.h"
#include "services/services.h"
#include "utils/json.h"

/* --- erasing */

static int contact_delete(struct http_request *request, struct http_response *response)
{
    char by[ERASURE_BY_MAX];

    (void)snprintf(by, sizeof(by), "api %.*s", ERASURE_BY_MAX - 8, request->caller ?: "");
    return erasing_take(request, request->param, by);
}

static const struct api_field page_fields[] = { API_CRM_LIMIT, API_CRM_AFTER };
static const struct api_shape page_shape = { .query = page_fields, .n_query = ELEMENTSOF(page_fields) };

static int erasures_get(struct http_request *request, struct http_response *response)
{
    const struct services *services = request->context;
    scoped(json_object_put) struct json_object *query = NULL, *array = NULL, *json = NULL;
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct api_problem problem;
    const char *next = "";
    int r = api_read_query(request, &page_shape, &query, &problem);

    if (r < 0)
        return r == -EINVAL ? api_refuse(request, &problem) : r;
    size_t max = (size_t)json_get_int(query, "limit") ?: API_CRM_PAGE;
    r = db_read_begin(services->db, &txn);
    if (r == 0)
        r = crm_erasures_page(txn, json_get_text(query, "after") ?: "", max, &array);
    if (r == 0 && json_object_array_length(array) == max)
        next = json_get_text(json_object_array_get_idx(array, max - 1), "id") ?: "";
    if (r == 0)
        r = (json = api_crm_page("erasures", array, next)) ? 0 : -ENOMEM;
    return api_crm_answer(request, r, json);
}

/* --- the export, page by page: a snapshot each, which is held as long as a page takes */

static const char *const kind_words[] = { "contact", "link", "parted", "address", "call", "turn", "message", "note", "task", NULL };

static const struct api_field export_fields[] = {
    API_CRM_LIMIT,
    { .name = "after", .type = API_TEXT, .min = 1, .max = EXPORT_CURSOR_MAX - 1, .summary = "\"next\" of the page before" },
    { .name = "kind", .type = API_TEXT, .words = kind_words, .summary = "Only these" },
    { .name = "contact", .type = API_TEXT, .min = 1, .max = CONTACT_ID_MAX - 1, .summary = "All of one person, at once" },
    { .name = "since_ms", .type = API_NUMBER, .summary = "Only what happened, or was changed, since" },
};
static const struct api_shape export_shape = { .query = export_fields, .n_query = ELEMENTSOF(export_fields) };

enum { PERSON_BYTES_MAX = MIB };

struct person {
    struct json_object *array;
    size_t n_bytes;
};

static int add_line(enum export_kind kind, struct json_object *line, void *arg)
{
    struct person *person = arg;
    size_t n = 0;

    (void)json_print(line, &n);
    person->n_bytes += n;
    return person->n_bytes > PERSON_BYTES_MAX ? -EFBIG : json_append(person->array, json_object_get(line));
}

static int export_lines(struct db_txn *txn, struct json_object *query, struct json_object **ret_json)
{
    scoped(json_object_put) struct json_object *array = NULL;
    const char *kind = json_get_text(query, "kind"), *contact = json_get_text(query, "contact");
    struct export_filter filter = { .since_ms = (uint64_t)json_get_int(query, "since_ms") };
    char next[EXPORT_CURSOR_MAX] = "";
    int r;

    filter.kinds = kind ? 1u << export_kind_parse(kind, strlen(kind)) : 0;
    if (contact) {
        array = json_object_new_array();
        r = array ? crm_export_person(txn, &filter, contact, add_line, &(struct person){ .array = array }) : -ENOMEM;
    } else {
        r = crm_export_page(txn, &filter, json_get_text(query, "after") ?: "", (size_t)json_get_int(query, "limit") ?: API_CRM_PAGE, &array, next);
    }
    if (r == 0)
        *ret_json = api_crm_page("lines", array, next);
    return r < 0 ? r : *ret_json ? 0 : -ENOMEM;
}

static int export_get(struct http_request *request, struct http_response *response)
{
    const struct services *services = request->context;
    scoped(json_object_put) struct json_object *query = NULL, *json = NULL;
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct api_problem problem;
    int r = api_read_query(request, &export_shape, &query, &problem);

    if (r == 0 && json_get_text(query, "contact") && json_get_text(query, "after"))
        r = api_problem(&problem, 422, "not_together", "after", "all of one person comes at once; leave after out");
    if (r < 0)
        return r == -EINVAL ? api_refuse(request, &problem) : r;
    r = db_read_begin(services->db, &txn);
    if (r == 0)
        r = export_lines(txn, query, &json);
    if (r == -EFBIG) {
        (void)api_problem(&problem, 413, "too_much", "contact", "this is over 1 MiB; ask for one kind, or use agentlocator export --contact");
        return api_refuse(request, &problem);
    }
    return api_crm_answer(request, r, json);
}

static const struct route routes[] = {
    { "GET", "/export", AUTH_TOKEN, 0, export_get, "What is kept, as `agentlocator export` writes it, page by page or of one person", &export_shape, ASIDE },
    { "DELETE", "/contacts/{id}", AUTH_TOKEN, 0, contact_delete, "Erase a person and all that is his; answers with the receipt", NULL },
    { "GET", "/erasures", AUTH_TOKEN, 0, erasures_get, "Receipts of who was erased, newest first", &page_shape, ASIDE },
};

const struct blueprint api_crm_records = BLUEPRINT("api_crm_records", "/api/crm", routes);
