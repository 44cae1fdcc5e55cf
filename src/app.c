/*
 * app.c - the app factory
 *
 * parts[] is the order of everything: built from the first row to the last; at
 * the end stopped from the last to the first, then freed from the last to the
 * first. Stopping ends threads and keeps memory: whoever still holds a ticket or
 * posts to a loop while the others stop finds it there.
 *
 * A part that is added gets a row here; its place says what it may stand on.
 *
 * Some things may be done by one process only, of those that share the store while one hands over to the next: it leads.
 * What a part does of that begins in its lead(), once it is built and perhaps more than once, and ends in its yield().
 */
#include "app.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "db.h"
#include "listeners.h"
#include "routes/aside.h"
#include "routes/routes.h"
#include "server.h"
#include "services/agent_tools.h"
#include "services/api_token.h"
#include "services/call_sweeper.h"
#include "services/chat.h"
#include "services/crm.h"
#include "services/crm_reply.h"
#include "services/crm_schema.h"
#include "services/event_hooks.h"
#include "services/engine.h"
#include "services/google_token.h"
#include "services/http_client.h"
#include "services/keeper.h"
#include "services/logging.h"
#include "services/media_store.h"
#include "services/outbox.h"
#include "services/profile.h"
#include "services/reloading.h"
#include "services/services.h"
#include "services/places.h"
#include "services/speech.h"
#include "services/stt.h"
#include "services/tts.h"
#include "services/twilio_security.h"
#include "services/whatsapp/provider.h"
#include "utils/clock.h"
#include "utils/file.h"
#include "utils/log.h"
#include "utils/when.h"

/* The one list: nothing else registers a route. */
static const struct blueprint *const blueprints[] = {
    &admin,
    &admin_contacts,
    &admin_events,
    &admin_records,
    &api_crm,
    &api_crm_records,
    &api_crm_tasks,
    &api_events,
    &api_openapi,
    &api_whatsapp,
    &api_whatsapp_read,
    &health,
    &media_public,
    &metrics,
    &twilio_voice,
    &whatsapp_twilio,
    &ws_media,
};

struct app {
    const struct config *config;
    struct app_options options;
    struct services services;
    struct listener listeners[LISTENERS_MAX]; /* the server's once it is built */
    size_t n_listeners;
    struct profile *profile;
    struct crm_reply_rules reply_rules;
    struct agent_tools *text_tools; /* NULL: no chat model writes */
    struct http_client *fetcher; /* for media alone: its thread may wait for the disk; NULL: none are fetched */
    struct http_client *client; /* these: not on the echo line */
    struct router *router;
    struct server *server;
    struct call_sweeper *sweeper;
    unsigned n_built;
    uint64_t expiry_told_ms; /* mono; 0 never */
    bool is_leading;
};

/* --- listeners: first, since a wrong one should not wait for a model to load */

static int build_listeners(struct app *app)
{
    size_t n_more = app->options.is_successor ? 0 : app->options.n_listen; /* they are among those that were passed */
    int n = listeners_open(app->options.listen, n_more, app->listeners);

    if (n < 0)
        return n;
    app->n_listeners = (size_t)n;
    for (int i = 0; i < n; i++)
        if (app->listeners[i].kind != LISTENER_ADMIN)
            return 0;
    return log_err(-EINVAL, "nobody could reach us: a socket named http or https must come from systemd, or by "
                            "--listen http=ADDRESS:PORT");
}

static void free_listeners(struct app *app)
{
    listeners_close(app->listeners, app->n_listeners);
}

/* --- state: a folder that cannot be written is found out now, not when the first answer is to be kept */

static int build_state(struct app *app)
{
    int r = file_make_folder(app->config->state_dir);

    return r < 0 ? log_err(r, "STATE_DIR %s cannot be used", app->config->state_dir) : 0;
}

/* --- clock: the office's */

static int build_clock(struct app *app)
{
    int r = when_set_zone(app->config->timezone);

    return r < 0 ? log_err(r, "TIMEZONE %s cannot be used", app->config->timezone) : 0;
}

/* --- store: its stop commits what is queued */

struct close_op {
    struct db_op op; /* first */
    bool sum_up;
    uint64_t quiet_ms;
};

static int run_close_lost(struct db_txn *txn, struct db_op *op)
{
    const struct close_op *close = (const struct close_op *)op;
    const struct crm_lost lost = { .quiet_ms = close->quiet_ms, .sum_up = close->sum_up, .now_ms = clock_real_ms() };

    return crm_close_lost(txn, &lost);
}

static int build_store(struct app *app)
{
    struct db_options options = {
        .path = config_database_path(app->config),
        .map_mib = app->config->map_mib,
        .slow_ms = app->config->slow_ms,
        .on_slow = logging_slow_transaction,
        .migrations = crm_migrations,
        .n_migrations = crm_n_migrations,
        .lead_fd = app->options.lead_fd,
    };
    int r = db_open(&options, &app->services.db);

    if (r < 0) {
        (void)log_err(0, "cannot open the store %s: %s", options.path, db_explain(r));
        return r;
    }
    return 0;
}

unsigned app_others(struct app *app, int ret_pids[DB_GENERATIONS_MAX])
{
    struct db_generation rows[DB_GENERATIONS_MAX];
    int n = db_generations(app->services.db, rows);
    unsigned n_pids = 0;

    for (int i = 0; i < n; i++)
        if (rows[i].pid != getpid())
            ret_pids[n_pids++] = rows[i].pid;
    return n_pids;
}

static bool is_alone(struct app *app)
{
    int pids[DB_GENERATIONS_MAX];

    return app_others(app, pids) == 0;
}

/* A call whose stream is still to come may have been answered by a process that lives. */
static int lead_store(struct app *app)
{
    struct close_op close_lost = { { .run = run_close_lost, .what = "closing lost calls" }, config_chat_url(app->config),
                                   is_alone(app) ? 0 : SWEEP_QUIET_MS };
    int r = db_write(app->services.db, &close_lost.op);
    if (r < 0)
        return log_err(r, "cannot close the calls that the last run left open");
    if (r > 0)
        log_info("closed %d calls that the last run left open", r);
    return 0;
}

static void stop_store(struct app *app)
{
    db_close(steal(&app->services.db));
}

/* --- media: the files of messages; what belongs to none, since its daemon died over it, is taken away */

enum { MEDIA_THREADS = 2, MEDIA_JOBS_MAX = 1024, MEDIA_CALLS_MAX = 16 };

static int is_message(void *user, const char *id)
{
    scoped(message_release) struct message message = { 0 };
    int r = crm_message_by_id(user, id, &message);

    return r == 0 || r == -EUCLEAN ? 1 : r == -ENOENT ? 0 : r;
}

static int build_media(struct app *app)
{
    const struct media_limits limits = { .bytes_max = app->config->media_max_mib * MIB, .free_bytes_min = app->config->media_free_mib * MIB };
    struct http_client_options options = { .calls_max = MEDIA_CALLS_MAX, .ca_file = app->config->provider_ca_file };
    scoped(db_read_end) struct db_txn *txn = NULL;
    int r = media_store_open(app->config->state_dir, &limits, &app->services.media);

    if (r == 0)
        r = db_read_begin(app->services.db, &txn);
    if (r == 0 && is_alone(app)) /* else somebody lives who may be at one just now */
        r = media_store_sweep(app->services.media, is_message, txn);
    if (r < 0)
        return log_err(r, "the media of messages cannot be kept below STATE_DIR %s", app->config->state_dir);
    if (r > 0)
        log_info("media of %d messages that were never kept were left over, and are gone", r);
    r = engine_new(MEDIA_THREADS, MEDIA_JOBS_MAX, &app->services.media_engine);
    if (r == 0 && app->config->twilio_whatsapp_number)
        r = http_client_new(&options, &app->fetcher);
    return r < 0 ? log_err(r, "cannot start what takes care of media") : 0;
}

/* After the server and the outbox, who give it work; before the store and the loops, to whom it tells what came of it. */
static void stop_media(struct app *app)
{
    http_client_free(steal(&app->fetcher));
    engine_free(steal(&app->services.media_engine));
}

static void free_media(struct app *app)
{
    media_store_close(app->services.media);
}

/* --- reads: requests that are answered from the store, which need not be quick */

static int build_reads(struct app *app)
{
    int r = engine_new(ASIDE_THREADS, ASIDE_WAITING_MAX, &app->services.read_engine);

    return r < 0 ? log_err(r, "cannot start the threads that read the store") : 0;
}

/* After the server, who gives it work, and before what a handler looks at. */
static void stop_reads(struct app *app)
{
    engine_free(steal(&app->services.read_engine));
}

/* --- security */

static int build_security(struct app *app)
{
    int r = twilio_security_new(app->config, &app->services.security);

    return r < 0 ? log_err(r, "cannot prepare the check of Twilio's signatures") : 0;
}

static void free_security(struct app *app)
{
    twilio_security_free(app->services.security);
}

/* --- the API's tokens and limits */

static int build_api(struct app *app)
{
    int r = api_gate_new(app->config, clock_mono_us, &app->services.api_gate);

    return r < 0 ? log_err(r, "cannot prepare the API's tokens") : 0;
}

static void free_api(struct app *app)
{
    api_gate_free(app->services.api_gate);
}

/* --- profile: who answers */

static int build_profile(struct app *app)
{
    const struct config *config = app->config;
    char problems[4 * KIB];
    int r = profile_load(config->agent_profile, config->business_name, problems, sizeof(problems), &app->profile);

    app->services.profile = app->profile;
    return r < 0 ? log_err(r, "AGENT_PROFILE %s cannot be used:\n%s", config->agent_profile, problems) : 0;
}

static void free_profile(struct app *app)
{
    profile_free(app->profile);
}

/* --- the way to other services, where one is configured */

enum { CLIENT_CALLS_MAX = 256 }; /* at once; a call has seldom more than one under way */

static bool is_google_set(const struct config *config)
{
    return config->google_tts_sa_json || config->google_application_credentials;
}

static int build_client(struct app *app)
{
    struct http_client_options options = { .calls_max = CLIENT_CALLS_MAX, .ca_file = app->config->provider_ca_file };

    if (!app->config->twilio_whatsapp_number && !app->config->event_webhook_url && strcmp(app->config->whatsapp_provider, "baileys") != 0 &&
        (app->profile->mode == PROFILE_ECHO ||
         (!config_stt_url(app->config) && !config_chat_url(app->config) && !config_tts_url(app->config) &&
          !is_google_set(app->config))))
        return 0;
    int r = http_client_new(&options, &app->client);
    return r < 0 ? log_err(r, "cannot start the http client") : 0;
}

static void free_client(struct app *app)
{
    http_client_free(app->client);
}

/* --- what is shown to Google, where it speaks */

static int build_google_token(struct app *app)
{
    if (!app->client || !is_google_set(app->config))
        return 0;
    return google_token_open(app->config, app->client, &app->services.google_token);
}

static void free_google_token(struct app *app)
{
    google_token_close(app->services.google_token);
}

/* --- the chat model, where one is configured */

static int build_chat(struct app *app)
{
    const struct config *config = app->config;

    if (!app->client || !config_chat_url(config))
        return 0;
    int r = chat_open(config, app->client, &app->services.chat);
    if (r < 0)
        return log_err(r, "the chat model cannot be asked at CHAT_BASE_URL or OPENAI_BASE_URL");
    log_info("replies are thought up by %s at %s", config->chat_model,
             config->chat_base_url ? "CHAT_BASE_URL" : "OPENAI_BASE_URL");
    return 0;
}

static void free_chat(struct app *app)
{
    chat_close(app->services.chat);
}

/* --- who answers on WhatsApp, and whom */

static int build_writer(struct app *app)
{
    static const char *const names[] = { [REPLY_ON] = "on", [REPLY_CLOSED] = "closed", [REPLY_OFF] = "off" };
    const struct config *config = app->config;
    struct agent_tools_options tools = { .profile = app->profile, .country = config->default_country, .can_transfer = true, .is_written = true };
    struct crm_reply_rules *rules = &app->reply_rules;

    *rules = (struct crm_reply_rules){ .when = REPLY_OFF, .per_hour = (unsigned)config->whatsapp_agent_hourly, .hours = &app->profile->hours,
                                       .own_number = config->twilio_whatsapp_number };
    app->services.reply_rules = rules;
    for (size_t i = 0; i < ELEMENTSOF(names) && app->profile->mode != PROFILE_ECHO; i++)
        if (strcmp(names[i], config->whatsapp_agent) == 0)
            rules->when = (enum reply_when)i;
    if (rules->when == REPLY_OFF)
        return 0;
    if (rules->when == REPLY_CLOSED && !app->profile->hours.is_set)
        return log_err(-EINVAL, "WHATSAPP_AGENT=closed needs \"hours\" in the profile, or nobody knows when the office is closed");
    if (app->services.chat && app->profile->has_chat) {
        int r = agent_tools_new(&tools, &app->text_tools);
        if (r < 0)
            return log_err(r, "cannot prepare what the chat model may do on WhatsApp");
    } else if (!app->profile->writing.is_set) {
        return log_err(-EINVAL, "WHATSAPP_AGENT needs a chat model, or \"writing\" in the profile: it has no words");
    }
    log_info("WhatsApp messages are answered by %s", app->text_tools ? "the chat model" : "the profile's script");
    return 0;
}

static void free_writer(struct app *app)
{
    agent_tools_free(app->text_tools);
}

/* --- ears and voice; the echo line has neither */

static int build_stt(struct app *app)
{
    if (app->profile->mode == PROFILE_ECHO)
        return 0;
    int r = stt_open(app->config, app->client, (unsigned)app->config->engine_threads, &app->services.stt);

    return r < 0 ? log_err(r, "cannot open speech recognition") : 0;
}

static void free_stt(struct app *app)
{
    stt_close(app->services.stt);
}

static int build_tts(struct app *app)
{
    struct tts_options options = {
        .config = app->config,
        .profile = app->profile->name,
        .client = app->client,
        .token = app->services.google_token,
    };

    if (app->profile->mode == PROFILE_ECHO)
        return 0;
    int r = tts_open(&options, &app->services.tts);

    return r < 0 ? log_err(r, "cannot open speech synthesis") : 0;
}

static void free_tts(struct app *app)
{
    tts_close(app->services.tts);
}

/* --- speech: calls live in it; see "calls" for its end */

static int build_speech(struct app *app)
{
    struct speech_options options = {
        .config = app->config,
        .profile = app->profile,
        .db = app->services.db,
        .stt = app->services.stt,
        .chat = app->services.chat,
        .tts = app->services.tts,
    };

    int r = places_new(app->config->max_calls, &app->services.places);
    return r < 0 ? r : speech_new(&options, &app->services.speech);
}

static void free_speech(struct app *app)
{
    places_free(app->services.places);
    speech_free(app->services.speech);
}

/* --- sweeper */

static bool is_live(void *user, const char *sid)
{
    struct app *app = user;

    return speech_has_call(app->services.speech, sid);
}

static int build_sweeper(struct app *app)
{
    struct call_sweeper_options options = {
        .db = app->services.db,
        .is_live = is_live,
        .user = app,
        .real_ms = clock_real_ms,
        .sum_up = config_chat_url(app->config),
    };

    return call_sweeper_new(&options, &app->sweeper);
}

static void free_sweeper(struct app *app)
{
    call_sweeper_free(app->sweeper);
}

/* --- reloading: who asked for it is told that we stop */

static int build_reloading(struct app *app)
{
    return reloading_new(&app->services.reloading);
}

static void stop_reloading(struct app *app)
{
    if (app->services.reloading)
        reloading_tell(app->services.reloading, 0, "the daemon stops");
}

static void free_reloading(struct app *app)
{
    reloading_free(app->services.reloading);
}

/* --- router */

static int build_router(struct app *app)
{
    int r = app_router(&app->services, stderr, &app->router);

    if (r < 0)
        return log_err(r, "the routes are not in order");
    app->services.router = app->router;
    router_set_origins(app->router, app->config->cors_origins);
    router_set_aside(app->router, aside_take);
    router_set_guard(app->router, AUTH_METRICS, metrics_guard);
    router_set_guard(app->router, AUTH_TOKEN, api_token_guard);
    router_set_guard(app->router, AUTH_TWILIO, twilio_security_guard);
    return 0;
}

static void free_router(struct app *app)
{
    router_free(app->router);
}

/* --- server: stopping it closes the calls' sockets and ends the loops; it is freed after all who may post to one */

static int build_server(struct app *app)
{
    const struct config *config = app->config;
    struct server_options options = {
        .router = app->router,
        .n_loops = (unsigned)config->loop_threads,
        .connections_max = (unsigned)config->max_connections,
        .request_timeout_ms = config->request_timeout_s * 1000,
        .handshake_timeout_ms = config->handshake_timeout_s * 1000,
        .user_timeout_ms = config->request_timeout_s * 1000,
        .log_requests = strcmp(config->log_requests, "info") == 0 ? LOG_INFO : LOG_DEBUG,
        .tls_cert_file = config->tls_cert_file,
        .tls_key_file = config->tls_key_file,
    };
    size_t n = app->n_listeners;

    app->n_listeners = 0; /* the server's now, also when it fails */
    int r = server_new(&options, app->listeners, n, &app->server);
    app->services.server = app->server;
    return r;
}

static void stop_server(struct app *app)
{
    server_stop(app->server);
}

static void free_server(struct app *app)
{
    server_free(app->server);
}

/* --- what is owed: begun when we can be told what became of it; stopped after the calls, which may owe something more */

static int build_outbox(struct app *app)
{
    const struct config *config = app->config;
    struct outbox_services services = { .db = app->services.db, .chat = app->services.chat, .profile = app->profile };
    int r = whatsapp_open(config, app->client, &app->services.whatsapp);

    if (r < 0 && r != -ENOENT)
        return log_err(r, "WhatsApp messages cannot be sent by %s at TWILIO_BASE_URL", config->whatsapp_provider);
    services.whatsapp = app->services.whatsapp;
    services.text_tools = app->text_tools;
    services.country = config->default_country;
    services.reply_rules = app->reply_rules;
    services.config = config;
    services.media = app->services.media;
    services.engine = app->services.media_engine;
    services.fetcher = app->fetcher;
    services.stt = app->services.stt;
    r = outbox_new(&services, &app->services.outbox);
    return r < 0 ? log_err(r, "cannot prepare to do what is owed") : 0;
}

static int lead_outbox(struct app *app)
{
    int r = outbox_start(app->services.outbox);

    if (r < 0)
        return log_err(r, "cannot begin to do what is owed");
    r = whatsapp_start(app->services.whatsapp, app->services.db, &app->reply_rules);
    return r < 0 ? log_err(r, "cannot begin to take what comes by WhatsApp") : 0;
}

static void stop_outbox(struct app *app)
{
    whatsapp_stop(app->services.whatsapp);
    outbox_stop(app->services.outbox);
}

static void free_outbox(struct app *app)
{
    outbox_free(app->services.outbox);
    whatsapp_close(app->services.whatsapp);
}

/* --- who is told of events */

static int build_hooks(struct app *app)
{
    char problem[EVENT_HOOKS_PROBLEM_MAX];

    if (event_hooks_check(app->config, problem) < 0)
        return log_err(-EINVAL, "%s", problem);
    if (!app->config->event_webhook_url)
        return 0;
    int r = event_hooks_new(app->config, app->client, app->services.db, &app->services.event_hooks);
    return r < 0 ? log_err(r, "cannot prepare to tell EVENT_WEBHOOK_URL of events") : 0;
}

static int lead_hooks(struct app *app)
{
    int r = event_hooks_start(app->services.event_hooks);

    return r < 0 ? log_err(r, "cannot begin to tell EVENT_WEBHOOK_URL of events") : 0;
}

static void stop_hooks(struct app *app)
{
    event_hooks_stop(app->services.event_hooks);
}

static void free_hooks(struct app *app)
{
    event_hooks_free(app->services.event_hooks);
}

/* --- keeper: forgets; it writes, and is stopped before the store */

static int build_keeper(struct app *app)
{
    struct keeper_options options = { .db = app->services.db, .media = app->services.media, .whatsapp = &app->services.whatsapp,
                                      .config = app->config };
    int r = keeper_new(&options, &app->services.keeper);

    return r < 0 ? log_err(r, "cannot prepare to forget what is to be forgotten") : 0;
}

static int lead_keeper(struct app *app)
{
    int r = keeper_start(app->services.keeper);

    return r < 0 ? log_err(r, "cannot begin to forget what is to be forgotten") : 0;
}

static void stop_keeper(struct app *app)
{
    keeper_stop(app->services.keeper);
}

static void free_keeper(struct app *app)
{
    keeper_free(app->services.keeper);
}

/* --- calls: ended before the loops, so that callers are hung up on and not cut off, and the store knows why */

static void stop_calls(struct app *app)
{
    if (app->services.speech)
        speech_stop(app->services.speech);
}

/* --- all of them */

static const struct part {
    const char *name;
    int (*build)(struct app *app); /* may be NULL, as may the others */
    void (*stop)(struct app *app);
    void (*free)(struct app *app);
    int (*lead)(struct app *app);
    void (*yield)(struct app *app); /* also after a lead() that failed, or none */
} parts[] = {
    { "listeners", build_listeners, NULL,        free_listeners },
    { "state",     build_state,     NULL,        NULL },
    { "clock",     build_clock,     NULL,        NULL },
    { "store",     build_store,     stop_store,  NULL, lead_store, NULL },
    { "media",     build_media,     stop_media,  free_media },
    { "reads",     build_reads,     stop_reads,  NULL },
    { "security",  build_security,  NULL,        free_security },
    { "api",       build_api,       NULL,        free_api },
    { "profile",   build_profile,   NULL,        free_profile },
    { "client",    build_client,    NULL,        free_client },
    { "google token", build_google_token, NULL,  free_google_token },
    { "chat",      build_chat,      NULL,        free_chat },
    { "writer",    build_writer,    NULL,        free_writer },
    { "stt",       build_stt,       NULL,        free_stt },
    { "tts",       build_tts,       NULL,        free_tts },
    { "speech",    build_speech,    NULL,        free_speech },
    { "sweeper",   build_sweeper,   NULL,        free_sweeper },
    { "keeper",    build_keeper,    stop_keeper, free_keeper, lead_keeper, stop_keeper },
    { "reloading", build_reloading, stop_reloading, free_reloading },
    { "router",    build_router,    NULL,        free_router },
    { "server",    build_server,    stop_server, free_server },
    { "outbox",    build_outbox,    stop_outbox, free_outbox, lead_outbox, stop_outbox },
    { "hooks",     build_hooks,     stop_hooks,  free_hooks, lead_hooks, stop_hooks },
    { "calls",     NULL,            stop_calls,  NULL },
};

int app_new(const struct app_options *options, struct app **ret_app)
{
    scoped(app_free) struct app *app = calloc(1, sizeof(*app));

    if (!app)
        return -ENOMEM;
    app->config = options->config;
    app->options = *options;
    app->services.config = options->config;
    app->services.started_mono_ms = clock_mono_ms();
    while (app->n_built < ELEMENTSOF(parts)) {
        const struct part *part = &parts[app->n_built];
        int r = part->build ? part->build(app) : 0;
        app->n_built++; /* half built parts are freed, too */
        if (r < 0)
            return r;
        log_debug("%s: ready", part->name);
    }
    *ret_app = steal(&app);
    return 0;
}

void app_free(struct app *app)
{
    if (!app)
        return;
    for (unsigned i = app->n_built; i-- > 0;)
        if (parts[i].stop)
            parts[i].stop(app);
    for (unsigned i = app->n_built; i-- > 0;)
        if (parts[i].free)
            parts[i].free(app);
    free(app);
}

int app_lead(struct app *app)
{
    int r = db_lead(app->services.db);

    if (r < 0)
        return r == -EBUSY ? r : log_err(r, "cannot lock the store");
    for (size_t i = 0; r == 0 && i < ELEMENTSOF(parts); i++)
        r = parts[i].lead ? parts[i].lead(app) : 0;
    app->is_leading = r == 0;
    if (r < 0)
        app_yield(app);
    return r;
}

void app_yield(struct app *app)
{
    app->is_leading = false;
    for (size_t i = ELEMENTSOF(parts); i-- > 0;)
        if (parts[i].yield)
            parts[i].yield(app);
}

void app_step_down(struct app *app)
{
    db_yield(app->services.db);
    server_step_down(app->server);
}

void app_step_up(struct app *app)
{
    server_step_up(app->server);
}

int app_pass_on(struct app *app, const struct program *program, struct successor *ret_successor)
{
    struct listener listeners[LISTENERS_MAX];
    size_t n = server_listeners(app->server, listeners);

    return successor_start(program, listeners, n, db_lead_fd(app->services.db), ret_successor);
}

void app_tell_reload(struct app *app, int pid, const char *why)
{
    reloading_tell(app->services.reloading, pid, why);
}

int app_start(struct app *app)
{
    return server_start(app->server);
}

int app_reload(struct app *app)
{
    return server_reload(app->server);
}

enum { EXPIRES_SOON_DAYS = 14, DAY_MS = 24 * 3600 * 1000 };

/* At the start and once a day. */
static void look_at_certificate(struct app *app)
{
    uint64_t end_ms = server_certificate_end_ms(app->server), now_ms = clock_real_ms(), mono_ms = clock_mono_ms();

    if (end_ms == 0 || (app->expiry_told_ms && mono_ms - app->expiry_told_ms < DAY_MS))
        return;
    int64_t days = ((int64_t)end_ms - (int64_t)now_ms) / DAY_MS;
    if (days >= EXPIRES_SOON_DAYS)
        return;
    app->expiry_told_ms = mono_ms;
    (void)log_about(end_ms > now_ms ? LOG_WARNING : LOG_ERR, 0, &(struct log_about){ LOG_CERTIFICATE_EXPIRES },
                    end_ms > now_ms ? "the certificate of TLS_CERT_FILE ends in %lld days" : "the certificate of TLS_CERT_FILE has ended (%lld days)",
                    (long long)days);
}

void app_second(struct app *app)
{
    look_at_certificate(app);
    if (server_reload_if_changed(app->server) > 0)
        log_info("the certificate was replaced");
    if (!app->is_leading)
        return;
    if (!is_alone(app)) /* another process may have been asked to forget something */
        keeper_wake(app->services.keeper);
    call_sweeper_tick(app->sweeper, clock_mono_ms());
    int r = db_settle(app->services.db);
    if (r < 0)
        log_limited(LOG_ERR, NULL, "the store cannot be brought up to date: %s", db_explain(r));
}

bool app_is_alive(struct app *app)
{
    return server_is_alive(app->server, clock_mono_ms());
}

void app_drain(struct app *app)
{
    app->services.draining = 1;
    speech_drain(app->services.speech);
    server_drain(app->server);
}

bool app_is_idle(struct app *app)
{
    struct server_stats server;

    server_stats(app->server, &server);
    return app_n_calls(app) == 0 && server.n_connections == 0;
}

unsigned app_n_calls(struct app *app)
{
    struct server_stats server;
    struct speech_stats speech;

    server_stats(app->server, &server);
    speech_stats(app->services.speech, &speech);
    /* a stream is there before its call, and a call a moment longer than its stream */
    return speech.n_calls_live > server.n_websockets ? (unsigned)speech.n_calls_live
                                                      : server.n_websockets;
}

int app_router(void *context, FILE *problems, struct router **ret_router)
{
    return router_new(blueprints, ELEMENTSOF(blueprints), context, problems, ret_router);
}
