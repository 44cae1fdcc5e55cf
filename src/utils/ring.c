/*
 * ring.c - frames from one thread to another
 *
 * head and tail count frames ever published and ever taken, and are reduced to
 * a slot only on access; they wrap at 2^64, i.e. never.
 *
 *   producer                           consumer
 *   fill the slot of next              load head (acquire)       <- pairs with (1)
 *   store head (release)         (1)   read the slot of tail
 *   load tail (acquire) <- pairs (2)   store tail (release) (2)
 *
 * (1) makes the bytes of a frame visible before its number; (2) says that the
 * consumer has finished reading before the producer may fill the slot again.
 *
 * next runs ahead of head while a payload of several frames is being written:
 * head moves over all of it at once, at its last frame.
 *
 * A call's ring carries one frame at a time, every 20 ms, and is cold again in
 * between; so what counts is how many cache lines a frame touches. Both sides
 * share one line, since each needs the other's number anyway. And a ring that is
 * found empty begins at slot 0 again: base is the number of the frame there. The
 * producer may change it just then, for the consumer reads it only between (1)
 * and (2) of a frame; what is never needed at a time is never touched.
 */
#include "utils/ring.h"

#include <errno.h>

enum { FRAMES_MAX = 1 << 20 };

int ring_init(struct ring *ring, struct frame *frames, size_t n_frames)
{
    if (n_frames <= RING_RESERVED || n_frames > FRAMES_MAX || (n_frames & (n_frames - 1)))
        return -EINVAL;
    *ring = (struct ring){ .frames = frames, .mask = n_frames - 1 };
    return 0;
}

/* Producer: how many slots are free. */
static size_t n_free(const struct ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire); /* pairs with ring_pop() */

    return ring->mask + 1 - (size_t)(ring->next - tail);
}

static struct frame *frame_at(const struct ring *ring, uint64_t number)
{
    return &ring->frames[(number - ring->base) & ring->mask];
}

static void publish(struct ring *ring)
{
    atomic_store_explicit(&ring->head, ring->next, memory_order_release); /* pairs with ring_peek() */
}

static void drop(struct ring *ring)
{
    uint64_t dropped = atomic_load_explicit(&ring->dropped, memory_order_relaxed);

    atomic_store_explicit(&ring->dropped, dropped + 1, memory_order_relaxed);
    if (ring->next == atomic_load_explicit(&ring->head, memory_order_relaxed))
        return;
    frame_at(ring, ring->next - 1)->flags &= (uint8_t)~FRAME_MORE;
    publish(ring);
}

struct frame *ring_slot(struct ring *ring, enum frame_kind kind)
{
    size_t wanted = kind == FRAME_AUDIO ? RING_RESERVED + 1 : 1, n = n_free(ring);

    if (n < wanted) {
        drop(ring);
        return NULL;
    }
    if (n == ring_size(ring))
        ring->base = ring->next;

    struct frame *frame = frame_at(ring, ring->next);
    frame->kind = (uint8_t)kind;
    frame->flags = 0;
    frame->n = 0;
    frame->stamp_ms = 0;
    return frame;
}

void ring_commit(struct ring *ring)
{
    const struct frame *frame = frame_at(ring, ring->next);

    ring->next++;
    if (!(frame->flags & FRAME_MORE))
        publish(ring);
}

size_t ring_room(const struct ring *ring)
{
    size_t n = n_free(ring);

    return n > RING_RESERVED ? n - RING_RESERVED : 0;
}

const struct frame *ring_peek(const struct ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    if (tail == atomic_load_explicit(&ring->head, memory_order_acquire)) /* pairs with publish() */
        return NULL;
    return frame_at(ring, tail);
}

void ring_pop(struct ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release); /* pairs with n_free() */
}

size_t ring_n(const struct ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);

    return (size_t)(atomic_load_explicit(&ring->head, memory_order_acquire) - tail);
}

size_t ring_size(const struct ring *ring)
{
    return ring->mask + 1;
}

uint64_t ring_dropped(const struct ring *ring)
{
    return atomic_load_explicit(&ring->dropped, memory_order_relaxed);
}
