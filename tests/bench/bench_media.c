/*
 * bench_media.c - what one media message costs, in and out
 */
#include <stdlib.h>

#include "services/media.h"

#include "bench.h"
#include "utils/base64.h"

#define SID "MZ0123456789abcdef0123456789abcdef"

enum { N = 160, ROUNDS = 200000, SLOW_ROUNDS = 20000 };

static uint8_t ulaw[N];
static char payload[BASE64_SIZE(N) + 1];
static char message[1024], out[1024];
static size_t n_message;

static void scan_and_decode(void)
{
    struct media_audio audio;
    uint8_t bytes[N];

    if (media_scan(message, n_message, &audio) != MEDIA_AUDIO ||
        base64_decode(audio.payload, audio.n_payload, bytes, sizeof(bytes)) != N)
        abort();
    BENCH_KEEP(bytes[0]);
}

static void scan(void)
{
    struct media_audio audio;

    if (media_scan(message, n_message, &audio) != MEDIA_AUDIO)
        abort();
    BENCH_KEEP(audio);
}

static void decode(void)
{
    uint8_t bytes[N];

    if (base64_decode(payload, BASE64_SIZE(N), bytes, sizeof(bytes)) != N)
        abort();
    BENCH_KEEP(bytes[0]);
}

static void by_json_c(void)
{
    struct media_message parsed;
    const char *why;
    uint8_t bytes[N];

    if (media_parse(message, n_message, &parsed, &why) < 0 ||
        base64_decode(parsed.audio.payload, parsed.audio.n_payload, bytes, sizeof(bytes)) != N)
        abort();
    media_message_done(&parsed);
    BENCH_KEEP(bytes[0]);
}

static void write_audio(void)
{
    media_audio_write(out, SID, sizeof(SID) - 1, ulaw, N);
    BENCH_KEEP(out[0]);
}

int main(void)
{
    for (size_t i = 0; i < N; i++)
        ulaw[i] = (uint8_t)(i * 37 + 11);
    base64_encode(ulaw, N, payload);
    n_message = (size_t)snprintf(
        message, sizeof(message),
        "{\"event\":\"media\",\"sequenceNumber\":\"1042\",\"media\":{\"track\":"
        "\"inbound\",\"chunk\":\"1041\",\"timestamp\":\"20805\",\"payload\":\"%s\"},"
        "\"streamSid\":\"" SID "\"}",
        payload);

    bench_row("media message in: scan and base64", BENCH_NS(ROUNDS, scan_and_decode()), "ns",
              "goal < 150");
    bench_row("  of which the scan", BENCH_NS(ROUNDS, scan()), "ns", "");
    bench_row("  of which base64, 216 characters", BENCH_NS(ROUNDS, decode()), "ns", "");
    bench_row("  the same by json-c", BENCH_NS(SLOW_ROUNDS, by_json_c()), "ns",
              "the way of all other messages");
    bench_row("media message out: 160 bytes", BENCH_NS(ROUNDS, write_audio()), "ns", "");
    return 0;
}
