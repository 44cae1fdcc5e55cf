/*
 * import_batch.c - some lines of an import, in one transaction
 */
#include "services/import_batch.h"

#include <errno.h>
#include <string.h>

#include <json-c/json.h>

#include "utils/clock.h"
#include "utils/json.h"

static int run(struct db_txn *txn, struct db_op *op)
{
    struct import_batch *batch = (struct import_batch *)op;
    int r = 0;

    for (size_t i = 0; r == 0 && i < json_object_array_length(batch->rows); i++)
        r = crm_import(txn, json_object_array_get_idx(batch->rows, i), batch->country, clock_real_ms(), &batch->results[i]);
    return r;
}

int import_batch_init(struct import_batch *batch, const char *json, size_t n, const char *country)
{
    scoped(json_object_put) struct json_object *rows = NULL;
    int r = json_parse(n ? json : "", n, &rows);

    if (r == 0 && (!json_object_is_type(rows, json_type_array) || json_object_array_length(rows) > IMPORT_BATCH_ROWS))
        r = -EBADMSG;
    if (r < 0)
        return r;
    *batch = (struct import_batch){ .op = { .run = run, .what = "lines of an import" }, .rows = steal(&rows), .country = country };
    return 0;
}

void import_batch_done(struct import_batch *batch)
{
    json_object_put(steal(&batch->rows));
}

static struct json_object *row(const struct import_result *result)
{
    struct json_object *json = json_object_new_object();
    int r = json ? json_add(json, "outcome", json_object_new_string(import_outcome_name(result->outcome))) : -ENOMEM;

    if (r == 0 && result->why[0])
        r = json_add(json, "why", json_text(result->why, strlen(result->why)));
    if (r < 0) {
        json_object_put(json);
        return NULL;
    }
    return json;
}

struct json_object *import_batch_report(const struct import_batch *batch)
{
    scoped(json_object_put) struct json_object *json = json_object_new_object(), *rows = json_object_new_array();

    if (!json || !rows)
        return NULL;
    for (size_t i = 0; i < json_object_array_length(batch->rows); i++)
        if (json_append(rows, row(&batch->results[i])) < 0)
            return NULL;
    return json_add(json, "rows", json_object_get(rows)) < 0 ? NULL : steal(&json);
}
