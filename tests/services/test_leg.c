/*
 * test_leg.c - who may still call whom, and when; a leg between two real threads
 */
#include "services/leg.h"

#include "models/call.h"
#include "services/fake_loop.h"
#include "tap.h"

struct side {
    unsigned n_calls, n_frames;
    uint32_t next_stamp;
    int in_order, ended;
};

static void take_outbound(struct leg *leg, void *user)
{
    struct side *side = user;

    side->n_calls++;
    for (const struct frame *frame; (frame = leg_outbound_peek(leg)); leg_outbound_pop(leg)) {
        side->n_frames++;
        if (frame->kind == FRAME_END)
            side->ended = 1;
        else
            side->in_order &= frame->stamp_ms == side->next_stamp++;
    }
}

static void count_word(void *user)
{
    ++*(unsigned *)user;
}

static struct leg *make(struct loop *loop, struct inbox *inbox, struct side *side)
{
    struct leg_options options = { .n_inbound = 64, .n_outbound = 64, .loop = loop, .inbox = inbox };
    struct leg *leg = NULL;

    *side = (struct side){ .in_order = 1 };
    if (leg_new(&options, &leg) < 0)
        return NULL;
    leg_on_outbound(leg, take_outbound, side);
    return leg;
}

static int say(struct leg *leg, enum frame_kind kind, uint32_t stamp_ms)
{
    struct frame *frame = leg_outbound_slot(leg, kind);

    if (!frame)
        return 0;
    frame->stamp_ms = stamp_ms;
    leg_outbound_commit(leg);
    return 1;
}

static int hear(struct leg *leg, uint32_t stamp_ms)
{
    struct frame *frame = leg_inbound_slot(leg, FRAME_AUDIO);

    if (!frame)
        return 0;
    frame->stamp_ms = stamp_ms;
    leg_inbound_commit(leg);
    return 1;
}

static void test_outbound(struct loop *loop, struct inbox *inbox)
{
    struct side side;
    struct leg *leg = make(loop, inbox, &side);

    loop->n_posted = 0;
    say(leg, FRAME_AUDIO, 0);
    leg_outbound_flush(leg);
    say(leg, FRAME_AUDIO, 1);
    leg_outbound_flush(leg);
    is_int(loop->n_posted, 1, "a task that is queued is not queued again");
    is_int(side.n_calls, 0, "nothing is called from the worker's side");
    fake_loop_run(loop, 0);
    ok(side.n_calls == 1 && side.n_frames == 2 && side.in_order, "one callback takes both frames");

    say(leg, FRAME_END, 0);
    leg_outbound_flush(leg);
    leg_leave(leg);
    fake_loop_run(loop, 0);
    is_int(side.ended, 1, "what waited when the worker left still goes out");
    hear(leg, 0);
    leg_inbound_flush(leg);
    inbox_arm(inbox);
    is_int(inbox_wait(inbox, 0), 0, "and he is not woken any more");
    leg_release(leg, CALL_END_AGENT);
}

static void test_release(struct loop *loop, struct inbox *inbox)
{
    struct side side;
    struct leg *leg = make(loop, inbox, &side);
    int end = -1;

    is_int(leg_released(leg, &end), 0, "a fresh leg is not released");
    hear(leg, 7);
    say(leg, FRAME_AUDIO, 0);
    leg_outbound_flush(leg);
    inbox_arm(inbox);
    leg_release(leg, CALL_END_SLOW_PEER);
    is_int(inbox_wait(inbox, 0), 1, "a release wakes the worker");
    ok(leg_released(leg, &end) == 1 && end == CALL_END_SLOW_PEER, "who learns why");
    ok(leg_inbound_peek(leg) && leg_inbound_peek(leg)->stamp_ms == 7, "and still finds what came before");
    fake_loop_run(loop, 0);
    is_int(side.n_calls, 0, "a task that was queued before does not call back after it");
    loop->n_posted = 0;
    leg_outbound_flush(leg);
    is_int(loop->n_posted, 0, "nothing is posted after it");
    leg_leave(leg);
    inbox_run(inbox);
}

static void test_inbound(struct loop *loop, struct inbox *inbox)
{
    struct side side;
    struct leg *leg = make(loop, inbox, &side);
    unsigned n_words = 0;

    leg_on_inbound(leg, count_word, &n_words);
    hear(leg, 0);
    leg_inbound_flush(leg);
    hear(leg, 1);
    leg_inbound_flush(leg);
    is_int((long long)inbox_run(inbox), 1, "the word that frames wait is queued once");
    is_int(n_words, 1, "and the worker hears it");
    leg_inbound_flush(leg);
    is_int((long long)inbox_run(inbox), 0, "without a frame there is none");
    leg_release(leg, CALL_END_CALLER);
    is_int((long long)inbox_run(inbox), 1, "a release is such a word, too");
    is_int(n_words, 2, "and heard");
    leg_leave(leg);

    leg = make(loop, inbox, &side);
    leg_on_inbound(leg, count_word, &n_words);
    hear(leg, 0);
    leg_inbound_flush(leg);
    leg_leave(leg);
    inbox_run(inbox);
    is_int(n_words, 2, "a word that was queued before the worker left is heard by nobody");
    leg_release(leg, CALL_END_CALLER);
    is_int((long long)inbox_run(inbox), 0, "and none is queued after it");
}

static void test_overflow(struct loop *loop, struct inbox *inbox)
{
    struct side side;
    struct leg *leg = make(loop, inbox, &side);
    unsigned n = 0;

    while (hear(leg, n))
        n++;
    is_int(n, 64 - RING_RESERVED, "a worker that is behind costs audio");
    is_int((long long)leg_dropped_in(leg), 1, "and it is counted");
    is_int((long long)leg_outbound_room(leg), 64 - RING_RESERVED, "the other direction has its own room");
    is_int((long long)leg_dropped_out(leg), 0, "and its own count");
    leg_release(leg, CALL_END_CALLER);
    leg_leave(leg);
    inbox_run(inbox);
}

/* The worker sends every frame back, until the loop has released the leg. */
struct echo {
    struct inbox *inbox;
    struct leg *leg;
};

static void *echo(void *arg)
{
    struct echo *echo = arg;
    int end = CALL_END_NONE, released;

    do {
        inbox_arm(echo->inbox);
        inbox_run(echo->inbox);
        released = leg_released(echo->leg, &end);
        for (const struct frame *frame; (frame = leg_inbound_peek(echo->leg)); leg_inbound_pop(echo->leg))
            say(echo->leg, FRAME_AUDIO, frame->stamp_ms);
        leg_outbound_flush(echo->leg);
        if (!released)
            (void)inbox_wait(echo->inbox, 1000);
    } while (!released);
    leg_leave(echo->leg);
    return NULL;
}

static void test_threads(struct loop *loop)
{
    scoped(inbox_unref) struct inbox *inbox = NULL;
    struct side side;
    struct echo worker;
    uint32_t n_frames = 50000, sent = 0;
    pthread_t thread;

    if (inbox_new(&inbox) < 0)
        return;
    worker = (struct echo){ inbox, make(loop, inbox, &side) };
    pthread_create(&thread, NULL, echo, &worker);
    while (side.n_frames < n_frames) {
        /* never more under way than fits, so that none may be lost */
        while (sent < n_frames && sent - side.n_frames < 40 && hear(worker.leg, sent))
            sent++;
        leg_inbound_flush(worker.leg);
        fake_loop_run(loop, 1000);
    }
    ok(side.in_order && side.n_frames == n_frames, "two threads: every frame comes back, in order, and no wake-up is lost");
    leg_release(worker.leg, CALL_END_CALLER);
    pthread_join(thread, NULL);
    fake_loop_run(loop, 0);
    inbox_run(inbox);
    printf("# %u frames, %u callbacks\n", n_frames, side.n_calls);
}

int main(void)
{
    scoped(inbox_unref) struct inbox *inbox = NULL;
    struct loop loop;

    if (fake_loop_init(&loop) < 0 || inbox_new(&inbox) < 0)
        return 1;
    test_outbound(&loop, inbox);
    test_release(&loop, inbox);
    test_inbound(&loop, inbox);
    test_overflow(&loop, inbox);
    test_threads(&loop);
    fake_loop_done(&loop);
    return done_testing();
}
