/*
 * answer.c - an HTTP/1.1 response, from bytes
 *
 * Parsed anew from the first byte each time more has come: responses here are a
 * few hundred bytes, and a reader without state cannot be in a wrong one. A body
 * is measured first (by length, by chunks or up to the end of the connection)
 * and taken when all of it is there.
 */
#include "caller/answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "utils/scoped.h"

/* Where the head ends (behind its empty line); 0: not there yet. */
static size_t head_size(const char *bytes, size_t n)
{
    const char *end = memmem(bytes, n, "\r\n\r\n", 4);

    return end ? (size_t)(end - bytes) + 4 : 0;
}

static int parse_status(const char *head, size_t n)
{
    if (n < 12 || (memcmp(head, "HTTP/1.1 ", 9) != 0 && memcmp(head, "HTTP/1.0 ", 9) != 0))
        return -EBADMSG;
    for (int i = 9; i < 12; i++)
        if (head[i] < '0' || head[i] > '9')
            return -EBADMSG;
    if (head[9] == '0' || (head[12] != ' ' && head[12] != '\r'))
        return -EBADMSG;
    return (head[9] - '0') * 100 + (head[10] - '0') * 10 + (head[11] - '0');
}

/* head is writable and ends with an empty line. */
static int parse_fields(char *head, struct answer *answer)
{
    char *line = strstr(head, "\r\n") + 2;

    while (*line != '\r') {
        char *end = strstr(line, "\r\n"), *colon;
        *end = '\0';
        colon = strchr(line, ':');
        if (!colon || colon == line || strcspn(line, " \t") < (size_t)(colon - line) ||
            answer->n_fields == ANSWER_FIELDS_MAX)
            return -EBADMSG;
        *colon = '\0';
        char *value = colon + 1 + strspn(colon + 1, " \t"), *value_end = end;
        while (value_end > value && (value_end[-1] == ' ' || value_end[-1] == '\t'))
            value_end--;
        *value_end = '\0';
        answer->fields[answer->n_fields].name = line;
        answer->fields[answer->n_fields++].value = value;
        line = end + 2;
    }
    return 0;
}

/* Copy chunks to out, or only measure them (out NULL). Returns: raw bytes, 0 more is needed,
 * -EBADMSG. */
static long read_chunks(const char *bytes, size_t n, char *out, size_t *ret_n_body)
{
    size_t at = 0, n_body = 0;

    for (;;) {
        const char *line_end = memmem(bytes + at, n - at, "\r\n", 2);
        size_t size = 0, n_digits = 0;

        if (!line_end)
            return n - at > 128 ? -EBADMSG : 0;
        for (; bytes + at < line_end; at++, n_digits++) {
            const char *hex = "0123456789abcdef", *digit = memchr(hex, bytes[at] | 0x20, 16);
            if (!digit || n_digits == 7)
                break;
            size = size * 16 + (size_t)(digit - hex);
        }
        if (n_digits == 0 || (bytes + at < line_end && bytes[at] != ';' && bytes[at] != ' '))
            return -EBADMSG;
        at = (size_t)(line_end - bytes) + 2;

        if (size == 0) { /* trailers, then an empty line */
            for (;;) {
                line_end = memmem(bytes + at, n - at, "\r\n", 2);
                if (!line_end)
                    return n - at > ANSWER_HEAD_MAX ? -EBADMSG : 0;
                bool empty = line_end == bytes + at;
                at = (size_t)(line_end - bytes) + 2;
                if (empty) {
                    *ret_n_body = n_body;
                    return (long)at;
                }
            }
        }
        if (n_body + size > ANSWER_BODY_MAX)
            return -EBADMSG;
        if (n - at < size + 2)
            return 0;
        if (memcmp(bytes + at + size, "\r\n", 2) != 0)
            return -EBADMSG;
        if (out)
            memcpy(out + n_body, bytes + at, size);
        n_body += size;
        at += size + 2;
    }
}

enum body_kind { BODY_NONE, BODY_LENGTH, BODY_CHUNKS, BODY_TO_END };

static int body_kind(const struct answer *answer, size_t *ret_length, const char **ret_why)
{
    const char *length = answer_field(answer, "content-length");
    const char *coding = answer_field(answer, "transfer-encoding");

    if (answer->status < 200 || answer->status == 204 || answer->status == 304)
        return BODY_NONE;
    if (coding) {
        *ret_why = "a transfer coding other than chunked, or a length beside it";
        return strcasecmp(coding, "chunked") == 0 && !length ? BODY_CHUNKS : -EBADMSG;
    }
    if (!length)
        return BODY_TO_END;

    *ret_why = "a Content-Length that is no number or too large";
    if (*length == '\0' || length[strspn(length, "0123456789")] != '\0' || strlen(length) > 7)
        return -EBADMSG;
    *ret_length = strtoul(length, NULL, 10);
    return *ret_length > ANSWER_BODY_MAX ? -EBADMSG : BODY_LENGTH;
}

static long read_body(const char *bytes, size_t n, bool eof, struct answer *answer,
                      const char **ret_why)
{
    size_t n_body = 0;
    long n_raw = 0;
    int kind = body_kind(answer, &n_body, ret_why);

    if (kind < 0)
        return kind;
    if (kind == BODY_CHUNKS) {
        *ret_why = "broken chunks";
        n_raw = read_chunks(bytes, n, NULL, &n_body);
        if (n_raw <= 0)
            return n_raw < 0 || eof ? -EBADMSG : -EAGAIN;
    } else if (kind == BODY_TO_END) {
        *ret_why = "a body that is too long";
        if (n > ANSWER_BODY_MAX)
            return -EBADMSG;
        if (!eof)
            return -EAGAIN;
        n_body = n;
    } else if (n < n_body) {
        *ret_why = "the connection ended inside the body";
        return eof ? -EBADMSG : -EAGAIN;
    }

    char *body = malloc(n_body + 1);
    if (!body)
        return -ENOMEM;
    if (kind == BODY_CHUNKS)
        (void)read_chunks(bytes, n, body, &n_body);
    else
        memcpy(body, bytes, n_body);
    body[n_body] = '\0';
    answer->body = body;
    answer->n_body = n_body;
    return kind == BODY_CHUNKS ? n_raw : (long)n_body;
}

long answer_parse(const char *bytes, size_t n, bool eof, struct answer *ret_answer,
                  const char **ret_why)
{
    struct answer answer = { 0 };
    size_t from = 0, n_head;

    do { /* past interim responses */
        n_head = head_size(bytes + from, n - from);
        *ret_why = "the connection ended inside the header";
        if (n_head == 0 && n - from <= ANSWER_HEAD_MAX)
            return eof ? -EBADMSG : 0;
        *ret_why = "a header that is too long";
        if (n_head == 0 || n_head > ANSWER_HEAD_MAX)
            return -EBADMSG;
        *ret_why = "a NUL byte in the header";
        if (memchr(bytes + from, '\0', n_head))
            return -EBADMSG;
        *ret_why = "not an HTTP/1.1 status line";
        answer.status = parse_status(bytes + from, n_head);
        if (answer.status < 0)
            return -EBADMSG;
        from += n_head;
    } while (answer.status < 200 && answer.status != 101);

    answer.storage = strndup(bytes + from - n_head, n_head);
    if (!answer.storage)
        return -ENOMEM;
    *ret_why = "a broken header field";
    long r = parse_fields(answer.storage, &answer);
    if (r == 0)
        r = read_body(bytes + from, n - from, eof, &answer, ret_why);
    if (r < 0) {
        answer_done(&answer);
        return r == -EAGAIN ? 0 : r;
    }
    *ret_answer = answer;
    return (long)from + r;
}

void answer_done(struct answer *answer)
{
    free(answer->storage);
    free(answer->body);
    *answer = (struct answer){ 0 };
}

const char *answer_field(const struct answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->n_fields; i++)
        if (strcasecmp(answer->fields[i].name, name) == 0)
            return answer->fields[i].value;
    return NULL;
}

bool answer_has_token(const struct answer *answer, const char *name, const char *token)
{
    const char *at = answer_field(answer, name);
    size_t n = strlen(token);

    while (at && *at) {
        at += strspn(at, " \t,");
        size_t n_word = strcspn(at, " \t,");
        if (n_word == n && strncasecmp(at, token, n) == 0)
            return true;
        at += n_word;
    }
    return false;
}
