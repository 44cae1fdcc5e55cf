/*
 * keeper.c - the thread that forgets
 *
 *   wake, each hour, or RETRY_S after something failed ─> erasures, step by step ─> what is old, each hour ─> the trash
 *   ─> what the linked device's program still holds of who was erased, and again after 1, 2, 4 ... OWED_MAX_MS if it is away
 *
 * Each step is a write that it waits for. Then it rests as long as the step took, so that of the writer's time at least
 * half is for calls.
 */
#include "services/keeper.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "config.h"
#include "services/crm_erase.h"
#include "services/crm_owed.h"
#include "services/crm_retention.h"
#include "services/trash.h"
#include "services/whatsapp/provider.h"
#include "utils/clock.h"
#include "utils/log.h"

enum { RETRY_S = 30, FORGET_EVERY_S = 3600, OWED_MIN_MS = 1000, OWED_MAX_MS = 60000 };

struct keeper {
    struct keeper_options options;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool is_running, is_stopping, has_work, must_forget; /* the last three: under mutex */
    uint64_t forget_ms;                                  /* when the next hour is over; the thread's, as is: */
    uint64_t owed_wait_ms;                               /* until what is owed is tried again; 0 nothing has to be */
};

/* Until it is woken, or so long. Returns: false when it is to end. */
static bool rest(struct keeper *keeper, uint64_t ms, bool until_woken)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&keeper->mutex);
    int r = 0;
    while (!keeper->is_stopping && !(until_woken && keeper->has_work) && r == 0)
        r = pthread_cond_timedwait(&keeper->cond, &keeper->mutex, &until);
    if (until_woken)
        keeper->has_work = false;
    bool goes_on = !keeper->is_stopping;
    pthread_mutex_unlock(&keeper->mutex);
    return goes_on;
}

struct erasing {
    struct db_op op; /* first */
    char receipt[CONTACT_ID_MAX];
};

/* Returns: 1 there was something to do; 0. */
static int run_erase(struct db_txn *txn, struct db_op *op)
{
    struct erasing *erasing = (struct erasing *)op;
    int r = crm_erase_under_way(txn, erasing->receipt);

    if (r == 1)
        r = crm_erase_step(txn, erasing->receipt, clock_real_ms());
    else
        return r;
    return r < 0 ? r : 1;
}

static int erase(struct keeper *keeper)
{
    struct erasing erasing = { .op = { .run = run_erase, .what = "erasing" } };
    uint64_t began_ms;
    int r;

    do {
        began_ms = clock_mono_ms();
        r = db_write(keeper->options.db, &erasing.op);
    } while (r == 1 && rest(keeper, clock_mono_ms() - began_ms, false));
    if (r < 0)
        (void)log_err(r, "what is to be erased cannot be (receipt %s); it is tried again", erasing.receipt);
    return r;
}

static bool is_time_to_forget(struct keeper *keeper)
{
    pthread_mutex_lock(&keeper->mutex);
    bool must_forget = keeper->must_forget || clock_mono_ms() >= keeper->forget_ms;
    keeper->must_forget = false;
    pthread_mutex_unlock(&keeper->mutex);
    return must_forget;
}

static bool go_on(void *arg, uint64_t took_ms)
{
    return rest(arg, took_ms, false);
}

static int forget(struct keeper *keeper)
{
    struct crm_retention retention = { .now_ms = clock_real_ms(), .go_on = go_on, .arg = keeper };
    uint64_t n[RETAIN_N_KINDS], sum = 0;

    if (!is_time_to_forget(keeper))
        return 0;
    keeper->forget_ms = clock_mono_ms() + FORGET_EVERY_S * 1000;
    retention_days(keeper->options.config, retention.days);
    int r = crm_retention_run(keeper->options.db, &retention, n);
    for (int i = 0; i < RETAIN_N_KINDS; i++)
        sum += n[i];
    if (r < 0)
        (void)log_err(r, "what is kept long enough cannot be forgotten; it is tried again");
    if (sum)
        log_info("forgot, for their age: the sound of %" PRIu64 " calls, the files of %" PRIu64 " messages, %" PRIu64 " messages, %" PRIu64
                 " calls, %" PRIu64 " contacts", n[RETAIN_AUDIO], n[RETAIN_MEDIA], n[RETAIN_MESSAGES], n[RETAIN_CALLS], n[RETAIN_CONTACTS]);
    return r;
}

struct settling {
    struct db_op op; /* first */
    struct crm_owed owed;
};

static int run_settle(struct db_txn *txn, struct db_op *op)
{
    return crm_erase_settle(txn, &((struct settling *)op)->owed, clock_real_ms());
}

static int next_owed(struct db *db, struct crm_owed *owed)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    int r = db_read_begin(db, &txn);

    return r < 0 ? r : crm_owed_next(txn, owed);
}

/* One that is refused does not keep back the others. Returns: -errno of the first that is still owed. */
static int settle_all(struct keeper *keeper)
{
    struct settling settling = { .op = { .run = run_settle, .what = "who is forgotten elsewhere" } };
    struct db *db = keeper->options.db;
    int r, failed = 0;

    while ((r = next_owed(db, &settling.owed)) == 1 && rest(keeper, 0, false)) {
        r = whatsapp_forget(*keeper->options.whatsapp, settling.owed.address, settling.owed.before_ms);
        if (r == 0)
            r = db_write(db, &settling.op);
        failed = failed ?: r;
        if (r < 0 && r != -EREMOTEIO)
            break;
    }
    return failed ?: r < 0 ? r : 0;
}

static void settle(struct keeper *keeper)
{
    int r = keeper->options.whatsapp ? settle_all(keeper) : 0;

    if (r >= 0 || r == -EOPNOTSUPP || r == -ECANCELED) {
        keeper->owed_wait_ms = r == -ECANCELED ? OWED_MIN_MS : 0;
        return;
    }
    if (!keeper->owed_wait_ms)
        (void)log_warning(r, "the linked device's program does not forget who was erased; it is asked until it does, see agentlocator erasures");
    keeper->owed_wait_ms = keeper->owed_wait_ms ? 2 * keeper->owed_wait_ms : OWED_MIN_MS;
    if (keeper->owed_wait_ms > OWED_MAX_MS)
        keeper->owed_wait_ms = OWED_MAX_MS;
}

/* Until something is due again. */
static uint64_t idle_ms(const struct keeper *keeper, int r)
{
    uint64_t ms = r < 0 ? RETRY_S * 1000 : FORGET_EVERY_S * 1000;

    return keeper->owed_wait_ms && keeper->owed_wait_ms < ms ? keeper->owed_wait_ms : ms;
}

static void *keeper_main(void *arg)
{
    struct keeper *keeper = arg;
    int r;

    do {
        r = erase(keeper);
        int forgotten = forget(keeper);
        int deleted = trash_empty(keeper->options.db, keeper->options.config->state_dir, keeper->options.media);
        if (deleted < 0)
            (void)log_err(deleted, "files below STATE_DIR that are to be deleted cannot be; it is tried again");
        else if (deleted > 0)
            log_info("deleted the files of %d calls and messages", deleted);
        settle(keeper);
        r = r < 0 ? r : forgotten < 0 ? forgotten : deleted;
    } while (rest(keeper, idle_ms(keeper, r), true));
    return NULL;
}

static int init_locks(struct keeper *keeper)
{
    pthread_condattr_t attr;
    int r = pthread_mutex_init(&keeper->mutex, NULL);

    if (r == 0)
        r = pthread_condattr_init(&attr);
    if (r)
        return -r;
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    r = pthread_cond_init(&keeper->cond, &attr);
    pthread_condattr_destroy(&attr);
    return -r;
}

int keeper_new(const struct keeper_options *options, struct keeper **ret_keeper)
{
    struct keeper *keeper = calloc(1, sizeof(*keeper));
    int r = keeper ? init_locks(keeper) : -ENOMEM;

    if (r < 0) {
        free(keeper);
        return r;
    }
    keeper->options = *options;
    *ret_keeper = keeper;
    return 0;
}

int keeper_start(struct keeper *keeper)
{
    keeper->is_stopping = false;
    int r = -pthread_create(&keeper->thread, NULL, keeper_main, keeper);
    keeper->is_running = r == 0;
    if (r == 0)
        (void)pthread_setname_np(keeper->thread, "keeper");
    return r;
}

void keeper_stop(struct keeper *keeper)
{
    if (!keeper || !keeper->is_running)
        return;
    pthread_mutex_lock(&keeper->mutex);
    keeper->is_stopping = true;
    pthread_cond_signal(&keeper->cond);
    pthread_mutex_unlock(&keeper->mutex);
    pthread_join(keeper->thread, NULL);
    keeper->is_running = false;
}

void keeper_free(struct keeper *keeper)
{
    if (!keeper)
        return;
    keeper_stop(keeper);
    pthread_cond_destroy(&keeper->cond);
    pthread_mutex_destroy(&keeper->mutex);
    free(keeper);
}

static void wake(struct keeper *keeper, bool must_forget)
{
    if (!keeper)
        return;
    pthread_mutex_lock(&keeper->mutex);
    keeper->has_work = true;
    keeper->must_forget |= must_forget;
    pthread_cond_signal(&keeper->cond);
    pthread_mutex_unlock(&keeper->mutex);
}

void keeper_forget(struct keeper *keeper)
{
    wake(keeper, true);
}

void keeper_wake(struct keeper *keeper)
{
    wake(keeper, false);
}
