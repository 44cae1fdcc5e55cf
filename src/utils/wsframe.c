/*
 * wsframe.c - RFC 6455 frames, sans-IO
 *
 *   byte 0   FIN, three reserved bits (0: we agree to no extension), opcode
 *   byte 1   MASK, length 0..125; 126: 2 more bytes follow; 127: 8 more
 *   then     the mask's 4 bytes, when MASK is set; then the payload
 *
 * Lengths are big-endian and come in their shortest form, the top bit of the
 * long one is 0; anything else is refused, as RFC 6455 5.2 demands.
 */
#include "utils/wsframe.h"

#include <errno.h>
#include <string.h>

#include <openssl/evp.h>

static uint64_t big_endian(const uint8_t *bytes, size_t n)
{
    uint64_t value = 0;

    for (size_t i = 0; i < n; i++)
        value = value << 8 | bytes[i];
    return value;
}

static bool is_control(unsigned opcode)
{
    return opcode & 8;
}

int ws_header_parse(const uint8_t *bytes, size_t n, struct ws_header *ret_header)
{
    if (n < 2)
        return 0;

    unsigned opcode = bytes[0] & 15, length = bytes[1] & 127;
    bool fin = bytes[0] & 128, masked = bytes[1] & 128;

    if (bytes[0] & 0x70)
        return -EPROTO;
    if (is_control(opcode) ? opcode > WS_PONG || !fin || length > WS_CONTROL_MAX
                           : opcode > WS_BINARY)
        return -EPROTO;

    size_t n_length = length == 126 ? 2 : length == 127 ? 8 : 0;
    size_t n_header = 2 + n_length + (masked ? 4 : 0);
    uint64_t n_payload = length;
    if (n_length && n >= 2 + n_length) { /* refuse it as soon as it shows */
        n_payload = big_endian(bytes + 2, n_length);
        if (n_payload < (n_length == 2 ? 126 : 65536) || n_payload >> 63)
            return -EPROTO;
    }
    if (n < n_header)
        return 0;

    *ret_header = (struct ws_header){
        .opcode = opcode,
        .fin = fin,
        .masked = masked,
        .n_header = n_header,
        .n_payload = n_payload,
    };
    if (masked)
        memcpy(ret_header->mask, bytes + n_header - 4, 4);
    return 1;
}

size_t ws_header_write(uint8_t out[WS_HEADER_MAX], enum ws_opcode opcode, uint64_t n_payload,
                       const uint8_t mask[4])
{
    size_t n_length = n_payload <= 125 ? 0 : n_payload <= 65535 ? 2 : 8;
    size_t n = 0;

    out[n++] = 0x80 | (uint8_t)opcode;
    out[n++] = (mask ? 0x80 : 0) | (uint8_t)(n_length == 0 ? n_payload : n_length == 2 ? 126 : 127);
    for (size_t i = n_length; i-- > 0;)
        out[n++] = (uint8_t)(n_payload >> (8 * i));
    if (mask) {
        memcpy(out + n, mask, 4);
        n += 4;
    }
    return n;
}

typedef uint64_t pair __attribute__((vector_size(16)));

bool ws_mask(uint8_t *bytes, size_t n, const uint8_t mask[4], size_t offset)
{
    uint8_t turned[8], rest = 0; /* the mask as it applies to bytes[0..], twice */
    uint64_t key, word, seen = 0;
    pair two, seen_two = { 0 };
    size_t i = 0;

    for (size_t j = 0; j < 8; j++)
        turned[j] = mask[(offset + j) & 3];
    memcpy(&key, turned, 8);
    for (; n - i >= 16; i += 16) {
        memcpy(&two, bytes + i, 16);
        two ^= key;
        seen_two |= two;
        memcpy(bytes + i, &two, 16);
    }
    for (; n - i >= 8; i += 8) {
        memcpy(&word, bytes + i, 8);
        word ^= key;
        seen |= word;
        memcpy(bytes + i, &word, 8);
    }
    for (; i < n; i++)
        rest |= bytes[i] ^= turned[i & 7];
    return !((seen_two[0] | seen_two[1] | seen | rest) & UINT64_C(0x8080808080808080));
}

bool ws_close_code_valid(unsigned code)
{
    static const struct {
        unsigned from, to;
    } valid[] = {
        { 1000, 1003 }, /* 1004 is reserved; 1005, 1006 and 1015 never travel */
        { 1007, 1014 },
        { 3000, 4999 }, /* libraries and applications */
    };

    for (size_t i = 0; i < sizeof(valid) / sizeof(valid[0]); i++)
        if (code >= valid[i].from && code <= valid[i].to)
            return true;
    return false;
}

void ws_accept(const char key[WS_KEY_LEN], char ret_accept[WS_ACCEPT_LEN + 1])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[WS_KEY_LEN + sizeof(guid) - 1];
    uint8_t digest[EVP_MAX_MD_SIZE];

    memcpy(text, key, WS_KEY_LEN);
    memcpy(text + WS_KEY_LEN, guid, sizeof(guid) - 1);
    if (EVP_Digest(text, sizeof(text), digest, NULL, EVP_sha1(), NULL) != 1)
        memset(digest, 0,
               sizeof(digest)); /* no SHA-1 in this libcrypto: no client will accept it */
    (void)EVP_EncodeBlock((uint8_t *)ret_accept, digest, 20);
}
