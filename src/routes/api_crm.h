#pragma once
/* api_crm.h - what api_crm.c and api_crm_tasks.c share */

#include "http.h"
#include "routes/api.h"

enum { API_CRM_PAGE = 20, API_CRM_PAGE_MAX = 100, API_CRM_CURSOR_MAX = 79 };

#define API_CRM_LIMIT { .name = "limit", .type = API_NUMBER, .min = 1, .max = API_CRM_PAGE_MAX, .summary = "At most so many; 20 unless given" }
#define API_CRM_AFTER { .name = "after", .type = API_TEXT, .min = 1, .max = API_CRM_CURSOR_MAX, .summary = "\"next\" of the page before" }

/* For a handler's last line: json, or what r means. json is the caller's. */
int api_crm_answer(struct http_request *request, int r, struct json_object *json);

/* {name: array, "next"}; NULL when out of memory. */
struct json_object *api_crm_page(const char *name, struct json_object *array, const char *next);
