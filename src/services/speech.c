/*
 * speech.c - the speech workers: threads that own calls
 *
 * A worker's round: arm the bell, run what was posted (new calls, results, the word of a leg that frames wait), look at
 * the calls that had any of it or are due, sleep until the earliest deadline or the bell. The more calls a worker has the
 * longer it is from the beginning of one round to that of the next, so that its rounds do not grow with the calls: one
 * call is served at once, forty every 2 ms. A loop rings when its turn is over, and what the turn brought is then all
 * there; so does the worker, when its round is.
 *
 * A line is a call of a worker: made on the loop, in the table of live CallSids (under the lock) from then until its
 * session is over, in its worker's list from the worker's next round on.
 */
#include "services/speech.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "config.h"
#include "services/agent_tools.h"
#include "services/chat.h"
#include "services/conversation.h"
#include "services/engine.h"
#include "services/errand.h"
#include "services/profile.h"
#include "services/prompts.h"
#include "services/session.h"
#include "services/utterance.h"
#include "utils/clock.h"
#include "utils/log.h"

enum {
    FRAME_MS = 20,
    OUTBOUND_FRAMES = 32, /* two payloads of the play-out */
    GATHER_US_PER_CALL = 50,
    GATHER_MIN_US = 1000, /* below that it is not worth a system call */
    GATHER_MAX_US = 2000,
    /* the pools of a worker, for each of its calls and in any case; memory is touched only as it is used */
    NOTES_PER_CALL = 2,
    NOTES_MIN = 4 * JOURNAL_BATCH,
    ERRANDS_PER_CALL = 6, /* a reply's sentences are all asked for as they come */
    ERRANDS_MIN = 16,
    ROUNDS_SPARE = 8, /* of those given up, which take a moment to come home */
    CHUNKS_PER_CALL = 8, /* 4 s */
    CHUNKS_MIN = 2 * UTTERANCE_MAX / UTTERANCE_CHUNK,
    QUEUE_PER_THREAD = 64, /* of an engine: at 60 ms each about the 4 s that a caller may be kept waiting */
};

struct line {
    struct inbox_item start; /* first: how it comes to its worker */
    struct worker *worker;
    struct session *session;
    size_t seat;              /* among the worker's */
    struct line *next_in_slot; /* the table's */
    char sid[SID_MAX];
};

/* A call of a worker and when it is to be looked at, for as many as there are side by side. */
struct seat {
    uint64_t due_ms; /* 0: now */
    struct line *line;
    struct session *session; /* of the line: to be fetched before the line is looked at */
};

struct worker {
    struct speech *speech;
    pthread_t thread;
    bool is_running;
    struct inbox *inbox;
    struct bells bells; /* of the loops that a round has news for */
    struct session_env env;
    struct seat *seats;
    size_t n_seats;
    _Atomic unsigned n_lines; /* from its making on; written under the lock */
};

struct speech {
    struct speech_options options;
    struct engine *engine; /* this and the prompts: not on the echo line */
    struct clip **prompts;
    struct agent_tools *tools; /* NULL: no chat model */
    pthread_mutex_t lock; /* of what follows; held for a few instructions */
    bool is_draining;
    size_t n_live, n_live_max;
    uint64_t n_ever;
    size_t n_slots; /* a power of two */
    struct line **slots;

    _Atomic bool is_stopping;
    unsigned n_workers;
    struct worker workers[];
};

/* --- the table of live calls; under the lock */

static struct line **slot_of(struct speech *speech, const char *sid)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */

    for (const char *p = sid; *p; p++)
        hash = (hash ^ (uint8_t)*p) * 1099511628211u;
    return &speech->slots[hash & (speech->n_slots - 1)];
}

static bool is_live(struct speech *speech, const char *sid)
{
    for (const struct line *line = *slot_of(speech, sid); line; line = line->next_in_slot)
        if (strcmp(line->sid, sid) == 0)
            return true;
    return false;
}

static void enter(struct speech *speech, struct line *line)
{
    struct line **slot = slot_of(speech, line->sid);

    line->next_in_slot = *slot;
    *slot = line;
    line->worker->n_lines++;
    speech->n_live++;
    speech->n_ever++;
}

static void leave(struct speech *speech, struct line *line)
{
    struct line **at = slot_of(speech, line->sid);

    while (*at != line)
        at = &(*at)->next_in_slot;
    *at = line->next_in_slot;
    line->worker->n_lines--;
    speech->n_live--;
}

static struct worker *least_loaded(struct speech *speech)
{
    struct worker *least = &speech->workers[0];

    for (unsigned i = 1; i < speech->n_workers; i++)
        if (speech->workers[i].n_lines < least->n_lines)
            least = &speech->workers[i];
    return least;
}

/* --- the worker's thread */

static void line_start(struct inbox_item *item)
{
    struct line *line = (struct line *)item;
    struct worker *worker = line->worker;

    line->seat = worker->n_seats++;
    worker->seats[line->seat] = (struct seat){ 0, line, line->session };
    session_begin(line->session, clock_mono_ms());
}

static void line_has_news(void *user)
{
    struct line *line = user;

    line->worker->seats[line->seat].due_ms = 0;
}

static void line_free(struct line *line)
{
    session_free(line->session);
    free(line);
}

static void line_end(struct line *line)
{
    struct worker *worker = line->worker;
    struct seat *seat = &worker->seats[line->seat];

    *seat = worker->seats[--worker->n_seats];
    seat->line->seat = line->seat;
    pthread_mutex_lock(&worker->speech->lock);
    leave(worker->speech, line);
    pthread_mutex_unlock(&worker->speech->lock);
    line_free(line);
}

/* What the looks after the one at seat i will touch: after 20 ms it is far from the processor. */
static void fetch(const struct worker *worker, size_t i, uint64_t now_ms)
{
    const struct seat *seat = &worker->seats[i];

    if (i > 2)
        __builtin_prefetch(seat[-3].session);
    if (i > 1 && seat[-2].due_ms <= now_ms)
        session_soon(seat[-2].session);
    if (i > 0 && seat[-1].due_ms <= now_ms)
        session_sooner(seat[-1].session);
}

/* Returns when the next look is due. */
static uint64_t look_at_lines(struct worker *worker, uint64_t now_ms, bool stop)
{
    uint64_t deadline_ms = UINT64_MAX;

    for (size_t i = worker->n_seats; i-- > 0;) { /* backwards: the last takes the seat of one that ends */
        struct seat *seat = &worker->seats[i];

        fetch(worker, i, now_ms);
        if (stop || seat->due_ms <= now_ms) {
            if (stop)
                session_end(seat->session, now_ms, CALL_END_DRAIN);
            seat->due_ms = session_run(seat->session, now_ms);
            if (session_is_over(seat->session)) {
                line_end(seat->line);
                continue;
            }
        }
        if (seat->due_ms < deadline_ms)
            deadline_ms = seat->due_ms;
    }
    return deadline_ms;
}

/* Until so long after the last round began. */
static void gather(const struct worker *worker, uint64_t round_us)
{
    uint64_t us = (uint64_t)worker->n_lines * GATHER_US_PER_CALL;

    if (us < GATHER_MIN_US)
        return;
    round_us += us < GATHER_MAX_US ? us : GATHER_MAX_US;
    if (clock_mono_us() < round_us)
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME,
                              &(struct timespec){ (time_t)(round_us / 1000000), (long)(round_us % 1000000) * 1000 }, NULL);
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;

    (void)pthread_setname_np(pthread_self(), "speech");
    for (;;) {
        /* read before the inbox: once it is set no line is posted any more */
        bool stop = atomic_load(&worker->speech->is_stopping);

        inbox_arm(worker->inbox);
        inbox_run(worker->inbox);

        uint64_t round_us = clock_mono_us(), now_ms = round_us / 1000;
        uint64_t deadline_ms = look_at_lines(worker, now_ms, stop);
        bells_ring(&worker->bells);
        headroom_round(&worker->env.headroom, now_ms, worker->n_lines);
        if (stop && !worker->n_seats && (!worker->env.chat || chat_pool_is_home(worker->env.chat)))
            return NULL;

        uint64_t wait_ms = deadline_ms == UINT64_MAX ? UINT64_MAX : deadline_ms > now_ms ? deadline_ms - now_ms : 0;
        if (inbox_wait(worker->inbox, wait_ms))
            gather(worker, round_us);
    }
}

/* What only conversations need. */
static int worker_equip(struct worker *worker, size_t n_calls)
{
    const struct speech_options *options = &worker->speech->options;
    struct session_env *env = &worker->env;
    struct errand_options errands = {
        .engine = worker->speech->engine,
        .inbox = worker->inbox,
        .stt = options->stt,
        .tts = options->tts,
        .language = options->profile->language,
        .state_dir = options->config->state_dir,
    };

    env->stt = options->stt;
    env->prompts = worker->speech->prompts;
    int r = errand_pool_new(&errands, ERRANDS_PER_CALL * n_calls + ERRANDS_MIN, &env->errands);
    if (r == 0)
        r = utterance_pool_new(CHUNKS_PER_CALL * n_calls + CHUNKS_MIN, &env->utterances);
    if (r == 0 && worker->speech->tools)
        r = chat_pool_new(options->chat, worker->inbox, n_calls + ROUNDS_SPARE, &env->chat);
    env->tools = worker->speech->tools;
    return r < 0 ? r : conversation_scratch_new(&env->scratch);
}

static int worker_start(struct worker *worker, struct speech *speech)
{
    const struct speech_options *options = &speech->options;
    size_t n_calls = speech->n_live_max / speech->n_workers + 1;

    worker->speech = speech;
    worker->env.config = options->config;
    worker->env.profile = options->profile;
    worker->seats = calloc(speech->n_live_max, sizeof(worker->seats[0])); /* loops that choose at once may choose the same */
    int r = worker->seats ? inbox_new(&worker->inbox) : -ENOMEM;
    if (r == 0)
        r = journal_pool_new(options->db, worker->inbox, NOTES_PER_CALL * n_calls + NOTES_MIN, &worker->env.journal);
    if (r == 0 && options->chat)
        journal_pool_sum_up(worker->env.journal);
    if (r == 0 && speech->engine)
        r = worker_equip(worker, n_calls);
    if (r == 0)
        r = -pthread_create(&worker->thread, NULL, worker_main, worker);
    worker->is_running = r == 0;
    return r;
}

/* --- for the others */

static size_t power_of_two(size_t n)
{
    size_t power = 16;

    while (power < n)
        power *= 2;
    return power;
}

static int engines_start(struct speech *speech)
{
    const struct speech_options *options = &speech->options;
    unsigned n_threads = (unsigned)options->config->engine_threads;

    int r = engine_new(n_threads, QUEUE_PER_THREAD * n_threads, &speech->engine);
    if (r < 0)
        return log_err(r, "cannot start the engine threads");
    return prompts_render(speech->engine, options->tts, options->profile, &speech->prompts);
}

/* What a chat model may do: what there is somebody, or something, for. */
static int tools_start(struct speech *speech)
{
    const struct speech_options *options = &speech->options;
    struct agent_tools_options tools = {
        .profile = options->profile,
        .country = options->config->default_country,
        .can_transfer = options->config->human_number,
        .can_message = options->config->twilio_whatsapp_number,
    };

    if (!options->chat || !options->profile->has_chat)
        return 0;
    int r = agent_tools_new(&tools, &speech->tools);
    return r < 0 ? log_err(r, "cannot prepare the tools of the chat model") : 0;
}

int speech_new(const struct speech_options *options, struct speech **ret_speech)
{
    unsigned n_workers = (unsigned)options->config->speech_workers;
    scoped(speech_free) struct speech *speech = calloc(1, sizeof(*speech) + n_workers * sizeof(speech->workers[0]));
    if (!speech)
        return -ENOMEM;

    pthread_mutex_init(&speech->lock, NULL);
    speech->options = *options;
    speech->n_live_max = options->config->max_calls;
    speech->n_slots = power_of_two(speech->n_live_max);
    speech->slots = calloc(speech->n_slots, sizeof(struct line *));
    speech->n_workers = n_workers;
    if (!speech->slots)
        return -ENOMEM;

    int r = options->profile->mode == PROFILE_ECHO ? 0 : engines_start(speech);
    if (r == 0)
        r = tools_start(speech);
    if (r < 0)
        return r;
    for (unsigned i = 0; i < n_workers; i++) {
        r = worker_start(&speech->workers[i], speech);
        if (r < 0)
            return log_err(r, "cannot start a speech worker");
    }
    *ret_speech = steal(&speech);
    return 0;
}

/* Under the lock. */
static int refusal(struct speech *speech, const char *sid)
{
    if (speech->is_draining)
        return -ESHUTDOWN;
    if (is_live(speech, sid))
        return -EEXIST;
    return speech->n_live < speech->n_live_max ? 0 : -ENOSPC;
}

/* A voice waits for room; an echo cannot, so what comes in must fit on its way out. */
static size_t n_outbound(const struct worker *worker, size_t n_inbound)
{
    return worker->env.profile->mode == PROFILE_ECHO ? n_inbound : OUTBOUND_FRAMES;
}

static int line_new(struct worker *worker, const struct speech_call *call, struct leg **ret_leg, struct line **ret_line)
{
    size_t n_inbound = power_of_two(worker->env.config->ring_ms / FRAME_MS);
    struct leg_options options = {
        .n_inbound = n_inbound,
        .n_outbound = n_outbound(worker, n_inbound),
        .loop = call->loop,
        .inbox = worker->inbox,
        .bells = &worker->bells,
    };
    struct line *line = calloc(1, sizeof(*line));
    if (!line)
        return -ENOMEM;

    line->start.run = line_start;
    line->worker = worker;
    strncpy(line->sid, call->call_sid, sizeof(line->sid) - 1);
    int r = leg_new(&options, ret_leg);
    if (r == 0) {
        r = session_new(&worker->env, call, *ret_leg, &line->session);
        if (r < 0) {
            leg_leave(*ret_leg);
            leg_release(*ret_leg, CALL_END_NONE);
        }
    }
    if (r < 0) {
        free(line);
        return r;
    }
    session_on_news(line->session, line_has_news, line);
    *ret_line = line;
    return 0;
}

int speech_start_call(struct speech *speech, const struct speech_call *call, struct leg **ret_leg)
{
    struct line *line = NULL;
    struct leg *leg = NULL;

    if (!call_sid_is_plain(call->call_sid))
        return -EINVAL;

    pthread_mutex_lock(&speech->lock);
    int r = refusal(speech, call->call_sid);
    struct worker *worker = least_loaded(speech);
    pthread_mutex_unlock(&speech->lock);
    if (r == 0)
        r = line_new(worker, call, &leg, &line);
    if (r < 0)
        return r;

    /* again: another loop may have been faster. Posted under the lock: none is posted after speech_stop() */
    pthread_mutex_lock(&speech->lock);
    r = refusal(speech, call->call_sid);
    if (r == 0) {
        enter(speech, line);
        inbox_post(worker->inbox, &line->start);
    }
    pthread_mutex_unlock(&speech->lock);
    if (r < 0) {
        line_free(line);
        leg_release(leg, CALL_END_NONE);
        return r;
    }
    *ret_leg = leg;
    return 0;
}

bool speech_has_call(struct speech *speech, const char *sid)
{
    pthread_mutex_lock(&speech->lock);
    bool has = is_live(speech, sid);
    pthread_mutex_unlock(&speech->lock);
    return has;
}

void speech_stats(struct speech *speech, struct speech_stats *ret_stats)
{
    struct speech_stats stats = { 0 };
    uint64_t now_ms = clock_mono_ms();

    pthread_mutex_lock(&speech->lock);
    stats.n_calls_live = speech->n_live;
    stats.n_calls_ever = speech->n_ever;
    pthread_mutex_unlock(&speech->lock);
    for (unsigned i = 0; i < speech->n_workers; i++) {
        const struct session_counters *counters = &speech->workers[i].env.counters;

        stats.n_frames_in += counters->n_frames_in;
        stats.n_frames_out += counters->n_frames_out;
        stats.n_dropped_in += counters->n_dropped_in;
        stats.n_dropped_out += counters->n_dropped_out;
        stats.n_utterances += counters->n_utterances;
        stats.n_barge_ins += counters->n_barge_ins;
        stats.n_stt_failed += counters->n_stt_failed;
        stats.n_tts_failed += counters->n_tts_failed;
        stats.n_chat_failed += counters->n_chat_failed;
        for (int end = 0; end < CALL_N_END; end++)
            stats.n_ended[end] += counters->n_ended[end];
        histogram_sum(&counters->inbound_fill, &stats.inbound_fill);

        uint64_t delay_ms = headroom_delay_ms(&speech->workers[i].env.headroom, now_ms);
        stats.delay_ms = delay_ms > stats.delay_ms ? delay_ms : stats.delay_ms;
    }
    *ret_stats = stats;
}

void speech_latencies(struct speech *speech, struct speech_latencies *ret_latencies)
{
    *ret_latencies = (struct speech_latencies){ 0 };
    for (unsigned i = 0; i < speech->n_workers; i++)
        for (int stage = 0; stage < LATENCY_N; stage++) {
            const struct session_counters *counters = &speech->workers[i].env.counters;

            ret_latencies->sum_ms[stage] += counters->latency_sum_ms[stage];
            for (int bucket = 0; bucket < LATENCY_BUCKETS; bucket++)
                ret_latencies->counts[stage][bucket] += counters->latency[stage][bucket];
        }
}

void speech_drain(struct speech *speech)
{
    pthread_mutex_lock(&speech->lock);
    speech->is_draining = true;
    pthread_mutex_unlock(&speech->lock);
}

void speech_stop(struct speech *speech)
{
    speech_drain(speech);
    atomic_store(&speech->is_stopping, true);
    for (unsigned i = 0; i < speech->n_workers; i++) {
        struct worker *worker = &speech->workers[i];

        if (!worker->is_running)
            continue;
        inbox_ring(worker->inbox);
        pthread_join(worker->thread, NULL);
        worker->is_running = false;
    }
}

static void worker_done(struct worker *worker)
{
    conversation_scratch_free(worker->env.scratch);
    chat_pool_free(worker->env.chat);
    utterance_pool_free(worker->env.utterances);
    errand_pool_free(worker->env.errands);
    journal_pool_free(worker->env.journal);
    if (worker->inbox) {
        (void)inbox_run(worker->inbox); /* what legs posted since, to nobody */
        inbox_unref(worker->inbox);
    }
    free(worker->seats);
}

void speech_free(struct speech *speech)
{
    if (!speech)
        return;
    speech_stop(speech);
    engine_free(speech->engine);
    prompts_free(speech->options.profile, speech->prompts);
    for (unsigned i = 0; i < speech->n_workers; i++)
        worker_done(&speech->workers[i]);
    agent_tools_free(speech->tools);
    free(speech->slots);
    pthread_mutex_destroy(&speech->lock);
    free(speech);
}
