/*
 * cli/reload.c - agentlocator reload: asks the daemon to hand over to what is installed now, and waits
 *
 * It is what `systemctl reload` runs: its exit status is that of the reload.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "cli/admin.h"
#include "config.h"
#include "utils/json.h"

static const char usage[] =
    "Usage: agentlocator reload [OPTIONS]\n"
    "\n"
    "Has the daemon start the program that is installed now, with the settings as they are now, and hand over to it:\n"
    "new calls are the new process's, the old one goes when its calls have ended, DRAIN_SECONDS later at most. When\n"
    "the new one does not start, the old one goes on, and the reason is printed.\n"
    "\n"
    "  --env-file FILE  read settings from FILE too; ADMIN_SOCKET says where the daemon listens\n"
    "  --json           print JSON\n"
    "  --help           print this\n";

enum { MORE_PATIENCE_S = 60 }; /* than a start may take: the jobs of the old one end first */

static int ask(const struct config *config, bool as_json)
{
    scoped(free) char *body = NULL;
    scoped(json_object_put) struct json_object *json = NULL;
    struct socket_request request = { config->admin_socket, "POST", "/admin/reload", "",
                                      (unsigned)config->reload_s + MORE_PATIENCE_S };
    int status = socket_ask(&request, &body);

    if (status < 0) {
        fprintf(stderr, "agentlocator reload: the daemon cannot be asked at %s: %s; is it running?\n", config->admin_socket,
                strerrordesc_np(-status) ?: "unknown error");
        return CLI_FAILED;
    }
    if (as_json)
        printf("%s\n", body);
    if (json_parse(body, strlen(body), &json) < 0)
        json = NULL;
    if (status == 200) {
        if (!as_json)
            printf("process %lld answers now\n", (long long)json_get_int(json, "pid"));
        return CLI_OK;
    }
    fprintf(stderr, "agentlocator reload: %s; the daemon goes on as before\n",
            json_get_text(json, "why") ?: "it is reloading already");
    return CLI_FAILED;
}

int cli_reload(int argc, char **argv)
{
    static const struct option options[] = {
        { "env-file", required_argument, NULL, 'e' },
        { "json", no_argument, NULL, 'j' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    scoped(config_free) struct config *config = NULL;
    const char *env_file = NULL;
    bool as_json = false;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return CLI_OK;
        }
        if (option == '?')
            return CLI_USAGE;
        if (option == 'e')
            env_file = optarg;
        as_json |= option == 'j';
    }
    if (optind < argc) {
        fprintf(stderr, "agentlocator reload: what is '%s'? See --help.\n", argv[optind]);
        return CLI_USAGE;
    }
    if (config_load_tool(env_file, stderr, &config) < 0)
        return CLI_FAILED;
    return ask(config, as_json);
}
