/*
 * session.c - one call on its speech worker
 *
 *   LIVE     frames are taken from the inbound ring; on the echo line they go out again as they came
 *   ENDED    the leg was told (FRAME_END) and left, the end of the call is in the journal; the
 *            session stays until that is on disk
 */
#include "services/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "services/profile.h"
#include "utils/clock.h"
#include "utils/log.h"

enum {
    NO_MEDIA_MS = 5000, /* a phone sends all the time: silence of the socket means it is dead */
    RETRY_MS = 20,      /* for what the store or the ring had no room for */
};

struct session {
    struct session_env *env;
    struct leg *leg; /* NULL once ended */
    struct journal journal;
    uint64_t began_ms, media_ms; /* the worker's clock */
    uint64_t unix_offset_ms;     /* unix time less the worker's clock */
    uint64_t n_dropped_in, n_dropped_out;
    unsigned n_under_way;        /* engine jobs */
};

int session_new(struct session_env *env, const struct speech_call *call, struct leg *leg, struct session **ret_session)
{
    struct session *session = calloc(1, sizeof(*session));
    if (!session)
        return -ENOMEM;

    session->env = env;
    session->leg = leg;
    journal_init(&session->journal, env->journal, call->call_sid, call->contact_id);
    *ret_session = session;
    return 0;
}

void session_free(struct session *session)
{
    if (!session)
        return;
    if (session->leg)
        leg_leave(session->leg);
    free(session);
}

void session_begin(struct session *session, uint64_t now_ms)
{
    session->began_ms = session->media_ms = now_ms;
    session->unix_offset_ms = clock_real_ms() - now_ms;
    log_call(LOG_INFO, session->journal.sid, "call began");
}

static void count_dropped(struct session *session)
{
    uint64_t in = leg_dropped_in(session->leg), out = leg_dropped_out(session->leg);

    session_count(&session->env->counters.n_dropped_in, in - session->n_dropped_in);
    session_count(&session->env->counters.n_dropped_out, out - session->n_dropped_out);
    session->n_dropped_in = in;
    session->n_dropped_out = out;
}

void session_end(struct session *session, uint64_t now_ms, enum call_end end)
{
    if (!session->leg)
        return;

    struct frame *frame = leg_outbound_slot(session->leg, FRAME_END);
    if (frame) { /* else the loop is so far behind that it will drop the peer by itself */
        frame->n = 1;
        frame->bytes[0] = (uint8_t)end;
        leg_outbound_commit(session->leg);
        leg_outbound_flush(session->leg);
    }
    count_dropped(session);
    log_call(LOG_INFO, session->journal.sid, "call ended: %s after %.1f s, %llu frames lost", call_end_name(end),
             (double)(now_ms - session->began_ms) / 1000,
             (unsigned long long)(session->n_dropped_in + session->n_dropped_out));
    leg_leave(steal(&session->leg));
    journal_end(&session->journal, end, now_ms + session->unix_offset_ms);
}

static void echo(struct session *session, const struct frame *frame)
{
    struct frame *out = leg_outbound_slot(session->leg, FRAME_AUDIO);

    if (!out)
        return;
    *out = *frame;
    leg_outbound_commit(session->leg);
    session_count(&session->env->counters.n_frames_out, 1);
}

/* No more than what waits now, so that a flood on one call does not hold up the others. */
static void drain(struct session *session, uint64_t now_ms)
{
    for (size_t n = leg_inbound_n(session->leg); n; n--, leg_inbound_pop(session->leg)) {
        const struct frame *frame = leg_inbound_peek(session->leg);

        if (frame->kind != FRAME_AUDIO)
            continue;
        session->media_ms = now_ms;
        session_count(&session->env->counters.n_frames_in, 1);
        echo(session, frame);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t run_live(struct session *session, uint64_t now_ms)
{
    uint64_t too_long_ms = session->began_ms + session->env->config->call_max_s * 1000;
    int end, is_released = leg_released(session->leg, &end); /* first: what came before it is then in the ring */

    drain(session, now_ms);
    count_dropped(session);
    leg_outbound_flush(session->leg);

    if (is_released)
        session_end(session, now_ms, end);
    else if (now_ms - session->media_ms >= NO_MEDIA_MS)
        session_end(session, now_ms, CALL_END_NO_MEDIA);
    else if (now_ms >= too_long_ms)
        session_end(session, now_ms, CALL_END_TOO_LONG);
    return earlier(session->media_ms + NO_MEDIA_MS, too_long_ms);
}

uint64_t session_run(struct session *session, uint64_t now_ms)
{
    uint64_t deadline_ms = UINT64_MAX;

    if (session->leg)
        deadline_ms = run_live(session, now_ms);
    if (!journal_flush(&session->journal))
        deadline_ms = earlier(deadline_ms, now_ms + RETRY_MS);
    return deadline_ms;
}

bool session_is_over(const struct session *session)
{
    return !session->leg && !session->n_under_way && journal_at_rest(&session->journal);
}
