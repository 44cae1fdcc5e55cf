#pragma once
/*
 * hours.h - when somebody is in the office: ranges of each weekday, and dates on which nobody is
 *
 * Local time, see when.h. Thread: any.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HOURS_DAYS = 7, HOURS_RANGES_MAX = 4 /* of a weekday */, HOURS_CLOSED_MAX = 64 };

struct hours_range {
    unsigned from, to; /* minutes since midnight; to is not in it, and may be 24:00 */
};

struct hours {
    bool is_set; /* else nothing is known, and the rest is empty */
    struct hours_range days[HOURS_DAYS][HOURS_RANGES_MAX]; /* from Sunday on; in order, apart */
    unsigned n_ranges[HOURS_DAYS];
    unsigned closed[HOURS_CLOSED_MAX]; /* as hours_parse_date() */
    unsigned n_closed;
};

int hours_parse_day(const char *name); /* "sunday" 0, ...; or -EINVAL */
/* "09:00-17:30". Errors: -EINVAL, also where it does not end later than it begins. */
int hours_parse_range(const char *text, struct hours_range *ret_range);
/* "2026-12-25" is 20261225. Errors: -EINVAL. */
int hours_parse_date(const char *text, unsigned *ret_date);

struct hours_state {
    bool is_open;
    uint64_t until_ms; /* unix time: when it closes, or opens next; 0: not within a year */
};
/* Of hours that are set. A range that begins in an hour the clock leaves out begins as much later. */
void hours_at(const struct hours *hours, uint64_t unix_ms, struct hours_state *ret_state);

/* The state as a sentence for a chat model. */
enum { HOURS_TEXT_MAX = 160 };
void hours_print(const struct hours *hours, uint64_t unix_ms, char ret_text[HOURS_TEXT_MAX]);
