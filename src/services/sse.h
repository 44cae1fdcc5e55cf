#pragma once
/*
 * sse.h - server-sent events from bytes that come in any pieces
 *
 * Source: WHATWG HTML, "Server-sent events", 9.2.6; id and retry are for reconnecting, which nobody does here.
 */

#include <stdbool.h>
#include <stddef.h>

#include "utils/scoped.h"

enum { SSE_EVENT_MAX = 16 * KIB /* the data of an event and the line that is being read */, SSE_NAME_MAX = 32 };

struct sse_event {
    const char *name; /* "message" when it has none of its own */
    const char *data; /* NUL-terminated; its lines are joined by \n */
    size_t n_data;
    bool is_cut; /* the stream ended within it */
};

struct sse {
    char buffer[SSE_EVENT_MAX]; /* the data so far, then the line so far */
    size_t n_data, n_line;
    char name[SSE_NAME_MAX];
    unsigned char n_mark; /* bytes of a byte order mark at the very beginning that were seen */
    bool has_data, is_after_cr, has_begun;
};

/* Returns: 0, or a negative error, with which the reading ends. */
typedef int sse_take(void *user, const struct sse_event *event);

void sse_init(struct sse *sse);

/* Errors: -EMSGSIZE an event or its name is too long; what take() returns. Nothing may be pushed after one. */
int sse_push(struct sse *sse, const char *bytes, size_t n, sse_take *take, void *user);

/* The stream is over: what nobody finished is taken, too, and marked. */
int sse_end(struct sse *sse, sse_take *take, void *user);
