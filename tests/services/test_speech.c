/*
 * test_speech.c - calls on real worker threads, through their rings
 */
#include "services/speech.h"

#include <errno.h>
#include <malloc.h>

#include "config.h"
#include "services/fake_loop.h"
#include "services/fake_speech.h"
#include "services/fake_store.h"
#include "services/profile.h"
#include "tap.h"

enum { N_CALLS = 20, N_PAYLOADS = 200 };

static const struct profile echo = { .name = "echo", .language = "en", .mode = PROFILE_ECHO };

static struct config config = {
    .speech_workers = 2,
    .engine_threads = 1,
    .max_calls = N_CALLS,
    .call_max_s = 1800,
    .ring_ms = 1280,
    .state_dir = "/nonexistent",
};

/* The loop's side of a call. */
struct side {
    char sid[SID_MAX];
    struct leg *leg;
    bool is_echo;
    size_t n_bytes;         /* heard */
    unsigned n_sent, n_got; /* payloads */
    size_t n_in_payload;
    int all_same, end;
};

/* The n-th payload of a call: its own length and bytes; some need several frames, some are not a multiple. */
static size_t payload_size(unsigned n)
{
    static const size_t sizes[] = { 160, 1, 160, 320, 33, 1600, 160, 161 };

    return sizes[n % ELEMENTSOF(sizes)];
}

static uint8_t payload_byte(const struct side *side, unsigned n, size_t at)
{
    return (uint8_t)(n * 7 + at + (size_t)side->sid[3] * 31);
}

static void take_outbound(struct leg *leg, void *user)
{
    struct side *side = user;

    for (const struct frame *frame; (frame = leg_outbound_peek(leg)); leg_outbound_pop(leg)) {
        if (frame->kind == FRAME_END) {
            side->end = frame->bytes[0];
            continue;
        }
        side->n_bytes += frame->kind == FRAME_AUDIO ? frame->n : 0;
        for (size_t i = 0; side->is_echo && i < frame->n; i++)
            side->all_same &= frame->bytes[i] == payload_byte(side, side->n_got, side->n_in_payload + i);
        side->n_in_payload += frame->n;
        if (frame->flags & FRAME_MORE)
            continue;
        side->all_same &= side->n_in_payload == payload_size(side->n_got);
        side->n_in_payload = 0;
        side->n_got++;
    }
}

static void send_payload(struct side *side)
{
    unsigned n = side->n_sent++;

    for (size_t at = 0, size = payload_size(n); at < size; at += FRAME_BYTES) {
        struct frame *frame = leg_inbound_slot(side->leg, FRAME_AUDIO);

        if (!frame)
            return;
        frame->n = (uint16_t)(size - at < FRAME_BYTES ? size - at : FRAME_BYTES);
        frame->flags = at + frame->n < size ? FRAME_MORE : 0;
        for (size_t i = 0; i < frame->n; i++)
            frame->bytes[i] = payload_byte(side, n, at + i);
        leg_inbound_commit(side->leg);
    }
    leg_inbound_flush(side->leg);
}

static const struct profile *profile;

static int start(struct speech *speech, struct loop *loop, struct side *side, const char *sid)
{
    struct speech_call call = {
        .call_sid = sid, .stream_sid = "MZ1", .contact_id = "c1", .from = "", .contact_name = "", .loop = loop,
    };

    *side = (struct side){ .is_echo = profile->mode == PROFILE_ECHO, .all_same = 1, .end = -1 };
    (void)snprintf(side->sid, sizeof(side->sid), "%s", sid);
    int r = speech_start_call(speech, &call, &side->leg);
    if (r == 0)
        leg_on_outbound(side->leg, take_outbound, side);
    return r;
}

static void test_echo(struct loop *loop)
{
    struct speech_options options = { .config = &config, .profile = &echo };
    struct side sides[N_CALLS], refused;
    scoped(speech_free) struct speech *speech = NULL;
    struct speech_stats stats;
    unsigned n_same = 0, n_back = 0;
    char sid[SID_MAX];

    profile = &echo;
    fake_store_reset();
    is_int(speech_new(&options, &speech), 0, "workers start");
    is_int(start(speech, loop, &refused, "../etc"), -EINVAL, "a CallSid that could name another file is refused");
    is_int(start(speech, loop, &refused, ""), -EINVAL, "as is none");

    size_t before = mallinfo2().uordblks;
    for (unsigned i = 0; i < N_CALLS; i++) {
        (void)snprintf(sid, sizeof(sid), "CA%03u", i);
        if (start(speech, loop, &sides[i], sid) < 0)
            return (void)ok(0, "a call starts");
    }
    printf("# echo: %zu bytes a call\n", (mallinfo2().uordblks - before) / N_CALLS);
    is_int(start(speech, loop, &refused, "CA000"), -EEXIST, "a CallSid that is live cannot start again");
    is_int(start(speech, loop, &refused, "CA999"), -ENOSPC, "all lines are busy");

    for (unsigned n = 0; n < N_PAYLOADS; n++) {
        for (unsigned i = 0; i < N_CALLS; i++)
            send_payload(&sides[i]);
        while (sides[0].n_got + 2 < n) /* no more than what fits is under way */
            fake_loop_run(loop, 1000);
        for (unsigned i = 1; i < N_CALLS; i++)
            while (sides[i].n_got + 2 < n)
                fake_loop_run(loop, 1000);
    }
    for (unsigned i = 0; i < N_CALLS; i++) {
        while (sides[i].n_got < N_PAYLOADS)
            fake_loop_run(loop, 1000);
        n_same += sides[i].all_same != 0;
        n_back += sides[i].n_got;
    }
    is_int(n_back, N_CALLS * N_PAYLOADS, "every payload comes back");
    is_int(n_same, N_CALLS, "unchanged and with its own boundaries");

    for (unsigned i = 0; i < N_CALLS / 2; i++)
        leg_release(sides[i].leg, i ? CALL_END_CALLER : CALL_END_SLOW_PEER);
    while (fake_store_n_ends() < N_CALLS / 2)
        fake_loop_run(loop, 1);
    do {
        speech_stats(speech, &stats);
        fake_loop_run(loop, 1);
    } while (stats.n_calls_live > N_CALLS / 2);
    is_int(fake_store.n_ended_as[CALL_END_SLOW_PEER], 1, "each call ends once, as the loop said");
    is_int(fake_store.n_ended_as[CALL_END_CALLER], N_CALLS / 2 - 1, "or because the caller left");
    is_int(start(speech, loop, &sides[0], "CA000"), 0, "a CallSid that has ended may be used again");

    speech_drain(speech);
    is_int(start(speech, loop, &refused, "CA777"), -ESHUTDOWN, "no new calls while draining");
    speech_stop(speech);
    fake_loop_run(loop, 0);
    is_int(fake_store.n_ended_as[CALL_END_DRAIN], N_CALLS / 2 + 1, "stopping ends the calls that are left");
    ok(sides[0].end == CALL_END_DRAIN && sides[N_CALLS - 1].end == CALL_END_DRAIN, "and tells their loop");
    is_int(start(speech, loop, &refused, "CA777"), -ESHUTDOWN, "nothing starts after it");

    speech_stats(speech, &stats);
    is_int((long long)stats.n_calls_live, 0, "no call is left");
    is_int((long long)stats.n_calls_ever, N_CALLS + 1, "every call was counted");
    is_int((long long)stats.n_dropped_in + (long long)stats.n_dropped_out, 0, "and no frame lost");
    is_int((long long)stats.n_frames_in, (long long)stats.n_frames_out, "what came in went out");

    leg_release(sides[0].leg, CALL_END_CALLER);
    for (unsigned i = N_CALLS / 2; i < N_CALLS; i++)
        leg_release(sides[i].leg, CALL_END_CALLER); /* after the workers: must be harmless */
    fake_loop_run(loop, 0);
}

/*
 * The receptionist on real threads and in real time, as far as the first words: half of the callers leave then,
 * the others are still there when the daemon stops.
 */
static void test_receptionist(struct loop *loop)
{
    struct speech_options options = { .config = &config };
    struct side sides[N_CALLS];
    struct profile *receptionist = NULL;
    struct speech *speech = NULL;
    struct speech_stats stats;
    unsigned n_spoken_to = 0, n_told = 0;
    char problems[512], sid[SID_MAX];

    fake_store_reset();
    if (!ok(profile_load("receptionist-en", "Acme", problems, sizeof(problems), &receptionist) == 0, "a profile"))
        return;
    options.profile = profile = receptionist;
    is_mute = true;
    is_int(speech_new(&options, &speech), -EIO, "prompts that cannot be rendered are told of at start");
    is_mute = false;
    is_int(speech_new(&options, &speech), 0, "the prompts are rendered, workers start");

    size_t before = mallinfo2().uordblks;
    for (unsigned i = 0; i < N_CALLS; i++) {
        (void)snprintf(sid, sizeof(sid), "CA%03u", i);
        if (start(speech, loop, &sides[i], sid) < 0)
            return (void)ok(0, "a call starts");
    }
    printf("# receptionist: %zu bytes a call\n", (mallinfo2().uordblks - before) / N_CALLS);

    while (n_spoken_to < N_CALLS) {
        n_spoken_to = 0;
        for (unsigned i = 0; i < N_CALLS; i++) {
            if (sides[i].n_sent < 50)
                send_payload(&sides[i]);
            n_spoken_to += sides[i].n_bytes >= 8000;
        }
        fake_loop_run(loop, 100);
    }
    ok(1, "every caller is greeted, a second ahead");

    for (unsigned i = 0; i < N_CALLS / 2; i++)
        leg_release(sides[i].leg, CALL_END_CALLER);
    speech_stop(speech);
    fake_loop_run(loop, 0);
    is_int(fake_store.n_ended_as[CALL_END_CALLER] + fake_store.n_ended_as[CALL_END_DRAIN], N_CALLS, "every call ends once");
    ok(fake_store.n_ended_as[CALL_END_DRAIN] >= N_CALLS / 2, "those that were left by the daemon");
    for (unsigned i = N_CALLS / 2; i < N_CALLS; i++) {
        n_told += sides[i].end == CALL_END_DRAIN;
        leg_release(sides[i].leg, CALL_END_CALLER);
    }
    is_int(n_told, N_CALLS / 2, "their loop was told");
    speech_stats(speech, &stats);
    is_int((long long)stats.n_calls_live, 0, "no call is left");
    speech_free(speech);
    fake_loop_run(loop, 0);
    profile_free(receptionist);
    is_int(n_clips, 0, "nor any clip");
}

int main(void)
{
    struct loop loop;

    if (fake_loop_init(&loop) < 0)
        return 1;
    test_echo(&loop);
    test_receptionist(&loop);
    fake_loop_done(&loop);
    return done_testing();
}
