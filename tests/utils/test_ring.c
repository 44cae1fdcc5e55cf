/*
 * test_ring.c - order, overflow and payloads of several frames; two real threads
 *
 * Built with -fsanitize=thread the last part is the proof of the memory order.
 */
#include "utils/ring.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "tap.h"

static const struct {
    size_t n_frames;
    int want;
} sizes[] = {
    { 0, -EINVAL },  { 1, -EINVAL },  { RING_RESERVED, -EINVAL }, { 24, -EINVAL },
    { 16, 0 },       { 64, 0 },       { 1024, 0 },                { SIZE_MAX, -EINVAL },
    { (SIZE_MAX >> 1) + 1, -EINVAL },
};

static int push(struct ring *ring, enum frame_kind kind, uint8_t flags, uint32_t stamp_ms)
{
    struct frame *frame = ring_slot(ring, kind);

    if (!frame)
        return 0;
    frame->flags = flags;
    frame->stamp_ms = stamp_ms;
    frame->n = 1;
    frame->bytes[0] = (uint8_t)stamp_ms;
    ring_commit(ring);
    return 1;
}

static void test_sizes(void)
{
    for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
        struct ring ring;
        is_int(ring_init(&ring, NULL, sizes[i].n_frames), sizes[i].want, "a size is a power of two over the reserve");
    }
}

static void test_overflow(void)
{
    struct frame frames[16];
    struct ring state, *ring = &state;
    uint32_t stamp = 0, seen = 0;
    int in_order = 1;

    if (ring_init(ring, frames, ELEMENTSOF(frames)) < 0)
        return;
    ok(!ring_peek(ring) && ring_n(ring) == 0, "a fresh ring is empty");
    is_int((long long)ring_room(ring), 16 - RING_RESERVED, "and has room for all but the reserve");

    while (push(ring, FRAME_AUDIO, 0, stamp))
        stamp++;
    is_int(stamp, 16 - RING_RESERVED, "audio stops at the reserve");
    is_int((long long)ring_room(ring), 0, "no room is left for audio");
    is_int((long long)ring_dropped(ring), 1, "the frame over it is counted");

    while (push(ring, FRAME_MARK, 0, stamp))
        stamp++;
    is_int(stamp, 16, "control fills the reserve");
    is_int((long long)ring_n(ring), 16, "all slots are in use");

    for (const struct frame *frame; (frame = ring_peek(ring)); ring_pop(ring), seen++)
        in_order &= frame->stamp_ms == seen && frame->bytes[0] == (uint8_t)seen &&
                    frame->kind == (seen < 8 ? FRAME_AUDIO : FRAME_MARK);
    ok(seen == 16 && in_order, "everything comes out in order, audio and control");
    is_int((long long)ring_room(ring), 16 - RING_RESERVED, "and the room is back");
    ok(push(ring, FRAME_AUDIO, 0, 0) && ring_peek(ring) == frames, "a ring that is empty begins at its first slot again");
    for (stamp = 1; stamp < 100; stamp++) { /* never empty: it turns */
        in_order &= push(ring, FRAME_AUDIO, 0, stamp) && ring_peek(ring)->stamp_ms == stamp - 1;
        ring_pop(ring);
    }
    ok(in_order && ring_peek(ring)->stamp_ms == 99, "and one that is not turns");
}

static void test_payloads(void)
{
    struct frame frames[16];
    struct ring state, *ring = &state;
    uint32_t n = 0;
    uint8_t last = FRAME_MORE;

    if (ring_init(ring, frames, ELEMENTSOF(frames)) < 0)
        return;
    push(ring, FRAME_AUDIO, FRAME_MORE, 1);
    push(ring, FRAME_AUDIO, FRAME_MORE, 2);
    ok(!ring_peek(ring) && ring_n(ring) == 0, "half a payload is not seen");
    push(ring, FRAME_AUDIO, 0, 3);
    is_int((long long)ring_n(ring), 3, "its last frame publishes all of it");
    while (ring_peek(ring))
        ring_pop(ring);

    while (push(ring, FRAME_AUDIO, FRAME_MORE, n))
        n++;
    is_int((long long)ring_n(ring), 16 - RING_RESERVED, "a payload over the size of the ring is shortened");
    for (const struct frame *frame; (frame = ring_peek(ring)); ring_pop(ring))
        last = frame->flags;
    is_int(last, 0, "and ended, so that the next one does not run into it");
}

/*
 * One thread sends payloads of 1 to 5 frames, each frame filled with its payload's number; the other
 * checks that what arrives is in order, filled evenly and never two payloads in one.
 */
struct race {
    struct ring *ring;
    uint32_t n_payloads;
    int may_drop;
    uint64_t n_sent;
};

static void *producer(void *arg)
{
    struct race *race = arg;

    for (uint32_t payload = 0; payload < race->n_payloads; payload++) {
        unsigned n = 1 + payload % 5;

        while (!race->may_drop && ring_room(race->ring) < n)
            sched_yield();
        for (unsigned i = 0; i < n; i++) {
            struct frame *frame = ring_slot(race->ring, FRAME_AUDIO);

            race->n_sent++;
            if (!frame)
                continue;
            frame->flags = i + 1 < n ? FRAME_MORE : 0;
            frame->stamp_ms = payload;
            frame->n = FRAME_BYTES;
            memset(frame->bytes, (int)(payload & 0xFF), FRAME_BYTES);
            ring_commit(race->ring);
        }
    }
    while (!push(race->ring, FRAME_END, 0, 0))
        sched_yield();
    return NULL;
}

static int filled_with(const struct frame *frame, uint8_t byte)
{
    for (size_t i = 0; i < FRAME_BYTES; i++)
        if (frame->bytes[i] != byte)
            return 0;
    return frame->n == FRAME_BYTES;
}

static void test_threads(uint32_t n_payloads, int may_drop)
{
    struct frame frames[32];
    struct ring state, *ring = &state;
    struct race race = { .n_payloads = n_payloads, .may_drop = may_drop };
    uint64_t n_got = 0, n_mixed = 0, n_torn = 0, n_backward = 0;
    uint32_t payload = 0, newest = 0;
    int inside = 0, ended = 0;
    pthread_t thread;

    if (ring_init(ring, frames, ELEMENTSOF(frames)) < 0)
        return;
    race.ring = ring;
    pthread_create(&thread, NULL, producer, &race);
    while (!ended) {
        const struct frame *frame = ring_peek(ring);

        if (!frame) {
            sched_yield();
            continue;
        }
        if (frame->kind == FRAME_END) {
            ended = 1;
        } else {
            n_got++;
            n_mixed += inside && frame->stamp_ms != payload;
            n_backward += frame->stamp_ms < newest;
            n_torn += !filled_with(frame, (uint8_t)frame->stamp_ms);
            newest = payload = frame->stamp_ms;
            inside = frame->flags & FRAME_MORE;
        }
        ring_pop(ring);
    }
    pthread_join(thread, NULL);

    /* the sender of the end may have been refused too, which counts as well */
    uint64_t n_lost = race.n_sent - n_got;
    ok(may_drop ? ring_dropped(ring) >= n_lost : n_lost == 0, "two threads: every frame arrived or was counted");
    ok(!n_backward && !n_torn, "two threads: in order and untorn");
    ok(!n_mixed, "two threads: no two payloads in one");
    printf("# %llu frames sent, %llu lost\n", (unsigned long long)race.n_sent, (unsigned long long)n_lost);
}

int main(void)
{
    test_sizes();
    test_overflow();
    test_payloads();
    test_threads(100000, 0);
    test_threads(100000, 1);
    return done_testing();
}
