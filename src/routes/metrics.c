/*
 * routes/metrics.c - GET /metrics: the daemon's counters for Prometheus
 *
 * The one table of metrics. Each row is a family; what it is made of is gathered once for each request, from the same
 * counters that /admin/status shows. Labels take their values from tables of ours alone (routes, voices, ends of calls):
 * nothing a peer sends becomes one.
 *
 * It is answered on a loop: counters are read, the store by one short look, bounded by JOBS_COUNTED.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>

#include "config.h"
#include "db.h"
#include "routes/media_fault.h"
#include "routes/routes.h"
#include "server.h"
#include "services/chat.h"
#include "services/google_token.h"
#include "services/jobs.h"
#include "services/media_store.h"
#include "services/outbox.h"
#include "services/places.h"
#include "services/services.h"
#include "services/speech.h"
#include "services/stt.h"
#include "services/tts.h"
#include "utils/clock.h"
#include "utils/exposition.h"
#include "utils/log.h"
#include "utils/self.h"

/* Everything, as it was a moment ago. */
struct reading {
    const struct services *services;
    struct server_stats server;
    struct speech_stats speech;
    struct speech_latencies latencies;
    struct db_stats store;
    struct jobs_counts jobs;
    struct outbox_stats outbox;
    struct stt_stats stt;
    struct chat_stats chat;
    struct tts_stats tts;
    struct google_token_stats token;
    struct media_store_stats media;
    struct places_stats places;
    struct self_usage self;
    uint64_t faults[N_MEDIA_FAULTS];
    uint64_t overdue_ms, draining, lines_lost, n_connections, n_websockets;
};

static void read_jobs(const struct services *services, struct reading *reading)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    uint64_t now_ms = clock_real_ms();

    if (db_read_begin(services->db, &txn) < 0 || jobs_count(txn, &reading->jobs) < 0)
        return;
    if (reading->jobs.due_ms && reading->jobs.due_ms < now_ms)
        reading->overdue_ms = now_ms - reading->jobs.due_ms;
}

static void read_all(const struct services *services, struct reading *reading)
{
    *reading = (struct reading){ .services = services, .draining = (uint64_t)services->draining, .lines_lost = log_n_lost() };
    server_stats(services->server, &reading->server);
    reading->n_connections = reading->server.n_connections;
    reading->n_websockets = reading->server.n_websockets;
    db_stats(services->db, &reading->store);
    read_jobs(services, reading);
    outbox_stats(services->outbox, &reading->outbox);
    media_fault_counts(reading->faults);
    self_usage(&reading->self);
    if (services->speech) {
        speech_stats(services->speech, &reading->speech);
        speech_latencies(services->speech, &reading->latencies);
    }
    if (services->stt)
        stt_stats(services->stt, &reading->stt);
    if (services->chat)
        chat_stats(services->chat, &reading->chat);
    if (services->tts)
        tts_stats(services->tts, &reading->tts);
    if (services->google_token)
        google_token_stats(services->google_token, &reading->token);
    if (services->places)
        places_stats(services->places, clock_mono_ms(), &reading->places);
    if (services->media)
        media_store_stats(services->media, &reading->media);
}

/* --- families of more than one number */

#define LABELS(...) (&(struct exposition_labels){ __VA_ARGS__ })
#define LABEL(name, value) LABELS({ name }, { value })

static void write_build(struct exposition *out, const struct reading *reading)
{
    exposition_add(out, LABEL("version", PACKAGE_VERSION), 1);
}

static void write_whatsapp(struct exposition *out, const struct reading *reading)
{
    exposition_add(out, LABEL("provider", reading->services->whatsapp ? reading->services->config->whatsapp_provider : "none"), 1);
}

static void write_answers(const struct route_meter *meter, void *arg)
{
    static const char *const statuses[ROUTE_STATUSES] = { "", "1xx", "2xx", "3xx", "4xx", "5xx" };

    for (int i = 1; i < ROUTE_STATUSES; i++) {
        uint64_t n = atomic_load_explicit(&meter->n_answers[i], memory_order_relaxed);
        if (n)
            exposition_add(arg, LABELS({ "method", "route", "status" }, { meter->method, meter->path, statuses[i] }), (double)n);
    }
}

static void write_requests(struct exposition *out, const struct reading *reading)
{
    router_each_meter(reading->services->router, write_answers, out);
}

/* A route that nobody asked for is left out. */
static void write_took(const struct route_meter *meter, void *arg)
{
    struct histogram_sums sums = { 0 };
    uint64_t n = 0;

    histogram_sum(&meter->took_us, &sums);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        n += sums.counts[i];
    if (n)
        exposition_add_histogram(arg, LABELS({ "method", "route" }, { meter->method, meter->path }), &histogram_us, &sums);
}

static void write_request_times(struct exposition *out, const struct reading *reading)
{
    router_each_meter(reading->services->router, write_took, out);
}

static void write_messages(struct exposition *out, const struct reading *reading)
{
    exposition_add(out, LABEL("direction", "in"), (double)reading->server.n_messages_in);
    exposition_add(out, LABEL("direction", "out"), (double)reading->server.n_messages_out);
}

static void write_ends(struct exposition *out, const struct reading *reading)
{
    for (int end = CALL_END_NONE + 1; end < CALL_N_END; end++)
        exposition_add(out, LABEL("end", call_end_name(end)), (double)reading->speech.n_ended[end]);
}

static void write_turned_away(struct exposition *out, const struct reading *reading)
{
    for (int why = TURNED_NOT + 1; why < N_TURNED; why++)
        exposition_add(out, LABEL("why", turned_away_name(why)), (double)reading->places.n_turned_away[why]);
}

static void write_frames(struct exposition *out, const struct reading *reading)
{
    exposition_add(out, LABEL("direction", "in"), (double)reading->speech.n_frames_in);
    exposition_add(out, LABEL("direction", "out"), (double)reading->speech.n_frames_out);
}

static void write_dropped(struct exposition *out, const struct reading *reading)
{
    exposition_add(out, LABEL("direction", "in"), (double)reading->speech.n_dropped_in);
    exposition_add(out, LABEL("direction", "out"), (double)reading->speech.n_dropped_out);
}

static void write_delay(struct exposition *out, const struct reading *reading)
{
    exposition_add(out, NULL, (double)reading->speech.delay_ms / 1000);
}

static void write_fill(struct exposition *out, const struct reading *reading)
{
    exposition_add_histogram(out, NULL, &histogram_percent, &reading->speech.inbound_fill);
}

/* The stages have a scale of their own; see turn.h. */
static void write_stages(struct exposition *out, const struct reading *reading)
{
    struct histogram_scale scale = { .n = LATENCY_BUCKETS, .unit = 1e-3 };

    for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
        scale.bounds[i] = latency_bound_ms(i);
    for (int stage = 0; stage < LATENCY_N; stage++) {
        struct histogram_sums sums = { .sum = reading->latencies.sum_ms[stage] };
        memcpy(sums.counts, reading->latencies.counts[stage], sizeof(reading->latencies.counts[stage]));
        exposition_add_histogram(out, LABEL("stage", latency_name(stage)), &scale, &sums);
    }
}

static void write_faults(struct exposition *out, const struct reading *reading)
{
    for (int i = 0; i < N_MEDIA_FAULTS; i++)
        exposition_add(out, LABEL("fault", media_faults[i].name), (double)reading->faults[i]);
}

static void write_fallen(struct exposition *out, const struct reading *reading)
{
    exposition_add(out, LABEL("part", "stt"), (double)(reading->stt.n_passed_on + reading->stt.n_stepped_down));
    exposition_add(out, LABEL("part", "chat"), (double)reading->speech.n_chat_failed);
    exposition_add(out, LABEL("part", "tts"), (double)reading->tts.n_stepped_down);
}

static void write_lost(struct exposition *out, const struct reading *reading)
{
    exposition_add(out, LABEL("part", "stt"), (double)reading->stt.n_unheard);
    exposition_add(out, LABEL("part", "tts"), (double)reading->tts.n_unspoken);
}

/* One who is asked over the network. */
struct asked {
    const char *part, *provider;
    uint64_t n_asked, n_failed, n_retries, n_refused;
    bool is_tripped;
    const struct histogram_sums *took_us; /* NULL not measured */
};

enum { ASKED_MAX = 3 + TTS_VOICES };

static size_t list_asked(const struct reading *reading, struct asked asked[ASKED_MAX])
{
    const struct services *services = reading->services;
    size_t n = 0;

    if (services->stt && config_stt_url(services->config))
        asked[n++] = (struct asked){ "stt", "whisper", reading->stt.n_asked, reading->stt.n_failed, reading->stt.n_retries,
                                     reading->stt.n_refused, reading->stt.is_tripped, &reading->stt.took_us };
    if (services->chat)
        asked[n++] = (struct asked){ "chat", "chat", reading->chat.n_asked, reading->chat.n_failed, reading->chat.n_retries,
                                     reading->chat.n_refused, reading->chat.is_tripped, &reading->chat.took_us };
    if (services->google_token)
        asked[n++] = (struct asked){ .part = "token", .provider = "google", .n_asked = reading->token.n_asked,
                                     .n_failed = reading->token.n_failed };
    for (int i = 0; i < TTS_VOICES && reading->tts.voices[i].name; i++) {
        const struct tts_voice_stats *voice = &reading->tts.voices[i];
        asked[n++] = (struct asked){ "tts", voice->name, voice->n_asked, voice->n_failed, voice->n_retries, voice->n_refused,
                                     voice->is_tripped, &voice->took_us };
    }
    return n;
}

static void write_asked(struct exposition *out, const struct reading *reading, size_t offset)
{
    struct asked asked[ASKED_MAX];
    size_t n = list_asked(reading, asked);

    for (size_t i = 0; i < n; i++)
        exposition_add(out, LABELS({ "part", "provider" }, { asked[i].part, asked[i].provider }),
                       (double)*(const uint64_t *)((const char *)&asked[i] + offset));
}

static void write_asks(struct exposition *out, const struct reading *reading)
{
    write_asked(out, reading, offsetof(struct asked, n_asked));
}

static void write_failures(struct exposition *out, const struct reading *reading)
{
    write_asked(out, reading, offsetof(struct asked, n_failed));
}

static void write_retries(struct exposition *out, const struct reading *reading)
{
    write_asked(out, reading, offsetof(struct asked, n_retries));
}

static void write_refused(struct exposition *out, const struct reading *reading)
{
    write_asked(out, reading, offsetof(struct asked, n_refused));
}

static void write_breakers(struct exposition *out, const struct reading *reading)
{
    struct asked asked[ASKED_MAX];
    size_t n = list_asked(reading, asked);

    for (size_t i = 0; i < n; i++)
        exposition_add(out, LABELS({ "part", "provider" }, { asked[i].part, asked[i].provider }), asked[i].is_tripped);
}

static void write_provider_times(struct exposition *out, const struct reading *reading)
{
    struct asked asked[ASKED_MAX];
    size_t n = list_asked(reading, asked);

    for (size_t i = 0; i < n; i++)
        if (asked[i].took_us && asked[i].n_asked)
            exposition_add_histogram(out, LABELS({ "part", "provider" }, { asked[i].part, asked[i].provider }), &histogram_us,
                                     asked[i].took_us);
}

static void write_spoken(struct exposition *out, const struct reading *reading)
{
    for (int i = 0; i < TTS_VOICES && reading->tts.voices[i].name; i++) {
        const struct tts_voice_stats *voice = &reading->tts.voices[i];
        exposition_add(out, LABELS({ "voice", "from" }, { voice->name, "engine" }), (double)voice->n_spoken);
        exposition_add(out, LABELS({ "voice", "from" }, { voice->name, "cache" }), (double)voice->n_cached);
    }
}

static void write_commits(struct exposition *out, const struct reading *reading)
{
    exposition_add_histogram(out, NULL, &histogram_us, &reading->store.commit_us);
}

static void write_groups(struct exposition *out, const struct reading *reading)
{
    exposition_add_histogram(out, NULL, &histogram_number, &reading->store.group);
}

static void write_settled(struct exposition *out, const struct reading *reading)
{
    exposition_add(out, LABEL("outcome", "done"), (double)reading->outbox.n_done);
    exposition_add(out, LABEL("outcome", "again"), (double)reading->outbox.n_again);
    exposition_add(out, LABEL("outcome", "failed"), (double)reading->outbox.n_failed);
    exposition_add(out, LABEL("outcome", "uncertain"), (double)reading->outbox.n_uncertain);
}

/* Without https there is none. */
static void write_certificate(struct exposition *out, const struct reading *reading)
{
    uint64_t end_ms = server_certificate_end_ms(reading->services->server);

    if (end_ms)
        exposition_add(out, NULL, (double)(end_ms / 1000));
}

static void write_cpu(struct exposition *out, const struct reading *reading)
{
    exposition_add(out, NULL, reading->self.cpu_s);
}

static void write_start(struct exposition *out, const struct reading *reading)
{
    exposition_add(out, NULL, reading->self.started_s);
}

static void write_overdue(struct exposition *out, const struct reading *reading)
{
    exposition_add(out, NULL, (double)reading->overdue_ms / 1000);
}

/* --- the table */

/* clang-format off */
#define FROM(member) offsetof(struct reading, member), NULL
#define BY(fn) 0, fn
static const struct family {
    const char *name;
    enum exposition_kind kind;
    size_t offset; /* of a uint64_t in the reading, without fn */
    void (*fn)(struct exposition *out, const struct reading *reading);
    const char *help;
} families[] = {
    { "agentlocator_build_info",                  EXPOSITION_GAUGE,     BY(write_build),             "The version; always 1." },
    { "agentlocator_draining",                    EXPOSITION_GAUGE,     FROM(draining),              "1 while no new calls are taken." },
    { "agentlocator_http_connections",            EXPOSITION_GAUGE,     FROM(n_connections),         "Open connections." },
    { "agentlocator_http_websockets",             EXPOSITION_GAUGE,     FROM(n_websockets),          "Open media streams." },
    { "agentlocator_http_accepted_total",         EXPOSITION_COUNTER,   FROM(server.n_accepted),     "Connections that were accepted." },
    { "agentlocator_http_pauses_total",           EXPOSITION_COUNTER,   FROM(server.n_paused),       "How often the listeners had to wait for a connection to close." },
    { "agentlocator_http_requests_total",         EXPOSITION_COUNTER,   BY(write_requests),          "Requests that were answered, by route and first digit of the status." },
    { "agentlocator_http_request_duration_seconds", EXPOSITION_HISTOGRAM, BY(write_request_times),   "From a request that is whole until its answer." },
    { "agentlocator_stream_messages_total",       EXPOSITION_COUNTER,   BY(write_messages),          "WebSocket messages of media streams." },
    { "agentlocator_stream_faults_total",         EXPOSITION_COUNTER,   BY(write_faults),            "What peers did wrong on media streams." },
    { "agentlocator_calls_live",                  EXPOSITION_GAUGE,     FROM(speech.n_calls_live),   "Calls that live." },
    { "agentlocator_calls_begun_total",           EXPOSITION_COUNTER,   FROM(speech.n_calls_ever),   "Calls whose stream began." },
    { "agentlocator_calls_ended_total",           EXPOSITION_COUNTER,   BY(write_ends),              "Calls whose stream ended, and why." },
    { "agentlocator_calls_expected",              EXPOSITION_GAUGE,     FROM(places.n_expected),     "Calls that were answered and whose streams are to come." },
    { "agentlocator_calls_turned_away_total",     EXPOSITION_COUNTER,   BY(write_turned_away),       "Calls that were not taken: MAX_CALLS, MAX_DELAY_MS, or the daemon stops." },
    { "agentlocator_audio_delay_seconds",         EXPOSITION_GAUGE,     BY(write_delay),             "How long callers' audio waits to be heard, by the last second." },
    { "agentlocator_frames_total",                EXPOSITION_COUNTER,   BY(write_frames),            "Audio frames of 20 ms." },
    { "agentlocator_frames_dropped_total",        EXPOSITION_COUNTER,   BY(write_dropped),           "Frames that found a full ring." },
    { "agentlocator_ring_fill_ratio",             EXPOSITION_HISTOGRAM, BY(write_fill),              "How full a call's inbound ring was when its worker looked at it." },
    { "agentlocator_utterances_total",            EXPOSITION_COUNTER,   FROM(speech.n_utterances),   "Times a caller spoke." },
    { "agentlocator_barge_ins_total",             EXPOSITION_COUNTER,   FROM(speech.n_barge_ins),    "Times a caller interrupted the agent." },
    { "agentlocator_turn_duration_seconds",       EXPOSITION_HISTOGRAM, BY(write_stages),            "Where the time goes between a caller's last sound and the reply's first." },
    { "agentlocator_provider_requests_total",     EXPOSITION_COUNTER,   BY(write_asks),              "Requests to providers." },
    { "agentlocator_provider_failures_total",     EXPOSITION_COUNTER,   BY(write_failures),          "Of them, those that failed." },
    { "agentlocator_provider_retries_total",      EXPOSITION_COUNTER,   BY(write_retries),           "Further attempts." },
    { "agentlocator_provider_refused_total",      EXPOSITION_COUNTER,   BY(write_refused),           "Requests that were not made, since the provider had failed too often." },
    { "agentlocator_provider_breaker_open",       EXPOSITION_GAUGE,     BY(write_breakers),          "1 while a provider is left alone." },
    { "agentlocator_provider_duration_seconds",   EXPOSITION_HISTOGRAM, BY(write_provider_times),    "Requests to providers, with all attempts." },
    { "agentlocator_fallbacks_total",             EXPOSITION_COUNTER,   BY(write_fallen),            "Times somebody else took over." },
    { "agentlocator_fallbacks_exhausted_total",   EXPOSITION_COUNTER,   BY(write_lost),              "Times nobody was left." },
    { "agentlocator_tts_sentences_total",         EXPOSITION_COUNTER,   BY(write_spoken),            "Sentences that were spoken." },
    { "agentlocator_store_commit_duration_seconds", EXPOSITION_HISTOGRAM, BY(write_commits),         "Groups of writes, from begin until on disk." },
    { "agentlocator_store_group_operations",      EXPOSITION_HISTOGRAM, BY(write_groups),            "Writes that went to disk at once." },
    { "agentlocator_store_operations_total",      EXPOSITION_COUNTER,   FROM(store.n_ops),           "Writes." },
    { "agentlocator_store_failures_total",        EXPOSITION_COUNTER,   FROM(store.n_failed),        "Writes that failed." },
    { "agentlocator_store_queue_operations",      EXPOSITION_GAUGE,     FROM(store.n_waiting),       "Writes that wait." },
    { "agentlocator_store_slow_total",            EXPOSITION_COUNTER,   FROM(store.n_slow),          "Transactions longer than SLOW_TRANSACTION_MS." },
    { "agentlocator_store_stuck_readers_total",   EXPOSITION_COUNTER,   FROM(store.n_stuck),         "Times a reader was found that holds an old snapshot." },
    { "agentlocator_store_growths_total",         EXPOSITION_COUNTER,   FROM(store.n_grown),         "Times the map was doubled." },
    { "agentlocator_store_map_bytes",             EXPOSITION_GAUGE,     FROM(store.map_bytes),       "Address space of the store." },
    { "agentlocator_store_used_bytes",            EXPOSITION_GAUGE,     FROM(store.used_bytes),      "Size of the store's file." },
    { "agentlocator_outbox_waiting",              EXPOSITION_GAUGE,     FROM(jobs.n_waiting),        "What is owed and waits, up to 10000." },
    { "agentlocator_outbox_under_way",            EXPOSITION_GAUGE,     FROM(jobs.n_under_way),      "What is owed and being done." },
    { "agentlocator_outbox_dead_letters",         EXPOSITION_GAUGE,     FROM(jobs.n_over),           "What is owed and was given up, up to 10000." },
    { "agentlocator_outbox_overdue_seconds",      EXPOSITION_GAUGE,     BY(write_overdue),           "How long the first that waits should have been done." },
    { "agentlocator_outbox_attempts_total",       EXPOSITION_COUNTER,   BY(write_settled),           "Attempts, by what came of them." },
    { "agentlocator_media_bytes",                 EXPOSITION_GAUGE,     FROM(media.n_bytes),         "Files of messages." },
    { "agentlocator_media_max_bytes",             EXPOSITION_GAUGE,     FROM(media.bytes_max),       "What they may have." },
    { "agentlocator_whatsapp_info",               EXPOSITION_GAUGE,     BY(write_whatsapp),          "Who carries WhatsApp messages; always 1." },
    { "agentlocator_log_lines_lost_total",        EXPOSITION_COUNTER,   FROM(lines_lost),            "Lines of the log that nobody took." },
    { "agentlocator_tls_certificate_end_seconds", EXPOSITION_GAUGE,     BY(write_certificate),       "When the certificate of https ends, unix time." },
    { "process_cpu_seconds_total",                EXPOSITION_COUNTER,   BY(write_cpu),               "Processor time." },
    { "process_resident_memory_bytes",            EXPOSITION_GAUGE,     FROM(self.resident_bytes),   "Memory that is resident." },
    { "process_virtual_memory_bytes",             EXPOSITION_GAUGE,     FROM(self.virtual_bytes),    "Address space." },
    { "process_open_fds",                         EXPOSITION_GAUGE,     FROM(self.n_fds),            "Open descriptors." },
    { "process_max_fds",                          EXPOSITION_GAUGE,     FROM(self.n_fds_max),        "Most open descriptors." },
    { "process_threads",                          EXPOSITION_GAUGE,     FROM(self.n_threads),        "Threads." },
    { "process_start_time_seconds",               EXPOSITION_GAUGE,     BY(write_start),             "When it was started, unix time." },
};
/* clang-format on */

static int write_all(const struct services *services, char **ret_text, size_t *ret_n)
{
    scoped(exposition_free) struct exposition *out = NULL;
    scoped(free) struct reading *reading = malloc(sizeof(*reading));
    int r = reading ? exposition_new(&out) : -ENOMEM;

    if (r < 0)
        return r;
    read_all(services, reading);
    for (size_t i = 0; i < ELEMENTSOF(families); i++) {
        const struct family *family = &families[i];

        exposition_family(out, family->name, family->kind, family->help);
        if (family->fn)
            family->fn(out, reading);
        else
            exposition_add(out, NULL, (double)*(const uint64_t *)((const char *)reading + family->offset));
    }
    return exposition_end(out, ret_text, ret_n);
}

/* --- the route */

int metrics_guard(struct http_request *request, struct http_response *response, char *buffer)
{
    static const char scheme[] = "bearer ";
    size_t n_scheme = sizeof(scheme) - 1;
    const char *token = ((const struct services *)request->context)->config->metrics_token;
    const struct http_field *field = http_field(request, "authorization", 0);

    if (!token) {
        http_error(response, 404, "not_found", "There is nothing here.", request->request_id, buffer);
        return 1;
    }
    if (field && field->n_value == n_scheme + strlen(token) && strncasecmp(field->value, scheme, n_scheme) == 0 &&
        CRYPTO_memcmp(field->value + n_scheme, token, strlen(token)) == 0)
        return 0;
    http_error(response, 401, "unauthorized", "The token of METRICS_TOKEN is needed.", request->request_id, buffer);
    response->extra[response->n_extra++] = (struct http_field){ "www-authenticate", 16, "Bearer", 6 };
    return 1;
}

static int metrics_get(struct http_request *request, struct http_response *response)
{
    scoped(free) char *text = NULL;
    int r = write_all(request->context, &text, &response->n_body);

    if (r < 0)
        return r;
    struct http_ticket *ticket = request->later(request);
    if (!ticket)
        return -ENOMEM;
    response->content_type = EXPOSITION_TYPE;
    response->body = text;
    ticket->answer(ticket, response); /* copies it */
    return HTTP_LATER;
}

static const struct route routes[] = {
    { "GET", "/metrics", AUTH_METRICS, 0, metrics_get, "Counters of the running daemon, for Prometheus", NULL, ASIDE },
};

const struct blueprint metrics = BLUEPRINT("metrics", "", routes);
