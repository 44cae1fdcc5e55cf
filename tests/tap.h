#pragma once
/* tap.h - the Test Anything Protocol, as much of it as our tests speak */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int tap_n, tap_failed;

__attribute__((format(printf, 2, 3), unused)) static int ok(int condition, const char *format, ...)
{
    va_list args;

    printf("%sok %d - ", condition ? "" : "not ", ++tap_n);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
    tap_failed += !condition;
    return condition;
}

__attribute__((unused)) static int is_int(long long got, long long want, const char *what)
{
    int same = ok(got == want, "%s", what);
    if (!same)
        printf("# got %lld, want %lld\n", got, want);
    return same;
}

__attribute__((unused)) static int is_str(const char *got, const char *want, const char *what)
{
    int same = ok(got && want ? strcmp(got, want) == 0 : got == want, "%s", what);
    if (!same)
        printf("# got  \"%s\"\n# want \"%s\"\n", got ? got : "(null)", want ? want : "(null)");
    return same;
}

/* Says aloud what is not shown, and why; counted as a skip, never as a pass. */
__attribute__((format(printf, 1, 2), unused)) static void skip(const char *format, ...)
{
    va_list args;

    printf("ok %d # SKIP ", ++tap_n);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

/* The last line of main(): prints the plan, returns the exit status. */
__attribute__((unused)) static int done_testing(void)
{
    printf("1..%d\n", tap_n);
    return tap_failed || !tap_n;
}
