/* bench_http.c - how soon a call that is not wanted any more is over, as after a barge-in, and what a call costs us */
#include "services/http_client.h"

#include <semaphore.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "services/fake_provider.h"
#include "utils/clock.h"

enum { N_ABORTS = 200, N_CALLS = 2000 };

struct streamed {
    struct http_call call; /* first */
    sem_t bytes, over;
};

static void done(struct http_call *call)
{
    sem_post(&((struct streamed *)call)->over);
}

static int on_bytes(struct http_call *call, const char *bytes, size_t n)
{
    sem_post(&((struct streamed *)call)->bytes);
    return 0;
}

/* Begins an answer that never ends, or answers at once. */
static bool serve(struct fake_connection *connection)
{
    bool is_endless = strstr(connection->request, "/endless ");

    fake_say(connection, "HTTP/1.1 200 OK\r\nContent-Length: ");
    fake_say(connection, is_endless ? "1000000\r\n\r\nand" : "2\r\n\r\nok");
    return true;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double clock_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void ask(struct streamed *streamed, struct http_provider *provider)
{
    streamed->call = (struct http_call){ .provider = provider, .content = "{}", .n_content = 2, .content_type = "application/json",
                                         .first_byte_ms = 60000, .stall_ms = 60000, .total_ms = 60000, .body_max = MIB,
                                         .on_bytes = on_bytes, .done = done };
    http_start(&streamed->call);
    sem_wait(&streamed->bytes);
}

int main(void)
{
    static struct fake_provider server;
    scoped(http_client_free) struct http_client *client = NULL;
    scoped(http_provider_free) struct http_provider *endless = NULL, *quick = NULL;
    struct streamed streamed;
    double took_ms[N_ABORTS];

    sem_init(&streamed.bytes, 0, 0);
    sem_init(&streamed.over, 0, 0);
    if (fake_provider_open(&server, serve) < 0 || http_client_new(&(struct http_client_options){ .calls_max = 8 }, &client) < 0)
        return 1;
    struct http_provider_options options = { .base_url = server.url, .path = "endless", .connect_ms = 1000 };
    if (http_provider_new(client, &options, &endless) < 0)
        return 1;
    options.path = "quick";
    if (http_provider_new(client, &options, &quick) < 0)
        return 1;

    for (int i = 0; i < N_ABORTS; i++) {
        ask(&streamed, endless);
        double from_ms = clock_ms();
        http_abort(&streamed.call);
        sem_wait(&streamed.over);
        took_ms[i] = clock_ms() - from_ms;
    }
    qsort(took_ms, N_ABORTS, sizeof(took_ms[0]), by_size);
    bench_row("http abort within an answer, p50", took_ms[N_ABORTS / 2], "ms", "");
    bench_row("http abort within an answer, worst of 200", took_ms[N_ABORTS - 1], "ms", "< 50");

    double from_ms = clock_ms(), from_ns = bench_cpu_ns();
    for (int i = 0; i < N_CALLS; i++) {
        ask(&streamed, quick);
        sem_wait(&streamed.over);
    }
    bench_row("http call, connection kept", (clock_ms() - from_ms) / N_CALLS * 1e3, "us", "to loopback and back");
    bench_row("http call, CPU of both sides", (bench_cpu_ns() - from_ns) / N_CALLS / 1e3, "us", "");
    http_client_free(steal(&client));
    fake_provider_close(&server);
    return 0;
}
