/*
 * cli/call.c - agentlocator call: plays Twilio
 *
 * Reads what the caller shall say into a script, in the order of the command
 * line, hands everything to the exchange and prints what the report makes of it.
 */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "caller/exchange.h"
#include "caller/recorder.h"
#include "caller/report.h"
#include "config.h"

static const char usage[] =
    "Usage: agentlocator call [OPTIONS]\n"
    "\n"
    "Plays Twilio: posts the signed webhook, executes the TwiML, opens the media stream\n"
    "and speaks, printing the conversation and every rule that the server breaks.\n"
    "\n"
    "What the caller does, in this order; each begins when the agent has finished:\n"
    "  --wav FILE...        speak recordings (any rate; words from FILE with .txt, or --say-text)\n"
    "  --say-text TEXT      the words of the next recording, for the print\n"
    "  --dtmf KEYS          press keys: 0-9 * # A-D, w waits half a second\n"
    "  --silence SECONDS    say nothing\n"
    "  --barge MS           the next one begins so long after the agent begins to speak\n"
    "  --echo               the line is an echo: send numbered frames and count what comes back\n"
    "\n"
    "Whom he calls:\n"
    "  --to-url URL         the webhook [http://127.0.0.1:8080/webhook/incoming_call]\n"
    "  --status-url URL     the status callback [call_status beside it]\n"
    "  --public-host HOST   signed in place of the URL's host, with https [PUBLIC_HOST]\n"
    "  --auth-token TOKEN   signs requests [TWILIO_AUTH_TOKEN; without one nothing is signed]\n"
    "  --account-sid SID    [TWILIO_ACCOUNT_SID, or AC and 32 zeros]\n"
    "  --env-file FILE      read those settings from FILE\n"
    "  --direct             open the stream at the host of its URL instead of the webhook's\n"
    "  --insecure           accept any certificate\n"
    "  --ca FILE            accept certificates signed by FILE\n"
    "  --from, --to NUMBER  [+972500000001, +97230000000]\n"
    "  --dial STATUS        how a human who is dialled answers: completed, busy, no-answer, failed [completed]\n"
    "  --no-stream          the stream cannot be opened\n"
    "\n"
    "How long and how many:\n"
    "  --calls N            so many at once [1]\n"
    "  --ramp SECONDS       begun evenly over this time [50 a second]\n"
    "  --seconds S          each hangs up after S\n"
    "  --linger S           hang up when nobody has spoken for S and all is said [10]\n"
    "  --patience S         speak although the agent says nothing for S [12]\n"
    "  --pause MS           the silence that ends the agent's turn [600]\n"
    "\n"
    "What is left of it:\n"
    "  --record FILE        stereo WAV of the first call: caller left, agent right\n"
    "  --json               print the sum as JSON, the conversation to stderr\n"
    "  --quiet              do not print the conversation\n"
    "  --help               print this\n"
    "\n"
    "Exit status: 0 all went well; 1 a call failed, a frame was lost or a rule was broken; 2 wrong "
    "usage.\n";

enum { CALLS_MAX = 100000 };

enum option_id {
    OPT_WAV = 256,
    OPT_SAY_TEXT,
    OPT_DTMF,
    OPT_SILENCE,
    OPT_BARGE,
    OPT_ECHO,
    OPT_TO_URL,
    OPT_STATUS_URL,
    OPT_PUBLIC_HOST,
    OPT_TOKEN,
    OPT_ACCOUNT,
    OPT_ENV_FILE,
    OPT_DIRECT,
    OPT_INSECURE,
    OPT_CA,
    OPT_FROM,
    OPT_TO,
    OPT_DIAL,
    OPT_NO_STREAM,
    OPT_CALLS,
    OPT_RAMP,
    OPT_SECONDS,
    OPT_LINGER,
    OPT_PATIENCE,
    OPT_PAUSE,
    OPT_RECORD,
    OPT_JSON,
    OPT_QUIET,
    OPT_HELP,
};

static const struct option long_options[] = {
    { "wav", required_argument, NULL, OPT_WAV },
    { "say-text", required_argument, NULL, OPT_SAY_TEXT },
    { "dtmf", required_argument, NULL, OPT_DTMF },
    { "silence", required_argument, NULL, OPT_SILENCE },
    { "barge", required_argument, NULL, OPT_BARGE },
    { "echo", no_argument, NULL, OPT_ECHO },
    { "to-url", required_argument, NULL, OPT_TO_URL },
    { "status-url", required_argument, NULL, OPT_STATUS_URL },
    { "public-host", required_argument, NULL, OPT_PUBLIC_HOST },
    { "auth-token", required_argument, NULL, OPT_TOKEN },
    { "account-sid", required_argument, NULL, OPT_ACCOUNT },
    { "env-file", required_argument, NULL, OPT_ENV_FILE },
    { "direct", no_argument, NULL, OPT_DIRECT },
    { "insecure", no_argument, NULL, OPT_INSECURE },
    { "ca", required_argument, NULL, OPT_CA },
    { "from", required_argument, NULL, OPT_FROM },
    { "to", required_argument, NULL, OPT_TO },
    { "dial", required_argument, NULL, OPT_DIAL },
    { "no-stream", no_argument, NULL, OPT_NO_STREAM },
    { "calls", required_argument, NULL, OPT_CALLS },
    { "ramp", required_argument, NULL, OPT_RAMP },
    { "seconds", required_argument, NULL, OPT_SECONDS },
    { "linger", required_argument, NULL, OPT_LINGER },
    { "patience", required_argument, NULL, OPT_PATIENCE },
    { "pause", required_argument, NULL, OPT_PAUSE },
    { "record", required_argument, NULL, OPT_RECORD },
    { "json", no_argument, NULL, OPT_JSON },
    { "quiet", no_argument, NULL, OPT_QUIET },
    { "help", no_argument, NULL, OPT_HELP },
    { NULL, 0, NULL, 0 },
};

struct job {
    struct exchange_options exchange;
    struct script script;
    const char *env_file, *record, *next_words;
    int next_barge_ms;
    bool json, quiet, help;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
    interrupted = 1;
}

/* --- options */

/* A number of seconds or milliseconds with decimals, in microseconds. Returns: -EINVAL for anything
 * else. */
static int read_time(const char *text, double unit_us, uint64_t *ret_us)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value >= 0 && value <= 1e6))
        return -EINVAL;
    *ret_us = (uint64_t)(value * unit_us);
    return 0;
}

static int read_count(const char *text, unsigned max, unsigned *ret_n)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (end == text || *end != '\0' || *text == '-' || n == 0 || n > max)
        return -EINVAL;
    *ret_n = (unsigned)n;
    return 0;
}

static int add_wav(struct job *job, const char *path)
{
    const char *why = "";
    int r = script_add_wav(&job->script, path, job->next_words, job->next_barge_ms, &why);

    if (r < 0)
        fprintf(stderr, "agentlocator call: %s: %s\n", path, why[0] ? why : strerror(-r));
    job->next_words = NULL;
    job->next_barge_ms = SCRIPT_NO_BARGE;
    return r;
}

static int add_keys(struct job *job, const char *keys)
{
    int r = script_add_keys(&job->script, keys, job->next_barge_ms);

    job->next_barge_ms = SCRIPT_NO_BARGE;
    return r;
}

static int add_silence(struct job *job, const char *seconds)
{
    uint64_t us;
    int r = read_time(seconds, 1e6, &us);

    return r < 0 ? r : script_add_silence(&job->script, us);
}

static int set_barge(struct job *job, const char *ms)
{
    uint64_t us;
    int r = read_time(ms, 1e3, &us);

    if (r == 0)
        job->next_barge_ms = (int)(us / 1000);
    return r;
}

/* Options that are kept as they are. */
static const struct {
    enum option_id id;
    size_t offset; /* of a const char *, or of a bool for those without an argument */
} plain_options[] = {
    { OPT_SAY_TEXT, offsetof(struct job, next_words) },
    { OPT_TO_URL, offsetof(struct job, exchange.webhook_url) },
    { OPT_STATUS_URL, offsetof(struct job, exchange.status_url) },
    { OPT_PUBLIC_HOST, offsetof(struct job, exchange.public_host) },
    { OPT_TOKEN, offsetof(struct job, exchange.token) },
    { OPT_ACCOUNT, offsetof(struct job, exchange.account_sid) },
    { OPT_ENV_FILE, offsetof(struct job, env_file) },
    { OPT_CA, offsetof(struct job, exchange.ca_file) },
    { OPT_FROM, offsetof(struct job, exchange.from) },
    { OPT_TO, offsetof(struct job, exchange.to) },
    { OPT_NO_STREAM, offsetof(struct job, exchange.no_stream) },
    { OPT_RECORD, offsetof(struct job, record) },
    { OPT_ECHO, offsetof(struct job, exchange.caller.echo) },
    { OPT_DIRECT, offsetof(struct job, exchange.direct) },
    { OPT_INSECURE, offsetof(struct job, exchange.insecure) },
    { OPT_JSON, offsetof(struct job, json) },
    { OPT_QUIET, offsetof(struct job, quiet) },
    { OPT_HELP, offsetof(struct job, help) },
};

static int keep_plain(struct job *job, int id, const char *value)
{
    for (size_t i = 0; i < ELEMENTSOF(plain_options); i++) {
        void *at = (char *)job + plain_options[i].offset;

        if ((int)plain_options[i].id != id)
            continue;
        if (value)
            *(const char **)at = value;
        else
            *(bool *)at = true;
        return 0;
    }
    return -EINVAL;
}

static int set_dial(struct job *job, const char *status)
{
    static const char *const known[] = { "completed", "busy", "no-answer", "failed" };

    for (size_t i = 0; i < ELEMENTSOF(known); i++)
        if (strcmp(status, known[i]) == 0) {
            job->exchange.dial_status = known[i];
            return 0;
        }
    return -EINVAL;
}

static int take_option(struct job *job, int id, const char *value)
{
    struct exchange_options *exchange = &job->exchange;
    struct caller_options *caller = &exchange->caller;

    switch (id) {
    case 1: /* an argument of its own: one more recording */
    case OPT_WAV:
        return add_wav(job, value);
    case OPT_DTMF:
        return add_keys(job, value);
    case OPT_SILENCE:
        return add_silence(job, value);
    case OPT_BARGE:
        return set_barge(job, value);
    case OPT_DIAL:
        return set_dial(job, value);
    case OPT_CALLS:
        return read_count(value, CALLS_MAX, &exchange->n_calls);
    case OPT_RAMP:
        return read_time(value, 1e6, &exchange->ramp_us);
    case OPT_SECONDS:
        return read_time(value, 1e6, &caller->length_us);
    case OPT_LINGER:
        return read_time(value, 1e6, &caller->linger_us);
    case OPT_PATIENCE:
        return read_time(value, 1e6, &caller->patience_us);
    case OPT_PAUSE:
        return read_time(value, 1e3, &caller->pause_us);
    default:
        return keep_plain(job, id, value);
    }
}

static int read_options(struct job *job, int argc, char **argv)
{
    int id, index;

    optind = 0; /* glibc: begin anew, also for "-", which keeps the order of everything */
    while (index = 0, (id = getopt_long(argc, argv, "-", long_options, &index)) != -1) {
        int r = take_option(job, id, optarg);
        if (r == -EINVAL && id >= OPT_WAV)
            fprintf(stderr, "agentlocator call: --%s: not '%s'\n", long_options[index].name,
                    optarg);
        if (r < 0)
            return r;
    }
    for (; optind < argc; optind++)
        if (add_wav(job, argv[optind]) < 0)
            return -EINVAL;
    return 0;
}

/* What the command line leaves open comes from the settings of the server, when they can be read.
 */
static void take_settings(struct job *job, const struct config *config)
{
    struct exchange_options *exchange = &job->exchange;

    if (!exchange->token)
        exchange->token = config->twilio_auth_token;
    if (!exchange->public_host)
        exchange->public_host = config->public_host;
    if (!exchange->account_sid)
        exchange->account_sid = config->twilio_account_sid;
}

/* --- running */

static int run(struct job *job)
{
    struct exchange_options *exchange = &job->exchange;
    struct recorder recorder = { 0 };
    scoped(report_free) struct report *report = NULL;
    scoped(free) struct exchange_result *results = calloc(exchange->n_calls, sizeof(*results));
    const struct report_options report_options = {
        .live = job->quiet || exchange->n_calls > 1 ? NULL
                : job->json                         ? stderr
                                                    : stdout,
        .n_calls = exchange->n_calls,
        .echo = exchange->caller.echo,
        .recorder = job->record ? &recorder : NULL,
    };

    int r = results ? report_new(&report_options, &report) : -ENOMEM;
    if (r == 0) {
        exchange->caller.round_trips = report_round_trips(report);
        exchange->caller.lags = report_lags(report);
        r = exchange_run(exchange, &report_ops, report, results);
    }
    if (r < 0) {
        fprintf(stderr, "agentlocator call: %s: %s\n", exchange->webhook_url,
                r == -ENOENT ? "its host has no address" : strerror(-r));
        return CLI_FAILED;
    }

    bool good =
        job->json ? report_json(report, results, stdout) : report_sum(report, results, stdout);
    if (job->record) {
        r = recorder_write(&recorder, job->record);
        if (r < 0)
            fprintf(stderr, "agentlocator call: %s: %s\n", job->record, strerror(-r));
        else
            fprintf(job->json ? stderr : stdout, "recorded     %s (caller left, agent right)\n",
                    job->record);
        recorder_done(&recorder);
    }
    return good && r == 0 ? CLI_OK : CLI_FAILED;
}

static void catch_signals(void)
{
    const struct sigaction action = { .sa_handler = on_signal,
                                      .sa_flags = SA_RESETHAND }; /* the second one kills */

    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

int cli_call(int argc, char **argv)
{
    struct job job = {
        .next_barge_ms = SCRIPT_NO_BARGE,
        .exchange = {
            .webhook_url = "http://127.0.0.1:8080/webhook/incoming_call",
            .from = "+972500000001",
            .to = "+97230000000",
            .dial_status = "completed",
            .n_calls = 1,
            .ramp_us = UINT64_MAX,
            .limit_us = 3600ull * 1000000,
            .stop = &interrupted,
            .caller = { .pause_us = 600000, .patience_us = 12000000, .linger_us = 10000000 },
        },
    };
    struct config *config = NULL;
    int status;

    int r = read_options(&job, argc, argv);
    if (job.help || r < 0) {
        fputs(usage, job.help ? stdout : stderr);
        status = job.help ? CLI_OK : CLI_USAGE;
    } else if (config_load_tool(job.env_file, stderr, &config) < 0) {
        status = CLI_FAILED;
    } else {
        take_settings(&job, config);
        if (!job.exchange.account_sid)
            job.exchange.account_sid = "AC00000000000000000000000000000000";
        if (job.exchange.ramp_us == UINT64_MAX)
            job.exchange.ramp_us = (uint64_t)(job.exchange.n_calls - 1) * 20000;
        job.exchange.caller.script = &job.script;
        catch_signals();
        status = run(&job);
    }
    config_free(config);
    script_done(&job.script);
    return status;
}
