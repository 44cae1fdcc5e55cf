#pragma once
/*
 * endpointing.h - has the caller finished?
 *
 * A rule set is a function: given what was asked and what was heard so far, how long silence has to last
 * until the answer counts as complete. Swappable: the dialogue knows only the struct.
 */

#include <stdbool.h>
#include <stdint.h>

#include "models/turn.h"

struct endpointing_turn {
    const char *language;
    enum answer_kind expect;
    const char *text;    /* the transcript so far, "" none */
    bool can_transcribe; /* false: there will be none */
    unsigned digits_min, digits_max; /* 0 any */
};

struct endpointing {
    const char *name;
    /* Milliseconds after DIALOGUE_SPEECH_ENDED, which itself comes some 300 ms after the last sound. */
    uint32_t (*wait_ms)(const struct endpointing_turn *turn);
};

extern const struct endpointing endpointing_rules; /* silence, and the words in English and Hebrew */
