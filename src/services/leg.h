#pragma once
/*
 * leg.h - one call's media between its loop and its speech worker
 *
 * Two rings and two wake-ups. Made by speech_start_call() on the loop; each side
 * holds one reference and names the other by it, so that neither can meet a freed
 * pointer. Inbound is loop -> worker, outbound worker -> loop.
 */

#include "loop.h"
#include "utils/ring.h"

struct leg;

/* Loop side. on_outbound runs on the loop when frames wait; it is not called after leg_release(). */
void leg_on_outbound(struct leg *leg, void (*fn)(struct leg *leg, void *user), void *user);
struct frame *leg_inbound_slot(struct leg *leg, enum frame_kind kind); /* NULL: the worker is behind; counted */
void leg_inbound_commit(struct leg *leg);
void leg_inbound_flush(struct leg *leg); /* after a batch: wakes the worker at most once */
const struct frame *leg_outbound_peek(struct leg *leg);
void leg_outbound_pop(struct leg *leg);
/* The loop is done with the call: `end` (an enum call_end) is why, unless the worker ended it first. */
void leg_release(struct leg *leg, int end);
const char *leg_sid(const struct leg *leg);
