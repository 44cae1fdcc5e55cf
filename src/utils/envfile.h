#pragma once
/* envfile.h - the syntax of systemd's EnvironmentFile= */

#include <stddef.h>

struct envfile_pair {
    const char *name, *value; /* live until the callback returns */
    unsigned line;            /* where the name stood */
    const char *problem;      /* NULL, or what is wrong with the line; then value is "" */
};

/*
 * Call fn for each assignment, in order; also for each line that is none, with a problem.
 *
 * Shape:   text is unquoted in place and is not to be used afterwards; text[n] is a NUL.
 * Returns: 0, or the first result of fn that is not 0.
 * Source:  systemd.exec(5), EnvironmentFile=; a comment never continues on the next line (since
 * v254).
 */
int envfile_parse(char *text, size_t n, int (*fn)(const struct envfile_pair *pair, void *arg),
                  void *arg);
