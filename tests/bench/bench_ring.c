/* bench_ring.c - what it costs to pass a frame on */
#include "utils/ring.h"

#include <string.h>

#include "bench/bench.h"

static const uint8_t payload[FRAME_BYTES] = { 1 };

static void push(struct ring *ring)
{
    struct frame *frame = ring_slot(ring, FRAME_AUDIO);

    if (!frame)
        return;
    frame->n = FRAME_BYTES;
    memcpy(frame->bytes, payload, FRAME_BYTES);
    ring_commit(ring);
}

static void pop(struct ring *ring)
{
    const struct frame *frame = ring_peek(ring);
    uint8_t bytes[FRAME_BYTES];

    if (!frame)
        return;
    memcpy(bytes, frame->bytes, frame->n);
    BENCH_KEEP(bytes);
    ring_pop(ring);
}

static void one(struct ring *ring)
{
    push(ring);
    pop(ring);
}

static void batch(struct ring *ring)
{
    for (int i = 0; i < 10; i++)
        push(ring);
    for (int i = 0; i < 10; i++)
        pop(ring);
}

int main(void)
{
    static struct frame frames[64];
    struct ring state, *ring = &state;

    if (ring_init(ring, frames, ELEMENTSOF(frames)) < 0)
        return 1;
    bench_row("ring push + pop, one frame", BENCH_NS(2000000, one(ring)), "ns", "copy in and out included");
    bench_row("ring push + pop, in tens", BENCH_NS(200000, batch(ring)) / 10, "ns", "per frame");
    return 0;
}
