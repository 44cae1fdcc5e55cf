/*
 * tls.c - the certificate of the https listener, and its replacement while we run
 *
 * Each pair of files becomes an SSL_CTX of its own, with ticket keys of its own
 * (libssl makes them up): a session of one certificate is never resumed under
 * another. A connection keeps a reference to the context it began with, so the
 * present one can be exchanged at any time.
 */
#include "tls.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/err.h>

#include "utils/log.h"

struct stamp { /* what tells that a file was replaced */
    struct timespec changed, modified;
    ino_t inode;
    off_t size;
};

struct tls {
    char *cert_file, *key_file;
    struct stamp cert, key; /* of the last attempt */
    pthread_mutex_t mutex;  /* guards context */
    SSL_CTX *context;
};

static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());

    return text ? text : "unreadable";
}

static int select_http1(SSL *ssl, const unsigned char **out, unsigned char *n_out,
                        const unsigned char *in, unsigned n_in, void *arg)
{
    static const unsigned char protocols[] = "\x08http/1.1";

    if (SSL_select_next_proto((unsigned char **)out, n_out, protocols, sizeof(protocols) - 1, in,
                              n_in) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    return SSL_TLSEXT_ERR_OK;
}

static int no_passphrase(char *buffer, int n, int is_writing, void *arg)
{
    return 0; /* rather than asking on a terminal that is not there */
}

static SSL_CTX *load(const struct tls *tls)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    const char *failed = NULL;

    if (!context)
        return NULL;
    ERR_clear_error();
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS); /* 49 -> 16 KB per connection */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    SSL_CTX_set_alpn_select_cb(context, select_http1, NULL);

    if (SSL_CTX_use_certificate_chain_file(context, tls->cert_file) != 1)
        failed = tls->cert_file;
    else if (SSL_CTX_use_PrivateKey_file(context, tls->key_file, SSL_FILETYPE_PEM) != 1 ||
             SSL_CTX_check_private_key(context) != 1)
        failed = tls->key_file;
    if (!failed)
        return context;
    (void)log_warning(0, "%s cannot be used: %s", failed, reason());
    SSL_CTX_free(context);
    return NULL;
}

static struct stamp stamp_of(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return (struct stamp){ .inode = 0 };
    return (struct stamp){ st.st_ctim, st.st_mtim, st.st_ino, st.st_size };
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same(const struct stamp *a, const struct stamp *b)
{
    return same_time(&a->changed, &b->changed) && same_time(&a->modified, &b->modified) &&
           a->inode == b->inode && a->size == b->size;
}

int tls_reload(struct tls *tls)
{
    SSL_CTX *context;

    tls->cert = stamp_of(tls->cert_file);
    tls->key = stamp_of(tls->key_file);
    context = load(tls);
    if (!context)
        return -EINVAL;

    pthread_mutex_lock(&tls->mutex);
    SSL_CTX *last = tls->context;
    tls->context = context;
    pthread_mutex_unlock(&tls->mutex);
    SSL_CTX_free(last);
    return 0;
}

int tls_reload_if_changed(struct tls *tls)
{
    struct stamp cert = stamp_of(tls->cert_file), key = stamp_of(tls->key_file);

    if (same(&cert, &tls->cert) && same(&key, &tls->key))
        return 0;
    int r = tls_reload(tls);
    return r < 0 ? r : 1;
}

int tls_new(const char *cert_file, const char *key_file, struct tls **ret_tls)
{
    scoped(tls_free) struct tls *tls = calloc(1, sizeof(*tls));

    if (!tls)
        return -ENOMEM;
    pthread_mutex_init(&tls->mutex, NULL);
    tls->cert_file = strdup(cert_file);
    tls->key_file = strdup(key_file);
    if (!tls->cert_file || !tls->key_file)
        return -ENOMEM;

    int r = tls_reload(tls);
    if (r < 0)
        return r;
    *ret_tls = steal(&tls);
    return 0;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    pthread_mutex_destroy(&tls->mutex);
    free(tls->cert_file);
    free(tls->key_file);
    free(tls);
}

SSL_CTX *tls_context(struct tls *tls)
{
    pthread_mutex_lock(&tls->mutex);
    SSL_CTX *context = tls->context;
    SSL_CTX_up_ref(context);
    pthread_mutex_unlock(&tls->mutex);
    return context;
}

uint64_t tls_end_ms(struct tls *tls)
{
    SSL_CTX *context = tls_context(tls);
    const X509 *certificate = SSL_CTX_get0_certificate(context);
    struct tm utc = { 0 };
    bool is_known = certificate && ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &utc) == 1;

    SSL_CTX_free(context);
    return is_known ? (uint64_t)timegm(&utc) * 1000 : 0;
}
