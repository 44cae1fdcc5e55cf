/*
 * twiml.c - a small strict reader of TwiML
 *
 * One pass over a writable copy of the document: names, values and text are
 * terminated and their entities decoded in place, which never makes them longer.
 * A terminator may fall on the byte that ends a token, so that byte is always
 * read before it is overwritten. No namespaces, no document types, no CDATA:
 * TwiML has no use for them, and what a server sends by mistake shall show.
 */
#include "caller/twiml.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "utils/scoped.h"

struct reader {
    char *at, *end;
    struct twiml *twiml;
    int open[TWIML_DEPTH_MAX];
    size_t n_open;
    const char *why;
};

struct element {
    const char *name, *parent, *attributes; /* attributes: words with a blank around each */
};

static const struct element elements[] = {
    { "Response", NULL, " " },
    { "Connect", "Response", " action method " },
    { "Stream", "Connect", " url name track statusCallback statusCallbackMethod " },
    { "Parameter", "Stream", " name value " },
    { "Reject", "Response", " reason " },
    { "Hangup", "Response", " " },
    { "Pause", "Response", " length " },
    { "Redirect", "Response", " method " },
    { "Say", "Response", " voice language loop " },
    { "Play", "Response", " loop digits " },
    { "Record", "Response",
      " action method timeout finishOnKey maxLength playBeep trim recordingStatusCallback"
      " recordingStatusCallbackMethod recordingStatusCallbackEvent"
      " transcribe transcribeCallback " },
    { "Dial", "Response",
      " action method timeout timeLimit callerId answerOnBridge hangupOnStar record"
      " recordingStatusCallback recordingStatusCallbackMethod recordingStatusCallbackEvent"
      " recordingTrack sequential ringTone trim " },
    { "Number", "Dial",
      " url method sendDigits statusCallback statusCallbackEvent statusCallbackMethod " },
    { "Client", "Dial", " url method statusCallback statusCallbackEvent statusCallbackMethod " },
    { "Sip", "Dial",
      " url method username password statusCallback statusCallbackEvent statusCallbackMethod " },
    { "Conference", "Dial",
      " muted beep startConferenceOnEnter endConferenceOnExit waitUrl maxParticipants " },
    { "Gather", "Response",
      " input action method actionOnEmptyResult numDigits finishOnKey timeout speechTimeout"
      " language hints speechModel partialResultCallback profanityFilter " },
    { "Say", "Gather", " voice language loop " },
    { "Play", "Gather", " loop digits " },
    { "Pause", "Gather", " length " },
    { "Start", "Response", " action method " },
    { "Recording", "Start",
      " recordingStatusCallback recordingStatusCallbackMethod recordingStatusCallbackEvent"
      " channels track trim " },
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_name(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!first && ((c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':'));
}

static int fail(struct reader *reader, const char *why)
{
    reader->why = why;
    return -EBADMSG;
}

static bool begins(const struct reader *reader, const char *word)
{
    size_t n = strlen(word);

    return (size_t)(reader->end - reader->at) >= n && memcmp(reader->at, word, n) == 0;
}

static bool skip_spaces(struct reader *reader)
{
    char *from = reader->at;

    while (reader->at < reader->end && is_space(*reader->at))
        reader->at++;
    return reader->at > from;
}

static size_t write_utf8(char *out, unsigned long c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* One character reference without & and ;. Returns: bytes written, 0: there is no such one. */
static size_t decode_reference(const char *name, size_t n, char *out)
{
    static const struct {
        const char *name;
        char c;
    } named[] = {
        { "amp", '&' }, { "lt", '<' }, { "gt", '>' }, { "quot", '"' }, { "apos", '\'' },
    };
    unsigned long c = 0;

    for (size_t i = 0; i < ELEMENTSOF(named); i++)
        if (strlen(named[i].name) == n && memcmp(named[i].name, name, n) == 0) {
            *out = named[i].c;
            return 1;
        }

    bool hex = n > 2 && name[1] == 'x';
    size_t i = hex ? 2 : 1;
    if (n < 2 || name[0] != '#' || n > 8)
        return 0;
    for (; i < n; i++) {
        char d = name[i];
        unsigned long digit = d >= '0' && d <= '9'          ? (unsigned long)(d - '0')
                              : hex && d >= 'a' && d <= 'f' ? (unsigned long)(d - 'a' + 10)
                              : hex && d >= 'A' && d <= 'F' ? (unsigned long)(d - 'A' + 10)
                                                            : 99;
        if (digit == 99)
            return 0;
        c = c * (hex ? 16 : 10) + digit;
    }
    if (c == 0 || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return 0;
    return write_utf8(out, c);
}

/* Decode [from, to) in place and terminate it; no reference is shorter than its character. */
static int decode(struct reader *reader, char *from, char *to)
{
    char *out = from;

    while (from < to) {
        if (*from != '&') {
            *out++ = *from++;
            continue;
        }
        char *semicolon = memchr(from, ';', (size_t)(to - from));
        size_t n = semicolon ? decode_reference(from + 1, (size_t)(semicolon - from - 1), out) : 0;
        if (n == 0)
            return fail(reader, "a character reference that does not exist");
        out += n;
        from = semicolon + 1;
    }
    *out = '\0';
    return 0;
}

/* Leaves reader->at on the byte after the name, not terminated. */
static char *read_name(struct reader *reader, size_t *ret_n)
{
    char *from = reader->at;

    while (reader->at < reader->end && is_name(*reader->at, reader->at == from))
        reader->at++;
    *ret_n = (size_t)(reader->at - from);
    return from;
}

static int read_attribute(struct reader *reader, struct twiml_node *node)
{
    size_t n_name;
    char *name = read_name(reader, &n_name);

    if (n_name == 0)
        return fail(reader, "an attribute without a name");
    char *name_end = reader->at;
    skip_spaces(reader);
    if (reader->at >= reader->end || *reader->at != '=')
        return fail(reader, "an attribute without a value");
    reader->at++;
    skip_spaces(reader);
    *name_end = '\0';

    if (reader->at >= reader->end || (*reader->at != '"' && *reader->at != '\''))
        return fail(reader, "an attribute value without quotes");
    char quote = *reader->at++;
    char *value = reader->at;
    char *close = memchr(value, quote, (size_t)(reader->end - value));
    if (!close || memchr(value, '<', (size_t)(close - value)))
        return fail(reader, "an attribute value that does not end");
    reader->at = close + 1;
    if (decode(reader, value, close) < 0)
        return -EBADMSG;

    if (node->n_attributes == TWIML_ATTRIBUTES_MAX)
        return fail(reader, "too many attributes");
    if (twiml_attribute(node, name))
        return fail(reader, "an attribute given twice");
    node->attributes[node->n_attributes++] = (struct twiml_attribute){ name, value };
    return 0;
}

static int read_open_tag(struct reader *reader)
{
    struct twiml *twiml = reader->twiml;
    size_t n_name;

    char *name = read_name(reader, &n_name);
    if (n_name == 0)
        return fail(reader, "a tag without a name");
    if (twiml->n_nodes == TWIML_NODES_MAX || reader->n_open == TWIML_DEPTH_MAX)
        return fail(reader, "too many elements");
    if (reader->n_open == 0 && twiml->n_nodes > 0)
        return fail(reader, "more than one root element");

    struct twiml_node *node = &twiml->nodes[twiml->n_nodes];
    *node = (struct twiml_node){
        .name = name,
        .text = "",
        .parent = reader->n_open ? reader->open[reader->n_open - 1] : -1,
    };
    char *name_end = reader->at;
    bool spaced = skip_spaces(reader);
    while (reader->at < reader->end && *reader->at != '>' && *reader->at != '/') {
        if (!spaced)
            return fail(reader, "no blank before an attribute");
        if (read_attribute(reader, node) < 0)
            return -EBADMSG;
        spaced = skip_spaces(reader);
    }

    bool empty = begins(reader, "/>");
    if (!empty && !begins(reader, ">"))
        return fail(reader, "a tag that does not end");
    reader->at += empty ? 2 : 1;
    if (!empty)
        reader->open[reader->n_open++] = (int)twiml->n_nodes;
    twiml->n_nodes++;
    *name_end = '\0';
    return 0;
}

static int read_close_tag(struct reader *reader)
{
    size_t n_name;

    const char *name = read_name(reader, &n_name);
    skip_spaces(reader);
    if (reader->n_open == 0 || !begins(reader, ">"))
        return fail(reader, "a closing tag out of place");

    const char *open = reader->twiml->nodes[reader->open[reader->n_open - 1]].name;
    if (strlen(open) != n_name || memcmp(open, name, n_name) != 0)
        return fail(reader, "a closing tag of another element");
    reader->n_open--;
    reader->at++;
    return 0;
}

/* Text up to the next tag, whose '<' must live until read_document() has seen what it begins. */
static int read_text(struct reader *reader)
{
    char *from = reader->at;
    char *to = memchr(from, '<', (size_t)(reader->end - from));

    to = to ? to : reader->end;
    reader->at = to;
    while (from < to && is_space(*from))
        from++;
    while (to > from && is_space(to[-1]))
        to--;
    if (from == to)
        return 0;
    if (reader->n_open == 0)
        return fail(reader, "text outside the root element");

    struct twiml_node *node = &reader->twiml->nodes[reader->open[reader->n_open - 1]];
    if (node->text[0] != '\0')
        return fail(reader, "text on both sides of an element");
    char after = *to;
    if (decode(reader, from, to) < 0)
        return -EBADMSG;
    if (to == reader->at)
        *to = after;
    node->text = from;
    return 0;
}

static int skip_comment(struct reader *reader)
{
    char *found = memmem(reader->at, (size_t)(reader->end - reader->at), "-->", 3);

    if (!found)
        return fail(reader, "a comment that does not end");
    reader->at = found + 3;
    return 0;
}

static int skip_declaration(struct reader *reader)
{
    char *found = memmem(reader->at, (size_t)(reader->end - reader->at), "?>", 2);

    if (!found || reader->twiml->n_nodes > 0)
        return fail(reader, "a declaration out of place");
    reader->at = found + 2;
    return 0;
}

static const struct markup {
    const char *begin;
    int (*read)(struct reader *reader);
} markups[] = {
    { "<!--", skip_comment },
    { "<?xml", skip_declaration },
    { "</", read_close_tag },
    { "<", read_open_tag },
};

static int read_markup(struct reader *reader)
{
    for (size_t i = 0; i < ELEMENTSOF(markups); i++)
        if (begins(reader, markups[i].begin)) {
            *reader->at = '\0'; /* ends the text before it */
            reader->at += strlen(markups[i].begin);
            return markups[i].read(reader);
        }
    return read_text(reader);
}

static int read_document(struct reader *reader)
{
    int r = 0;

    if (begins(reader, "\xEF\xBB\xBF"))
        reader->at += 3;
    while (r == 0 && reader->at < reader->end)
        r = read_markup(reader);
    if (r < 0)
        return r;
    if (reader->n_open > 0)
        return fail(reader, "an element that is not closed");
    if (reader->twiml->n_nodes == 0 || strcmp(reader->twiml->nodes[0].name, "Response") != 0)
        return fail(reader, "the root element is not <Response>");
    return 0;
}

int twiml_parse(const char *xml, size_t n, struct twiml *ret_twiml, const char **ret_why)
{
    struct twiml twiml = { 0 };
    struct reader reader = { .twiml = &twiml };

    *ret_why = "too long";
    if (n > TWIML_BYTES_MAX)
        return -EBADMSG;
    *ret_why = "a NUL byte";
    if (memchr(xml, '\0', n))
        return -EBADMSG;

    *ret_why = "out of memory";
    twiml.storage = malloc(n + 1);
    twiml.nodes = calloc(TWIML_NODES_MAX, sizeof(*twiml.nodes));
    if (!twiml.storage || !twiml.nodes) {
        twiml_done(&twiml);
        return -ENOMEM;
    }
    memcpy(twiml.storage, xml, n);
    twiml.storage[n] = '\0';
    reader.at = twiml.storage;
    reader.end = twiml.storage + n;

    int r = read_document(&reader);
    if (r < 0) {
        *ret_why = reader.why;
        twiml_done(&twiml);
        return r;
    }
    *ret_twiml = twiml;
    return 0;
}

void twiml_done(struct twiml *twiml)
{
    free(twiml->nodes);
    free(twiml->storage);
    *twiml = (struct twiml){ 0 };
}

const char *twiml_attribute(const struct twiml_node *node, const char *name)
{
    for (size_t i = 0; i < node->n_attributes; i++)
        if (strcmp(node->attributes[i].name, name) == 0)
            return node->attributes[i].value;
    return NULL;
}

int twiml_find(const struct twiml *twiml, const char *name, int parent, int from)
{
    for (size_t i = from < 0 ? 0 : (size_t)from; i < twiml->n_nodes; i++)
        if (twiml->nodes[i].parent == parent && strcmp(twiml->nodes[i].name, name) == 0)
            return (int)i;
    return -1;
}

static const struct element *find_element(const char *name, const char *parent)
{
    for (size_t i = 0; i < ELEMENTSOF(elements); i++)
        if (strcmp(elements[i].name, name) == 0 &&
            (parent != NULL) == (elements[i].parent != NULL) &&
            (!parent || strcmp(elements[i].parent, parent) == 0))
            return &elements[i];
    return NULL;
}

static bool has_word(const char *words, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = words; (at = strstr(at, word)) != NULL; at++)
        if (at > words && at[-1] == ' ' && at[n] == ' ')
            return true;
    return false;
}

static void check_node(const struct twiml *twiml, const struct twiml_node *node,
                       breach_fn *on_breach, void *user)
{
    const char *parent = node->parent < 0 ? NULL : twiml->nodes[node->parent].name;
    const struct element *element = find_element(node->name, parent);
    char detail[160];

    if (!element) {
        snprintf(detail, sizeof(detail), "<%.40s> in <%.40s>", node->name, parent ? parent : "");
        on_breach(user, BREACH_TWIML_SCHEMA, detail);
        return;
    }
    for (size_t i = 0; i < node->n_attributes; i++)
        if (!has_word(element->attributes, node->attributes[i].name)) {
            snprintf(detail, sizeof(detail), "%.40s= of <%.40s>", node->attributes[i].name,
                     node->name);
            on_breach(user, BREACH_TWIML_SCHEMA, detail);
        }

    const char *track = twiml_attribute(node, "track");
    if (strcmp(node->name, "Stream") == 0 && track && strcmp(track, "inbound_track") != 0)
        on_breach(user, BREACH_STREAM_TRACK, track);

    if (strcmp(node->name, "Parameter") == 0) {
        const char *name = twiml_attribute(node, "name"), *value = twiml_attribute(node, "value");
        if (!name || !value || strlen(name) + strlen(value) >= 500)
            on_breach(user, BREACH_TWIML_SCHEMA,
                      "a <Parameter> without name and value, or of 500 characters and more");
    }
}

void twiml_check(const struct twiml *twiml, const char *xml, size_t n, breach_fn *on_breach,
                 void *user)
{
    while (n > 0 && is_space(xml[n - 1]))
        n--;
    if (memchr(xml, '\n', n))
        on_breach(user, BREACH_TWIML_LINES, "");
    for (size_t i = 0; i < twiml->n_nodes; i++)
        check_node(twiml, &twiml->nodes[i], on_breach, user);
}
