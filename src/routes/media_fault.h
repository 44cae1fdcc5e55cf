#pragma once
/* media_fault.h - everything that can go wrong on a media stream, and the one answer to each */

#include <stdint.h>

#include "models/call.h"

enum media_fault {
    FAULT_BAD_JSON,
    FAULT_BAD_START,
    FAULT_BAD_FIELD,
    FAULT_BAD_BASE64,
    FAULT_EARLY,
    FAULT_SECOND_CONNECTED,
    FAULT_SECOND_START,
    FAULT_WRONG_STREAM,
    FAULT_NO_TOKEN,
    FAULT_WRONG_TOKEN,
    FAULT_UNKNOWN_CALL,
    FAULT_OTHER_ACCOUNT,
    FAULT_ALREADY_STREAMED,
    FAULT_TOO_MANY_CALLS,
    FAULT_DRAINING,
    FAULT_INTERNAL,
    FAULT_START_TIMEOUT,
    FAULT_NO_MEDIA,
    FAULT_BINARY,
    FAULT_OVERSIZED,
    FAULT_FRAMING,
    FAULT_NOT_UTF8,
    FAULT_FLOOD,
    FAULT_NOT_READING,
    FAULT_VANISHED,
    FAULT_OVERRUN,
    N_MEDIA_FAULTS
};

enum { MEDIA_GOES_ON = 0 };

extern const struct media_fault_row {
    const char *name;
    int close_code;    /* or MEDIA_GOES_ON: it costs the message alone */
    enum call_end end; /* of the call, if it had begun */
    const char *what;
} media_faults[N_MEDIA_FAULTS];

/* Count it and say so, rate-limited. sid and detail may be NULL. Thread: any. */
void media_fault_note(enum media_fault fault, const char *sid, const char *detail);

/* How often each happened since the start. Thread: any. */
void media_fault_counts(uint64_t ret_counts[N_MEDIA_FAULTS]);
