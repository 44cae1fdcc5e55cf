#pragma once
/* message.h - what a server may send into a stream, read as strictly as Twilio reads it */

#include <stddef.h>
#include <stdint.h>

#include "caller/breach.h"

enum message_event { MESSAGE_AUDIO, MESSAGE_MARK, MESSAGE_CLEAR };

enum { MESSAGE_WHY_MAX = 160 };

struct message {
    enum message_event event;
    uint8_t *ulaw; /* audio; owned */
    size_t n_ulaw;
    char *name; /* mark; owned */
};

/*
 * Read one text message.
 *
 * Errors: -EBADMSG with the reason in why: not JSON, an event that may not be sent, a key missing, an extra one, a wrong
 *         type, another streamSid, a payload that is not base64, is empty or begins with a WAV or AU header. -ENOMEM.
 * Owner:  ret_message is to be released with message_done().
 * Source: Twilio, "Media Streams - WebSocket messages"; error 31951.
 */
int message_parse(const char *text, size_t n, const char *stream_sid, struct message *ret_message,
                  char why[MESSAGE_WHY_MAX]);
void message_done(struct message *message);
