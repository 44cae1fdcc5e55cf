/*
 * hours.c - when somebody is in the office
 *
 * Every range is turned into moments by the zone's own rules on its own day, so that a day of 23 or 25 hours is right.
 * A range that ends at midnight and one that begins there are one.
 */
#include "utils/hours.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "utils/scoped.h"
#include "utils/when.h"

enum { LOOK_DAYS = 366, DAY_MINUTES = 24 * 60 };

static const char *const names[HOURS_DAYS] = { "sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday" };

int hours_parse_day(const char *name)
{
    for (int i = 0; i < HOURS_DAYS; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -EINVAL;
}

/* n digits. Returns: -1 there is something else. */
static int digits(const char *text, int n)
{
    int value = 0;

    for (int i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = 10 * value + (text[i] - '0');
    }
    return value;
}

/* "17:30", and what is behind it. */
static int minute_of(const char *text, int max)
{
    int hour = digits(text, 2), minute = hour < 0 || text[2] != ':' ? -1 : digits(text + 3, 2);

    return minute < 0 || minute > 59 || 60 * hour + minute > max ? -EINVAL : 60 * hour + minute;
}

int hours_parse_range(const char *text, struct hours_range *ret_range)
{
    int from = strlen(text) == strlen("09:00-17:30") && text[5] == '-' ? minute_of(text, DAY_MINUTES - 1) : -EINVAL;
    int to = from < 0 ? -EINVAL : minute_of(text + 6, DAY_MINUTES);

    if (to <= from)
        return -EINVAL;
    *ret_range = (struct hours_range){ (unsigned)from, (unsigned)to };
    return 0;
}

static unsigned date_of(const struct when_local *local)
{
    return (unsigned)(10000 * local->year + 100 * local->month + local->day);
}

int hours_parse_date(const char *text, unsigned *ret_date)
{
    struct when_local local;
    char noon[] = "2026-12-25T12:00";
    uint64_t unix_ms;

    if (strlen(text) != strlen("2026-12-25"))
        return -EINVAL;
    memcpy(noon, text, strlen(text));
    if (when_parse(noon, &unix_ms) < 0)
        return -EINVAL;
    when_local(unix_ms, &local);
    *ret_date = date_of(&local);
    return 0;
}

static bool is_closed_on(const struct hours *hours, unsigned date)
{
    for (unsigned i = 0; i < hours->n_closed; i++)
        if (hours->closed[i] == date)
            return true;
    return false;
}

/*
 * The ranges from a day on, one after the other; those that touch are one. Returns: false there is none within a year.
 */
static bool next_range(const struct hours *hours, uint64_t now_ms, uint64_t *ret_from_ms, uint64_t *ret_to_ms)
{
    struct when_local today;
    bool has_one = false;

    when_local(now_ms, &today);
    for (int n = 0; n < LOOK_DAYS; n++) {
        struct when_local day;

        when_local(when_unix_ms(today.year, today.month, today.day + n, DAY_MINUTES / 2), &day);
        unsigned n_ranges = is_closed_on(hours, date_of(&day)) ? 0 : hours->n_ranges[day.weekday];
        for (unsigned i = 0; i < n_ranges; i++) {
            const struct hours_range *range = &hours->days[day.weekday][i];
            uint64_t from_ms = when_unix_ms(day.year, day.month, day.day, (int)range->from);
            uint64_t to_ms = when_unix_ms(day.year, day.month, day.day, (int)range->to);

            if (to_ms <= now_ms)
                continue;
            if (has_one && from_ms > *ret_to_ms)
                return true;
            if (!has_one)
                *ret_from_ms = from_ms;
            *ret_to_ms = to_ms;
            has_one = true;
        }
        if (has_one && *ret_to_ms < when_unix_ms(day.year, day.month, day.day, DAY_MINUTES))
            return true;
    }
    return has_one;
}

void hours_at(const struct hours *hours, uint64_t unix_ms, struct hours_state *ret_state)
{
    uint64_t from_ms, to_ms;

    *ret_state = (struct hours_state){ 0 };
    if (!next_range(hours, unix_ms, &from_ms, &to_ms))
        return;
    ret_state->is_open = from_ms <= unix_ms;
    ret_state->until_ms = ret_state->is_open ? to_ms : from_ms;
}

void hours_print(const struct hours *hours, uint64_t unix_ms, char ret_text[HOURS_TEXT_MAX])
{
    struct hours_state state;
    char date[WHEN_MAX], time[WHEN_MAX];

    hours_at(hours, unix_ms, &state);
    when_print_date(state.until_ms, date);
    when_print(state.until_ms, time);
    if (!state.until_ms)
        (void)snprintf(ret_text, HOURS_TEXT_MAX, "Nobody is in the office, and it is not known when somebody is.");
    else
        (void)snprintf(ret_text, HOURS_TEXT_MAX,
                       state.is_open ? "Somebody is in the office now, until %s, %s."
                                     : "Nobody is in the office now; it opens next on %s, at %s.",
                       date, time);
}
