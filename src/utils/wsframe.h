#pragma once
/*
 * wsframe.h - RFC 6455 frames, sans-IO, for both ends
 *
 * The server (websocket.c) reads masked frames and writes plain ones; the
 * simulated caller reads plain ones and writes masked ones.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ws_opcode { WS_CONTINUATION = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

enum { WS_HEADER_MAX = 14, WS_CONTROL_MAX = 125, WS_ACCEPT_LEN = 28, WS_KEY_LEN = 24 };

struct ws_header {
    enum ws_opcode opcode;
    bool fin, masked;
    uint8_t mask[4];
    size_t n_header;    /* bytes of the header itself */
    uint64_t n_payload;
};

/*
 * Returns: 1 and fills *ret_header (the payload need not be there yet); 0 more bytes are needed;
 *          -EPROTO reserved bits or opcode, a fragmented or long control frame, a length not in its shortest form.
 */
int ws_header_parse(const uint8_t *bytes, size_t n, struct ws_header *ret_header);

/* Writes a final frame's header. mask NULL: not masked. Returns its size. */
size_t ws_header_write(uint8_t out[WS_HEADER_MAX], enum ws_opcode opcode, uint64_t n_payload, const uint8_t mask[4]);

/*
 * XOR in place (masks and unmasks); offset is the position of bytes[0] in the payload.
 *
 * Returns: whether all that it left is ASCII.
 */
bool ws_mask(uint8_t *bytes, size_t n, const uint8_t mask[4], size_t offset);

bool ws_close_code_valid(unsigned code); /* may come over the wire */

/* base64(SHA-1(key, GUID)), NUL-terminated. */
void ws_accept(const char key[WS_KEY_LEN], char ret_accept[WS_ACCEPT_LEN + 1]);
