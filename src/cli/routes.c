/*
 * cli/routes.c - agentlocator routes: the table of everything that is served
 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>

#include "app.h"

static const char usage[] = "Usage: agentlocator routes [OPTIONS]\n"
                            "\n"
                            "Prints every route with its guard and the largest body it takes. "
                            "Fails, with a line for each problem, when two\n"
                            "rows have one method and path.\n"
                            "\n"
                            "  --json  print JSON\n"
                            "  --help  print this\n";

int cli_routes(int argc, char **argv)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    scoped(router_free) struct router *router = NULL;
    bool json = false;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return CLI_OK;
        }
        if (option != 'j')
            return CLI_USAGE;
        json = true;
    }
    if (optind < argc) {
        fputs(usage, stderr);
        return CLI_USAGE;
    }
    if (app_router(NULL, stdout, &router) < 0)
        return CLI_FAILED;
    router_print(router, stdout, json);
    return CLI_OK;
}
