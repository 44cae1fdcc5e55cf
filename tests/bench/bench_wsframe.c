/*
 * bench_wsframe.c - what a frame of a media message costs before it is understood
 */
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "utils/utf8.h"
#include "utils/wsframe.h"

enum {
    MESSAGE = 382,
    LARGE = 64 * 1024,
    ROUNDS = 200000,
    LARGE_ROUNDS = 5000
}; /* a media message of 20 ms */

int main(void)
{
    static const uint8_t mask[4] = { 0x12, 0x34, 0x56, 0x78 };
    uint8_t *bytes = malloc(LARGE + WS_HEADER_MAX), *payload;
    struct ws_header header;

    memset(bytes, 'a', LARGE + WS_HEADER_MAX);
    payload = bytes + ws_header_write(bytes, WS_TEXT, MESSAGE, mask);
    double parse =
        BENCH_NS(ROUNDS, BENCH_KEEP(ws_header_parse(bytes, MESSAGE + WS_HEADER_MAX, &header)));
    double unmask = BENCH_NS(ROUNDS, ws_mask(payload, MESSAGE, mask, 0));
    memset(payload, 'a', MESSAGE);
    double utf8 = BENCH_NS(ROUNDS, BENCH_KEEP(utf8_valid((char *)payload, MESSAGE)));
    bench_row("frame: header", parse, "ns", "");
    bench_row("frame: unmask 382 bytes", unmask, "ns", "14 measured for SSE2 by hand");
    bench_row("frame: UTF-8 of 382 bytes of ASCII", utf8, "ns", "");

    memset(bytes, 'a', LARGE);
    double large_unmask = BENCH_NS(LARGE_ROUNDS, ws_mask(bytes, LARGE, mask, 0));
    for (size_t i = 0; i + 1 < LARGE; i += 2)
        memcpy(bytes + i, "\xd7\xa9", 2); /* Hebrew */
    double hebrew = BENCH_NS(LARGE_ROUNDS / 10, BENCH_KEEP(utf8_valid((char *)bytes, LARGE)));
    bench_row("frame: unmask 64 KiB", LARGE / large_unmask, "GB/s", "");
    bench_row("frame: UTF-8 of 64 KiB of Hebrew", LARGE / hebrew, "GB/s", "");
    free(bytes);
    return 0;
}
