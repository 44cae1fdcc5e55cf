/*
 * cli/progress.c - how far something is
 */
#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "utils/clock.h"

enum { EVERY_MS = 200 };

static uint64_t shown_ms; /* 0: there is no line */

void progress_show(const char *what, double done, double of, const char *unit)
{
    uint64_t now_ms = clock_mono_ms();

    if (!isatty(STDERR_FILENO) || (shown_ms && now_ms - shown_ms < EVERY_MS))
        return;
    shown_ms = now_ms;
    fprintf(stderr, "\r\033[K%s: %.0f", what, done);
    if (of > 0)
        fprintf(stderr, " of %.0f", of);
    fprintf(stderr, " %s", unit);
}

void progress_end(void)
{
    if (shown_ms)
        fputs("\r\033[K", stderr);
    shown_ms = 0;
}
