#pragma once
/* cli.h - the subcommands; argv[0] is the subcommand's name, the result is the exit status */

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

int cli_backup(int argc, char **argv);
int cli_call(int argc, char **argv);
int cli_calls(int argc, char **argv);
int cli_config(int argc, char **argv);
int cli_contacts(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_erasures(int argc, char **argv);
int cli_events(int argc, char **argv);
int cli_export(int argc, char **argv);
int cli_import(int argc, char **argv);
int cli_messages(int argc, char **argv);
int cli_reload(int argc, char **argv);
int cli_restore(int argc, char **argv);
int cli_retention(int argc, char **argv);
int cli_routes(int argc, char **argv);
int cli_serve(int argc, char **argv);
int cli_whatsapp(int argc, char **argv);
