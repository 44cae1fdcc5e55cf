/*
 * json_plain.c - JSON where nothing may be allocated
 *
 * Reading writes keys and texts, unescaped and each with its NUL, one behind the other into the room: they are never
 * longer than they were in the JSON, whose quotes make place for the NUL.
 */
#include "utils/json_plain.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "utils/utf8.h"

enum { UTF8_MAX = 4, REPLACEMENT = 0xFFFD };

/* --- writing */

static size_t put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t leads[] = { 0, 0, 0xC0, 0xE0, 0xF0 };

    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)(leads[n] | c);
    return n;
}

/* One character as it stands in a string. Returns: how many bytes of it were taken. */
static size_t quote_one(const char *bytes, size_t n, char out[8], size_t *ret_n_out)
{
    static const char plain[] = "\"\\\n\r\t", letters[] = "\"\\nrt";
    unsigned char c = (unsigned char)bytes[0];
    const char *short_form = c ? strchr(plain, c) : NULL;
    size_t size = c < 0x80 ? 1 : utf8_first(bytes, n);

    if (short_form) {
        *ret_n_out = (size_t)sprintf(out, "\\%c", letters[short_form - plain]);
    } else if (c < 0x20 || c == 0x7F) {
        *ret_n_out = (size_t)sprintf(out, "\\u%04x", c);
    } else if (!size) {
        *ret_n_out = put_utf8(out, REPLACEMENT);
    } else {
        memcpy(out, bytes, size);
        *ret_n_out = size;
    }
    return size ? size : 1;
}

size_t json_quote(char *out, size_t max, const char *bytes, size_t n)
{
    size_t at = 0;

    for (size_t i = 0; i < n;) {
        char one[8];
        size_t n_one;

        i += quote_one(bytes + i, n - i, one, &n_one);
        if (at + n_one > max)
            break;
        memcpy(out + at, one, n_one);
        at += n_one;
    }
    return at;
}

/* --- reading */

struct reader {
    const char *at;
    char *room;
    size_t n_room; /* left */
    int r;         /* the first error */
};

static bool fail(struct reader *reader, int r)
{
    reader->r = reader->r ? reader->r : r;
    return false;
}

static void skip_space(struct reader *reader)
{
    reader->at += strspn(reader->at, " \t\r\n");
}

static bool take(struct reader *reader, char c)
{
    skip_space(reader);
    if (*reader->at != c)
        return false;
    reader->at++;
    return true;
}

/* Four hexadecimal digits; -1: they are none. */
static int32_t hex4(const char *at)
{
    int32_t value = 0;

    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

static bool is_high(int32_t c)
{
    return c >= 0xD800 && c <= 0xDBFF;
}

static bool is_low(int32_t c)
{
    return c >= 0xDC00 && c <= 0xDFFF;
}

/* Behind a \u. Halves of a pair that stand alone are no character. */
static bool read_code(struct reader *reader, uint32_t *ret_code)
{
    int32_t code = hex4(reader->at);

    if (code <= 0)
        return fail(reader, -EBADMSG);
    reader->at += 4;
    int32_t low = is_high(code) && reader->at[0] == '\\' && reader->at[1] == 'u' ? hex4(reader->at + 2) : -1;
    if (is_low(low)) {
        reader->at += 6;
        *ret_code = 0x10000 + ((uint32_t)(code - 0xD800) << 10) + (uint32_t)(low - 0xDC00);
    } else {
        *ret_code = is_high(code) || is_low(code) ? REPLACEMENT : (uint32_t)code;
    }
    return true;
}

static bool read_escape(struct reader *reader, char out[UTF8_MAX], size_t *ret_n)
{
    static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char c = *reader->at;
    const char *found = c ? strchr(letters, c) : NULL;
    uint32_t code;

    if (!c)
        return fail(reader, -EBADMSG);
    reader->at++;
    if (found) {
        out[0] = values[found - letters];
        *ret_n = 1;
        return true;
    }
    if (c != 'u')
        return fail(reader, -EBADMSG);
    if (!read_code(reader, &code))
        return false;
    *ret_n = put_utf8(out, code);
    return true;
}

/* A string, its opening quote being taken; into the room. */
static bool read_text(struct reader *reader, char **ret_text)
{
    char *text = reader->room;

    for (;;) {
        char out[UTF8_MAX] = { *reader->at };
        size_t n = 1;

        if ((unsigned char)out[0] < ' ')
            return fail(reader, -EBADMSG);
        reader->at++;
        if (out[0] == '"')
            break;
        if (out[0] == '\\' && !read_escape(reader, out, &n))
            return false;
        if (n + 1 > reader->n_room)
            return fail(reader, -EMSGSIZE);
        memcpy(reader->room, out, n);
        reader->room += n;
        reader->n_room -= n;
    }
    if (!reader->n_room)
        return fail(reader, -EMSGSIZE);
    *reader->room++ = '\0';
    reader->n_room--;
    *ret_text = text;
    return true;
}

/* To the comma or brace behind a value that is no text; brackets and strings inside are passed. */
static bool skip_value(struct reader *reader)
{
    int depth = 0;
    const char *start = reader->at;

    for (;; reader->at++) {
        char c = *reader->at;
        if (!c)
            return fail(reader, -EBADMSG);
        if (depth == 0 && (c == ',' || c == '}'))
            return reader->at > start || fail(reader, -EBADMSG);
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        if (c != '"')
            continue;
        for (reader->at++; *reader->at && *reader->at != '"'; reader->at++)
            reader->at += *reader->at == '\\' && reader->at[1];
        if (!*reader->at)
            return fail(reader, -EBADMSG);
    }
}

static bool read_value(struct reader *reader, struct json_plain *member)
{
    skip_space(reader);
    member->text = NULL;
    if (take(reader, '"')) {
        member->kind = JSON_PLAIN_TEXT;
        return read_text(reader, &member->text);
    }
    member->kind = strncmp(reader->at, "null", 4) == 0 ? JSON_PLAIN_NULL : JSON_PLAIN_OTHER;
    return skip_value(reader);
}

static bool read_members(struct reader *reader, struct json_plain *members, size_t max, int *n)
{
    if (!take(reader, '{'))
        return fail(reader, -EBADMSG);
    if (take(reader, '}'))
        return true;
    do {
        struct json_plain *member = &members[*n];
        char *key;

        if ((size_t)*n == max)
            return fail(reader, -E2BIG);
        if (!take(reader, '"') || !read_text(reader, &key) || !take(reader, ':') || !read_value(reader, member))
            return fail(reader, -EBADMSG);
        member->key = key;
        for (int i = 0; i < *n; i++)
            if (strcmp(members[i].key, member->key) == 0)
                return fail(reader, -EBADMSG);
        ++*n;
    } while (take(reader, ','));
    return take(reader, '}') || fail(reader, -EBADMSG);
}

int json_plain_read(const char *json, char *room, size_t size, struct json_plain *members, size_t max)
{
    struct reader reader = { json, room, size, 0 };
    int n = 0;

    if (!utf8_valid(json, strlen(json)))
        return -EBADMSG;
    if (read_members(&reader, members, max, &n)) {
        skip_space(&reader);
        if (*reader.at)
            (void)fail(&reader, -EBADMSG);
    }
    return reader.r ? reader.r : n;
}
