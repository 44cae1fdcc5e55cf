#pragma once
/*
 * http_client.h - requests to other services, without waiting for them
 *
 * One thread carries all calls: connections are kept and shared, HTTP/2 is used where it is offered, certificates are
 * verified, proxies are taken from the environment (http_proxy, https_proxy, no_proxy). Every call that is started
 * ends, once, by its done(), whatever happens.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "utils/histogram.h"
#include "utils/inbox.h"
#include "utils/scoped.h"

struct http_client;
struct http_provider;

struct http_client_options {
    unsigned calls_max;  /* at once, warm-ups aside; one more ends with -EAGAIN */
    const char *ca_file; /* PEM, in place of the system's; NULL */
};

int http_client_new(const struct http_client_options *options, struct http_client **ret_client);
/* Ends what is under way (-ECANCELED). Nobody may start calls any more. */
void http_client_free(struct http_client *client);
SCOPED_PTR(struct http_client, http_client_free)

/* Where calls go to: what is known of its health is shared by them. */
struct http_provider_options {
    const char *base_url;    /* see http_join() */
    const char *path;        /* NULL: base_url is the whole, as it stands */
    const char *user;        /* with it the key is a password (Basic), else a bearer token; NULL none */
    const char *key;         /* NULL none */
    unsigned connect_ms;
    bool is_unguarded;       /* it is asked however often it failed: whoever asks leaves it alone himself */
    const char *unix_socket; /* the path of the socket that is connected to, whatever host base_url names; NULL none */
};

/* Copies the texts. Errors: -EINVAL the URL, or a key or user that is not one line; -EMSGSIZE; -ENOMEM. */
int http_provider_new(struct http_client *client, const struct http_provider_options *options,
                      struct http_provider **ret_provider);
void http_provider_free(struct http_provider *provider); /* when no call of it is under way */
SCOPED_PTR(struct http_provider, http_provider_free)

/*
 * Have a connection open, with its handshakes done, for whoever asks next; nothing when one was used a moment ago, is
 * being opened or the breaker is open. What becomes of it is counted and logged at debug, and is no failure.
 * Thread: any; never blocks, never allocates.
 */
void http_warm(struct http_provider *provider);

struct http_provider_stats {
    uint64_t n_calls, n_failed, n_retries, n_refused, n_connections, n_warmed; /* refused: by the breaker, unasked */
    bool is_open; /* the breaker lets nothing through */
    struct histogram_sums took_us; /* calls that were asked, with all attempts; histogram_us */
};
void http_provider_stats(struct http_provider *provider, struct http_provider_stats *ret_stats); /* any thread */

enum { HTTP_TYPE_MAX = 48 };

/* Of a multipart/form-data body; lent until done(). */
struct http_part {
    const char *name;
    const void *bytes;
    size_t n;
    const char *filename, *type; /* NULL none */
};

/* Beside those that every request has; lent until done(). */
struct http_header {
    const char *name, *value;
};

/* Embedded in the caller's own struct; the client's from http_start() until done() is called. */
struct http_call {
    struct http_provider *_Atomic provider; /* read by http_abort(), while done() may begin another attempt elsewhere */
    const struct http_part *parts; /* what is posted: these, */
    size_t n_parts;
    const char *content;        /* or these bytes; lent until done() */
    size_t n_content;
    const char *content_type;   /* "application/json" */
    const char *query;          /* asked for by GET instead, with this after the '?', "" without one; lent until done(); NULL it is posted */
    const struct http_header *headers;
    size_t n_headers;
    const char *bearer;         /* in place of the provider's key; lent until done(); NULL none */
    bool is_repeatable;         /* asking twice does no harm */
    bool is_once;               /* asking twice does harm: it goes over a connection of its own, which cannot have died meanwhile */
    unsigned first_byte_ms;     /* from the beginning of an attempt */
    unsigned stall_ms;          /* between bytes */
    unsigned total_ms;          /* with all attempts */
    uint64_t body_max;
    /*
     * The body of a 2xx answer as it comes, on the client's thread, in place of gathering it: body stays NULL, and
     * body_max is of all of it; status and type are known. After the first bytes nothing is tried again, after
     * http_abort() none come. NULL: it is gathered, as that of any other status.
     * stall_ms and total_ms may be changed by it.
     * Returns: 0; 1 that was all it wants: the call ends well, and at once or a moment later, so that the connection can
     * be used again; or a negative error with which the call ends at once (why: "its answer was refused").
     */
    int (*on_bytes)(struct http_call *call, const char *bytes, size_t n);
    void (*done)(struct http_call *call); /* on the client's thread: quick, or hand on */

    /*
     * Answer. r: 0 and 2xx; -EREMOTEIO any other status; -ETIMEDOUT, -ECONNREFUSED, -ECONNRESET, -EHOSTUNREACH,
     * -EPROTO the certificate or TLS, -EFBIG over body_max, -EHOSTDOWN the breaker is open, -EAGAIN too many calls,
     * -ECANCELED, -EINVAL bearer, content_type or another header is not one line, -ENOMEM, -EIO.
     */
    int r;
    const char *why; /* the same in words, without anything secret */
    unsigned status; /* 0: no answer */
    bool was_sent;   /* some of it left this machine, so that who was asked may have acted on it */
    int64_t retry_after_ms; /* as the answer asked for; 0 it did not */
    int64_t date_s;         /* when it was made, by the clock of who answered, unix time; 0 it did not say */
    uint64_t asked_ms, first_ms, done_ms; /* clock_mono_ms(): given to the network first, first byte of the body, end; 0 never */
    char *location;  /* of location_size bytes, lent: gets the whole URL that the answer leads to, "" none; NULL it is not wanted */
    size_t location_size;
    char type[HTTP_TYPE_MAX]; /* its content type, lower case, without parameters; "" none */
    bool is_json;    /* by its type */
    char *body;      /* NUL-terminated; the caller's, to be freed; NULL none */
    size_t n_body;

    /* the client's; is_unwanted begins false */
    struct inbox_item start;
    _Atomic bool is_unwanted;
};

/* Thread: any; never blocks, never allocates. */
void http_start(struct http_call *call);

/* Let it end soon with -ECANCELED, if it has not ended. The call must still be there. Thread: any; as http_start(). */
void http_abort(struct http_call *call);
