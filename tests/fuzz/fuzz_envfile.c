/*
 * fuzz_envfile.c - any bytes as an env file: each callback has a name, a value and a line that is
 * there
 */
#include "utils/envfile.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct bounds {
    unsigned n_lines, last;
    size_t n;
};

static int judge(const struct envfile_pair *pair, void *arg)
{
    struct bounds *bounds = arg;

    assert(pair->line >= bounds->last && pair->line <= bounds->n_lines);
    assert(strlen(pair->name) + strlen(pair->value) < bounds->n);
    assert(!pair->problem || !*pair->value);
    bounds->last = pair->line;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bounds bounds = { .n_lines = 1, .n = n + 1 };
    char *text = malloc(n + 1);

    if (n)
        memcpy(text, data, n);
    text[n] = '\0';
    for (size_t i = 0; i < n; i++)
        bounds.n_lines += text[i] == '\n';
    assert(envfile_parse(text, n, judge, &bounds) == 0);
    free(text);
    return 0;
}
