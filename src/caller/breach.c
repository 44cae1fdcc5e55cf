/*
 * breach.c - the rules a server is held to
 */
#include "caller/breach.h"

static const struct breach_kind kinds[BREACH_N] = {
    [BREACH_WEBHOOK_STATUS] = { 11200, "the webhook was not answered 2xx" },
    [BREACH_WEBHOOK_TYPE] = { 12300, "the answer is not of a TwiML content type" },
    [BREACH_WEBHOOK_LONG] = { 11750, "the answer is longer than 64 kB" },
    [BREACH_WEBHOOK_EMPTY] = { 11770, "the answer is empty" },
    [BREACH_TWIML_PARSE] = { 12100, "the TwiML cannot be parsed" },
    [BREACH_TWIML_SCHEMA] = { 12200, "the TwiML has something Twilio does not know" },
    [BREACH_TWIML_LINES] = { 0, "the TwiML is not on one line" },
    [BREACH_STREAM_URL] = { 31923, "the stream URL is malformed" },
    [BREACH_STREAM_SCHEME] = { 31922, "the stream URL is not wss" },
    [BREACH_STREAM_QUERY] = { 31920, "the stream URL has a query string" },
    [BREACH_STREAM_TRACK] = { 31941, "only inbound_track may be connected" },
    [BREACH_HANDSHAKE] = { 31920, "the WebSocket handshake failed" },
    [BREACH_DROPPED] = { 31903, "the socket broke without a close frame" },
    [BREACH_CLOSE_CODE] = { 31921, "the stream was not closed with code 1000" },
    [BREACH_FRAMING] = { 31924, "WebSocket protocol error" },
    [BREACH_BINARY] = { 31950, "a frame that is not text" },
    [BREACH_MESSAGE] = { 31951, "a message that does not comply" },
    [BREACH_EARLY] = { 31951, "a message before start" },
    [BREACH_OVERFLOW] = { 31931, "more than ten minutes of audio queued" },
    [BREACH_PONG] = { 31924, "a ping was not answered" },
    [BREACH_UNHEARD] = { 0, "the stream was closed over audio that was still to be heard" },
    [BREACH_STATUS_CALLBACK] = { 11200, "the status callback was not answered 2xx" },
};

const struct breach_kind *breach_kind(enum breach breach)
{
    return &kinds[breach];
}
