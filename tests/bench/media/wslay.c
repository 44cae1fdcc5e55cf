/*
 * wslay.c - the echo that libh2o offers with its own WebSocket, which is wslay's: one loop, one page
 *
 *   wslay PORT
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <h2o.h>
#include <h2o/websocket.h>

static h2o_globalconf_t conf;
static h2o_context_t context;
static h2o_accept_ctx_t accepting = { &context };

static void on_message(h2o_websocket_conn_t *conn, const struct wslay_event_on_msg_recv_arg *arg)
{
    if (!arg) {
        h2o_websocket_close(conn);
        return;
    }
    if (wslay_is_ctrl_frame(arg->opcode))
        return;
    struct wslay_event_msg message = { arg->opcode, arg->msg, arg->msg_length };
    wslay_event_queue_msg(conn->ws_ctx, &message);
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    const char *key;

    if (h2o_is_websocket_handshake(req, &key) != 0 || !key)
        return -1;
    (void)h2o_upgrade_to_websocket(req, key, NULL, on_message);
    return 0;
}

static void on_accept(h2o_socket_t *listener, const char *err)
{
    h2o_socket_t *socket = err ? NULL : h2o_evloop_socket_accept(listener);

    if (!socket)
        return;
    (void)setsockopt(h2o_socket_get_fd(socket), IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    h2o_accept(&accepting, socket);
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (argc != 2)
        return 2;
    at.sin_port = htons((uint16_t)atoi(argv[1]));
    (void)setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 65536, 65536 });
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 4096) < 0) {
        perror("wslay");
        return 1;
    }
    h2o_config_init(&conf);
    conf.http1.upgrade_to_http2 = 0;
    h2o_hostconf_t *host = h2o_config_register_host(&conf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_create_handler(h2o_config_register_path(host, "/", 0), sizeof(h2o_handler_t))->on_req = on_request;
    h2o_context_init(&context, h2o_evloop_create(), &conf);
    accepting.hosts = conf.hosts;
    h2o_socket_read_start(h2o_evloop_socket_create(context.loop, fd, H2O_SOCKET_FLAG_DONT_READ), on_accept);
    for (;;)
        (void)h2o_evloop_run(context.loop, 1000);
}
