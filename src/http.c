/*
 * http.c - what is common to all requests and responses
 */
#include "http.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "utils/json_plain.h"
#include "utils/scoped.h"

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    { 101, "Switching Protocols" },
    { 200, "OK" },
    { 201, "Created" },
    { 202, "Accepted" },
    { 204, "No Content" },
    { 206, "Partial Content" },
    { 302, "Found" },
    { 304, "Not Modified" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 410, "Gone" },
    { 413, "Content Too Large" },
    { 415, "Unsupported Media Type" },
    { 416, "Range Not Satisfiable" },
    { 417, "Expectation Failed" },
    { 422, "Unprocessable Content" },
    { 426, "Upgrade Required" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Timeout" },
};

const char *http_reason(int status)
{
    for (size_t i = 0; i < ELEMENTSOF(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}

const struct http_field *http_field(const struct http_request *request, const char *name,
                                    size_t nth)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < request->n_fields; i++) {
        const struct http_field *field = &request->fields[i];
        if (field->n_name == n && strncasecmp(field->name, name, n) == 0 && nth-- == 0)
            return field;
    }
    return NULL;
}

/* The line at bytes, without its end; *ret_next is where the one behind it begins. */
static size_t line(const char *bytes, size_t n, size_t *ret_next)
{
    const char *end = memchr(bytes, '\n', n);
    size_t length = end ? (size_t)(end - bytes) : n;

    *ret_next = end ? length + 1 : n;
    return length && bytes[length - 1] == '\r' ? length - 1 : length;
}

static bool is_named(const char *text, size_t n, const char *name)
{
    size_t n_name = strlen(name);

    return n > n_name && text[n_name] == ':' && strncasecmp(text, name, n_name) == 0;
}

static bool is_chunked(const char *text, size_t n)
{
    static const char name[] = "transfer-encoding:", value[] = "chunked";
    size_t from = sizeof(name) - 1;

    while (from < n && (text[from] == ' ' || text[from] == '\t'))
        from++;
    while (n > from && (text[n - 1] == ' ' || text[n - 1] == '\t'))
        n--;
    return n - from == sizeof(value) - 1 && strncasecmp(text + from, value, n - from) == 0;
}

int http_check_head(const char *bytes, size_t n, const char **ret_why)
{
    unsigned n_lengths = 0, n_encodings = 0, n_hosts = 0;
    size_t at = 0, next;
    bool needs_host = false;

    while (at < n && (bytes[at] == '\r' ||
                      bytes[at] == '\n')) /* a parser may pass over an empty line in front */
        at++;
    for (size_t n_lines = 0;; n_lines++, at += next) {
        const char *text = bytes + at;
        size_t length = line(text, n - at, &next);
        if (length == 0)
            break;
        if (text[0] == ' ' || text[0] == '\t') {
            *ret_why = "A header line is folded.";
            return 400;
        }
        if (n_lines == 0)
            needs_host = length >= 8 && strncmp(text + length - 8, "HTTP/1.1", 8) == 0;
        n_lengths += is_named(text, length, "content-length");
        n_hosts += is_named(text, length, "host");
        if (is_named(text, length, "transfer-encoding")) {
            n_encodings++;
            if (!is_chunked(text, length)) {
                *ret_why = "The transfer encoding is not known.";
                return 400;
            }
        }
    }
    if (at > HTTP_HEAD_MAX) {
        *ret_why = "The header is too large.";
        return 431;
    }
    if (n_lengths + n_encodings > 1) {
        *ret_why = "The length of the body is given more than once.";
        return 400;
    }
    if (n_hosts > 1 || (needs_host && n_hosts == 0)) {
        *ret_why = "There must be one Host.";
        return 400;
    }
    return 0;
}

/* As far as it fits before max. */
static size_t append_quoted(char *out, size_t at, size_t max, const char *text)
{
    return at + json_quote(out + at, max - at, text, strlen(text));
}

static size_t append(char *out, size_t at, const char *text)
{
    size_t n = strlen(text);

    memcpy(out + at, text, n);
    return at + n;
}

void http_error(struct http_response *response, int status, const char *code, const char *message,
                const char *request_id, char buffer[HTTP_ERROR_MAX])
{
    enum { CODE_END = 128, MESSAGE_END = 432, ID_END = 504 }; /* what lies between always fits */
    size_t n = append(buffer, 0, "{\"error\":{\"code\":\"");

    n = append_quoted(buffer, n, CODE_END, code);
    n = append(buffer, n, "\",\"message\":\"");
    n = append_quoted(buffer, n, MESSAGE_END, message);
    n = append(buffer, n, "\",\"request_id\":\"");
    n = append_quoted(buffer, n, ID_END, request_id ? request_id : "");
    n = append(buffer, n, "\"}}\n");

    response->status = status;
    response->content_type = "application/json";
    response->body = buffer;
    response->n_body = n;
}

static const char *keep(char **at, const char *text, size_t n)
{
    char *kept = *at;

    if (n)
        memcpy(kept, text, n);
    kept[n] = '\0';
    *at += n + 1;
    return kept;
}

int http_response_copy(const struct http_response *response, struct http_response *ret_copy,
                       char **ret_storage)
{
    size_t n_type = response->content_type ? strlen(response->content_type) : 0;
    size_t n = n_type + 1 + response->n_body + 1;
    char *at;

    for (size_t i = 0; i < response->n_extra; i++)
        n += response->extra[i].n_name + 1 + response->extra[i].n_value + 1;
    at = *ret_storage = malloc(n);
    if (!at)
        return -ENOMEM;

    *ret_copy = *response;
    ret_copy->body = keep(&at, response->body, response->n_body);
    if (response->content_type)
        ret_copy->content_type = keep(&at, response->content_type, n_type);
    for (size_t i = 0; i < response->n_extra; i++) {
        struct http_field *field = &ret_copy->extra[i];
        field->name = keep(&at, field->name, field->n_name);
        field->value = keep(&at, field->value, field->n_value);
    }
    return 0;
}

int http_request_copy(const struct http_request *request, struct http_request *ret_copy, char **ret_storage)
{
    struct http_request copy = *request;
    const char **texts[] = { &copy.method, &copy.path, &copy.target, &copy.query, &copy.param, &copy.request_id, &copy.caller, &copy.peer };
    size_t n = 0;

    for (size_t i = 0; i < ELEMENTSOF(texts); i++)
        n += *texts[i] ? strlen(*texts[i]) + 1 : 0;
    char *at = *ret_storage = malloc(n);
    if (!at)
        return -ENOMEM;
    for (size_t i = 0; i < ELEMENTSOF(texts); i++)
        if (*texts[i])
            *texts[i] = keep(&at, *texts[i], strlen(*texts[i]));
    copy.body = NULL;
    copy.fields = NULL;
    copy.n_body = copy.n_fields = 0;
    copy.cors = (struct http_cors){ 0 };
    copy.later = NULL;
    *ret_copy = copy;
    return 0;
}

static bool is_of(const struct http_field *field, size_t from, size_t n, const char *set)
{
    for (size_t i = from; i < from + n; i++)
        if (i >= field->n_value || !field->value[i] || !strchr(set, field->value[i]))
            return false;
    return true;
}

bool http_brought_id(const struct http_request *request, char ret_id[HTTP_REQUEST_ID_MAX])
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", hex[] = "0123456789abcdef";
    enum { PLAIN_MIN = 8, TRACE_AT = 3, TRACE = 32, TRACEPARENT = 55 };
    const struct http_field *id = http_field(request, "x-request-id", 0), *trace = http_field(request, "traceparent", 0);
    size_t n = id ? id->n_value : 0;

    if (n >= PLAIN_MIN && n < HTTP_REQUEST_ID_MAX && is_of(id, 0, n, plain) && !http_field(request, "x-request-id", 1)) {
        memcpy(ret_id, id->value, n);
        ret_id[n] = '\0';
        return true;
    }
    if (!trace || trace->n_value != TRACEPARENT || memcmp(trace->value, "00-", 3) != 0 || !is_of(trace, TRACE_AT, TRACE, hex) ||
        trace->value[TRACE_AT + TRACE] != '-' || is_of(trace, TRACE_AT, TRACE, "0") || http_field(request, "traceparent", 1))
        return false;
    memcpy(ret_id, trace->value + TRACE_AT, TRACE);
    ret_id[TRACE] = '\0';
    return true;
}

static uint64_t mix(uint64_t x) /* splitmix64 */
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void http_request_id(uint64_t seed, uint64_t n, char ret_id[HTTP_REQUEST_ID_MAX])
{
    uint64_t x = seed + UINT64_C(0x9e3779b97f4a7c15) * n;

    (void)snprintf(ret_id, HTTP_REQUEST_ID_MAX, "%016llx%016llx", (unsigned long long)mix(x),
                   (unsigned long long)mix(~x));
}
