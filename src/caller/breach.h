#pragma once
/* breach.h - the rules a server is held to, one row each, with the number Twilio's debugger gives them */

enum breach {
    BREACH_WEBHOOK_STATUS,
    BREACH_WEBHOOK_TYPE,
    BREACH_WEBHOOK_LONG,
    BREACH_WEBHOOK_EMPTY,
    BREACH_TWIML_PARSE,
    BREACH_TWIML_SCHEMA,
    BREACH_TWIML_LINES,
    BREACH_STREAM_URL,
    BREACH_STREAM_SCHEME,
    BREACH_STREAM_QUERY,
    BREACH_STREAM_TRACK,
    BREACH_HANDSHAKE,
    BREACH_DROPPED,
    BREACH_CLOSE_CODE,
    BREACH_FRAMING,
    BREACH_BINARY,
    BREACH_MESSAGE,
    BREACH_EARLY,
    BREACH_OVERFLOW,
    BREACH_PONG,
    BREACH_UNHEARD,
    BREACH_STATUS_CALLBACK,
    BREACH_N
};

struct breach_kind {
    int code; /* of Twilio's error dictionary; 0: not Twilio's rule but ours */
    const char *what;
};

const struct breach_kind *breach_kind(enum breach breach);

/* How a part reports one: detail says what exactly was met, and lives during the call only. */
typedef void breach_fn(void *user, enum breach breach, const char *detail);
