/*
 * cli/messages.c - agentlocator messages: what was written
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "cli/admin.h"
#include "cli/listing.h"
#include "cli/table.h"
#include "config.h"
#include "models/message.h"
#include "services/crm.h"
#include "utils/json.h"
#include "utils/text.h"

enum { TEXT_MAX = 4096 }; /* more than a message has room for */

static const char usage[] =
    "Usage: agentlocator messages [OPTIONS]\n"
    "       agentlocator messages --again ID [--env-file FILE]\n"
    "\n"
    "Lists the latest messages, in and out; or has the daemon send one of ours again that failed.\n"
    "\n"
    "  --failed         list those of ours that were not sent or delivered, and those of which nobody knows\n"
    "  --again ID       send that one again; ADMIN_SOCKET says where the daemon listens\n"
    "  --last N         list so many (50)\n"
    "  --json           print JSON; times are milliseconds of unix time\n"
    "  --env-file FILE  read settings from FILE too; DATABASE_URL says where the store is\n"
    "  --help           print this\n";

/* Plain words of his own need no name. */
static void add_kind(struct table *table, const struct message *message, const char *kind)
{
    const struct {
        bool is_so;
        const char *name;
    } marks[] = {
        { message->kind != MESSAGE_TEXT, kind },
        { message->reply_to[0], "reply" },
        { message->forwarded, "forwarded" },
        { message->referral, "from an advertisement" },
    };
    char text[128] = "";
    size_t n = 0;

    for (size_t i = 0; i < ELEMENTSOF(marks); i++) {
        if (!marks[i].is_so)
            continue;
        text_add(text, sizeof(text), &n, ", ", n ? 2 : 0);
        text_add(text, sizeof(text), &n, marks[i].name, strlen(marks[i].name));
    }
    table_add(table, "%s", text);
}

/* What is said in it, and where each file is, or why it is not. */
static void add_media(struct table *table, const struct message *message)
{
    size_t n_media = message->media ? json_object_array_length(message->media) : 0, n = 0;
    char text[TEXT_MAX] = "";

    for (size_t i = 0; i < n_media; i++) {
        struct json_object *item = json_object_array_get_idx(message->media, i);
        const char *file = json_get_text(item, "file"), *error = json_get_text(item, "error"), *unheard = json_get_text(item, "unheard");
        char part[1024];

        (void)snprintf(part, sizeof(part), "%s%s%s%s%s%s", json_get_text(item, "type") ?: "file", file || error ? ": " : "", file ?: error ?: "",
                       unheard ? " (" : "", unheard ?: "", unheard ? ")" : "");
        text_add(text, sizeof(text), &n, ", ", n ? 2 : 0);
        text_add(text, sizeof(text), &n, part, strlen(part));
    }
    table_add(table, "%s", text);
}

static void add_message(struct table *table, const struct message *message, struct json_object *json)
{
    char text[WHEN_MAX], line[TEXT_MAX];

    message_line(message, line, sizeof(line));
    table_add(table, "%s", when(message->created_ms, 0, text));
    table_add(table, "%s", json_get_text(json, "direction") ?: "");
    table_add(table, "%s", json_get_text(json, "channel") ?: "");
    table_add(table, "%s", message->address);
    table_add(table, "%s", json_get_text(json, "status") ?: "");
    add_kind(table, message, json_get_text(json, "kind") ?: "");
    table_add(table, "%s", line);
    add_media(table, message);
    table_add(table, "%s", message->error);
    table_add(table, "%s", message->again);
    table_add(table, "%s", message->direction == MESSAGE_OUT ? message->id : "");
}

void messages_print(struct json_object *array)
{
    static const char *const headings[] = { "TIME", "WAY", "CHANNEL", "ADDRESS", "STATUS", "KIND", "TEXT", "MEDIA", "TROUBLE", "AGAIN", "ID" };
    scoped(table_free) struct table *table = table_new(headings, ELEMENTSOF(headings));

    for (size_t i = 0; table && i < json_object_array_length(array); i++) {
        scoped(message_release) struct message message = { 0 };
        struct json_object *json = json_object_array_get_idx(array, i);
        if (message_from_json(json, &message) == 0)
            add_message(table, &message, json);
    }
    if (table)
        table_print(table, stdout);
}

static void print_page(struct json_object *array)
{
    if (json_object_array_length(array) == 0)
        puts("No messages.");
    else
        messages_print(array);
}

/* --- sending again */

/* The daemon's words, or what its status means. */
static int report(const char *id, int status, const char *body)
{
    scoped(json_object_put) struct json_object *json = NULL;
    struct json_object *error = NULL;

    (void)json_parse(body, strlen(body), &json);
    if (status == 202) {
        printf("Message %s is sent again as %s.\n", id, json_get_text(json, "id") ?: "another one");
        return CLI_OK;
    }
    (void)(json && json_object_object_get_ex(json, "error", &error));
    fprintf(stderr, "agentlocator messages: %s is not sent again: %s.\n", id,
            json_get_text(error, "message") ?: "the daemon does not say why");
    return CLI_FAILED;
}

static int send_again(const char *id, const char *env_file)
{
    scoped(config_free) struct config *config = NULL;
    scoped(free) char *body = NULL, *path = NULL;

    if (!call_sid_is_plain(id)) {
        fprintf(stderr, "agentlocator messages: '%s' is no id of a message; --failed lists them.\n", id);
        return CLI_USAGE;
    }
    if (config_load_tool(env_file, stderr, &config) < 0 || asprintf(&path, "/admin/messages/%s", id) < 0)
        return CLI_FAILED;
    int status = admin_ask(config, "POST", path, &body);
    if (status > 0)
        return report(id, status, body);
    fprintf(stderr, "agentlocator messages: the daemon cannot be asked at %s: %s; ADMIN_SOCKET says where it listens.\n",
            config->admin_socket, strerror(-status));
    return CLI_FAILED;
}

/* --again ID [--env-file FILE], in any order. */
static bool wants_again(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], "--again", strlen("--again")) == 0)
            return true;
    return false;
}

static int parse_again(int argc, char **argv)
{
    static const struct option options[] = {
        { "again", required_argument, NULL, 'a' },
        { "env-file", required_argument, NULL, 'e' },
        { NULL, 0, NULL, 0 },
    };
    const char *id = NULL, *env_file = NULL;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == '?')
            return CLI_USAGE;
        *(option == 'a' ? &id : &env_file) = optarg;
    }
    if (optind < argc) {
        fprintf(stderr, "agentlocator messages: what is '%s'? See --help.\n", argv[optind]);
        return CLI_USAGE;
    }
    return send_again(id ?: "", env_file);
}

int cli_messages(int argc, char **argv)
{
    static const struct listing listing = { .usage = usage,
                                            .one = "message",
                                            .page = crm_messages_page,
                                            .print_page = print_page,
                                            .page_failed = crm_messages_failed_page };

    return wants_again(argc, argv) ? parse_again(argc, argv) : listing_run(&listing, argc, argv);
}
