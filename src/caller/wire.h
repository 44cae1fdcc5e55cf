#pragma once
/*
 * wire.h - non-blocking TCP and TLS client connections on one epoll
 *
 * One thread. Output is gathered until wire_flush(); input is handed over in
 * place, and what the owner does not take yet is kept for next time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "utils/scoped.h"

struct wire;
struct wire_set;

enum { WIRE_NAME_MAX = 256, WIRE_OUTPUT_MAX = 1024 * 1024, WIRE_ADDRESSES_MAX = 4 };

struct wire_address {
    struct {
        struct sockaddr_storage storage;
        socklen_t n;
    } at[WIRE_ADDRESSES_MAX]; /* tried in this order: localhost may be ::1 and 127.0.0.1 */
    size_t n_at;
    bool tls;
    char name[WIRE_NAME_MAX]; /* for SNI and the certificate */
};

struct wire_ops {
    /* Connected, TLS included. */
    void (*on_open)(struct wire *wire, void *user);
    /*
     * bytes (writable) is all that waits; eof: no more will come.
     * Returns: how many were taken; called again with the rest when that changed what they mean.
     */
    size_t (*on_bytes)(struct wire *wire, void *user, uint8_t *bytes, size_t n, bool eof);
    /* It is over: 0 an orderly end, else -errno. Last call, unless wire_free() comes before it. */
    void (*on_end)(struct wire *wire, void *user, int error, const char *why);
};

/* insecure: any certificate will do. ca_file: instead of the system's; may be NULL. */
int wire_set_new(bool insecure, const char *ca_file, struct wire_set **ret_set);
void wire_set_free(struct wire_set *set);
SCOPED_PTR(struct wire_set, wire_set_free)

/*
 * Handle what is ready, waiting for it or for the deadline.
 *
 * gather: sleep to the deadline even when something is ready, then take it all: fewer wake-ups.
 */
void wire_set_run(struct wire_set *set, uint64_t deadline_us, bool gather);

/* Blocks in the resolver. Errors: -ENOENT no such name. */
int wire_resolve(const char *host, const char *port, bool tls, struct wire_address *ret_address);

/* Owner: *address must outlive the wire's becoming open. */
int wire_open(struct wire_set *set, const struct wire_address *address, const struct wire_ops *ops, void *user,
              struct wire **ret_wire);
void wire_free(struct wire *wire); /* from anywhere, its own callbacks included; NULL is fine */

/* Room for n bytes of output, or NULL: WIRE_OUTPUT_MAX waits already. wire_commit() says how many were used. */
uint8_t *wire_reserve(struct wire *wire, size_t n);
void wire_commit(struct wire *wire, size_t n);
void wire_flush(struct wire *wire);
