/*
 * test_session.c - how an echo call ends, with virtual time
 */
#include "services/session.h"

#include "config.h"
#include "services/fake_loop.h"
#include "services/fake_speech.h"
#include "services/fake_store.h"
#include "services/profile.h"
#include "tap.h"

enum { STEP_MS = 20, BEGAN_MS = 5000, MAX_S = 60 };

/* At these times, in milliseconds of the call; 0 never. It is looked at for a bit over a minute. */
static const struct {
    const char *name;
    unsigned silent_from_ms, stop_at_ms, release_at_ms, drain_at_ms, full_from_ms;
    int release_as;
    enum call_end want;
    unsigned want_at_ms;
} cases[] = {
    { "the caller leaves", 0, 0, 2000, 0, 0, CALL_END_CALLER, CALL_END_CALLER, 2000 },
    { "the peer breaks the rules", 0, 0, 2000, 0, 0, CALL_END_PROTOCOL, CALL_END_PROTOCOL, 2000 },
    { "the peer says stop", 0, 1000, 0, 0, 0, 0, CALL_END_CALLER, 1000 },
    { "the stream goes dead", 3000, 0, 0, 0, 0, 0, CALL_END_NO_MEDIA, 7980 },
    { "no frame ever comes", 1, 0, 0, 0, 0, 0, CALL_END_NO_MEDIA, 5000 },
    { "it is dead, then it is let go", 3000, 0, 4000, 0, 0, CALL_END_SLOW_PEER, CALL_END_SLOW_PEER, 4000 },
    { "the daemon has to stop", 0, 0, 0, 4000, 0, 0, CALL_END_DRAIN, 4000 },
    { "it lasts too long", 0, 0, 0, 0, 0, 0, CALL_END_TOO_LONG, MAX_S * 1000 },
    { "the store is full at the end", 0, 0, 2000, 0, 1000, CALL_END_CALLER, CALL_END_CALLER, 2000 },
};

static const struct profile echo = { .name = "echo", .language = "en", .mode = PROFILE_ECHO };
static const struct config config = { .call_max_s = MAX_S };

static unsigned n_back;
static int told;

static void take_outbound(struct leg *leg, void *user)
{
    for (const struct frame *frame; (frame = leg_outbound_peek(leg)); leg_outbound_pop(leg)) {
        n_back += frame->kind == FRAME_AUDIO;
        if (frame->kind == FRAME_END)
            told = frame->bytes[0];
    }
}

static void hear(struct leg *leg, enum frame_kind kind)
{
    struct frame *frame = leg_inbound_slot(leg, kind);

    if (!frame)
        return;
    frame->n = 1;
    leg_inbound_commit(leg);
}

static void run(struct loop *loop, struct inbox *inbox, struct session_env *env, size_t i)
{
    struct speech_call call = { .call_sid = "CA1", .contact_id = "" };
    struct leg_options options = { .n_inbound = 64, .n_outbound = 64, .loop = loop, .inbox = inbox };
    struct session *session = NULL;
    struct leg *leg = NULL;
    unsigned n_sent = 0, ended_at_ms = 0;

    fake_store_reset();
    n_back = 0;
    told = -1;
    if (leg_new(&options, &leg) < 0 || session_new(env, &call, leg, &session) < 0)
        return (void)ok(0, "a session");
    leg_on_outbound(leg, take_outbound, NULL);
    session_begin(session, BEGAN_MS);
    for (unsigned ms = 0; ms < (MAX_S + 5) * 1000 && !session_is_over(session); ms += STEP_MS) {
        if (leg && told < 0 && (!cases[i].silent_from_ms || ms < cases[i].silent_from_ms)) {
            hear(leg, FRAME_AUDIO);
            n_sent++;
        }
        if (leg && cases[i].stop_at_ms && ms == cases[i].stop_at_ms)
            hear(leg, FRAME_END);
        if (leg && cases[i].release_at_ms && ms == cases[i].release_at_ms)
            leg_release(steal(&leg), cases[i].release_as);
        if (cases[i].full_from_ms && ms == cases[i].full_from_ms)
            fake_store.n_full = 50;
        if (cases[i].drain_at_ms && ms == cases[i].drain_at_ms)
            session_end(session, BEGAN_MS + ms, CALL_END_DRAIN);
        if (!ended_at_ms && fake_store.n_ends)
            ended_at_ms = ms;
        inbox_arm(inbox);
        inbox_run(inbox);
        (void)session_run(session, BEGAN_MS + ms);
        fake_loop_run(loop, 0);
        ended_at_ms = ended_at_ms ?: fake_store.n_ends ? ms : 0;
    }
    ok(session_is_over(session) && fake_store.n_ends == 1 && fake_store.end == cases[i].want, "%s: it ends once and so",
       cases[i].name);
    if (cases[i].full_from_ms)
        ok(fake_store.n_refused == 50 && ended_at_ms > cases[i].want_at_ms, "%s: it is offered until it is taken", cases[i].name);
    else
        is_int(ended_at_ms, cases[i].want_at_ms, "then");
    if (leg)
        is_int(told, cases[i].want, "the loop is told");
    if (leg) /* the one that is in the ring when we end it may stay there */
        is_int(n_back, n_sent - (cases[i].drain_at_ms ? 1 : 0), "every frame came back");

    session_free(session);
    if (leg)
        leg_release(leg, CALL_END_CALLER);
    fake_loop_run(loop, 0);
}

/* Returns: whether it is over then. */
static bool run_until(struct session *session, struct inbox *inbox, unsigned *ms, unsigned until_ms)
{
    for (; *ms < until_ms && !session_is_over(session); *ms += STEP_MS) {
        inbox_arm(inbox);
        inbox_run(inbox);
        (void)session_run(session, BEGAN_MS + *ms);
    }
    return session_is_over(session);
}

static void run_on_full_disk(struct loop *loop, struct inbox *inbox, struct session_env *env, bool stop)
{
    struct speech_call call = { .call_sid = "CA1", .contact_id = "" };
    struct leg_options options = { .n_inbound = 64, .n_outbound = 64, .loop = loop, .inbox = inbox };
    struct session *session = NULL;
    struct leg *leg = NULL;
    unsigned ms = 0;

    fake_store_reset();
    fake_store.n_disk_full = 1000;
    if (leg_new(&options, &leg) < 0 || session_new(env, &call, leg, &session) < 0)
        return (void)ok(0, "a session");
    session_begin(session, BEGAN_MS);
    leg_release(leg, CALL_END_CALLER);
    ok(!run_until(session, inbox, &ms, 5500), "on a full disk a call waits to be kept");
    is_int(1000 - fake_store.n_disk_full, 6, "and is offered once a second");
    if (stop)
        session_end(session, BEGAN_MS + ms, CALL_END_DRAIN);
    else
        fake_store.n_disk_full = 0;
    ok(run_until(session, inbox, &ms, 7000) && fake_store.n_ends == !stop, "%s", stop ? "but holds up no stop" : "until there is room");
    session_free(session);
    fake_loop_run(loop, 0);
}

int main(void)
{
    scoped(inbox_unref) struct inbox *inbox = NULL;
    struct session_env env = { .config = &config, .profile = &echo };
    struct loop loop;

    if (fake_loop_init(&loop) < 0 || inbox_new(&inbox) < 0 || journal_pool_new(NULL, inbox, JOURNAL_BATCH, &env.journal) < 0)
        return 1;
    for (size_t i = 0; i < ELEMENTSOF(cases); i++)
        run(&loop, inbox, &env, i);
    run_on_full_disk(&loop, inbox, &env, false);
    run_on_full_disk(&loop, inbox, &env, true);
    journal_pool_free(env.journal);
    fake_loop_done(&loop);
    return done_testing();
}
