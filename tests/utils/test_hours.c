/*
 * test_hours.c - when an office is open, by days, by dates, and where the clock is moved
 */
#include "utils/hours.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"
#include "utils/scoped.h"
#include "utils/when.h"

static void add(struct hours *hours, const char *day, const char *text)
{
    int i = hours_parse_day(day);

    if (!ok(i >= 0 && hours_parse_range(text, &hours->days[i][hours->n_ranges[i]]) == 0, "%s %s", day, text))
        exit(1);
    hours->n_ranges[i]++;
    hours->is_set = true;
}

/* Sunday to Thursday, a break on Tuesday, a night from Thursday to Friday; closed on a Sunday and a Monday. */
static void make_week(struct hours *hours)
{
    static const char *const rows[][2] = { { "sunday", "09:00-17:00" },    { "monday", "09:00-17:00" },
                                           { "tuesday", "09:00-13:00" },   { "tuesday", "16:00-19:30" },
                                           { "wednesday", "09:00-17:00" }, { "thursday", "20:00-24:00" },
                                           { "friday", "00:00-02:30" } };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++)
        add(hours, rows[i][0], rows[i][1]);
    is_int(hours_parse_date("2026-12-06", &hours->closed[hours->n_closed++]), 0, "a date on which it is closed");
    is_int(hours_parse_date("2026-12-07", &hours->closed[hours->n_closed++]), 0, "another one");
}

static const struct {
    const char *at;
    bool is_open;
    const char *until;
} moments[] = {
    { "2026-11-29T08:59", false, "2026-11-29T09:00+02:00" }, /* a Sunday */
    { "2026-11-29T09:00", true, "2026-11-29T17:00+02:00" },
    { "2026-11-29T16:59", true, "2026-11-29T17:00+02:00" },
    { "2026-11-29T17:00", false, "2026-11-30T09:00+02:00" },
    { "2026-12-01T12:59", true, "2026-12-01T13:00+02:00" }, /* the break */
    { "2026-12-01T13:00", false, "2026-12-01T16:00+02:00" },
    { "2026-12-01T19:29", true, "2026-12-01T19:30+02:00" },
    { "2026-12-03T23:59", true, "2026-12-04T02:30+02:00" }, /* across midnight */
    { "2026-12-04T00:00", true, "2026-12-04T02:30+02:00" },
    { "2026-12-04T02:30", false, "2026-12-08T09:00+02:00" }, /* over two closed days to Tuesday */
    { "2026-12-06T10:00", false, "2026-12-08T09:00+02:00" },
    /* Clocks go from 2:00 to 3:00 on Friday 2026-03-27: the night ends at what would be 2:30 */
    { "2026-03-26T23:00", true, "2026-03-27T03:30+03:00" },
    { "2026-03-27T00:30Z", false, "2026-03-29T09:00+03:00" },
    { "2026-03-28T12:00", false, "2026-03-29T09:00+03:00" },
    /* and back from 2:00 to 1:00 on Sunday 2026-10-25 */
    { "2026-10-24T22:30Z", false, "2026-10-25T09:00+02:00" },
    { "2026-10-25T09:00", true, "2026-10-25T17:00+02:00" },
};

static void test_moments(const struct hours *hours)
{
    for (size_t i = 0; i < ELEMENTSOF(moments); i++) {
        struct hours_state state;
        char until[WHEN_MAX];
        uint64_t at_ms = 0;

        (void)when_parse(moments[i].at, &at_ms);
        hours_at(hours, at_ms, &state);
        when_print(state.until_ms, until);
        is_int(state.is_open, moments[i].is_open, moments[i].at);
        is_str(until, moments[i].until, "until when");
    }
}

static void test_text(const struct hours *hours)
{
    struct hours never = { .is_set = true };
    char text[HOURS_TEXT_MAX];
    uint64_t at_ms = 0;

    (void)when_parse("2026-11-29T10:00", &at_ms);
    hours_print(hours, at_ms, text);
    is_str(text, "Somebody is in the office now, until Sunday, 2026-11-29, 2026-11-29T17:00+02:00.", "open, in words");
    (void)when_parse("2026-11-29T20:00", &at_ms);
    hours_print(hours, at_ms, text);
    is_str(text, "Nobody is in the office now; it opens next on Monday, 2026-11-30, at 2026-11-30T09:00+02:00.", "closed, in words");
    hours_print(&never, at_ms, text);
    is_str(text, "Nobody is in the office, and it is not known when somebody is.", "never, in words");
}

static void test_always(void)
{
    static const char *const days[] = { "sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday" };
    struct hours hours = { 0 };
    struct hours_state state;
    uint64_t at_ms = 0;

    for (size_t i = 0; i < ELEMENTSOF(days); i++)
        add(&hours, days[i], "00:00-24:00");
    (void)when_parse("2026-11-29T10:00", &at_ms);
    hours_at(&hours, at_ms, &state);
    ok(state.is_open && state.until_ms > at_ms + UINT64_C(300) * 86400000, "what never closes is open for as long as is looked");
}

static void test_refused(void)
{
    static const char *const ranges[] = { "", "9:00-17:00", "09:00-09:00", "17:00-09:00", "24:00-24:00", "09:60-17:00", "09:00-24:01",
                                          "09:00 17:00", "09:00-17:00 ", "-9:00-17:00" };
    static const char *const dates[] = { "", "2026-02-29", "2026-2-01", "20261225", "2026-12-25T00:00", "2026-12-32" };
    struct hours_range range;
    unsigned date;

    for (size_t i = 0; i < ELEMENTSOF(ranges); i++)
        is_int(hours_parse_range(ranges[i], &range), -EINVAL, ranges[i]);
    for (size_t i = 0; i < ELEMENTSOF(dates); i++)
        is_int(hours_parse_date(dates[i], &date), -EINVAL, dates[i]);
    is_int(hours_parse_day("Sunday"), -EINVAL, "days are written small");
    is_int(hours_parse_range("00:00-24:00", &range), 0, "a whole day");
    is_int((int)range.to, 24 * 60, "has all its minutes");
}

int main(void)
{
    struct hours week = { 0 };

    if (when_set_zone("Asia/Jerusalem") < 0) {
        skip("hours: no zones are installed here");
        return done_testing();
    }
    make_week(&week);
    test_moments(&week);
    test_text(&week);
    test_always();
    test_refused();
    return done_testing();
}
