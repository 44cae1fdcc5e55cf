/*
 * sse.c - server-sent events from bytes that come in any pieces
 *
 * A line ends with \n, \r or \r\n, where a \n after a \r may be long in coming: so the line ends at the \r, and the \n is
 * passed over when it comes. One buffer holds both the data of the event and, behind it, the line that is being read;
 * a line of data only loses its field name there and is data by then. What ends up in it does not depend on the pieces.
 */
#include "services/sse.h"

#include <errno.h>
#include <string.h>

static const char mark[] = "\xEF\xBB\xBF";

void sse_init(struct sse *sse)
{
    sse->n_data = sse->n_line = 0;
    sse->n_mark = 0;
    sse->has_data = sse->is_after_cr = sse->has_begun = false;
    sse->name[0] = '\0';
}

static int hand_out(struct sse *sse, bool is_cut, sse_take *take, void *user)
{
    struct sse_event event = {
        .name = sse->name[0] ? sse->name : "message",
        .data = sse->buffer,
        .n_data = sse->n_data ? sse->n_data - 1 : 0, /* each line of it ended with \n */
        .is_cut = is_cut,
    };
    int r = 0;

    if (sse->has_data) {
        sse->buffer[event.n_data] = '\0';
        r = take(user, &event);
    }
    sse->n_data = 0;
    sse->has_data = false;
    sse->name[0] = '\0';
    return r;
}

/* The value of a field when the line is one of that name. A space after the colon is no part of it. */
static const char *value_of(const char *line, size_t n, const char *field, size_t *ret_n)
{
    size_t n_field = strlen(field);

    *ret_n = 0;
    if (n < n_field || memcmp(line, field, n_field) != 0)
        return NULL;
    if (n == n_field)
        return line + n; /* no colon: empty */
    if (line[n_field] != ':')
        return NULL;
    n_field++;
    n_field += n > n_field && line[n_field] == ' ';
    *ret_n = n - n_field;
    return line + n_field;
}

static int end_line(struct sse *sse, sse_take *take, void *user)
{
    char *line = sse->buffer + sse->n_data;
    size_t n_line = sse->n_line, n;
    const char *value;

    sse->n_line = 0;
    if (n_line == 0)
        return hand_out(sse, false, take, user);
    value = value_of(line, n_line, "data", &n);
    if (value) {
        memmove(line, value, n);
        line[n] = '\n';
        sse->n_data += n + 1;
        sse->has_data = true;
        return 0;
    }
    value = value_of(line, n_line, "event", &n);
    if (!value)
        return 0; /* a comment, or a field that nobody knows */
    if (n >= sizeof(sse->name))
        return -EMSGSIZE;
    memcpy(sse->name, value, n);
    sse->name[n] = '\0';
    return 0;
}

/* The \n behind a line needs room, too. */
static int add(struct sse *sse, const char *bytes, size_t n)
{
    if (n >= sizeof(sse->buffer) - sse->n_data - sse->n_line)
        return -EMSGSIZE;
    memcpy(sse->buffer + sse->n_data + sse->n_line, bytes, n);
    sse->n_line += n;
    return 0;
}

/* Returns: how many of the bytes belong to a mark; *ret_r when what looked like one was none. */
static size_t pass_mark(struct sse *sse, const char *bytes, size_t n, int *ret_r)
{
    size_t i = 0;

    *ret_r = 0;
    while (i < n && sse->n_mark < strlen(mark) && bytes[i] == mark[sse->n_mark]) {
        sse->n_mark++;
        i++;
    }
    if (sse->n_mark == strlen(mark)) {
        sse->has_begun = true;
    } else if (i < n) {
        sse->has_begun = true;
        *ret_r = add(sse, mark, sse->n_mark);
    }
    return i;
}

int sse_push(struct sse *sse, const char *bytes, size_t n, sse_take *take, void *user)
{
    int r = 0;

    if (!sse->has_begun) {
        size_t n_passed = pass_mark(sse, bytes, n, &r);
        bytes += n_passed;
        n -= n_passed;
    }
    while (n > 0 && r == 0) {
        size_t n_before = 0;

        if (sse->is_after_cr && *bytes == '\n') {
            bytes++;
            n--;
        }
        sse->is_after_cr = false;
        while (n_before < n && bytes[n_before] != '\n' && bytes[n_before] != '\r')
            n_before++;
        r = add(sse, bytes, n_before);
        if (r == 0 && n_before < n) {
            sse->is_after_cr = bytes[n_before++] == '\r';
            r = end_line(sse, take, user);
        }
        bytes += n_before;
        n -= n_before;
    }
    return r;
}

int sse_end(struct sse *sse, sse_take *take, void *user)
{
    int r = sse->n_line > 0 ? end_line(sse, take, user) : 0;

    return r < 0 ? r : hand_out(sse, true, take, user);
}
