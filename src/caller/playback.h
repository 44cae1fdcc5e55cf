#pragma once
/*
 * playback.h - Twilio's play-out queue
 *
 * What the agent sends is played one sample every 125 us from the moment it
 * comes, or from the end of what is queued before it. Sans-IO: the time is an
 * argument and must not go back.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "utils/scoped.h"

enum { PLAYBACK_SAMPLE_US = 125, PLAYBACK_MAX_SAMPLES = 10 * 60 * 8000 };

struct playback_ops {
    /* n samples (mu-law) are heard from at_us on; consecutive calls may leave gaps, never overlap. May be NULL. */
    void (*on_played)(void *user, uint64_t at_us, const uint8_t *ulaw, size_t n);
    /* All that was queued before the mark has been played, or was cleared. */
    void (*on_mark)(void *user, uint64_t at_us, const char *name);
};

struct playback;

int playback_new(const struct playback_ops *ops, void *user, struct playback **ret_playback);
void playback_free(struct playback *playback);
SCOPED_PTR(struct playback, playback_free)

/* Errors: -ENOBUFS over ten minutes are queued: the rest was discarded (31931); -ENOMEM. */
int playback_audio(struct playback *playback, const uint8_t *ulaw, size_t n, uint64_t now_us);

/* Echoed when all before it was played; at once, from inside this call, if nothing is queued. */
int playback_mark(struct playback *playback, const char *name, uint64_t now_us);

/* Drop what is queued; outstanding marks are echoed from inside this call. Returns: samples dropped. */
size_t playback_clear(struct playback *playback, uint64_t now_us);

/* Play up to now. Everything else here does so first. */
void playback_advance(struct playback *playback, uint64_t now_us);

uint64_t playback_deadline(const struct playback *playback); /* when a mark is due; UINT64_MAX: none waits */
uint64_t playback_end_us(const struct playback *playback);   /* when all that is queued will have been played */

/* When the last audible sample among played and queued ones is over; 0: none was. */
uint64_t playback_audible_us(const struct playback *playback);

/* Louder than about -42 dBFS: neither silence nor the noise of a converter. */
static inline bool playback_sample_audible(uint8_t ulaw)
{
    return (~ulaw & 0x7F) >= 0x18;
}
