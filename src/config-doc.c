/*
 * config-doc.c - the settings as documentation, made from the same rows as the parser
 *
 * `make update-docs` writes both; a test fails when what is committed differs.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

static const struct row {
    enum config_type type;
    const char *name, *fallback;
    uint64_t min, max;
    const char *unit, *meaning;
} rows[] = {
#define CONFIG(type, field, name, fallback, min, max, unit, meaning)                               \
    { type, name, fallback, min, max, unit, meaning },
#include "config.def"
#undef CONFIG
};

/* What may be written, e.g. "1 to 64", "production or development". */
static void print_domain(const struct row *row, FILE *out)
{
    switch (row->type) {
    case UINT:
        fprintf(out, "%" PRIu64 " to %" PRIu64 "%s", row->min, row->max, row->unit);
        break;
    case BOOL:
        fputs("yes or no", out);
        break;
    case CHOICE:
        for (const char *c = row->fallback; *c; c++)
            if (*c == '|')
                fputs(" or ", out);
            else
                fputc(*c, out);
        break;
    case PATH:
        fputs("an absolute path", out);
        break;
    case LETTER:
        fputs("a secret of several lines; best a credential", out);
        break;
    case SECRET:
        fputs("a secret; better a credential than a variable; ", out);
        __attribute__((fallthrough));
    case TEXT:
        if (row->min == row->max)
            fprintf(out, "%" PRIu64 " characters", row->max);
        else
            fprintf(out, "%" PRIu64 " to %" PRIu64 " characters", row->min, row->max);
        break;
    }
}

static int default_length(const struct row *row)
{
    return (int)strcspn(row->fallback, row->type == CHOICE ? "|" : "");
}

static const char example_head[] =
    "# Every setting of agentlocator with its default; made by `agentlocator config --example`.\n"
    "#\n"
    "# Take it as /etc/agentlocator/agentlocator.env or for --env-file, and take the '#' off the "
    "lines\n"
    "# to change. A credential of the same name (systemd's LoadCredential=) wins over a variable "
    "of the\n"
    "# environment, that over this file. `agentlocator config --check` names everything that is "
    "wrong.\n";

void config_print_example(FILE *out)
{
    fputs(example_head, out);
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        const char *fallback = rows[i].fallback ?: "", *quote = strchr(fallback, ' ') ? "\"" : "";

        fprintf(out, "\n# %s\n# (", rows[i].meaning);
        print_domain(&rows[i], out);
        fprintf(out, ")\n#%s=%s%.*s%s\n", rows[i].name, quote,
                rows[i].fallback ? default_length(&rows[i]) : 0, fallback, quote);
    }
}

static const char man_head[] =
    ".\\\" Made by `agentlocator config --man` from src/config.def; edit that and run `make "
    "update-docs`.\n"
    ".Dd January 1, 2026\n"
    ".Dt AGENTLOCATOR.ENV 5\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm agentlocator.env\n"
    ".Nd settings of the telephone agent\n"
    ".Sh DESCRIPTION\n"
    "Settings are variables, one a line, in the syntax of\n"
    ".Cm EnvironmentFile=\n"
    "of\n"
    ".Xr systemd.exec 5 .\n"
    "Each is looked for in this order, and the first that is not blank is taken:\n"
    ".Bl -enum -compact\n"
    ".It\n"
    "a credential of the same name, see\n"
    ".Cm LoadCredential=\n"
    "in\n"
    ".Xr systemd.exec 5 ;\n"
    "one newline at its end does not count;\n"
    ".It\n"
    "the environment of the process;\n"
    ".It\n"
    "the file named by\n"
    ".Fl Fl env-file ;\n"
    ".It\n"
    "the default.\n"
    ".El\n"
    ".Pp\n"
    "Changes take effect at the next start.\n"
    ".Dl agentlocator config --check --env-file FILE\n"
    "names everything that is wrong at once, and names in the file that are no settings;\n"
    ".Dl agentlocator config\n"
    "prints every value and where it came from, secrets masked.\n"
    ".Pp\n"
    "Other services are reached through the proxies that\n"
    ".Ev https_proxy ,\n"
    ".Ev http_proxy\n"
    "and\n"
    ".Ev no_proxy\n"
    "name in the environment of the process; these are no settings, and\n"
    ".Fl Fl env-file\n"
    "does not look for them.\n"
    ".Sh SETTINGS\n"
    ".Bl -tag -width Ds\n";

static const char man_tail[] = ".El\n"
                               ".Sh FILES\n"
                               ".Bl -tag -width Ds -compact\n"
                               ".It Pa /etc/agentlocator/agentlocator.env\n"
                               "the settings of the service\n"
                               ".It Pa /etc/credstore/agentlocator.*\n"
                               "its secrets, a file each, readable by root only; see\n"
                               ".Xr agentlocator 8\n"
                               ".El\n"
                               ".Sh SEE ALSO\n"
                               ".Xr systemd-creds 1 ,\n"
                               ".Xr systemd.exec 5 ,\n"
                               ".Xr agentlocator 8\n";

/* As text of a mdoc line: backslashes are doubled, and nothing begins with what would be a macro.
 */
static void print_mdoc(const char *text, FILE *out)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-')
            fputs("\\-", out);
        else
            fputc(*text, out);
        if (strncmp(text, ". ", 2) == 0) {
            fputc('\n', out);
            text++;
        }
    }
    fputc('\n', out);
}

void config_print_man(FILE *out)
{
    fputs(man_head, out);
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        fprintf(out, ".It Ev %s\n", rows[i].name);
        print_mdoc(rows[i].meaning, out);
        fputs("Takes ", out);
        print_domain(&rows[i], out);
        if (rows[i].fallback)
            fprintf(out, ".\nDefault:\n.Ql %.*s\n", default_length(&rows[i]), rows[i].fallback);
        else
            fputs(".\nThere is no default.\n", out);
    }
    fputs(man_tail, out);
}
