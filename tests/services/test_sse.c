/*
 * test_sse.c - events are the same in whatever pieces their bytes come
 */
#include "services/sse.h"

#include <errno.h>

#include "tap.h"

static const struct {
    const char *bytes;
    const char *events; /* name=data; of a cut one name~data; */
} cases[] = {
    { "", "" },
    { "data: a\n\n", "message=a;" },
    { "data:a\n\n", "message=a;" },
    { "data:  a\n\n", "message= a;" },
    { "data\n\n", "message=;" },
    { "data: a\r\n\r\n", "message=a;" },
    { "data: a\r\r", "message=a;" },
    { "data: a\r\n\rdata: b\n\r\n", "message=a;message=b;" },
    { "data: a\ndata: b\n\n", "message=a\nb;" },
    { "data:\ndata:\n\n", "message=\n;" },
    { "event: error\ndata: {}\n\n", "error={};" },
    { "event: error\n\ndata: a\n\n", "message=a;" },
    { "event: x\nevent: y\ndata: a\n\n", "y=a;" },
    { ": a comment\n\n:\ndata: a\n: another\n\n", "message=a;" },
    { "id: 1\nretry: 5\ndatum: 2\ndata: a\n\n\n\n", "message=a;" },
    { "\xEF\xBB\xBF" "data: a\n\n", "message=a;" },
    { "\xEF\xBB" "data: a\n\ndata: b\n\n", "message=b;" },
    { "\xEF\xBB\xBF\xEF\xBB\xBF" "data: a\n\ndata: b\n\n", "message=b;" },
    { "data: שלום\n\ndata: [DONE]\n\n", "message=שלום;message=[DONE];" },
    { "data: a\n", "message~a;" },
    { "data: a", "message~a;" },
    { "data: {\"half", "message~{\"half;" },
    { "event: only", "" },
    { "<html>\n<p>\n\n", "" },
    { "event: 01234567890123456789012345678901\ndata: a\n\n", "-90" },
};

struct told {
    char text[512];
    size_t n;
};

static int take(void *user, const struct sse_event *event)
{
    struct told *told = user;

    told->n += (size_t)snprintf(told->text + told->n, sizeof(told->text) - told->n, "%s%c%.*s;", event->name,
                                event->is_cut ? '~' : '=', (int)event->n_data, event->data);
    return event->data[event->n_data] == '\0' && told->n < sizeof(told->text) ? 0 : -EIO;
}

static struct sse sse;

static void read_pieces(const char *bytes, size_t n, size_t first, size_t others, struct told *told)
{
    int r = 0;

    *told = (struct told){ 0 };
    sse_init(&sse);
    for (size_t at = 0, size = first; at < n && r == 0; at += size, size = others) {
        if (size > n - at)
            size = n - at;
        r = size ? sse_push(&sse, bytes + at, size, take, told) : 0;
    }
    if (r == 0)
        r = sse_end(&sse, take, told);
    if (r < 0)
        (void)snprintf(told->text, sizeof(told->text), "%d", r);
}

static int refuse(void *user, const struct sse_event *event)
{
    ++*(int *)user;
    return -EBADMSG;
}

static void sizes_are_bounded(void)
{
    static char line[SSE_EVENT_MAX];
    struct told told;
    int n_refused = 0;

    memset(line, 'x', sizeof(line));
    memcpy(line, "data: ", 6);
    sse_init(&sse);
    is_int(sse_push(&sse, line, sizeof(line) - 1, take, &told), 0, "a line may be as long as an event");
    is_int(sse_push(&sse, line, 1, take, &told), -EMSGSIZE, "and no longer");
    sse_init(&sse);
    int r = 0;
    for (size_t i = 0; i < SSE_EVENT_MAX && r == 0; i++)
        r = sse_push(&sse, "data: a\n", 8, take, &told);
    is_int(r, -EMSGSIZE, "nor has an event many lines");
    sse_init(&sse);
    for (size_t i = 0; i < 2; i++)
        r = sse_push(&sse, line + 6, sizeof(line) - 7, take, &told);
    is_int(r, -EMSGSIZE, "a line that nobody knows is bounded, too");
    sse_init(&sse);
    r = sse_push(&sse, "data: a\n\ndata: b\n\n", 18, refuse, &n_refused);
    ok(r == -EBADMSG && n_refused == 1, "who refuses an event gets no other");
}

int main(void)
{
    struct told told;

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        size_t n = strlen(cases[i].bytes), n_same = 0;

        read_pieces(cases[i].bytes, n, n, 1, &told);
        is_str(told.text, cases[i].events, "events");
        for (size_t first = 0; first < n; first++)
            for (size_t others = 1; others <= n; others++) {
                read_pieces(cases[i].bytes, n, first, others, &told);
                n_same += strcmp(told.text, cases[i].events) == 0;
            }
        is_int((long long)n_same, (long long)(n * n), "and the same in all pieces");
    }
    sizes_are_bounded();
    return done_testing();
}
