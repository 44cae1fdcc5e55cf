/*
 * test_when.c - dates that are understood, and those that are not
 */
#include "utils/when.h"

#include <errno.h>
#include <stdlib.h>

#include "tap.h"
#include "utils/scoped.h"

static const struct {
    const char *text;
    const char *want; /* printed again; NULL: refused */
} cases[] = {
    { "2026-11-23T10:00", "2026-11-23T10:00+02:00" },
    { "2026-07-23T10:00", "2026-07-23T10:00+03:00" },
    { "2026-11-23 10:00", "2026-11-23T10:00+02:00" },
    { "2026-11-23T10:00:59", "2026-11-23T10:00+02:00" },
    { "2026-11-23T10:00:59.123Z", "2026-11-23T12:00+02:00" },
    { "2026-11-23T10:00Z", "2026-11-23T12:00+02:00" },
    { "2026-11-23T10:00+02:00", "2026-11-23T10:00+02:00" },
    { "2026-11-23T10:00-0530", "2026-11-23T17:30+02:00" },
    { "2026-11-23T10:00+03", "2026-11-23T09:00+02:00" },
    { "2028-02-29T00:00", "2028-02-29T00:00+02:00" },
    { "2026-02-29T00:00", NULL },
    { "2026-13-01T00:00", NULL },
    { "2026-00-01T00:00", NULL },
    { "2026-04-31T00:00", NULL },
    { "2026-11-23T24:00", NULL },
    { "2026-11-23T10:60", NULL },
    { "2026-11-23", NULL },
    { "2026-11-23T10", NULL },
    { "2026-11-23T10:00 o'clock", NULL },
    { "2026-11-23T10:00+", NULL },
    { "2026-11-23T10:00+99:00", NULL },
    { "0001-11-23T10:00", NULL },
    { "tomorrow at ten", NULL },
    { "", NULL },
};

int main(void)
{
    char text[WHEN_MAX];

    is_int(when_set_zone("Atlantis/Poseidonis"), -ENOENT, "there is no such zone");
    is_int(when_set_zone("../../../etc/passwd"), -ENOENT, "nor outside of where they are");
    if (when_set_zone("Asia/Jerusalem") < 0) {
        skip("dates: no zones are installed here");
        return done_testing();
    }
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        uint64_t unix_ms = 0;
        int r = when_parse(cases[i].text, &unix_ms);

        if (!cases[i].want) {
            is_int(r, -EINVAL, cases[i].text);
            continue;
        }
        when_print(unix_ms, text);
        is_str(r == 0 ? text : "refused", cases[i].want, cases[i].text);
    }
    when_print_date(1763856000000, text);
    is_str(text, "Sunday, 2025-11-23", "a date and its weekday");
    return done_testing();
}
