#pragma once
/*
 * websocket.h - one WebSocket on a loop
 *
 * RFC 6455, server side, text only as far as users are concerned. Output is
 * gathered and leaves in one write when the callback returns, or after
 * websocket_flush() at the end of the loop's turn. Everything is bounded by the ops.
 *
 * Thread: the socket's loop, for every call.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct websocket;

enum { WEBSOCKET_UNREAD = 1 }; /* as a code of on_close; none of the protocol's */

/* No callback comes inside another, and none but on_close after the socket died. */
struct websocket_ops {
    void (*on_open)(struct websocket *socket, void *user);
    /* Messages may follow within the turn: a hint to fetch what they will touch. May be NULL. */
    void (*on_soon)(void *user);
    /* A whole message; text is writable, valid during the call, not NUL-terminated. */
    void (*on_text)(struct websocket *socket, void *user, char *text, size_t n);
    /* A binary message came; without this callback the socket closes with 1003. */
    void (*on_binary)(struct websocket *socket, void *user);
    /* After each batch of messages that one read brought. May be NULL. */
    void (*on_batch)(struct websocket *socket, void *user);
    /* Once a second. May be NULL. */
    void (*on_second)(struct websocket *socket, void *user, uint64_t mono_ms);
    /*
     * Exactly once, last, also without on_open when the upgrade failed; the socket is already gone.
     *
     * code: what was agreed on when there was a closing handshake (1005: the peer gave none), what we
     *       closed with when the peer broke the rules (1002 framing, 1003 binary, 1007 not UTF-8, 1008 a flood of
     *       control frames, 1009 too long), WEBSOCKET_UNREAD when it did not read and was dropped without a word,
     *       else 1006: the connection ended.
     * why:  static text, or what websocket_close() was given.
     */
    void (*on_close)(struct websocket *socket, void *user, int code, const char *why);
    uint32_t message_max; /* bytes; a longer one closes with 1009 before it is buffered */
    uint32_t output_max;  /* bytes waiting; over it the peer counts as not reading and is dropped */
    uint32_t stall_ms;    /* a write that makes no progress for so long drops the peer */
};

/*
 * Reserve a text message of exactly n bytes in the output, to be filled before anything else is called.
 *
 * Outside of the callbacks above (in a task of the loop, say) websocket_flush() must follow.
 * Returns: where the payload goes, or NULL when the socket is closing or the peer does not read
 *          (it is then dropped; on_close follows).
 */
char *websocket_begin_text(struct websocket *socket, size_t n);

int websocket_send_text(struct websocket *socket, const char *text, size_t n); /* 0 or -EPIPE */
void websocket_flush(struct websocket *socket);

/* Begin the closing handshake; later output is ignored; on_close follows within a bounded time. why must live on. */
void websocket_close(struct websocket *socket, int code, const char *why);

size_t websocket_n_waiting(const struct websocket *socket); /* output bytes not yet with the kernel */
