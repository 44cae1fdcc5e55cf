/*
 * test_answer.c - HTTP responses whole, in pieces and broken
 */
#include "caller/answer.h"

#include <errno.h>
#include <string.h>

#include "tap.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

static const struct {
    const char *bytes;
    bool eof;
    long want; /* -1: all of it; else the result */
    int status;
    const char *body;
} cases[] = {
    { OK_HEAD "Content-Length: 2\r\n\r\nhi", false, -1, 200, "hi" },
    { OK_HEAD "content-length:2  \r\n\r\nhi", false, -1, 200, "hi" },
    { OK_HEAD "Content-Length: 0\r\n\r\n", false, -1, 200, "" },
    { OK_HEAD "Content-Length: 2\r\n\r\nh", false, 0, 0, NULL },
    { OK_HEAD "Content-Length: 2\r\n\r\nh", true, -EBADMSG, 0, NULL },
    { OK_HEAD "Content-Length: 2\r\n\r\nhi!", false, 40, 200, "hi" },
    { OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: r\r\n\r\n", false, -1, 200, "abcde" },
    { OK_HEAD "Transfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n", false, -1, 200, "0123456789" },
    { OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nab", false, 0, 0, NULL },
    { OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nab", true, -EBADMSG, 0, NULL },
    { OK_HEAD "Transfer-Encoding: chunked\r\n\r\nx\r\n", false, -EBADMSG, 0, NULL },
    { OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", false, -EBADMSG, 0, NULL },
    { OK_HEAD "Transfer-Encoding: chunked\r\n\r\nfffffff\r\n", false, -EBADMSG, 0, NULL },
    { OK_HEAD "Transfer-Encoding: gzip\r\n\r\n", false, -EBADMSG, 0, NULL },
    { OK_HEAD "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", false, -EBADMSG, 0, NULL },
    { OK_HEAD "\r\nto the end", true, -1, 200, "to the end" },
    { OK_HEAD "\r\nto the end", false, 0, 0, NULL },
    { "HTTP/1.1 204 No Content\r\n\r\n", false, -1, 204, "" },
    { "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81", false, 56, 101, "" },
    { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", false, -1, 204, "" },
    { "HTTP/1.1 100 Continue\r\n\r\n", false, 0, 0, NULL },
    { "HTTP/1.1 2x0 OK\r\n\r\n", false, -EBADMSG, 0, NULL },
    { "HTTP/2 200\r\n\r\n", false, -EBADMSG, 0, NULL },
    { "SSH-2.0-x\r\n\r\n", false, -EBADMSG, 0, NULL },
    { OK_HEAD "no colon\r\n\r\n", true, -EBADMSG, 0, NULL },
    { OK_HEAD "Name : x\r\n\r\n", true, -EBADMSG, 0, NULL },
    { OK_HEAD ": x\r\n\r\n", true, -EBADMSG, 0, NULL },
    { OK_HEAD "Content-Length: -1\r\n\r\n", false, -EBADMSG, 0, NULL },
    { OK_HEAD "Content-Length: 99999999\r\n\r\n", false, -EBADMSG, 0, NULL },
    { "", true, -EBADMSG, 0, NULL },
    { "", false, 0, 0, NULL },
};

static void test_pieces(void)
{
    static const char whole[] = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    struct answer answer;
    const char *why;
    size_t n_early = 0;

    for (size_t n = 0; n < sizeof(whole) - 1; n++)
        n_early += answer_parse(whole, n, false, &answer, &why) != 0;
    is_int((long long)n_early, 0, "a response in single bytes waits for its last one");
}

static void test_fields(void)
{
    static const char bytes[] = OK_HEAD "Connection: keep-alive, Upgrade\r\nX: y\r\nContent-Length: 0\r\n\r\n";
    struct answer answer;
    const char *why;

    if (!ok(answer_parse(bytes, sizeof(bytes) - 1, false, &answer, &why) > 0, "a header with a list"))
        return;
    is_str(answer_field(&answer, "x"), "y", "names are looked up without case");
    ok(!answer_field(&answer, "z"), "a field that is not there");
    ok(answer_has_token(&answer, "connection", "upgrade"), "a token of a list");
    ok(!answer_has_token(&answer, "connection", "grade"), "a part of a token is none");
    answer_done(&answer);
}

int main(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t n = strlen(cases[i].bytes);
        struct answer answer = { 0 };
        const char *why = "";
        long want = cases[i].want == -1 ? (long)n : cases[i].want;
        long got = answer_parse(cases[i].bytes, n, cases[i].eof, &answer, &why);

        if (!ok(got == want, "case %zu: %s", i, got < 0 ? why : "taken"))
            printf("# got %ld, want %ld\n", got, want);
        if (got > 0) {
            is_int(answer.status, cases[i].status, "... its status");
            is_str(answer.body, cases[i].body, "... its body");
            answer_done(&answer);
        }
    }
    test_pieces();
    test_fields();
    return done_testing();
}
