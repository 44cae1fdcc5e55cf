/*
 * floor.c - the least that a WebSocket server can do: epoll, recv, send, and no library
 *
 *   floor PORT echo|discard
 *
 * A client is taken for honest: every frame is a whole masked text or ping of less than 64 KiB, and comes whole or in parts.
 * echo sends each text back; discard reads it, which is the floor of whoever listens. A ping is answered by either.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "utils/wsframe.h"

enum { INPUT_MAX = 16 * 1024 };

struct peer {
    int fd;
    bool is_open;
    size_t n;
    char part[4096];
};

static bool is_echo;

static void upgrade(struct peer *peer)
{
    char *key = strstr(peer->part, "Sec-WebSocket-Key: "), accept[WS_ACCEPT_LEN + 1], answer[256];

    if (!key || !strstr(peer->part, "\r\n\r\n"))
        return;
    ws_accept(key + 19, accept);
    int n = snprintf(answer, sizeof(answer), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
    if (send(peer->fd, answer, (size_t)n, MSG_NOSIGNAL) < 0)
        return;
    peer->is_open = true;
    peer->n = 0;
}

static void take(struct peer *peer, char *in, size_t n)
{
    static char out[INPUT_MAX];
    struct ws_header header;
    size_t at = 0, n_out = 0;

    while (ws_header_parse((uint8_t *)in + at, n - at, &header) == 1 && n - at >= header.n_header + header.n_payload) {
        char *payload = in + at + header.n_header;
        ws_mask((uint8_t *)payload, header.n_payload, header.mask, 0);
        at += header.n_header + header.n_payload;
        if (!is_echo && header.opcode != WS_PING)
            continue;
        n_out += ws_header_write((uint8_t *)out + n_out, header.opcode == WS_PING ? WS_PONG : WS_TEXT, header.n_payload, NULL);
        memcpy(out + n_out, payload, header.n_payload);
        n_out += header.n_payload;
    }
    if (n_out && send(peer->fd, out, n_out, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        shutdown(peer->fd, SHUT_RDWR);
    peer->n = n - at < sizeof(peer->part) ? n - at : 0;
    memcpy(peer->part, in + at, peer->n);
}

static void on_readable(struct peer *peer)
{
    static char in[INPUT_MAX];

    memcpy(in, peer->part, peer->n);
    ssize_t n = recv(peer->fd, in + peer->n, sizeof(in) - peer->n - 1, MSG_DONTWAIT);
    if (n <= 0) {
        close(peer->fd);
        free(peer);
        return;
    }
    n += (ssize_t)peer->n;
    if (peer->is_open) {
        take(peer, in, (size_t)n);
        return;
    }
    peer->n = (size_t)n < sizeof(peer->part) ? (size_t)n : 0;
    memcpy(peer->part, in, peer->n);
    peer->part[peer->n < sizeof(peer->part) ? peer->n : 0] = '\0';
    upgrade(peer);
}

static void accept_one(int listener, int epoll)
{
    struct peer *peer = calloc(1, sizeof(*peer));

    peer->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    (void)setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    (void)epoll_ctl(epoll, EPOLL_CTL_ADD, peer->fd, &(struct epoll_event){ EPOLLIN, { .ptr = peer } });
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int listener = socket(AF_INET, SOCK_STREAM, 0), epoll = epoll_create1(0);
    struct epoll_event events[256];

    if (argc != 3)
        return 2;
    at.sin_port = htons((uint16_t)atoi(argv[1]));
    is_echo = strcmp(argv[2], "echo") == 0;
    (void)setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 65536, 65536 });
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(listener, 4096) < 0) {
        perror("floor");
        return 1;
    }
    (void)epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &(struct epoll_event){ EPOLLIN, { .ptr = NULL } });
    for (;;) {
        int n = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < n; i++)
            if (events[i].data.ptr)
                on_readable(events[i].data.ptr);
            else
                accept_one(listener, epoll);
    }
}
