#pragma once
/*
 * speech.h - the speech workers: threads that own calls
 *
 * A worker drains the inbound rings of its calls, runs VAD and the dialogue, asks
 * the engines, and fills the outbound rings no more than a second or so ahead of the play-out clock.
 */

#include "models/call.h"
#include "models/turn.h"
#include "services/leg.h"
#include "utils/histogram.h"

struct chat;
struct config;
struct db;
struct profile;
struct speech;
struct stt;
struct tts;

struct speech_options {
    const struct config *config;
    const struct profile *profile;
    struct db *db;
    struct stt *stt; /* used on engine threads */
    struct tts *tts;
    struct chat *chat; /* NULL none */
};

/* Start the workers and engine threads, render the profile's prompts (progress is logged). */
int speech_new(const struct speech_options *options, struct speech **ret_speech);

struct speech_call {
    const char *call_sid, *stream_sid, *contact_id, *from, *contact_name; /* copied */
    const char *known; /* what the CRM knows of the caller, lines; copied; NULL nothing */
    struct loop *loop;
};

/*
 * Begin a call: everything it will need is allocated here, nothing later.
 *
 * Thread: a loop.
 * Errors: -EEXIST the CallSid is live already; -ENOSPC MAX_CALLS; -ESHUTDOWN draining; -EINVAL no CallSid,
 *         or one with other characters than letters and digits (files are named by it); -ENOMEM.
 */
int speech_start_call(struct speech *speech, const struct speech_call *call, struct leg **ret_leg);

/* Whether a call with that CallSid is on a worker, be it only to be written down. Thread: any. */
bool speech_has_call(struct speech *speech, const char *sid);

struct speech_stats {
    uint64_t n_calls_live, n_calls_ever, n_frames_in, n_frames_out, n_dropped_in, n_dropped_out;
    uint64_t n_utterances, n_barge_ins, n_stt_failed, n_tts_failed, n_chat_failed;
    uint64_t n_ended[CALL_N_END];
    struct histogram_sums inbound_fill; /* see session_counters */
    uint64_t delay_ms; /* of the audio of the worker that is furthest behind; see headroom.h */
};
void speech_stats(struct speech *speech, struct speech_stats *ret_stats); /* any thread */

/* Of the callers' turns since the start, by stage; see turn.h. */
struct speech_latencies {
    uint64_t counts[LATENCY_N][LATENCY_BUCKETS], sum_ms[LATENCY_N];
};
void speech_latencies(struct speech *speech, struct speech_latencies *ret_latencies); /* any thread */

/* No new calls. Those that live go on. */
void speech_drain(struct speech *speech);
/*
 * End every call (CALL_END_DRAIN), keep what was heard, join all threads; the store must still be open.
 * Afterwards speech_start_call() fails and legs are still there for the loops to release: so the order is
 * speech_stop(), server_stop(), speech_free(), server_free(), db_close().
 */
void speech_stop(struct speech *speech);
void speech_free(struct speech *speech); /* stops it first */
SCOPED_PTR(struct speech, speech_free)
