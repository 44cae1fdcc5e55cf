/*
 * baileys_feed.c - fetches what the linked device's program has to tell
 *
 *   ask for what comes after the cursor ──> store it, with the new cursor, in one transaction ──> ask again
 *
 * It is asked with patience: the answer comes when there is something. To ask from a number on is to say that all up to
 * it are kept, so it is asked for only when they are on the disk. What fails is done again after a while, from the same
 * number. The thread is one that may wait; it waits for the http client, for the store's writer, or for the next try.
 */
#include "services/whatsapp/baileys.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <json-c/json.h>

#include "db.h"
#include "services/http_client.h"
#include "utils/clock.h"
#include "utils/json.h"
#include "utils/log.h"
#include "utils/text.h"

enum {
    WAIT_S = 25,
    FIRST_BYTE_MS = (WAIT_S + 10) * 1000,
    STALL_MS = 10000,
    CONNECT_MS = 3000,
    BATCH_MAX = 64,
    BODY_MAX = 4 * 1024 * 1024,
    PATIENT_MS = 1000,
    BACK_OFF_MS = 250,
    BACK_OFF_MAX_MS = 10000,
};

struct baileys_feed {
    struct http_call call;
    struct http_provider *events;
    struct db *db;
    const struct crm_reply_rules *rules;
    struct baileys_cursor cursor; /* the thread's, as these are */
    unsigned n_max, back_off_ms;
    bool is_known; /* the cursor was read */
    sem_t answered, stopped;
    pthread_t thread;
    bool is_running;
    _Atomic bool is_stopping;
    pthread_mutex_t lock; /* of: */
    struct baileys_stats stats;
};

struct keeping {
    struct db_op op; /* first */
    const struct crm_reply_rules *rules;
    struct json_object *events;
    struct baileys_cursor cursor;
};

/* --- what the operator is told */

static void set_there(struct baileys_feed *feed, bool is_there, const char *why)
{
    (void)pthread_mutex_lock(&feed->lock);
    bool was_there = feed->stats.is_there;
    feed->stats.is_there = is_there;
    feed->stats.n_failed += !is_there;
    (void)text_set(feed->stats.error, sizeof(feed->stats.error), is_there ? "" : why);
    if (!is_there)
        feed->stats.state[0] = '\0';
    (void)pthread_mutex_unlock(&feed->lock);
    if (was_there && !is_there)
        (void)log_warning(0, "whatsapp: the linked device's program does not answer: %s; it is asked until it does", why);
    else if (!was_there && is_there)
        log_info("whatsapp: the linked device's program answers");
}

static void tell_connection(struct baileys_feed *feed, struct json_object *event)
{
    const char *state = json_get_text(event, "state") ?: "";

    (void)pthread_mutex_lock(&feed->lock);
    (void)text_set(feed->stats.state, sizeof(feed->stats.state), state);
    (void)pthread_mutex_unlock(&feed->lock);
    if (strcmp(state, "banned") == 0 || strcmp(state, "replaced") == 0 || strcmp(state, "logged_out") == 0 || strcmp(state, "broken") == 0)
        (void)log_warning(0, "whatsapp: the device is %.24s: agentlocator whatsapp status says what to do", state);
    else
        log_info("whatsapp: the device is %.24s", state);
}

static void tell_restriction(struct baileys_feed *feed, struct json_object *event)
{
    int64_t until_ms = json_get_int(event, "until");

    (void)pthread_mutex_lock(&feed->lock);
    feed->stats.restricted_until_ms = until_ms > 0 ? (uint64_t)until_ms : 0;
    (void)pthread_mutex_unlock(&feed->lock);
    if (until_ms > 0)
        (void)log_warning(0, "whatsapp: the account is restricted (%.24s): it may write to nobody new for now",
                          json_get_text(event, "kind") ?: "");
    else
        log_info("whatsapp: the account may write to new people (%.24s)", json_get_text(event, "kind") ?: "");
}

static void tell_pair(struct baileys_feed *feed, struct json_object *event)
{
    log_info("whatsapp: a device is being linked");
}

static void tell(struct baileys_feed *feed, struct json_object *events)
{
    static const struct {
        const char *kind;
        void (*tell)(struct baileys_feed *feed, struct json_object *event);
    } kinds[] = { { "connection", tell_connection }, { "restriction", tell_restriction }, { "pair", tell_pair } };

    for (size_t i = 0; i < json_object_array_length(events); i++) {
        struct json_object *event = json_object_array_get_idx(events, i);
        const char *kind = json_object_is_type(event, json_type_object) ? json_get_text(event, "k") ?: "" : "";

        for (size_t j = 0; j < ELEMENTSOF(kinds); j++)
            if (strcmp(kinds[j].kind, kind) == 0)
                kinds[j].tell(feed, event);
    }
    (void)pthread_mutex_lock(&feed->lock);
    feed->stats.n_events += json_object_array_length(events);
    (void)pthread_mutex_unlock(&feed->lock);
}

void baileys_feed_stats(struct baileys_feed *feed, struct baileys_stats *ret_stats)
{
    (void)pthread_mutex_lock(&feed->lock);
    *ret_stats = feed->stats;
    (void)pthread_mutex_unlock(&feed->lock);
}

/* --- a round */

static void answered(struct http_call *call)
{
    struct baileys_feed *feed = (struct baileys_feed *)call;

    sem_post(&feed->answered);
}

static void ask(struct baileys_feed *feed)
{
    char query[160], of[sizeof(feed->cursor.outbox) + 4] = "";

    if (feed->cursor.outbox[0])
        (void)snprintf(of, sizeof(of), "&of=%s", feed->cursor.outbox);
    (void)snprintf(query, sizeof(query), "after=%" PRIu64 "%s&max=%u&wait=%d", feed->cursor.seq, of, feed->n_max, WAIT_S);
    feed->call.query = query;
    http_start(&feed->call);
    while (sem_wait(&feed->answered) < 0)
        continue;
}

static int run_keep(struct db_txn *txn, struct db_op *op)
{
    struct keeping *keeping = (struct keeping *)op;
    int r = 0;

    for (size_t i = 0; r >= 0 && i < json_object_array_length(keeping->events); i++)
        r = baileys_apply(txn, json_object_array_get_idx(keeping->events, i), keeping->rules);
    return r < 0 ? r : baileys_cursor_put(txn, &keeping->cursor);
}

/* Returns: 0 what there was is kept; 1 there was nothing. */
static int keep(struct baileys_feed *feed)
{
    scoped(json_object_put) struct json_object *json = NULL;
    struct keeping keeping = { .op = { .run = run_keep, .what = "what came by WhatsApp" }, .rules = feed->rules };
    int r = json_parse(feed->call.body ?: "", feed->call.n_body, &json);

    keeping.events = r == 0 ? baileys_batch(json, &keeping.cursor) : NULL;
    if (!keeping.events)
        return r == -ENOMEM ? r : -EBADMSG;
    bool is_same = strcmp(keeping.cursor.outbox, feed->cursor.outbox) == 0;
    if (is_same && keeping.cursor.seq == feed->cursor.seq)
        return 1;
    if (is_same && keeping.cursor.seq < feed->cursor.seq)
        return -EBADMSG;
    r = db_write(feed->db, &keeping.op);
    if (r < 0)
        return log_err(r, "what came by WhatsApp cannot be kept; it is tried again");
    feed->cursor = keeping.cursor;
    tell(feed, keeping.events);
    return 0;
}

static int read_cursor(struct baileys_feed *feed)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    int r = feed->is_known ? 0 : db_read_begin(feed->db, &txn);

    if (r == 0 && txn)
        r = baileys_cursor_get(txn, &feed->cursor);
    feed->is_known = r == 0;
    return r;
}

/* What it held is gone, and its numbers begin anew. Returns: 0; or it said so of no number at all. */
static int begin_anew(struct baileys_feed *feed)
{
    if (!feed->cursor.outbox[0])
        return -EBADMSG;
    (void)log_warning(0, "whatsapp: what the linked device's program held for us is gone; we go on with what it has now");
    feed->cursor = (struct baileys_cursor){ 0 };
    return 0;
}

static void note_answer(struct baileys_feed *feed, bool is_answer, int r)
{
    const struct http_call *call = &feed->call;
    char why[BAILEYS_ERROR_MAX] = "";

    if (is_answer && r < 0)
        (void)text_set(why, sizeof(why), "it says what we do not understand");
    else if (call->r == -EREMOTEIO)
        (void)snprintf(why, sizeof(why), "it answers with an error, %u", call->status);
    else if (call->r < 0)
        (void)text_set(why, sizeof(why), call->why);
    set_there(feed, r >= 0, why);
}

/* Returns: 0 go on; or why it has to wait. */
static int round_of(struct baileys_feed *feed)
{
    int r = read_cursor(feed);
    uint64_t asked_ms = clock_mono_ms();

    if (r < 0)
        return log_err(r, "the place up to which WhatsApp's messages are kept cannot be read");
    ask(feed);
    const struct http_call *call = &feed->call;
    bool is_answer = call->r == 0 || (call->r == -EREMOTEIO && call->status == 410);
    r = call->r == 0 ? keep(feed) : is_answer ? begin_anew(feed) : call->r;
    if (!feed->is_stopping && (!is_answer || r == -EBADMSG || r >= 0))
        note_answer(feed, is_answer, r);
    feed->n_max = r >= 0 ? BATCH_MAX : r == -EFBIG && feed->n_max > 1 ? feed->n_max / 2 : feed->n_max;
    if (r <= 0)
        return r;
    return clock_mono_ms() - asked_ms < PATIENT_MS ? -EAGAIN : 0; /* it was to wait until there is something */
}

static void rest(struct baileys_feed *feed)
{
    struct timespec until;

    feed->back_off_ms = feed->back_off_ms ? 2 * feed->back_off_ms : BACK_OFF_MS;
    if (feed->back_off_ms > BACK_OFF_MAX_MS)
        feed->back_off_ms = BACK_OFF_MAX_MS;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += feed->back_off_ms / 1000;
    until.tv_nsec += (long)(feed->back_off_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000)
        until.tv_sec++, until.tv_nsec -= 1000000000;
    while (sem_clockwait(&feed->stopped, CLOCK_MONOTONIC, &until) < 0 && errno == EINTR)
        continue;
}

static void *feed_main(void *arg)
{
    struct baileys_feed *feed = arg;

    (void)pthread_setname_np(pthread_self(), "whatsapp feed");
    while (!feed->is_stopping) {
        int r = round_of(feed);

        free(steal(&feed->call.body));
        if (r == 0)
            feed->back_off_ms = 0;
        else if (!feed->is_stopping)
            rest(feed);
    }
    return NULL;
}

/* --- its life */

int baileys_feed_new(const struct baileys_feed_options *options, struct baileys_feed **ret_feed)
{
    scoped(baileys_feed_free) struct baileys_feed *feed = calloc(1, sizeof(*feed));
    struct http_provider_options provider = { .base_url = "http://baileys", .path = "events", .unix_socket = options->socket,
                                              .connect_ms = CONNECT_MS };

    if (!feed)
        return -ENOMEM;
    (void)pthread_mutex_init(&feed->lock, NULL);
    (void)sem_init(&feed->answered, 0, 0);
    (void)sem_init(&feed->stopped, 0, 0);
    feed->db = options->db;
    feed->rules = options->rules;
    feed->n_max = BATCH_MAX;
    feed->stats.is_there = true; /* until the contrary is known, which is told */
    int r = http_provider_new(options->client, &provider, &feed->events);
    if (r < 0)
        return r;
    feed->call = (struct http_call){ .provider = feed->events, .first_byte_ms = FIRST_BYTE_MS, .stall_ms = STALL_MS,
                                     .total_ms = FIRST_BYTE_MS + STALL_MS, .body_max = BODY_MAX, .done = answered };
    *ret_feed = steal(&feed);
    return 0;
}

int baileys_feed_start(struct baileys_feed *feed)
{
    feed->is_stopping = feed->call.is_unwanted = false;
    feed->is_known = false; /* another process may have gone on from where we were */
    while (sem_trywait(&feed->stopped) == 0)
        continue;
    int r = -pthread_create(&feed->thread, NULL, feed_main, feed);
    feed->is_running = r == 0;
    return r;
}

void baileys_feed_stop(struct baileys_feed *feed)
{
    if (!feed->is_running)
        return;
    feed->is_stopping = true;
    sem_post(&feed->stopped);
    http_abort(&feed->call);
    pthread_join(feed->thread, NULL);
    feed->is_running = false;
}

void baileys_feed_free(struct baileys_feed *feed)
{
    if (!feed)
        return;
    baileys_feed_stop(feed);
    http_provider_free(feed->events);
    sem_destroy(&feed->stopped);
    sem_destroy(&feed->answered);
    pthread_mutex_destroy(&feed->lock);
    free(feed->call.body);
    free(feed);
}
