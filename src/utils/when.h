#pragma once
/* when.h - dates and times of day as people and models write them; local means the office's, see TIMEZONE */

#include <stdint.h>

enum { WHEN_MAX = 32 };

/*
 * ISO 8601 with a date and a time: "2026-11-23T10:00", seconds and a zone (Z, +02:00) may follow; without a zone it
 * is local time.
 *
 * Errors: -EINVAL.
 */
int when_parse(const char *text, uint64_t *ret_unix_ms);

void when_print(uint64_t unix_ms, char ret_text[WHEN_MAX]); /* local, "2026-11-23T10:00+02:00" */
void when_print_date(uint64_t unix_ms, char ret_text[WHEN_MAX]); /* "Monday, 2026-11-23" */

/* A moment by the office's clock. */
struct when_local {
    int year, month, day; /* as they are written */
    int weekday;          /* 0 Sunday */
    int minute;           /* since midnight */
};
void when_local(uint64_t unix_ms, struct when_local *ret_local);
/* The other way; a day or a minute too many is one of the next month or day, and one that the clock leaves out is later. */
uint64_t when_unix_ms(int year, int month, int day, int minute);

int when_zone(const char *zone); /* Returns: 0, or -ENOENT there is no such zone. */
/*
 * The zone of everything local, once, before there are threads; NULL: that of the system.
 *
 * Errors: as when_zone().
 */
int when_set_zone(const char *zone);
