/*
 * media_fault.c - everything that can go wrong on a media stream, and the one answer to each
 *
 * Each has one counter and one rate-limited log line of its own, so that a flood
 * of one does not hide another. With a close code it is the end of the stream, and
 * of the call if it had begun. The codes are those of RFC 6455: 1002 framing, 1003
 * not text, 1007 not what its type says, 1008 against the rules, 1009 too long,
 * 1011 our fault, 1013 come again; 1006 is never sent.
 */
#include "routes/media_fault.h"

#include <stdatomic.h>

#include "utils/log.h"

/* clang-format off */
const struct media_fault_row media_faults[N_MEDIA_FAULTS] = {
    [FAULT_BAD_JSON]         = { "bad_json",         1007,          CALL_END_PROTOCOL,  "a message is not a JSON object" },
    [FAULT_BAD_START]        = { "bad_start",        1008,          CALL_END_PROTOCOL,  "a message up to start lacks what it needs" },
    [FAULT_BAD_FIELD]        = { "bad_field",        MEDIA_GOES_ON, CALL_END_NONE,      "a message lacks what it needs" },
    [FAULT_BAD_BASE64]       = { "bad_base64",       MEDIA_GOES_ON, CALL_END_NONE,      "a payload is not base64" },
    [FAULT_EARLY]            = { "early",            1008,          CALL_END_PROTOCOL,  "a message came before its time" },
    [FAULT_SECOND_CONNECTED] = { "second_connected", 1008,          CALL_END_PROTOCOL,  "a second connected" },
    [FAULT_SECOND_START]     = { "second_start",     1008,          CALL_END_PROTOCOL,  "a second start" },
    [FAULT_WRONG_STREAM]     = { "wrong_stream",     1008,          CALL_END_PROTOCOL,  "a message of another stream" },
    [FAULT_NO_TOKEN]         = { "no_token",         1008,          CALL_END_PROTOCOL,  "start brings no token" },
    [FAULT_WRONG_TOKEN]      = { "wrong_token",      1008,          CALL_END_PROTOCOL,  "start brings another token" },
    [FAULT_UNKNOWN_CALL]     = { "unknown_call",     1008,          CALL_END_PROTOCOL,  "there is no such call" },
    [FAULT_OTHER_ACCOUNT]    = { "other_account",    1008,          CALL_END_PROTOCOL,  "the call is another account's" },
    [FAULT_ALREADY_STREAMED] = { "already_streamed", 1008,          CALL_END_PROTOCOL,  "the call is over, or has its stream" },
    [FAULT_TOO_MANY_CALLS]   = { "too_many_calls",   1013,          CALL_END_PROTOCOL,  "MAX_CALLS are under way" },
    [FAULT_DRAINING]         = { "draining",         1001,          CALL_END_DRAIN,     "we are stopping" },
    [FAULT_INTERNAL]         = { "internal",         1011,          CALL_END_PROTOCOL,  "the call could not be begun" },
    [FAULT_START_TIMEOUT]    = { "start_timeout",    1008,          CALL_END_PROTOCOL,  "no start for too long" },
    [FAULT_NO_MEDIA]         = { "no_media",         1008,          CALL_END_NO_MEDIA,  "no audio for too long" },
    [FAULT_BINARY]           = { "binary",           1003,          CALL_END_PROTOCOL,  "a binary message" },
    /* the WebSocket found these, and is closed */
    [FAULT_OVERSIZED]        = { "oversized",        1009,          CALL_END_PROTOCOL,  "a message too long" },
    [FAULT_FRAMING]          = { "framing",          1002,          CALL_END_PROTOCOL,  "broken framing" },
    [FAULT_NOT_UTF8]         = { "not_utf8",         1007,          CALL_END_PROTOCOL,  "text is not UTF-8" },
    [FAULT_FLOOD]            = { "flood",            1008,          CALL_END_PROTOCOL,  "a flood of control frames" },
    [FAULT_NOT_READING]      = { "not_reading",      1008,          CALL_END_SLOW_PEER, "the peer does not read" },
    [FAULT_VANISHED]         = { "vanished",         1006,          CALL_END_CALLER,    "the connection ended without a word" },
    /* ours, not the peer's */
    [FAULT_OVERRUN]          = { "overrun",          MEDIA_GOES_ON, CALL_END_NONE,      "the worker is behind, a message is dropped" },
};
/* clang-format on */

static _Atomic uint64_t counts[N_MEDIA_FAULTS];
static struct log_limit limits[N_MEDIA_FAULTS];

void media_fault_note(enum media_fault fault, const char *sid, const char *detail)
{
    uint32_t n_hidden = 0;

    atomic_fetch_add_explicit(&counts[fault], 1, memory_order_relaxed);
    if (!log_limit_pass(&limits[fault], clock_mono_ms(), &n_hidden))
        return;
    (void)log_about(LOG_WARNING, 0, &(struct log_about){ LOG_STREAM_FAULT, sid }, "media stream: %s%s%s (%s; %u alike left out)",
             media_faults[fault].what, detail ? ": " : "", detail ? detail : "",
             media_faults[fault].close_code ? "it is closed" : "it goes on", n_hidden);
}

void media_fault_counts(uint64_t ret_counts[N_MEDIA_FAULTS])
{
    for (size_t i = 0; i < N_MEDIA_FAULTS; i++)
        ret_counts[i] = atomic_load_explicit(&counts[i], memory_order_relaxed);
}
