/*
 * cli/contacts_verbs.c - agentlocator contacts VERB ...
 *
 * search, tasks and overdue read the store, as the list does; the others ask the running daemon, which alone writes it.
 */
#include "cli/contacts_verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "cli/admin.h"
#include "cli/cli.h"
#include "cli/erasures.h"
#include "cli/listing.h"
#include "cli/table.h"
#include "config.h"
#include "services/crm_search.h"
#include "services/crm_tasks.h"
#include "utils/clock.h"
#include "utils/form.h"
#include "utils/json.h"

static const char usage[] = "See agentlocator contacts --help.\n";

/* --- what is read */

static int search(struct db_txn *txn, const struct config *config, const char *text, struct json_object **ret_array)
{
    enum { SHOWN_MAX = 200 };
    char cursor[CONTACT_ID_MAX];
    bool is_cut;
    int r = crm_contacts_search(txn, text, config->default_country, "", SHOWN_MAX, ret_array, cursor, &is_cut);

    if (r == 0 && (cursor[0] || is_cut))
        fputs("agentlocator contacts search: there are more; add a word.\n", stderr);
    if (r == -EINVAL) {
        fputs("agentlocator contacts search: give words, or at least three digits of a number.\n", stderr);
        *ret_array = json_object_new_array();
        return *ret_array ? 0 : -ENOMEM;
    }
    return r;
}

static int tasks_before(struct db_txn *txn, uint64_t due_ms, size_t max, struct json_object **ret_array)
{
    char cursor[TASK_CURSOR_MAX];

    return crm_tasks_page(txn, due_ms, "", max, ret_array, cursor);
}

static int all_tasks(struct db_txn *txn, size_t max, struct json_object **ret_array)
{
    return tasks_before(txn, UINT64_MAX, max, ret_array);
}

static int overdue_tasks(struct db_txn *txn, size_t max, struct json_object **ret_array)
{
    return tasks_before(txn, clock_real_ms(), max, ret_array);
}

static void print_tasks(struct json_object *array)
{
    static const char *const headings[] = { "DUE", "KIND", "TEXT", "PHONE", "ASSIGNEE", "CONTACT", "ID" };
    static const char *const keys[] = { "kind", "text", "phone", "assignee", "contact_id", "id" };
    scoped(table_free) struct table *table = table_new(headings, ELEMENTSOF(headings));
    char text[WHEN_MAX];

    if (json_object_array_length(array) == 0) {
        puts("Nothing to do.");
        return;
    }
    for (size_t i = 0; table && i < json_object_array_length(array); i++) {
        struct json_object *task = json_object_array_get_idx(array, i);
        table_add(table, "%s", when((uint64_t)json_get_int(task, "due_ms"), 0, text));
        for (size_t k = 0; k < ELEMENTSOF(keys); k++)
            table_add(table, "%s", json_get_text(task, keys[k]) ?: "");
    }
    if (table)
        table_print(table, stdout);
}

static const struct listing found_contacts = { .usage = usage, .one = "contact", .whole = search, .print_whole = contacts_print };
static const struct listing open_tasks = { .usage = usage, .one = "task", .page = all_tasks, .print_page = print_tasks };
static const struct listing late_tasks = { .usage = usage, .one = "task", .page = overdue_tasks, .print_page = print_tasks };

/* --- what is changed */

enum { ARGUMENTS_MAX = 2 };

static const struct verb {
    const char *name;
    const char *arguments;              /* as --help has them */
    const struct listing *listing;      /* or: */
    const char *path;                   /* below /admin/contacts, with what is always asked */
    const char *names[ARGUMENTS_MAX];   /* of the arguments in the query; NULL: no more */
    const char *done, *was_so;          /* what is printed */
} verbs[] = {
    { .name = "search", .arguments = "TEXT", .listing = &found_contacts },
    { .name = "tasks", .arguments = "", .listing = &open_tasks },
    { .name = "overdue", .arguments = "", .listing = &late_tasks },
    { "merge", "INTO FROM", NULL, "merge?", { "into", "from" }, "They are one contact now.", "They are one contact already." },
    { "unmerge", "ID", NULL, "unmerge?", { "id", NULL }, "It is a contact of its own again.", "It is a contact of its own." },
    { "stage", "ID STAGE", NULL, "edit?", { "id", "stage" }, "The stage is set.", "It is in that stage already." },
    { "tag", "ID TAG", NULL, "edit?", { "id", "tag" }, "The tag is set.", "It has that tag already." },
    { "untag", "ID TAG", NULL, "edit?", { "id", "no_tag" }, "The tag is gone.", "It has no such tag." },
    { "silence", "ID", NULL, "agent?agent=silent", { "id", NULL }, "The agent leaves the conversation to you.",
      "The agent is silent already." },
    { "release", "ID", NULL, "agent?agent=on", { "id", NULL }, "The agent answers again.", "The agent was not silent." },
    { "read", "ID", NULL, "read?", { "id", NULL }, "What he wrote is read.", "Nothing was unread." },
    { "done", "TASK", NULL, "task?state=done", { "id", NULL }, "The task is done.", "The task is done already." },
};

static int report(const struct verb *verb, int status, const char *body)
{
    scoped(json_object_put) struct json_object *json = NULL;
    struct json_object *error = NULL;

    (void)json_parse(body, strlen(body), &json);
    if (status == 200) {
        puts(json_object_get_boolean(json_object_object_get(json, "changed")) ? verb->done : verb->was_so);
        return CLI_OK;
    }
    (void)(json && json_object_object_get_ex(json, "error", &error));
    fprintf(stderr, "agentlocator contacts %s: %s.\n", verb->name, json_get_text(error, "message") ?: "the daemon does not say why not");
    return CLI_FAILED;
}

/* The path with its query, to be freed; NULL when out of memory. */
static char *path_of(const struct verb *verb, char **arguments)
{
    char *path = NULL;
    size_t n;
    FILE *out = open_memstream(&path, &n);

    if (!out)
        return NULL;
    fprintf(out, "/admin/contacts/%s", verb->path);
    for (size_t i = 0; i < ELEMENTSOF(verb->names) && verb->names[i]; i++)
        form_write(out, verb->names[i], arguments[i]);
    if (fclose(out) != 0) {
        free(path);
        return NULL;
    }
    return path;
}

static int ask(const struct verb *verb, char **arguments, const char *env_file)
{
    scoped(config_free) struct config *config = NULL;
    scoped(free) char *path = path_of(verb, arguments), *body = NULL;

    if (!path || config_load_tool(env_file, stderr, &config) < 0)
        return CLI_FAILED;
    int status = admin_ask(config, "POST", path, &body);
    if (status > 0)
        return report(verb, status, body);
    fprintf(stderr, "agentlocator contacts: the daemon cannot be asked at %s: %s; ADMIN_SOCKET says where it listens.\n",
            config->admin_socket, strerror(-status));
    return CLI_FAILED;
}

static size_t n_names(const struct verb *verb)
{
    size_t n = 0;

    while (n < ELEMENTSOF(verb->names) && verb->names[n])
        n++;
    return n;
}

/* VERB ARGUMENTS [--env-file FILE], the option anywhere. */
static int change(const struct verb *verb, int argc, char **argv)
{
    char *arguments[ARGUMENTS_MAX];
    const char *env_file = NULL;
    size_t n = 0, n_extra = 0;

    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--env-file") == 0 && i + 1 < argc)
            env_file = argv[++i];
        else if (n < n_names(verb) && argv[i][0] != '-')
            arguments[n++] = argv[i];
        else
            n_extra++;
    }
    if (n_extra || n != n_names(verb)) {
        fprintf(stderr, "Usage: agentlocator contacts %s %s [--env-file FILE]\n", verb->name, verb->arguments);
        return CLI_USAGE;
    }
    return ask(verb, arguments, env_file);
}

static int list(const struct verb *verb, int argc, char **argv)
{
    static char command[64];
    bool has_text = false;

    for (int i = 2; i < argc; i++)
        has_text |= argv[i][0] != '-' && strcmp(argv[i - 1], "--env-file") != 0;
    if (verb->listing->whole && !has_text) {
        fprintf(stderr, "Usage: agentlocator contacts %s %s [OPTIONS]\n", verb->name, verb->arguments);
        return CLI_USAGE;
    }
    (void)snprintf(command, sizeof(command), "contacts %s", verb->name);
    argv[1] = command;
    return listing_run(verb->listing, argc - 1, argv + 1);
}

int contacts_verb(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "erase") == 0)
        return erase_run(argc - 1, argv + 1);
    for (size_t i = 0; argc > 1 && i < ELEMENTSOF(verbs); i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].listing ? list(&verbs[i], argc, argv) : change(&verbs[i], argc, argv);
    return -1;
}
