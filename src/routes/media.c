/*
 * routes/media.c - /media: one file, to whoever has its URL, as long as somebody needs it
 *
 * Twilio has no token of ours when it fetches what we send. Its URL is signed, for one file, and expires; and it is no use
 * any more once the message is through.
 */
#include "routes/routes.h"

#include <errno.h>

#include "routes/media_serve.h"
#include "services/crm.h"
#include "services/media_link.h"
#include "services/services.h"
#include "utils/clock.h"

static bool is_needed(const struct message *message)
{
    return message->direction == MESSAGE_OUT && (message->status <= MESSAGE_SENT || message->status == MESSAGE_UNCERTAIN);
}

static int media_get(struct http_request *request, struct http_response *response)
{
    const struct services *services = request->context;
    scoped(message_release) struct message message = { 0 };
    scoped(db_read_end) struct db_txn *txn = NULL;
    char id[CONTACT_ID_MAX];
    unsigned n = 0;
    int r = media_link_check(services->config, request->param, clock_real_ms(), id, &n);

    if (r == 0)
        r = db_read_begin(services->db, &txn);
    if (r == 0)
        r = crm_message_by_id(txn, id, &message);
    if (r == -ETIME || (r == 0 && !is_needed(&message)))
        r = -ENOENT; /* as for a URL that was never right */
    return r < 0 ? r : media_serve(request, &message, n);
}

static const struct route routes[] = {
    { "GET", "/{token}", AUTH_NONE, 0, media_get, "A file of a message that is being sent, by its signed URL", NULL, ASIDE },
};

const struct blueprint media_public = BLUEPRINT("media_public", "/media", routes);
