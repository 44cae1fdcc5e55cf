/*
 * cli/config.c - agentlocator config: what is set, where from, and what is wrong with it
 */
#include "cli/cli.h"

#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "services/event_hooks.h"

static const char usage[] =
    "Usage: agentlocator config [OPTIONS]\n"
    "\n"
    "Prints every setting, its value and where it came from. Secrets are masked.\n"
    "\n"
    "  --env-file FILE  read settings from FILE too (the syntax of systemd's EnvironmentFile=)\n"
    "  --json           print JSON\n"
    "  --check          only name everything that is wrong; fails when something is\n"
    "  --example        print an env file with every setting and its default\n"
    "  --man            print the manual page agentlocator.env(5)\n"
    "  --help           print this\n";

enum mode { MODE_TABLE = 256, MODE_JSON, MODE_CHECK, MODE_EXAMPLE, MODE_MAN, MODE_HELP, ENV_FILE };

static const struct option options[] = {
    { "env-file", required_argument, NULL, ENV_FILE },
    { "json", no_argument, NULL, MODE_JSON },
    { "check", no_argument, NULL, MODE_CHECK },
    { "example", no_argument, NULL, MODE_EXAMPLE },
    { "man", no_argument, NULL, MODE_MAN },
    { "help", no_argument, NULL, MODE_HELP },
    { NULL, 0, NULL, 0 },
};

static void print_table(const struct config *config)
{
    struct config_setting setting;
    int name_width = 0, value_width = 0;

    for (size_t i = 0; config_setting(config, i, &setting); i++) {
        int n_name = (int)strlen(setting.name),
            n_value = setting.value ? (int)strlen(setting.value) : 0;

        name_width = n_name > name_width ? n_name : name_width;
        value_width = n_value > value_width ? n_value : value_width;
    }
    printf("%-*s  %-*s  %s\n", name_width, "NAME", value_width, "VALUE", "SOURCE");
    for (size_t i = 0; config_setting(config, i, &setting); i++)
        printf("%-*s  %-*s  %s\n", name_width, setting.name, value_width, setting.value ?: "",
               setting.source);
}

static int print_json(const struct config *config)
{
    struct json_object *list = json_object_new_array();
    struct config_setting setting;

    for (size_t i = 0; config_setting(config, i, &setting); i++) {
        struct json_object *row = json_object_new_object();

        json_object_object_add(row, "name", json_object_new_string(setting.name));
        json_object_object_add(row, "value",
                               setting.value ? json_object_new_string(setting.value) : NULL);
        json_object_object_add(row, "source", json_object_new_string(setting.source));
        json_object_array_add(list, row);
    }
    puts(json_object_to_json_string_ext(list,
                                        JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(list);
    return CLI_OK;
}

/* A name that is no setting only warns elsewhere; somebody who asks wants to know. */
static int check(const char *env_file)
{
    scoped(config_free) struct config *config = NULL;
    scoped(free) char *problems = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&problems, &n);
    if (!out)
        return CLI_FAILED;

    char problem[EVENT_HOOKS_PROBLEM_MAX];
    int r = config_load(env_file, out, &config);
    if (r == 0 && event_hooks_check(config, problem) < 0)
        fprintf(out, "%s\n", problem);
    fclose(out);
    fputs(problems, stderr);
    if (r == 0 && n == 0)
        puts("Every setting is in order.");
    return r == 0 && n == 0 ? CLI_OK : CLI_FAILED;
}

static int show(enum mode mode, const char *env_file)
{
    scoped(config_free) struct config *config = NULL;

    if (config_load_tool(env_file, stderr, &config) < 0)
        return CLI_FAILED;
    if (mode == MODE_JSON)
        return print_json(config);
    print_table(config);
    return CLI_OK;
}

int cli_config(int argc, char **argv)
{
    enum mode mode = MODE_TABLE;
    const char *env_file = NULL;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == '?')
            return CLI_USAGE;
        if (option == ENV_FILE)
            env_file = optarg;
        else
            mode = (enum mode)option;
    }
    if (optind < argc) {
        fprintf(stderr, "agentlocator config: what is '%s'? See --help.\n", argv[optind]);
        return CLI_USAGE;
    }

    switch (mode) {
    case MODE_HELP:
        fputs(usage, stdout);
        return CLI_OK;
    case MODE_EXAMPLE:
        config_print_example(stdout);
        return CLI_OK;
    case MODE_MAN:
        config_print_man(stdout);
        return CLI_OK;
    case MODE_CHECK:
        return check(env_file);
    default:
        return show(mode, env_file);
    }
}
