/*
 * test_frames.c - a server's frames, good and bad
 */
#include "caller/frames.h"

#include <stdio.h>
#include <string.h>

#include "tap.h"

static char seen[512];

static void note(const char *kind, const void *text, size_t n)
{
    size_t at = strlen(seen);

    (void)snprintf(seen + at, sizeof(seen) - at, "%s(%.*s)", kind, (int)n, (const char *)text);
}

static void on_text(void *user, const char *text, size_t n)
{
    note("text", text, n);
}

static void on_ping(void *user, const uint8_t *bytes, size_t n)
{
    note("ping", bytes, n);
}

static void on_pong(void *user, const uint8_t *bytes, size_t n)
{
    note("pong", bytes, n);
}

static void on_close(void *user, int code)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "%d", code);
    note("close", text, strlen(text));
}

static void on_breach(void *user, enum breach breach, const char *detail)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "%d", breach_kind(breach)->code);
    note("breach", text, strlen(text));
}

static const struct frames_ops ops = { on_text, on_ping, on_pong, on_close, on_breach };

#define BYTES(s) s, sizeof(s) - 1

static const struct {
    const char *bytes;
    size_t n;
    long want; /* -1: all; -2: refused; else bytes taken */
    const char *seen, *what;
} cases[] = {
    { BYTES("\x81\x02hi"), -1, "text(hi)", "a text" },
    { BYTES("\x81\x00"), -1, "text()", "an empty text" },
    { BYTES("\x81\x02hi\x81\x01!"), -1, "text(hi)text(!)", "two at once" },
    { BYTES("\x81\x05hi"), 0, "", "a part of one" },
    { BYTES("\x81\x02hi\x81"), 4, "text(hi)", "one and a part" },
    { BYTES("\x01\x02he\x80\x03llo"), -1, "text(hello)", "a message in two fragments" },
    { BYTES("\x01\x02he\x89\x01p\x00\x01l\x80\x02lo"), -1, "ping(p)text(hello)", "a ping between fragments" },
    { BYTES("\x89\x02hi\x8A\x00"), -1, "ping(hi)pong()", "ping and pong" },
    { BYTES("\x88\x02\x03\xE8"), -1, "close(1000)", "an orderly close" },
    { BYTES("\x88\x00"), -1, "close(1005)", "a close without a code" },
    { BYTES("\x82\x02hi\x81\x01x"), -1, "breach(31950)text(x)", "a binary frame, after which things go on" },
    { BYTES("\x81\x82\x01\x02\x03\x04\x69\x6B"), -1, "breach(31924)text(hi)", "a masked frame" },
    { BYTES("\x09\x00"), -2, "breach(31924)", "a fragmented ping" },
    { BYTES("\x89\x7E\x00\x7E"), -2, "breach(31924)", "a long ping" },
    { BYTES("\xC1\x00"), -2, "breach(31924)", "a reserved bit" },
    { BYTES("\x83\x00"), -2, "breach(31924)", "a reserved opcode" },
    { BYTES("\x81\x7E\x00\x02hi"), -2, "breach(31924)", "a length not in its shortest form" },
    { BYTES("\x80\x02hi"), -2, "breach(31924)", "a continuation of nothing" },
    { BYTES("\x01\x02he\x81\x03llo"), -2, "breach(31924)", "a message inside a message" },
    { BYTES("\x81\x01\xFF"), -2, "breach(31924)", "a text that is not UTF-8" },
    { BYTES("\x88\x01\x03"), -2, "breach(31924)", "half a close code" },
    { BYTES("\x88\x02\x03\xED"), -2, "breach(31924)", "close code 1005 on the wire" },
    { BYTES("\x88\x02\x03\xE8\x81\x00"), -2, "close(1000)breach(31924)", "data after the close" },
    { BYTES("\x88\x02\x03\xE8\x8A\x00"), -1, "close(1000)", "a late pong after the close, which is allowed" },
    { BYTES("\x81\x7F\x00\x00\x00\x00\x00\x20\x00\x00"), -2, "breach(31924)", "a message of 2 MiB" },
};

int main(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct frames frames;
        uint8_t bytes[64];

        seen[0] = '\0';
        frames_init(&frames, &ops, NULL);
        memcpy(bytes, cases[i].bytes, cases[i].n);
        ssize_t got = frames_feed(&frames, bytes, cases[i].n);
        long want = cases[i].want == -1 ? (long)cases[i].n : cases[i].want;
        ok(want == -2 ? got < 0 : got == want, "%s", cases[i].what);
        is_str(seen, cases[i].seen, "... is seen as what it is");
        frames_done(&frames);
    }

    uint8_t out[WS_HEADER_MAX + 2];
    struct ws_header header;
    size_t n = frames_write(out, WS_TEXT, "hi", 2, 0x01020304);
    ok(n == 8 && ws_header_parse(out, n, &header) == 1 && header.masked && header.fin, "what is written is masked");
    ws_mask(out + 6, 2, header.mask, 0);
    ok(memcmp(out + 6, "hi", 2) == 0, "and reads as it was");
    return done_testing();
}
