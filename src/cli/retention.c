/*
 * cli/retention.c - agentlocator retention: what is kept long enough is forgotten
 *
 * The running daemon does it by itself, and is asked to do it now; without one it is done here.
 */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "cli/admin.h"
#include "config.h"
#include "db.h"
#include "services/crm_retention.h"
#include "services/crm_schema.h"
#include "services/trash.h"
#include "utils/clock.h"
#include "utils/json.h"

static const char usage[] =
    "Usage: agentlocator retention [--dry-run] [--json] [--env-file FILE]\n"
    "\n"
    "Forgets what is older than RETAIN_AUDIO_DAYS, RETAIN_MEDIA_DAYS, RETAIN_MESSAGES_DAYS,\n"
    "RETAIN_CALLS_DAYS and RETAIN_CONTACTS_DAYS say; what is not set is kept. The running daemon does\n"
    "so each hour, and is told to do it now.\n"
    "\n"
    "  --dry-run        say how much there is to forget, and change nothing\n"
    "  --json           print JSON\n"
    "  --env-file FILE  read settings from FILE too\n"
    "  --help           print this\n";

struct asked {
    const char *env_file;
    bool is_dry, json;
};

static int print(const struct asked *asked, const struct crm_retention *retention, const uint64_t n[RETAIN_N_KINDS], bool by_daemon)
{
    static const char *const what[RETAIN_N_KINDS] = {
        [RETAIN_AUDIO] = "calls whose sound is", [RETAIN_MEDIA] = "messages whose files are", [RETAIN_MESSAGES] = "messages",
        [RETAIN_CALLS] = "calls",                [RETAIN_CONTACTS] = "contacts of whom nothing is left",
    };
    scoped(json_object_put) struct json_object *json = json_object_new_object();

    for (int i = 0; i < RETAIN_N_KINDS; i++) {
        (void)json_add(json, retention_name(i), json_object_new_uint64(n[i]));
        if (!asked->json && retention->days[i])
            printf("%" PRIu64 " %s older than %u days.\n", n[i], what[i], retention->days[i]);
        else if (!asked->json)
            printf("%s: kept, whatever the age.\n", retention_name(i));
    }
    (void)json_add(json, "dry_run", json_object_new_boolean(asked->is_dry));
    (void)json_add(json, "by_daemon", json_object_new_boolean(by_daemon));
    if (asked->json)
        puts(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PRETTY));
    else if (by_daemon)
        puts("The daemon forgets them now.");
    return CLI_OK;
}

/* What there is to forget is counted; then, without a daemon, it is forgotten. */
static int run(const struct config *config, const struct asked *asked, bool by_daemon)
{
    struct crm_retention retention = { .now_ms = clock_real_ms(), .is_dry = asked->is_dry || by_daemon };
    struct db_options options = { .path = config_database_path(config), .read_only = retention.is_dry,
                                  .migrations = crm_migrations, .n_migrations = crm_n_migrations };
    scoped(db_close) struct db *db = NULL;
    uint64_t n[RETAIN_N_KINDS];
    int r = db_open(&options, &db);

    retention_days(config, retention.days);
    if (r == 0)
        r = crm_retention_run(db, &retention, n);
    if (r == 0 && !retention.is_dry)
        r = trash_empty(db, config->state_dir, NULL);
    if (r < 0) {
        fprintf(stderr, "agentlocator retention: %s: %s.\n", options.path, db_explain(r));
        return CLI_FAILED;
    }
    return print(asked, &retention, n, by_daemon);
}

static int parse(int argc, char **argv, struct asked *asked)
{
    static const struct option options[] = {
        { "dry-run", no_argument, NULL, 'd' }, { "json", no_argument, NULL, 'j' }, { "env-file", required_argument, NULL, 'e' },
        { "help", no_argument, NULL, 'h' },    { NULL, 0, NULL, 0 },
    };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h')
            return fputs(usage, stdout) < 0 ? CLI_FAILED : -1;
        if (option == '?')
            return CLI_USAGE;
        asked->is_dry |= option == 'd';
        asked->json |= option == 'j';
        asked->env_file = option == 'e' ? optarg : asked->env_file;
    }
    if (optind < argc) {
        fprintf(stderr, "agentlocator retention: what is '%s'? See --help.\n", argv[optind]);
        return CLI_USAGE;
    }
    return CLI_OK;
}

int cli_retention(int argc, char **argv)
{
    scoped(config_free) struct config *config = NULL;
    scoped(free) char *body = NULL;
    struct asked asked = { 0 };
    int status = parse(argc, argv, &asked);

    if (status != CLI_OK)
        return status < 0 ? CLI_OK : status;
    if (config_load_tool(asked.env_file, stderr, &config) < 0)
        return CLI_FAILED;
    bool by_daemon = !asked.is_dry && admin_ask(config, "GET", "/admin/status", &body) > 0;
    status = run(config, &asked, by_daemon); /* before the daemon is about it */
    if (status == CLI_OK && by_daemon) {
        free(steal(&body));
        status = admin_ask(config, "POST", "/admin/records/retention", &body) == 202 ? CLI_OK : CLI_FAILED;
    }
    return status;
}
