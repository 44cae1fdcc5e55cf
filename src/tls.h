#pragma once
/*
 * tls.h - the certificate of the https listener, and its replacement while we run
 */

#include <openssl/ssl.h>

#include "utils/scoped.h"

struct tls;

/*
 * Load a certificate chain and its key, both PEM.
 *
 * TLS 1.2 and later, HTTP/1.1 only, no renegotiation, no early data.
 * Errors: -EINVAL with the reason logged.
 */
int tls_new(const char *cert_file, const char *key_file, struct tls **ret_tls);
void tls_free(struct tls *tls);
SCOPED_PTR(struct tls, tls_free)

/*
 * Read the files again; connections accepted from then on use them.
 *
 * Errors: -EINVAL with a warning; the present certificate stays. Thread: one at a time.
 */
int tls_reload(struct tls *tls);

/* The same when the files are not those of the last attempt. Returns: 0 nothing changed; 1 reloaded. */
int tls_reload_if_changed(struct tls *tls);

/* When the present certificate ends, unix time; 0 it cannot be told. Thread: any. */
uint64_t tls_end_ms(struct tls *tls);

/* The present context, with a reference for the caller: SSL_CTX_free() it. Thread: any. */
SSL_CTX *tls_context(struct tls *tls);
