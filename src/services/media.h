#pragma once
/*
 * media.h - the messages of a Twilio media stream, from our side
 *
 * media is read by a hand-written scanner straight into a ring slot; everything
 * else by json-c. Numbers arrive as strings; unknown events and keys are tolerated.
 */

#include <stddef.h>
#include <stdint.h>

#include "models/call.h"
#include "utils/scoped.h"

enum media_event {
    MEDIA_OTHER, /* not for the scanner: give it to media_parse() */
    MEDIA_CONNECTED,
    MEDIA_START,
    MEDIA_AUDIO,
    MEDIA_DTMF,
    MEDIA_MARK,
    MEDIA_STOP,
    MEDIA_UNKNOWN /* well-formed, not one of ours, or another track: ignored */
};

struct media_audio {
    const char *payload; /* base64, into the message */
    size_t n_payload;
    const char *stream_sid;
    size_t n_stream_sid;
    uint32_t timestamp_ms;
};

/*
 * The hot path: recognise {"event":"media",...} with its keys in any order and white space anywhere.
 *
 * Returns: MEDIA_AUDIO and fills *ret_audio (nothing is copied), or MEDIA_OTHER for anything that is not plainly a
 *          well-formed media message of the inbound track.
 * Thread:  any; allocates nothing.
 * Source:  Twilio, "Media Streams - WebSocket messages", event "media".
 */
enum media_event media_scan(const char *text, size_t n, struct media_audio *ret_audio);

enum { MEDIA_MARK_MAX = 64 };

struct media_message {
    enum media_event event;
    char stream_sid[SID_MAX]; /* start: of letters, digits, '-' and '_'; "" connected, or not said */
    char call_sid[SID_MAX];   /* start, stop */
    char account_sid[SID_MAX];
    char token[STREAM_TOKEN_MAX]; /* start: customParameters.token; "" none, or too long to be one of ours */
    char mark[MEDIA_MARK_MAX];    /* mark */
    char digit;                   /* dtmf: 0-9 * # A-D */
    struct media_audio audio;     /* media; points into json */
    struct json_object *json;     /* owned */
};

/*
 * Everything that media_scan() leaves, audio with unusual JSON included.
 *
 * Errors: with *ret_why set: -EBADMSG not a JSON object; -EPROTO no event, a field of it missing or of the wrong
 *         type, a media format we do not speak.
 * Owner:  *ret_message is to be released with media_message_done().
 */
int media_parse(const char *text, size_t n, struct media_message *ret_message, const char **ret_why);
void media_message_done(struct media_message *message);

/* Exact sizes and writers of what we send; keys exactly as documented, since 31951 fires for an extra one. */
size_t media_audio_size(size_t n_stream_sid, size_t n_bytes);
void media_audio_write(char *out, const char *stream_sid, size_t n_stream_sid, const uint8_t *ulaw, size_t n_bytes);
size_t media_mark_size(size_t n_stream_sid, size_t n_name);
void media_mark_write(char *out, const char *stream_sid, size_t n_stream_sid, const char *name, size_t n_name);
size_t media_clear_size(size_t n_stream_sid);
void media_clear_write(char *out, const char *stream_sid, size_t n_stream_sid);
