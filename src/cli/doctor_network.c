/*
 * cli/doctor_network.c - certificate, name, and what is seen of us from outside
 */
#include "cli/doctor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "config.h"
#include "services/twilio_security.h"
#include "utils/scoped.h"

enum { ENDS_SOON_DAYS = 14, HOST_MAX = 254, TLS_TIMEOUT_S = 5, SKEW_WARNING_S = 5, SKEW_WRONG_S = 60 };

SCOPED_PTR(X509, X509_free)
SCOPED_PTR(EVP_PKEY, EVP_PKEY_free)
SCOPED_PTR(SSL_CTX, SSL_CTX_free)
SCOPED_PTR(SSL, SSL_free)

/* PUBLIC_HOST without its port. Returns: the port, as text; NULL without PUBLIC_HOST. */
static const char *public_name(const struct doctor *doctor, char ret_host[HOST_MAX])
{
    const char *host = doctor->config->public_host, *colon = host ? strrchr(host, ':') : NULL;

    if (!host)
        return NULL;
    (void)snprintf(ret_host, HOST_MAX, "%.*s", colon ? (int)(colon - host) : (int)strlen(host), host);
    return colon ? colon + 1 : "443";
}

static bool has_name(struct doctor *doctor, struct finding *finding, char host[HOST_MAX])
{
    if (public_name(doctor, host))
        return true;
    find(finding, VERDICT_LEFT_OUT, "PUBLIC_HOST is not set");
    return false;
}

/* --- certificates */

static int64_t days_left(const X509 *certificate)
{
    int days = 0, seconds = 0;

    return ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)) == 1 ? days - (seconds < 0) : -1;
}

/* Dates and name. Returns: whether there is nothing to say. */
static bool judge_certificate(struct finding *finding, X509 *certificate, const char *host, const char *what)
{
    int64_t days = days_left(certificate);

    if (days < 0 || X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
        find(finding, VERDICT_WRONG, days < 0 ? "%s has ended" : "%s does not hold yet", what);
    else if (host[0] && X509_check_host(certificate, host, 0, 0, NULL) != 1 && X509_check_ip_asc(certificate, host, 0) != 1)
        find(finding, VERDICT_WRONG, "%s is not for %s", what, host);
    else if (days < ENDS_SOON_DAYS)
        find(finding, VERDICT_WARNING, "%s ends in %" PRId64 " days", what, days);
    else
        return true;
    return false;
}

static EVP_PKEY *read_key(const char *path)
{
    scoped(fclose) FILE *file = fopen(path, "re");

    return file ? PEM_read_PrivateKey(file, NULL, NULL, (void *)"") : NULL;
}

/* The first certificate of the file; the others into chain. */
static X509 *read_chain(const char *path, STACK_OF(X509) *chain)
{
    scoped(fclose) FILE *file = fopen(path, "re");
    X509 *first = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL, *next;

    while (first && (next = PEM_read_X509(file, NULL, NULL, NULL)))
        if (!sk_X509_push(chain, next))
            X509_free(next);
    return first;
}

/* NULL: those that this machine trusts vouch for it. */
static const char *why_not_trusted(struct doctor *doctor, X509 *certificate, STACK_OF(X509) *chain)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    const char *why = "out of memory";

    if (store && context) {
        (void)X509_STORE_set_default_paths(store);
        if (doctor->config->provider_ca_file)
            (void)X509_STORE_load_locations(store, doctor->config->provider_ca_file, NULL);
        (void)X509_STORE_CTX_init(context, store, certificate, chain);
        why = X509_verify_cert(context) == 1 ? NULL : X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
    }
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return why;
}

static void judge_files(struct doctor *doctor, struct finding *finding, STACK_OF(X509) *chain)
{
    const char *cert_file = doctor->config->tls_cert_file, *key_file = doctor->config->tls_key_file;
    scoped(X509_free) X509 *certificate = read_chain(cert_file, chain);
    scoped(EVP_PKEY_free) EVP_PKEY *key = read_key(key_file);
    char host[HOST_MAX] = "";

    (void)public_name(doctor, host);
    mend(finding, "have a certificate made for %s, with its chain, and name its files in TLS_CERT_FILE and TLS_KEY_FILE; "
         "the daemon takes new ones by itself", host[0] ? host : "PUBLIC_HOST");
    if (!certificate || !key) {
        const char *path = certificate ? key_file : cert_file;
        find(finding, VERDICT_WRONG, "%s cannot be read as PEM%s%s", path, access(path, R_OK) < 0 ? ": " : "",
             access(path, R_OK) < 0 ? strerror(errno) : "");
    } else if (X509_check_private_key(certificate, key) != 1) {
        find(finding, VERDICT_WRONG, "%s is not the key of %s", key_file, cert_file);
    } else if (judge_certificate(finding, certificate, host, cert_file)) {
        const char *why = why_not_trusted(doctor, certificate, chain);
        find(finding, why ? VERDICT_WARNING : VERDICT_FINE, why ? "%s is not vouched for: %s" : "%s holds for %s more days", cert_file,
             why ?: "");
        if (!why) {
            find(finding, VERDICT_FINE, "%s is for %s and holds for %" PRId64 " days more", cert_file, host[0] ? host : "whom it names",
                 days_left(certificate));
            finding->remedy[0] = '\0';
        }
    }
}

static void check_certificate(struct doctor *doctor, struct finding *finding)
{
    STACK_OF(X509) *chain = NULL;

    if (!doctor->config->tls_cert_file || !doctor->config->tls_key_file) {
        find(finding, VERDICT_LEFT_OUT, "TLS_CERT_FILE and TLS_KEY_FILE are not set: a proxy serves https");
        return;
    }
    chain = sk_X509_new_null();
    if (chain)
        judge_files(doctor, finding, chain);
    sk_X509_pop_free(chain, X509_free);
}

/* --- the name */

static bool is_ours(const struct sockaddr *address)
{
    struct ifaddrs *all = NULL;
    bool found = false;

    if (getifaddrs(&all) < 0)
        return false;
    for (struct ifaddrs *one = all; one && !found; one = one->ifa_next) {
        if (!one->ifa_addr || one->ifa_addr->sa_family != address->sa_family)
            continue;
        if (address->sa_family == AF_INET)
            found = ((const struct sockaddr_in *)one->ifa_addr)->sin_addr.s_addr == ((const struct sockaddr_in *)address)->sin_addr.s_addr;
        else if (address->sa_family == AF_INET6)
            found = memcmp(&((const struct sockaddr_in6 *)one->ifa_addr)->sin6_addr, &((const struct sockaddr_in6 *)address)->sin6_addr, 16) == 0;
    }
    freeifaddrs(all);
    return found;
}

static void check_dns(struct doctor *doctor, struct finding *finding)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    char host[HOST_MAX], text[INET6_ADDRSTRLEN] = "";
    bool ours = false;

    if (!has_name(doctor, finding, host))
        return;
    int r = getaddrinfo(host, NULL, &hints, &found);
    if (r) {
        find(finding, VERDICT_WRONG, "%s has no address: %s", host, gai_strerror(r));
        mend(finding, "make an A or AAAA record for it; or check PUBLIC_HOST");
        return;
    }
    (void)getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST);
    for (struct addrinfo *one = found; one; one = one->ai_next)
        ours |= is_ours(one->ai_addr);
    freeaddrinfo(found);
    find(finding, ours ? VERDICT_FINE : VERDICT_WARNING, ours ? "%s is %s, an address of this machine" : "%s is %s, no address of this machine", host, text);
    if (!ours)
        mend(finding, "nothing, when that is a proxy or a router that sends it here: see the next lines");
}

/* --- what is served there */

/* Returns: a connected socket; -1. */
static int dial(const char *host, const char *port)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    struct timeval patience = { .tv_sec = TLS_TIMEOUT_S };
    int fd = -1;

    if (getaddrinfo(host, port, &hints, &found))
        return -1;
    for (struct addrinfo *one = found; one && fd < 0; one = one->ai_next) {
        fd = socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, one->ai_protocol);
        if (fd < 0)
            continue;
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)); /* also for connect() */
        if (connect(fd, one->ai_addr, one->ai_addrlen) < 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

static void judge_served(struct doctor *doctor, struct finding *finding, int fd, const char *host)
{
    scoped(SSL_CTX_free) SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    scoped(SSL_free) SSL *ssl = context ? SSL_new(context) : NULL;

    if (!ssl || SSL_set_tlsext_host_name(ssl, host) != 1 || SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1) {
        find(finding, VERDICT_WRONG, "%s does not speak TLS", doctor->config->public_host);
        mend(finding, "systemctl enable --now agentlocator-https.socket; or have the proxy serve https there");
        return;
    }
    scoped(X509_free) X509 *certificate = SSL_get1_peer_certificate(ssl);
    const char *why = certificate ? why_not_trusted(doctor, certificate, SSL_get_peer_cert_chain(ssl)) : "there is none";
    if (!certificate || why)
        find(finding, VERDICT_WRONG, "the certificate that %s serves is not vouched for, and Twilio will not call: %s", doctor->config->public_host, why);
    else if (judge_certificate(finding, certificate, host, "the certificate that is served"))
        find(finding, VERDICT_FINE, "%s serves a certificate that holds for %" PRId64 " days more", doctor->config->public_host, days_left(certificate));
    if (finding->verdict != VERDICT_FINE)
        mend(finding, "renew it where it is served, with the whole chain");
}

static void check_served(struct doctor *doctor, struct finding *finding)
{
    char host[HOST_MAX];
    const char *port;

    if (!has_name(doctor, finding, host))
        return;
    port = public_name(doctor, host);
    scoped(close) int fd = dial(host, port);
    if (fd < 0) {
        find(finding, VERDICT_WRONG, "%s port %s cannot be reached from here: %s", host, port, strerror(errno));
        mend(finding, "open the port in the firewall, or in the router; a router may also not let this machine reach itself");
        return;
    }
    judge_served(doctor, finding, fd, host);
}

/* --- the URL that is signed against the URL that is seen */

static void check_signature(struct doctor *doctor, struct finding *finding)
{
    static const char path[] = "/ws/twilio-media"; /* guarded, and without an upgrade nothing happens */
    scoped(doctor_answer_done) struct doctor_answer health = { 0 }, answer = { 0 };
    char host[HOST_MAX], url[HOST_MAX + 32], health_url[HOST_MAX + 32], signature[TWILIO_SIGNATURE_LEN + 1];

    if (!has_name(doctor, finding, host))
        return;
    (void)snprintf(health_url, sizeof(health_url), "https://%s/health", doctor->config->public_host);
    (void)snprintf(url, sizeof(url), "https://%s%s", doctor->config->public_host, path);
    doctor_ask(doctor, &(struct ask){ .url = health_url }, &health);
    if (health.r < 0 || !health.body || !strstr(health.body, "\"draining\"")) {
        find(finding, VERDICT_WRONG, "%s is not answered by this program: %s", health_url, health.r < 0 ? health.why : "something else answers");
        mend(finding, "have the proxy pass all of %s on to the daemon, paths and all", doctor->config->public_host);
        return;
    }
    if (!doctor->config->twilio_auth_token) {
        find(finding, VERDICT_LEFT_OUT, "%s is answered; TWILIO_AUTH_TOKEN is not set, so nothing was signed", health_url);
        return;
    }
    (void)twilio_sign(doctor->config->twilio_auth_token, url, NULL, 0, signature);
    doctor_ask(doctor, &(struct ask){ .url = url, .header = "X-Twilio-Signature", .value = signature }, &answer);
    if (answer.status == 403) {
        find(finding, VERDICT_WRONG, "a request signed as Twilio does for %s is refused", url);
        mend(finding, "a proxy changes the path or drops X-Twilio-Signature, or the daemon has another TWILIO_AUTH_TOKEN: journalctl -u "
                      "agentlocator -g refused shows the URL that was checked");
        return;
    }
    find(finding, answer.status ? VERDICT_FINE : VERDICT_WRONG, answer.status ? "a request signed as Twilio does for %s is let in%s" : "%s: %s", url,
         answer.status ? "" : answer.why);
}

/* --- our clock and theirs; after somebody was asked */

static void check_clock(struct doctor *doctor, struct finding *finding)
{
    int64_t skew = doctor->skew_s < 0 ? -doctor->skew_s : doctor->skew_s;

    if (!doctor->has_skew) {
        find(finding, VERDICT_LEFT_OUT, "nobody told the time over https");
        return;
    }
    find(finding, skew > SKEW_WRONG_S ? VERDICT_WRONG : skew > SKEW_WARNING_S ? VERDICT_WARNING : VERDICT_FINE,
         "the clock here is %" PRId64 " s %s that of %s", skew, doctor->skew_s < 0 ? "behind" : "ahead of", doctor->skew_by);
    if (finding->verdict != VERDICT_FINE)
        mend(finding, "timedatectl set-ntp true; Google refuses tokens of another time");
}

const struct check doctor_network[] = {
    { "certificate", "Certificate and key", false, check_certificate },
    { "name", "Address of PUBLIC_HOST", true, check_dns },
    { "served", "What PUBLIC_HOST serves", true, check_served },
    { "signature", "The signed URL against the one seen", true, check_signature },
    { 0 },
};

const struct check doctor_last[] = {
    { "clock", "Our clock and that of others", true, check_clock },
    { 0 },
};
