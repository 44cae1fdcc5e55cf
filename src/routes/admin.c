/*
 * routes/admin.c - what the command line asks the daemon, on the admin socket
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "routes/routes.h"
#include "routes/media_fault.h"
#include "server.h"
#include "services/chat.h"
#include "services/crm.h"
#include "services/event_hooks.h"
#include "services/google_token.h"
#include "services/outbox.h"
#include "services/places.h"
#include "services/reloading.h"
#include "services/services.h"
#include "services/speech.h"
#include "services/stt.h"
#include "services/tts.h"
#include "services/whatsapp/provider.h"
#include "utils/clock.h"
#include "utils/json.h"

struct status {
    uint64_t uptime_s, connections, websockets, accepted, requests, messages_in, messages_out,
        pauses;
    uint64_t calls_live, calls, delay_ms, frames_in, frames_out, dropped_in, dropped_out;
    uint64_t utterances, barge_ins, stt_failed, tts_failed, chat_failed;
    bool draining;
};

static const struct json_field fields[] = {
    JSON_FIELD(struct status, draining, JSON_BOOL),
    JSON_FIELD(struct status, uptime_s, JSON_U64),
    JSON_FIELD(struct status, connections, JSON_U64),
    JSON_FIELD(struct status, websockets, JSON_U64),
    JSON_FIELD(struct status, accepted, JSON_U64),
    JSON_FIELD(struct status, requests, JSON_U64),
    JSON_FIELD(struct status, messages_in, JSON_U64),
    JSON_FIELD(struct status, messages_out, JSON_U64),
    JSON_FIELD(struct status, pauses, JSON_U64),
    JSON_FIELD(struct status, calls_live, JSON_U64),
    JSON_FIELD(struct status, calls, JSON_U64),
    JSON_FIELD(struct status, delay_ms, JSON_U64),
    JSON_FIELD(struct status, frames_in, JSON_U64),
    JSON_FIELD(struct status, frames_out, JSON_U64),
    JSON_FIELD(struct status, dropped_in, JSON_U64),
    JSON_FIELD(struct status, dropped_out, JSON_U64),
    JSON_FIELD(struct status, utterances, JSON_U64),
    JSON_FIELD(struct status, barge_ins, JSON_U64),
    JSON_FIELD(struct status, stt_failed, JSON_U64),
    JSON_FIELD(struct status, tts_failed, JSON_U64),
    JSON_FIELD(struct status, chat_failed, JSON_U64),
};

/* Without their n_: "commits", "ops"... */
static const struct json_field store_fields[] = {
    { "commits", JSON_U64, offsetof(struct db_stats, n_commits), 0, NULL },
    { "ops", JSON_U64, offsetof(struct db_stats, n_ops), 0, NULL },
    { "failed", JSON_U64, offsetof(struct db_stats, n_failed), 0, NULL },
    { "waiting", JSON_U64, offsetof(struct db_stats, n_waiting), 0, NULL },
    { "slow", JSON_U64, offsetof(struct db_stats, n_slow), 0, NULL },
    { "stuck", JSON_U64, offsetof(struct db_stats, n_stuck), 0, NULL },
    { "grown", JSON_U64, offsetof(struct db_stats, n_grown), 0, NULL },
    { "map_bytes", JSON_U64, offsetof(struct db_stats, map_bytes), 0, NULL },
    { "used_bytes", JSON_U64, offsetof(struct db_stats, used_bytes), 0, NULL },
};

static const struct json_field chat_fields[] = {
    { "asked", JSON_U64, offsetof(struct chat_stats, n_asked), 0, NULL },
    { "failed", JSON_U64, offsetof(struct chat_stats, n_failed), 0, NULL },
    { "retries", JSON_U64, offsetof(struct chat_stats, n_retries), 0, NULL },
    { "refused", JSON_U64, offsetof(struct chat_stats, n_refused), 0, NULL },
    { "connections", JSON_U64, offsetof(struct chat_stats, n_connections), 0, NULL },
    { "truncated", JSON_U64, offsetof(struct chat_stats, n_truncated), 0, NULL },
    { "tripped", JSON_BOOL, offsetof(struct chat_stats, is_tripped), 0, NULL },
};

static const struct json_field stt_fields[] = {
    { "asked", JSON_U64, offsetof(struct stt_stats, n_asked), 0, NULL },
    { "failed", JSON_U64, offsetof(struct stt_stats, n_failed), 0, NULL },
    { "retries", JSON_U64, offsetof(struct stt_stats, n_retries), 0, NULL },
    { "refused", JSON_U64, offsetof(struct stt_stats, n_refused), 0, NULL },
    { "connections", JSON_U64, offsetof(struct stt_stats, n_connections), 0, NULL },
    { "filtered", JSON_U64, offsetof(struct stt_stats, n_filtered), 0, NULL },
    { "passed_on", JSON_U64, offsetof(struct stt_stats, n_passed_on), 0, NULL },
    { "stepped_down", JSON_U64, offsetof(struct stt_stats, n_stepped_down), 0, NULL },
    { "unheard", JSON_U64, offsetof(struct stt_stats, n_unheard), 0, NULL },
    { "tripped", JSON_BOOL, offsetof(struct stt_stats, is_tripped), 0, NULL },
};

static const struct json_field voice_fields[] = {
    { "spoken", JSON_U64, offsetof(struct tts_voice_stats, n_spoken), 0, NULL },
    { "cached", JSON_U64, offsetof(struct tts_voice_stats, n_cached), 0, NULL },
    { "failed", JSON_U64, offsetof(struct tts_voice_stats, n_failed), 0, NULL },
    { "asked", JSON_U64, offsetof(struct tts_voice_stats, n_asked), 0, NULL },
    { "retries", JSON_U64, offsetof(struct tts_voice_stats, n_retries), 0, NULL },
    { "refused", JSON_U64, offsetof(struct tts_voice_stats, n_refused), 0, NULL },
    { "connections", JSON_U64, offsetof(struct tts_voice_stats, n_connections), 0, NULL },
    { "tripped", JSON_BOOL, offsetof(struct tts_voice_stats, is_tripped), 0, NULL },
    { "resting", JSON_BOOL, offsetof(struct tts_voice_stats, is_resting), 0, NULL },
};

static const struct json_field tts_fields[] = {
    { "stepped_down", JSON_U64, offsetof(struct tts_stats, n_stepped_down), 0, NULL },
    { "broken", JSON_U64, offsetof(struct tts_stats, n_broken), 0, NULL },
    { "unspoken", JSON_U64, offsetof(struct tts_stats, n_unspoken), 0, NULL },
};

static const struct json_field token_fields[] = {
    { "asked", JSON_U64, offsetof(struct google_token_stats, n_asked), 0, NULL },
    { "failed", JSON_U64, offsetof(struct google_token_stats, n_failed), 0, NULL },
    { "self_signed", JSON_BOOL, offsetof(struct google_token_stats, is_self_signed), 0, NULL },
};

static void fill(const struct services *services, struct status *status)
{
    struct server_stats server;
    struct speech_stats speech = { 0 };

    server_stats(services->server, &server);
    if (services->speech)
        speech_stats(services->speech, &speech);
    *status = (struct status){
        .draining = services->draining,
        .uptime_s = (clock_mono_ms() - services->started_mono_ms) / 1000,
        .connections = server.n_connections,
        .websockets = server.n_websockets,
        .accepted = server.n_accepted,
        .requests = server.n_requests,
        .messages_in = server.n_messages_in,
        .messages_out = server.n_messages_out,
        .pauses = server.n_paused,
        .calls_live = speech.n_calls_live,
        .calls = speech.n_calls_ever,
        .delay_ms = speech.delay_ms,
        .frames_in = speech.n_frames_in,
        .frames_out = speech.n_frames_out,
        .dropped_in = speech.n_dropped_in,
        .dropped_out = speech.n_dropped_out,
        .utterances = speech.n_utterances,
        .barge_ins = speech.n_barge_ins,
        .stt_failed = speech.n_stt_failed,
        .tts_failed = speech.n_tts_failed,
        .chat_failed = speech.n_chat_failed,
    };
}

static const struct json_field outbox_fields[] = {
    { "under_way", JSON_U64, offsetof(struct outbox_stats, n_under_way), 0, NULL },
    { "done", JSON_U64, offsetof(struct outbox_stats, n_done), 0, NULL },
    { "again", JSON_U64, offsetof(struct outbox_stats, n_again), 0, NULL },
    { "failed", JSON_U64, offsetof(struct outbox_stats, n_failed), 0, NULL },
    { "uncertain", JSON_U64, offsetof(struct outbox_stats, n_uncertain), 0, NULL },
};

static struct json_object *outgoing(const struct services *services)
{
    struct outbox_stats stats;

    outbox_stats(services->outbox, &stats);
    return json_write(outbox_fields, ELEMENTSOF(outbox_fields), &stats);
}

/* {"bad_json":0,...}. NULL when out of memory. */
static struct json_object *count_faults(void)
{
    uint64_t counts[N_MEDIA_FAULTS];
    struct json_object *json = json_object_new_object();

    media_fault_counts(counts);
    for (int i = 0; json && i < N_MEDIA_FAULTS; i++)
        json_object_object_add(json, media_faults[i].name, json_object_new_uint64(counts[i]));
    return json;
}

/* {"expected":0,"draining":0,"full":3,"late":0} */
static struct json_object *turned_away(const struct services *services)
{
    struct json_object *json = json_object_new_object();
    struct places_stats stats = { 0 };

    if (services->places)
        places_stats(services->places, clock_mono_ms(), &stats);
    json_object_object_add(json, "expected", json_object_new_uint64(stats.n_expected));
    for (int why = TURNED_NOT + 1; why < N_TURNED; why++)
        json_object_object_add(json, turned_away_name(why), json_object_new_uint64(stats.n_turned_away[why]));
    return json;
}

static struct json_object *store(const struct services *services)
{
    struct db_stats stats;

    db_stats(services->db, &stats);
    return json_write(store_fields, ELEMENTSOF(store_fields), &stats);
}

static struct json_object *transcription(const struct services *services)
{
    struct stt_stats stats = { 0 };

    if (services->stt)
        stt_stats(services->stt, &stats);
    return json_write(stt_fields, ELEMENTSOF(stt_fields), &stats);
}

static struct json_object *replies(const struct services *services)
{
    struct chat_stats stats = { 0 };

    if (services->chat)
        chat_stats(services->chat, &stats);
    return json_write(chat_fields, ELEMENTSOF(chat_fields), &stats);
}

/* {"bounds_ms":[10,...],"stages":{"own":{"n":2,"sum_ms":31,"counts":[...]},...}}; the last count is of what is over. */
static struct json_object *latencies(const struct services *services)
{
    struct speech_latencies all = { 0 };
    struct json_object *json = json_object_new_object(), *bounds = json_object_new_array(), *stages = json_object_new_object();

    if (services->speech)
        speech_latencies(services->speech, &all);
    for (unsigned i = 0; i < LATENCY_BUCKETS - 1; i++)
        json_object_array_add(bounds, json_object_new_uint64(latency_bound_ms(i)));
    for (int stage = 0; stage < LATENCY_N; stage++) {
        struct json_object *row = json_object_new_object(), *counts = json_object_new_array();
        uint64_t n = 0;

        for (int i = 0; i < LATENCY_BUCKETS; n += all.counts[stage][i++])
            json_object_array_add(counts, json_object_new_uint64(all.counts[stage][i]));
        json_object_object_add(row, "n", json_object_new_uint64(n));
        json_object_object_add(row, "sum_ms", json_object_new_uint64(all.sum_ms[stage]));
        json_object_object_add(row, "counts", counts);
        json_object_object_add(stages, latency_name(stage), row);
    }
    json_object_object_add(json, "bounds_ms", bounds);
    json_object_object_add(json, "stages", stages);
    return json;
}

/* {"stepped_down":0,..."google":{"spoken":0,...},...}: the voices that are set up. */
static struct json_object *synthesis(const struct services *services)
{
    struct tts_stats stats = { 0 };

    if (services->tts)
        tts_stats(services->tts, &stats);
    struct json_object *json = json_write(tts_fields, ELEMENTSOF(tts_fields), &stats);
    for (int i = 0; json && i < TTS_VOICES && stats.voices[i].name; i++)
        json_object_object_add(json, stats.voices[i].name,
                               json_write(voice_fields, ELEMENTSOF(voice_fields), &stats.voices[i]));
    return json;
}

/* NULL: Google is not set up. */
static struct json_object *token(const struct services *services)
{
    struct google_token_stats stats;

    if (!services->google_token)
        return NULL;
    google_token_stats(services->google_token, &stats);
    return json_write(token_fields, ELEMENTSOF(token_fields), &stats);
}

/* [{"generation":7,"pid":4711,"started_ms":...,"calls":3},...], the oldest first: processes that share the store. */
static struct json_object *generations(const struct services *services)
{
    struct db_generation rows[DB_GENERATIONS_MAX];
    uint64_t ids[DB_GENERATIONS_MAX];
    unsigned calls[DB_GENERATIONS_MAX];
    scoped(db_read_end) struct db_txn *txn = NULL;
    scoped(json_object_put) struct json_object *json = json_object_new_array();
    int n = db_generations(services->db, rows), r = n < 0 ? n : db_read_begin(services->db, &txn);

    for (int i = 0; i < n; i++)
        ids[i] = rows[i].id;
    if (r < 0 || crm_count_streams(txn, ids, (size_t)n, calls) < 0)
        return NULL;
    for (int i = 0; i < n; i++) {
        struct json_object *row = json_object_new_object();
        json_object_object_add(row, "generation", json_object_new_uint64(rows[i].id));
        json_object_object_add(row, "pid", json_object_new_int(rows[i].pid));
        json_object_object_add(row, "started_ms", json_object_new_uint64(rows[i].started_ms));
        json_object_object_add(row, "calls", json_object_new_uint64(calls[i]));
        json_object_array_add(json, row);
    }
    return steal(&json);
}

static int status_get(struct http_request *request, struct http_response *response)
{
    scoped(json_object_put) struct json_object *json = NULL;
    struct status status;

    fill(request->context, &status);
    json = json_write(fields, ELEMENTSOF(fields), &status);
    if (json) {
        json_object_object_add(json, "media_faults", count_faults());
        json_object_object_add(json, "turned_away", turned_away(request->context));
        json_object_object_add(json, "store", store(request->context));
        json_object_object_add(json, "generations", generations(request->context));
        json_object_object_add(json, "chat", replies(request->context));
        json_object_object_add(json, "outbox", outgoing(request->context));
        json_object_object_add(json, "event_webhooks", event_hooks_status(((const struct services *)request->context)->event_hooks));
        json_object_object_add(json, "whatsapp", whatsapp_status(((const struct services *)request->context)->whatsapp));
        json_object_object_add(json, "stt", transcription(request->context));
        json_object_object_add(json, "latency", latencies(request->context));
        json_object_object_add(json, "tts", synthesis(request->context));
        json_object_object_add(json, "google_token", token(request->context));
    }
    struct http_ticket *ticket = json ? request->later(request) : NULL;
    if (!ticket)
        return -ENOMEM;
    response->content_type = "application/json";
    response->body = json_print(json, &response->n_body);
    ticket->answer(ticket, response); /* copies it */
    return HTTP_LATER;
}

/* --- a message that failed is sent again */

struct again {
    struct db_op op; /* first */
    struct http_ticket *ticket;
    char request_id[HTTP_REQUEST_ID_MAX];
    char id[CONTACT_ID_MAX], new_id[CONTACT_ID_MAX];
};

static int run_again(struct db_txn *txn, struct db_op *op)
{
    struct again *again = (struct again *)op;

    return crm_message_again(txn, again->id, clock_real_ms(), again->new_id);
}

static const struct refusal {
    int r, status;
    const char *code, *text;
} refusals[] = {
    { -ENOENT, 404, "no_such_message", "there is no message of that id" },
    { -EALREADY, 409, "not_failed", "it has not failed, or it was sent again already" },
    { -EDESTADDRREQ, 409, "no_number", "there is no number to send it to" },
};

static void answer_again(struct db_op *op, int r)
{
    struct again *again = (struct again *)op;
    struct refusal refusal = { r, 503, "not_kept", strerrordesc_np(-r) ?: "unknown error" };
    struct http_response response = { .status = 202, .content_type = "application/json" };
    char text[HTTP_ERROR_MAX];

    for (size_t i = 0; i < ELEMENTSOF(refusals); i++)
        if (refusals[i].r == r)
            refusal = refusals[i];
    if (r < 0) {
        http_error(&response, refusal.status, refusal.code, refusal.text, again->request_id, text);
    } else {
        response.n_body = (size_t)snprintf(text, sizeof(text), "{\"id\":\"%s\"}", again->new_id);
        response.body = text;
    }
    again->ticket->answer(again->ticket, &response);
    free(again);
}

static int message_again(struct http_request *request, struct http_response *response)
{
    const struct services *services = request->context;
    struct again *again = strlen(request->param) < CONTACT_ID_MAX ? calloc(1, sizeof(*again)) : NULL;

    if (!again)
        return strlen(request->param) < CONTACT_ID_MAX ? -ENOMEM : -ENOENT;
    again->op = (struct db_op){ .run = run_again, .done = answer_again, .what = "a message again" };
    memcpy(again->id, request->param, strlen(request->param));
    memcpy(again->request_id, request->request_id, sizeof(again->request_id));
    again->ticket = request->later(request);
    if (!again->ticket) {
        free(again);
        return -ENOMEM;
    }
    int r = db_submit(services->db, &again->op);
    if (r < 0)
        answer_again(&again->op, r);
    return HTTP_LATER;
}

/* --- a reload */

static int reload_post(struct http_request *request, struct http_response *response)
{
    const struct services *services = request->context;
    char text[HTTP_ERROR_MAX], request_id[HTTP_REQUEST_ID_MAX];
    struct http_response refused = { 0 };

    memcpy(request_id, request->request_id, sizeof(request_id));
    struct http_ticket *ticket = request->later(request);
    if (!ticket)
        return -ENOMEM;
    if (reloading_ask(services->reloading, ticket) < 0) {
        http_error(&refused, 409, "reloading", "A reload is under way.", request_id, text);
        ticket->answer(ticket, &refused);
    }
    return HTTP_LATER;
}

static const struct route routes[] = {
    { "GET", "/status", AUTH_LOCAL, 0, status_get, "Counters of the running daemon", NULL, ASIDE },
    { "POST", "/reload", AUTH_LOCAL, 0, reload_post, "Hand over to the program that is installed now" },
    { "POST", "/messages/{id}", AUTH_LOCAL, 0, message_again, "Send a message again that failed" },
};

const struct blueprint admin = BLUEPRINT("admin", "/admin", routes);
