#pragma once
/* ws_media.h - what peers did wrong on media streams */

#include <stdint.h>

/* Everything that a peer can do wrong. The answer to each is a row in ws_media.c. */
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
    FAULT_NOT_READING,
    FAULT_VANISHED,
    FAULT_OVERRUN,
    N_MEDIA_FAULTS
};

const char *media_fault_name(enum media_fault fault); /* e.g. "bad_json" */

/* How often each happened since the start. Thread: any. */
void media_fault_counts(uint64_t ret_counts[N_MEDIA_FAULTS]);
