#pragma once
/*
 * ring.h - frames from one thread to another
 *
 * Lock-free, one producer, one consumer, fixed at creation. Audio and control
 * (marks, keys, the end) share one ring so that their order is kept; the last
 * slots are reserved for control, so that a flood of audio never costs a mark.
 * A payload longer than a frame is several frames, all but the last FRAME_MORE;
 * the consumer sees such a payload whole or not yet.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "utils/scoped.h"

enum { FRAME_BYTES = 160, RING_RESERVED = 8 }; /* 20 ms of mu-law at 8 kHz */

enum frame_kind { FRAME_AUDIO, FRAME_MARK, FRAME_CLEAR, FRAME_DTMF, FRAME_END };

enum { FRAME_MORE = 1 }; /* the payload goes on in the next frame */

struct frame {
    uint8_t kind;
    uint8_t flags;
    uint16_t n;       /* bytes used */
    uint32_t stamp_ms; /* the producer's; media timestamp inbound */
    uint8_t bytes[FRAME_BYTES];
};

/* ring.c's own, laid open so that its owner may keep it where he likes; one cache line. */
struct ring {
    struct frame *frames;
    size_t mask;
    _Atomic uint64_t head, tail; /* frames ever published, ever taken */
    uint64_t next, base;         /* the producer's: committed, perhaps not yet published; the number of the frame in slot 0 */
    _Atomic uint64_t dropped;
};

/*
 * frames: room for n_frames, which outlives the ring; touched as it is used.
 *
 * Errors: -EINVAL n_frames is no power of two over RING_RESERVED.
 */
int ring_init(struct ring *ring, struct frame *frames, size_t n_frames);

/*
 * Producer: the next free slot to fill in place, with kind set and flags, n and stamp_ms 0.
 *
 * Returns: NULL when full; the frame counts as dropped. What was committed of its payload so far is
 *          then published as it is, shortened, so that two payloads never run into one.
 */
struct frame *ring_slot(struct ring *ring, enum frame_kind kind);
/* Publish the slot got last, unless it says FRAME_MORE: then with the last frame of its payload. */
void ring_commit(struct ring *ring);
/* Producer: how many audio frames fit. */
size_t ring_room(const struct ring *ring);

/* Consumer: the oldest frame, or NULL; it stays until ring_pop(). */
const struct frame *ring_peek(const struct ring *ring);
void ring_pop(struct ring *ring);
size_t ring_n(const struct ring *ring); /* frames waiting */
size_t ring_size(const struct ring *ring); /* frames that it was made for */

uint64_t ring_dropped(const struct ring *ring); /* frames; any thread */
