/*
 * routes/health.c - GET /health
 */
#include "routes/routes.h"
#include "services/services.h"

static int health_get(struct http_request *request, struct http_response *response)
{
    static const char ok[] = "{\"status\":\"ok\",\"draining\":false}\n";
    static const char draining[] = "{\"status\":\"ok\",\"draining\":true}\n";
    const struct services *services = request->context;

    response->content_type = "application/json";
    response->body = services->draining ? draining : ok;
    response->n_body = services->draining ? sizeof(draining) - 1 : sizeof(ok) - 1;
    return HTTP_DONE;
}

static const struct route routes[] = {
    { "GET", "/health", AUTH_NONE, 0, health_get, "Say that we are alive" },
};

const struct blueprint health = BLUEPRINT("health", "", routes);
