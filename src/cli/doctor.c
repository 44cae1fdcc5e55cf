/*
 * cli/doctor.c - agentlocator doctor: what is wrong, and the command that mends it
 *
 * One line for each row of the tables in doctor_local.c, doctor_network.c and doctor_vendors.c. Nothing is changed anywhere; each
 * provider is asked one cheap thing. What a check needs and is not there leaves it out, with the reason.
 */
#include "cli/cli.h"
#include "cli/doctor.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "config.h"
#include "utils/json.h"
#include "utils/log.h"
#include "utils/when.h"

static const char usage[] =
    "Usage: agentlocator doctor [CHECK...] [OPTIONS]\n"
    "\n"
    "Looks at settings, units, store, disk, certificate, name, Twilio and providers, and says in a line each what is wrong\n"
    "and what mends it. Changes nothing. Run it as root or as the daemon's user, with the daemon's settings.\n"
    "CHECK is the name of one that is to be made, instead of all.\n"
    "\n"
    "  --offline        ask nobody outside this machine\n"
    "  --json           print JSON\n"
    "  --env-file FILE  read settings from FILE too\n"
    "  --help           print this\n"
    "\n"
    "Exit status: 0 all is well; 1 there are warnings; 2 something is wrong, or the command line is.\n";

static const char *const verdicts[] = {
    [VERDICT_FINE] = "ok", [VERDICT_LEFT_OUT] = "-", [VERDICT_WARNING] = "warning", [VERDICT_WRONG] = "wrong",
};

void find(struct finding *finding, enum verdict verdict, const char *format, ...)
{
    va_list args;

    finding->verdict = verdict;
    va_start(args, format);
    (void)vsnprintf(finding->text, sizeof(finding->text), format, args);
    va_end(args);
}

void mend(struct finding *finding, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(finding->remedy, sizeof(finding->remedy), format, args);
    va_end(args);
}

/* --- all checks */

typedef int report_fn(const struct check *check, const struct finding *finding, void *arg);

static bool is_chosen(const struct doctor *doctor, const char *name)
{
    for (int i = 0; i < doctor->n_chosen; i++)
        if (strcmp(doctor->chosen[i], name) == 0)
            return true;
    return doctor->n_chosen == 0;
}

static void examine(struct doctor *doctor, const struct check *check, struct finding *finding)
{
    *finding = (struct finding){ 0 };
    if (check->is_online && doctor->offline)
        find(finding, VERDICT_LEFT_OUT, "not asked: --offline");
    else
        check->fn(doctor, finding);
}

static const struct check *const tables[] = { doctor_local, doctor_network, doctor_vendors, doctor_last };

static bool is_name(const char *name)
{
    for (size_t i = 0; i < ELEMENTSOF(tables); i++)
        for (const struct check *check = tables[i]; check->name; check++)
            if (strcmp(check->name, name) == 0)
                return true;
    return false;
}

/* Returns: the worst. */
static enum verdict examine_all(struct doctor *doctor, report_fn *report, void *arg)
{
    enum verdict worst = VERDICT_FINE;

    for (size_t i = 0; i < ELEMENTSOF(tables); i++)
        for (const struct check *check = tables[i]; check->name && (doctor->config || check == doctor_local); check++) {
            struct finding finding;
            if (!is_chosen(doctor, check->name))
                continue;
            examine(doctor, check, &finding);
            worst = finding.verdict > worst ? finding.verdict : worst;
            (void)report(check, &finding, arg);
        }
    return worst;
}

static int print_line(const struct check *check, const struct finding *finding, void *arg)
{
    printf("%-8s %-11s %s.\n", verdicts[finding->verdict], check->name, finding->text);
    if (finding->remedy[0])
        printf("%-20s -> %s\n", "", finding->remedy);
    return fflush(stdout);
}

static int add_row(const struct check *check, const struct finding *finding, void *arg)
{
    static const char *const names[] = { "ok", "left out", "warning", "wrong" };
    struct json_object *row = json_object_new_object();
    int r = json_append(arg, row);

    r = r ?: json_add(row, "name", json_object_new_string(check->name));
    r = r ?: json_add(row, "title", json_object_new_string(check->title));
    r = r ?: json_add(row, "verdict", json_object_new_string(names[finding->verdict]));
    r = r ?: json_add(row, "text", json_text(finding->text, strlen(finding->text)));
    return r ?: json_add(row, "remedy", json_text(finding->remedy, strlen(finding->remedy)));
}

/* --- settings: what is missing for production counts, too */

static void count_problems(struct doctor *doctor)
{
    for (const char *line = doctor->problems; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        doctor->n_problems++;
        doctor->n_errors += strncmp(line, "warning:", 8) != 0;
    }
}

static int load(struct doctor *doctor, struct config **ret_config, char **ret_problems)
{
    size_t n;
    FILE *out = open_memstream(ret_problems, &n);
    int r = out ? config_load(doctor->env_file, out, ret_config) : -1;

    if (!out || fclose(out) != 0)
        return -1;
    doctor->problems = *ret_problems;
    count_problems(doctor);
    if (r < 0) { /* the rest can be looked at, perhaps */
        FILE *nowhere = fopen("/dev/null", "w");
        if (nowhere) {
            (void)config_load_tool(doctor->env_file, nowhere, ret_config);
            fclose(nowhere);
        }
    }
    return 0;
}

static int run(struct doctor *doctor, bool wants_json)
{
    static const int statuses[] = { 0, 0, 1, 2 };
    scoped(config_free) struct config *config = NULL;
    scoped(free) char *problems = NULL;
    scoped(json_object_put) struct json_object *rows = json_object_new_array();

    log_setup(-1, NULL); /* a line for each check is enough */
    if (!rows || load(doctor, &config, &problems) < 0)
        return statuses[VERDICT_WRONG];
    doctor->config = config;
    if (config && !doctor->offline) {
        struct http_client_options options = { .calls_max = 4, .ca_file = config->provider_ca_file };
        doctor->offline = http_client_new(&options, &doctor->client) < 0;
    }
    enum verdict worst = examine_all(doctor, wants_json ? add_row : print_line, rows);
    if (wants_json)
        puts(json_object_to_json_string_ext(rows, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
    http_client_free(doctor->client);
    return statuses[worst];
}

int cli_doctor(int argc, char **argv)
{
    static const struct option options[] = {
        { "offline", no_argument, NULL, 'o' },
        { "json", no_argument, NULL, 'j' },
        { "env-file", required_argument, NULL, 'e' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    struct doctor doctor = { 0 };
    bool wants_json = false;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return CLI_OK;
        }
        if (option == 'o')
            doctor.offline = true;
        else if (option == 'j')
            wants_json = true;
        else if (option == 'e')
            doctor.env_file = optarg;
        else
            return CLI_USAGE;
    }
    for (int i = optind; i < argc; i++)
        if (!is_name(argv[i])) {
            fprintf(stderr, "agentlocator doctor: there is no check '%s'; without a name all are made, and named.\n", argv[i]);
            return CLI_USAGE;
        }
    doctor.chosen = argv + optind;
    doctor.n_chosen = argc - optind;
    return run(&doctor, wants_json);
}
