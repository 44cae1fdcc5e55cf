/*
 * echo_server.c - the HTTP floor with a blueprint that sends everything back
 *
 * For test_http.py and test_websocket.py, which need bodies, promised answers and
 * a WebSocket that no route of the daemon offers in this plainness. Settings are
 * NAME=VALUE arguments, SIGTERM ends it, a second one is not needed.
 */
#include <json-c/json.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "server.h"
#include "utils/log.h"
#include "websocket.h"

/* --- requests */

static char *text_of(struct json_object *json)
{
    char *text = strdup(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN));

    json_object_put(json);
    return text;
}

/* What the handler was given, as JSON. */
static char *describe(const struct http_request *request)
{
    struct json_object *json = json_object_new_object(), *fields = json_object_new_array();

    json_object_object_add(json, "method", json_object_new_string(request->method));
    json_object_object_add(json, "path", json_object_new_string(request->path));
    json_object_object_add(json, "target", json_object_new_string(request->target));
    json_object_object_add(json, "query", json_object_new_string(request->query));
    json_object_object_add(json, "param", json_object_new_string(request->param));
    json_object_object_add(json, "peer", json_object_new_string(request->peer));
    json_object_object_add(json, "is_loopback", json_object_new_boolean(request->peer_is_loopback));
    json_object_object_add(json, "listener",
                           json_object_new_string(listener_name(request->listener)));
    json_object_object_add(json, "request_id", json_object_new_string(request->request_id));
    json_object_object_add(
        json, "body",
        json_object_new_string_len(request->body ? request->body : "", (int)request->n_body));
    for (size_t i = 0; i < request->n_fields; i++) {
        const struct http_field *field = &request->fields[i];
        struct json_object *pair = json_object_new_array();
        json_object_array_add(pair, json_object_new_string_len(field->name, (int)field->n_name));
        json_object_array_add(pair, json_object_new_string_len(field->value, (int)field->n_value));
        json_object_array_add(fields, pair);
    }
    json_object_object_add(json, "fields", fields);
    return text_of(json);
}

struct promise {
    struct http_ticket *ticket;
    char *text;
    unsigned delay_ms;
};

static void *keep_promise(void *arg)
{
    struct promise *promise = arg;
    struct timespec delay = { promise->delay_ms / 1000, (promise->delay_ms % 1000) * 1000000L };
    struct http_response response = { .content_type = "application/json" };

    nanosleep(&delay, NULL);
    response.body = promise->text;
    response.n_body = strlen(promise->text);
    response.extra[response.n_extra++] = (struct http_field){ "x-from", 6, "a thread", 8 };
    promise->ticket->answer(promise->ticket, &response);
    free(promise->text);
    free(promise);
    return NULL;
}

/* ?MILLISECONDS until it is answered, by another thread. */
static int later(struct http_request *request, struct http_response *response)
{
    struct promise *promise = calloc(1, sizeof(*promise));
    pthread_t thread;

    promise->delay_ms = (unsigned)atoi(request->query);
    promise->text = describe(request);
    promise->ticket = request->later(request);
    pthread_create(&thread, NULL, keep_promise, promise);
    pthread_detach(thread);
    return HTTP_LATER;
}

static int echo(struct http_request *request, struct http_response *response)
{
    static _Thread_local char body[256 * KIB]; /* until the next one: the sender copies it */
    scoped(free) char *text = describe(request);

    response->content_type = "application/json";
    response->body = body;
    response->n_body = (size_t)snprintf(body, sizeof(body), "%s", text);
    return HTTP_DONE;
}

/* -?ERRNO as a handler's failure. */
static int fail(struct http_request *request, struct http_response *response)
{
    return -atoi(request->query);
}

/* --- WebSockets: text comes back; some texts are commands */

static void on_open(struct websocket *socket, void *user)
{
    websocket_send_text(socket, "hello", 5);
}

static void on_text(struct websocket *socket, void *user, char *text, size_t n)
{
    char command[32] = "";
    unsigned number = 0;

    memcpy(command, text, n < sizeof(command) - 1 ? n : sizeof(command) - 1);
    if (sscanf(command, "close %u", &number) == 1) {
        websocket_close(socket, (int)number, "asked to");
    } else if (sscanf(command, "flood %u", &number) == 1) { /* KiB, in one callback */
        static char block[KIB];
        memset(block, 'x', sizeof(block));
        while (number-- && websocket_send_text(socket, block, sizeof(block)) == 0)
            ;
    } else {
        (void)websocket_send_text(socket, text, n);
    }
}

static void on_close(struct websocket *socket, void *user, int code, const char *why)
{
    log_info("closed %d %s", code, why);
}

static const struct websocket_ops echo_ops = {
    .on_open = on_open,
    .on_text = on_text,
    .on_close = on_close,
    .message_max = 64 * KIB,
    .output_max = 256 * KIB,
    .stall_ms = 1500,
};

static int upgrade(struct http_request *request, struct http_response *response)
{
    response->upgrade_ops = &echo_ops;
    return HTTP_UPGRADE;
}

static const struct route routes[] = {
    { "GET",  "/echo",        AUTH_NONE, 0,         echo,    "What was asked" },
    { "POST", "/echo",        AUTH_NONE, 16 * KIB,  echo,    "What was sent" },
    { "GET",  "/echo/{name}", AUTH_NONE, 0,         echo,    "What was asked, with a name" },
    { "POST", "/small",       AUTH_NONE, 100,       echo,    "A smaller limit" },
    { "GET",  "/later",       AUTH_NONE, 0,         later,   "The same, from another thread" },
    { "GET",  "/fail",        AUTH_NONE, 0,         fail,    "A handler that fails" },
    { "GET",  "/local",       AUTH_LOCAL, 0,        echo,    "Only on the admin listener" },
    { "GET",  "/token",       AUTH_TOKEN, 0,        echo,    "A guard that nobody set" },
    { "GET",  "/ws",          AUTH_NONE, 0,         upgrade, "Echo" },
};
static const struct blueprint blueprint = BLUEPRINT("echo", "", routes);
static const struct blueprint *const blueprints[] = { &blueprint };

/* --- the process */

struct setting {
    const char *name;
    uint64_t value;
};

static struct setting settings[] = {
    { "loops", 1 }, { "connections", 1000 }, { "request_ms", 10000 }, { "handshake_ms", 5000 }, { "user_ms", 5000 },
};

static bool set(const char *argument)
{
    for (size_t i = 0; i < ELEMENTSOF(settings); i++) {
        size_t n = strlen(settings[i].name);
        if (strncmp(argument, settings[i].name, n) == 0 && argument[n] == '=') {
            settings[i].value = strtoull(argument + n + 1, NULL, 10);
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    struct listener listeners[LISTENERS_MAX];
    struct server_options options = { 0 };
    struct router *router = NULL;
    struct server *server = NULL;
    const char *listen[LISTENERS_MAX];
    size_t n_listen = 0;
    sigset_t signals;
    int signal;

    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], "cert=", 5) == 0)
            options.tls_cert_file = argv[i] + 5;
        else if (strncmp(argv[i], "key=", 4) == 0)
            options.tls_key_file = argv[i] + 4;
        else if (!set(argv[i]) && n_listen < LISTENERS_MAX)
            listen[n_listen++] = argv[i];

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    int n = listeners_open(listen, n_listen, listeners);
    if (n < 0 || router_new(blueprints, 1, NULL, stderr, &router) < 0)
        return 1;
    options.router = router;
    options.n_loops = (unsigned)settings[0].value;
    options.connections_max = (unsigned)settings[1].value;
    options.request_timeout_ms = settings[2].value;
    options.handshake_timeout_ms = settings[3].value;
    options.user_timeout_ms = settings[4].value;
    if (server_new(&options, listeners, (size_t)n, &server) < 0 || server_start(server) < 0)
        return 1;
    log_info("ready");
    while (sigwait(&signals, &signal) == 0 && signal == SIGUSR1)
        server_drain(server);
    server_free(server);
    router_free(router);
    log_info("stopped");
    return 0;
}
