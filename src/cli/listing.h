#pragma once
/*
 * listing.h - what calls, contacts and messages have in common: COMMAND [WHICH] [--json] [--last N] [--env-file FILE]
 *
 * The store is opened for reading, beside a running daemon or without one, and left before anything is printed.
 */

#include <stddef.h>
#include <stdint.h>

#include <json-c/json_object.h>

struct config;
struct db_txn;

struct listing {
    const char *usage; /* of --help */
    const char *one;   /* "call" */
    int (*page)(struct db_txn *txn, size_t max, struct json_object **ret_array);
    void (*print_page)(struct json_object *array);
    /* NULL both: there is no WHICH */
    int (*whole)(struct db_txn *txn, const struct config *config, const char *which, struct json_object **ret_object);
    void (*print_whole)(struct json_object *object);
    /* a page by another choice, of --failed; NULL: there is no such option */
    int (*page_failed)(struct db_txn *txn, size_t max, struct json_object **ret_array);
};

/* Returns: the exit status. */
int listing_run(const struct listing *listing, int argc, char **argv);

/* --- for what they print */

enum { WHEN_MAX = 32 };

/* Local time: "2026-08-01 14:03:12"; only the clock when `day_ms` is of the same day. "" for 0. */
const char *when(uint64_t unix_ms, uint64_t day_ms, char ret[WHEN_MAX]);
/* "1:07", "1:02:03" */
const char *duration(uint64_t ms, char ret[WHEN_MAX]);

void messages_print(struct json_object *array); /* cli/messages.c; also for a contact's */
