/*
 * test_token_list.c - which lists of tokens are taken
 */
#include "utils/token_list.h"

#include <stdio.h>
#include <string.h>

#include "tap.h"
#include "utils/scoped.h"

#define S1 "0123456789abcdef"
#define S2 "fedcba9876543210"
#define SIXTEEN(x) x x x x x x x x x x x x x x x x

static const struct {
    const char *text;
    const char *want; /* "name=secret name=secret", or '!' and a part of what is wrong */
    const char *what;
} rows[] = {
    { S1, "api=" S1, "one without a name" },
    { "  " S1 " ", "api=" S1, "blanks around it" },
    { "crm:" S1, "crm=" S1, "one with a name" },
    { "a:" S1 " b-2_:" S2, "a=" S1 " b-2_=" S2, "two" },
    { "a:" S1 ":x", "a=" S1 ":x", "a secret with a colon" },
    { S1 "+/=:x", "api=" S1 "+/=:x", "what is no name is a part of the secret" },
    { "", "!blank", "nothing" },
    { "   ", "!blank", "blanks" },
    { "short", "!too short", "too short" },
    { "crm:short", "!too short", "too short with a name" },
    { "crm:", "!too short", "no secret" },
    { ":" S1, "!name that is empty", "an empty name" },
    { SIXTEEN("abc") ":" S1, "!too long", "a name too long" },
    { "a:" SIXTEEN(S1), "a=" SIXTEEN(S1), "the longest secret" },
    { "a:" SIXTEEN(S1) "x", "!too long", "one more" },
    { S1 " " S2, "!without a name", "two without names" },
    { "a:" S1 " " S2, "!without a name", "one of two without a name" },
    { "a:" S1 " a:" S2, "!name twice", "a name twice" },
    { "a:" S1 " b:" S1, "!one secret", "a secret twice" },
    { SIXTEEN("a:" S1 " ") "b:" S2, "!too many", "seventeen" },
};

static void write_list(const struct token_list *list, char *text)
{
    *text = '\0';
    for (size_t i = 0; i < list->n; i++)
        text += sprintf(text, "%s%s=%.*s", i ? " " : "", list->tokens[i].name, (int)list->tokens[i].n, list->tokens[i].secret);
}

int main(void)
{
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct token_list list;
        char got[1024];
        const char *problem = token_list_parse(rows[i].text, &list);

        if (problem) {
            ok(rows[i].want[0] == '!' && strstr(problem, rows[i].want + 1), "%s: %s", rows[i].what, problem);
            ok(!strstr(problem, S1) && !strstr(problem, S2), "%s: without the secret", rows[i].what);
            continue;
        }
        write_list(&list, got);
        is_str(got, rows[i].want, rows[i].what);
    }
    return done_testing();
}
