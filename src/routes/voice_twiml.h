#pragma once
/*
 * voice_twiml.h - the documents that a call is answered with
 *
 * Each is one line that fits TWIML_MAX whatever goes into it, which is escaped here. host is ours, with a port if need
 * be; every action is on it.
 */

#include "routes/twilio_webhook.h"

enum { TWIML_MAX = WEBHOOK_TEXT_MAX };

#define TWIML_HANG_UP TWIML_HEAD "<Response><Hangup/></Response>"
#define TWIML_BUSY TWIML_HEAD "<Response><Reject reason=\"busy\"/></Response>"

/* Hand the call to a media stream, with a token that only this call's stream may bring back; then after_stream. */
void voice_twiml_connect(char ret_twiml[TWIML_MAX], const char *host, const char *token);

/* Dial a human; then after_dial. caller_id: what he is shown, NULL: the caller's number. */
void voice_twiml_dial(char ret_twiml[TWIML_MAX], const char *host, const char *number, const char *caller_id);

/* Say that all lines are busy, and hang up. text and language as below. */
void voice_twiml_busy(char ret_twiml[TWIML_MAX], const char *text, const char *language);

/* Say something and record a message for handle_recording. text NULL: a few words of our own; language "en", "he". */
void voice_twiml_record(char ret_twiml[TWIML_MAX], const char *host, const char *text, const char *language);
