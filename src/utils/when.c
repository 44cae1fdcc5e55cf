/*
 * when.c - dates and times of day
 *
 * The C library reads the zone when it is set and keeps it, so that nothing is read or allocated later.
 */
#include "utils/when.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ZONES "/usr/share/zoneinfo/"

/* n digits at *at, which is moved behind them. */
static bool number(const char **at, int n, int min, int max, int *ret)
{
    int value = 0;

    for (int i = 0; i < n; i++, ++*at) {
        if (!isdigit((unsigned char)**at))
            return false;
        value = value * 10 + (**at - '0');
    }
    *ret = value;
    return value >= min && value <= max;
}

static bool sign(const char **at, const char *signs, char *ret)
{
    *ret = **at;
    if (!**at || !strchr(signs, **at))
        return false;
    ++*at;
    return true;
}

static int days_of(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

static bool parse_date(const char **at, struct tm *tm)
{
    char mark;

    if (!number(at, 4, 1970, 9999, &tm->tm_year) || !sign(at, "-", &mark) || !number(at, 2, 1, 12, &tm->tm_mon) ||
        !sign(at, "-", &mark) || !number(at, 2, 1, 31, &tm->tm_mday) ||
        tm->tm_mday > days_of(tm->tm_year, tm->tm_mon))
        return false;
    tm->tm_year -= 1900;
    tm->tm_mon--;
    return true;
}

static bool parse_time(const char **at, struct tm *tm)
{
    char mark;

    if (!number(at, 2, 0, 23, &tm->tm_hour) || !sign(at, ":", &mark) || !number(at, 2, 0, 59, &tm->tm_min))
        return false;
    if (!sign(at, ":", &mark))
        return true;
    if (!number(at, 2, 0, 60, &tm->tm_sec))
        return false;
    if (sign(at, ".,", &mark)) /* of a second: who cares */
        *at += strspn(*at, "0123456789");
    return true;
}

/* What is to be taken off to get to UTC; *ret_local: nothing is said. */
static bool parse_zone(const char **at, int *ret_seconds, bool *ret_local)
{
    char mark, colon;
    int hours, minutes = 0;

    *ret_seconds = 0;
    *ret_local = !**at;
    if (*ret_local || sign(at, "Zz", &mark))
        return true;
    if (!sign(at, "+-", &mark) || !number(at, 2, 0, 14, &hours))
        return false;
    (void)sign(at, ":", &colon);
    if (**at && !number(at, 2, 0, 59, &minutes))
        return false;
    *ret_seconds = (hours * 60 + minutes) * (mark == '-' ? -60 : 60);
    return true;
}

int when_parse(const char *text, uint64_t *ret_unix_ms)
{
    struct tm tm = { .tm_isdst = -1 };
    int zone_s;
    bool is_local;
    char mark;

    if (!parse_date(&text, &tm) || !sign(&text, "Tt ", &mark) || !parse_time(&text, &tm) ||
        !parse_zone(&text, &zone_s, &is_local) || *text)
        return -EINVAL;
    time_t seconds = is_local ? mktime(&tm) : timegm(&tm) - zone_s;
    if (seconds < 0)
        return -EINVAL;
    *ret_unix_ms = (uint64_t)seconds * 1000;
    return 0;
}

static void to_local(uint64_t unix_ms, struct tm *ret_tm)
{
    time_t seconds = (time_t)(unix_ms / 1000);

    if (!localtime_r(&seconds, ret_tm)) /* a year of more digits than there are */
        *ret_tm = (struct tm){ .tm_year = 70, .tm_mday = 1 };
}

void when_print(uint64_t unix_ms, char ret_text[WHEN_MAX])
{
    char zone[8] = "";
    struct tm tm;

    to_local(unix_ms, &tm);
    size_t n = strftime(ret_text, WHEN_MAX, "%Y-%m-%dT%H:%M", &tm);
    (void)strftime(zone, sizeof(zone), "%z", &tm);
    (void)snprintf(ret_text + n, WHEN_MAX - n, "%.3s:%.2s", zone, zone + 3); /* +0200 is +02:00 everywhere else */
}

void when_print_date(uint64_t unix_ms, char ret_text[WHEN_MAX])
{
    struct tm tm;

    to_local(unix_ms, &tm);
    (void)strftime(ret_text, WHEN_MAX, "%A, %Y-%m-%d", &tm);
}

void when_local(uint64_t unix_ms, struct when_local *ret_local)
{
    struct tm tm;

    to_local(unix_ms, &tm);
    *ret_local = (struct when_local){
        .year = tm.tm_year + 1900,
        .month = tm.tm_mon + 1,
        .day = tm.tm_mday,
        .weekday = tm.tm_wday,
        .minute = 60 * tm.tm_hour + tm.tm_min,
    };
}

uint64_t when_unix_ms(int year, int month, int day, int minute)
{
    struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = minute / 60, .tm_min = minute % 60,
                     .tm_isdst = -1 };
    time_t seconds = mktime(&tm);

    return seconds < 0 ? 0 : (uint64_t)seconds * 1000;
}

int when_zone(const char *zone)
{
    char path[256];
    int n = snprintf(path, sizeof(path), ZONES "%s", zone);

    if (zone[0] == '/' || strstr(zone, "..") || n >= (int)sizeof(path) || access(path, R_OK) < 0)
        return -ENOENT;
    return 0;
}

int when_set_zone(const char *zone)
{
    int r = zone ? when_zone(zone) : 0;

    if (r < 0)
        return r;
    if (zone && setenv("TZ", zone, 1) < 0)
        return -errno;
    tzset();
    return 0;
}
