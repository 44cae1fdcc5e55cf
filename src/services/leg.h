#pragma once
/*
 * leg.h - one call's media between its loop and its speech worker
 *
 * Two rings, and for each a word to the other side that something is in it. Made by speech_start_call() on the loop;
 * each side holds one reference and names the other by it, so that neither can meet a freed pointer. Inbound is loop
 * -> worker, outbound worker -> loop.
 *
 * Inbound:  FRAME_AUDIO mu-law; FRAME_MARK the name of an echoed mark; FRAME_DTMF bytes[0] the digit;
 *           FRAME_END the peer said stop. A FRAME_AUDIO payload over FRAME_BYTES is joined by FRAME_MORE.
 * Outbound: FRAME_AUDIO one media message per payload; FRAME_MARK a name to send; FRAME_CLEAR;
 *           FRAME_END bytes[0] an enum call_end: close orderly, nothing follows.
 */

#include "loop.h"
#include "utils/inbox.h"
#include "utils/ring.h"

struct leg;

/*
 * Loop side. on_outbound runs on the loop when frames wait; it is not called after leg_release().
 * Set it in the same callback that made the leg.
 */
void leg_on_outbound(struct leg *leg, void (*fn)(struct leg *leg, void *user), void *user);
struct frame *leg_inbound_slot(struct leg *leg, enum frame_kind kind); /* NULL: the worker is behind; counted */
/*
 * Either side: fetches what a frame will touch, for after 20 ms it is far from the processor. leg may be NULL. The second
 * is for the worker, when what the first fetches is there.
 */
void leg_soon(const struct leg *leg);
void leg_outbound_soon(const struct leg *leg);
void leg_inbound_commit(struct leg *leg);
void leg_inbound_flush(struct leg *leg); /* after a batch: the worker hears of it once the loop rings */
const struct frame *leg_outbound_peek(struct leg *leg);
void leg_outbound_pop(struct leg *leg);
/* The loop is done with the call: `end` (an enum call_end) is why, unless the worker ended it first. */
void leg_release(struct leg *leg, int end);

/* Worker side. leg_new() makes both references. */
struct leg_options {
    size_t n_inbound, n_outbound; /* frames of each ring */
    struct loop *loop;            /* who is told of outbound frames */
    struct inbox *inbox;          /* who is told of inbound ones */
    struct bells *bells;          /* the worker's, for the loop */
};
int leg_new(const struct leg_options *options, struct leg **ret_leg);
/* on_inbound runs on the worker when frames wait or the loop is done with the call; not after leg_leave(). Set it with leg_new(). */
void leg_on_inbound(struct leg *leg, void (*fn)(void *user), void *user);
size_t leg_inbound_n(const struct leg *leg); /* frames waiting */
size_t leg_inbound_size(const struct leg *leg); /* frames of the ring */
const struct frame *leg_inbound_peek(struct leg *leg);
void leg_inbound_pop(struct leg *leg);
struct frame *leg_outbound_slot(struct leg *leg, enum frame_kind kind); /* NULL: the loop is behind; counted */
void leg_outbound_commit(struct leg *leg);
size_t leg_outbound_room(struct leg *leg); /* audio frames */
void leg_outbound_flush(struct leg *leg); /* after a batch: posts to the loop at most once, who hears it by the bells */
int leg_released(const struct leg *leg, int *ret_end); /* 1 once the loop is done with the call */
void leg_leave(struct leg *leg); /* the worker is done with it; what waits outbound still goes out */
uint64_t leg_dropped_in(const struct leg *leg);
uint64_t leg_dropped_out(const struct leg *leg);
