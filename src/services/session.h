#pragma once
/*
 * session.h - one call on its speech worker
 *
 * Everything a call needs is made with it; while it lives, it allocates nothing. What runs elsewhere for it
 * (engine jobs, writes) is counted, and the session is not freed before the last of it came home: a result that
 * comes late finds the session, and what it is for is named by the number of a say or an utterance.
 */

#include "services/headroom.h"
#include "services/journal.h"
#include "services/speech.h"
#include "utils/histogram.h"

/* Written by one worker each; read by anybody. */
struct session_counters {
    _Atomic uint64_t n_frames_in, n_frames_out, n_dropped_in, n_dropped_out;
    _Atomic uint64_t n_utterances, n_barge_ins, n_stt_failed, n_tts_failed, n_chat_failed;
    _Atomic uint64_t n_ended[CALL_N_END];
    struct histogram inbound_fill; /* of a call's ring when it is looked at and something waits; histogram_percent */
    _Atomic uint64_t latency[LATENCY_N][LATENCY_BUCKETS], latency_sum_ms[LATENCY_N]; /* of the callers' turns */
};

static inline void session_count(_Atomic uint64_t *counter, uint64_t n)
{
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);

    atomic_store_explicit(counter, now + n, memory_order_relaxed);
}

/* What the calls of one worker share; used on its thread. */
struct session_env {
    const struct config *config;
    const struct profile *profile;
    struct clip *const *prompts; /* the profile's, in its order; NULL what is not fixed */
    const struct stt *stt;
    struct journal_pool *journal;
    struct errand_pool *errands;      /* these two: not on the echo line */
    struct utterance_pool *utterances;
    struct session_scratch *scratch;
    struct chat_pool *chat;          /* NULL: the script answers */
    const struct agent_tools *tools; /* of the chat model */
    struct session_counters counters;
    struct headroom headroom;
};

struct session;

/* It will be looked at: fetch what that touches, first this, then that. */
void session_soon(const struct session *session);
void session_sooner(const struct session *session);

/* Takes the worker's reference of the leg. Thread: any, for these two; all below: the worker. */
int session_new(struct session_env *env, const struct speech_call *call, struct leg *leg, struct session **ret_session);
void session_on_news(struct session *session, void (*fn)(void *user), void *user); /* it is to be run: something came for it */
void session_free(struct session *session);

void session_begin(struct session *session, uint64_t now_ms);

/* Look at everything that came, do what is due. Returns: when to look again, UINT64_MAX when only on a wake-up. */
uint64_t session_run(struct session *session, uint64_t now_ms);

/*
 * End it from our side, for a reason that is not the dialogue's. To be repeated until it is over: a call whose
 * journal is full ends later.
 */
void session_end(struct session *session, uint64_t now_ms, enum call_end end);

/* Nothing of it is left to be done: it may be freed. */
bool session_is_over(const struct session *session);
