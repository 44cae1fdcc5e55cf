/*
 * provider.c - Whisper and a voice that answer at once and cost next to nothing
 *
 *   provider PORT
 *
 * As OpenAI's: POST /v1/audio/transcriptions is answered in verbose_json with one sentence, whatever is said, and POST
 * /v1/audio/speech with PCM of 24 kHz, a hum of SPEECH_MS. HTTP/1.1 that is kept alive; a client is taken for honest. What is
 * asked for is read and thrown away, and each answer was made before.
 */
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HEAD_MAX = 4096,
    SPEECH_HZ = 24000,
    SPEECH_MS = 2000,
    SPEECH_N = SPEECH_HZ / 1000 * SPEECH_MS,
};

#define TRANSCRIPT "A new appointment, please."

struct answer {
    char *bytes;
    size_t n;
};

struct peer {
    int fd;
    size_t n_head, n_body; /* what is there of the head; what is still to come of the body */
    const struct answer *answer; /* once the body is there; NULL: a head is read */
    char head[HEAD_MAX];
};

static struct answer transcript, speech, missing;

static void answer_make(struct answer *answer, const char *status, const char *type, const void *body, size_t n)
{
    answer->bytes = malloc(256 + n);
    answer->n = (size_t)sprintf(answer->bytes, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", status, type, n);
    memcpy(answer->bytes + answer->n, body, n);
    answer->n += n;
}

static void answers_make(void)
{
    static const char text[] = "{\"task\":\"transcribe\",\"language\":\"english\",\"duration\":2.0,\"text\":\"" TRANSCRIPT "\","
        "\"segments\":[{\"id\":0,\"seek\":0,\"start\":0.0,\"end\":2.0,\"text\":\" " TRANSCRIPT "\",\"tokens\":[1],\"temperature\":0.0,"
        "\"avg_logprob\":-0.2,\"compression_ratio\":0.9,\"no_speech_prob\":0.01}]}";
    static int16_t hum[SPEECH_N];

    for (int i = 0; i < SPEECH_N; i++)
        hum[i] = (int16_t)(6000 * sin(2 * M_PI * 150 * i / SPEECH_HZ) * (1.2 - cos(2 * M_PI * 4 * i / SPEECH_HZ)) / 2.2);
    answer_make(&transcript, "200 OK", "application/json", text, sizeof(text) - 1);
    answer_make(&speech, "200 OK", "audio/pcm", hum, sizeof(hum));
    answer_make(&missing, "404 Not Found", "application/json", "", 0);
}

static void hang_up(struct peer *peer)
{
    close(peer->fd);
    free(peer);
}

static const struct answer *answer_to(const char *head)
{
    const char *line_end = strchr(head, '\r'), *path = strchr(head, ' ');
    size_t n = path ? (size_t)(line_end - path) : 0;

    if (strncmp(head, "POST ", 5) != 0 || !n)
        return &missing;
    return memmem(path, n, "/audio/transcriptions ", 22) ? &transcript : memmem(path, n, "/audio/speech ", 14) ? &speech : &missing;
}

/* Written whole: the daemon reads at once. */
static bool send_answer(struct peer *peer)
{
    for (size_t at = 0; at < peer->answer->n;) {
        ssize_t sent = send(peer->fd, peer->answer->bytes + at, peer->answer->n - at, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += (size_t)sent;
    }
    peer->answer = NULL;
    return true;
}

/* Returns: how much of it was the head's; 0 when it has no end yet. */
static size_t take_head(struct peer *peer)
{
    static const char length[] = "\r\nContent-Length:", expect[] = "\r\nExpect: 100-continue";
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

    peer->head[peer->n_head] = '\0';
    char *end = strstr(peer->head, "\r\n\r\n");
    if (!end)
        return 0;
    end[2] = '\0';
    const char *n_body = strcasestr(peer->head, length);
    peer->n_body = n_body ? strtoul(n_body + sizeof(length) - 1, NULL, 10) : 0;
    if (strcasestr(peer->head, expect))
        (void)!send(peer->fd, go_on, sizeof(go_on) - 1, MSG_NOSIGNAL);
    peer->answer = answer_to(peer->head);
    return (size_t)(end + 4 - peer->head);
}

/* What is there is the head, and what of the body came with it. */
static bool read_head(struct peer *peer)
{
    ssize_t n = recv(peer->fd, peer->head + peer->n_head, sizeof(peer->head) - 1 - peer->n_head, 0);

    if (n <= 0)
        return false;
    peer->n_head += (size_t)n;
    size_t n_taken = take_head(peer);
    if (!n_taken)
        return peer->n_head < sizeof(peer->head) - 1;
    peer->n_body -= peer->n_head - n_taken;
    peer->n_head = 0;
    return true;
}

static bool read_body(struct peer *peer)
{
    static char thrown_away[256 * 1024];
    ssize_t n = recv(peer->fd, thrown_away, peer->n_body < sizeof(thrown_away) ? peer->n_body : sizeof(thrown_away), 0);

    peer->n_body -= n > 0 ? (size_t)n : 0;
    return n > 0;
}

static void on_readable(struct peer *peer)
{
    if (!(peer->answer ? read_body(peer) : read_head(peer)) || (peer->answer && !peer->n_body && !send_answer(peer)))
        hang_up(peer);
}

static void accept_one(int listener, int epoll)
{
    struct peer *peer = calloc(1, sizeof(*peer));

    peer->fd = accept(listener, NULL, NULL);
    (void)setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    (void)epoll_ctl(epoll, EPOLL_CTL_ADD, peer->fd, &(struct epoll_event){ EPOLLIN, { .ptr = peer } });
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int listener = socket(AF_INET, SOCK_STREAM, 0), epoll = epoll_create1(0);
    struct epoll_event events[64];

    if (argc != 2)
        return 2;
    answers_make();
    at.sin_port = htons((uint16_t)atoi(argv[1]));
    (void)setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 65536, 65536 });
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(listener, 4096) < 0) {
        perror("provider");
        return 1;
    }
    (void)epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &(struct epoll_event){ EPOLLIN, { .ptr = NULL } });
    for (;;) {
        int n = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < n; i++)
            if (events[i].data.ptr)
                on_readable(events[i].data.ptr);
            else
                accept_one(listener, epoll);
    }
}
