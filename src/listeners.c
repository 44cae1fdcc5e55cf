/*
 * listeners.c - the sockets we are reached at
 *
 * systemd passes descriptors from 3 on, and their names; the order between
 * several socket units is not defined, so only the name tells what one is for.
 */
#include "listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "succession.h"
#include "utils/log.h"
#include "utils/scoped.h"

static const char *const names[] = {
    [LISTENER_HTTP] = "http", [LISTENER_HTTPS] = "https", [LISTENER_ADMIN] = "admin",
};

const char *listener_name(enum http_listener kind)
{
    return names[kind];
}

/* Returns: the listener of that name, or -ENOENT. */
static int kind_of(const char *name, size_t n)
{
    for (size_t i = 0; i < ELEMENTSOF(names); i++)
        if (strlen(names[i]) == n && strncmp(name, names[i], n) == 0)
            return (int)i;
    return -ENOENT;
}

static void announce(const struct listener *listener)
{
    struct sockaddr_storage storage = { 0 };
    struct sockaddr_un *local = (struct sockaddr_un *)&storage;
    socklen_t n = sizeof(storage);
    char host[INET6_ADDRSTRLEN + 16] = "?", port[8] = "?";

    (void)getsockname(listener->fd, (struct sockaddr *)&storage, &n);
    if (storage.ss_family == AF_UNIX) {
        log_info("listening %s on %s", names[listener->kind], local->sun_path);
        return;
    }
    (void)getnameinfo((struct sockaddr *)&storage, n, host, sizeof(host), port, sizeof(port),
                      NI_NUMERICHOST | NI_NUMERICSERV);
    bool is_v6 = storage.ss_family == AF_INET6;
    log_info("listening %s on %s%s%s:%s", names[listener->kind], is_v6 ? "[" : "", host,
             is_v6 ? "]" : "", port);
}

/* --- inherited */

static int adopt(int fd, const char *name, struct listener *listener)
{
    int kind = kind_of(name, strlen(name));

    if (kind < 0) {
        (void)log_warning(
            0, "systemd passed a socket named '%s'; http, https and admin are known, it is closed",
            name);
        return 0;
    }
    if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
        return log_err(
            -EINVAL, "the socket '%s' that systemd passed is not a listening stream socket", name);
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
        return log_err(-errno, "cannot use the socket '%s' that systemd passed", name);
    if (kind == LISTENER_ADMIN && sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) <= 0)
        return log_err(-EINVAL, "the admin socket that systemd passed is no UNIX socket: "
                                "who may connect is its only guard");
    *listener = (struct listener){ (enum http_listener)kind, fd };
    return 1;
}

/* Every descriptor is ours to close, whatever becomes of the others. */
static int inherit(struct listener *listeners, size_t *n)
{
    char **fd_names = NULL;
    int n_fds = sd_listen_fds_with_names(1, &fd_names), r = 0;

    if (n_fds < 0)
        return log_err(n_fds, "cannot read what systemd passed");
    for (int i = 0; i < n_fds; i++) {
        int fd = SD_LISTEN_FDS_START + i, taken = 0;
        if (succession_is_name(fd_names[i])) {
            free(fd_names[i]);
            continue;
        }
        if (r >= 0 && *n == LISTENERS_MAX)
            r = log_err(-E2BIG, "systemd passed more than %d sockets", LISTENERS_MAX);
        if (r >= 0)
            r = taken = adopt(fd, fd_names[i], &listeners[*n]);
        if (taken > 0)
            announce(&listeners[(*n)++]);
        else
            close(fd);
        free(fd_names[i]);
    }
    free(fd_names);
    return r < 0 ? r : 0;
}

/* --- by hand */

static int bind_and_listen(int fd, const struct sockaddr *address, socklen_t n)
{
    if (bind(fd, address, n) < 0 || listen(fd, SOMAXCONN) < 0)
        return -errno;
    return 0;
}

static int open_tcp(const char *spec, const char *address, int *ret_fd)
{
    static const struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
                                           .ai_socktype = SOCK_STREAM };
    const char *colon = strrchr(address, ':');
    bool is_bracketed = address[0] == '[' && colon && colon[-1] == ']';
    struct addrinfo *found = NULL;
    scoped(free) char *host = NULL;
    scoped(close) int fd = -1;
    int r;

    host = colon ? strndup(address + is_bracketed, (size_t)(colon - address) - 2 * is_bracketed)
                 : NULL;
    if (!host || !host[0] || !colon[1] || getaddrinfo(host, colon + 1, &hints, &found) != 0)
        return log_err(-EINVAL, "--listen %s: that is not NAME=ADDRESS:PORT or NAME=/path", spec);

    fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    r = fd < 0 ? -errno : bind_and_listen(fd, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    if (r < 0)
        return log_err(r, "--listen %s", spec);
    *ret_fd = fd;
    fd = -1;
    return 0;
}

/* A socket file that nobody answers at is left over from a run that was killed. */
static void remove_stale(const struct sockaddr_un *address)
{
    scoped(close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat st;

    if (fd >= 0 && lstat(address->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
        connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
        errno == ECONNREFUSED)
        (void)unlink(address->sun_path);
}

static int open_unix(const char *spec, const char *path, int *ret_fd)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    scoped(close) int fd = -1;

    if (strlen(path) >= sizeof(address.sun_path))
        return log_err(-ENAMETOOLONG, "--listen %s", spec);
    strcpy(address.sun_path, path);
    remove_stale(&address);

    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    mode_t before = umask(0117); /* 0660 from the first moment; no other thread is there yet */
    int r = fd < 0 ? -errno : bind_and_listen(fd, (struct sockaddr *)&address, sizeof(address));
    umask(before);
    if (r < 0)
        return log_err(r, "--listen %s", spec);
    *ret_fd = fd;
    fd = -1;
    return 0;
}

static int open_spec(const char *spec, struct listener *ret_listener)
{
    const char *equals = strchr(spec, '=');
    int kind = equals ? kind_of(spec, (size_t)(equals - spec)) : -EINVAL, fd = -1;

    if (kind < 0)
        return log_err(-EINVAL, "--listen %s: NAME= must be http=, https= or admin=", spec);
    if (kind == LISTENER_ADMIN && equals[1] != '/')
        return log_err(-EINVAL, "--listen %s: admin must be a UNIX socket, admin=/path", spec);
    int r = equals[1] == '/' ? open_unix(spec, equals + 1, &fd) : open_tcp(spec, equals + 1, &fd);
    if (r < 0)
        return r;
    *ret_listener = (struct listener){ (enum http_listener)kind, fd };
    announce(ret_listener);
    return 0;
}

void listeners_close(const struct listener *listeners, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (listeners[i].fd >= 0)
            close(listeners[i].fd);
}

int listeners_open(const char *const *specs, size_t n_specs,
                   struct listener listeners[LISTENERS_MAX])
{
    size_t n = 0;
    int r = inherit(listeners, &n);

    for (size_t i = 0; r == 0 && i < n_specs; i++) {
        r = n < LISTENERS_MAX ? open_spec(specs[i], &listeners[n])
                              : log_err(-E2BIG, "more than %d listeners", LISTENERS_MAX);
        n += r == 0;
    }
    if (r < 0) {
        listeners_close(listeners, n);
        return r;
    }
    return (int)n;
}
