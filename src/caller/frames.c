/*
 * frames.c - the client's end of a WebSocket, sans-IO
 *
 * The header is read by utils/wsframe, which refuses what RFC 6455 refuses; here
 * each refusal gets its name, since that is what the person at the server needs.
 * A frame is taken only when all of it is there, so there is no state inside one;
 * the only state is a message that comes in fragments.
 */
#include "caller/frames.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utils/utf8.h"

void frames_init(struct frames *frames, const struct frames_ops *ops, void *user)
{
    *frames = (struct frames){ .ops = ops, .user = user, .opcode = WS_CONTINUATION };
}

void frames_done(struct frames *frames)
{
    free(frames->message);
    frames->message = NULL;
}

static int refuse(struct frames *frames, const char *detail)
{
    frames->ops->on_breach(frames->user, BREACH_FRAMING, detail);
    return -EPROTO;
}

static const char *name_refusal(const uint8_t *bytes)
{
    unsigned opcode = bytes[0] & 15, length = bytes[1] & 127;

    if (bytes[0] & 0x70)
        return "a reserved bit is set, but no extension was agreed";
    if (opcode > WS_PONG || (opcode > WS_BINARY && opcode < WS_CLOSE))
        return "a reserved opcode";
    if (opcode >= WS_CLOSE && !(bytes[0] & 0x80))
        return "a fragmented control frame";
    if (opcode >= WS_CLOSE && length > WS_CONTROL_MAX)
        return "a control frame of more than 125 bytes";
    return "a length that is not in its shortest form";
}

static int take_close(struct frames *frames, const uint8_t *bytes, size_t n)
{
    unsigned code = n >= 2 ? (unsigned)bytes[0] << 8 | bytes[1] : 1005;

    if (n == 1)
        return refuse(frames, "a close frame with half a code");
    if (n >= 2 && !ws_close_code_valid(code))
        return refuse(frames, "a close code that may not be sent");
    if (n > 2 && !utf8_valid((const char *)bytes + 2, n - 2))
        return refuse(frames, "a close reason that is not UTF-8");
    frames->closed = 1;
    frames->ops->on_close(frames->user, (int)code);
    return 0;
}

static int deliver(struct frames *frames, enum ws_opcode opcode, const char *text, size_t n)
{
    if (opcode == WS_BINARY) {
        frames->ops->on_breach(frames->user, BREACH_BINARY, "");
        return 0;
    }
    if (!utf8_valid(text, n))
        return refuse(frames, "a text message that is not UTF-8");
    frames->ops->on_text(frames->user, text, n);
    return 0;
}

static int take_data(struct frames *frames, const struct ws_header *header, const uint8_t *bytes,
                     size_t n)
{
    bool more = header->opcode == WS_CONTINUATION;

    if (more != (frames->opcode != WS_CONTINUATION))
        return refuse(frames,
                      more ? "a continuation of nothing" : "a new message inside a fragmented one");
    if (!more && header->fin)
        return deliver(frames, header->opcode, (const char *)bytes, n);

    if (frames->n_message + n > FRAMES_MESSAGE_MAX)
        return refuse(frames, "a message of more than 1 MiB");
    char *message = realloc(frames->message, frames->n_message + n + 1);
    if (!message)
        return refuse(frames, "out of memory");
    memcpy(message + frames->n_message, bytes, n);
    frames->message = message;
    frames->n_message += n;
    if (!more)
        frames->opcode = header->opcode;
    if (!header->fin)
        return 0;

    enum ws_opcode opcode = frames->opcode;
    size_t n_whole = frames->n_message;
    frames->opcode = WS_CONTINUATION;
    frames->n_message = 0;
    return deliver(frames, opcode, frames->message, n_whole);
}

static int take(struct frames *frames, const struct ws_header *header, uint8_t *bytes)
{
    size_t n = (size_t)header->n_payload;

    if (frames->closed)
        return header->opcode < WS_CLOSE ? refuse(frames, "data after the close frame") : 0;
    if (header->masked) {
        frames->ops->on_breach(frames->user, BREACH_FRAMING, "a masked frame from a server");
        ws_mask(bytes, n, header->mask, 0);
    }

    switch (header->opcode) {
    case WS_PING:
        frames->ops->on_ping(frames->user, bytes, n);
        return 0;
    case WS_PONG:
        frames->ops->on_pong(frames->user, bytes, n);
        return 0;
    case WS_CLOSE:
        return take_close(frames, bytes, n);
    default:
        return take_data(frames, header, bytes, n);
    }
}

ssize_t frames_feed(struct frames *frames, uint8_t *bytes, size_t n)
{
    struct ws_header header;
    size_t at = 0;
    int r;

    while ((r = ws_header_parse(bytes + at, n - at, &header)) > 0) {
        if (header.n_payload > FRAMES_MESSAGE_MAX)
            return refuse(frames, "a message of more than 1 MiB");
        if (header.n_payload > n - at - header.n_header)
            return (ssize_t)at;
        r = take(frames, &header, bytes + at + header.n_header);
        if (r < 0)
            return r;
        at += header.n_header + (size_t)header.n_payload;
    }
    return r < 0 ? refuse(frames, name_refusal(bytes + at)) : (ssize_t)at;
}

size_t frames_write(uint8_t *out, enum ws_opcode opcode, const void *payload, size_t n,
                    uint32_t mask)
{
    uint8_t key[4];

    memcpy(key, &mask, 4);
    size_t n_header = ws_header_write(out, opcode, n, key);
    if (n > 0)
        memcpy(out + n_header, payload, n);
    ws_mask(out + n_header, n, key, 0);
    return n_header + n;
}
