/*
 * test_conversation.c - whole calls on one thread and virtual time
 *
 * The session, the conversation and all below them are real, dialogue and agent, too. The ends are stand-ins: a
 * telephone that plays what it is sent at 8 samples a millisecond and echoes marks, a caller who answers when the
 * voice is silent, a voice whose clips last 60 ms a character, ears that understand by the kind of the question,
 * engines that take as long as they are told.
 */
#include "services/session.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "config.h"
#include "services/agent_tools.h"
#include "scratch.h"
#include "services/conversation.h"
#include "services/engine.h"
#include "services/fake_chat.h"
#include "services/errand.h"
#include "services/fake_loop.h"
#include "services/fake_speech.h"
#include "services/fake_store.h"
#include "services/fake_vad.h"
#include "services/profile.h"
#include "services/utterance.h"
#include "tap.h"
#include "utils/audio.h"

enum { STEP_MS = 20, STEP_BYTES = 160, ITEMS_MAX = 256 };

/*
 * Once a call is up its loop and its worker allocate nothing. Counted where the C library lets us stand in its
 * place; the sanitizers want that place for themselves.
 */
static unsigned n_allocations;
static bool is_counting;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
enum { COUNTS_ALLOCATIONS = 1 };

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);

void *malloc(size_t n)
{
    n_allocations += is_counting;
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    n_allocations += is_counting;
    return __libc_calloc(n, size);
}
#else
enum { COUNTS_ALLOCATIONS = 0 };
#endif

/* --- stand-ins */

static struct {
    struct engine_job *first, **last;
    unsigned n_refused;
    bool is_full;
    unsigned slow_ms, age_ms; /* how long a job takes; how long the first has been at it */
} engines;

int engine_submit(struct engine *engine, struct engine_job *job)
{
    engines.n_refused += engines.is_full;
    if (engines.is_full)
        return -EAGAIN;
    job->next = NULL;
    *engines.last = job;
    engines.last = &job->next;
    return 0;
}

static void engines_work(void)
{
    while (engines.first && engines.age_ms >= engines.slow_ms) {
        struct engine_job *job = engines.first;

        engines.first = job->next;
        engines.last = engines.first ? engines.last : &engines.first;
        engines.age_ms = 0;
        bool was_counting = is_counting;
        is_counting = false; /* engine threads may */
        job->run(job, 0);
        is_counting = was_counting;
        job->done(job);
    }
    engines.age_ms = engines.first ? engines.age_ms + STEP_MS : 0;
}

/* --- the telephone and who holds it */

struct item {
    size_t n; /* bytes of audio; 0: a mark */
    char mark[64];
};

struct phone {
    struct leg *leg;
    struct item items[ITEMS_MAX]; /* what is to be played */
    size_t n_items;
    bool echoes_marks;
    unsigned n_payloads, n_marks, n_clears;
    size_t n_longest_payload, n_in_payload;
    unsigned ahead_ms, ahead_max_ms, played_ms, quiet_ms;
    int end;               /* what FRAME_END said; -1 not yet */
    unsigned left_ms;      /* of audio that was not played when it came */
};

static struct {
    bool answers;         /* speaks whenever the voice has been silent for a while */
    unsigned speech_ms;
    unsigned barge_at_ms; /* into the voice's first words; 0 never */
    unsigned leave_at_ms, mute_at_ms, key_at_ms; /* 0 never */
    bool is_draining;
    bool asks_prompts; /* none is rendered at the start */
    const char *const *replies; /* of a chat model; NULL: there is none */
    unsigned part_every_ms;     /* that is how fast it thinks */
    const char *words;          /* what the caller's free answers are */
} plan;

struct scene {
    struct session *session;
    struct session_env env;
    struct inbox *inbox;
    struct loop loop;
    struct phone phone;
    uint64_t now_ms, began_ms;
    unsigned speaking_ms; /* left of what the caller is saying */
    bool has_left;
};

static void hear_control(struct leg *leg, enum frame_kind kind, const char *bytes, size_t n)
{
    struct frame *frame = leg_inbound_slot(leg, kind);

    if (!frame)
        return;
    memcpy(frame->bytes, bytes, n);
    frame->n = (uint16_t)n;
    leg_inbound_commit(leg);
}

static void phone_echo(struct phone *phone)
{
    if (phone->echoes_marks)
        hear_control(phone->leg, FRAME_MARK, phone->items[0].mark, strlen(phone->items[0].mark));
    memmove(phone->items, phone->items + 1, --phone->n_items * sizeof(phone->items[0]));
}

static void phone_play(struct phone *phone, size_t n)
{
    unsigned before_ms = phone->ahead_ms;

    while (phone->n_items && (n || !phone->items[0].n)) {
        struct item *item = &phone->items[0];
        size_t n_now = item->n < n ? item->n : n;

        item->n -= n_now;
        n -= n_now;
        phone->ahead_ms -= (unsigned)(n_now / 8);
        phone->played_ms += (unsigned)(n_now / 8);
        if (item->mark[0])
            phone_echo(phone);
        else if (!item->n)
            memmove(phone->items, phone->items + 1, --phone->n_items * sizeof(phone->items[0]));
    }
    phone->quiet_ms = before_ms ? 0 : phone->quiet_ms + STEP_MS;
}

static void phone_take(struct leg *leg, void *user)
{
    struct phone *phone = user;

    for (const struct frame *frame; (frame = leg_outbound_peek(leg)); leg_outbound_pop(leg)) {
        struct item *item = &phone->items[phone->n_items];

        *item = (struct item){ 0 };
        if (frame->kind == FRAME_AUDIO) {
            item->n = frame->n;
            phone->n_items++;
            phone->ahead_ms += frame->n / 8;
            phone->n_in_payload += frame->n;
            if (frame->flags & FRAME_MORE)
                continue;
            phone->n_payloads++;
            if (phone->n_in_payload > phone->n_longest_payload)
                phone->n_longest_payload = phone->n_in_payload;
            phone->n_in_payload = 0;
        } else if (frame->kind == FRAME_MARK) {
            memcpy(item->mark, frame->bytes, frame->n);
            phone->n_items++;
            phone->n_marks++;
        } else if (frame->kind == FRAME_CLEAR) {
            phone->n_clears++;
            phone->ahead_ms = 0;
            while (phone->n_items) { /* all marks come back, as of what was cleared */
                if (phone->items[0].mark[0])
                    phone_echo(phone);
                else
                    memmove(phone->items, phone->items + 1, --phone->n_items * sizeof(phone->items[0]));
            }
        } else if (frame->kind == FRAME_END) {
            phone->end = frame->bytes[0];
            phone->left_ms = phone->ahead_ms;
        }
    }
    if (phone->ahead_ms > phone->ahead_max_ms)
        phone->ahead_max_ms = phone->ahead_ms;
}

static void caller_speaks(struct scene *scene)
{
    unsigned at_ms = (unsigned)(scene->now_ms - scene->began_ms);
    bool is_loud = scene->speaking_ms > 0;
    struct frame *frame;

    if (scene->has_left || (plan.mute_at_ms && at_ms >= plan.mute_at_ms))
        return;
    if (plan.key_at_ms && at_ms >= plan.key_at_ms) {
        hear_control(scene->phone.leg, FRAME_DTMF, "1", 1);
        plan.key_at_ms = 0;
    }
    if (plan.barge_at_ms && scene->phone.played_ms >= plan.barge_at_ms) {
        scene->speaking_ms = 1200;
        plan.barge_at_ms = 0;
    }
    if (plan.answers && !is_loud && scene->phone.played_ms && scene->phone.quiet_ms == 600)
        scene->speaking_ms = plan.speech_ms;

    frame = leg_inbound_slot(scene->phone.leg, FRAME_AUDIO);
    if (!frame)
        return;
    frame->n = STEP_BYTES;
    memset(frame->bytes, is_loud ? 0x00 : ULAW_SILENCE, STEP_BYTES);
    leg_inbound_commit(scene->phone.leg);
    if (is_loud)
        scene->speaking_ms -= STEP_MS;
}

static void step(struct scene *scene)
{
    unsigned at_ms = (unsigned)(scene->now_ms - scene->began_ms);

    if (scene->phone.leg) {
        phone_play(&scene->phone, STEP_BYTES);
        caller_speaks(scene);
        leg_inbound_flush(scene->phone.leg);
    }
    if (scene->phone.leg && !scene->has_left && plan.leave_at_ms && at_ms >= plan.leave_at_ms) {
        leg_release(steal(&scene->phone.leg), CALL_END_CALLER);
        scene->has_left = true;
    }
    engines_work();
    fake_grow();
    inbox_arm(scene->inbox);
    inbox_run(scene->inbox);
    fake_chat.now_ms = scene->now_ms;
    if (scene->env.chat && at_ms % plan.part_every_ms == 0)
        fake_chat_go(1);
    if (plan.is_draining)
        session_end(scene->session, scene->now_ms, CALL_END_DRAIN);
    (void)session_run(scene->session, scene->now_ms);
    fake_loop_run(&scene->loop, 0);
    scene->now_ms += STEP_MS;
}

static struct profile *profile;
static struct agent_tools *tools;
static struct config config = { .max_calls = 1, .call_max_s = 300, .ring_ms = 1280, .default_country = "1" };

static struct clip **render_prompts(void)
{
    struct clip **clips = calloc(profile->n_prompts, sizeof(struct clip *));

    for (size_t i = 0; clips && !plan.asks_prompts && i < profile->n_prompts; i++)
        if (profile->prompts[i].fixed)
            clips[i] = clip_new(strlen(profile->prompts[i].text) * CLIP_MS_PER_CHARACTER * 8);
    return clips;
}

static int setup(struct scene *scene, const char *sid)
{
    struct speech_call call = {
        .call_sid = sid, .stream_sid = "MZ1", .contact_id = "c1", .from = "+15551230000", .contact_name = "",
        .loop = &scene->loop,
    };
    struct errand_options errands;
    struct leg_options leg;

    *scene = (struct scene){ .now_ms = 1000000, .began_ms = 1000000, .phone = { .echoes_marks = true, .end = -1 } };
    plan.answers = true;
    plan.speech_ms = 900;
    engines.last = &engines.first;
    engines.is_full = false;
    engines.slow_ms = 60;
    is_mute = is_deaf = false;
    free_answer = plan.words;
    fake_chat_reset(plan.replies);
    fake_chat.parts_at_once = 0;
    scene->env.chat = plan.replies ? (struct chat_pool *)&fake_chat : NULL;
    scene->env.tools = plan.replies ? tools : NULL;
    plan.part_every_ms = plan.part_every_ms ? plan.part_every_ms : 200;
    n_samples_heard = 0;
    n_babble = 0;
    memset(&growth, 0, sizeof(growth));
    fake_store_reset();
    if (fake_loop_init(&scene->loop) < 0 || inbox_new(&scene->inbox) < 0)
        return -1;
    errands = (struct errand_options){ .inbox = scene->inbox, .language = "en", .state_dir = config.state_dir };
    leg = (struct leg_options){ .n_inbound = 64, .n_outbound = 32, .loop = &scene->loop, .inbox = scene->inbox };
    scene->env.config = &config;
    scene->env.profile = profile;
    scene->env.prompts = render_prompts();
    if (journal_pool_new(NULL, scene->inbox, 3 * JOURNAL_BATCH, &scene->env.journal) < 0 ||
        errand_pool_new(&errands, 8, &scene->env.errands) < 0 || utterance_pool_new(64, &scene->env.utterances) < 0 ||
        conversation_scratch_new(&scene->env.scratch) < 0 || leg_new(&leg, &scene->phone.leg) < 0 ||
        session_new(&scene->env, &call, scene->phone.leg, &scene->session) < 0)
        return -1;
    leg_on_outbound(scene->phone.leg, phone_take, &scene->phone);
    session_begin(scene->session, scene->now_ms);
    return 0;
}

/* Until it is over; false when it is not within ten minutes. */
static bool run(struct scene *scene)
{
    bool is_over = false;

    is_counting = true;
    for (unsigned i = 0; i < 10 * 60 * 1000 / STEP_MS && !is_over; i++) {
        step(scene);
        is_over = session_is_over(scene->session);
    }
    is_counting = false;
    return is_over;
}

static void run_for(struct scene *scene, unsigned ms)
{
    for (unsigned i = 0; i < ms / STEP_MS; i++)
        step(scene);
}

static void teardown(struct scene *scene)
{
    is_int((long long)utterance_pool_n_free(scene->env.utterances), 64, "all that was recorded was let go of");
    session_free(scene->session);
    if (scene->phone.leg)
        leg_release(scene->phone.leg, CALL_END_CALLER);
    fake_loop_run(&scene->loop, 0);
    for (size_t i = 0; i < profile->n_prompts; i++)
        clip_unref(scene->env.prompts[i]);
    free((void *)scene->env.prompts);
    is_int(n_clips, 0, "and all that was rendered");
    conversation_scratch_free(scene->env.scratch);
    utterance_pool_free(scene->env.utterances);
    errand_pool_free(scene->env.errands);
    journal_pool_free(scene->env.journal);
    inbox_unref(scene->inbox);
    fake_loop_done(&scene->loop);
    memset(&plan, 0, sizeof(plan));
}

static void print_turns(void)
{
    for (unsigned i = 0; i < fake_store.n_turns; i++) {
        const struct turn *turn = &fake_store.turns[i];
        printf("# %s \"%s\"%s%s %s\n", turn->who == TURN_AGENT ? "agent " : "caller", turn->text,
               turn->interrupted ? " (cut) of: " : "", turn->full, turn->audio);
    }
    for (unsigned i = 0; i < fake_store.n_learnt; i++)
        printf("# learnt %s = %s\n", fake_store.fields[i], fake_store.values[i]);
}

/* --- the scenes */

static int n_with_audio(void)
{
    int n = 0;

    for (unsigned i = 0; i < fake_store.n_turns; i++)
        n += fake_store.turns[i].audio[0] != '\0';
    return n;
}

static const struct turn *first_turn(enum turn_who who)
{
    for (unsigned i = 0; i < fake_store.n_turns; i++)
        if (fake_store.turns[i].who == who)
            return &fake_store.turns[i];
    return NULL;
}

static void check_kept_file(void)
{
    char path[512];
    const char *why = "";
    struct wav wav = { 0 };

    for (unsigned i = 0; i < fake_store.n_turns; i++) {
        if (!fake_store.turns[i].audio[0])
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", config.state_dir, fake_store.turns[i].audio);
        int r = wav_read(path, &wav, &why);
        ok(r == 0 && wav.rate_hz == 8000 && wav.n_channels == 1, "the audio of a free answer is a WAV file where the turn says");
        ok(wav.n_samples > 900 * 8 && wav.n_samples < 1800 * 8, "as long as what was said, and what was before and after it");
        wav_done(&wav);
        return;
    }
    ok(0, "a free answer has a file");
}

static void test_whole(void)
{
    struct scene scene;

    if (setup(&scene, "CAwhole") < 0)
        return (void)ok(0, "setup");
    ok(run(&scene), "a whole conversation comes to its end");
    print_turns();
    ok(fake_store.n_ends == 1 && fake_store.end == CALL_END_AGENT, "the agent ends it, once");
    is_int(scene.phone.end, CALL_END_AGENT, "the loop is told");
    ok(scene.phone.left_ms <= STEP_MS, "after the last word was heard");
    ok(scene.phone.ahead_max_ms > 900 && scene.phone.ahead_max_ms <= 1400, "audio leaves a second ahead, not more");
    ok(scene.phone.n_longest_payload == 1600, "in payloads of 200 ms");
    ok(scene.phone.n_marks > 5 && scene.phone.n_clears == 0, "with marks and without a clear");
    ok(n_samples_heard > 0, "answers were recognised");
    ok(n_with_audio() > 0, "those that nobody can transcribe were kept");
    check_kept_file();
    is_str(fake_store.learnt_of, fake_store.sid, "what was learnt goes to the call");

    const struct turn *turn = first_turn(TURN_CALLER);
    ok(turn && turn->start_ms > 1500000000000u && turn->end_ms > turn->start_ms, "times of turns are unix time");
    ok(turn && turn->times.decided && turn->times.first_audio >= turn->times.decided &&
           turn->times.first_frame >= turn->times.first_audio && turn->times.first_frame - turn->times.decided < 1000,
       "with the milestones up to the first sound of the reply");
    teardown(&scene);
}

/* --- a chat model answers */

#define REPLIES(...) (const char *const[]){ __VA_ARGS__, NULL }

static bool chat_setup(struct scene *scene, const char *sid, const char *const *replies)
{
    plan.replies = replies;
    plan.words = "my boiler leaks";
    return ok(setup(scene, sid) == 0, "a call with a chat model");
}

static const struct turn *turn_with(const char *words)
{
    for (unsigned i = 0; i < fake_store.n_turns; i++)
        if (strstr(fake_store.turns[i].text, words))
            return &fake_store.turns[i];
    return NULL;
}

static bool has_learnt(const char *field, const char *value)
{
    for (unsigned i = 0; i < fake_store.n_learnt; i++)
        if (strcmp(fake_store.fields[i], field) == 0 && strcmp(fake_store.values[i], value) == 0)
            return true;
    return false;
}

static void test_chat(void)
{
    const char *const *replies = REPLIES("S Oh dear.|S Your name, please?|E", "T a save_contact {\"name\":\"Dana\",\"need\":\"a boiler\"}|E",
                            "S Noted.|T b send_whatsapp {\"message\":\"thanks\"}|E", "S Anything else?|E",
                            "S Goodbye then.|T c end_call {}|E");
    struct scene scene;

    if (!chat_setup(&scene, "CAchat", replies))
        return;
    ok(run(&scene) && fake_store.n_ends == 1 && fake_store.end == CALL_END_AGENT, "comes to the end the model wants");
    print_turns();
    ok(turn_with("What can I do for you?") && turn_with("Oh dear. Your name, please?") &&
           turn_with("Noted. Anything else?") && turn_with("Goodbye then."), "what it said is kept, a turn each");
    ok(has_learnt("name", "Dana") && has_learnt("need", "a boiler"), "and what it saved");
    is_int(fake_store.n_messages, 1, "a message is sent");
    ok(strstr(fake_store.message, "Thank you for calling") && fake_store.wording == WORDING_FREE,
       "one of the profile's, which may be said in other words");
    is_int(fake_store.n_steps, 0, "nobody took over");
    const struct turn_times *times = &first_turn(TURN_CALLER)->times;
    ok(times->listened && times->listened <= times->decided && times->chat_asked >= times->decided &&
           times->chat_answered > times->chat_asked && times->chat_answered - times->chat_asked <= 200 &&
           times->first_token == times->chat_answered && times->first_sentence == times->chat_answered &&
           times->first_frame >= times->chat_answered,
       "the turn says how long the model was waited for");
    ok(strstr(fake_chat.body, "\"content\":\"Oh dear. Your name, please?\"}") != NULL, "the model is told what was heard of it");
    teardown(&scene);
}

static void test_chat_barge_in(void)
{
    const char *const *replies = REPLIES("S We have a great many rooms of all kinds to choose from.|S The first is large.|S The second is not.|"
                            "S The third.|S The fourth.|S The fifth.|S The sixth.|S The seventh.|E",
                            "S Goodbye.|T a end_call {}|E");
    struct scene scene;

    plan.part_every_ms = 400;
    if (!chat_setup(&scene, "CAchatbarge", replies))
        return;
    while (!fake_chat.n_asked || scene.phone.ahead_ms < 500)
        step(&scene); /* until the reply sounds */
    plan.barge_at_ms = scene.phone.played_ms + 300;
    ok(run(&scene) && fake_store.end == CALL_END_AGENT, "a barge-in into a reply that is being thought of");
    print_turns();
    const struct turn *turn = turn_with("We have");
    ok(turn && turn->interrupted && !strstr(turn->text, "third"), "cuts it");
    is_int(fake_chat.n_given_up, 1, "and gives the rest up");
    ok(strstr(fake_chat.body, "[interrupted by the caller here]") && !strstr(fake_chat.body, "The second"),
       "the model is told what was heard, and that it was interrupted");
    teardown(&scene);
}

static const struct {
    const char *what;
    const char *replies[4];
    const char *step; /* "" none */
    enum call_end end;
    const char *turn; /* is said */
} steps[] = {
    { "the first reply breaks", { "E! it broke off" }, "chat: m -> script: it broke off", CALL_END_AGENT,
      "May I have your name, please?" },
    { "a later one does, in the middle", { "S Oh dear.|S Your|E! reset" }, "chat: m -> script: reset", CALL_END_AGENT,
      "Oh dear. Your" },
    { "it never answers", { NULL }, "chat: m -> script: its reply could not be spoken, or did not come", CALL_END_AGENT,
      "May I have your name, please?" },
    { "it has a human called", { "S One moment.|T a transfer_to_human {\"reason\":\"an emergency\"}|E" }, "", CALL_END_TRANSFER,
      "One moment." },
};

static void test_chat_steps(void)
{
    for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
        struct scene scene;

        if (!chat_setup(&scene, "CAsteps", steps[i].replies))
            return;
        ok(run(&scene) && fake_store.n_ends == 1 && fake_store.end == steps[i].end, "%s: the call comes to its end", steps[i].what);
        ok(turn_with(steps[i].turn) != NULL, "%s: %s", steps[i].what, steps[i].turn);
        ok(fake_store.n_steps == (steps[i].step[0] ? 1u : 0u) && strcmp(fake_store.steps[0], steps[i].step) == 0,
           "%s: who took over is written down, once", steps[i].what);
        print_turns();
        ok(fake_chat_is_home(), "and nothing is left under way");
        teardown(&scene);
    }
}

static void test_chat_hang_up(void)
{
    const char *const *replies = REPLIES("S Oh dear.|S It is a long story, and I will tell it.|S Again.|E", "S Hm.|E");
    struct scene scene;

    for (unsigned at_ms = 4000; at_ms <= 12000; at_ms += 1000) {
        plan.part_every_ms = 1000;
        plan.leave_at_ms = at_ms;
        if (!chat_setup(&scene, "CAchatleave", replies))
            return;
        ok(run(&scene) && fake_store.end == CALL_END_CALLER && fake_chat_is_home(),
           "who hangs up after %u ms leaves nothing under way", at_ms);
        teardown(&scene);
    }
}

static void test_without_marks(void)
{
    struct scene scene;

    if (setup(&scene, "CAnomarks") < 0)
        return (void)ok(0, "setup");
    scene.phone.echoes_marks = false;
    ok(run(&scene) && fake_store.end == CALL_END_AGENT && fake_store.n_ends == 1, "no mark ever comes back: the call goes on all the same");
    teardown(&scene);
}

static void test_barge_in(void)
{
    struct scene scene;

    if (setup(&scene, "CAbarge") < 0)
        return (void)ok(0, "setup");
    plan.barge_at_ms = 700;
    run_for(&scene, 700 + 200);
    is_int(scene.phone.n_clears, 1, "a barge-in clears what is queued, 0.2 s after the first sound at the latest");
    ok(run(&scene) && fake_store.n_ends == 1, "and the call goes on to its end");
    print_turns();
    const struct turn *turn = first_turn(TURN_AGENT);
    ok(turn && turn->interrupted && turn->full[0] && strlen(turn->text) < strlen(turn->full), "what was not heard is not in the turn");
    is_str(turn ? turn->text : "", "Hello, you", "nor what had left for the caller's end, a second ahead of his ear");
    is_int((long long)scene.env.counters.n_barge_ins, 1, "it is counted");
    teardown(&scene);
}

/* Somebody coughs into the third question, the one that can be understood: also where its next sentence has left. */
static void test_false_barge_in_at(unsigned barge_at_ms)
{
    struct scene scene;

    if (setup(&scene, "CAcough") < 0)
        return (void)ok(0, "setup");
    plan.barge_at_ms = barge_at_ms;
    n_babble = 1;
    ok(run(&scene) && fake_store.end == CALL_END_AGENT, "a barge-in without words: the call goes on to its end");
    ok(scene.phone.n_clears == 1 && scene.env.counters.n_barge_ins == 1, "the voice fell silent");
    for (unsigned i = 0; i < fake_store.n_turns; i++)
        if (strstr(fake_store.turns[i].text, "Shall we"))
            ok(!fake_store.turns[i].interrupted && strstr(fake_store.turns[i].text, "0 0 0 0"), "went on, and was heard to its end");
    print_turns();
    teardown(&scene);
}

static void test_false_barge_in(void)
{
    for (unsigned at_ms = 6500; at_ms <= 9500; at_ms += 500)
        test_false_barge_in_at(at_ms);
}

static void test_key(void)
{
    struct scene scene;

    if (setup(&scene, "CAkey") < 0)
        return (void)ok(0, "setup");
    plan.key_at_ms = 600;
    run_for(&scene, 2000);
    is_int(scene.phone.n_clears, 1, "a key stops the voice");
    ok(run(&scene) && fake_store.n_ends == 1, "and the call comes to its end");
    teardown(&scene);
}

static const struct {
    const char *name;
    unsigned leave_at_ms, mute_at_ms, drain_at_ms;
    enum call_end want;
} ends[] = {
    { "the caller leaves at once", 20, 0, 0, CALL_END_CALLER },
    { "the caller leaves while the voice speaks", 1500, 0, 0, CALL_END_CALLER },
    { "the caller leaves in his own words", 7000, 0, 0, CALL_END_CALLER },
    { "the stream goes dead", 0, 3000, 0, CALL_END_NO_MEDIA },
    { "the daemon has to stop", 0, 0, 5000, CALL_END_DRAIN },
};

static void test_ends(void)
{
    for (size_t i = 0; i < ELEMENTSOF(ends); i++) {
        struct scene scene;

        if (setup(&scene, "CAend") < 0)
            return (void)ok(0, "setup");
        plan.leave_at_ms = ends[i].leave_at_ms;
        plan.mute_at_ms = ends[i].mute_at_ms;
        if (ends[i].drain_at_ms) {
            run_for(&scene, ends[i].drain_at_ms);
            plan.is_draining = true;
        }
        ok(run(&scene), "%s: it ends", ends[i].name);
        ok(fake_store.n_ends == 1 && fake_store.end == ends[i].want, "%s: once, with the right reason", ends[i].name);
        if (!ends[i].leave_at_ms)
            is_int(scene.phone.end, ends[i].want, "and the loop is told");
        if (ends[i].leave_at_ms != 20)
            ok(first_turn(TURN_AGENT) && first_turn(TURN_AGENT)->text[0], "what was heard until then is kept");
        teardown(&scene);
    }
}

/* What is given up since nobody waits for it any more is no failure. */
static void test_given_up(void)
{
    struct scene scene;

    plan.words = "my boiler is broken";
    if (setup(&scene, "CAgone") < 0)
        return (void)ok(0, "setup");
    run_for(&scene, 1000);
    engines.slow_ms = 8000;
    plan.leave_at_ms = 9000;
    ok(run(&scene) && fake_store.n_ends == 1, "the caller leaves while his answer is being recognised");
    is_int((long long)(scene.env.counters.n_utterances > 0), 1, "which he had begun");
    is_int((long long)scene.env.counters.n_stt_failed, 0, "that nobody recognised it is no failure");
    teardown(&scene);
}

static void test_silent_caller(void)
{
    struct scene scene;

    if (setup(&scene, "CAsilence") < 0)
        return (void)ok(0, "setup");
    plan.answers = false;
    ok(run(&scene) && fake_store.n_ends == 1, "a caller who says nothing is let go");
    printf("# after %llu s: %d\n", (unsigned long long)(scene.now_ms - scene.began_ms) / 1000, fake_store.end);
    teardown(&scene);
}

static void test_failures(void)
{
    struct scene scene;
    struct journal other;

    if (setup(&scene, "CAfull") < 0)
        return (void)ok(0, "setup");
    engines.is_full = true;
    ok(run(&scene) && fake_store.n_ends == 1, "engines that are full: the call comes to an end");
    ok(engines.n_refused > 0 && scene.env.counters.n_stt_failed + scene.env.counters.n_tts_failed > 0, "and it is counted");
    teardown(&scene);

    if (setup(&scene, "CAdeaf") < 0)
        return (void)ok(0, "setup");
    is_deaf = true;
    ok(run(&scene) && fake_store.n_ends == 1, "ears that fail: the call comes to an end");
    teardown(&scene);

    if (setup(&scene, "CAmute") < 0)
        return (void)ok(0, "setup");
    is_mute = true; /* what is not rendered at start */
    ok(run(&scene) && fake_store.n_ends == 1, "a voice that fails: the call comes to an end");
    teardown(&scene);

    if (setup(&scene, "CAslow") < 0)
        return (void)ok(0, "setup");
    engines.slow_ms = 5000;
    ok(run(&scene) && fake_store.n_ends == 1, "engines that take 5 s each: the call comes to an end");
    teardown(&scene);

    if (setup(&scene, "CAdisk") < 0)
        return (void)ok(0, "setup");
    fake_store.n_full = 400; /* asked every 20 ms */
    ok(run(&scene) && fake_store.n_ends == 1 && fake_store.end == CALL_END_AGENT, "a store that is full for a while loses nothing");
    ok(fake_store.n_refused == 400 && first_turn(TURN_AGENT) && first_turn(TURN_CALLER), "it is asked again until it takes it");
    teardown(&scene);

    if (setup(&scene, "CAstall") < 0)
        return (void)ok(0, "setup");
    run_for(&scene, 9000);
    journal_init(&other, scene.env.journal, "CAother", "");
    fake_store.n_full = 600;
    for (unsigned i = 0; journal_has_room(scene.env.journal) && i < 3 * JOURNAL_BATCH; i++)
        journal_learn(&other, "x", "y", 1); /* another call has filled the pool */
    plan.is_draining = true;
    run_for(&scene, 4000);
    is_int(scene.phone.end, -1, "a call whose journal is full does not end before it has room");
    fake_store.n_full = 0;
    (void)journal_flush(&other);
    ok(run(&scene) && fake_store.end == CALL_END_DRAIN && first_turn(TURN_CALLER), "then it does, and nothing of it is lost");
    teardown(&scene);
}

/* A second of the voice takes 50 frames of the ring: a loop that does not drain it must not cost the call. */
static void test_stuck_loop(void)
{
    struct scene scene;

    if (setup(&scene, "CAstuck") < 0)
        return (void)ok(0, "setup");
    for (int i = 0; i < 200; i++) { /* the loop does nothing for 4 s */
        struct frame *frame = leg_inbound_slot(scene.phone.leg, FRAME_AUDIO);

        if (frame) {
            frame->n = STEP_BYTES;
            memset(frame->bytes, ULAW_SILENCE, STEP_BYTES);
            leg_inbound_commit(scene.phone.leg);
        }
        inbox_run(scene.inbox);
        (void)session_run(scene.session, scene.now_ms);
        scene.now_ms += STEP_MS;
    }
    ok(leg_dropped_out(scene.phone.leg) == 0, "a loop that stands still costs no frame: the voice waits for room");
    ok(run(&scene) && fake_store.end == CALL_END_AGENT, "and goes on afterwards");
    teardown(&scene);
}

/* --- a voice that is played while it comes */

static const struct {
    const char *what;
    unsigned ms_per_step, break_at_ms, n_breaks, barge_at_ms, leave_at_ms;
    bool is_mute; /* what broke nobody says */
} growths[] = {
    { "faster than it is heard", 100, 0, 0, 0, 0, false },
    { "as fast as it is heard", 20, 0, 0, 0, 0, false },
    { "half as fast", 10, 0, 0, 0, 0, false },
    { "breaking once", 40, 900, 1, 0, 0, false },
    { "breaking before it is heard", 100, 310, 1, 0, 0, false },
    { "breaking often", 20, 1500, 5, 0, 0, false },
    { "interrupted", 12, 0, 0, 700, 0, false },
    { "left", 12, 0, 0, 0, 1200, false },
    { "breaking for good", 40, 900, 1, 0, 0, true },
};

static void test_growing(void)
{
    for (size_t i = 0; i < ELEMENTSOF(growths); i++) {
        struct scene scene;
        unsigned n_cut = 0, n_steps = growths[i].n_breaks;

        plan.asks_prompts = true;
        if (setup(&scene, "CAgrowing") < 0)
            return (void)ok(0, "setup");
        growth.ms_per_step = growths[i].ms_per_step;
        growth.break_at_ms = growths[i].break_at_ms;
        growth.n_breaks = growths[i].n_breaks;
        plan.barge_at_ms = growths[i].barge_at_ms;
        plan.leave_at_ms = growths[i].leave_at_ms;
        for (int step_ms = 0; growths[i].is_mute && growth.n_breaks && step_ms < 10000; step_ms += STEP_MS) {
            step(&scene);
            is_mute = growth.n_breaks == 1 && growth.n && growth.each[0].sentence->clip->n > 800 * 8;
        }
        ok(run(&scene) && fake_store.n_ends == 1, "a voice that comes, %s: the call comes to its end", growths[i].what);
        for (unsigned t = 0; t < fake_store.n_turns; t++)
            n_cut += fake_store.turns[t].interrupted;
        is_int(n_cut, growths[i].barge_at_ms || growths[i].leave_at_ms, "what was cut off is said to be, and nothing else");
        is_int(fake_store.n_steps, n_steps, "each voice that broke is told");
        if (n_steps)
            is_str(fake_store.steps[0], growths[i].is_mute ? "tts: openai -> : it broke" : "tts: openai -> flite: it broke", "and how");
        if (growths[i].leave_at_ms)
            ok(growth.n_given_up > 0, "what nobody wants any more is given up");
        else if (growths[i].barge_at_ms)
            is_int((long long)scene.env.counters.n_barge_ins, 1, "the voice fell silent");
        else if (!growths[i].n_breaks)
            ok(scene.phone.played_ms == growth.n_ms && growth.n_ms > 12000, "and everything was heard: %u ms", growth.n_ms);
        else
            ok(scene.phone.played_ms <= growth.n_ms && growth.n_ms > 12000, "and nearly everything: %u of %u ms",
               scene.phone.played_ms, growth.n_ms);
        print_turns();
        is_mute = false;
        teardown(&scene);
    }
}

int main(void)
{
    char problems[1024];
    char state[300];

    (void)snprintf(state, sizeof(state), "%s", scratch());
    config.state_dir = state;
    if (profile_load("receptionist-en", "Acme", problems, sizeof(problems), &profile) < 0)
        return 1;
    config.chat_model = "m";
    if (agent_tools_new(&(struct agent_tools_options){ .profile = profile, .country = "1", .can_transfer = true, .can_message = true },
                        &tools) < 0)
        return 1;
    test_whole();
    test_chat();
    test_chat_barge_in();
    test_chat_steps();
    test_chat_hang_up();
    test_without_marks();
    test_barge_in();
    test_false_barge_in();
    test_key();
    test_ends();
    test_given_up();
    test_silent_caller();
    test_failures();
    test_stuck_loop();
    test_growing();
    agent_tools_free(tools);
    profile_free(profile);
    if (COUNTS_ALLOCATIONS)
        is_int(n_allocations, 0, "in none of these calls was anything allocated after its beginning");
    else
        skip("whether a call allocates: not counted in this build");
    return done_testing();
}
