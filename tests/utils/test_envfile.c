/*
 * test_envfile.c - assignments as systemd reads them
 */
#include "utils/envfile.h"

#include <stdlib.h>

#include "tap.h"
#include "utils/scoped.h"

static const struct {
    const char *text;
    const char *want; /* LINE:NAME=VALUE; or LINE:!PROBLEM; per callback */
} cases[] = {
    { "", "" },
    { "A=b", "1:A=b;" },
    { "A=b\n", "1:A=b;" },
    { "A=b\r\nC=d\r\n", "1:A=b;2:C=d;" },
    { "  A =  b c  \n", "1:A=b c;" },
    { "A=\n", "1:A=;" },
    { "A=#b ;c\n", "1:A=#b ;c;" },
    { "# A=b\n; C=d\n\n  # E=f\n", "" },
    { "# joined? \\\nA=b\n", "2:A=b;" },
    { "A=b\\\nc\nD=e\n", "1:A=bc;3:D=e;" },
    { "A=b\\ \\\\c\\\n", "1:A=b \\c;" },
    { "A=b\\", "1:A=b\\;" },
    { "A='b  # \\' \n", "1:A=b  # \\;" },
    { "A='b\nc'\nD=e", "1:A=b\nc;3:D=e;" },
    { "A=\"b \\\" \\$ \\n \\\nc\"", "1:A=b \" $ \\n c;" },
    { "A='b' \"c\" d e \n", "1:A=bcd e;" },
    { "A=b'c'\n", "1:A=b'c';" },
    { "A= \"b \" \n", "1:A=b ;" },
    { "A=$B\n", "1:A=$B;" },
    { "A=b=c\n", "1:A=b=c;" },
    { "A\nB=c\n", "1:!the line has no '=';2:B=c;" },
    { "A", "1:!the line has no '=';" },
    { "A='b\nC=d\n", "1:!a quote is not closed;" },
    { "A=\"b\\", "1:!a quote is not closed;" },
    { "export A=b\nC=d\n", "1:!that is no name of a variable;2:C=d;" },
    { "=b\n1A=c\n", "1:!that is no name of a variable;2:!that is no name of a variable;" },
    { "_a1=b\n", "1:_a1=b;" },
};

static int print_pair(const struct envfile_pair *pair, void *arg)
{
    if (pair->problem)
        fprintf(arg, "%u:!%s;", pair->line, pair->problem);
    else
        fprintf(arg, "%u:%s=%s;", pair->line, pair->name, pair->value);
    return 0;
}

static int stop_at_once(const struct envfile_pair *pair, void *arg)
{
    ++*(int *)arg;
    return 7;
}

int main(void)
{
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        scoped(free) char *text = strdup(cases[i].text), *got = NULL;
        size_t n;
        FILE *out = open_memstream(&got, &n);

        envfile_parse(text, strlen(text), print_pair, out);
        fclose(out);
        char what[32];
        snprintf(what, sizeof(what), "row %zu", i);
        is_str(got, cases[i].want, what);
    }

    char text[] = "A=b\nC=d\n", nul[] = "A=b\n\0C=d\n";
    int n_called = 0;
    is_int(envfile_parse(text, strlen(text), stop_at_once, &n_called), 7, "the callback's result comes back");
    is_int(n_called, 1, "and stops");
    is_int(envfile_parse(nul, sizeof(nul) - 1, stop_at_once, &n_called), 7, "a NUL byte is one problem");
    is_int(n_called, 2, "not many");
    return done_testing();
}
