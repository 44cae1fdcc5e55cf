/*
 * cli/serve.c - agentlocator serve: the life of the daemon
 *
 * The main thread builds the app, then waits for signals, for the process that comes after it, and for the second. All
 * signals are blocked before any thread is made, so none interrupts another, and nothing happens in a handler.
 *
 *   SIGTERM, SIGINT   drain: no new calls, those that live go on until they end or DRAIN_SECONDS are over; a second one
 *                     ends them at once
 *   SIGHUP            reload: hand over to what is installed now (succession.h)
 *   SIGUSR2           of another process: who leads stops; nobody is to lead after him
 *
 *                 SIGHUP               READY                LEADING
 *   LEADING ────────────> STARTING ──────────> PASSING ──────────────> STEPPED_DOWN ──> no calls, nobody connected: the end
 *      ^                     │                    │                         │
 *      └──── it ended, or time is up ─────────────┴── nobody leads any more ┘
 *
 * Who stepped down goes on with its calls, DRAIN_SECONDS at most, and looks each second whether somebody leads: when all
 * that came after it have died, it leads and accepts again. The leader stops last, since the service manager ends
 * whatever is left when it has gone. Of a reload that comes while one is under way, the one who leads then is told.
 */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

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
    "  --help                      print this\n"
    "\n"
    "SIGHUP, or `agentlocator reload`, has the program that is installed now take over with these sockets and the\n"
    "settings as they are now; calls go on in the old process until they end, DRAIN_SECONDS at most. SIGTERM stops\n"
    "when calls have ended, DRAIN_SECONDS later at most.\n";

enum {
    LISTEN_MAX = 16,
    SECOND_MS = 1000,
    DRAINING_WAIT_MS = 50,
    EXTEND_MS = 30000,
    CERTIFICATE_SECONDS = 5, /* between looks at its files */
    PASSING_MS = 30000,      /* from LEAD to LEADING */
    MAIN_MS = 5000,          /* from LEADING to MAIN */
};

enum stage { LEADING, STARTING, PASSING, STEPPED_DOWN };

struct life {
    struct app *app;
    const struct config *config;
    struct program program;
    int signal_fd;
    enum stage stage;
    struct successor successor; /* fd -1: none, or nothing to be heard of it any more */
    uint64_t successor_by_ms;
    char why[WORD_TEXT_MAX]; /* it said that it failed */
    bool is_draining, must_reload_again, must_lead;
    bool may_not_lead; /* who leads stops, or has another store */
    uint64_t drain_by_ms, second_ms, alive_ms, alive_every_ms, n_seconds;
    unsigned n_calls_told;
};

static void put_status(struct life *life, char status[64])
{
    unsigned n = app_n_calls(life->app);

    (void)snprintf(status, 64, life->is_draining ? "Draining, %u call%s left" : "Answering, %u call%s", n, n == 1 ? "" : "s");
    life->n_calls_told = n;
}

static void tell(struct life *life, void (*notify)(const char *status))
{
    char status[64];

    put_status(life, status);
    notify(status);
}

static void tell_main(struct life *life, int pid)
{
    char status[64];

    put_status(life, status);
    notify_main(pid, status);
}

/* --- handing over */

static void begin_reload(struct life *life)
{
    int r;

    if (life->stage == STARTING || life->stage == PASSING) {
        life->must_reload_again = true;
        return;
    }
    if (life->stage == STEPPED_DOWN || life->is_draining) {
        log_info("no reload: %s", life->is_draining ? "we stop" : "another process has taken over");
        app_tell_reload(life->app, 0, life->is_draining ? "it stops" : "another process has taken over");
        return;
    }
    notify_reloading();
    (void)app_reload(life->app);
    life->why[0] = '\0';
    r = app_pass_on(life->app, &life->program, &life->successor);
    if (r < 0) {
        (void)log_err(r, "the reload failed: %s cannot be started; we go on as before", life->program.path);
        app_tell_reload(life->app, 0, "the program cannot be started");
        tell(life, notify_ready);
        return;
    }
    life->stage = STARTING;
    life->successor_by_ms = clock_mono_ms() + life->config->reload_s * 1000;
    log_info("reloading: process %d starts, of %s", (int)life->successor.pid, life->program.path);
}

static void lead_again(struct life *life)
{
    life->must_lead = app_lead(life->app) < 0; /* its reason is in the log; the next second tries again */
}

static void fail_reload(struct life *life, const char *why)
{
    successor_end(&life->successor);
    if (life->stage == PASSING && !life->is_draining)
        lead_again(life);
    life->stage = LEADING;
    (void)log_err(0, "the reload failed: %s; we go on as before", why);
    app_tell_reload(life->app, 0, why);
    if (life->is_draining)
        return;
    tell(life, notify_ready);
    if (life->must_reload_again) {
        life->must_reload_again = false;
        begin_reload(life);
    }
}

static void on_ready(struct life *life)
{
    if (life->stage != STARTING)
        return;
    app_yield(life->app);
    life->stage = PASSING;
    life->successor_by_ms = clock_mono_ms() + PASSING_MS;
    succession_say(life->successor.fd, WORD_LEAD, "");
}

/* elsewhere: in another store, of which it does not keep us from leading. */
static void on_leading(struct life *life, const char *elsewhere)
{
    int pid = (int)life->successor.pid;

    if (life->stage != PASSING)
        return;
    tell_main(life, pid);
    succession_say(life->successor.fd, WORD_MAIN, "");
    app_step_down(life->app);
    life->stage = STEPPED_DOWN;
    life->may_not_lead |= *elsewhere;
    life->drain_by_ms = clock_mono_ms() + life->config->drain_s * 1000;
    app_tell_reload(life->app, pid, "");
    log_info("process %d has taken over; %u calls go on here", pid, life->n_calls_told);
    if (life->must_reload_again)
        (void)kill(pid, SIGHUP);
}

static void try_to_lead(struct life *life)
{
    if (life->is_draining || life->may_not_lead || app_lead(life->app) < 0)
        return;
    life->stage = LEADING;
    app_step_up(life->app);
    tell_main(life, (int)getpid());
    (void)log_err(0, "the process that had taken over has died; we answer again, as we were started");
}

static void on_gone(struct life *life)
{
    if (life->stage == STEPPED_DOWN) {
        successor_forget(&life->successor);
        try_to_lead(life);
    } else {
        fail_reload(life, life->why[0] ? life->why : "the new process ended before it was ready; its own lines say why");
    }
}

static void hear_successor(struct life *life)
{
    char text[WORD_TEXT_MAX];
    int word;

    while (life->successor.fd >= 0 && (word = succession_hear(life->successor.fd, text)) != -EAGAIN) {
        if (word == WORD_READY)
            on_ready(life);
        else if (word == WORD_LEADING)
            on_leading(life, text);
        else if (word == WORD_FAILED)
            memcpy(life->why, text, sizeof(life->why));
        else if (word < 0)
            on_gone(life);
    }
}

/* --- the end */

static void begin_drain(struct life *life)
{
    uint64_t by_ms = clock_mono_ms() + life->config->drain_s * 1000;
    int pids[DB_GENERATIONS_MAX];

    life->is_draining = true;
    if (life->stage == STARTING || life->stage == PASSING)
        fail_reload(life, "the daemon stops");
    if (life->stage == LEADING)
        for (unsigned n = app_others(life->app, pids); n-- > 0;)
            (void)kill(pids[n], SIGUSR2);
    life->drain_by_ms = life->stage == STEPPED_DOWN && life->drain_by_ms < by_ms ? life->drain_by_ms : by_ms;
    tell(life, notify_stopping);
    log_info("draining: no new calls, %u live", life->n_calls_told);
    app_drain(life->app);
}

static bool is_over(struct life *life, uint64_t now_ms)
{
    int pids[DB_GENERATIONS_MAX];

    if (!life->is_draining && life->stage != STEPPED_DOWN)
        return false;
    if (now_ms >= life->drain_by_ms)
        return true;
    if (!life->is_draining)
        return app_is_idle(life->app);
    return app_n_calls(life->app) == 0 && (life->stage == STEPPED_DOWN || app_others(life->app, pids) == 0);
}

/* Returns: false when it is over. */
static bool take_signal(struct life *life, int signal)
{
    if (signal == SIGHUP)
        begin_reload(life);
    else if (signal == SIGUSR2)
        life->may_not_lead = true;
    else if (life->is_draining)
        return false;
    else
        begin_drain(life);
    return true;
}

/* Returns: the signal; 0 none. */
static int read_signal(struct life *life)
{
    struct signalfd_siginfo info;

    return read(life->signal_fd, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}

/* --- the round */

static void second(struct life *life, uint64_t now_ms)
{
    if (++life->n_seconds % CERTIFICATE_SECONDS == 0)
        app_second(life->app);
    if (life->must_lead)
        lead_again(life);
    if ((life->stage == STARTING || life->stage == PASSING) && now_ms >= life->successor_by_ms)
        fail_reload(life, "the new process was not ready in time; RELOAD_SECONDS says how long it may take");
    if (life->stage == STEPPED_DOWN)
        try_to_lead(life);
    if (app_n_calls(life->app) != life->n_calls_told)
        tell(life, notify_status);
    if (life->is_draining)
        notify_extend(EXTEND_MS);
}

static void live(struct life *life)
{
    uint64_t now = clock_mono_ms();

    life->second_ms = life->alive_ms = now;
    life->alive_every_ms = notify_alive_every_ms();
    do {
        uint64_t wait_ms = life->is_draining || life->stage == STEPPED_DOWN ? DRAINING_WAIT_MS : SECOND_MS;
        if (life->alive_every_ms && life->alive_every_ms < wait_ms)
            wait_ms = life->alive_every_ms;
        struct pollfd fds[] = { { .fd = life->signal_fd, .events = POLLIN }, { .fd = life->successor.fd, .events = POLLIN } };
        int signal;

        (void)poll(fds, ELEMENTSOF(fds), (int)wait_ms);
        hear_successor(life);
        while ((signal = read_signal(life)) > 0)
            if (!take_signal(life, signal))
                return;
        now = clock_mono_ms();
        if (now - life->second_ms >= SECOND_MS) {
            life->second_ms = now;
            second(life, now);
        }
        if (life->alive_every_ms && now - life->alive_ms >= life->alive_every_ms && app_is_alive(life->app)) {
            life->alive_ms = now;
            notify_alive();
        }
    } while (!is_over(life, now));
}

/* --- the beginning */

/* Returns: the word; -EPIPE he is gone; -ETIMEDOUT; -ECANCELED we are to stop. */
static int await_word(struct life *life, int predecessor_fd, int timeout_ms)
{
    struct pollfd fds[] = { { .fd = life->signal_fd, .events = POLLIN }, { .fd = predecessor_fd, .events = POLLIN } };
    char text[WORD_TEXT_MAX];

    for (;;) {
        int n = poll(fds, ELEMENTSOF(fds), timeout_ms), signal = read_signal(life);
        if (signal == SIGTERM || signal == SIGINT)
            return -ECANCELED;
        life->must_reload_again |= signal == SIGHUP;
        int word = succession_hear(predecessor_fd, text);
        if (word != -EAGAIN)
            return word;
        if (n == 0)
            return -ETIMEDOUT;
    }
}

static int lead_and_accept(struct life *life)
{
    int r = app_lead(life->app);

    return r < 0 ? r : app_start(life->app);
}

/* When he dies meanwhile we are the only one. */
static int take_over(struct life *life, int predecessor_fd, const char *problem)
{
    int pids[DB_GENERATIONS_MAX];

    succession_say(predecessor_fd, WORD_READY, "");
    int word = await_word(life, predecessor_fd, -1);
    if (word == -ECANCELED)
        return word;
    if (word < 0)
        (void)log_warning(0, "the process before us has died; we answer");
    int r = lead_and_accept(life);
    if (r < 0) {
        succession_say(predecessor_fd, WORD_FAILED, problem);
        return r;
    }
    succession_say(predecessor_fd, WORD_LEADING, word < 0 || app_others(life->app, pids) ? "" : "elsewhere");
    if (word >= 0)
        word = await_word(life, predecessor_fd, MAIN_MS);
    if (word == -ECANCELED)
        (void)raise(SIGTERM); /* we live, and stop as one that does */
    if (word == WORD_MAIN)
        tell(life, notify_ready);
    else
        tell_main(life, (int)getpid());
    return 0;
}

static int begin(struct life *life, const struct inheritance *inheritance, const char *problem)
{
    int r = inheritance->predecessor_fd < 0 ? lead_and_accept(life) : take_over(life, inheritance->predecessor_fd, problem);

    if (r < 0)
        return r;
    log_info("ready");
    if (inheritance->predecessor_fd < 0)
        tell(life, notify_ready);
    if (life->must_reload_again)
        (void)kill(getpid(), SIGHUP);
    life->must_reload_again = false;
    return 0;
}

static int run(const struct config *config, const struct app_options *options, const struct inheritance *inheritance)
{
    scoped(app_free) struct app *app = NULL;
    scoped(close) int signal_fd = -1;
    struct life life = { .config = config, .successor = { .pidfd = -1, .fd = -1 } };
    char problem[WORD_TEXT_MAX] = "it could not start; its own lines say why";
    sigset_t signals;

    log_keep_problem(problem, sizeof(problem));
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal_fd = life.signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    int r = program_note(&life.program);
    if (r < 0 || signal_fd < 0 || app_new(options, &app) < 0) {
        if (inheritance->predecessor_fd >= 0)
            succession_say(inheritance->predecessor_fd, WORD_FAILED, problem);
        else
            notify_status("Could not start; the log says why");
        program_done(&life.program);
        return CLI_FAILED;
    }
    life.app = app;
    r = begin(&life, inheritance, problem);
    log_keep_problem(NULL, 0);
    if (r == 0)
        live(&life);
    app_free(steal(&app));
    program_done(&life.program);
    log_info("stopped");
    return r == 0 || r == -ECANCELED ? CLI_OK : CLI_FAILED;
}

/* What is wrong with them is the log's, and the predecessor's. */
static int load(const char *env_file, int predecessor_fd, struct config **ret_config)
{
    scoped(free) char *problems = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&problems, &n);

    if (!out)
        return -ENOMEM;
    int r = config_load(env_file, out, ret_config);
    if (fclose(out) != 0)
        return -ENOMEM;
    fputs(problems, stderr);
    if (r < 0 && predecessor_fd >= 0)
        succession_say(predecessor_fd, WORD_FAILED, problems);
    return r;
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
    struct inheritance inheritance;
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
    bool is_successor = succession_inherit(&inheritance);
    if (load(env_file, inheritance.predecessor_fd, &config) < 0)
        return EX_CONFIG; /* trying again will not mend it: RestartPreventExitStatus=78 */
    logging_setup(config);
    const struct app_options app_options = { config, listen, n_listen, is_successor,
                                             is_successor ? inheritance.lead_fd : 0 };
    return run(config, &app_options, &inheritance);
}
