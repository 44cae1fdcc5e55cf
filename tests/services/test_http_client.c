/*
 * test_http_client.c - calls that end by themselves, and calls that do not
 *
 * The servers are sockets of the test's own; that faults on the wire each have one outcome is shown by test_whisper.py.
 */
#include "services/http_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <semaphore.h>
#include <sys/socket.h>

#include "tap.h"

enum { N = 4 };

struct asked {
    struct http_call call; /* first */
    sem_t *done;
    _Atomic unsigned n_done;
};

static const struct http_part parts[] = { { .name = "a", .bytes = "b", .n = 1 } };

static void done(struct http_call *call)
{
    struct asked *asked = (struct asked *)call;

    asked->n_done++;
    sem_post(asked->done);
}

/* A socket that takes connections into its backlog and never says anything, or no socket any more. */
static int deaf(char *url, size_t size)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, n) < 0 || listen(fd, 16) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &n) < 0)
        return -1;
    (void)snprintf(url, size, "http://127.0.0.1:%u", ntohs(address.sin_port));
    return fd;
}

static void prepare(struct asked *asked, struct http_provider *provider, sem_t *all_done, unsigned total_ms)
{
    *asked = (struct asked){ .done = all_done };
    asked->call = (struct http_call){ .provider = provider, .parts = parts, .n_parts = 1, .first_byte_ms = total_ms,
                                      .stall_ms = total_ms, .total_ms = total_ms, .body_max = KIB, .done = done };
}

int main(void)
{
    scoped(http_client_free) struct http_client *client = NULL;
    scoped(http_provider_free) struct http_provider *provider = NULL, *other = NULL;
    struct asked asked[N];
    struct http_provider_stats stats;
    char url[64], other_url[64];
    sem_t all_done;
    int fd = deaf(url, sizeof(url)), nobody = deaf(other_url, sizeof(other_url));
    struct http_provider_options options = { .base_url = url, .path = "a", .key = "sk-secret", .connect_ms = 1000 };

    sem_init(&all_done, 0, 0);
    if (!ok(fd >= 0 && http_client_new(&(struct http_client_options){ .calls_max = N - 1 }, &client) == 0, "a client"))
        return done_testing();
    is_int(http_provider_new(client, &(struct http_provider_options){ .base_url = "gopher://x", .path = "a" }, &provider), -EINVAL,
           "a provider needs a URL");
    is_int(http_provider_new(client, &options, &provider), 0, "a provider");
    options.base_url = other_url;
    is_int(http_provider_new(client, &options, &other), 0, "another");

    for (int i = 0; i < N; i++) {
        prepare(&asked[i], provider, &all_done, 60000);
        http_start(&asked[i].call);
    }
    sem_wait(&all_done);
    ok(asked[N - 1].call.r == -EAGAIN && asked[N - 1].n_done == 1, "one more than may is refused at once");
    http_abort(&asked[0].call);
    sem_wait(&all_done);
    ok(asked[0].call.r == -ECANCELED && !asked[0].call.body, "one that is aborted ends, long before its time");
    ok(!strstr(asked[0].call.why, "secret"), "and says why");
    prepare(&asked[0], provider, &all_done, 1);
    http_start(&asked[0].call);
    sem_wait(&all_done);
    is_int(asked[0].call.r, -ETIMEDOUT, "silence ends with the time");

    prepare(&asked[0], provider, &all_done, 60000);
    asked[0].call.is_unwanted = true;
    http_start(&asked[0].call);
    sem_wait(&all_done);
    is_int(asked[0].call.r, -ECANCELED, "what was aborted before it began does not begin");
    http_provider_stats(provider, &stats);
    ok(stats.n_calls == N && stats.n_failed == 1 && !stats.is_open, "and all is counted");

    close(nobody);
    prepare(&asked[0], other, &all_done, 60000);
    for (int i = 0; i < 3; i++) {
        http_start(&asked[0].call);
        sem_wait(&all_done);
        is_int(asked[0].call.r, -ECONNREFUSED, "nobody there");
    }
    http_start(&asked[0].call);
    sem_wait(&all_done);
    is_int(asked[0].call.r, -EHOSTDOWN, "who failed three times in a row is not asked");

    http_client_free(steal(&client));
    ok(asked[1].call.r == -ECANCELED && asked[2].call.r == -ECANCELED && asked[1].n_done == 1 && asked[2].n_done == 1,
       "the end of the client ends what is under way");
    sem_destroy(&all_done);
    close(fd);
    return done_testing();
}
