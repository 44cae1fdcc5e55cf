/*
 * google_token.c - what is shown to Google
 *
 * One thread, which sleeps until something is due: another access token by google_lease.h, or another token of our own
 * making. It signs (a millisecond) and starts the request; the answer comes on the http client's thread, which puts it
 * in place and wakes ours for the next time. Whoever asks for a bearer copies it under the lock and never does more.
 *
 * The own token is a second credential: it is there from the first moment, it does without the endpoint, and it is cut
 * by our clock alone. So it is what is given out while there is no access token that holds.
 *
 * All secrets lie in one block that is left out of core dumps, and wiped at the end.
 */
#include "services/google_token.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "config.h"
#include "services/google_key.h"
#include "services/http_client.h"
#include "utils/clock.h"
#include "utils/file.h"
#include "utils/log.h"

enum {
    CONNECT_MS = 3000,
    FIRST_BYTE_MS = 8000,
    STALL_MS = 3000,
    TOTAL_MS = 15000,
    BODY_MAX = 64 * KIB,
    KEY_FILE_MAX = 64 * KIB,
    OWN_EARLY_MS = 1000 * GOOGLE_TOKEN_EARLY_S,
    OWN_AGAIN_MS = 30000, /* between two of our own, when one is refused */
    TELL_EVERY = 16, /* failures; they come once a minute */
    LETTER_MAX = GOOGLE_JWT_MAX + 128,
};

/* Known to the kernel as not to be dumped. */
struct secrets {
    char access[GOOGLE_TOKEN_MAX];
    char own[GOOGLE_TOKEN_MAX]; /* signed by ourselves */
    char answer[GOOGLE_TOKEN_MAX];
    char assertion[GOOGLE_JWT_MAX];
    char letter[LETTER_MAX]; /* what is posted */
};

struct google_token {
    struct http_call call; /* first */
    struct http_provider *provider;
    struct google_key *key;
    struct secrets *secrets; /* access and own under the lock; assertion and letter are the thread's, answer the client's */

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_ready, is_running, is_stopping;
    bool is_busy; /* from before the request until answered() has let go of this */
    struct google_lease lease;
    uint64_t own_due_ms, own_made_ms;
    uint64_t n_asked, n_failed;
};

_Static_assert((int)GOOGLE_JWT_MAX <= (int)GOOGLE_TOKEN_MAX, "a token of our own is given out as one");

/* --- asking; the thread's, without the lock */

static int make_own(struct google_token *token)
{
    char jwt[GOOGLE_JWT_MAX];
    int r = google_key_sign(token->key, GOOGLE_JWT_BEARER, clock_real_ms() / 1000, jwt);

    if (r < 0)
        (void)log_err(r, "cannot sign a token for Google");
    pthread_mutex_lock(&token->lock);
    if (r == 0)
        memcpy(token->secrets->own, jwt, sizeof(jwt));
    token->own_made_ms = clock_mono_ms();
    token->own_due_ms = token->own_made_ms + (r < 0 ? OWN_AGAIN_MS : 1000 * GOOGLE_JWT_LIFE_S - OWN_EARLY_MS);
    pthread_mutex_unlock(&token->lock);
    explicit_bzero(jwt, sizeof(jwt));
    return r;
}

static void ask(struct google_token *token)
{
    static const char before[] = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    struct secrets *secrets = token->secrets;
    int r = google_key_sign(token->key, GOOGLE_JWT_ASSERTION, clock_real_ms() / 1000, secrets->assertion);

    if (r < 0) {
        token->call.r = r;
        token->call.why = "it cannot be signed";
        token->call.done(&token->call);
        return;
    }
    token->call.content = secrets->letter;
    token->call.n_content = (size_t)snprintf(secrets->letter, sizeof(secrets->letter), "%s%s", before, secrets->assertion);
    http_start(&token->call);
}

/* --- the answer; the client's thread */

static void tell(const struct google_token *token, const struct google_lease *lease, bool is_final, const char *why)
{
    uint64_t now_ms = clock_mono_ms();
    long left_s = google_lease_holds(lease, now_ms) ? (long)((lease->until_ms - now_ms) / 1000) : 0;

    if (left_s)
        (void)log_line(is_final ? LOG_ERR : LOG_WARNING, 0, NULL,
                       "Google gives no new token for %s: %s; the one of before holds for %ld s", google_key_email(token->key), why,
                       left_s);
    else
        (void)log_line(is_final ? LOG_ERR : LOG_WARNING, 0, NULL,
                       "Google gives no token for %s: %s; meanwhile requests bear one that is signed here",
                       google_key_email(token->key), why);
}

/* The answer in place, or what is wrong with it. Takes the lock. */
static void settle(struct google_token *token, int r, unsigned life_s, bool is_final, const char *why)
{
    struct google_lease lease;
    bool was_failing;

    pthread_mutex_lock(&token->lock);
    was_failing = token->lease.n_failed > 0;
    if (r == 0) {
        memcpy(token->secrets->access, token->secrets->answer, sizeof(token->secrets->access));
        google_lease_got(&token->lease, clock_mono_ms(), life_s);
    } else {
        google_lease_failed(&token->lease, clock_mono_ms(), is_final);
        token->n_failed++;
    }
    lease = token->lease;
    pthread_mutex_unlock(&token->lock);

    if (r == 0 && was_failing)
        log_info("Google gives tokens again");
    else if (r < 0 && r != -ECANCELED && (lease.n_failed - 1) % TELL_EVERY == 0)
        tell(token, &lease, is_final, why);
}

static void answered(struct http_call *call)
{
    struct google_token *token = (struct google_token *)call;
    char why[512];
    unsigned life_s = 0;
    bool is_final = false;
    int r = call->r;

    (void)snprintf(why, sizeof(why), "%s", call->why);
    if (r == -EREMOTEIO) {
        is_final = google_lease_explain(call->status, call->body, call->n_body, why, sizeof(why));
    } else if (r == 0) {
        r = google_lease_read(call->body ?: "", call->n_body, token->secrets->answer, &life_s);
        (void)snprintf(why, sizeof(why), "its answer holds no token");
    }
    if (call->body)
        explicit_bzero(call->body, call->n_body);
    free(steal(&call->body));
    settle(token, r, life_s, is_final, why);

    pthread_mutex_lock(&token->lock);
    token->is_busy = false; /* now it may be freed */
    pthread_cond_broadcast(&token->changed);
    pthread_mutex_unlock(&token->lock);
}

/* --- the thread */

/* With the lock, which is given up while it works. Returns: whether there was something to do. */
static bool work(struct google_token *token, uint64_t now_ms)
{
    bool is_own_due = now_ms >= token->own_due_ms;

    if (!is_own_due && (token->is_busy || !google_lease_ask(&token->lease, now_ms)))
        return false;
    token->is_busy = token->is_busy || !is_own_due;
    token->n_asked += !is_own_due;
    pthread_mutex_unlock(&token->lock);
    is_own_due ? (void)make_own(token) : ask(token);
    pthread_mutex_lock(&token->lock);
    return true;
}

static void *token_main(void *arg)
{
    struct google_token *token = arg;

    (void)pthread_setname_np(pthread_self(), "google token");
    pthread_mutex_lock(&token->lock);
    while (!token->is_stopping) {
        if (work(token, clock_mono_ms()))
            continue;
        uint64_t until_ms = token->own_due_ms;
        if (!token->is_busy && token->lease.due_ms < until_ms)
            until_ms = token->lease.due_ms;
        struct timespec until = { .tv_sec = (time_t)(until_ms / 1000), .tv_nsec = (long)(until_ms % 1000) * 1000000 };
        (void)pthread_cond_timedwait(&token->changed, &token->lock, &until);
    }
    pthread_mutex_unlock(&token->lock);
    return NULL;
}

/* --- from the outside */

static const char *bearer_of(const struct google_token *token)
{
    return google_lease_holds(&token->lease, clock_mono_ms()) ? token->secrets->access : token->secrets->own;
}

void google_token_get(struct google_token *token, char ret_bearer[GOOGLE_TOKEN_MAX])
{
    pthread_mutex_lock(&token->lock);
    memcpy(ret_bearer, bearer_of(token), GOOGLE_TOKEN_MAX);
    pthread_mutex_unlock(&token->lock);
}

void google_token_refused(struct google_token *token, const char *bearer)
{
    uint64_t now_ms = clock_mono_ms();

    pthread_mutex_lock(&token->lock);
    if (google_lease_holds(&token->lease, now_ms) && strcmp(bearer, token->secrets->access) == 0)
        google_lease_refused(&token->lease, now_ms);
    else if (strcmp(bearer, token->secrets->own) == 0)
        token->own_due_ms = token->own_made_ms + OWN_AGAIN_MS;
    pthread_cond_broadcast(&token->changed);
    pthread_mutex_unlock(&token->lock);
}

void google_token_stats(struct google_token *token, struct google_token_stats *ret_stats)
{
    pthread_mutex_lock(&token->lock);
    *ret_stats = (struct google_token_stats){
        .n_asked = token->n_asked,
        .n_failed = token->n_failed,
        .is_self_signed = bearer_of(token) == token->secrets->own,
    };
    pthread_mutex_unlock(&token->lock);
}

/* --- opening: the account */

static int parse(const char *from, const char *json, size_t n, struct google_key **ret_key)
{
    char problem[512];
    int r = google_key_parse(json, n, problem, sizeof(problem), ret_key);

    if (r != -EINVAL)
        return r;
    (void)log_err(0, "%s %s", from, problem);
    return r;
}

static int check_mode(const struct config *config, const char *path)
{
    static const char advice[] = "others may read it: make it its user's own (chmod 600) and, if it was so for long, make another key";
    struct stat st;

    if (stat(path, &st) < 0 || !(st.st_mode & S_IROTH))
        return 0;
    if (config_is_production(config)) {
        (void)log_err(0, "GOOGLE_APPLICATION_CREDENTIALS %s: %s", path, advice);
        return -EACCES;
    }
    return log_warning(0, "GOOGLE_APPLICATION_CREDENTIALS %s: %s", path, advice);
}

static int read_key(const struct config *config, struct google_key **ret_key)
{
    const char *path = config->google_application_credentials;
    char *json = NULL;
    size_t n;

    if (config->google_tts_sa_json)
        return parse("GOOGLE_TTS_SA_JSON", config->google_tts_sa_json, strlen(config->google_tts_sa_json), ret_key);
    int r = check_mode(config, path);
    if (r < 0)
        return r;
    r = file_read(path, 0, KEY_FILE_MAX, &json, &n);
    if (r < 0)
        return log_err(r, "GOOGLE_APPLICATION_CREDENTIALS %s cannot be read", path);
    r = parse("GOOGLE_APPLICATION_CREDENTIALS: the file", json, n, ret_key);
    explicit_bzero(json, n);
    free(json);
    return r;
}

/* --- and the rest */

static int make_lock(struct google_token *token)
{
    pthread_condattr_t attributes;

    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&token->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    token->is_ready = true;
    return -pthread_mutex_init(&token->lock, NULL);
}

static int make_secrets(struct google_token *token)
{
    void *block = mmap(NULL, sizeof(*token->secrets), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (block == MAP_FAILED)
        return -errno;
    token->secrets = block;
    (void)madvise(block, sizeof(*token->secrets), MADV_DONTDUMP);
    (void)mlock(block, sizeof(*token->secrets));
    return 0;
}

static int make_provider(struct google_token *token, struct http_client *client)
{
    const char *uri = google_key_token_uri(token->key);
    struct http_provider_options options = {
        .base_url = uri,
        .path = strrchr(uri, '/') + 1, /* a base that ends in it is the whole */
        .connect_ms = CONNECT_MS,
    };
    int r = http_provider_new(client, &options, &token->provider);

    token->call = (struct http_call){
        .provider = token->provider,
        .content_type = "application/x-www-form-urlencoded",
        .is_repeatable = true,
        .first_byte_ms = FIRST_BYTE_MS,
        .stall_ms = STALL_MS,
        .total_ms = TOTAL_MS,
        .body_max = BODY_MAX,
        .done = answered,
    };
    return r;
}

int google_token_open(const struct config *config, struct http_client *client, struct google_token **ret_token)
{
    scoped(google_token_close) struct google_token *token = calloc(1, sizeof(*token));
    int r = token ? make_lock(token) : -ENOMEM;

    if (r == 0)
        r = read_key(config, &token->key);
    if (r == 0)
        r = make_secrets(token);
    if (r == 0)
        r = make_provider(token, client);
    if (r == 0)
        r = make_own(token);
    if (r == 0)
        r = -pthread_create(&token->thread, NULL, token_main, token);
    if (r < 0)
        return r;
    token->is_running = true;
    *ret_token = steal(&token);
    return 0;
}

static void stop(struct google_token *token)
{
    pthread_mutex_lock(&token->lock);
    token->is_stopping = true;
    pthread_cond_broadcast(&token->changed);
    pthread_mutex_unlock(&token->lock);
    pthread_join(token->thread, NULL);

    pthread_mutex_lock(&token->lock);
    if (token->is_busy)
        http_abort(&token->call);
    while (token->is_busy)
        pthread_cond_wait(&token->changed, &token->lock);
    pthread_mutex_unlock(&token->lock);
}

void google_token_close(struct google_token *token)
{
    if (!token)
        return;
    if (token->is_running)
        stop(token);
    http_provider_free(token->provider);
    google_key_free(token->key);
    if (token->secrets) {
        explicit_bzero(token->secrets, sizeof(*token->secrets));
        (void)munmap(token->secrets, sizeof(*token->secrets));
    }
    if (token->is_ready) {
        pthread_cond_destroy(&token->changed);
        pthread_mutex_destroy(&token->lock);
    }
    free(token);
}
