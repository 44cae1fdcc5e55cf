/*
 * cli/admin.c - what the command line asks of those who listen at a unix socket
 */
#include "cli/admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "config.h"
#include "utils/scoped.h"

enum { PATIENCE_S = 10 };

static int dial(const char *path, unsigned patience_s)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct timeval patience = { .tv_sec = patience_s };

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        int r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

/* All until the other side closes. */
static int read_all(FILE *stream, char **ret_text)
{
    size_t n = 0, n_read;
    char piece[4096];
    scoped(free) char *text = NULL;
    FILE *out = open_memstream(&text, &n);

    while (out && (n_read = fread(piece, 1, sizeof(piece), stream)) > 0)
        (void)fwrite(piece, 1, n_read, out);
    if (!out || fclose(out) != 0)
        return -ENOMEM;
    if (ferror(stream))
        return -EIO;
    *ret_text = steal(&text);
    return 0;
}

int socket_ask(const struct socket_request *request, char **ret_body)
{
    scoped(free) char *text = NULL;
    unsigned status;
    int fd = dial(request->socket, request->patience_s);

    if (fd < 0)
        return fd;
    FILE *stream = fdopen(fd, "r+");
    if (!stream) {
        close(fd);
        return -ENOMEM;
    }
    fprintf(stream, "%s %s HTTP/1.1\r\nHost: admin\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", request->method,
            request->path, strlen(request->content), request->content);
    int r = fflush(stream) == 0 ? read_all(stream, &text) : -EIO;
    fclose(stream);
    if (r < 0)
        return r;
    char *body = strstr(text, "\r\n\r\n");
    if (sscanf(text, "HTTP/1.%*1[01] %3u ", &status) != 1 || !body)
        return -EPROTO;
    *ret_body = strdup(body + 4);
    return *ret_body ? (int)status : -ENOMEM;
}

int admin_ask(const struct config *config, const char *method, const char *path, char **ret_body)
{
    return socket_ask(&(struct socket_request){ config->admin_socket, method, path, "", PATIENCE_S }, ret_body);
}
