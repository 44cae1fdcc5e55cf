/*
 * cli/snapshot.c - agentlocator backup and restore
 */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "cli/progress.h"
#include "config.h"
#include "services/snapshot.h"
#include "utils/json.h"

static const char backup_usage[] =
    "Usage: agentlocator backup [FILE|FOLDER] [OPTIONS]\n"
    "       agentlocator backup --verify FILE\n"
    "\n"
    "Writes everything that is kept to one file, beside a running daemon: the store as it is at one moment, and\n"
    "recordings. Into a folder, that of BACKUP_DIR when none is named, it goes as agentlocator-DATE.tar.zst. What\n"
    "was written is read again, and every row decoded, before it gets its name. Settings, keys and certificates are\n"
    "not in it.\n"
    "\n"
    "  --store-only     without recordings\n"
    "  --keep N         in a folder: erase all such files but the N youngest, once the new one is verified\n"
    "  --force          replace FILE when it is there\n"
    "  --limit SECONDS  give up when copying the store takes longer (900); its file grows meanwhile by what is written\n"
    "  --verify         write nothing: say whether FILE is whole and every row of it can be read\n"
    "  --json           print JSON\n"
    "  --env-file FILE  read settings from FILE too; DATABASE_URL and STATE_DIR say what is kept\n"
    "  --help           print this\n"
    "\n"
    "Exit status: 0; 1 nothing was done; 3 it was, but there are rows that cannot be read.\n";

static const char restore_usage[] =
    "Usage: agentlocator restore FILE [OPTIONS]\n"
    "\n"
    "Makes a backup the store, while no daemon runs. All of it is verified first; the store changes in one step at the\n"
    "end. What the backup owed to be sent is looked for at the provider before it is sent.\n"
    "\n"
    "  --force          replace a store that is not empty; take a backup with rows that cannot be read\n"
    "  --json           print JSON\n"
    "  --env-file FILE  read settings from FILE too; DATABASE_URL and STATE_DIR say where it goes\n"
    "  --help           print this\n";

enum { KEEP_MAX = 10000, LIMIT_S = 900, LIMIT_MAX_S = 86400, DAMAGED = 3, NICE = 10 };

struct asked {
    struct snapshot snapshot;
    const char *env_file;
    bool json, verify;
};

static const struct option options[] = {
    { "store-only", no_argument, NULL, 's' },
    { "keep", required_argument, NULL, 'k' },
    { "force", no_argument, NULL, 'f' },
    { "limit", required_argument, NULL, 'l' },
    { "verify", no_argument, NULL, 'v' },
    { "json", no_argument, NULL, 'j' },
    { "env-file", required_argument, NULL, 'e' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static volatile sig_atomic_t is_interrupted;

static void interrupt(int signal)
{
    is_interrupted = 1;
}

static int parse_number(const char *command, const char *option, unsigned max, unsigned *ret_n)
{
    char *end = NULL;
    unsigned long n = strtoul(optarg, &end, 10);

    if (*end || end == optarg || n == 0 || n > max) {
        fprintf(stderr, "agentlocator %s: %s takes a number from 1 to %u, not '%s'\n", command, option, max, optarg);
        return CLI_USAGE;
    }
    *ret_n = (unsigned)n;
    return CLI_OK;
}

/* Returns: CLI_OK to go on; otherwise the exit status, -1 for a --help that was given. */
static int parse(int argc, char **argv, bool is_restore, struct asked *ret_asked)
{
    struct asked asked = { .snapshot.limit_s = LIMIT_S };
    int option, status = CLI_OK;

    while (status == CLI_OK && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(is_restore ? restore_usage : backup_usage, stdout);
            return -1;
        }
        if (is_restore && strchr("sklv", option)) {
            fprintf(stderr, "agentlocator restore: there is no such option here. See --help.\n");
            return CLI_USAGE;
        }
        switch (option) {
        case 's': asked.snapshot.store_only = true; break;
        case 'k': status = parse_number(argv[0], "--keep", KEEP_MAX, &asked.snapshot.keep); break;
        case 'f': asked.snapshot.force = true; break;
        case 'l': status = parse_number(argv[0], "--limit", LIMIT_MAX_S, &asked.snapshot.limit_s); break;
        case 'v': asked.verify = true; break;
        case 'j': asked.json = true; break;
        case 'e': asked.env_file = optarg; break;
        default: return CLI_USAGE;
        }
    }
    bool may_be_none = !is_restore && !asked.verify && optind == argc; /* BACKUP_DIR */
    if (status == CLI_OK && optind + 1 != argc && !may_be_none) {
        fprintf(stderr, "agentlocator %s: name one file%s. See --help.\n", argv[0], is_restore ? "" : " or folder");
        return CLI_USAGE;
    }
    asked.snapshot.file = argv[optind];
    *ret_asked = asked;
    return status;
}

static int show_progress(const char *what, uint64_t n, uint64_t of, void *arg)
{
    bool is_rows = strstr(what, "row") != NULL;

    progress_show(what, is_rows ? (double)n : (double)n / MIB, (double)of / MIB, is_rows ? "rows" : "MiB");
    return is_interrupted ? -EINTR : 0;
}

static void print_report(const char *done, struct json_object *report)
{
    struct json_object *rows = NULL, *wrong = NULL;

    (void)json_object_object_get_ex(report, "rows", &rows);
    (void)json_object_object_get_ex(report, "wrong", &wrong);
    printf("%s %s: %.1f MiB of %s; %lld calls, %lld contacts, %lld messages, %lld recordings and other files.\n", done,
           json_get_text(report, "file"), (double)json_get_int(report, "bytes") / MIB, json_get_text(report, "created"),
           (long long)json_get_int(rows, "calls"), (long long)json_get_int(rows, "contacts"),
           (long long)json_get_int(rows, "messages"), (long long)json_get_int(report, "files"));
    if (json_get_int(report, "wrong_rows") == 0)
        return;
    fprintf(stderr, "%lld rows of the store cannot be read:\n", (long long)json_get_int(report, "wrong_rows"));
    for (size_t i = 0; i < json_object_array_length(wrong); i++)
        fprintf(stderr, "  %s\n", json_object_get_string(json_object_array_get_idx(wrong, i)));
}

typedef int work_fn(const struct snapshot *snapshot, struct json_object **ret_report, char problem[SNAPSHOT_PROBLEM_MAX]);

static int work(const char *command, const char *done, struct asked *asked, work_fn *fn)
{
    scoped(config_free) struct config *config = NULL;
    scoped(json_object_put) struct json_object *report = NULL;
    struct sigaction action = { .sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND };
    char problem[SNAPSHOT_PROBLEM_MAX] = "";

    if (config_load_tool(asked->env_file, stderr, &config) < 0)
        return CLI_FAILED;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)!nice(NICE); /* calls come first */
    asked->snapshot.config = config;
    if (!asked->snapshot.file)
        asked->snapshot.file = config->backup_dir;
    asked->snapshot.on_progress = show_progress;
    int r = fn(&asked->snapshot, &report, problem);
    progress_end();
    if (r < 0) {
        fprintf(stderr, "agentlocator %s: %s.\n", command, problem);
        return CLI_FAILED;
    }
    if (asked->json)
        puts(json_object_to_json_string_ext(report, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
    else
        print_report(done, report);
    return r ? DAMAGED : CLI_OK;
}

int cli_backup(int argc, char **argv)
{
    struct asked asked;
    int status = parse(argc, argv, false, &asked);

    if (status != CLI_OK)
        return status < 0 ? CLI_OK : status;
    return asked.verify ? work(argv[0], "verified", &asked, snapshot_verify) : work(argv[0], "made", &asked, snapshot_make);
}

int cli_restore(int argc, char **argv)
{
    struct asked asked;
    int status = parse(argc, argv, true, &asked);

    if (status != CLI_OK)
        return status < 0 ? CLI_OK : status;
    return work(argv[0], "restored", &asked, snapshot_restore);
}
