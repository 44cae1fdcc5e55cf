/*
 * test_http.c - what is common to requests and responses
 */
#include "http.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "tap.h"
#include "utils/scoped.h"

/* --- heads that mean one thing to everybody, and heads that do not */

#define GET "GET / HTTP/1.1\r\nHost: x\r\n"

static const struct {
    const char *what, *head;
    int want;
} heads[] = {
    { "a plain request", GET "\r\n", 0 },
    { "an empty line in front", "\r\n" GET "\r\n", 0 },
    { "bare line feeds", "GET / HTTP/1.1\nHost: x\n\n", 0 },
    { "a body behind it does not count", GET "Content-Length: 40\r\n\r\nContent-Length: 1\r\n", 0 },
    { "one length", GET "content-length: 5\r\n\r\n", 0 },
    { "two lengths", GET "Content-Length: 5\r\nA: b\r\ncontent-LENGTH: 5\r\n\r\n", 400 },
    { "a length with a longer name", GET "Content-Length: 5\r\nContent-Lengths: 5\r\n\r\n", 0 },
    { "chunked", GET "Transfer-Encoding: chunked\r\n\r\n", 0 },
    { "chunked, oddly spaced", GET "transfer-encoding:\t CHUNKED \t\r\n\r\n", 0 },
    { "chunked twice", GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
    { "gzip", GET "Transfer-Encoding: gzip\r\n\r\n", 400 },
    { "gzip, chunked", GET "Transfer-Encoding: gzip, chunked\r\n\r\n", 400 },
    { "chunked, something", GET "Transfer-Encoding: chunked;q=1\r\n\r\n", 400 },
    { "no encoding", GET "Transfer-Encoding:\r\n\r\n", 400 },
    { "a length and chunks", GET "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
    { "chunks and a length", GET "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400 },
    { "a folded line", GET "A: b\r\n c\r\n\r\n", 400 },
    { "folded by a tab", GET "A: b\r\n\tc\r\n\r\n", 400 },
    { "folded behind a bare line feed", GET "A: b\n c\r\n\r\n", 400 },
    { "two hosts", GET "Host: y\r\n\r\n", 400 },
    { "no host", "GET / HTTP/1.1\r\n\r\n", 400 },
    { "no host, in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 0 },
    { "two hosts, in HTTP/1.0", "GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n", 400 },
    { "no end", GET "A: b\r\n", 0 },
    { "nothing", "", 0 },
};

static void test_heads(void)
{
    scoped(free) char *large = malloc(2 * HTTP_HEAD_MAX);
    const char *why;

    for (size_t i = 0; i < ELEMENTSOF(heads); i++) {
        why = NULL;
        int status = http_check_head(heads[i].head, strlen(heads[i].head), &why);
        ok(status == heads[i].want && !why == !status, "head: %s: %d", heads[i].what,
           heads[i].want);
    }
    int n = snprintf(large, 2 * HTTP_HEAD_MAX, GET "A: %0*d\r\n\r\n", HTTP_HEAD_MAX - 33, 0);
    is_int(http_check_head(large, (size_t)n, &why), 0, "the largest head");
    n = snprintf(large, 2 * HTTP_HEAD_MAX, GET "A: %0*d\r\n\r\n", HTTP_HEAD_MAX, 0);
    is_int(http_check_head(large, (size_t)n, &why), 431, "one too large");
}

/* --- errors are JSON, whatever goes in */

static const struct {
    const char *what, *code, *message, *id, *want_message;
} errors[] = {
    { "a plain one", "not_found", "There is nothing here.", "0123", "There is nothing here." },
    { "quotes and backslashes", "c", "a \"b\" \\ c", "0123", "a \"b\" \\ c" },
    { "control characters", "c", "a\nb\x01", "0123", "a\nb\x01" },
    { "what is not ASCII", "c", "\xff", "0123", "\xef\xbf\xbd" },
    { "no id", "c", "m", NULL, "m" },
};

static void test_errors(void)
{
    char buffer[HTTP_ERROR_MAX], text[2000];

    for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
        struct http_response response = { 0 };
        http_error(&response, 404, errors[i].code, errors[i].message, errors[i].id, buffer);
        struct json_tokener *tokener = json_tokener_new();
        struct json_object *json =
                               json_tokener_parse_ex(tokener, response.body, (int)response.n_body),
                           *error = NULL;
        json_object_object_get_ex(json, "error", &error);
        is_str(json_object_get_string(json_object_object_get(error, "code")), errors[i].code,
               errors[i].what);
        is_str(json_object_get_string(json_object_object_get(error, "message")),
               errors[i].want_message, errors[i].what);
        is_str(json_object_get_string(json_object_object_get(error, "request_id")),
               errors[i].id ?: "", errors[i].what);
        is_int(response.status, 404, errors[i].what);
        json_object_put(json);
        json_tokener_free(tokener);
    }
    for (int c = 'a'; c <= 'a' + 1; c++) { /* all too long, and all of what has to be escaped */
        struct http_response response = { 0 };
        memset(text, c == 'a' ? 'a' : '\n', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        http_error(&response, 500, text, text, text, buffer);
        struct json_object *json = NULL;
        buffer[response.n_body - 1] = '\0';
        json = json_tokener_parse(buffer);
        ok(response.n_body <= HTTP_ERROR_MAX && json,
           "too long for its buffer: cut, and still JSON");
        json_object_put(json);
    }
}

static void test_fields(void)
{
    static const struct http_field fields[] = {
        { "host", 4, "x", 1 },
        { "x-two", 5, "1", 1 },
        { "X-Two", 5, "2", 1 },
        { "x-twofold", 9, "3", 1 },
    };
    struct http_request request = { .fields = fields, .n_fields = ELEMENTSOF(fields) };

    ok(http_field(&request, "X-TWO", 0) == &fields[1], "a header is found in any case");
    ok(http_field(&request, "x-two", 1) == &fields[2], "and its second one");
    ok(!http_field(&request, "x-two", 2), "there is no third");
    ok(!http_field(&request, "x", 0), "nor one of half a name");
}

static void test_copy(void)
{
    char name[] = "allow", value[] = "GET", type[] = "text/plain", body[] = "body";
    struct http_response response = { .status = 201,
                                      .content_type = type,
                                      .body = body,
                                      .n_body = 4,
                                      .n_extra = 1,
                                      .extra = { { name, 5, value, 3 } } };
    struct http_response copied, empty = { .status = 204 };
    scoped(free) char *storage = NULL, *empty_storage = NULL;

    is_int(http_response_copy(&response, &copied, &storage), 0, "a response is copied");
    memset(name, 'x', 5), memset(value, 'x', 3), memset(type, 'x', 10), memset(body, 'x', 4);
    is_str(copied.content_type, "text/plain", "with its type");
    is_str(copied.body, "body", "its body");
    is_str(copied.extra[0].name, "allow", "and its headers,");
    is_str(copied.extra[0].value, "GET", "whole");
    is_int(copied.status, 201, "and its status");
    is_int(http_response_copy(&empty, &copied, &empty_storage), 0, "an empty one is copied");
    ok(copied.content_type == NULL && copied.n_body == 0 && copied.status == 204,
       "and stays empty");
}

static void test_request_copy(void)
{
    char path[] = "/a/b", id[] = "id-1", param[] = "b";
    struct http_request request = { .method = "GET", .path = path, .target = path, .query = "", .param = param, .request_id = id, .peer = "",
                                    .body = "body", .n_body = 4, .context = id };
    struct http_request copied;
    scoped(free) char *storage = NULL;

    is_int(http_request_copy(&request, &copied, &storage), 0, "a request is copied");
    memset(path, 'x', 4), memset(id, 'x', 4), memset(param, 'x', 1);
    is_str(copied.path, "/a/b", "with its path,");
    is_str(copied.param, "b", "what the path names");
    is_str(copied.request_id, "id-1", "and its id");
    ok(!copied.caller && copied.context == id, "what there is none of stays so");
    ok(!copied.body && copied.n_body == 0 && copied.n_fields == 0, "its body is left with it");
}

static void test_ids(void)
{
    char a[HTTP_REQUEST_ID_MAX], b[HTTP_REQUEST_ID_MAX];

    http_request_id(1, 1, a);
    http_request_id(1, 2, b);
    ok(strlen(a) == 32 && strspn(a, "0123456789abcdef") == 32,
       "a request id is 32 hexadecimal digits");
    ok(strcmp(a, b) != 0, "and another one for the next");
    http_request_id(2, 1, b);
    ok(strcmp(a, b) != 0, "and for another seed");
    is_str(http_reason(404), "Not Found", "the reason of a status");
    is_str(http_reason(299), "Unknown", "of one that nobody uses");
}

static const struct {
    const char *name, *value, *second;
    const char *want; /* NULL: it is not taken */
} brought[] = {
    { "x-request-id", "order-4711_a.b", NULL, "order-4711_a.b" },
    { "x-request-id", "0123456789012345678901234567890123456789012345678901234567890123", NULL,
      "0123456789012345678901234567890123456789012345678901234567890123" },
    { "x-request-id", "01234567890123456789012345678901234567890123456789012345678901234", NULL, NULL },
    { "x-request-id", "1234567", NULL, NULL },
    { "x-request-id", "order 4711", NULL, NULL },
    { "x-request-id", "order\n4711", NULL, NULL },
    { "x-request-id", "order\"4711", NULL, NULL },
    { "x-request-id", "12345678", "12345679", NULL },
    { "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", NULL, "0af7651916cd43dd8448eb211c80319c" },
    { "traceparent", "00-00000000000000000000000000000000-b7ad6b7169203331-01", NULL, NULL },
    { "traceparent", "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", NULL, NULL },
    { "traceparent", "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", NULL, NULL },
    { "traceparent", "00-0af7651916cd43dd8448eb211c80319c", NULL, NULL },
};

static void test_brought_ids(void)
{
    for (size_t i = 0; i < ELEMENTSOF(brought); i++) {
        struct http_field fields[2] = { { brought[i].name, strlen(brought[i].name), brought[i].value, strlen(brought[i].value) } };
        struct http_request request = { .fields = fields, .n_fields = brought[i].second ? 2 : 1 };
        char id[HTTP_REQUEST_ID_MAX] = "";

        fields[1] = fields[0];
        bool is_taken = http_brought_id(&request, id);
        is_str(is_taken ? id : NULL, brought[i].want, brought[i].value);
    }
}

int main(void)
{
    test_brought_ids();
    test_heads();
    test_errors();
    test_fields();
    test_copy();
    test_request_copy();
    test_ids();
    return done_testing();
}
