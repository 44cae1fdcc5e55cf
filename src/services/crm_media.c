/*
 * crm_media.c - what messages bring beside their words
 *
 * Fetching and transcribing are jobs of the lane of whoever wrote, in this order, written with the message: so they are
 * owed as long as it is there, and an answer that is written behind them comes when what it answers is known.
 */
#include "services/crm_media.h"

#include <errno.h>
#include <string.h>

#include <json-c/json.h>

#include "services/crm_links.h"
#include "services/crm_store.h"
#include "services/jobs.h"
#include "utils/json.h"
#include "utils/text.h"

static size_t n_media(const struct message *message)
{
    return message->media ? json_object_array_length(message->media) : 0;
}

static struct json_object *item_of(const struct message *message, size_t n)
{
    struct json_object *item = n < n_media(message) ? json_object_array_get_idx(message->media, n) : NULL;

    return json_object_is_type(item, json_type_object) ? item : NULL;
}

/* The first that fits; -1 none. */
static int find(const struct message *message, bool (*fits)(struct json_object *item))
{
    for (size_t i = 0; i < n_media(message); i++)
        if (item_of(message, i) && fits(item_of(message, i)))
            return (int)i;
    return -1;
}

static bool is_settled(struct json_object *item)
{
    return json_get_text(item, "file") || json_get_text(item, "error");
}

static bool is_owed(struct json_object *item)
{
    return !is_settled(item) && (json_get_text(item, "url") || json_get_text(item, "spool"));
}

static bool is_recording(struct json_object *item)
{
    return json_get_text(item, "file") && strncmp(json_get_text(item, "type") ?: "", "audio/", 6) == 0;
}

static bool is_spooled(struct json_object *item)
{
    return is_settled(item) && json_get_text(item, "spool");
}

int crm_media_next(const struct message *message)
{
    return find(message, is_owed);
}

int crm_media_recording(const struct message *message)
{
    return find(message, is_recording);
}

int crm_media_spooled(const struct message *message)
{
    return find(message, is_spooled);
}

/* --- what is owed */

static int owe(struct db_txn *txn, const struct message *message, enum job_kind kind, uint64_t now_ms)
{
    struct job job = { .kind = kind, .created_ms = now_ms, .due_ms = now_ms };
    char person[CONTACT_ID_MAX];
    int r = links_person(txn, message->contact_id, person);

    if (r < 0)
        return r;
    memcpy(job.message_id, message->id, sizeof(job.message_id));
    memcpy(job.contact_id, message->contact_id, sizeof(job.contact_id));
    job_lane_in(person, job.lane);
    return jobs_add(txn, &job);
}

int crm_media_owe(struct db_txn *txn, const struct message *message, uint64_t now_ms)
{
    int r = message->contact_id[0] && crm_media_next(message) >= 0 ? 0 : 1;

    if (r == 0)
        r = owe(txn, message, JOB_FETCH, now_ms);
    if (r == 0 && message->direction == MESSAGE_IN && message->kind == MESSAGE_AUDIO)
        r = owe(txn, message, JOB_TRANSCRIBE, now_ms);
    return r < 0 ? r : 0;
}

/* --- what became of it */

static int set_text(struct json_object *item, const char *key, const char *text)
{
    return json_add(item, key, json_text(text, strlen(text)));
}

static int set_here(struct json_object *item, const char *message_id, unsigned n, const struct media_outcome *outcome)
{
    char path[MEDIA_PATH_MAX];

    media_path(message_id, n, path);
    int r = set_text(item, "type", outcome->type);
    if (r == 0)
        r = set_text(item, "file", path);
    if (r == 0)
        r = json_add(item, "bytes", json_object_new_uint64(outcome->kept.n_bytes));
    return r < 0 ? r : set_text(item, "sha256", outcome->kept.sha256);
}

int crm_media_attach(struct message *message, const char *type, const char *name, const struct media_kept *kept)
{
    struct media_outcome outcome = { .kept = *kept };
    struct json_object *item = json_object_new_object();
    char safe[MEDIA_NAME_MAX];

    (void)text_set(outcome.type, sizeof(outcome.type), type);
    media_safe_name(name, safe);
    message->media = message->media ?: json_object_new_array();
    int r = item && message->media ? set_here(item, message->id, 0, &outcome) : -ENOMEM;
    if (r == 0 && safe[0])
        r = set_text(item, "name", safe);
    if (r < 0) {
        json_object_put(item);
        return r;
    }
    return json_append(message->media, item);
}

static int save(struct db_txn *txn, struct message *message, enum event_kind kind, uint64_t now_ms)
{
    message->updated_ms = now_ms;
    return store_save_message(txn, message, kind, now_ms);
}

int crm_media_fetched(struct db_txn *txn, const char *message_id, unsigned n, const struct media_outcome *outcome, uint64_t now_ms)
{
    scoped(message_release) struct message message = { 0 };
    int r = store_get_message(txn, message_id, &message);
    struct json_object *item = r == 0 ? item_of(&message, n) : NULL;

    if (r < 0 || !item)
        return r < 0 ? r : -ENOENT;
    r = outcome->error ? set_text(item, "error", outcome->error) : set_here(item, message_id, n, outcome);
    return r < 0 ? r : save(txn, &message, EVENT_MESSAGE_MEDIA, now_ms);
}

int crm_media_given_up(struct db_txn *txn, const char *message_id, const char *error, uint64_t now_ms)
{
    scoped(message_release) struct message message = { 0 };
    int r = store_get_message(txn, message_id, &message);

    for (int i; r == 0 && (i = crm_media_next(&message)) >= 0;)
        r = set_text(item_of(&message, (size_t)i), "error", error);
    return r < 0 ? r : save(txn, &message, EVENT_MESSAGE_MEDIA, now_ms);
}

int crm_media_heard(struct db_txn *txn, const char *message_id, unsigned n, const char *text, const char *why, uint64_t now_ms)
{
    scoped(message_release) struct message message = { 0 };
    int r = store_get_message(txn, message_id, &message);
    struct json_object *item = r == 0 ? item_of(&message, n) : NULL;

    if (r < 0 || !item)
        return r < 0 ? r : -ENOENT;
    if (why && *why)
        r = set_text(item, "unheard", why);
    else
        json_object_object_del(item, "unheard");
    if (r == 0 && text) {
        free(message.transcript);
        message.transcript = strdup(text);
        r = message.transcript ? 0 : -ENOMEM;
    }
    return r < 0 ? r : save(txn, &message, EVENT_MESSAGE_TRANSCRIPT, now_ms);
}

int crm_media_unspooled(struct db_txn *txn, const char *message_id, unsigned n, uint64_t now_ms)
{
    scoped(message_release) struct message message = { 0 };
    int r = store_get_message(txn, message_id, &message);
    struct json_object *item = r == 0 ? item_of(&message, n) : NULL;

    if (r < 0 || !item)
        return r < 0 ? r : -ENOENT;
    json_object_object_del(item, "spool");
    r = store_put_message(txn, &message);
    return r < 0 ? r : 0;
}
