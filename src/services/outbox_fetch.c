/*
 * outbox_fetch.c - what a message brought is fetched
 *
 *   engine: a file is begun ──> fetcher: asks, writes ──> engine: judges it, keeps it ──> its row says so
 *                                 │   ▲ led elsewhere
 *                                 └───┘
 *
 * One attempt is one file; the next follows when its row is written. Twilio is asked with the account's name and token,
 * and whoever it leads to without. What the linked device's program received lies in its spool: it is copied, and taken
 * away there once the row is written.
 *
 * Asking twice does no harm, since a file that was not finished is begun anew. What another attempt would not change is
 * written on the row with the reason, and the messages behind it go on.
 */
#include "services/outbox_effect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <json-c/json.h>

#include "config.h"
#include "services/crm.h"
#include "services/crm_media.h"
#include "services/engine.h"
#include "services/http_client.h"
#include "services/outbox.h"
#include "utils/json.h"
#include "utils/log.h"
#include "utils/text.h"
#include "utils/url.h"

enum {
    SECOND_MS = 1000,
    HOPS_MAX = 4,
    URL_MAX = 4096,
    CONNECT_MS = 5 * SECOND_MS,
    ANSWER_MS = 20 * SECOND_MS,
    TOTAL_MS = 15 * 60 * SECOND_MS, /* 100 MiB over a slow line */
    COPY_BYTES = 64 * KIB,
};

enum step { FETCH, COPY, UNSPOOL };

struct fetching {
    struct engine_job job; /* first */
    struct http_call call;
    struct effect *effect;
    struct message message;
    enum step step;
    unsigned n; /* which of its media */
    uint64_t size_max;
    struct media_file *file;
    int file_r; /* why it could not be written */
    struct http_provider *providers[HOPS_MAX]; /* who was asked, one behind the other */
    unsigned n_hops;
    char url[URL_MAX], location[URL_MAX]; /* the first is cut where its query begins */
    _Atomic bool is_aborted;
    struct media_outcome outcome;
    char error[JOB_ERROR_MAX]; /* what outcome.error points to */
};

static struct json_object *item_of(const struct fetching *fetching)
{
    return json_object_array_get_idx(fetching->message.media, fetching->n);
}

/* --- how it ends; afterwards it may not be there any more */

static void end(struct fetching *fetching, enum outcome_kind kind, const char *error)
{
    struct effect *effect = fetching->effect;

    effect->outcome = (struct outcome){ .kind = kind, .retry_after_ms = (uint64_t)fetching->call.retry_after_ms };
    (void)text_set(effect->outcome.error, sizeof(effect->outcome.error), error);
    effect_end(effect);
}

/* Another attempt may go better. */
static void end_for_now(struct fetching *fetching, const char *what, const char *why)
{
    char error[JOB_ERROR_MAX];

    (void)snprintf(error, sizeof(error), "%s: %.160s", what, why);
    end(fetching, OUTCOME_NOT_SENT, error);
}

__attribute__((format(printf, 2, 3))) static void refuse(struct fetching *fetching, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(fetching->error, sizeof(fetching->error), format, args);
    va_end(args);
    fetching->outcome.error = fetching->error;
    log_limited(LOG_WARNING, NULL, "media of message %s are not kept: %s", fetching->message.id, fetching->error);
    end(fetching, OUTCOME_GO_ON, "");
}

static void refuse_size(struct fetching *fetching, uint64_t size_max)
{
    refuse(fetching, "it is larger than %llu MiB", (unsigned long long)(size_max / MIB));
}

static void judge_failure(struct fetching *fetching, int r)
{
    if (r == -EFBIG)
        refuse_size(fetching, fetching->size_max);
    else if (r == -ENOSPC)
        refuse(fetching, "there is no room for it: see MEDIA_MAX_MIB and MEDIA_FREE_MIB");
    else
        end_for_now(fetching, "it cannot be written below STATE_DIR", strerrordesc_np(-r) ?: "unknown error");
}

/* --- keeping it; on the engine's thread */

static void keep(struct fetching *fetching)
{
    const char *claimed = json_get_text(item_of(fetching), "type") ?: "";
    int r = media_judge(media_file_fd(fetching->file), claimed, fetching->outcome.type);
    const struct media_type *type = r == 0 ? media_type_find(fetching->outcome.type) : NULL;
    struct stat st;

    if (r == 0 && fstat(media_file_fd(fetching->file), &st) < 0)
        r = -errno;
    if (r < 0) {
        judge_failure(fetching, r);
    } else if (st.st_size == 0) {
        refuse(fetching, "it is empty");
    } else if (!type) {
        refuse(fetching, "it is %.80s by its bytes, which is not kept", fetching->outcome.type);
    } else if ((uint64_t)st.st_size > type->keep_max) {
        refuse_size(fetching, type->keep_max);
    } else {
        r = media_file_keep(fetching->file, &fetching->outcome.kept);
        if (r < 0)
            judge_failure(fetching, r);
        else
            end(fetching, OUTCOME_GO_ON, "");
    }
}

static void keep_job(struct engine_job *job)
{
    keep((struct fetching *)job);
}

/* The work is done by done(), after which the engine does not look at the job any more: it may be gone. */
static void run_nothing(struct engine_job *job, unsigned thread)
{
}

static void submit(struct fetching *fetching, void (*work)(struct engine_job *job))
{
    fetching->job = (struct engine_job){ .run = run_nothing, .done = work };
    if (engine_submit(outbox_services(fetching->effect->outbox)->engine, &fetching->job) < 0)
        end_for_now(fetching, "it is not fetched yet", "too much is under way");
}

/* --- asking; mostly on the fetcher's thread */

static void ask(struct fetching *fetching);

static int on_bytes(struct http_call *call, const char *bytes, size_t n)
{
    struct fetching *fetching = (struct fetching *)((char *)call - offsetof(struct fetching, call));

    fetching->file_r = media_file_write(fetching->file, bytes, n);
    return fetching->file_r;
}

/* What the next attempt may find otherwise: Twilio tells of media before all of its machines have them. */
static bool may_pass(unsigned status)
{
    return status >= 500 || status == 401 || status == 403 || status == 404 || status == 408 || status == 425 || status == 429;
}

static const char *explain(unsigned status)
{
    return status == 401 || status == 403 ? "it does not accept TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN; correct them"
           : status == 404               ? "it is not there"
                                         : "it answers with an error";
}

static void judge_answer(struct fetching *fetching)
{
    struct http_call *call = &fetching->call;
    char error[JOB_ERROR_MAX];

    if (call->r == 0) {
        submit(fetching, keep_job);
    } else if (call->r == -EREMOTEIO && call->status / 100 == 3 && fetching->location[0]) {
        memcpy(fetching->url, fetching->location, sizeof(fetching->url));
        ask(fetching);
    } else if (call->r == -EREMOTEIO && !may_pass(call->status)) {
        refuse(fetching, "whoever has it does not give it (HTTP %u)", call->status);
    } else if (call->r == -EREMOTEIO) {
        (void)snprintf(error, sizeof(error), "%s (HTTP %u)", explain(call->status), call->status);
        end_for_now(fetching, "it cannot be fetched", error);
    } else if (call->r == -EFBIG || fetching->file_r < 0) {
        judge_failure(fetching, fetching->file_r ?: call->r);
    } else {
        end_for_now(fetching, "it cannot be fetched", call->why);
    }
}

static void answered(struct http_call *call)
{
    struct fetching *fetching = (struct fetching *)((char *)call - offsetof(struct fetching, call));

    free(steal(&call->body));
    judge_answer(fetching);
}

/* Below the base, and not merely beginning with the same letters. */
static bool is_below(const char *url, const char *base)
{
    size_t n = strlen(base);

    while (n && base[n - 1] == '/')
        n--;
    return strncmp(url, base, n) == 0 && url[n] == '/';
}

/* Where a provider may lead us: out into the world; to this machine only when he is there himself. */
static bool may_follow(const char *url, const char *base)
{
    bool is_stand_in = strncmp(base, "http:", 5) == 0 && !url_is_exposed(base);

    return url_is_public(url) || (is_stand_in && strncmp(url, "http:", 5) == 0 && !url_is_exposed(url));
}

static int provide(struct fetching *fetching, struct http_provider **ret_provider)
{
    const struct outbox_services *services = outbox_services(fetching->effect->outbox);
    const struct config *config = services->config;
    bool is_twilio = is_below(fetching->url, config->twilio_base_url);
    const char *last = strrchr(fetching->url, '/');
    struct http_provider_options options = { .base_url = fetching->url, .path = last ? last + 1 : "", .connect_ms = CONNECT_MS };

    if (is_twilio && fetching->n_hops == 0 && config->twilio_account_sid && config->twilio_auth_token) {
        options.user = config->twilio_account_sid;
        options.key = config->twilio_auth_token;
    }
    return *options.path ? http_provider_new(services->fetcher, &options, ret_provider) : -EINVAL;
}

static void ask(struct fetching *fetching)
{
    const struct outbox_services *services = outbox_services(fetching->effect->outbox);
    const char *base = services->config->twilio_base_url;
    struct http_provider *provider = NULL;

    if (fetching->n_hops == HOPS_MAX) {
        refuse(fetching, "whoever has it leads from one place to the next");
        return;
    }
    if (!is_below(fetching->url, base) && !may_follow(fetching->url, base)) {
        refuse(fetching, "its URL is none that is followed: https and a public name are needed");
        return;
    }
    char *query = strchr(fetching->url, '?');
    if (query)
        *query++ = '\0';
    int r = provide(fetching, &provider);
    if (r < 0) {
        if (r == -ENOMEM)
            end_for_now(fetching, "it is not fetched yet", "out of memory");
        else
            refuse(fetching, "its URL cannot be asked");
        return;
    }
    fetching->providers[fetching->n_hops++] = provider;
    fetching->call.query = query ?: "";
    fetching->call.provider = provider;
    if (fetching->is_aborted) /* by whoever saw no provider yet */
        fetching->call.is_unwanted = true;
    http_start(&fetching->call);
}

/* --- beginning; on the engine's thread */

/* Returns: its path below the spool's side where what came in is. */
static int spool_path(const struct fetching *fetching, char **ret_path)
{
    const char *name = json_get_text(item_of(fetching), "spool") ?: "";
    const struct config *config = outbox_services(fetching->effect->outbox)->config;

    if (strlen(name) != 32 || strspn(name, "0123456789abcdef") != 32)
        return -EINVAL;
    return asprintf(ret_path, "%s/in/%s", config->whatsapp_spool, name) < 0 ? -ENOMEM : 0;
}

static int copy(struct fetching *fetching)
{
    scoped(free) char *path = NULL, *bytes = malloc(COPY_BYTES);
    int r = bytes ? spool_path(fetching, &path) : -ENOMEM;
    scoped(close) int fd = r < 0 ? r : open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    if (r < 0 || fd < 0)
        return r < 0 ? r : -errno;
    for (;;) {
        ssize_t n = read(fd, bytes, COPY_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        r = media_file_write(fetching->file, bytes, (size_t)n);
        if (r < 0)
            return r;
    }
}

static void copy_and_keep(struct fetching *fetching)
{
    int r = copy(fetching);

    if (r == 0)
        keep(fetching);
    else if (r == -ENOENT || r == -EINVAL)
        refuse(fetching, "the linked device's program does not have it any more");
    else if (r == -EACCES)
        end_for_now(fetching, "WHATSAPP_SPOOL cannot be read", "the daemon has to be of the group agentlocator-baileys");
    else
        judge_failure(fetching, r);
}

static void unspool(struct fetching *fetching)
{
    scoped(free) char *path = NULL;
    int r = spool_path(fetching, &path);

    if (r == 0 && unlink(path) < 0 && errno != ENOENT) {
        end_for_now(fetching, "WHATSAPP_SPOOL cannot be emptied", strerrordesc_np(errno) ?: "unknown error");
        return;
    }
    end(fetching, OUTCOME_GO_ON, "");
}

static void begin_job(struct engine_job *job)
{
    struct fetching *fetching = (struct fetching *)job;
    const struct outbox_services *services = outbox_services(fetching->effect->outbox);

    if (fetching->step == UNSPOOL) {
        unspool(fetching);
        return;
    }
    if (fetching->step == FETCH && !services->fetcher) {
        refuse(fetching, "nothing is fetched while TWILIO_WHATSAPP_NUMBER is not set");
        return;
    }
    int r = media_file_new(services->media, fetching->message.id, fetching->n, fetching->size_max, &fetching->file);
    if (r < 0)
        judge_failure(fetching, r);
    else if (fetching->step == COPY)
        copy_and_keep(fetching);
    else
        ask(fetching);
}

static void perform(struct effect *effect)
{
    struct fetching *fetching = effect->state;
    const struct outbox_services *services = outbox_services(effect->outbox);

    if (services->media && services->engine)
        submit(fetching, begin_job);
    else
        end(fetching, OUTCOME_REJECTED, "media are not kept here");
}

/* --- the effect */

static void release(struct effect *effect)
{
    struct fetching *fetching = effect->state;

    if (!fetching)
        return;
    media_file_free(fetching->file);
    for (unsigned i = 0; i < fetching->n_hops; i++)
        http_provider_free(fetching->providers[i]);
    message_release(&fetching->message);
    free(fetching);
    effect->state = NULL;
}

static uint64_t size_max(const struct fetching *fetching)
{
    enum message_kind kind = fetching->message.kind;

    return media_keep_max(kind == MESSAGE_TEXT ? MESSAGE_DOCUMENT : kind);
}

static int begin(struct db_txn *txn, struct effect *effect, uint64_t now_ms, bool *ret_harmless)
{
    release(effect);
    struct fetching *fetching = effect->state = calloc(1, sizeof(*fetching));
    int r = fetching ? crm_message_by_id(txn, effect->job.message_id, &fetching->message) : -ENOMEM;

    *ret_harmless = true;
    if (r < 0)
        return r;
    int n = crm_media_next(&fetching->message);
    bool is_new = n >= 0;
    if (!is_new)
        n = crm_media_spooled(&fetching->message);
    if (n < 0)
        return 1;
    fetching->effect = effect;
    fetching->n = (unsigned)n;
    fetching->size_max = size_max(fetching);
    fetching->call = (struct http_call){
        .first_byte_ms = ANSWER_MS,
        .stall_ms = ANSWER_MS,
        .total_ms = TOTAL_MS,
        .body_max = fetching->size_max,
        .location = fetching->location,
        .location_size = sizeof(fetching->location),
        .on_bytes = on_bytes,
        .done = answered,
    };
    const char *url = json_get_text(item_of(fetching), "url");
    fetching->step = !is_new ? UNSPOOL : url ? FETCH : COPY;
    if (url && text_set(fetching->url, sizeof(fetching->url), url) != strlen(url))
        fetching->url[0] = '\0'; /* none that is followed */
    return 0;
}

static void abort_it(struct effect *effect)
{
    struct fetching *fetching = effect->state;

    fetching->is_aborted = true;
    if (fetching->call.provider)
        http_abort(&fetching->call);
}

static int settle(struct db_txn *txn, const struct effect *effect, enum verdict verdict, const struct job *job, uint64_t now_ms)
{
    const struct fetching *fetching = effect->state;
    const char *id = effect->job.message_id;
    int r = 0;

    if (verdict == VERDICT_OVER)
        r = crm_media_given_up(txn, id, job->error, now_ms);
    else if (effect->outcome.kind == OUTCOME_GO_ON && fetching->step == UNSPOOL)
        r = crm_media_unspooled(txn, id, fetching->n, now_ms);
    else if (effect->outcome.kind == OUTCOME_GO_ON)
        r = crm_media_fetched(txn, id, fetching->n, &fetching->outcome, now_ms);
    if (r == -ENOENT && fetching && outbox_services(effect->outbox)->media) /* it was erased meanwhile */
        (void)media_store_erase(outbox_services(effect->outbox)->media, id);
    return r < 0 ? r : 0;
}

const struct effect_kind effect_fetch = {
    .rules = { .is_repeatable = true, .back_off_ms = SECOND_MS, .back_off_max_ms = 60 * SECOND_MS, .give_up_ms = 1800 * SECOND_MS },
    .is_kept = false,
    .begin = begin,
    .perform = perform,
    .abort = abort_it,
    .settle = settle,
    .release = release,
};
