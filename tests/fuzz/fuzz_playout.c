/*
 * fuzz_playout.c - whatever marks come back, the voice keeps its bounds and comes to its end
 *
 * The input is a play: a byte for what is done, one for how long after the last (in 8 ms), then what it needs. A
 * mark takes a length and its text, so that foreign names are tried as well as our own.
 */
#include <string.h>

#include "services/playout.h"
#include "services/fake_clip.h"
#include "utils/scoped.h"

struct play {
    const uint8_t *at, *end;
    struct playout playout;
    uint64_t now_ms;
    unsigned n_says;
    struct clip *growing; /* the last that was queued growing; NULL none */
    char last_mark[PLAYOUT_MARK_MAX];
};

static uint8_t byte(struct play *play)
{
    return play->at < play->end ? *play->at++ : 0;
}

static void check(const struct playout *playout, uint64_t now_ms)
{
    struct playout_heard heard;

    playout_heard(playout, now_ms, &heard);
    if (playout->n_says > PLAYOUT_SAYS || playout->confirmed > playout->sent || playout->anchor > playout->sent)
        abort();
    if ((heard.total_ms && heard.heard_ms > heard.total_ms) || (heard.say == 0) != (playout->n_says == 0))
        abort();
}

static void pump(struct play *play, size_t n_room)
{
    struct playout_step step;

    for (playout_next(&play->playout, play->now_ms, n_room, &step); step.kind;
         playout_next(&play->playout, play->now_ms, n_room, &step)) {
        if (step.kind == PLAYOUT_AUDIO && (!step.n || step.n > PLAYOUT_CHUNK_MS * 8 || step.n > n_room))
            abort();
        if (step.kind == PLAYOUT_MARK)
            memcpy(play->last_mark, step.mark, sizeof(step.mark));
        check(&play->playout, play->now_ms);
    }
    /* nothing was due, so it is later, or waits for room */
    if (n_room > PLAYOUT_CHUNK_MS * 8 && playout_deadline(&play->playout, play->now_ms) <= play->now_ms)
        abort();
}

static void say(struct play *play)
{
    scoped(clip_unref) struct clip *clip = clip_new(byte(play) * 64u);

    (void)playout_say(&play->playout, ++play->n_says, clip);
}

static void order(struct play *play)
{
    (void)playout_say(&play->playout, ++play->n_says, NULL);
}

static void ready(struct play *play)
{
    unsigned number = byte(play);
    scoped(clip_unref) struct clip *clip = clip_new(byte(play) * 64u);

    (void)playout_ready(&play->playout, number, clip);
}

static void leave(struct play *play, enum clip_state state)
{
    if (play->growing)
        clip_end(play->growing, state);
    clip_unref(steal(&play->growing));
}

static void begin(struct play *play)
{
    unsigned number = byte(play);

    leave(play, CLIP_BROKEN);
    play->growing = clip_new_growing(4096);
    (void)playout_ready(&play->playout, number, play->growing);
}

static void grow(struct play *play)
{
    size_t n = byte(play) * 16u;

    if (play->growing && play->growing->n + n <= play->growing->room)
        clip_publish(play->growing, play->growing->n + n);
}

static void whole(struct play *play)
{
    leave(play, CLIP_WHOLE);
}

static void redo(struct play *play)
{
    (void)playout_redo(&play->playout, byte(play));
}

static void drop(struct play *play)
{
    playout_drop(&play->playout, byte(play));
}

static void mark(struct play *play)
{
    size_t left = (size_t)(play->end - play->at), n = byte(play);

    n = n < left ? n : left ? left - 1 : 0;
    (void)playout_mark(&play->playout, (const char *)play->at, n, play->now_ms);
    play->at += n;
}

static void echo(struct play *play)
{
    (void)playout_mark(&play->playout, play->last_mark, strlen(play->last_mark), play->now_ms);
}

static void stop(struct play *play)
{
    struct playout_heard heard;

    while (playout_passed(&play->playout, play->now_ms))
        ;
    (void)playout_stop(&play->playout, play->now_ms, &heard);
}

static void resume(struct play *play)
{
    (void)playout_resume(&play->playout, byte(play));
}

static void block(struct play *play)
{
    pump(play, byte(play) * 16u);
}

static void (*const acts[])(struct play *play) = { say, order, ready, drop, mark, echo, stop, resume, block, begin, grow, whole, redo };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct play play = { .at = data, .end = data + n };

    playout_init(&play.playout);
    while (play.at < play.end) {
        void (*act)(struct play *) = acts[byte(&play) % ELEMENTSOF(acts)];

        play.now_ms += byte(&play) * 8u;
        act(&play);
        check(&play.playout, play.now_ms);
        if (act != block)
            pump(&play, SIZE_MAX);
    }

    /* without another mark it comes to its end, but for what is not rendered */
    leave(&play, CLIP_BROKEN);
    for (unsigned i = 0; i < play.playout.n_says; i++)
        if (play.playout.says[i].clip && play.playout.says[i].clip->state == CLIP_BROKEN)
            (void)playout_redo(&play.playout, play.playout.says[i].say);
    for (unsigned number = 1; number <= play.n_says; number++) {
        scoped(clip_unref) struct clip *clip = clip_new(8);
        (void)playout_ready(&play.playout, number, clip);
    }
    for (int i = 0; i < 10000 && !playout_is_idle(&play.playout); i++, play.now_ms += 20)
        pump(&play, SIZE_MAX);
    if (!playout_is_idle(&play.playout))
        abort();
    playout_done(&play.playout);
    if (n_clips)
        abort();
    return 0;
}
