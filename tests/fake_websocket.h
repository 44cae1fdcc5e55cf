#pragma once
/* fake_websocket.h - a WebSocket without a socket: what was sent to it, and how it was closed */

#include <stdlib.h>
#include <string.h>

#include "websocket.h"

enum { FAKE_OUT_MAX = 512 * 1024, FAKE_TEXTS_MAX = 256 };

struct websocket {
    const struct websocket_ops *ops;
    void *user;
    struct loop *loop;
    char out[FAKE_OUT_MAX]; /* all texts, one behind the other */
    size_t n_out, n_texts, ends[FAKE_TEXTS_MAX];
    size_t n_waiting; /* what the peer has not read; counts up by what is sent while is_stuck */
    int is_stuck, code, n_closed, n_flushed;
};

static void fake_websocket(struct websocket *socket, struct loop *loop,
                           const struct websocket_ops *ops, void *user)
{
    memset(socket, 0, sizeof(*socket));
    socket->ops = ops;
    socket->user = user;
    socket->loop = loop;
    ops->on_open(socket, user);
}

char *websocket_begin_text(struct websocket *socket, size_t n)
{
    if (socket->code || socket->n_out + n > FAKE_OUT_MAX || socket->n_texts == FAKE_TEXTS_MAX)
        return NULL;
    if (socket->n_waiting + n > socket->ops->output_max) {
        socket->code = WEBSOCKET_UNREAD;
        return NULL;
    }
    socket->n_waiting += socket->is_stuck ? n : 0;
    socket->n_out += n;
    socket->ends[socket->n_texts++] = socket->n_out;
    return socket->out + socket->n_out - n;
}

void websocket_flush(struct websocket *socket)
{
    socket->n_flushed++;
}

void websocket_close(struct websocket *socket, int code, const char *why)
{
    socket->n_closed++;
    socket->code = code;
}

size_t websocket_n_waiting(const struct websocket *socket)
{
    return socket->n_waiting;
}

/* The n-th text that was sent, in one buffer that is used again. */
__attribute__((unused)) static const char *fake_text(const struct websocket *socket, size_t n)
{
    static char text[FAKE_OUT_MAX + 1];
    size_t from = n ? socket->ends[n - 1] : 0;

    if (n >= socket->n_texts)
        return "(none)";
    memcpy(text, socket->out + from, socket->ends[n] - from);
    text[socket->ends[n] - from] = '\0';
    return text;
}

/* The peer says this; the text is a block of its own, so that a sanitizer sees one byte too many.
 */
__attribute__((unused)) static void fake_say(struct websocket *socket, const char *text, size_t n)
{
    char *block = malloc(n ? n : 1);

    memcpy(block, text, n);
    if (!socket->code)
        socket->ops->on_text(socket, socket->user, block, n);
    free(block);
}
