/*
 * test_wsframe.c - frames as RFC 6455 has them, and as it forbids them
 */
#include "utils/wsframe.h"

#include <errno.h>

#include "tap.h"

#define MASK "\x11\x22\x33\x44"

static const struct {
    const char *what, *bytes;
    size_t n;
    int want;
    struct ws_header header; /* when want is 1 */
} cases[] = {
#define ROW(what, bytes, want, ...) { what, bytes, sizeof(bytes) - 1, want, { __VA_ARGS__ } }
    ROW("nothing", "", 0),
    ROW("one byte", "\x81", 0),
    ROW("plain text", "\x81\x05" "Hello", 1, WS_TEXT, true, false, { 0 }, 2, 5),
    ROW("only its header", "\x81\x05", 1, WS_TEXT, true, false, { 0 }, 2, 5),
    ROW("masked text", "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 1, WS_TEXT, true, true,
        { 0x37, 0xfa, 0x21, 0x3d }, 6, 5),
    ROW("the mask is cut", "\x81\x85\x37\xfa\x21", 0),
    ROW("first fragment", "\x01\x03" "Hel", 1, WS_TEXT, false, false, { 0 }, 2, 3),
    ROW("last fragment", "\x80\x02" "lo", 1, WS_CONTINUATION, true, false, { 0 }, 2, 2),
    ROW("126 bytes", "\x82\x7e\x00\x7e", 1, WS_BINARY, true, false, { 0 }, 4, 126),
    ROW("256 bytes", "\x82\x7e\x01\x00", 1, WS_BINARY, true, false, { 0 }, 4, 256),
    ROW("65535 bytes, masked", "\x82\xfe\xff\xff" MASK, 1, WS_BINARY, true, true, { 0x11, 0x22, 0x33, 0x44 }, 8, 65535),
    ROW("65536 bytes", "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 1, WS_BINARY, true, false, { 0 }, 10, 65536),
    ROW("the largest, masked", "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff" MASK, 1, WS_BINARY, true, true,
        { 0x11, 0x22, 0x33, 0x44 }, 14, INT64_MAX),
    ROW("a short length is cut", "\x82\x7e\x01", 0),
    ROW("a long length is cut", "\x82\x7f\x00\x00\x00\x00\x00\x01\x00", 0),
    ROW("ping", "\x89\x00", 1, WS_PING, true, false, { 0 }, 2, 0),
    ROW("pong of 125", "\x8a\x7d", 1, WS_PONG, true, false, { 0 }, 2, 125),
    ROW("close", "\x88\x02\x03\xe8", 1, WS_CLOSE, true, false, { 0 }, 2, 2),
    ROW("reserved bit 1", "\xc1\x00", -EPROTO),
    ROW("reserved bit 2", "\xa1\x00", -EPROTO),
    ROW("reserved bit 3", "\x91\x00", -EPROTO),
    ROW("opcode 3", "\x83\x00", -EPROTO),
    ROW("opcode 7", "\x87\x00", -EPROTO),
    ROW("opcode 11", "\x8b\x00", -EPROTO),
    ROW("opcode 15", "\x8f\x00", -EPROTO),
    ROW("a ping in fragments", "\x09\x00", -EPROTO),
    ROW("a ping of 126", "\x89\x7e\x00\x7e", -EPROTO),
    ROW("a close of 127", "\x88\x7f", -EPROTO),
    ROW("125 in 2 bytes", "\x81\x7e\x00\x7d", -EPROTO),
    ROW("65535 in 8 bytes", "\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff", -EPROTO),
    ROW("a length with the top bit", "\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x00", -EPROTO),
    ROW("a bad length shows before the mask is there", "\x81\xfe\x00\x7d", -EPROTO),
#undef ROW
};

static void test_parse(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ws_header got = { 0 };
        const struct ws_header *want = &cases[i].header;
        int r = ws_header_parse((const uint8_t *)cases[i].bytes, cases[i].n, &got);
        int same = got.opcode == want->opcode && got.fin == want->fin &&
                   got.masked == want->masked && got.n_header == want->n_header &&
                   got.n_payload == want->n_payload && memcmp(got.mask, want->mask, 4) == 0;
        ok(r == cases[i].want && same, "parse: %s", cases[i].what);
    }
}

static void test_write(void)
{
    static const uint64_t sizes[] = { 0, 125, 126, 65535, 65536, INT64_MAX };
    static const uint8_t mask[4] = { 1, 2, 3, 4 };

    for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t bytes[WS_HEADER_MAX];
        struct ws_header got = { 0 };
        bool masked = i & 1;
        size_t n = ws_header_write(bytes, WS_BINARY, sizes[i / 2], masked ? mask : NULL);
        int r = ws_header_parse(bytes, n, &got);
        ok(r == 1 && got.n_header == n && got.n_payload == sizes[i / 2] && got.masked == masked &&
               got.fin && (!masked || memcmp(got.mask, mask, 4) == 0),
           "write, then parse: %llu bytes%s", (unsigned long long)sizes[i / 2],
           masked ? ", masked" : "");
    }
}

static void test_mask(void)
{
    static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
    uint8_t hello[] = { 0x7f, 0x9f, 0x4d, 0x51, 0x58 };
    int wrong = 0, n_wrong_said = 0;

    ws_mask(hello, sizeof(hello), mask, 0);
    ok(memcmp(hello, "Hello", 5) == 0, "the RFC's own example is unmasked");

    for (size_t n = 0; n < 100; n++)
        for (size_t offset = 0; offset < 9; offset++) {
            uint8_t bytes[100];
            for (size_t i = 0; i < n; i++)
                bytes[i] = (uint8_t)(i * 7);
            bool is_ascii = ws_mask(bytes, n, mask, offset), all = true;
            for (size_t i = 0; i < n; i++)
                all &= bytes[i] < 0x80;
            n_wrong_said += is_ascii != all;
            for (size_t i = 0; i < n; i++)
                wrong += bytes[i] != (uint8_t)((i * 7) ^ mask[(i + offset) & 3]);
        }
    is_int(wrong, 0, "any length at any offset is masked byte for byte");

    for (size_t at = 0; at < 100; at++) {
        uint8_t bytes[100] = { 0 };
        bytes[at] = 0x80;
        n_wrong_said += ws_mask(bytes, sizeof(bytes), (const uint8_t[4]){ 1, 2, 3, 4 }, 0);
        bytes[at] ^= 0x80;
        n_wrong_said += !ws_mask(bytes, sizeof(bytes), (const uint8_t[4]){ 1, 2, 3, 4 }, 0);
    }
    is_int(n_wrong_said, 0, "and said to be ASCII when every byte of it is");
}

static void test_close_codes(void)
{
    static const struct {
        unsigned from, to;
        bool valid;
    } ranges[] = {
        { 0, 999, false },     { 1000, 1003, true }, { 1004, 1006, false },  { 1007, 1014, true },
        { 1015, 2999, false }, { 3000, 4999, true }, { 5000, 65535, false },
    };

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        int wrong = 0;
        for (unsigned code = ranges[i].from; code <= ranges[i].to; code++)
            wrong += ws_close_code_valid(code) != ranges[i].valid;
        ok(wrong == 0, "close codes %u to %u are %s", ranges[i].from, ranges[i].to,
           ranges[i].valid ? "valid" : "not valid");
    }
}

int main(void)
{
    char accept[WS_ACCEPT_LEN + 1];

    test_parse();
    test_write();
    test_mask();
    test_close_codes();
    ws_accept("dGhlIHNhbXBsZSBub25jZQ==", accept);
    is_str(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "the RFC's own key is accepted as it says");
    return done_testing();
}
