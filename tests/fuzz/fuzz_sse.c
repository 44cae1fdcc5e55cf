/*
 * fuzz_sse.c - any bytes as events: the same at once and byte by byte
 */
#include "services/sse.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct told {
    size_t n_events, n_bytes;
    uint64_t sum;
};

static int take(void *user, const struct sse_event *event)
{
    struct told *told = user;

    assert(event->data[event->n_data] == '\0' && event->n_data < SSE_EVENT_MAX);
    told->n_events++;
    told->n_bytes += event->n_data;
    for (size_t i = 0; i < event->n_data; i++)
        told->sum = told->sum * 31 + (uint8_t)event->data[i];
    for (const char *c = event->name; *c; c++)
        told->sum = told->sum * 31 + (uint8_t)*c;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct sse sse;
    struct told whole = { 0 }, pieces = { 0 };
    int r_whole, r_pieces = 0;

    sse_init(&sse);
    r_whole = sse_push(&sse, (const char *)data, n, take, &whole);
    if (r_whole == 0)
        (void)sse_end(&sse, take, &whole);
    sse_init(&sse);
    for (size_t i = 0; i < n && r_pieces == 0; i++)
        r_pieces = sse_push(&sse, (const char *)data + i, 1, take, &pieces);
    if (r_pieces == 0)
        (void)sse_end(&sse, take, &pieces);
    assert(r_whole == r_pieces && memcmp(&whole, &pieces, sizeof(whole)) == 0 && whole.n_bytes <= n);
    return 0;
}
