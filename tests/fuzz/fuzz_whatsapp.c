/*
 * fuzz_whatsapp.c - what Twilio, or somebody in its place, posts to the webhooks of WhatsApp, down to the rows of the store
 *
 * A line is a post: i to the webhook of what comes in, anything else to that of states; then the query, a blank, the form.
 */
#include <stdint.h>

#include "config.h"
#include "fake_request.h"
#include "fuzz_store.h"
#include "gate.h"
#include "routes/routes.h"
#include "services/crm_reply.h"
#include "services/services.h"

static void post(const char *line, size_t n)
{
    static const struct config config = { .default_country = "972" };
    static struct fake_request fake;
    static const struct crm_reply_rules rules = { .when = REPLY_ON, .per_hour = 30 };
    struct services services = { .db = fuzz_db(), .config = &config, .reply_rules = &rules };
    struct http_response response = { 0 };
    const char *blank = memchr(line, ' ', n) ?: line + n;
    scoped(free) char *query = n && blank > line ? strndup(line + 1, (size_t)(blank - line - 1)) : strdup("");

    fake_request(&fake, "POST", "/", NULL, &services);
    fake.request.query = query;
    fake.request.body = blank < line + n ? blank + 1 : NULL;
    fake.request.n_body = blank < line + n ? (size_t)(line + n - blank - 1) : 0;
    if (whatsapp_twilio.routes[n && line[0] == 'i' ? 0 : 1].handler(&fake.request, &response) != HTTP_LATER)
        abort();
    gate_settle(services.db);
    int status = fake.response.status;
    if (fake.n_answers != 1 || (status != 200 && status != 204 && status != 400))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_steps(data, n, post);
    return 0;
}
