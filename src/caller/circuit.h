#pragma once
/* circuit.h - one call of the exchange on its way through the stages; see circuit.c */

#include "caller/exchange.h"
#include "caller/url.h"
#include "caller/wire.h"

struct circuit;

enum { CIRCUIT_SLOT_US = 2000 }; /* streams begin on this grid, so that their frames are due on it */

/* What all circuits of an exchange share. */
struct circuit_shared {
    const struct exchange_options *options;
    const struct exchange_ops *ops;
    void *user;
    struct wire_set *wires;
    struct wire_address address; /* of the webhook; the status callback goes there too */
    struct url webhook, status;
    char webhook_signed[URL_MAX + 512], status_signed[URL_MAX + 512]; /* the URLs as they are signed */
    const char *host;            /* for the Host: header */
    uint64_t random;             /* state of the masks' generator */
};

int circuit_new(struct circuit_shared *shared, unsigned number, uint64_t begin_us, struct exchange_result *result,
                struct circuit **ret_circuit);
void circuit_free(struct circuit *circuit);

/* Do what is due. Returns: when there will be more to do without news from the wire; UINT64_MAX: it is over. */
uint64_t circuit_run(struct circuit *circuit, uint64_t now_us);

/* Everybody hangs up; a call that has not begun does not. */
void circuit_stop(struct circuit *circuit, uint64_t now_us);
