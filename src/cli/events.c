/*
 * cli/events.c - agentlocator events: the change feed
 *
 * --follow looks at the store a few times a second: it is another process than the one that writes, and asks nothing of it.
 */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "cli/admin.h"
#include "cli/listing.h"
#include "cli/table.h"
#include "config.h"
#include "services/crm_events.h"
#include "services/crm_schema.h"
#include "services/hook_store.h"
#include "utils/json.h"

enum { LOOK_EVERY_US = 250000 };

static const char usage[] =
    "Usage: agentlocator events [--last N] [--json] [--env-file FILE]\n"
    "       agentlocator events --follow [--after SEQ] [--json] [--env-file FILE]\n"
    "       agentlocator events --kinds\n"
    "       agentlocator events --failed [--last N] [--json] [--env-file FILE]\n"
    "       agentlocator events --again NAME[:SEQ] | --resume NAME [--env-file FILE]\n"
    "\n"
    "Lists what happened last, or prints it as it happens; and looks after those that EVENT_WEBHOOK_URL tells of it.\n"
    "\n"
    "  --last N         list so many (50)\n"
    "  --follow         print what happens from now on, a line each, until it is interrupted\n"
    "  --after SEQ      and what happened since the event of that number; 0: all that is kept\n"
    "  --kinds          print which kinds of events there are\n"
    "  --failed         list what an endpoint never took\n"
    "  --again NAME:SEQ send that event to the endpoint again, or without SEQ all that it never took\n"
    "  --resume NAME    tell an endpoint at once again that failed, or said that it was gone\n"
    "  --json           print JSON; with --follow an object a line, with what the event is about as \"data\"\n"
    "  --env-file FILE  read settings from FILE too; DATABASE_URL says where the store is, ADMIN_SOCKET where\n"
    "                   the daemon listens\n"
    "  --help           print this\n";

/* --- the latest */

static const char *ref_of(struct json_object *json)
{
    const struct event_kind_row *kind = event_kind_find(json_get_text(json, "kind") ?: "");

    return kind ? json_get_text(json, event_subject_name(kind->subject)) ?: "" : "";
}

static void print_page(struct json_object *array)
{
    static const char *const headings[] = { ">SEQ", "TIME", "KIND", "ID", "CONTACT" };
    scoped(table_free) struct table *table = table_new(headings, ELEMENTSOF(headings));
    char text[WHEN_MAX];

    if (json_object_array_length(array) == 0)
        puts("No events.");
    for (size_t i = 0; table && i < json_object_array_length(array); i++) {
        struct json_object *json = json_object_array_get_idx(array, i);
        table_add(table, "%" PRId64, json_get_int(json, "seq"));
        table_add(table, "%s", when((uint64_t)json_get_int(json, "at_ms"), 0, text));
        table_add(table, "%s", json_get_text(json, "kind") ?: "");
        table_add(table, "%s", ref_of(json));
        table_add(table, "%s", json_get_text(json, "contact") ?: "");
    }
    if (table)
        table_print(table, stdout);
}

/* --- the kinds */

static int print_kinds(void)
{
    static const char *const headings[] = { "KIND", "DATA", "WHAT HAPPENED" };
    scoped(table_free) struct table *table = table_new(headings, ELEMENTSOF(headings));

    for (int i = 0; table && i < EVENT_N_KINDS; i++) {
        const struct event_kind_row *kind = event_kind(i);
        table_add(table, "%s", kind->name);
        table_add(table, "%s", event_subject_name(kind->subject));
        table_add(table, "%s", kind->summary);
    }
    if (table)
        table_print(table, stdout);
    return table ? CLI_OK : CLI_FAILED;
}

/* --- as they happen */

static void print_line(struct json_object *json, bool as_json)
{
    char text[WHEN_MAX];

    if (as_json)
        puts(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    else
        printf("%" PRId64 "  %s  %-16s %s\n", json_get_int(json, "seq"), when((uint64_t)json_get_int(json, "at_ms"), 0, text),
               json_get_text(json, "kind") ?: "", ref_of(json));
}

/* Up to the end of the feed. */
static int print_new(struct db_txn *txn, uint64_t *after, bool as_json)
{
    struct event event;
    int r;

    while ((r = crm_event_next(txn, *after, NULL, &event, after)) > 0) {
        scoped(json_object_put) struct json_object *json = NULL;
        r = crm_event_shown(txn, &event, &json);
        if (r < 0)
            return r;
        print_line(json, as_json);
    }
    if (fflush(stdout) == EOF || ferror(stdout))
        return -errno;
    return r;
}

static int look(struct db *db, uint64_t *after, bool as_json)
{
    uint64_t first, last;
    struct db_txn *txn;
    int r = db_read_begin(db, &txn);

    if (r < 0)
        return r;
    r = *after == UINT64_MAX ? crm_events_range(txn, &first, &last) : 0;
    if (r == 0 && *after == UINT64_MAX)
        *after = last;
    if (r == 0)
        r = print_new(txn, after, as_json);
    db_read_end(txn);
    return r;
}

static int follow(const char *env_file, uint64_t after, bool as_json)
{
    scoped(config_free) struct config *config = NULL;
    scoped(db_close) struct db *db = NULL;
    struct db_options options = { .read_only = true, .migrations = crm_migrations, .n_migrations = crm_n_migrations };

    if (config_load_tool(env_file, stderr, &config) < 0)
        return CLI_FAILED;
    options.path = config_database_path(config);
    int r = db_open(&options, &db);
    while (r >= 0) {
        r = look(db, &after, as_json);
        if (r >= 0)
            (void)usleep(LOOK_EVERY_US);
    }
    fprintf(stderr, "agentlocator events: the store %s cannot be followed: %s.\n", options.path, db_explain(r));
    return CLI_FAILED;
}

/* --- those who are told */

static void print_letters(struct json_object *array)
{
    static const char *const headings[] = { "ENDPOINT", ">SEQ", "TIME", "KIND", "GIVEN UP", "AGAIN", "TROUBLE" };
    scoped(table_free) struct table *table = table_new(headings, ELEMENTSOF(headings));
    char text[WHEN_MAX];

    for (size_t i = 0; table && i < json_object_array_length(array); i++) {
        struct json_object *json = json_object_array_get_idx(array, i);
        table_add(table, "%s", json_get_text(json, "hook") ?: "");
        table_add(table, "%" PRId64, json_get_int(json, "seq"));
        table_add(table, "%s", when((uint64_t)json_get_int(json, "at_ms"), 0, text));
        table_add(table, "%s", json_get_text(json, "kind") ?: "");
        table_add(table, "%s", when((uint64_t)json_get_int(json, "given_up_ms"), 0, text));
        table_add(table, "%s", json_object_get_boolean(json_object_object_get(json, "again")) ? "soon" : "");
        table_add(table, "%s", json_get_text(json, "error") ?: "");
    }
    if (table)
        table_print(table, stdout);
}

static void print_failed(struct json_object *array)
{
    if (json_object_array_length(array) && json_get_text(json_object_array_get_idx(array, 0), "hook"))
        print_letters(array);
    else if (json_object_array_length(array))
        print_page(array);
    else
        puts("No events.");
}

static int ask_daemon(const struct config *config, const char *verb, const char *name, const char *seq)
{
    scoped(json_object_put) struct json_object *json = NULL;
    scoped(free) char *body = NULL, *path = NULL;

    if (asprintf(&path, "/admin/events/%s/%s%s%s", verb, name, *seq ? "?seq=" : "", seq) < 0) {
        path = NULL;
        return CLI_FAILED;
    }
    int status = admin_ask(config, "POST", path, &body);
    if (status < 0) {
        fprintf(stderr, "agentlocator events: the daemon cannot be asked at %s: %s; ADMIN_SOCKET says where it listens.\n",
                config->admin_socket, strerror(-status));
        return CLI_FAILED;
    }
    (void)json_parse(body, strlen(body), &json);
    if (status != 200) {
        fprintf(stderr, "agentlocator events: %s.\n",
                json_get_text(json_object_object_get(json, "error"), "message") ?: "the daemon refuses it");
        return CLI_FAILED;
    }
    if (strcmp(verb, "again") == 0)
        printf("%" PRId64 " are sent to %s again.\n", json_get_int(json, "letters"), name);
    else
        printf("%s is told of events again.\n", name);
    return CLI_OK;
}

/* which: NAME or NAME:SEQ. */
static int look_after(const char *env_file, const char *verb, const char *which)
{
    scoped(config_free) struct config *config = NULL;
    char name[HOOK_NAME_MAX];
    const char *seq = strchr(which, ':') ? strchr(which, ':') + 1 : "";
    size_t n = strcspn(which, ":");

    if (n == 0 || n >= sizeof(name) || strcspn(which, "/?#% ") < n || seq[strspn(seq, "0123456789")]) {
        fprintf(stderr, "agentlocator events: '%s' is no endpoint of EVENT_WEBHOOK_URL; give NAME, or NAME:SEQ with --again.\n", which);
        return CLI_USAGE;
    }
    (void)snprintf(name, sizeof(name), "%.*s", (int)n, which);
    if (config_load_tool(env_file, stderr, &config) < 0)
        return CLI_FAILED;
    return ask_daemon(config, verb, name, seq);
}

/* --- which of them */

struct asked {
    const char *env_file;
    uint64_t after;
    const char *again, *resume;
    bool follow, kinds, json, help;
};

/* Returns: false it said what is wrong. */
static bool parse(int argc, char **argv, struct asked *ret_asked)
{
    static const struct option options[] = {
        { "follow", no_argument, NULL, 'f' },          { "after", required_argument, NULL, 'a' },
        { "kinds", no_argument, NULL, 'k' },           { "json", no_argument, NULL, 'j' },
        { "again", required_argument, NULL, 'g' },     { "resume", required_argument, NULL, 'r' },
        { "env-file", required_argument, NULL, 'e' },  { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    struct asked asked = { .after = UINT64_MAX };
    char *end = NULL;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == '?')
            return false;
        asked.follow |= option == 'f';
        asked.kinds |= option == 'k';
        asked.help |= option == 'h';
        asked.json |= option == 'j';
        if (option == 'e')
            asked.env_file = optarg;
        if (option == 'g')
            asked.again = optarg;
        if (option == 'r')
            asked.resume = optarg;
        if (option == 'a')
            asked.after = strtoull(optarg, &end, 10);
        if (option == 'a' && (*end || end == optarg || *optarg == '-')) {
            fprintf(stderr, "agentlocator events: --after takes the number of an event, not '%s'\n", optarg);
            return false;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "agentlocator events: what is '%s'? See --help.\n", argv[optind]);
        return false;
    }
    *ret_asked = asked;
    return true;
}

/* Of options that make it something else than a list. */
static bool is_list(int argc, char **argv)
{
    static const char *const others[] = { "--follow", "--kinds", "--again", "--resume" };

    for (int i = 1; i < argc; i++)
        for (size_t k = 0; k < ELEMENTSOF(others); k++)
            if (strncmp(argv[i], others[k], strlen(others[k])) == 0)
                return false;
    return true;
}

int cli_events(int argc, char **argv)
{
    static const struct listing listing = { .usage = usage, .one = "event", .page = crm_events_last, .print_page = print_failed,
                                            .page_failed = letters_page };
    struct asked asked;

    if (is_list(argc, argv))
        return listing_run(&listing, argc, argv);
    if (!parse(argc, argv, &asked))
        return CLI_USAGE;
    if (asked.help)
        return fputs(usage, stdout) == EOF ? CLI_FAILED : CLI_OK;
    if (asked.again || asked.resume)
        return look_after(asked.env_file, asked.again ? "again" : "resume", asked.again ?: asked.resume);
    return asked.kinds ? print_kinds() : follow(asked.env_file, asked.after, asked.json);
}
