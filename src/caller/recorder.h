#pragma once
/* recorder.h - both sides of a call in play-out time, as a stereo WAV: the caller left, the agent right */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RECORDER_MAX_SAMPLES = 3600 * 8000 };

struct recorder {
    uint64_t base_us; /* of the first sample; 0: none came yet */
    struct {
        uint8_t *ulaw;
        size_t n, n_room;
    } sides[2]; /* caller, agent */
};

/* What is over an hour from the first sample is left out. Errors: -ENOMEM. */
int recorder_put(struct recorder *recorder, bool agent, uint64_t at_us, const uint8_t *ulaw, size_t n);
int recorder_write(const struct recorder *recorder, const char *path); /* -errno */
void recorder_done(struct recorder *recorder);
