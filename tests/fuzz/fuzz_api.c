/*
 * fuzz_api.c - a body or a query is what the table says, or there is a problem with words
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "routes/api.h"
#include "utils/json.h"

static const char *const words[] = { "image/jpeg", "image/png", NULL };
static const struct api_field fields[] = {
    { .name = "to", .type = API_TEXT, .is_needed = true, .min = 1, .max = 16 },
    { .name = "type", .type = API_TEXT, .words = words },
    { .name = "size", .type = API_NUMBER, .min = 1, .max = 100 },
    { .name = "variables", .type = API_OBJECT },
};
static const struct api_shape shape = { .body = fields, .n_body = ELEMENTSOF(fields), .query = fields, .n_query = ELEMENTSOF(fields) };

static void judge(int r, struct json_object *json, const struct api_problem *problem)
{
    if (r == -EINVAL) {
        if (problem->status < 400 || problem->status > 499 || !problem->code[0] || !problem->text[0])
            abort();
        return;
    }
    const char *to = r == 0 ? json_get_text(json, "to") : "x";
    int64_t size = r == 0 ? json_get_int(json, "size") : 0;

    if (!to || !*to || strlen(to) > 64 || size < 0 || size > 100)
        abort();
    json_object_put(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct http_field type = { "content-type", 12, "application/json", 16 };
    char *query = malloc(n + 1);
    struct http_request request = { .body = (const char *)data, .n_body = n, .fields = &type, .n_fields = 1, .query = query };
    struct json_object *json = NULL;
    struct api_problem problem = { 0 };

    if (!query)
        return 0;
    memcpy(query, data, n);
    query[n] = '\0';
    int r = api_read_body(&request, &shape, &json, &problem);
    judge(r, json, &problem);
    json = NULL;
    r = api_read_query(&request, &shape, &json, &problem);
    judge(r, json, &problem);
    free(query);
    return 0;
}
