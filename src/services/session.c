/*
 * session.c - one call on its speech worker
 *
 *   live     frames are taken from the inbound ring; on the echo line they go out again as they came, else they
 *            are the conversation's
 *   ending   a conversation was told to hang up, and saves what it still can
 *   ended    leg is NULL: it was told (FRAME_END) and left; the end of the call is in the journal, and the
 *            session stays until that is on disk and nothing runs for it elsewhere; on a full disk for a minute
 *
 * A conversation whose journal has no room stands still, frames and all, until there is: what the dialogue
 * decides can then always be written down.
 */
#include "services/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "services/conversation.h"
#include "services/profile.h"
#include "utils/clock.h"
#include "utils/log.h"

enum {
    NO_MEDIA_MS = 5000, /* a phone sends all the time: silence of the socket means it is dead */
    RETRY_MS = 20,      /* for what the store or the ring had no room for */
    END_AGAIN_MS = 1000, /* for an end that the disk had no room for */
};

struct session {
    struct session_env *env;
    struct leg *leg; /* NULL once ended */
    struct journal journal;
    uint64_t began_ms, media_ms; /* the worker's clock */
    uint64_t end_again_ms;
    uint64_t unix_offset_ms;     /* unix time less the worker's clock */
    uint64_t n_dropped_in, n_dropped_out;
    bool is_stopped;                   /* the peer said stop */
    struct conversation *conversation; /* NULL: the echo line */
};

int session_new(struct session_env *env, const struct speech_call *call, struct leg *leg, struct session **ret_session)
{
    struct session *session = calloc(1, sizeof(*session));
    if (!session)
        return -ENOMEM;

    session->env = env;
    session->leg = leg;
    journal_init(&session->journal, env->journal, call->call_sid, call->contact_id);
    if (env->profile->mode != PROFILE_ECHO) {
        int r = conversation_new(env, call, leg, &session->journal, &session->conversation);
        if (r < 0) {
            free(session);
            return r;
        }
    }
    *ret_session = session;
    return 0;
}

void session_on_news(struct session *session, void (*fn)(void *user), void *user)
{
    leg_on_inbound(session->leg, fn, user);
    journal_on_news(&session->journal, fn, user);
}

void session_free(struct session *session)
{
    if (!session)
        return;
    if (session->leg)
        leg_leave(session->leg);
    conversation_free(session->conversation);
    free(session);
}

void session_soon(const struct session *session)
{
    leg_soon(session->leg);
}

void session_sooner(const struct session *session)
{
    leg_outbound_soon(session->leg);
}

void session_begin(struct session *session, uint64_t now_ms)
{
    session->began_ms = session->media_ms = now_ms;
    session->unix_offset_ms = clock_real_ms() - now_ms;
    (void)log_about(LOG_INFO, 0, &(struct log_about){ LOG_CALL_BEGAN, session->journal.sid, .contact_id = session->journal.contact_id },
                    "call began, contact %s", session->journal.contact_id[0] ? session->journal.contact_id : "unknown");
    if (session->conversation)
        conversation_begin(session->conversation, now_ms, session->unix_offset_ms);
}

static bool is_held_up(const struct session *session)
{
    return session->conversation && !journal_has_room(session->env->journal);
}

static void count_dropped(struct session *session)
{
    uint64_t in = leg_dropped_in(session->leg), out = leg_dropped_out(session->leg);

    session_count(&session->env->counters.n_dropped_in, in - session->n_dropped_in);
    session_count(&session->env->counters.n_dropped_out, out - session->n_dropped_out);
    session->n_dropped_in = in;
    session->n_dropped_out = out;
}

static void log_end(const struct session *session, uint64_t now_ms, enum call_end end)
{
    struct conversation_sums sums = { 0 };

    if (session->conversation)
        conversation_sums(session->conversation, &sums);
    (void)log_about(LOG_INFO, 0,
             &(struct log_about){ LOG_CALL_ENDED, session->journal.sid, .contact_id = session->journal.contact_id,
                                  .duration_us = (now_ms - session->began_ms) * 1000 },
             "call ended: %s after %.1f s, %u turns, %u utterances, %u barge-ins, %llu frames lost", call_end_name(end),
             (double)(now_ms - session->began_ms) / 1000, sums.n_turns, sums.n_utterances, sums.n_barge_ins,
             (unsigned long long)(session->n_dropped_in + session->n_dropped_out));
}

/*
 * The end is with the store before the stream is closed: whoever asks then what follows, /webhook/after_stream, comes
 * behind it in the store's queue.
 */
static void finish(struct session *session, uint64_t now_ms, enum call_end end)
{
    struct frame *frame = leg_outbound_slot(session->leg, FRAME_END);

    journal_end(&session->journal, end, now_ms + session->unix_offset_ms);
    (void)journal_flush(&session->journal);
    if (frame) { /* else the loop is so far behind that it will drop the peer by itself */
        frame->n = 1;
        frame->bytes[0] = (uint8_t)end;
        leg_outbound_commit(session->leg);
        leg_outbound_flush(session->leg);
    }
    count_dropped(session);
    log_end(session, now_ms, end);
    session_count(&session->env->counters.n_ended[end], 1);
    leg_leave(steal(&session->leg));
    session->end_again_ms = now_ms + END_AGAIN_MS;
}

void session_end(struct session *session, uint64_t now_ms, enum call_end end)
{
    if (!session->leg)
        journal_end_give_up(&session->journal);
    if (!session->leg || is_held_up(session))
        return;
    if (session->conversation)
        conversation_hang_up(session->conversation, now_ms, end);
    else
        finish(session, now_ms, end);
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
    size_t n = leg_inbound_n(session->leg);

    if (n) {
        histogram_add_alone(&session->env->counters.inbound_fill, &histogram_percent, n * 100 / leg_inbound_size(session->leg));
        headroom_note(&session->env->headroom, now_ms, n);
    }
    for (; n && !is_held_up(session); n--, leg_inbound_pop(session->leg)) {
        const struct frame *frame = leg_inbound_peek(session->leg);

        if (frame->kind == FRAME_AUDIO) {
            session->media_ms = now_ms;
            session_count(&session->env->counters.n_frames_in, 1);
        }
        session->is_stopped |= frame->kind == FRAME_END;
        if (session->conversation)
            conversation_frame(session->conversation, now_ms, frame);
        else if (frame->kind == FRAME_AUDIO)
            echo(session, frame);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t run_conversation(struct session *session, uint64_t now_ms)
{
    uint64_t deadline_ms = conversation_run(session->conversation, now_ms);
    enum call_end end;

    leg_outbound_flush(session->leg);
    if (conversation_is_over(session->conversation, &end))
        finish(session, now_ms, end);
    return deadline_ms;
}

static uint64_t run_echo(struct session *session, uint64_t now_ms)
{
    uint64_t too_long_ms = session->began_ms + session->env->config->call_max_s * 1000;

    leg_outbound_flush(session->leg);
    if (now_ms >= too_long_ms)
        finish(session, now_ms, CALL_END_TOO_LONG);
    return too_long_ms;
}

static uint64_t run_live(struct session *session, uint64_t now_ms)
{
    int end, is_released = leg_released(session->leg, &end); /* first: what came before it is then in the ring */

    drain(session, now_ms);
    count_dropped(session);
    if (is_held_up(session))
        return now_ms + RETRY_MS;
    if (is_released)
        session_end(session, now_ms, (enum call_end)end);
    else if (session->is_stopped)
        session_end(session, now_ms, CALL_END_CALLER);
    else if (now_ms - session->media_ms >= NO_MEDIA_MS)
        session_end(session, now_ms, CALL_END_NO_MEDIA);
    if (!session->leg)
        return UINT64_MAX;

    uint64_t deadline_ms = session->conversation ? run_conversation(session, now_ms) : run_echo(session, now_ms);
    uint64_t no_media_ms = session->media_ms + NO_MEDIA_MS;
    return no_media_ms > now_ms ? earlier(deadline_ms, no_media_ms) : deadline_ms;
}

/* Returns: when to look again. */
static uint64_t end_again(struct session *session, uint64_t now_ms)
{
    if (!session->journal.must_end_again)
        return UINT64_MAX;
    if (now_ms >= session->end_again_ms) {
        session->end_again_ms = now_ms + END_AGAIN_MS;
        journal_end_again(&session->journal);
    }
    return session->end_again_ms;
}

uint64_t session_run(struct session *session, uint64_t now_ms)
{
    uint64_t deadline_ms = UINT64_MAX;

    if (session->leg) {
        deadline_ms = run_live(session, now_ms);
    } else if (session->conversation && !conversation_is_at_rest(session->conversation)) {
        conversation_settle(session->conversation);
        deadline_ms = now_ms + RETRY_MS; /* the journal may have had no room */
    }
    deadline_ms = earlier(deadline_ms, end_again(session, now_ms));
    if (!journal_flush(&session->journal))
        deadline_ms = earlier(deadline_ms, now_ms + RETRY_MS);
    return deadline_ms;
}

bool session_is_over(const struct session *session)
{
    return !session->leg && journal_at_rest(&session->journal) &&
           (!session->conversation || conversation_is_at_rest(session->conversation));
}
