#pragma once
/*
 * fake_provider.h - a service on loopback, in the process of the test
 *
 * One thread takes connections, one each serves them: it reads a request and has serve() answer it. Nothing is timed:
 * what has to wait waits for what the test posts.
 */

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FAKE_CONNECTIONS_MAX = 256, FAKE_REQUEST_MAX = 8192 };

struct fake_provider;

struct fake_connection {
    struct fake_provider *provider;
    pthread_t thread;
    int fd;
    char request[FAKE_REQUEST_MAX]; /* the last one, head and body */
};

struct fake_provider {
    /* Returns: false to close. */
    bool (*serve)(struct fake_connection *connection);
    char url[64];
    int fd;
    pthread_t thread;
    struct fake_connection connections[FAKE_CONNECTIONS_MAX];
    _Atomic unsigned n_connections, n_requests;
    pthread_mutex_t lock;
    char last[FAKE_REQUEST_MAX]; /* the last request of all that is no warm-up; see fake_was_asked() */
};

/* Whether the last request says so; "" whether there was any. */
__attribute__((unused)) static bool fake_was_asked(struct fake_provider *provider, const char *text)
{
    pthread_mutex_lock(&provider->lock);
    bool was = *text ? strstr(provider->last, text) != NULL : provider->last[0] != '\0';
    pthread_mutex_unlock(&provider->lock);
    return was;
}

__attribute__((unused)) static void fake_forget(struct fake_provider *provider)
{
    pthread_mutex_lock(&provider->lock);
    provider->last[0] = '\0';
    pthread_mutex_unlock(&provider->lock);
}

static void fake_say(struct fake_connection *connection, const char *text)
{
    (void)!send(connection->fd, text, strlen(text), MSG_NOSIGNAL);
}

/* Returns: false when the other side is gone. */
static bool fake_read_request(struct fake_connection *connection)
{
    char *request = connection->request, *end = NULL, *length;
    size_t n = 0, want = SIZE_MAX;

    while (n < want) {
        ssize_t got = recv(connection->fd, request + n, FAKE_REQUEST_MAX - 1 - n, 0);
        if (got <= 0)
            return false;
        for (size_t i = n; i < n + (size_t)got; i++)
            request[i] = request[i] ?: '.'; /* audio is no text, but is searched as one */
        n += (size_t)got;
        request[n] = '\0';
        if (!end && (end = strstr(request, "\r\n\r\n"))) {
            length = strcasestr(request, "\r\nContent-Length:");
            want = (size_t)(end + 4 - request) + (length ? strtoul(length + 17, NULL, 10) : 0);
        }
    }
    return true;
}

static void *fake_connection_main(void *arg)
{
    struct fake_connection *connection = arg;
    bool goes_on = true;

    while (goes_on && fake_read_request(connection)) {
        connection->provider->n_requests++;
        pthread_mutex_lock(&connection->provider->lock);
        if (strncmp(connection->request, "HEAD ", 5) != 0)
            memcpy(connection->provider->last, connection->request, FAKE_REQUEST_MAX);
        pthread_mutex_unlock(&connection->provider->lock);
        goes_on = connection->provider->serve(connection);
    }
    shutdown(connection->fd, SHUT_RDWR);
    return NULL;
}

static void *fake_provider_main(void *arg)
{
    struct fake_provider *provider = arg;
    int fd;

    while (provider->n_connections < FAKE_CONNECTIONS_MAX && (fd = accept4(provider->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct fake_connection *connection = &provider->connections[provider->n_connections];

        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        *connection = (struct fake_connection){ .provider = provider, .fd = fd };
        if (pthread_create(&connection->thread, NULL, fake_connection_main, connection) != 0)
            abort();
        provider->n_connections++;
    }
    return NULL;
}

/* A listening socket of 127.0.0.1, and its URL. Returns: -1 there is none to be had. */
static int fake_listen(char *url, size_t size, int backlog)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, n) < 0 || listen(fd, backlog) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &n) < 0)
        return -1;
    (void)snprintf(url, size, "http://127.0.0.1:%u", ntohs(address.sin_port));
    return fd;
}

static int fake_provider_open(struct fake_provider *provider, bool (*serve)(struct fake_connection *connection))
{
    *provider = (struct fake_provider){ .serve = serve, .lock = PTHREAD_MUTEX_INITIALIZER };
    provider->fd = fake_listen(provider->url, sizeof(provider->url), 128);
    if (provider->fd < 0)
        return -1;
    return -pthread_create(&provider->thread, NULL, fake_provider_main, provider);
}

static void fake_provider_close(struct fake_provider *provider)
{
    shutdown(provider->fd, SHUT_RDWR);
    pthread_join(provider->thread, NULL);
    close(provider->fd);
    for (unsigned i = 0; i < provider->n_connections; i++) {
        shutdown(provider->connections[i].fd, SHUT_RDWR);
        pthread_join(provider->connections[i].thread, NULL);
        close(provider->connections[i].fd);
    }
}
