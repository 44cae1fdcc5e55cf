#pragma once
/*
 * caller.h - one simulated call on a media stream, from `connected` to the end
 *
 * Sans-IO: what the server sends and the time go in, messages for the server
 * and events for whoever watches come out. All times are microseconds of one
 * monotonic clock.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "caller/breach.h"
#include "caller/echo.h"
#include "caller/script.h"
#include "utils/scoped.h"
#include "utils/wsframe.h"

enum { CALLER_FRAME_US = 20000, CALLER_FRAME = 160 };

struct caller_parameter {
    const char *name, *value;
};

struct caller_options {
    const char *account_sid, *call_sid, *stream_sid;
    const struct caller_parameter *parameters; /* of the TwiML; n_parameters */
    size_t n_parameters;
    const struct script *script;
    bool echo;            /* the far end is the echo line: stamped payloads instead of the script */
    uint32_t number;      /* of the call, for its stamps */
    uint64_t pause_us;    /* of silence after the agent's last sound, before the next turn */
    uint64_t patience_us; /* speak anyway when the agent says nothing for so long */
    uint64_t linger_us;   /* hang up so long after the last sound when there is nothing left to say */
    uint64_t length_us;   /* hang up so long after the stream opened; 0: do not */
    struct spread *round_trips; /* echo; may be NULL */
    struct spread *lags;        /* how late our own frames left; may be NULL */
};

enum caller_event_kind {
    CALLER_AGENT_STARTS, /* reaction_us: since the end of the caller's speech or keys, -1: it is no answer to them */
    CALLER_AGENT_ENDS,   /* took_us */
    CALLER_SPEAKS,       /* turn; took_us: how long it will take */
    CALLER_CLEARED,      /* the server dropped took_us of audio; reaction_us since the caller began to speak into it, or -1 */
    CALLER_IMPATIENT,    /* the agent said nothing for patience_us */
    CALLER_HANGS_UP,
};

struct caller_event {
    enum caller_event_kind kind;
    uint64_t at_us;
    const struct script_turn *turn;
    uint64_t took_us;
    int64_t reaction_us;
};

struct caller_ops {
    void (*send)(void *user, enum ws_opcode opcode, const char *bytes, size_t n);
    void (*on_event)(void *user, const struct caller_event *event);
    breach_fn *on_breach;
    /* Audio as it is said (agent false) and heard (agent true). May be NULL. */
    void (*on_audio)(void *user, bool agent, uint64_t at_us, const uint8_t *ulaw, size_t n);
};

struct caller_counts {
    uint64_t n_frames_sent, n_messages, n_audio_messages, n_audio_bytes, n_marks, n_clears, n_keys;
    size_t n_turns_said;
};

struct caller;

int caller_new(const struct caller_options *options, const struct caller_ops *ops, void *user, struct caller **ret_caller);
void caller_free(struct caller *caller);
SCOPED_PTR(struct caller, caller_free)

void caller_open(struct caller *caller, uint64_t now_us); /* the WebSocket is open: sends connected */
void caller_text(struct caller *caller, const char *text, size_t n, uint64_t now_us);
void caller_pong(struct caller *caller, const uint8_t *bytes, size_t n);

/* Send, play and decide all that is due; deadline says when something will be. */
void caller_tick(struct caller *caller, uint64_t now_us);
uint64_t caller_deadline(const struct caller *caller);

/* Send stop; the transport closes afterwards. Does nothing the second time. */
void caller_hang_up(struct caller *caller, uint64_t now_us);

/* The server closed (code) before we hung up: what it owes is reported. */
void caller_server_closed(struct caller *caller, int code, uint64_t now_us);

const struct caller_counts *caller_counts(const struct caller *caller);
const struct echo *caller_echo(const struct caller *caller);
