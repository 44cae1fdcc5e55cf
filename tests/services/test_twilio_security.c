/*
 * test_twilio_security.c - who is let in, and by which signature
 */
#include "services/twilio_security.h"

#include <errno.h>

#include <json-c/json.h>

#include "config.h"
#include "fake_request.h"
#include "services/services.h"
#include "tap.h"
#include "utils/log.h"
#include "utils/scoped.h"

#define TOKEN "0123456789abcdef0123456789abcdef"
#define NEXT_TOKEN "fedcba9876543210fedcba9876543210"
#define ACCOUNT "AC00000000000000000000000000000001"
#define FORM "application/x-www-form-urlencoded"
#define CALL "CallSid=CA00000000000000000000000000000001"
#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct house {
    struct config config;
    struct services services;
};

/* Returns: 1 let in, 0 refused as a refusal has to look, -1 otherwise. */
static int let_in(struct house *house, struct fake_request *fake)
{
    char buffer[HTTP_ERROR_MAX];
    struct http_response response = { 0 };
    int r;

    house->services.config = &house->config;
    if (twilio_security_new(&house->config, &house->services.security) < 0)
        return -1;
    fake->request.context = &house->services;
    r = twilio_security_guard(&fake->request, &response, buffer);
    twilio_security_free(house->services.security);
    if (r == 0)
        return 1;
    return response.status == 403 && response.n_body == 0 && !response.content_type ? 0 : -1;
}

/* --- the published vectors */

static const char *member(struct json_object *row, const char *name)
{
    return json_object_get_string(json_object_object_get(row, name));
}

static int vector_through_guard(struct json_object *row)
{
    const char *url = member(row, "url"), *host = strstr(url, "://") + 3, *target = strchr(host, '/');
    const char *body = member(row, "body");
    bool json = strstr(url, "bodySHA256"), upgrade = strncmp(url, "wss", 3) == 0;
    scoped(free) char *public_host = strndup(host, (size_t)(target - host));
    struct house house = { .config = { .app_env = "production",
                                       .public_host = public_host,
                                       .twilio_auth_token = member(row, "token") } };
    struct fake_request fake;

    fake_request(&fake, body ? "POST" : "GET", target, body, NULL);
    fake_field(&fake, "x-twilio-signature", member(row, "signature"));
    if (body)
        fake_field(&fake, "content-type", json ? "application/json" : FORM "; charset=utf-8");
    if (upgrade)
        fake_field(&fake, "sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    return let_in(&house, &fake);
}

static void vectors(void)
{
    scoped(free) char *path = NULL;
    const char *top = getenv("top_srcdir") ?: ".";

    if (asprintf(&path, "%s/tests/services/twilio_signature_vectors.json", top) < 0)
        return;
    struct json_object *rows = json_object_from_file(path);
    if (!ok(rows != NULL, "%s is there", path))
        return;
    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        struct json_object *row = json_object_array_get_idx(rows, i);
        const char *body = member(row, "body");
        bool form = body && !strstr(member(row, "url"), "bodySHA256");
        char signature[TWILIO_SIGNATURE_LEN + 1] = "";
        int r = twilio_sign(member(row, "token"), member(row, "url"), form ? body : NULL,
                            form ? strlen(body) : 0, signature);
        ok(r == 0 && strcmp(signature, member(row, "signature")) == 0, "%s signed: %s", member(row, "id"),
           member(row, "what"));
        ok(vector_through_guard(row) == json_object_get_boolean(json_object_object_get(row, "good")),
           "%s let in or refused", member(row, "id"));
    }
    json_object_put(rows);
}

/* --- what we configured, what was signed, what came */

static const struct {
    const char *what;
    const char *public_host, *signed_url, *target;
    bool upgrade;
    int let_in;
} urls[] = {
    { "the URL itself", "gw.example.com", "https://gw.example.com/voice", "/voice", false, 1 },
    { "signed with the default port", "gw.example.com", "https://gw.example.com:443/voice", "/voice", false, 1 },
    { "signed without the port", "gw.example.com:8443", "https://gw.example.com/voice", "/voice", false, 1 },
    { "signed with the port", "gw.example.com:8443", "https://gw.example.com:8443/voice", "/voice", false, 1 },
    { "signed with another port", "gw.example.com:8443", "https://gw.example.com:443/voice", "/voice", false, 0 },
    { "signed with a port we have not", "gw.example.com", "https://gw.example.com:8443/voice", "/voice", false, 0 },
    { "the query counts", "gw.example.com", "https://gw.example.com/voice?a=%20b", "/voice?a=%20b", false, 1 },
    { "the query byte for byte", "gw.example.com", "https://gw.example.com/voice?a=+b", "/voice?a=%20b", false, 0 },
    { "http", "gw.example.com", "http://gw.example.com/voice", "/voice", false, 0 },
    { "wss on a webhook", "gw.example.com", "wss://gw.example.com/voice", "/voice", false, 0 },
    { "a slash more", "gw.example.com", "https://gw.example.com/voice/", "/voice", false, 0 },
    { "a slash less", "gw.example.com", "https://gw.example.com/voice", "/voice/", false, 0 },
    { "another host", "gw.example.com", "https://gw.example.org/voice", "/voice", false, 0 },
    { "another path", "gw.example.com", "https://gw.example.com/video", "/voice", false, 0 },
    { "a fragment", "gw.example.com", "https://gw.example.com/voice#rc=2", "/voice", false, 0 },
    { "PUBLIC_HOST in capitals", "GW.Example.COM", "https://gw.example.com/voice", "/voice", false, 1 },
    { "PUBLIC_HOST in capitals, signed so", "GW.Example.COM", "https://GW.Example.COM/voice", "/voice", false, 1 },
    { "in capitals with a port", "GW.example.com:8443", "https://gw.example.com:8443/voice", "/voice", false, 1 },
    { "in capitals, the port left out", "GW.example.com:8443", "https://gw.example.com/voice", "/voice", false, 1 },
    { "in capitals, the default port", "GW.example.com", "https://gw.example.com:443/voice", "/voice", false, 1 },
    { "signed in capitals that nobody told", "gw.example.com", "https://GW.EXAMPLE.COM/voice", "/voice", false, 0 },
    { "the path in capitals", "gw.example.com", "https://gw.example.com/Voice", "/voice", false, 0 },
    { "the default port is set", "gw.example.com:443", "https://gw.example.com/voice", "/voice", false, 1 },
    { "a path encoded otherwise", "gw.example.com", "https://gw.example.com/%7Evoice", "/~voice", false, 0 },
    { "a path encoded in other letters", "gw.example.com", "https://gw.example.com/%d7%a9", "/%D7%A9", false, 0 },
    { "a path encoded", "gw.example.com", "https://gw.example.com/%D7%A9?q='a'", "/%D7%A9?q='a'", false, 1 },
    { "an empty query left out", "gw.example.com", "https://gw.example.com/voice?", "/voice", false, 0 },
    { "a stream in small letters", "GW.example.com", "wss://gw.example.com/ws", "/ws", true, 1 },
    { "a stream", "gw.example.com", "wss://gw.example.com/ws", "/ws", true, 1 },
    { "a stream with a slash behind", "gw.example.com", "wss://gw.example.com/ws/", "/ws", true, 1 },
    { "a stream on a port", "gw.example.com:8443", "wss://gw.example.com:8443/ws", "/ws", true, 1 },
    { "a stream, the port left out", "gw.example.com:8443", "wss://gw.example.com/ws/", "/ws", true, 1 },
    { "a stream signed as https", "gw.example.com", "https://gw.example.com/ws", "/ws", true, 0 },
    { "a stream signed as ws", "gw.example.com", "ws://gw.example.com/ws", "/ws", true, 0 },
};

static void tries_urls(void)
{
    for (size_t i = 0; i < ELEMENTSOF(urls); i++) {
        struct house house = { .config = { .app_env = "production",
                                           .public_host = urls[i].public_host,
                                           .twilio_auth_token = TOKEN } };
        const char *body = urls[i].upgrade ? NULL : CALL;
        char signature[TWILIO_SIGNATURE_LEN + 1];
        struct fake_request fake;

        twilio_sign(TOKEN, urls[i].signed_url, body, body ? strlen(body) : 0, signature);
        fake_request(&fake, body ? "POST" : "GET", urls[i].target, body, NULL);
        fake_field(&fake, "x-twilio-signature", signature);
        fake_field(&fake, "host", "evil.example.com");
        fake_field(&fake, "x-forwarded-host", "evil.example.com");
        fake_field(&fake, "x-forwarded-port", "8444");
        fake_field(&fake, "x-forwarded-proto", "http");
        fake_field(&fake, "forwarded", "host=evil.example.com;proto=http");
        if (body)
            fake_field(&fake, "content-type", FORM);
        else
            fake_field(&fake, "sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        is_int(let_in(&house, &fake), urls[i].let_in, urls[i].what);
    }
}

/* The Host header says in which letters Twilio was given our name, and nothing else. */
static const struct {
    const char *what, *public_host, *header, *signed_url;
    int let_in;
} headers[] = {
    { "the letters of Host", "gw.example.com", "Gw.Example.com", "https://Gw.Example.com/voice", 1 },
    { "with its port", "gw.example.com:8443", "Gw.Example.com:8443", "https://Gw.Example.com:8443/voice", 1 },
    { "the port of Host", "gw.example.com", "gw.example.com:8443", "https://gw.example.com:8443/voice", 0 },
    { "another name in Host", "gw.example.com", "gw.example.org", "https://gw.example.org/voice", 0 },
    { "a longer name in Host", "gw.example.com", "gw.example.com.evil.org", "https://gw.example.com.evil.org/voice", 0 },
    { "a shorter name in Host", "gw.example.com", "GW", "https://GW/voice", 0 },
};

static void spells_hosts(void)
{
    for (size_t i = 0; i < ELEMENTSOF(headers); i++) {
        struct house house = { .config = { .app_env = "production",
                                           .public_host = headers[i].public_host,
                                           .twilio_auth_token = TOKEN } };
        char signature[TWILIO_SIGNATURE_LEN + 1];
        struct fake_request fake;

        twilio_sign(TOKEN, headers[i].signed_url, CALL, strlen(CALL), signature);
        fake_request(&fake, "POST", "/voice", CALL, NULL);
        fake_field(&fake, "content-type", FORM);
        fake_field(&fake, "x-twilio-signature", signature);
        fake_field(&fake, "host", headers[i].header);
        is_int(let_in(&house, &fake), headers[i].let_in, headers[i].what);
    }
}

/* --- headers and bodies, against https://gw.example.com/voice */

static const struct {
    const char *what, *method, *target, *type, *body, *signed_body;
    const char *signature; /* NULL: signed_body's; "" none at all */
    const char *token;     /* signed with */
    int let_in;
} requests[] = {
    { "a form", "POST", "/voice", FORM, CALL, CALL, NULL, TOKEN, 1 },
    { "a form in another spelling", "POST", "/voice", FORM, "%43allSid=CA1&x=+", "x=%20&CallSid=CA1", NULL, TOKEN, 1 },
    { "the next token", "POST", "/voice", FORM, CALL, CALL, NULL, NEXT_TOKEN, 1 },
    { "another token", "POST", "/voice", FORM, CALL, CALL, NULL, "0123456789abcdef0123456789abcdee", 0 },
    { "no signature", "POST", "/voice", FORM, CALL, CALL, "", TOKEN, 0 },
    { "27 characters", "POST", "/voice", FORM, CALL, CALL, "w4yG6jMgTqICOYoZ4vkszzem1I4", TOKEN, 0 },
    { "29 characters", "POST", "/voice", FORM, CALL, CALL, "w4yG6jMgTqICOYoZ4vkszzem1I4==", TOKEN, 0 },
    { "a newline behind it", "POST", "/voice", FORM, CALL, CALL, "w4yG6jMgTqICOYoZ4vkszzem1I4=\n", TOKEN, 0 },
    { "a blank before it", "POST", "/voice", FORM, CALL, CALL, " w4yG6jMgTqICOYoZ4vkszzem1I4", TOKEN, 0 },
    { "url-safe letters", "POST", "/voice", FORM, CALL, CALL, "w4yG6jMgTqICOYoZ4vks_-em1I4=", TOKEN, 0 },
    { "spare bits", "POST", "/voice", FORM, CALL, CALL, "w4yG6jMgTqICOYoZ4vkszzem1I5=", TOKEN, 0 },
    { "that is what it would have been", "POST", "/voice", FORM, CALL, CALL, "w4yG6jMgTqICOYoZ4vkszzem1I4=", TOKEN, 1 },
    { "a field more", "POST", "/voice", FORM, CALL "&x=1", CALL, NULL, TOKEN, 0 },
    { "a field less", "POST", "/voice", FORM, CALL, CALL "&x=1", NULL, TOKEN, 0 },
    { "another value", "POST", "/voice", FORM, "CallSid=CA2", CALL, NULL, TOKEN, 0 },
    { "a broken form", "POST", "/voice", FORM, CALL "%4", CALL, NULL, TOKEN, 0 },
    { "a form, said to be JSON", "POST", "/voice", "application/json", CALL, NULL, NULL, TOKEN, 0 },
    { "a form, said to be text", "POST", "/voice", "text/plain", CALL, CALL, NULL, TOKEN, 0 },
    { "a form, nothing said", "POST", "/voice", NULL, CALL, CALL, NULL, TOKEN, 0 },
    { "a form, its type with more letters", "POST", "/voice", FORM "x", CALL, CALL, NULL, TOKEN, 0 },
    { "a form, its type in capitals", "POST", "/voice", "Application/X-WWW-Form-URLencoded;charset=UTF-8", CALL, CALL,
      NULL, TOKEN, 1 },
    { "a form with GET", "GET", "/voice", FORM, CALL, CALL, NULL, TOKEN, 0 },
    { "nothing, with GET", "GET", "/voice", NULL, NULL, NULL, NULL, TOKEN, 1 },
    { "nothing, with POST", "POST", "/voice", NULL, NULL, NULL, NULL, TOKEN, 1 },
    { "JSON of another hash", "POST", "/voice?bodySHA256=" EMPTY_SHA256, "application/json", "{}", NULL, NULL, TOKEN, 0 },
    { "JSON without a hash", "POST", "/voice?a=1", "application/json", "{}", NULL, NULL, TOKEN, 0 },
    { "JSON of half a hash", "POST", "/voice?bodySHA256=44136fa355b3678a1146ad16f7e8649e", "application/json", "{}", NULL,
      NULL, TOKEN, 0 },
    { "JSON of a hash in capitals", "POST",
      "/voice?bodySHA256=44136FA355B3678A1146AD16F7E8649E94FB4FC21FE77E8310C060F61CAAFF8A", "application/json", "{}",
      NULL, NULL, TOKEN, 0 },
    { "JSON of its hash", "POST",
      "/voice?bodySHA256=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "application/json", "{}",
      NULL, NULL, TOKEN, 1 },
    { "a JSON body left out", "POST",
      "/voice?bodySHA256=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "application/json", NULL,
      NULL, NULL, TOKEN, 0 },
    { "no body, and the hash of none", "POST", "/voice?bodySHA256=" EMPTY_SHA256, NULL, NULL, NULL, NULL, TOKEN, 1 },
    { "JSON with its encoding", "POST",
      "/voice?bodySHA256=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "application/json; charset=utf-8",
      "{}", NULL, NULL, TOKEN, 1 },
    { "a field twice, its values in another order", "POST", "/voice", FORM, "a=2&a=1&a=2", "a=1&a=2", NULL, TOKEN, 1 },
    { "a field twice, one value changed", "POST", "/voice", FORM, "a=2&a=3", "a=1&a=2", NULL, TOKEN, 0 },
    { "the account", "POST", "/voice", FORM, "AccountSid=" ACCOUNT, "AccountSid=" ACCOUNT, NULL, TOKEN, 1 },
    { "another account", "POST", "/voice", FORM, "AccountSid=AC2", "AccountSid=AC2", NULL, TOKEN, 0 },
    { "the account and another", "POST", "/voice", FORM, "AccountSid=" ACCOUNT "&AccountSid=AC2",
      "AccountSid=" ACCOUNT "&AccountSid=AC2", NULL, TOKEN, 0 },
};

static struct house two_tokens(const char *env)
{
    return (struct house){ .config = { .app_env = env,
                                       .public_host = "gw.example.com",
                                       .twilio_auth_token = TOKEN,
                                       .twilio_auth_token_next = NEXT_TOKEN,
                                       .twilio_account_sid = ACCOUNT } };
}

static void reads_requests(void)
{
    for (size_t i = 0; i < ELEMENTSOF(requests); i++) {
        struct house house = two_tokens("production");
        const char *signed_body = requests[i].signed_body;
        char signature[TWILIO_SIGNATURE_LEN + 1], url[256];
        struct fake_request fake;

        snprintf(url, sizeof(url), "https://gw.example.com%s", requests[i].target);
        twilio_sign(requests[i].token, url, signed_body, signed_body ? strlen(signed_body) : 0, signature);
        fake_request(&fake, requests[i].method, requests[i].target, requests[i].body, NULL);
        if (!requests[i].signature || *requests[i].signature)
            fake_field(&fake, "x-twilio-signature", requests[i].signature ?: signature);
        if (requests[i].type)
            fake_field(&fake, "content-type", requests[i].type);
        is_int(let_in(&house, &fake), requests[i].let_in, requests[i].what);
    }
}

static void turns_bits(void)
{
    struct house house = two_tokens("production");
    char signature[TWILIO_SIGNATURE_LEN + 1];
    int n_let_in = 0;

    twilio_sign(TOKEN, "https://gw.example.com/voice", CALL, strlen(CALL), signature);
    for (int bit = 0; bit < TWILIO_SIGNATURE_LEN * 8; bit++) {
        struct fake_request fake;
        signature[bit / 8] ^= (char)(1 << bit % 8);
        fake_request(&fake, "POST", "/voice", CALL, NULL);
        fake_field(&fake, "content-type", FORM);
        fake_field(&fake, "x-twilio-signature", signature);
        n_let_in += let_in(&house, &fake) != 0;
        signature[bit / 8] ^= (char)(1 << bit % 8);
    }
    is_int(n_let_in, 0, "no signature with one bit turned is let in");
}

static void twice(void)
{
    struct house house = two_tokens("production");
    char signature[TWILIO_SIGNATURE_LEN + 1];
    struct fake_request fake;

    twilio_sign(TOKEN, "https://gw.example.com/voice", CALL, strlen(CALL), signature);
    fake_request(&fake, "POST", "/voice", CALL, NULL);
    fake_field(&fake, "content-type", FORM);
    fake_field(&fake, "x-twilio-signature", signature);
    fake_field(&fake, "x-twilio-signature", signature);
    is_int(let_in(&house, &fake), 0, "the same signature twice");

    fake_request(&fake, "POST", "/voice", CALL, NULL);
    fake_field(&fake, "content-type", FORM);
    fake_field(&fake, "content-type", "application/json");
    fake_field(&fake, "x-twilio-signature", signature);
    is_int(let_in(&house, &fake), 0, "two types of one body");
}

/* --- development */

static const struct {
    const char *what, *env, *public_host, *token, *host_header, *signed_url;
    bool loopback;
    int let_in;
} places[] = {
    { "production, unsigned loopback", "production", "gw.example.com", TOKEN, NULL, NULL, true, 0 },
    { "production without a token", "production", "gw.example.com", NULL, NULL, NULL, true, 0 },
    { "unsigned loopback", "development", "gw.example.com", TOKEN, NULL, NULL, true, 1 },
    { "unsigned loopback, nothing set", "development", NULL, NULL, NULL, NULL, true, 1 },
    { "unsigned, from elsewhere", "development", "gw.example.com", TOKEN, NULL, NULL, false, 0 },
    { "unsigned, from elsewhere, nothing set", "development", NULL, NULL, NULL, NULL, false, 0 },
    { "signed, from elsewhere", "development", "gw.example.com", TOKEN, NULL, "https://gw.example.com/voice", false, 1 },
    { "signed, loopback", "development", "gw.example.com", TOKEN, NULL, "https://gw.example.com/voice", true, 1 },
    { "signed wrongly, loopback", "development", "gw.example.com", TOKEN, NULL, "https://gw.example.com/", true, 0 },
    { "signed, loopback, no token to check", "development", NULL, NULL, "127.0.0.1:8080", "https://x/", true, 1 },
    { "signed for the Host header", "development", NULL, TOKEN, "127.0.0.1:8080", "http://127.0.0.1:8080/voice", true, 1 },
    { "signed for an IPv6 Host header", "development", NULL, TOKEN, "[::1]:8080", "http://[::1]:8080/voice", true, 1 },
    { "signed for an IPv6 Host header without a port", "development", NULL, TOKEN, "[::1]", "https://[::1]/voice", true, 1 },
    { "signed for a Host header, from elsewhere", "development", NULL, TOKEN, "h:8080", "http://h:8080/voice", false, 0 },
    { "signed for a Host header, PUBLIC_HOST set", "development", "gw.example.com", TOKEN, "h:8080",
      "http://h:8080/voice", true, 0 },
    { "signed for a Host header, production", "production", NULL, TOKEN, "h:8080", "https://h:8080/voice", true, 0 },
    { "signed, no Host header", "development", NULL, TOKEN, NULL, "https://h/voice", true, 0 },
    { "signed, a Host header with a path", "development", NULL, TOKEN, "h/x", "https://h/x/voice", true, 0 },
};

static void knows_places(void)
{
    for (size_t i = 0; i < ELEMENTSOF(places); i++) {
        struct house house = { .config = { .app_env = places[i].env,
                                           .public_host = places[i].public_host,
                                           .twilio_auth_token = places[i].token } };
        char signature[TWILIO_SIGNATURE_LEN + 1];
        struct fake_request fake;

        fake_request(&fake, "POST", "/voice", CALL, NULL);
        fake.request.peer_is_loopback = places[i].loopback;
        fake_field(&fake, "content-type", FORM);
        if (places[i].host_header)
            fake_field(&fake, "host", places[i].host_header);
        if (places[i].signed_url) {
            twilio_sign(TOKEN, places[i].signed_url, CALL, strlen(CALL), signature);
            fake_field(&fake, "x-twilio-signature", signature);
        }
        is_int(let_in(&house, &fake), places[i].let_in, places[i].what);
    }

    struct house house = two_tokens("development");
    struct fake_request fake;
    fake_request(&fake, "POST", "/voice", "AccountSid=AC2", NULL);
    fake.request.peer_is_loopback = true;
    fake_field(&fake, "content-type", FORM);
    is_int(let_in(&house, &fake), 0, "unsigned loopback, another account");
}

static void limits(void)
{
    enum { LONG = 9000 };
    struct house house = two_tokens("production");
    char signature[TWILIO_SIGNATURE_LEN + 1];
    scoped(free) char *url = calloc(1, LONG + 1), *form = calloc(1, 8 * TWILIO_PARAMS_MAX + 8);
    struct fake_request fake;

    memset(url, 'a', LONG);
    url[0] = '/';
    is_int(twilio_sign(TOKEN, url, NULL, 0, signature), -E2BIG, "a URL too long is not signed");
    fake_request(&fake, "GET", url, NULL, NULL);
    fake_field(&fake, "x-twilio-signature", "w4yG6jMgTqICOYoZ4vkszzem1I4=");
    is_int(let_in(&house, &fake), 0, "nor let in");

    for (int i = 0; i < TWILIO_PARAMS_MAX; i++)
        strcat(form, "a=1&");
    is_int(twilio_sign(TOKEN, "https://h/", form, strlen(form), signature), 0, "the most fields are signed");
    strcat(form, "a=1");
    is_int(twilio_sign(TOKEN, "https://h/", form, strlen(form), signature), -E2BIG, "one more is not");
    is_int(twilio_sign(TOKEN, "https://h/", "%", 1, signature), -EBADMSG, "a broken form is not");
}

int main(void)
{
    log_setup(LOG_ERR, NULL);
    vectors();
    tries_urls();
    spells_hosts();
    reads_requests();
    turns_bits();
    twice();
    knows_places();
    limits();
    return done_testing();
}
