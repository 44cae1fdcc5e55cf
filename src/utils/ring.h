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

struct ring;

int ring_new(size_t n_frames, struct ring **ret_ring); /* a power of two over RING_RESERVED */
void ring_free(struct ring *ring);
SCOPED_PTR(struct ring, ring_free)

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
size_t ring_room(struct ring *ring);

/* Consumer: the oldest frame, or NULL; it stays until ring_pop(). */
const struct frame *ring_peek(struct ring *ring);
void ring_pop(struct ring *ring);
size_t ring_n(const struct ring *ring); /* frames waiting */
size_t ring_size(const struct ring *ring); /* frames that it was made for */

uint64_t ring_dropped(const struct ring *ring); /* frames; any thread */
