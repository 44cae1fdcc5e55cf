/*
 * test_google_token.c - a token endpoint on loopback, and everything it can do wrong
 *
 * When tokens are asked for again is test_google_lease.c's, in virtual time; here is what is given out meanwhile, what
 * is posted, and what is logged. Log lines go to a file, in which no secret may be found.
 */
#include "services/google_token.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/stat.h>

#include "config.h"
#include "scratch.h"
#include "services/fake_account.h"
#include "services/fake_provider.h"
#include "services/http_client.h"
#include "tap.h"
#include "utils/file.h"
#include "utils/form.h"

#define ACCESS "ya29.c0-Secret_Access.Token"
#define ANSWER(status, body) "HTTP/1.1 " status "\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" body
#define GOOD ANSWER("200 OK", "{\"access_token\":\"" ACCESS "\",\"expires_in\":3599,\"token_type\":\"Bearer\"}")
#define GRANT(words) ANSWER("400 Bad Request", "{\"error\":\"invalid_grant\",\"error_description\":\"" words "\"}")

static EVP_PKEY *rsa;
static _Atomic(const char *) answer; /* NULL: none at all */
static sem_t hold;
static pthread_mutex_t request_lock = PTHREAD_MUTEX_INITIALIZER;
static char last_request[FAKE_REQUEST_MAX];

static bool serve(struct fake_connection *connection)
{
    const char *text = answer;

    pthread_mutex_lock(&request_lock);
    memcpy(last_request, connection->request, sizeof(last_request));
    pthread_mutex_unlock(&request_lock);
    if (text)
        fake_say(connection, text);
    else
        sem_wait(&hold);
    return false;
}

static void uri_of(const struct fake_provider *provider, char *uri, size_t size)
{
    (void)snprintf(uri, size, "%s/token", provider->url);
}

/* --- the log, from here on in a file */

static int real_stderr;

static void log_begin(void)
{
    int fd = open(scratch_file("log"), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);

    fflush(stderr);
    real_stderr = dup(STDERR_FILENO);
    dup2(fd, STDERR_FILENO);
    close(fd);
}

/* To be freed. */
static char *log_end(void)
{
    char *text = NULL;
    size_t n;

    fflush(stderr);
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    if (file_read(scratch_file("log"), 0, MIB, &text, &n) < 0)
        abort();
    return text;
}

/* --- rows */

static const struct {
    const char *what, *answer;
    bool is_access; /* it ends in an access token */
    const char *log; /* part of what is logged; NULL nothing is */
} rows[] = {
    { "Google's answer", GOOD, true, NULL },
    { "the wrong key", GRANT("Invalid JWT Signature."), false, "the key was revoked, or is of another account: make another key" },
    { "the wrong time",
      GRANT("Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values."), false,
      "this machine's clock is wrong: set it" },
    { "no such account", ANSWER("401 Unauthorized", "{\"error\":\"invalid_client\"}"), false, "the service account is not known or disabled" },
    { "a forbidden one", ANSWER("403 Forbidden", "no"), false, "HTTP status 403" },
    { "its own fault", ANSWER("500 Oops", "{}"), false, "HTTP status 500" },
    { "a redirection", ANSWER("302 Found", ""), false, "HTTP status 302" },
    { "no JSON", ANSWER("200 OK", "<html>Sign in</html>"), false, "its answer holds no token" },
    { "no token", ANSWER("200 OK", "{\"expires_in\":3599}"), false, "its answer holds no token" },
    { "a life of nothing", ANSWER("200 OK", "{\"access_token\":\"" ACCESS "\",\"expires_in\":0}"), false, "its answer holds no token" },
    { "a life less than nothing", ANSWER("200 OK", "{\"access_token\":\"" ACCESS "\",\"expires_in\":-5}"), false, "its answer holds no token" },
    { "a life of years", ANSWER("200 OK", "{\"access_token\":\"" ACCESS "\",\"expires_in\":99999999999}"), true, NULL },
    { "half an answer", ANSWER("200 OK", "{\"access_token\":\"" ACCESS "\",\"expi"), false, "its answer holds no token" },
    { "less than it promised", "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{\"access_token\":\"" ACCESS "\"", false, "the connection broke" },
    { "nothing", "", false, "closed without an answer" },
    { "no HTTP", "SSH-2.0-x\r\n", false, "no HTTP" },
    { "what it was sent", ANSWER("400 Bad Request", "{\"error\":\"x\",\"error_description\":\"bad eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOi end\"}"),
      false, "HTTP status 400, x: bad end" },
};

static struct google_token *open_token(const char *uri, struct http_client *client)
{
    struct google_token *token = NULL;
    scoped(free) char *json = fake_account(rsa, uri, NULL);
    struct config config = { .app_env = "development", .google_tts_sa_json = json };

    return google_token_open(&config, client, &token) == 0 ? token : NULL;
}

/* Waits until the first answer was taken or refused. */
static void settle(struct google_token *token)
{
    struct google_token_stats stats;

    do {
        sched_yield();
        google_token_stats(token, &stats);
    } while (!stats.n_failed && stats.is_self_signed);
}

static bool is_own(const char *bearer)
{
    char header[2048], claims[2048] = "";

    return fake_account_read_jwt(rsa, bearer, header, claims, sizeof(header)) &&
           strstr(claims, "\"sub\":\"" FAKE_EMAIL "\",\"aud\":\"https://texttospeech.googleapis.com/\"");
}

static void every_fault(const char *uri, struct http_client *client)
{
    scoped(free) char *pem = fake_account_pem(rsa);
    char bearer[GOOGLE_TOKEN_MAX], own[GOOGLE_TOKEN_MAX];

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        answer = rows[i].answer;
        log_begin();
        struct google_token *token = open_token(uri, client);
        if (token) {
            settle(token);
            google_token_get(token, bearer);
            if (rows[i].is_access) /* the one that is below it */
                google_token_refused(token, bearer);
            google_token_get(token, own);
        }
        google_token_close(token);
        scoped(free) char *log = log_end();
        ok(token && (rows[i].is_access ? strcmp(bearer, ACCESS) == 0 && is_own(own) : is_own(bearer)), "%s: %s", rows[i].what,
           rows[i].is_access ? "the token is given out, until it is refused" : "a token of our own is given out");
        ok(rows[i].log ? strstr(log, rows[i].log) != NULL : !log[0], "  %s", log[0] ? log : "nothing is logged\n");
        ok(!strstr(log, "Secret") && !strstr(log, "eyJ") && !strstr(log, "assertion") && !strstr(log, pem + 40), "  without secrets");
    }
}

static void what_is_posted(const char *uri, struct http_client *client)
{
    struct form form = { 0 };
    char header[2048], claims[2048] = "", want[512];

    answer = GOOD;
    struct google_token *token = open_token(uri, client);
    settle(token);
    google_token_close(token);
    pthread_mutex_lock(&request_lock); /* what was written before is seen; nothing follows */
    pthread_mutex_unlock(&request_lock);
    const char *body = strstr(last_request, "\r\n\r\n");
    ok(strncmp(last_request, "POST /token HTTP/1.1\r\n", 22) == 0 && strcasestr(last_request, "\r\nContent-Type: application/x-www-form-urlencoded\r\n"),
       "a form is posted to the endpoint");
    is_int(body ? form_parse(body + 4, strlen(body + 4), 4, &form) : -1, 0, "it is one");
    const struct form_field *grant = form_get(&form, "grant_type"), *assertion = form_get(&form, "assertion");
    is_str(grant ? grant->value : NULL, "urn:ietf:params:oauth:grant-type:jwt-bearer", "of the type of RFC 7523");
    ok(assertion && fake_account_read_jwt(rsa, assertion->value, header, claims, sizeof(header)), "with an assertion that the public key verifies");
    (void)snprintf(want, sizeof(want), "{\"iss\":\"" FAKE_EMAIL "\",\"scope\":\"https://www.googleapis.com/auth/cloud-platform\",\"aud\":\"%s\",\"iat\":", uri);
    ok(strncmp(claims, want, strlen(want)) == 0, "for that endpoint: %s", claims);
    form_done(&form);
}

/* The endpoint says nothing: nobody waits for it, neither who asks nor the end. */
static void silence(const char *uri, struct http_client *client)
{
    char bearer[GOOGLE_TOKEN_MAX];

    answer = NULL;
    struct google_token *token = open_token(uri, client);
    google_token_get(token, bearer);
    ok(is_own(bearer), "while the endpoint says nothing there is a token of our own");
    google_token_refused(token, bearer);
    google_token_refused(token, "of another life");
    google_token_get(token, bearer);
    ok(is_own(bearer), "also when that is refused: there is no other");
    google_token_close(token);
    ok(1, "closing does not wait for the endpoint");
    sem_post(&hold);
}

enum { N_THREADS = 4, N_ROUNDS = 500 };

static void *get_and_refuse(void *arg)
{
    char bearer[GOOGLE_TOKEN_MAX];
    intptr_t n_bad = 0;

    for (int i = 0; i < N_ROUNDS; i++) {
        google_token_get(arg, bearer);
        n_bad += strcmp(bearer, ACCESS) != 0 && strncmp(bearer, "eyJ", 3) != 0;
        google_token_refused(arg, bearer);
    }
    return (void *)n_bad;
}

static void many_ask(const char *uri, struct http_client *client)
{
    pthread_t threads[N_THREADS];
    struct google_token_stats stats;
    void *n_bad;
    intptr_t n_bad_all = 0;

    answer = GOOD;
    struct google_token *token = open_token(uri, client);
    settle(token);
    for (size_t i = 0; i < N_THREADS; i++)
        pthread_create(&threads[i], NULL, get_and_refuse, token);
    for (size_t i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], &n_bad);
        n_bad_all += (intptr_t)n_bad;
    }
    google_token_stats(token, &stats);
    google_token_close(token);
    is_int((long long)n_bad_all, 0, "whoever asks gets a whole token");
    is_int((long long)stats.n_asked, 1, "two thousand refusals at once do not make it ask without end");
}

static void files_are_judged(const char *uri, struct http_client *client)
{
    static const struct {
        const char *what, *app_env, *name;
        mode_t mode;
        int r;
        const char *log;
    } files[] = {
        { "its user's own", "production", "key", 0600, 0, NULL },
        { "its group's", "production", "key", 0640, 0, NULL },
        { "everybody's", "production", "key", 0644, -EACCES, "others may read it: make it its user's own (chmod 600)" },
        { "everybody's where one develops", "development", "key", 0644, 0, "others may read it" },
        { "not there", "production", "none", 0600, -ENOENT, "cannot be read: No such file" },
        { "empty", "production", "empty", 0600, -EINVAL, "is no JSON" },
    };
    scoped(free) char *json = fake_account(rsa, uri, NULL);
    scoped(fclose) FILE *file = fopen(scratch_file("key"), "w"), *empty = fopen(scratch_file("empty"), "w");

    answer = GOOD;
    fputs(json, file);
    fflush(file);
    for (size_t i = 0; i < ELEMENTSOF(files); i++) {
        const char *path = scratch_file(files[i].name);
        struct config config = { .app_env = files[i].app_env, .google_application_credentials = path };
        scoped(google_token_close) struct google_token *token = NULL;

        (void)chmod(path, files[i].mode);
        log_begin();
        int r = google_token_open(&config, client, &token);
        scoped(free) char *log = log_end();
        ok(r == files[i].r && (files[i].log ? strstr(log, files[i].log) != NULL : !log[0]), "a key file that is %s: %d %s", files[i].what, r, log);
    }
    (void)empty;
}

int main(void)
{
    static struct fake_provider provider;
    struct http_client *client = NULL;
    char uri[128];

    sem_init(&hold, 0, 0);
    rsa = EVP_RSA_gen(2048);
    if (!ok(fake_provider_open(&provider, serve) == 0 && http_client_new(&(struct http_client_options){ .calls_max = 4 }, &client) == 0,
            "an endpoint and a client"))
        return done_testing();
    uri_of(&provider, uri, sizeof(uri));
    every_fault(uri, client);
    what_is_posted(uri, client);
    silence(uri, client);
    many_ask(uri, client);
    files_are_judged(uri, client);
    http_client_free(client);
    fake_provider_close(&provider);
    EVP_PKEY_free(rsa);
    sem_destroy(&hold);
    return done_testing();
}
