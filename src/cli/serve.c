/*
 * cli/serve.c - agentlocator serve: the life of the daemon
 *
 * The main thread builds the app, then waits for signals and for the second. All
 * signals are blocked before any thread is made, so none interrupts another, and
 * nothing happens in a handler.
 *
 *   SIGTERM, SIGINT   drain: no new calls, those that live go on until they end or
 *                     DRAIN_SECONDS are over; a second one ends them at once
 *   SIGHUP            read the certificate again
 */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "app.h"
#include "config.h"
#include "notify.h"
#include "services/logging.h"
#include "utils/clock.h"
#include "utils/log.h"

static const char usage[] =
    "Usage: agentlocator serve [OPTIONS]\n"
    "\n"
    "Answers calls. Takes its sockets from systemd (named http, https, admin), or opens them "
    "itself.\n"
    "\n"
    "  --listen NAME=ADDRESS:PORT  NAME is http, https or admin; port 0: the kernel chooses\n"
    "  --listen NAME=/PATH         a UNIX socket\n"
    "  --env-file FILE             read settings from FILE too (the syntax of systemd's "
    "EnvironmentFile=)\n"
    "  --help                      print this\n";

enum {
    LISTEN_MAX = 16,
    SECOND_MS = 1000,
    DRAINING_WAIT_MS = 50,
    EXTEND_MS = 30000,
    CERTIFICATE_SECONDS = 5, /* between looks at its files */
};

struct life {
    struct app *app;
    const struct config *config;
    bool is_draining;
    uint64_t drain_by_ms, second_ms, alive_ms, alive_every_ms, n_seconds;
    unsigned n_calls_told;
};

static void tell(struct life *life, void (*notify)(const char *status))
{
    unsigned n = app_n_calls(life->app);
    char status[64];

    (void)snprintf(status, sizeof(status),
                   life->is_draining ? "Draining, %u call%s left" : "Answering, %u call%s", n,
                   n == 1 ? "" : "s");
    life->n_calls_told = n;
    notify(status);
}

static void begin_drain(struct life *life)
{
    life->is_draining = true;
    life->drain_by_ms = clock_mono_ms() + life->config->drain_s * 1000;
    tell(life, notify_stopping);
    log_info("draining: no new calls, %u live", life->n_calls_told);
    app_drain(life->app);
}

static void reload(struct life *life)
{
    notify_reloading();
    if (app_reload(life->app) == 0)
        log_info("reloaded");
    tell(life, notify_ready);
}

/* Returns: false when it is over. */
static bool take_signal(struct life *life, int signal)
{
    if (signal == SIGHUP)
        reload(life);
    else if (signal > 0 && life->is_draining)
        return false;
    else if (signal > 0)
        begin_drain(life);
    return true;
}

static void second(struct life *life)
{
    if (++life->n_seconds % CERTIFICATE_SECONDS == 0)
        app_second(life->app);
    if (app_n_calls(life->app) != life->n_calls_told)
        tell(life, notify_status);
    if (life->is_draining)
        notify_extend(EXTEND_MS);
}

static void live(struct life *life, const sigset_t *signals)
{
    uint64_t now = clock_mono_ms();

    life->second_ms = life->alive_ms = now;
    life->alive_every_ms = notify_alive_every_ms();
    for (;;) {
        uint64_t wait_ms = life->is_draining ? DRAINING_WAIT_MS : SECOND_MS;
        if (life->alive_every_ms && life->alive_every_ms < wait_ms)
            wait_ms = life->alive_every_ms;
        struct timespec wait = { (time_t)(wait_ms / 1000), (long)(wait_ms % 1000) * 1000000 };

        if (!take_signal(life, sigtimedwait(signals, NULL, &wait)))
            return;
        now = clock_mono_ms();
        if (now - life->second_ms >= SECOND_MS) {
            life->second_ms = now;
            second(life);
        }
        if (life->alive_every_ms && now - life->alive_ms >= life->alive_every_ms &&
            app_is_alive(life->app)) {
            life->alive_ms = now;
            notify_alive();
        }
        if (life->is_draining && (now >= life->drain_by_ms || app_n_calls(life->app) == 0))
            return;
    }
}

static int run(const struct config *config, const char *const *listen, size_t n_listen)
{
    struct app_options options = { config, listen, n_listen };
    scoped(app_free) struct app *app = NULL;
    struct life life = { .config = config };
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (app_new(&options, &app) < 0 || app_start(app) < 0) {
        notify_status("Could not start; the log says why");
        return CLI_FAILED;
    }
    life.app = app;
    log_info("ready");
    tell(&life, notify_ready);
    live(&life, &signals);
    app_free(steal(&app));
    log_info("stopped");
    return CLI_OK;
}

int cli_serve(int argc, char **argv)
{
    static const struct option options[] = {
        { "listen", required_argument, NULL, 'l' },
        { "env-file", required_argument, NULL, 'e' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    scoped(config_free) struct config *config = NULL;
    const char *listen[LISTEN_MAX], *env_file = NULL;
    size_t n_listen = 0;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return CLI_OK;
        }
        if (option == 'l' && n_listen < LISTEN_MAX)
            listen[n_listen++] = optarg;
        else if (option == 'e')
            env_file = optarg;
        else
            return CLI_USAGE;
    }
    if (optind < argc) {
        fprintf(stderr, "agentlocator serve: what is '%s'? See --help.\n", argv[optind]);
        return CLI_USAGE;
    }
    if (config_load(env_file, stderr, &config) < 0)
        return EX_CONFIG; /* trying again will not mend it: RestartPreventExitStatus=78 */
    logging_setup(config);
    return run(config, listen, n_listen);
}
