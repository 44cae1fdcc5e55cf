/*
 * load.c - many simulated calls at an exact pace, from one thread
 *
 *   load --port PORT --path /ws [--webhook /webhook/incoming_call] --calls N --seconds S --pid SERVER
 *        [--speech FILE.wav [--cycle MS] [--noise RMS]] [--warm S]
 *
 * Each call sends a frame every 20 ms, in a phase of its own: its due times are fixed when it begins, so a late
 * frame does not shift the ones behind it. What comes back is counted: every frame of every call, so that a lost one
 * is seen, and the round trip of the calls that are watched, one in WATCH_EVERY. The others are read only once in a
 * while, many frames at a time: what reading costs is then the server's, which is measured, and not the load's. How
 * late our own frames leave is reported, too; a figure counts only when that is small.
 *
 * The first six bytes of a payload are its number, which is eight letters of base64, whole. Frames are masked with the
 * key 0, which is as good as any for the server. With --webhook a call begins as Twilio's do, by a webhook whose answer
 * names the stream's token; without, it is a bare WebSocket whose far end sends back what it is sent.
 *
 * With --speech the far end is an agent, or nobody who answers: what is sent is the recording once in --cycle, each call
 * at a place of its own in it, and what comes back is played, see ear.h. Then nothing comes back for a frame, and the round trips are
 * those of a ping of each watched call a second. Of the calls that are not watched the voice is heard up to
 * READ_EVERY ticks late, far less than it comes ahead; underruns and answers are timed by the watched ones only.
 *
 * One line of JSON says how it went. CPU is what the threads of SERVER ran, by the kernel's own account, after the first
 * --warm seconds: all calls up, no call beginning or ending. That account leaves out interrupts on a kernel with
 * CONFIG_IRQ_TIME_ACCOUNTING, and with them the half of a send() over loopback that is run by a softirq; on one without
 * (`zgrep IRQ_TIME /proc/config.gz`) it is in. Either way it is so for all that are compared.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "caller/spread.h"
#include "ear.h"
#include "utils/base64.h"
#include "utils/clock.h"
#include "utils/scoped.h"
#include "utils/wsframe.h"

enum {
    FRAME_US = 20000,
    FRAME = 160,
    FRAME_TEXT = BASE64_SIZE(FRAME),
    TICK_US = 1000,
    TICKS = FRAME_US / TICK_US,
    WATCH_EVERY = 16,
    READ_EVERY = 100, /* ticks between two reads of a call that is not watched */
    SENT_KEPT = 1024, /* send times of a watched call: 20 s */
    PING_EVERY = 50,  /* frames */
    TEXT_MAX = 512,
    INPUT_MAX = 64 * 1024,
    PATIENCE_S = 10,
};

struct call {
    int fd;
    unsigned phase; /* tick of each frame */
    bool is_watched;
    uint32_t n_sent, n_back, n_messages;
    unsigned number;
    char stream_sid[40], token[64];
    uint64_t *sent_us; /* of a watched call, by number */
    size_t offset; /* in the line */
    struct ear ear;
    size_t n_part;
    char *part; /* of a frame that did not come whole */
};

struct run {
    int port, pid;
    const char *path, *webhook;
    unsigned n_calls, seconds, warm_s, cycle_ms, noise;
    const char *speech; /* NULL: the far end is an echo */
    struct line line;
    char *payloads; /* of the line, FRAME_TEXT letters a frame */
    struct call *calls;
    int epoll;
    uint64_t began_us, n_lost, n_stalled;
    struct spread *round_trips, *lags, *answers;
};

static char input[INPUT_MAX];

static void give_up(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* --- beginning a call */

static int connect_to(const struct run *run)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)run->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        give_up("cannot connect");
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ .tv_sec = PATIENCE_S }, sizeof(struct timeval));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    return fd;
}

static void send_all(int fd, const char *bytes, size_t n)
{
    while (n) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent < 0)
            give_up("cannot send");
        bytes += sent;
        n -= (size_t)sent;
    }
}

/* Until `end` is in it. */
static void receive_until(int fd, const char *end)
{
    size_t n = 0;

    for (input[0] = '\0'; !strstr(input, end);) {
        ssize_t got = recv(fd, input + n, sizeof(input) - 1 - n, 0);
        if (got <= 0)
            give_up("no answer");
        n += (size_t)got;
        input[n] = '\0';
    }
}

/* What the TwiML says behind name="token". */
static void announce(const struct run *run, struct call *call)
{
    char body[256], request[512];
    int fd = connect_to(run);

    snprintf(body, sizeof(body), "AccountSid=AC%032d&CallSid=CA%032u&From=%%2B97250%07u&To=%%2B97231234567&CallStatus=ringing&Direction=inbound",
             1, call->number, call->number % 10000000);
    snprintf(request, sizeof(request), "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n\r\n%s",
             run->webhook, run->port, strlen(body), body);
    send_all(fd, request, strlen(request));
    receive_until(fd, "</Response>");
    close(fd);
    const char *name = strstr(input, "name=\"token\""), *value = name ? strstr(name, "value=\"") : NULL;
    if (!value || sscanf(value, "value=\"%63[^\"]", call->token) != 1) {
        fprintf(stderr, "load: the webhook answered otherwise:\n%s\n", input);
        exit(1);
    }
}

static void send_message(struct run *run, struct call *call, enum ws_opcode opcode, const void *bytes, size_t n)
{
    static const uint8_t mask[4] = { 0 };
    char frame[WS_HEADER_MAX + TEXT_MAX];
    size_t n_header = ws_header_write((uint8_t *)frame, opcode, n, mask);

    memcpy(frame + n_header, bytes, n);
    if (send(call->fd, frame, n_header + n, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)(n_header + n))
        run->n_stalled++;
}

static void send_text(struct run *run, struct call *call, const char *text, size_t n)
{
    send_message(run, call, WS_TEXT, text, n);
}

static void say_start(struct run *run, struct call *call)
{
    static const char connected[] = "{\"event\":\"connected\",\"protocol\":\"Call\",\"version\":\"1.0.0\"}";
    char text[TEXT_MAX];
    int n = snprintf(text, sizeof(text),
                     "{\"event\":\"start\",\"sequenceNumber\":\"1\",\"start\":{\"accountSid\":\"AC%032d\",\"streamSid\":\"%s\",\"callSid\":\"CA%032u\","
                     "\"tracks\":[\"inbound\"],\"mediaFormat\":{\"encoding\":\"audio/x-mulaw\",\"sampleRate\":8000,\"channels\":1},"
                     "\"customParameters\":{\"token\":\"%s\"}},\"streamSid\":\"%s\"}",
                     1, call->stream_sid, call->number, call->token, call->stream_sid);

    send_text(run, call, connected, sizeof(connected) - 1);
    send_text(run, call, text, (size_t)n);
}

static void open_stream(struct run *run, unsigned index)
{
    struct call *call = &run->calls[index];
    char request[512];

    call->phase = index % TICKS;
    call->offset = run->speech ? index * run->line.n_frames / run->n_calls : 0;
    call->is_watched = index % WATCH_EVERY == 0;
    snprintf(call->stream_sid, sizeof(call->stream_sid), "MZ%032u", call->number);
    call->part = malloc(INPUT_MAX);
    call->sent_us = call->is_watched ? calloc(SENT_KEPT, sizeof(uint64_t)) : NULL;
    call->fd = connect_to(run);
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", run->path, run->port);
    send_all(call->fd, request, strlen(request));
}

static void start_stream(struct run *run, struct call *call)
{
    receive_until(call->fd, "\r\n\r\n");
    if (!strstr(input, " 101 ")) {
        fprintf(stderr, "load: no WebSocket:\n%s\n", input);
        exit(1);
    }
    if (run->webhook)
        say_start(run, call);
    if (call->is_watched && epoll_ctl(run->epoll, EPOLL_CTL_ADD, call->fd, &(struct epoll_event){ EPOLLIN, { .ptr = call } }) < 0)
        give_up("cannot watch");
}

/* Each step for all of them: whose stream is open has to be spoken to soon. */
static void begin_calls(struct run *run)
{
    for (unsigned i = 0; i < run->n_calls; i++)
        run->calls[i].number = (unsigned)getpid() % 10000 * 100000 + i;
    for (unsigned i = 0; i < run->n_calls && run->webhook; i++)
        announce(run, &run->calls[i]);
    for (unsigned i = 0; i < run->n_calls; i++)
        open_stream(run, i);
    for (unsigned i = 0; i < run->n_calls; i++)
        start_stream(run, &run->calls[i]);
}

/* --- sending */

static void send_frame(struct run *run, struct call *call, uint64_t due_us)
{
    char text[TEXT_MAX], payload[FRAME_TEXT];
    uint32_t number = call->n_sent++;
    uint64_t now_us = clock_mono_us();

    if (run->speech) {
        size_t at = (number + call->offset) % run->line.n_frames;
        memcpy(payload, run->payloads + at * FRAME_TEXT, FRAME_TEXT);
        ear_speak(&call->ear, &run->line, at, now_us);
    } else {
        uint8_t bytes[FRAME] = { (uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number };
        base64_encode(bytes, FRAME, payload);
    }
    int n = snprintf(text, sizeof(text),
                     "{\"event\":\"media\",\"sequenceNumber\":\"%u\",\"media\":{\"track\":\"inbound\",\"chunk\":\"%u\",\"timestamp\":\"%u\",\"payload\":\"%.*s\"},\"streamSid\":\"%s\"}",
                     number + 2, number + 1, number * 20, FRAME_TEXT, payload, call->stream_sid);
    spread_add(run->lags, now_us > due_us ? now_us - due_us : 0);
    if (call->sent_us)
        call->sent_us[number % SENT_KEPT] = now_us;
    send_text(run, call, text, (size_t)n);
    if (run->speech && call->sent_us && number % PING_EVERY == 0)
        send_message(run, call, WS_PING, &number, sizeof(number));
}

static void send_marks(struct run *run, struct call *call, uint64_t now_us)
{
    char text[TEXT_MAX];

    for (const char *name; (name = ear_reached(&call->ear, now_us));) {
        int n = snprintf(text, sizeof(text), "{\"event\":\"mark\",\"sequenceNumber\":\"1\",\"streamSid\":\"%s\",\"mark\":{\"name\":\"%s\"}}",
                         call->stream_sid, name);
        send_text(run, call, text, (size_t)n);
    }
}

/* --- what comes back */

static const char *behind(const char *text, size_t n, const char *key)
{
    const char *at = memmem(text, n, key, strlen(key));

    return at ? at + strlen(key) : NULL;
}

/* Of a frame that is back. */
static void take_number(struct run *run, struct call *call, uint32_t number, uint64_t now_us)
{
    if (call->sent_us && number < call->n_sent)
        spread_add(run->round_trips, now_us - call->sent_us[number % SENT_KEPT]);
}

static void take_audio(struct run *run, struct call *call, const char *payload, const char *end, uint64_t now_us)
{
    const char *quote = memchr(payload, '"', (size_t)(end - payload));
    uint8_t bytes[INPUT_MAX];
    ssize_t n = quote ? base64_decode(payload, (size_t)(quote - payload), bytes, sizeof(bytes)) : -1;

    if (n < 0)
        return;
    call->n_back += (uint32_t)(n / FRAME);
    if (run->speech) {
        uint64_t waited_us = ear_hear(&call->ear, (size_t)n, now_us);
        if (call->sent_us && waited_us)
            spread_add(run->answers, waited_us);
        return;
    }
    for (ssize_t at = 0; at + FRAME <= n; at += FRAME)
        take_number(run, call, (uint32_t)bytes[at] << 24 | (uint32_t)bytes[at + 1] << 16 | (uint32_t)bytes[at + 2] << 8 | bytes[at + 3], now_us);
}

static void take_pong(struct run *run, struct call *call, const char *bytes, size_t n, uint64_t now_us)
{
    uint32_t number = UINT32_MAX;

    if (n == sizeof(number))
        memcpy(&number, bytes, sizeof(number));
    take_number(run, call, number, now_us);
}

static void take_text(struct run *run, struct call *call, const char *text, size_t n, uint64_t now_us)
{
    const char *payload = behind(text, n, "\"payload\":\""), *name = behind(text, n, "\"name\":\"");

    call->n_messages++;
    if (payload) {
        take_audio(run, call, payload, text + n, now_us);
    } else if (name) {
        ear_mark(&call->ear, name, now_us);
    } else if (behind(text, n, "\"clear\"")) {
        ear_clear(&call->ear, now_us);
    }
}

static void read_call(struct run *run, struct call *call)
{
    ssize_t got = recv(call->fd, call->part + call->n_part, INPUT_MAX - 1 - call->n_part, MSG_DONTWAIT);
    uint64_t now_us = clock_mono_us();
    struct ws_header header;
    size_t at = 0;

    if (got == 0 || (got < 0 && errno != EAGAIN)) {
        run->n_lost++;
        if (call->is_watched)
            (void)epoll_ctl(run->epoll, EPOLL_CTL_DEL, call->fd, NULL);
        close(call->fd);
        call->fd = -1;
    }
    if (got <= 0)
        return;
    call->n_part += (size_t)got;
    call->part[call->n_part] = '\0';
    while (ws_header_parse((uint8_t *)call->part + at, call->n_part - at, &header) == 1 &&
           call->n_part - at >= header.n_header + header.n_payload) {
        (header.opcode == WS_PONG ? take_pong : take_text)(run, call, call->part + at + header.n_header, header.n_payload, now_us);
        at += header.n_header + header.n_payload;
    }
    call->n_part -= at;
    memmove(call->part, call->part + at, call->n_part);
}

/* --- the run */

static uint64_t cpu_ns(int pid)
{
    char path[64], line[128];
    uint64_t sum = 0, ns;

    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        snprintf(line, sizeof(line), "%.40s/%.20s/schedstat", path, entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(line, "r");
        if (file && fscanf(file, "%lu", &ns) == 1)
            sum += ns;
        if (file)
            fclose(file);
    }
    if (dir)
        closedir(dir);
    return sum;
}

static unsigned long resident_kib(int pid)
{
    char path[64], line[256];
    unsigned long kib = 0;

    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof(line), file))
        (void)sscanf(line, "VmRSS: %lu", &kib);
    if (file)
        fclose(file);
    return kib;
}

static void tick(struct run *run, uint64_t number)
{
    uint64_t due_us = run->began_us + number * TICK_US;

    for (unsigned i = number % TICKS; i < run->n_calls; i += TICKS) {
        struct call *call = &run->calls[i];
        if (call->fd < 0)
            continue;
        send_frame(run, call, due_us);
        if (call->ear.n_marks)
            send_marks(run, call, due_us);
    }
    for (unsigned i = number % READ_EVERY; i < run->n_calls; i += READ_EVERY)
        if (run->calls[i].fd >= 0 && !run->calls[i].is_watched)
            read_call(run, &run->calls[i]);
}

/* What the watched calls are sent, until it is time for the next tick. */
static void watch_until(struct run *run, uint64_t until_us)
{
    struct epoll_event events[64];
    uint64_t now_us;

    while ((now_us = clock_mono_us()) < until_us) {
        struct timespec wait = { 0, (long)(until_us - now_us) * 1000 };
        int n = epoll_pwait2(run->epoll, events, ELEMENTSOF(events), &wait, NULL);
        for (int i = 0; i < n; i++)
            read_call(run, events[i].data.ptr);
    }
}

static void report(struct run *run, uint64_t cpu_used_ns, unsigned long kib, uint64_t n_frames, double own_share)
{
    uint64_t n_sent = 0, n_back = 0, n_messages = 0, n_asked = 0, n_unanswered = 0, n_underruns = 0, now_us = clock_mono_us();

    for (unsigned i = 0; i < run->n_calls; i++) {
        const struct call *call = &run->calls[i];
        n_sent += call->n_sent;
        n_back += call->n_back;
        n_messages += call->n_messages;
        n_asked += call->ear.n_asked;
        n_unanswered += ear_unanswered(&call->ear, now_us);
        n_underruns += call->is_watched ? call->ear.n_underruns : 0;
    }
    printf("{\"calls\":%u,\"sent\":%lu,\"back\":%lu,\"messages\":%lu,\"ended\":%lu,\"stalled\":%lu,\"p50_ms\":%.2f,\"p99_ms\":%.2f,"
           "\"lag_p99_ms\":%.2f,\"cpu_us\":%.3f,\"rss_kib\":%lu,\"load_cpu\":%.2f,\"trips\":%lu,"
           "\"asked\":%lu,\"unanswered\":%lu,\"underruns\":%lu,\"answer_p50_ms\":%.1f,\"answer_p99_ms\":%.1f}\n",
           run->n_calls, n_sent, n_back, n_messages, run->n_lost, run->n_stalled, spread_at(run->round_trips, 0.5),
           spread_at(run->round_trips, 0.99), spread_at(run->lags, 0.99), n_frames ? (double)cpu_used_ns / 1000 / (double)n_frames : 0, kib, own_share,
           run->round_trips->n, n_asked, n_unanswered, n_underruns, spread_at(run->answers, 0.5), spread_at(run->answers, 0.99));
}

static double own_cpu_s(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void start_counting(struct run *run)
{
    memset(run->round_trips, 0, sizeof(*run->round_trips));
    memset(run->lags, 0, sizeof(*run->lags));
    memset(run->answers, 0, sizeof(*run->answers));
    for (unsigned i = 0; i < run->n_calls; i++)
        ear_count(&run->calls[i].ear);
}

/* Behind the last tick what is under way has time to come back. */
static void hold_calls(struct run *run)
{
    uint64_t n_ticks = (uint64_t)run->seconds * 1000000 / TICK_US, from = (uint64_t)run->warm_s * 1000000 / TICK_US, to = n_ticks;
    uint64_t cpu = 0;
    double own = 0;

    run->began_us = clock_mono_us() + TICK_US;
    for (uint64_t number = 0; number < n_ticks; number++) {
        if (number == from) {
            cpu = cpu_ns(run->pid);
            own = own_cpu_s();
            start_counting(run);
        }
        watch_until(run, run->began_us + number * TICK_US);
        tick(run, number);
    }
    cpu = cpu_ns(run->pid) - cpu;
    own = own_cpu_s() - own;
    unsigned long kib = resident_kib(run->pid);
    watch_until(run, clock_mono_us() + 500000);
    for (unsigned i = 0; i < run->n_calls; i++)
        if (run->calls[i].fd >= 0)
            read_call(run, &run->calls[i]);
    report(run, cpu, kib, (to - from) / TICKS * run->n_calls, own / ((double)(to - from) * TICK_US / 1e6));
}

static void make_line(struct run *run)
{
    if (!run->speech)
        return;
    if (line_make(run->speech, run->cycle_ms, run->noise, &run->line) < 0)
        give_up(run->speech);
    run->payloads = malloc(run->line.n_frames * FRAME_TEXT);
    for (size_t i = 0; i < run->line.n_frames; i++)
        base64_encode(run->line.ulaw + i * FRAME, FRAME, run->payloads + i * FRAME_TEXT);
}

static const struct option options[] = {
    { "port", 1, NULL, 'p' }, { "path", 1, NULL, 'a' },    { "webhook", 1, NULL, 'w' }, { "calls", 1, NULL, 'c' },
    { "pid", 1, NULL, 'i' },  { "seconds", 1, NULL, 's' }, { "speech", 1, NULL, 'v' },
    { "cycle", 1, NULL, 'y' }, { "noise", 1, NULL, 'n' },   { "warm", 1, NULL, 'm' },    { 0 },
};

int main(int argc, char **argv)
{
    struct run run = { .path = "/ws", .n_calls = 10, .seconds = 5, .warm_s = 1, .cycle_ms = 8000, .noise = 16 };

    for (int letter; (letter = getopt_long(argc, argv, "", options, NULL)) >= 0;)
        switch (letter) {
        case 'p': run.port = atoi(optarg); break;
        case 'a': run.path = optarg; break;
        case 'w': run.webhook = optarg; break;
        case 'c': run.n_calls = (unsigned)atoi(optarg); break;
        case 'i': run.pid = atoi(optarg); break;
        case 's': run.seconds = (unsigned)atoi(optarg); break;
        case 'v': run.speech = optarg; break;
        case 'y': run.cycle_ms = (unsigned)atoi(optarg); break;
        case 'n': run.noise = (unsigned)atoi(optarg); break;
        case 'm': run.warm_s = (unsigned)atoi(optarg); break;
        default: return 2;
        }
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    run.calls = calloc(run.n_calls, sizeof(run.calls[0]));
    run.round_trips = calloc(1, sizeof(*run.round_trips));
    run.lags = calloc(1, sizeof(*run.lags));
    run.answers = calloc(1, sizeof(*run.answers));
    make_line(&run);
    (void)setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 65536, 65536 });
    begin_calls(&run);
    hold_calls(&run);
    return 0;
}
