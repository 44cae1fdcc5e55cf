/*
 * routes/api_events.c - GET /api/events: the change feed, for programs that ask rather than be told
 *
 * Whoever keeps "next" and asks with it gets every event once and in order, also after both have been away; "missed" says
 * how many the feed did not keep so long.
 */
#include "routes/routes.h"

#include <errno.h>

#include "routes/api.h"
#include "services/crm_events.h"
#include "services/services.h"
#include "utils/json.h"

enum { PAGE = 100, PAGE_MAX = 500, KINDS_MAX = 1000 };

static const char *check_kinds(struct json_object *value)
{
    return event_kinds_problem(json_object_get_string(value))
               ? "has a kind that there is none of; `agentlocator events --kinds` lists them, message.* are all of a group"
               : NULL;
}

static const struct api_field fields[] = {
    { .name = "after", .type = API_NUMBER, .summary = "\"next\" of the page before; 0 or nothing: from the oldest that is kept" },
    { .name = "limit", .type = API_NUMBER, .min = 1, .max = PAGE_MAX, .summary = "At most so many; 100 unless given" },
    { .name = "kinds", .type = API_TEXT, .min = 1, .max = KINDS_MAX, .check = check_kinds,
      .summary = "Only these, with blanks between: message.* call.summary" },
};

static const struct api_shape shape = { .query = fields, .n_query = ELEMENTSOF(fields) };

static int events_get(struct http_request *request, struct http_response *response)
{
    const struct services *services = request->context;
    scoped(json_object_put) struct json_object *query = NULL, *json = NULL;
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct api_problem problem;
    int r = api_read_query(request, &shape, &query, &problem);

    if (r < 0)
        return r == -EINVAL ? api_refuse(request, &problem) : r;
    r = db_read_begin(services->db, &txn);
    if (r == 0)
        r = crm_events_page(txn, (uint64_t)json_get_int(query, "after"), json_get_text(query, "kinds"),
                            (size_t)json_get_int(query, "limit") ?: PAGE, &json);
    return r < 0 ? r : api_answer(request, json);
}

static const struct route routes[] = {
    { "GET", "/events", AUTH_TOKEN, 0, events_get, "What happened since, in order", &shape, ASIDE },
};

const struct blueprint api_events = BLUEPRINT("api_events", "/api", routes);
