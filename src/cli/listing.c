/*
 * cli/listing.c - what calls, contacts and messages have in common
 */
#include "cli/listing.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <json-c/json.h>

#include "cli/cli.h"
#include "cli/store.h"
#include "config.h"
#include "db.h"
#include "utils/json.h"

enum { LAST_DEFAULT = 50, LAST_MAX = 1000000 };

struct asked {
    const char *command, *env_file, *which;
    size_t last;
    bool json, failed;
};

/* Returns: CLI_OK to go on; otherwise the exit status, -1 for a --help that was given. */
static int parse(const struct listing *listing, int argc, char **argv, struct asked *ret_asked)
{
    static const struct option options[] = {
        { "failed", no_argument, NULL, 'f' },
        { "json", no_argument, NULL, 'j' },
        { "last", required_argument, NULL, 'n' },
        { "env-file", required_argument, NULL, 'e' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    struct asked asked = { .command = argv[0], .last = LAST_DEFAULT };
    char *end = NULL;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(listing->usage, stdout);
            return -1;
        }
        if (option == 'f' && listing->page_failed) {
            asked.failed = true;
        } else if (option == 'f') {
            fprintf(stderr, "agentlocator %s: there is no --failed here. See --help.\n", argv[0]);
            return CLI_USAGE;
        } else if (option == 'j') {
            asked.json = true;
        } else if (option == 'e') {
            asked.env_file = optarg;
        } else if (option == 'n') {
            asked.last = strtoul(optarg, &end, 10);
            if (*end || end == optarg || asked.last == 0 || asked.last > LAST_MAX) {
                fprintf(stderr, "agentlocator %s: --last takes a number from 1 to %d, not '%s'\n",
                        argv[0], LAST_MAX, optarg);
                return CLI_USAGE;
            }
        } else {
            return CLI_USAGE;
        }
    }
    if (optind < argc && listing->whole)
        asked.which = argv[optind++];
    if (optind < argc) {
        fprintf(stderr, "agentlocator %s: what is '%s'? See --help.\n", argv[0], argv[optind]);
        return CLI_USAGE;
    }
    *ret_asked = asked;
    return CLI_OK;
}

/* Returns: CLI_OK and what was asked for; otherwise it has said why. */
static int fetch(const struct listing *listing, const struct asked *asked,
                 const struct config *config, struct json_object **ret_json)
{
    const char *path = config_database_path(config);
    scoped(db_close) struct db *db = NULL;
    struct db_txn *txn;
    int r = cli_open_store(asked->command, path, true, &db);

    if (r < 0)
        return CLI_FAILED;
    r = db_read_begin(db, &txn);
    if (r == 0) {
        r = asked->which    ? listing->whole(txn, config, asked->which, ret_json)
            : asked->failed ? listing->page_failed(txn, asked->last, ret_json)
                            : listing->page(txn, asked->last, ret_json);
        db_read_end(txn);
    }
    if (asked->which && (r == -ENOENT || r == -EINVAL))
        fprintf(stderr, "agentlocator %s: there is no %s %s; `agentlocator %s` lists the latest.\n",
                asked->command, listing->one, asked->which, asked->command);
    else if (r < 0)
        fprintf(stderr, "agentlocator %s: cannot read the store %s: %s.\n", asked->command,
                path, db_explain(r));
    return r < 0 ? CLI_FAILED : CLI_OK;
}

int listing_run(const struct listing *listing, int argc, char **argv)
{
    scoped(config_free) struct config *config = NULL;
    scoped(json_object_put) struct json_object *json = NULL;
    struct asked asked;
    int status = parse(listing, argc, argv, &asked);

    if (status != CLI_OK)
        return status < 0 ? CLI_OK : status;
    if (config_load_tool(asked.env_file, stderr, &config) < 0)
        return CLI_FAILED;
    status = fetch(listing, &asked, config, &json);
    if (status != CLI_OK)
        return status;

    if (asked.json)
        puts(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PRETTY |
                                                      JSON_C_TO_STRING_NOSLASHESCAPE));
    else if (asked.which)
        listing->print_whole(json);
    else
        listing->print_page(json);
    if (fflush(stdout) == EOF || ferror(stdout)) {
        fprintf(stderr, "agentlocator %s: cannot write: %s\n", argv[0], strerror(errno));
        return CLI_FAILED;
    }
    return CLI_OK;
}

static bool local(uint64_t unix_ms, struct tm *ret)
{
    time_t seconds = (time_t)(unix_ms / 1000);

    return localtime_r(&seconds, ret) != NULL;
}

const char *when(uint64_t unix_ms, uint64_t day_ms, char ret[WHEN_MAX])
{
    struct tm time, day;

    ret[0] = '\0';
    if (unix_ms == 0 || !local(unix_ms, &time))
        return ret;
    bool same_day =
        day_ms && local(day_ms, &day) && time.tm_year == day.tm_year && time.tm_yday == day.tm_yday;
    if (strftime(ret, WHEN_MAX, same_day ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &time) == 0)
        ret[0] = '\0';
    return ret;
}

const char *duration(uint64_t ms, char ret[WHEN_MAX])
{
    uint64_t s = (ms + 500) / 1000;

    if (s < 3600)
        (void)snprintf(ret, WHEN_MAX, "%" PRIu64 ":%02" PRIu64, s / 60, s % 60);
    else
        (void)snprintf(ret, WHEN_MAX, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, s / 3600, s / 60 % 60,
                       s % 60);
    return ret;
}
