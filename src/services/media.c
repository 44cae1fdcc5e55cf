/*
 * media.c - the messages of a Twilio media stream, from our side
 *
 * Fifty times a second and call comes
 *
 *   {"event":"media","sequenceNumber":"3","media":{"track":"inbound","chunk":"1",
 *    "timestamp":"5","payload":"..."},"streamSid":"MZ..."}
 *
 * with its keys in an order nobody promised. media_scan() tries that very shape
 * first, and else walks it once: two
 * levels of objects whose members are strings without escapes, read in steps of
 * 16 bytes. Whatever goes beyond that (an escape, a number, a deeper object, a
 * byte over 127, one of our keys twice) is left to media_parse(), i.e. to json-c,
 * so the scanner takes nothing that json-c refuses or reads in another way; a
 * fuzz target compares the two.
 *
 * Both are tolerant of unknown keys and events, and strict in what is used later:
 * the streamSid that start brings is written into our own messages, so it has no
 * letter that JSON would have to escape.
 */
#include "services/media.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <json-c/json.h>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#include "utils/base64.h"

struct text {
    const char *s; /* NULL: not there */
    size_t n;
};

static bool text_is(struct text text, const char *word)
{
    return text.s && text.n == strlen(word) && memcmp(text.s, word, text.n) == 0;
}

/* Returns: false when it is not 1 to 10 digits that fit. */
static bool text_number(struct text text, uint32_t *ret_number)
{
    uint64_t number = 0;

    if (!text.n || text.n > 10)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.s[i] < '0' || text.s[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text.s[i] - '0');
    }
    *ret_number = (uint32_t)number;
    return number <= UINT32_MAX;
}

static bool fits_sid(struct text text)
{
    return text.n > 0 && text.n < SID_MAX &&
           !memchr(text.s, '\0', text.n); /* n is 0 without text */
}

/* --- the scanner */

struct cursor {
    const char *at, *end;
};

enum { EVENT, STREAM_SID, MEDIA, PAYLOAD, TIMESTAMP, TRACK, OTHER, N_FIELDS };

struct key {
    struct text name;
    int field;
};

struct level {
    const struct key *keys;
    size_t n_keys;
    const struct level *below; /* what the member MEDIA holds; NULL: there is no such member */
};

#define KEY(name, field)                                                                           \
    {                                                                                              \
        { name, sizeof(name) - 1 }, field                                                          \
    }

static const struct key inner_keys[] = { KEY("payload", PAYLOAD), KEY("timestamp", TIMESTAMP),
                                         KEY("track", TRACK) };
static const struct level inner = { inner_keys, ELEMENTSOF(inner_keys), NULL };
static const struct key outer_keys[] = { KEY("event", EVENT), KEY("streamSid", STREAM_SID),
                                         KEY("media", MEDIA) };
static const struct level outer = { outer_keys, ELEMENTSOF(outer_keys), &inner };

static inline void skip_space(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t' || *c->at == '\r'))
        c->at++;
}

static inline bool take(struct cursor *c, char wanted)
{
    skip_space(c);
    bool there = c->at < c->end && *c->at == wanted;
    c->at += there;
    return there;
}

/* A letter that stands for itself, and does not end the string. */
static inline bool plain(char letter)
{
    return (signed char)letter >= ' ' && letter != '"' && letter != '\\';
}

/* Up to the quote that ends it, which is taken, too. */
static inline bool take_rest(struct cursor *c, struct text *ret_text)
{
    const char *from = c->at;
#if defined(__x86_64__)
    for (; c->end - c->at >= 16; c->at += 16) {
        __m128i in = _mm_loadu_si128((const __m128i *)c->at);
        __m128i special = _mm_or_si128(_mm_cmpeq_epi8(in, _mm_set1_epi8('"')),
                                       _mm_cmpeq_epi8(in, _mm_set1_epi8('\\')));
        int mask = _mm_movemask_epi8(_mm_or_si128(special, _mm_cmplt_epi8(in, _mm_set1_epi8(' '))));
        if (mask) {
            c->at += __builtin_ctz((unsigned)mask);
            break;
        }
    }
#endif
    while (c->at < c->end && plain(*c->at))
        c->at++;
    if (c->at == c->end || *c->at != '"')
        return false;
    *ret_text = (struct text){ from, (size_t)(c->at++ - from) };
    return true;
}

static inline bool take_string(struct cursor *c, struct text *ret_text)
{
    return take(c, '"') && take_rest(c, ret_text);
}

static int find_field(const struct level *level, struct text name)
{
    for (size_t i = 0; i < level->n_keys; i++)
        if (level->keys[i].name.n == name.n && memcmp(level->keys[i].name.s, name.s, name.n) == 0)
            return level->keys[i].field;
    return -1;
}

static bool take_object(struct cursor *c, const struct level *level, struct text fields[N_FIELDS])
{
    struct text name, value;

    if (!take(c, '{'))
        return false;
    do {
        if (!take_string(c, &name) || !take(c, ':'))
            return false;
        int field = find_field(level, name);
        if (field >= 0 && fields[field].s)
            return false; /* twice: let json-c say which one counts */
        value = name;
        if (!(field == MEDIA ? take_object(c, level->below, fields) : take_string(c, &value)))
            return false;
        if (field >= 0)
            fields[field] = value;
    } while (take(c, ','));
    return take(c, '}');
}

/* Twilio's own order: what stands before each value, up to its quote. */
static const struct key usual[] = {
    KEY("{\"event\":\"media\",\"sequenceNumber\":\"", OTHER),
    KEY(",\"media\":{\"track\":\"inbound\",\"chunk\":\"", OTHER),
    KEY(",\"timestamp\":\"", TIMESTAMP),
    KEY(",\"payload\":\"", PAYLOAD),
    KEY("},\"streamSid\":\"", STREAM_SID),
};

static bool take_usual(struct cursor c, struct text fields[N_FIELDS])
{
    for (size_t i = 0; i < ELEMENTSOF(usual); i++) {
        const struct text *before = &usual[i].name;

        if ((size_t)(c.end - c.at) < before->n || memcmp(c.at, before->s, before->n) != 0)
            return false;
        c.at += before->n;
        if (!take_rest(&c, &fields[usual[i].field]))
            return false;
    }
    return c.end - c.at == 1 && *c.at == '}';
}

static bool take_any(struct cursor c, struct text fields[N_FIELDS])
{
    if (!take_object(&c, &outer, fields))
        return false;
    skip_space(&c);
    return c.at == c.end && text_is(fields[EVENT], "media") && (!fields[TRACK].s || text_is(fields[TRACK], "inbound"));
}

enum media_event media_scan(const char *text, size_t n, struct media_audio *ret_audio)
{
    struct cursor c = { text, text + n };
    struct text fields[N_FIELDS] = { 0 };
    uint32_t timestamp_ms = 0;

    if (!take_usual(c, fields) && !take_any(c, memset(fields, 0, sizeof(fields))))
        return MEDIA_OTHER;
    if (!fields[PAYLOAD].s || !fits_sid(fields[STREAM_SID]))
        return MEDIA_OTHER;
    if (fields[TIMESTAMP].s && !text_number(fields[TIMESTAMP], &timestamp_ms))
        return MEDIA_OTHER;

    *ret_audio = (struct media_audio){ fields[PAYLOAD].s, fields[PAYLOAD].n, fields[STREAM_SID].s,
                                       fields[STREAM_SID].n, timestamp_ms };
    return MEDIA_AUDIO;
}

/* --- everything else, by json-c */

static struct json_object *member(struct json_object *object, const char *name, enum json_type type)
{
    struct json_object *value = NULL;

    if (!json_object_is_type(object, json_type_object))
        return NULL;
    json_object_object_get_ex(object, name, &value);
    return json_object_is_type(value, type) ? value : NULL;
}

static struct text member_text(struct json_object *object, const char *name)
{
    struct json_object *value = member(object, name, json_type_string);

    if (!value)
        return (struct text){ NULL, 0 };
    return (struct text){ json_object_get_string(value),
                          (size_t)json_object_get_string_len(value) };
}

static bool member_sid(struct json_object *object, const char *name, char ret_sid[SID_MAX])
{
    struct text sid = member_text(object, name);

    if (!fits_sid(sid))
        return false;
    memcpy(ret_sid, sid.s, sid.n);
    ret_sid[sid.n] = '\0';
    return true;
}

/* What we write back needs no escaping, and what we log is one line. */
static bool sid_is_plain(const char *sid)
{
    return sid[strspn(sid, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")] ==
           '\0';
}

static bool format_is_ours(struct json_object *start)
{
    struct json_object *format = member(start, "mediaFormat", json_type_object);

    return text_is(member_text(format, "encoding"), "audio/x-mulaw") &&
           json_object_get_int64(member(format, "sampleRate", json_type_int)) == 8000 &&
           json_object_get_int64(member(format, "channels", json_type_int)) == 1;
}

static const char *parse_connected(struct json_object *json, struct media_message *message)
{
    return NULL;
}

static const char *parse_start(struct json_object *json, struct media_message *message)
{
    struct json_object *start = member(json, "start", json_type_object);
    struct text token = member_text(member(start, "customParameters", json_type_object), "token");
    char stream_sid[SID_MAX];

    if (!start)
        return "no start object";
    if (!member_sid(start, "streamSid", stream_sid) || strcmp(stream_sid, message->stream_sid) != 0)
        return "start.streamSid is missing or differs from streamSid";
    if (!sid_is_plain(stream_sid))
        return "streamSid has other letters than a SID";
    if (!member_sid(start, "callSid", message->call_sid) || !sid_is_plain(message->call_sid))
        return "start.callSid is missing or not a SID";
    if (!member_sid(start, "accountSid", message->account_sid) ||
        !sid_is_plain(message->account_sid))
        return "start.accountSid is missing or not a SID";
    if (!format_is_ours(start))
        return "start.mediaFormat is not audio/x-mulaw, 8000 Hz, 1 channel";
    if (token.s && token.n < STREAM_TOKEN_MAX)
        memcpy(message->token, token.s, token.n);
    return NULL;
}

static const char *parse_media(struct json_object *json, struct media_message *message)
{
    struct json_object *media = member(json, "media", json_type_object), *value;
    struct text payload = member_text(media, "payload"), track = member_text(media, "track");
    struct text stream_sid = member_text(json, "streamSid");
    struct media_audio *audio = &message->audio;

    if (!payload.s)
        return "media.payload is missing or not a string";
    if (track.s && !text_is(track, "inbound")) {
        message->event = MEDIA_UNKNOWN;
        return NULL;
    }
    *audio = (struct media_audio){ payload.s, payload.n, stream_sid.s, stream_sid.n, 0 };
    if (json_object_object_get_ex(media, "timestamp", &value)) {
        struct text digits = { json_object_get_string(value), 0 };
        digits.n = digits.s ? strlen(digits.s) : 0;
        if (!text_number(digits, &audio->timestamp_ms))
            return "media.timestamp is not a number";
    }
    return NULL;
}

static const char *parse_dtmf(struct json_object *json, struct media_message *message)
{
    struct text digit = member_text(member(json, "dtmf", json_type_object), "digit");

    if (digit.n != 1 || !memchr("0123456789*#ABCD", *digit.s, 16))
        return "dtmf.digit is not one key";
    message->digit = *digit.s;
    return NULL;
}

static const char *parse_mark(struct json_object *json, struct media_message *message)
{
    struct text name = member_text(member(json, "mark", json_type_object), "name");

    if (!name.s || name.n >= MEDIA_MARK_MAX)
        return "mark.name is missing or too long";
    memcpy(message->mark, name.s, name.n);
    return NULL;
}

/* The call is over whether or not it says whose. */
static const char *parse_stop(struct json_object *json, struct media_message *message)
{
    struct json_object *stop = member(json, "stop", json_type_object);

    (void)member_sid(stop, "callSid", message->call_sid);
    (void)member_sid(stop, "accountSid", message->account_sid);
    return NULL;
}

static const struct {
    const char *name;
    enum media_event event;
    bool has_stream_sid;
    const char *(*parse)(struct json_object *json,
                         struct media_message *message); /* returns what is wrong */
} events[] = {
    { "connected", MEDIA_CONNECTED, false, parse_connected },
    { "start", MEDIA_START, true, parse_start },
    { "media", MEDIA_AUDIO, true, parse_media },
    { "dtmf", MEDIA_DTMF, true, parse_dtmf },
    { "mark", MEDIA_MARK, true, parse_mark },
    { "stop", MEDIA_STOP, true, parse_stop },
};

static const char *parse_event(struct json_object *json, struct media_message *message)
{
    struct text event = member_text(json, "event");
    bool has_sid = member_sid(json, "streamSid", message->stream_sid);

    if (!event.s)
        return "event is missing or not a string";
    for (size_t i = 0; i < ELEMENTSOF(events); i++) {
        if (!text_is(event, events[i].name))
            continue;
        message->event = events[i].event;
        if (events[i].has_stream_sid && !has_sid)
            return "streamSid is missing or not a SID";
        return events[i].parse(json, message);
    }
    message->event = MEDIA_UNKNOWN;
    return NULL;
}

static struct json_object *parse_json(const char *text, size_t n)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *json = NULL;

    if (!tokener)
        return NULL;
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    json = json_tokener_parse_ex(tokener, text, (int)n);
    for (size_t i = json_tokener_get_parse_end(tokener); json && i < n; i++) {
        if (strchr(" \t\r\n", text[i] ?: 'x'))
            continue;
        json_object_put(json);
        json = NULL;
    }
    json_tokener_free(tokener);
    return json;
}

int media_parse(const char *text, size_t n, struct media_message *ret_message, const char **ret_why)
{
    struct media_message message = { .json = n <= INT32_MAX ? parse_json(text, n) : NULL };

    if (!json_object_is_type(message.json, json_type_object)) {
        media_message_done(&message);
        *ret_why = "not a JSON object";
        return -EBADMSG;
    }

    const char *why = parse_event(message.json, &message);
    if (why) {
        media_message_done(&message);
        *ret_why = why;
        return -EPROTO;
    }
    *ret_message = message;
    return 0;
}

void media_message_done(struct media_message *message)
{
    json_object_put(message->json);
    message->json = NULL;
}

/* --- what we send */

static char *put(char *out, const char *text, size_t n)
{
    memcpy(out, text, n);
    return out + n;
}

/* A literal and its size, which are then the same in the size function and in the writer. */
#define PUT(out, literal) put(out, literal, sizeof(literal) - 1)
#define SIZE(literal) (sizeof(literal) - 1)

#define AUDIO_HEAD "{\"event\":\"media\",\"streamSid\":\""
#define AUDIO_NEXT "\",\"media\":{\"payload\":\""
#define MARK_HEAD "{\"event\":\"mark\",\"streamSid\":\""
#define MARK_NEXT "\",\"mark\":{\"name\":\""
#define TAIL "\"}}"
#define CLEAR_HEAD "{\"event\":\"clear\",\"streamSid\":\""
#define CLEAR_TAIL "\"}"

size_t media_audio_size(size_t n_stream_sid, size_t n_bytes)
{
    return SIZE(AUDIO_HEAD AUDIO_NEXT TAIL) + n_stream_sid + BASE64_SIZE(n_bytes);
}

void media_audio_write(char *out, const char *stream_sid, size_t n_stream_sid, const uint8_t *ulaw,
                       size_t n_bytes)
{
    out = PUT(put(PUT(out, AUDIO_HEAD), stream_sid, n_stream_sid), AUDIO_NEXT);
    base64_encode(ulaw, n_bytes, out);
    (void)PUT(out + BASE64_SIZE(n_bytes), TAIL);
}

size_t media_mark_size(size_t n_stream_sid, size_t n_name)
{
    return SIZE(MARK_HEAD MARK_NEXT TAIL) + n_stream_sid + n_name;
}

void media_mark_write(char *out, const char *stream_sid, size_t n_stream_sid, const char *name,
                      size_t n_name)
{
    out = PUT(put(PUT(out, MARK_HEAD), stream_sid, n_stream_sid), MARK_NEXT);
    (void)PUT(put(out, name, n_name), TAIL);
}

size_t media_clear_size(size_t n_stream_sid)
{
    return SIZE(CLEAR_HEAD CLEAR_TAIL) + n_stream_sid;
}

void media_clear_write(char *out, const char *stream_sid, size_t n_stream_sid)
{
    (void)PUT(put(PUT(out, CLEAR_HEAD), stream_sid, n_stream_sid), CLEAR_TAIL);
}
