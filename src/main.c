/*
 * main.c - the subcommands, one row each
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "utils/scoped.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the subcommand; returns the exit status */
    const char *summary;
};

static int cli_version(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        puts("Usage: agentlocator version\n\nPrints the version.");
        return CLI_OK;
    }
    if (argc > 1) {
        fprintf(stderr, "agentlocator version: what is '%s'? See --help.\n", argv[1]);
        return CLI_USAGE;
    }
    puts("agentlocator " PACKAGE_VERSION);
    return CLI_OK;
}

static const struct command commands[] = {
    { "backup", cli_backup, "Write all that is kept to one file, or verify one" },
    { "call", cli_call, "Play Twilio: place calls at a server and talk" },
    { "calls", cli_calls, "List calls, or show one with what was said" },
    { "config", cli_config, "Show, check or explain the settings" },
    { "contacts", cli_contacts, "List contacts, or show one with calls and messages" },
    { "doctor", cli_doctor, "Say what is wrong, and what mends it" },
    { "erasures", cli_erasures, "List who was erased, without a word of him" },
    { "events", cli_events, "List what happened, or print it as it happens" },
    { "export", cli_export, "Write what is kept, for other programs and spreadsheets" },
    { "import", cli_import, "Read contacts from a table, or what was exported" },
    { "messages", cli_messages, "List messages" },
    { "reload", cli_reload, "Have the daemon hand over to the program that is installed now" },
    { "restore", cli_restore, "Make a backup the store" },
    { "retention", cli_retention, "Forget what is kept long enough" },
    { "routes", cli_routes, "Print what is served" },
    { "serve", cli_serve, "Answer calls" },
    { "version", cli_version, "Print the version" },
    { "whatsapp", cli_whatsapp, "Link a device to a WhatsApp account, or unlink it" },
};

static void usage(FILE *out)
{
    fputs("Usage: agentlocator COMMAND [OPTIONS]; COMMAND --help says more\n\n", out);
    for (size_t i = 0; i < ELEMENTSOF(commands); i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < ELEMENTSOF(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);

    int asked = argc > 1 && (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0);
    if (argc > 1 && !asked)
        fprintf(stderr, "agentlocator: there is no command '%s'\n", argv[1]);
    usage(asked ? stdout : stderr);
    return asked ? 0 : 2;
}
