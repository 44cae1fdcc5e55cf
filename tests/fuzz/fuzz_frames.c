/*
 * fuzz_frames.c - any bytes as what a server sends: the same is seen however they are cut
 */
#include "caller/frames.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct seen {
    uint64_t hash;
    size_t n_breaches;
};

static void add(struct seen *seen, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        seen->hash = (seen->hash ^ ((const uint8_t *)bytes)[i]) * 1099511628211u;
}

static void on_text(void *user, const char *text, size_t n)
{
    add(user, text, n);
}

static void on_bytes(void *user, const uint8_t *bytes, size_t n)
{
    assert(n <= WS_CONTROL_MAX);
    add(user, bytes, n);
}

static void on_close(void *user, int code)
{
    assert(code == 1005 || ws_close_code_valid((unsigned)code));
    add(user, &code, sizeof(code));
}

static void on_breach(void *user, enum breach breach, const char *detail)
{
    struct seen *seen = user;

    seen->n_breaches++;
}

static const struct frames_ops ops = { on_text, on_bytes, on_bytes, on_close, on_breach };

static struct seen feed(const uint8_t *data, size_t n, size_t step)
{
    struct seen seen = { 14695981039346656037u, 0 };
    uint8_t *bytes = malloc(n + 1);
    struct frames frames;
    size_t from = 0;

    assert(bytes);
    if (n)
        memcpy(bytes, data, n);
    frames_init(&frames, &ops, &seen);
    for (size_t to = 0; to < n;) {
        to = step < n - to ? to + step : n;
        ssize_t n_taken = frames_feed(&frames, bytes + from, to - from);
        if (n_taken < 0)
            break;
        from += (size_t)n_taken;
        assert(from <= to);
    }
    frames_done(&frames);
    free(bytes);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct seen whole = feed(data, n, n), single = feed(data, n, 1);

    assert(whole.hash == single.hash && whole.n_breaches == single.n_breaches);
    return 0;
}
