#pragma once
/* frames.h - the client's end of a WebSocket, sans-IO: frames in, frames out, and what the server does wrong */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "caller/breach.h"
#include "utils/wsframe.h"

enum { FRAMES_MESSAGE_MAX = 1024 * 1024 };

struct frames_ops {
    void (*on_text)(void *user, const char *text, size_t n); /* a whole message, valid UTF-8 */
    void (*on_ping)(void *user, const uint8_t *bytes, size_t n);
    void (*on_pong)(void *user, const uint8_t *bytes, size_t n);
    void (*on_close)(void *user, int code); /* 1005: the frame carried none */
    breach_fn *on_breach;
};

struct frames {
    const struct frames_ops *ops;
    void *user;
    enum ws_opcode opcode; /* of the message being put together; WS_CONTINUATION: none is */
    char *message;
    size_t n_message;
    int closed; /* a close frame came: nothing may follow */
};

void frames_init(struct frames *frames, const struct frames_ops *ops, void *user);
void frames_done(struct frames *frames);

/*
 * Take whole frames from the bytes that have come; bytes is written to.
 *
 * Returns: how many bytes were taken.
 * Errors:  -EPROTO after reporting it: the connection cannot go on.
 */
ssize_t frames_feed(struct frames *frames, uint8_t *bytes, size_t n);

/* Write one masked frame; out has room for WS_HEADER_MAX + n. mask is random. Returns: its size. */
size_t frames_write(uint8_t *out, enum ws_opcode opcode, const void *payload, size_t n, uint32_t mask);
