/*
 * ring.c - frames from one thread to another
 *
 * head and tail count frames ever published and ever taken, and are reduced to
 * an index only on access; they wrap at 2^64, i.e. never. Each side has its own
 * cache line: the index it writes, and what it last saw of the other's. It looks
 * at the other line again only when by that memory the ring is full (empty), so
 * in a steady flow a line changes hands once per batch and not once per frame.
 *
 *   producer                           consumer
 *   fill frames[next]                  load head (acquire)       <- pairs with (1)
 *   store head (release)         (1)   read frames[tail]
 *   load tail (acquire) <- pairs (2)   store tail (release) (2)
 *
 * (1) makes the bytes of a frame visible before its number; (2) says that the
 * consumer has finished reading before the producer may fill the slot again.
 *
 * next runs ahead of head while a payload of several frames is being written:
 * head moves over all of it at once, at its last frame.
 */
#include "utils/ring.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

enum { CACHE_LINE = 64 };

struct ring {
    size_t n_frames; /* a power of two; written once */

    _Alignas(CACHE_LINE) _Atomic uint64_t head; /* producer's line: written by the producer only */
    uint64_t next;                              /* committed, perhaps not yet published */
    uint64_t tail_seen;
    _Atomic uint64_t dropped;

    _Alignas(CACHE_LINE) _Atomic uint64_t tail; /* consumer's line: written by the consumer only */
    uint64_t head_seen;

    _Alignas(CACHE_LINE) struct frame frames[];
};

int ring_new(size_t n_frames, struct ring **ret_ring)
{
    if (n_frames <= RING_RESERVED || n_frames > SIZE_MAX / sizeof(struct frame) / 2 ||
        (n_frames & (n_frames - 1)))
        return -EINVAL;

    size_t n_bytes = sizeof(struct ring) + n_frames * sizeof(struct frame);
    n_bytes = (n_bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    struct ring *ring = aligned_alloc(CACHE_LINE, n_bytes);
    if (!ring)
        return -ENOMEM;

    memset(ring, 0, sizeof(*ring)); /* the frames are written before they are read */
    ring->n_frames = n_frames;
    *ret_ring = ring;
    return 0;
}

void ring_free(struct ring *ring)
{
    free(ring);
}

static size_t n_free(struct ring *ring)
{
    return ring->n_frames - (size_t)(ring->next - ring->tail_seen);
}

/* Looks at the consumer's line only when less than wanted is known to be free. */
static size_t room(struct ring *ring, size_t wanted)
{
    if (n_free(ring) < wanted)
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire); /* pairs with ring_pop() */
    return n_free(ring);
}

static struct frame *frame_at(struct ring *ring, uint64_t number)
{
    return &ring->frames[number & (ring->n_frames - 1)];
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
    size_t wanted = kind == FRAME_AUDIO ? RING_RESERVED + 1 : 1;

    if (room(ring, wanted) < wanted) {
        drop(ring);
        return NULL;
    }

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

size_t ring_room(struct ring *ring)
{
    size_t n = room(ring, ring->n_frames);

    return n > RING_RESERVED ? n - RING_RESERVED : 0;
}

const struct frame *ring_peek(struct ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    if (tail == ring->head_seen) {
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire); /* pairs with publish() */
        if (tail == ring->head_seen)
            return NULL;
    }
    return frame_at(ring, tail);
}

void ring_pop(struct ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release); /* pairs with room() */
}

size_t ring_n(const struct ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);

    return (size_t)(atomic_load_explicit(&ring->head, memory_order_acquire) - tail);
}

size_t ring_size(const struct ring *ring)
{
    return ring->n_frames;
}

uint64_t ring_dropped(const struct ring *ring)
{
    return atomic_load_explicit(&ring->dropped, memory_order_relaxed);
}
