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

int when_zone(const char *zone); /* Returns: 0, or -ENOENT there is no such zone. */
/*
 * The zone of everything local, once, before there are threads; NULL: that of the system.
 *
 * Errors: as when_zone().
 */
int when_set_zone(const char *zone);
