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

static const struct route routes[] = {
    { "DELETE", "/contacts/{id}", AUTH_TOKEN, 0, contact_delete, "Erase a person and all that is his; answers with the receipt", NULL },
    { "GET", "/erasures", AUTH_TOKEN, 0, erasures_get, "Receipts of who was erased, newest first", &page_shape },
};

const struct blueprint api_crm_records = BLUEPRINT("api_crm_records", "/api/crm", routes);
