/*
 * http_probe.c - our HTTP client on the command line, for tests that play its servers and proxies
 *
 * http_probe CA-FILE|- CONNECT-MS TOTAL-MS N-ALONE N-TOGETHER URL [N-ABORTED]: so many calls one after the other, then
 * so many at once, of which the first are given up; all may be repeated. A line for each: its result, HTTP status, and why or the body. The last line counts.
 */
#include "services/http_client.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct probe {
    struct http_call call; /* first */
    sem_t *done;
};

static void done(struct http_call *call)
{
    sem_post(((struct probe *)call)->done);
}

static void begin(struct probe *probe, struct http_provider *provider, unsigned total_ms, sem_t *all)
{
    *probe = (struct probe){ .done = all };
    probe->call = (struct http_call){ .provider = provider, .content = "{}", .n_content = 2, .content_type = "application/json",
                                      .is_repeatable = true, .first_byte_ms = total_ms, .stall_ms = total_ms,
                                      .total_ms = total_ms, .body_max = 64 * KIB, .done = done };
    http_start(&probe->call);
}

static void report(struct http_call *call)
{
    printf("%d %u %s\n", call->r, call->status, call->r < 0 ? call->why : call->body ?: "");
    free(call->body);
}

int main(int argc, char **argv)
{
    scoped(http_client_free) struct http_client *client = NULL;
    scoped(http_provider_free) struct http_provider *provider = NULL;
    struct http_provider_stats stats;
    sem_t all;

    if (argc != 7 && argc != 8)
        return 2;
    unsigned total_ms = (unsigned)atoi(argv[3]);
    int n_alone = atoi(argv[4]), n_together = atoi(argv[5]), n_most = n_together > 0 ? n_together : 1;
    struct http_client_options options = { .calls_max = (unsigned)n_most, .ca_file = argv[1][0] == '-' ? NULL : argv[1] };
    struct http_provider_options where = { .base_url = argv[6], .path = "asked", .key = "sk-secret",
                                           .connect_ms = (unsigned)atoi(argv[2]) };
    scoped(free) struct probe *probes = calloc((size_t)n_most, sizeof(*probes));

    sem_init(&all, 0, 0);
    if (!probes || http_client_new(&options, &client) < 0 || http_provider_new(client, &where, &provider) < 0)
        return 1;
    for (int i = 0; i < n_alone; i++) {
        begin(probes, provider, total_ms, &all);
        sem_wait(&all);
        report(&probes->call);
    }
    for (int i = 0; i < n_together; i++)
        begin(&probes[i], provider, total_ms, &all);
    for (int i = 0; argc == 8 && i < atoi(argv[7]) && i < n_together; i++)
        http_abort(&probes[i].call);
    for (int i = 0; i < n_together; i++)
        sem_wait(&all);
    for (int i = 0; i < n_together; i++)
        report(&probes[i].call);
    http_provider_stats(provider, &stats);
    printf("connections %lu retries %lu failed %lu\n", (unsigned long)stats.n_connections, (unsigned long)stats.n_retries,
           (unsigned long)stats.n_failed);
    return 0;
}
