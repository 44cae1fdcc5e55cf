#pragma once
/*
 * media_type.h - what a file is, by its bytes, and what may be done with one of its kind
 *
 * What its sender says of it decides only between types that the same bytes may be: a zip may be a text document.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/message.h"

enum { MEDIA_TYPE_MAX = 96, MEDIA_NAME_MAX = 128 };

struct media_type {
    const char *name; /* as it is served */
    enum message_kind kind;
    uint64_t keep_max; /* bytes of one that comes in; Source: WhatsApp's own limits */
    uint64_t send_max; /* bytes of one that goes out, as Twilio takes it; 0 WhatsApp does not take it */
    bool is_inert;     /* a browser may show it: nothing in it is run */
};

/* NULL: one that we neither keep nor send. */
const struct media_type *media_type_find(const char *name);

/* The i-th that can be sent; NULL there are no more. */
const struct media_type *media_type_to_send(size_t i);

/* As many bytes as one of that kind may have that comes in. */
uint64_t media_keep_max(enum message_kind kind);

/*
 * What a file is.
 *
 * fd:      read from its beginning by pread().
 * claimed: by its sender, with or without parameters; "" nothing.
 * Thread:  may block and allocate.
 * Returns: 0; a type that nobody knows is in ret_type too, and media_type_find() does not find it.
 * Errors:  -errno; -EIO libmagic has no data.
 */
int media_judge(int fd, const char *claimed, char ret_type[MEDIA_TYPE_MAX]);

/* A file's name as its sender wrote it, less what could lead out of a folder, or a reader astray; "" nothing is left. */
void media_safe_name(const char *name, char ret_name[MEDIA_NAME_MAX]);
