/*
 * twilio_security.c - the signature that guards every Twilio route
 *
 * Twilio signs the URL it was given, followed by the form's fields (name, value)
 * in order, with HMAC-SHA1 under the auth token. What it was given we do not see:
 * a proxy may stand between, and it drops or keeps ports by its own rules. So the
 * URL is put together from PUBLIC_HOST and the request-target as it came, never
 * from Host or X-Forwarded-*, and each form of it that Twilio may have signed is
 * tried under each token:
 *
 *   webhook   https://   host, host:port             (port: PUBLIC_HOST's, else 443)
 *   stream    wss://     host, host:port             each also with a slash behind it
 *
 * The letter case of a host means nothing, but is signed as Twilio has it: as it is set here, in small letters, or as
 * it stands in the Host header, which is otherwise not looked at.
 *
 * All of them are computed and compared in constant time, whatever matched first.
 *
 * The fields are laid out once, behind room for the longest URL; each URL is then
 * written right-aligned in front of them, and the message is one piece of memory.
 *
 * A signature must cover the body: a form by its fields, JSON by the bodySHA256
 * of the signed URL. A body of any other type, or on another method, is refused, and so is one that is left out where
 * the URL has a bodySHA256.
 *
 * development only: a loopback peer may leave the signature out, and need not be
 * checked while there is no token. Without PUBLIC_HOST a signature of a loopback
 * peer is held against its Host header, so that a simulated call is signed and
 * checked on a machine that has no public name. Production asks config for both.
 */
#include "services/twilio_security.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "config.h"
#include "services/services.h"
#include "utils/base64.h"
#include "utils/form.h"
#include "utils/log.h"
#include "utils/scoped.h"

enum { URL_MAX = 8 * KIB, TOKENS_MAX = 2, SPELLINGS_MAX = 3, HOSTS_MAX = 2 * SPELLINGS_MAX, LOGGED_MAX = 1024 };

struct twilio_security {
    bool production;
    const char *public_host; /* may be NULL */
    const char *account_sid; /* may be NULL */
    const char *tokens[TOKENS_MAX];
    size_t n_tokens;
};

/* --- the message that is signed */

struct message {
    size_t n_fields;
    char bytes[]; /* URL_MAX for the URL, then the fields */
};

static int compare_bytes(const char *a, size_t n_a, const char *b, size_t n_b)
{
    int order = memcmp(a, b, n_a < n_b ? n_a : n_b);

    return order ? order : (n_a > n_b) - (n_a < n_b);
}

static int compare_fields(const void *left, const void *right)
{
    const struct form_field *a = left, *b = right;
    int order = compare_bytes(a->name, a->n_name, b->name, b->n_name);

    return order ? order : compare_bytes(a->value, a->n_value, b->value, b->n_value);
}

/* Sorts the form's fields. A field that came twice with the same value counts once. */
static int message_new(struct form *form, size_t n_body, struct message **ret_message)
{
    struct message *message = malloc(sizeof(*message) + URL_MAX + n_body);
    if (!message)
        return -ENOMEM;

    char *fields = message->bytes + URL_MAX, *out = fields;
    if (form->n_fields)
        qsort(form->fields, form->n_fields, sizeof(*form->fields), compare_fields);
    for (size_t i = 0; i < form->n_fields; i++) {
        const struct form_field *field = &form->fields[i];
        if (i && compare_fields(field - 1, field) == 0)
            continue;
        memcpy(out, field->name, field->n_name);
        out += field->n_name;
        memcpy(out, field->value, field->n_value);
        out += field->n_value;
    }
    message->n_fields = (size_t)(out - fields);
    *ret_message = message;
    return 0;
}

/* Errors: -E2BIG the URL is too long; -ENOMEM. */
static int message_sign(struct message *message, const char *url, const char *token,
                        uint8_t ret_mac[SHA_DIGEST_LENGTH])
{
    size_t n_url = strlen(url);

    if (n_url > URL_MAX)
        return -E2BIG;
    char *from = message->bytes + URL_MAX - n_url;
    memcpy(from, url, n_url);
    return HMAC(EVP_sha1(), token, (int)strlen(token), (const uint8_t *)from,
                n_url + message->n_fields, ret_mac, NULL)
               ? 0
               : -ENOMEM;
}

int twilio_sign(const char *token, const char *url, const char *body, size_t n_body,
                char ret_signature[TWILIO_SIGNATURE_LEN + 1])
{
    uint8_t mac[SHA_DIGEST_LENGTH];
    scoped(free) struct message *message = NULL;
    struct form form = { 0 };

    int r = form_parse(body ? body : "", body ? n_body : 0, TWILIO_PARAMS_MAX, &form);
    if (r < 0)
        return r;
    r = message_new(&form, body ? n_body : 0, &message);
    form_done(&form);
    if (r == 0)
        r = message_sign(message, url, token, mac);
    if (r < 0)
        return r;
    base64_encode(mac, sizeof(mac), ret_signature);
    ret_signature[TWILIO_SIGNATURE_LEN] = '\0';
    return 0;
}

/* --- what a request says */

static bool is_upgrade(const struct http_request *request)
{
    return http_field(request, "sec-websocket-key", 0) != NULL;
}

/* The media type, without its parameters. */
static bool is_type(const struct http_request *request, const char *type)
{
    const struct http_field *field = http_field(request, "content-type", 0);
    size_t n = 0;

    if (!field || http_field(request, "content-type", 1))
        return false;
    while (n < field->n_value && !memchr("; \t", field->value[n], 3))
        n++;
    return n == strlen(type) && strncasecmp(field->value, type, n) == 0;
}

/* Whether the signed URL vouches for these bytes; or, of no bytes, does not speak of any. */
static bool body_is_hashed(const struct http_request *request)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    char hex[2 * SHA256_DIGEST_LENGTH + 1];
    struct form query;

    if (form_parse(request->query, strlen(request->query), TWILIO_PARAMS_MAX, &query) < 0)
        return !request->n_body;
    SHA256((const uint8_t *)(request->n_body ? request->body : ""), request->n_body, digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);

    const struct form_field *claimed = form_get(&query, "bodySHA256");
    bool same = claimed ? claimed->n_value == sizeof(hex) - 1 && CRYPTO_memcmp(claimed->value, hex, sizeof(hex) - 1) == 0
                        : !request->n_body;
    form_done(&query);
    return same;
}

/* The fields that the signature covers. Returns: NULL, or why the body is not to be believed. */
static const char *covered_fields(const struct http_request *request, struct form *ret_form)
{
    if (!request->n_body)
        return body_is_hashed(request) ? NULL : "the body that bodySHA256 stands for is left out";
    if (strcmp(request->method, "POST") != 0)
        return "a body on a method that has none";
    if (is_type(request, "application/json"))
        return body_is_hashed(request) ? NULL
                                       : "the JSON body is not the one bodySHA256 stands for";
    if (!is_type(request, "application/x-www-form-urlencoded"))
        return "the body's type is neither a form nor JSON";
    if (form_parse(request->body, request->n_body, TWILIO_PARAMS_MAX, ret_form) < 0)
        return "the form cannot be decoded";
    return NULL;
}

static const char *other_account(const struct twilio_security *security, const struct form *form)
{
    if (!security->account_sid)
        return NULL;
    for (size_t i = 0; i < form->n_fields; i++)
        if (strcmp(form->fields[i].name, "AccountSid") == 0 &&
            strcmp(form->fields[i].value, security->account_sid) != 0)
            return "AccountSid is not TWILIO_ACCOUNT_SID";
    return NULL;
}

/* --- the URLs it may have been signed for */

const char *twilio_security_host(const struct twilio_security *security,
                                 const struct http_request *request, char buffer[TWILIO_HOST_MAX])
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.:[]";
    const struct http_field *host = http_field(request, "host", 0);

    if (security->public_host)
        return security->public_host;
    if (security->production || !request->peer_is_loopback || !host)
        return NULL;
    if (!host->n_value || host->n_value >= TWILIO_HOST_MAX)
        return NULL;
    memcpy(buffer, host->value, host->n_value);
    buffer[host->n_value] = '\0';
    return buffer[strspn(buffer, letters)] ? NULL : buffer;
}

static size_t name_length(const char *host)
{
    const char *after = strrchr(host, ']'); /* an IPv6 address has colons of its own */
    const char *port = strrchr(after ? after : host, ':');

    return port ? (size_t)(port - host) : strlen(host);
}

/* Returns: how many. */
static size_t spellings(const char *host, const struct http_request *request, char spelled[SPELLINGS_MAX][TWILIO_HOST_MAX])
{
    const struct http_field *header = http_field(request, "host", 0);
    size_t n_name = name_length(host);

    for (size_t i = 0; i < SPELLINGS_MAX; i++)
        (void)snprintf(spelled[i], TWILIO_HOST_MAX, "%s", host);
    for (char *c = spelled[1]; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    if (!header || header->n_value < n_name || strncasecmp(header->value, host, n_name) != 0)
        return 2;
    memcpy(spelled[2], header->value, n_name);
    return 3;
}

/* Each spelling with and without a port. Returns: how many. */
static size_t host_forms(const char *host, const struct http_request *request, char forms[HOSTS_MAX][TWILIO_HOST_MAX + 4])
{
    char spelled[SPELLINGS_MAX][TWILIO_HOST_MAX];
    size_t n_name = name_length(host), n = spellings(host, request, spelled);

    for (size_t i = 0; i < n; i++) {
        (void)snprintf(forms[2 * i], sizeof(forms[0]), "%.*s", (int)n_name, spelled[i]);
        (void)snprintf(forms[2 * i + 1], sizeof(forms[0]), "%.*s%s", TWILIO_HOST_MAX - 1, spelled[i], host[n_name] ? "" : ":443");
    }
    return 2 * n;
}

struct proof {
    uint8_t mac[SHA_DIGEST_LENGTH]; /* what the header brought */
    unsigned matched;               /* bit i: token i signed it */
};

static int try_url(const struct twilio_security *security, struct message *message, const char *url,
                   struct proof *proof)
{
    uint8_t mac[SHA_DIGEST_LENGTH];

    for (size_t i = 0; i < security->n_tokens; i++) {
        int r = message_sign(message, url, security->tokens[i], mac);
        if (r < 0)
            return r;
        unsigned differs = CRYPTO_memcmp(mac, proof->mac, sizeof(mac)) != 0;
        proof->matched |= (1 - differs) << i;
    }
    return 0;
}

static int try_urls(const struct twilio_security *security, const struct http_request *request,
                    struct message *message, struct proof *proof)
{
    static const struct {
        const char *scheme;
        bool upgrade, only_by_host_header;
        const char *behind;
    } shapes[] = {
        { "https://", false, false, "" },
        { "http://", false, true, "" },
        { "wss://", true, false, "" },
        { "wss://", true, false, "/" },
    };
    char buffer[TWILIO_HOST_MAX], hosts[HOSTS_MAX][TWILIO_HOST_MAX + 4], url[URL_MAX + 1];
    const char *host = twilio_security_host(security, request, buffer);
    bool upgrade = is_upgrade(request);

    if (!host)
        return -EDESTADDRREQ;
    size_t n_hosts = host_forms(host, request, hosts);
    for (size_t i = 0; i < n_hosts * ELEMENTSOF(shapes); i++) {
        size_t shape = i / n_hosts;
        if (shapes[shape].upgrade != upgrade ||
            (shapes[shape].only_by_host_header && security->public_host))
            continue;
        int n = snprintf(url, sizeof(url), "%s%s%s%s", shapes[shape].scheme, hosts[i % n_hosts],
                         request->target, shapes[shape].behind);
        if (n < 0 || (size_t)n >= sizeof(url))
            return -E2BIG;
        int r = try_url(security, message, url, proof);
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- the guard */

static const char *read_signature(const struct http_request *request, struct proof *proof)
{
    const struct http_field *field = http_field(request, "x-twilio-signature", 0);

    if (!field)
        return "there is no X-Twilio-Signature";
    if (http_field(request, "x-twilio-signature", 1))
        return "there are two X-Twilio-Signature";
    if (field->n_value != TWILIO_SIGNATURE_LEN ||
        base64_decode(field->value, field->n_value, proof->mac, sizeof(proof->mac)) !=
            sizeof(proof->mac))
        return "X-Twilio-Signature is not the base64 of 20 bytes";
    return NULL;
}

static const char *check_signature(const struct twilio_security *security,
                                   const struct http_request *request, struct form *form)
{
    scoped(free) struct message *message = NULL;
    struct proof proof = { 0 };
    const char *why = read_signature(request, &proof);

    if (why)
        return why;
    if (!security->n_tokens)
        return "there is no TWILIO_AUTH_TOKEN to check it with";
    if (message_new(form, request->n_body, &message) < 0)
        return "out of memory";
    switch (try_urls(security, request, message, &proof)) {
    case 0:
        break;
    case -EDESTADDRREQ:
        return "PUBLIC_HOST is not set";
    case -E2BIG:
        return "the URL is too long";
    default:
        return "out of memory";
    }
    if (!proof.matched)
        return "X-Twilio-Signature does not match; compare the URL with the one in Twilio's "
               "console, "
               "and TWILIO_AUTH_TOKEN";
    if (!(proof.matched & 1))
        log_limited(LOG_INFO, NULL, "Twilio signs with TWILIO_AUTH_TOKEN_NEXT by now");
    return NULL;
}

static const char *examine(const struct twilio_security *security,
                           const struct http_request *request)
{
    bool local = !security->production && request->peer_is_loopback;
    bool unsigned_ok =
        local && (!security->n_tokens || !http_field(request, "x-twilio-signature", 0));
    struct form form = { 0 };
    const char *why = covered_fields(request, &form);

    if (!why && !unsigned_ok)
        why = check_signature(security, request, &form);
    if (!why)
        why = other_account(security, &form);
    form_done(&form);
    return why;
}

/* What was checked, fit for a log: a peer may send any byte. */
static void printable_url(const struct twilio_security *security,
                          const struct http_request *request, char out[LOGGED_MAX])
{
    char buffer[TWILIO_HOST_MAX];
    const char *host = twilio_security_host(security, request, buffer);

    (void)snprintf(out, LOGGED_MAX, "%s%s%s", is_upgrade(request) ? "wss://" : "https://",
                   host ? host : "(PUBLIC_HOST)", request->target);
    for (char *c = out; *c; c++)
        if (*c <= ' ' || *c > '~')
            *c = '?';
}

int twilio_security_guard(struct http_request *request, struct http_response *response,
                          char *buffer)
{
    const struct services *services = request->context;
    const char *why = examine(services->security, request);
    char url[LOGGED_MAX];

    if (!why)
        return 0;
    printable_url(services->security, request, url);
    log_limited_about(LOG_WARNING, (&(struct log_about){ LOG_WEBHOOK_REFUSED, .request_id = request->request_id, .route = request->path,
                                                         .peer = request->peer, .status = 403 }),
                "request %s of %s refused: %s; checked %s %s",
                request->request_id, request->peer, why, request->method, url);
    *response = (struct http_response){ .status = 403, .body = "" };
    return 1;
}

int twilio_security_new(const struct config *config, struct twilio_security **ret_security)
{
    struct twilio_security *security = calloc(1, sizeof(*security));
    const char *tokens[TOKENS_MAX] = { config->twilio_auth_token, config->twilio_auth_token_next };

    if (!security)
        return -ENOMEM;
    security->production = config_is_production(config);
    security->public_host = config->public_host;
    security->account_sid = config->twilio_account_sid;
    for (size_t i = 0; i < TOKENS_MAX; i++)
        if (tokens[i])
            security->tokens[security->n_tokens++] = tokens[i];
    *ret_security = security;
    return 0;
}

void twilio_security_free(struct twilio_security *security)
{
    free(security);
}
