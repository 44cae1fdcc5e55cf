/*
 * routes/admin_records.c - what the command line imports and forgets, on the admin socket
 */
#include "routes/routes.h"

#include <errno.h>

#include "routes/erasing.h"

static int erase_post(struct http_request *request, struct http_response *response)
{
    return erasing_take(request, request->param, "command line");
}

static const struct route routes[] = {
    { "POST", "/erase/{id}", AUTH_LOCAL, 0, erase_post, "Erase a person and all that is his" },
};

const struct blueprint admin_records = BLUEPRINT("admin_records", "/admin/records", routes);
