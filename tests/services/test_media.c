/*
 * test_media.c - stream messages: what the scanner takes, what json-c takes, what we write
 */
#include "services/media.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

#define SID "MZ0123456789abcdef0123456789abcdef"
#define SIDS "\"streamSid\":\"" SID "\""
#define CALL "\"callSid\":\"CA1\",\"accountSid\":\"AC1\""
#define ULAW "\"mediaFormat\":{\"encoding\":\"audio/x-mulaw\",\"sampleRate\":8000,\"channels\":1}"
#define LONG_40 "0123456789012345678901234567890123456789"

/* Twilio's own order, up to streamSid. */
#define USUAL(timestamp, payload)                                                                  \
    "{\"event\":\"media\",\"sequenceNumber\":\"3\",\"media\":{\"track\":\"inbound\",\"chunk\":\"1\",\"timestamp\":" timestamp   \
    ",\"payload\":\"" payload "\"}"

/* scanned: what media_scan() says; parsed: the event media_parse() finds, or its error */
static const struct {
    const char *what, *text;
    enum media_event scanned;
    int parsed;
    const char *payload;
    uint32_t timestamp_ms;
} medias[] = {
    { "as documented",
      "{\"event\":\"media\",\"sequenceNumber\":\"3\",\"media\":{\"track\":\"inbound\",\"chunk\":"
      "\"1\","
      "\"timestamp\":\"5\",\"payload\":\"/38=\"}," SIDS "}",
      MEDIA_AUDIO, MEDIA_AUDIO, "/38=", 5 },
    { "as documented, and one key more", USUAL("\"5\"", "/38=") "," SIDS ",\"x\":\"y\"}", MEDIA_AUDIO, MEDIA_AUDIO, "/38=", 5 },
    { "as documented, and white space", USUAL("\"5\"", "/38=") "," SIDS "}\n", MEDIA_AUDIO, MEDIA_AUDIO, "/38=", 5 },
    { "as documented, a number for a string", USUAL("5", "/38=") "," SIDS "}", MEDIA_OTHER, MEDIA_AUDIO, "/38=", 5 },
    { "as documented, an escaped slash", USUAL("\"5\"", "\\/38=") "," SIDS "}", MEDIA_OTHER, MEDIA_AUDIO, "/38=", 5 },
    { "as documented, without streamSid", USUAL("\"5\"", "/38=") "}", MEDIA_OTHER, -EPROTO, NULL, 0 },
    { "keys in another order",
      "{\"media\":{\"payload\":\"/38=\",\"timestamp\":\"5\",\"track\":\"inbound\"}," SIDS
      ",\"event\":\"media\"}",
      MEDIA_AUDIO, MEDIA_AUDIO, "/38=", 5 },
    { "white space everywhere",
      " {\n\"event\" :\t\"media\" , \"media\"\r:{ \"payload\" : \"/38=\" } ,\n" SIDS " } \n",
      MEDIA_AUDIO, MEDIA_AUDIO, "/38=", 0 },
    { "unknown keys with strings",
      "{\"event\":\"media\",\"x\":\"\",\"media\":{\"y\":\"{}\",\"payload\":\"AA==\"}," SIDS "}",
      MEDIA_AUDIO, MEDIA_AUDIO, "AA==", 0 },
    { "an empty payload", "{\"event\":\"media\",\"media\":{\"payload\":\"\"}," SIDS "}",
      MEDIA_AUDIO, MEDIA_AUDIO, "", 0 },
    { "the largest timestamp",
      "{\"event\":\"media\",\"media\":{\"payload\":\"\",\"timestamp\":\"4294967295\"}," SIDS "}",
      MEDIA_AUDIO, MEDIA_AUDIO, "", UINT32_MAX },
    /* left to json-c, which takes them */
    { "numbers",
      "{\"event\":\"media\",\"sequenceNumber\":3,\"media\":{\"payload\":\"AA==\",\"timestamp\":7}"
      "," SIDS "}",
      MEDIA_OTHER, MEDIA_AUDIO, "AA==", 7 },
    { "a number within media",
      "{\"event\":\"media\",\"media\":{\"payload\":\"AA==\",\"timestamp\":7}," SIDS "}",
      MEDIA_OTHER, MEDIA_AUDIO, "AA==", 7 },
    { "an escaped slash", "{\"event\":\"media\",\"media\":{\"payload\":\"\\/38=\"}," SIDS "}",
      MEDIA_OTHER, MEDIA_AUDIO, "/38=", 0 },
    { "an escaped key", "{\"\\u0065vent\":\"media\",\"media\":{\"payload\":\"AA==\"}," SIDS "}",
      MEDIA_OTHER, MEDIA_AUDIO, "AA==", 0 },
    { "a key twice: the last counts",
      "{\"event\":\"mark\",\"event\":\"media\",\"media\":{\"payload\":\"AA==\",\"payload\":\"AQ=="
      "\"}"
      "," SIDS "}",
      MEDIA_OTHER, MEDIA_AUDIO, "AQ==", 0 },
    { "media twice",
      "{\"event\":\"media\",\"media\":{\"payload\":\"AA==\"},\"media\":{\"payload\":\"AQ==\"}," SIDS
      "}",
      MEDIA_OTHER, MEDIA_AUDIO, "AQ==", 0 },
    { "an unknown key with an object",
      "{\"event\":\"media\",\"x\":{\"y\":[1]},\"media\":{\"payload\":\"AA==\"}," SIDS "}",
      MEDIA_OTHER, MEDIA_AUDIO, "AA==", 0 },
    { "another alphabet in an unknown key",
      "{\"event\":\"media\",\"x\":\"\xd7\xa9\",\"media\":{\"payload\":\"AA==\"}," SIDS "}",
      MEDIA_OTHER, MEDIA_AUDIO, "AA==", 0 },
    { "the other track",
      "{\"event\":\"media\",\"media\":{\"track\":\"outbound\",\"payload\":\"AA==\"}," SIDS "}",
      MEDIA_OTHER, MEDIA_UNKNOWN, NULL, 0 },
    { "another event", "{\"event\":\"medium\",\"media\":{\"payload\":\"AA==\"}," SIDS "}",
      MEDIA_OTHER, MEDIA_UNKNOWN, NULL, 0 },
    /* refused by both */
    { "no payload", "{\"event\":\"media\",\"media\":{\"track\":\"inbound\"}," SIDS "}", MEDIA_OTHER,
      -EPROTO, NULL, 0 },
    { "no media", "{\"event\":\"media\"," SIDS "}", MEDIA_OTHER, -EPROTO, NULL, 0 },
    { "media is a string", "{\"event\":\"media\",\"media\":\"payload\"," SIDS "}", MEDIA_OTHER,
      -EPROTO, NULL, 0 },
    { "the payload outside",
      "{\"event\":\"media\",\"payload\":\"AA==\",\"media\":{\"x\":\"\"}," SIDS "}", MEDIA_OTHER,
      -EPROTO, NULL, 0 },
    { "a payload that is no string", "{\"event\":\"media\",\"media\":{\"payload\":1}," SIDS "}",
      MEDIA_OTHER, -EPROTO, NULL, 0 },
    { "no streamSid", "{\"event\":\"media\",\"media\":{\"payload\":\"AA==\"}}", MEDIA_OTHER,
      -EPROTO, NULL, 0 },
    { "an empty streamSid", "{\"event\":\"media\",\"media\":{\"payload\":\"\"},\"streamSid\":\"\"}",
      MEDIA_OTHER, -EPROTO, NULL, 0 },
    { "a long streamSid",
      "{\"event\":\"media\",\"media\":{\"payload\":\"\"},\"streamSid\":\"" LONG_40 "\"}",
      MEDIA_OTHER, -EPROTO, NULL, 0 },
    { "a timestamp of letters",
      "{\"event\":\"media\",\"media\":{\"payload\":\"\",\"timestamp\":\"5s\"}," SIDS "}",
      MEDIA_OTHER, -EPROTO, NULL, 0 },
    { "a timestamp too large",
      "{\"event\":\"media\",\"media\":{\"payload\":\"\",\"timestamp\":\"4294967296\"}," SIDS "}",
      MEDIA_OTHER, -EPROTO, NULL, 0 },
    { "a negative timestamp",
      "{\"event\":\"media\",\"media\":{\"payload\":\"\",\"timestamp\":-1}," SIDS "}", MEDIA_OTHER,
      -EPROTO, NULL, 0 },
    { "a timestamp of null",
      "{\"event\":\"media\",\"media\":{\"payload\":\"\",\"timestamp\":null}," SIDS "}", MEDIA_OTHER,
      -EPROTO, NULL, 0 },
    { "cut short", "{\"event\":\"media\",\"media\":{\"payload\":\"AA==\"}," SIDS, MEDIA_OTHER,
      -EBADMSG, NULL, 0 },
    { "cut within a string", "{\"event\":\"media\",\"media\":{\"payload\":\"AA", MEDIA_OTHER,
      -EBADMSG, NULL, 0 },
    { "something behind it", "{\"event\":\"media\",\"media\":{\"payload\":\"AA==\"}," SIDS "}x",
      MEDIA_OTHER, -EBADMSG, NULL, 0 },
    { "two messages", "{\"event\":\"media\",\"media\":{\"payload\":\"\"}," SIDS "}{}", MEDIA_OTHER,
      -EBADMSG, NULL, 0 },
    { "a comma too many", "{\"event\":\"media\",\"media\":{\"payload\":\"AA==\",}," SIDS "}",
      MEDIA_OTHER, -EBADMSG, NULL, 0 },
    { "a comma too few", "{\"event\":\"media\" \"media\":{\"payload\":\"AA==\"}," SIDS "}",
      MEDIA_OTHER, -EBADMSG, NULL, 0 },
    { "single quotes", "{'event':'media','media':{'payload':'AA=='},'streamSid':'MZ1'}",
      MEDIA_OTHER, -EBADMSG, NULL, 0 },
    { "not UTF-8", "{\"event\":\"media\",\"x\":\"\xff\",\"media\":{\"payload\":\"AA==\"}," SIDS "}",
      MEDIA_OTHER, -EBADMSG, NULL, 0 },
};

static const struct {
    const char *what, *text;
    int parsed;
    struct media_message want;
} others[] = {
    { "connected",
      "{\"event\":\"connected\",\"protocol\":\"Call\",\"version\":\"1.0.0\"}",
      MEDIA_CONNECTED,
      { 0 } },
    { "start",
      "{\"event\":\"start\",\"sequenceNumber\":\"1\",\"start\":{" SIDS "," CALL
      ",\"tracks\":[\"inbound\"],\"customParameters\":{\"token\":\"t0\"}," ULAW "}," SIDS "}",
      MEDIA_START,
      { .stream_sid = SID, .call_sid = "CA1", .account_sid = "AC1", .token = "t0" } },
    { "start without a token",
      "{\"event\":\"start\",\"start\":{" SIDS "," CALL "," ULAW "}," SIDS "}",
      MEDIA_START,
      { .stream_sid = SID, .call_sid = "CA1", .account_sid = "AC1" } },
    { "start with a token too long",
      "{\"event\":\"start\",\"start\":{" SIDS "," CALL ",\"customParameters\":{\"token\":\"" LONG_40
      "abcd\"}," ULAW "}," SIDS "}",
      MEDIA_START,
      { .stream_sid = SID, .call_sid = "CA1", .account_sid = "AC1" } },
    { "start of another stream",
      "{\"event\":\"start\",\"start\":{\"streamSid\":\"MZ2\"," CALL "," ULAW "}," SIDS "}",
      -EPROTO,
      { 0 } },
    { "start with a streamSid that would break our JSON",
      "{\"event\":\"start\",\"start\":{\"streamSid\":\"MZ\\\"\"," CALL "," ULAW
      "},\"streamSid\":\"MZ\\\"\"}",
      -EPROTO,
      { 0 } },
    { "start without callSid",
      "{\"event\":\"start\",\"start\":{" SIDS ",\"accountSid\":\"AC1\"," ULAW "}," SIDS "}",
      -EPROTO,
      { 0 } },
    { "start with a callSid of two lines",
      "{\"event\":\"start\",\"start\":{" SIDS
      ",\"callSid\":\"CA1\\nCA2\",\"accountSid\":\"AC1\"," ULAW "}," SIDS "}",
      -EPROTO,
      { 0 } },
    { "start without accountSid",
      "{\"event\":\"start\",\"start\":{" SIDS ",\"callSid\":\"CA1\"," ULAW "}," SIDS "}",
      -EPROTO,
      { 0 } },
    { "start without a format",
      "{\"event\":\"start\",\"start\":{" SIDS "," CALL "}," SIDS "}",
      -EPROTO,
      { 0 } },
    { "start in PCM",
      "{\"event\":\"start\",\"start\":{" SIDS "," CALL
      ",\"mediaFormat\":{\"encoding\":\"audio/l16\",\"sampleRate\":8000,\"channels\":1}}," SIDS "}",
      -EPROTO,
      { 0 } },
    { "start at 16 kHz",
      "{\"event\":\"start\",\"start\":{" SIDS "," CALL
      ",\"mediaFormat\":{\"encoding\":\"audio/x-mulaw\",\"sampleRate\":16000,\"channels\":1}}," SIDS
      "}",
      -EPROTO,
      { 0 } },
    { "start in stereo",
      "{\"event\":\"start\",\"start\":{" SIDS "," CALL
      ",\"mediaFormat\":{\"encoding\":\"audio/x-mulaw\",\"sampleRate\":8000,\"channels\":2}}," SIDS
      "}",
      -EPROTO,
      { 0 } },
    { "start without start", "{\"event\":\"start\"," SIDS "}", -EPROTO, { 0 } },
    { "a key",
      "{\"event\":\"dtmf\"," SIDS ",\"dtmf\":{\"track\":\"inbound_track\",\"digit\":\"#\"}}",
      MEDIA_DTMF,
      { .stream_sid = SID, .digit = '#' } },
    { "two keys", "{\"event\":\"dtmf\"," SIDS ",\"dtmf\":{\"digit\":\"12\"}}", -EPROTO, { 0 } },
    { "a key that is none",
      "{\"event\":\"dtmf\"," SIDS ",\"dtmf\":{\"digit\":\"x\"}}",
      -EPROTO,
      { 0 } },
    { "a key of no letter",
      "{\"event\":\"dtmf\"," SIDS ",\"dtmf\":{\"digit\":\"\\u0000\"}}",
      -EPROTO,
      { 0 } },
    { "a mark",
      "{\"event\":\"mark\"," SIDS ",\"mark\":{\"name\":\"3.2\"}}",
      MEDIA_MARK,
      { .stream_sid = SID, .mark = "3.2" } },
    { "a mark without a name", "{\"event\":\"mark\"," SIDS ",\"mark\":{}}", -EPROTO, { 0 } },
    { "a mark with a long name",
      "{\"event\":\"mark\"," SIDS ",\"mark\":{\"name\":\"" LONG_40 LONG_40 "\"}}",
      -EPROTO,
      { 0 } },
    { "stop",
      "{\"event\":\"stop\"," SIDS ",\"stop\":{" CALL "}}",
      MEDIA_STOP,
      { .stream_sid = SID, .call_sid = "CA1", .account_sid = "AC1" } },
    { "a bare stop", "{\"event\":\"stop\"," SIDS "}", MEDIA_STOP, { .stream_sid = SID } },
    { "something to come", "{\"event\":\"future\",\"x\":[1,2,{}]}", MEDIA_UNKNOWN, { 0 } },
    { "no event", "{" SIDS "}", -EPROTO, { 0 } },
    { "an event that is no string", "{\"event\":1}", -EPROTO, { 0 } },
    { "an array", "[\"event\"]", -EBADMSG, { 0 } },
    { "a number", "1", -EBADMSG, { 0 } },
    { "null", "null", -EBADMSG, { 0 } },
    { "nothing", "", -EBADMSG, { 0 } },
    { "half", "{\"event\":\"start\"", -EBADMSG, { 0 } },
};

static bool same_audio(const struct media_audio *audio, const char *payload, uint32_t timestamp_ms)
{
    return audio->n_payload == strlen(payload) &&
           memcmp(audio->payload, payload, audio->n_payload) == 0 &&
           audio->n_stream_sid == strlen(SID) &&
           memcmp(audio->stream_sid, SID, audio->n_stream_sid) == 0 &&
           audio->timestamp_ms == timestamp_ms;
}

/* On the heap without a NUL, so that a sanitizer sees one byte too many. */
static char *exact(const char *text)
{
    size_t n = strlen(text);
    char *block = malloc(n ? n : 1);

    memcpy(block, text, n);
    return block;
}

static void reads_media(void)
{
    for (size_t i = 0; i < ELEMENTSOF(medias); i++) {
        scoped(free) char *text = exact(medias[i].text);
        size_t n = strlen(medias[i].text);
        struct media_audio audio = { 0 };
        struct media_message message = { 0 };
        const char *why = NULL;

        enum media_event scanned = media_scan(text, n, &audio);
        ok(scanned == medias[i].scanned &&
               (scanned != MEDIA_AUDIO ||
                same_audio(&audio, medias[i].payload, medias[i].timestamp_ms)),
           "%s: scanned", medias[i].what);

        int r = media_parse(text, n, &message, &why);
        int got = r < 0 ? r : (int)message.event;
        ok(got == medias[i].parsed && (r < 0) == !!why &&
               (got != MEDIA_AUDIO ||
                same_audio(&message.audio, medias[i].payload, medias[i].timestamp_ms)),
           "%s: parsed%s%s", medias[i].what, why ? ", " : "", why ? why : "");
        if (r == 0)
            media_message_done(&message);
    }
}

static void reads_others(void)
{
    for (size_t i = 0; i < ELEMENTSOF(others); i++) {
        scoped(free) char *text = exact(others[i].text);
        size_t n = strlen(others[i].text);
        struct media_audio audio;
        struct media_message message = { 0 };
        const struct media_message *want = &others[i].want;
        const char *why = NULL;

        int r = media_parse(text, n, &message, &why);
        ok((r < 0 ? r : (int)message.event) == others[i].parsed && (r < 0) == !!why &&
               (r < 0 || (strcmp(message.stream_sid, want->stream_sid) == 0 &&
                          strcmp(message.call_sid, want->call_sid) == 0 &&
                          strcmp(message.account_sid, want->account_sid) == 0 &&
                          strcmp(message.token, want->token) == 0 &&
                          strcmp(message.mark, want->mark) == 0 && message.digit == want->digit)),
           "%s%s%s", others[i].what, why ? ": " : "", why ? why : "");
        ok(media_scan(text, n, &audio) == MEDIA_OTHER, "%s: nothing for the scanner",
           others[i].what);
        if (r == 0)
            media_message_done(&message);
    }
}

/* No prefix of a good message is one, wherever it is cut: the steps of 16 have an end too. */
static void cuts(void)
{
    const char *whole = medias[0].text;
    int n_taken = 0;

    for (size_t n = 0; n < strlen(whole); n++) {
        scoped(free) char *text = malloc(n ? n : 1);
        struct media_audio audio;
        memcpy(text, whole, n);
        n_taken += media_scan(text, n, &audio) != MEDIA_OTHER;
    }
    is_int(n_taken, 0, "a message cut anywhere is left to json-c");
}

static void writes(void)
{
    static const uint8_t ulaw[] = { 0xff, 0x7f };
    char out[256];
    size_t n = media_audio_size(strlen(SID), sizeof(ulaw));
    struct media_audio audio;

    memset(out, '~', sizeof(out));
    media_audio_write(out, SID, strlen(SID), ulaw, sizeof(ulaw));
    ok(out[n] == '~' && media_scan(out, n, &audio) == MEDIA_AUDIO && same_audio(&audio, "/38=", 0),
       "our audio is audio to our scanner");
    out[n] = '\0';
    is_str(out, "{\"event\":\"media\"," SIDS ",\"media\":{\"payload\":\"/38=\"}}",
           "audio has just the documented keys");

    memset(out, '~', sizeof(out));
    n = media_mark_size(strlen(SID), 3);
    media_mark_write(out, SID, strlen(SID), "3.2", 3);
    ok(out[n] == '~', "a mark has its size");
    out[n] = '\0';
    is_str(out, "{\"event\":\"mark\"," SIDS ",\"mark\":{\"name\":\"3.2\"}}",
           "a mark has just the documented keys");

    memset(out, '~', sizeof(out));
    n = media_clear_size(strlen(SID));
    media_clear_write(out, SID, strlen(SID));
    ok(out[n] == '~', "clear has its size");
    out[n] = '\0';
    is_str(out, "{\"event\":\"clear\"," SIDS "}", "clear has just the documented keys");
}

int main(void)
{
    reads_media();
    reads_others();
    cuts();
    writes();
    return done_testing();
}
