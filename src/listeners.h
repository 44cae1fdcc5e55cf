#pragma once
/* listeners.h - the sockets we are reached at: inherited from systemd, or made for a run by hand */

#include <stddef.h>

#include "http.h"

enum { LISTENERS_MAX = 16 };

struct listener {
    enum http_listener kind;
    int fd; /* listening, not blocking, closed on exec */
};

const char *listener_name(enum http_listener kind); /* http, https, admin */

/*
 * Take over what systemd passed by name (sd_listen_fds_with_names), then open what specs say.
 *
 * spec:    NAME=ADDRESS:PORT, NAME=[ADDRESS]:PORT or NAME=/path of a UNIX socket (made 0660). Port 0: the
 *          kernel chooses. Each is logged as "listening NAME on ADDRESS". admin is a UNIX socket only.
 * Returns: how many there are; an inherited socket of another name is closed with a warning, or is succession.h's.
 * Errors:  -EINVAL and others, with the reason logged; nothing is open then.
 */
int listeners_open(const char *const *specs, size_t n_specs, struct listener listeners[LISTENERS_MAX]);

/* Closed, never shut down: PID 1 may hold the same socket. */
void listeners_close(const struct listener *listeners, size_t n);
